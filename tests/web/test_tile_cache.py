from __future__ import annotations

import threading

from mitoscope.web.deep_zoom import TileCache


def test_a_tile_is_made_once_and_the_one_used_longest_ago_goes_first() -> None:
    cache, made = TileCache(10), []

    def tile(name: str, size: int) -> bytes:
        def make() -> bytes:
            made.append(name)
            return name.encode() * size

        return cache.get(name, make)

    assert tile("a", 4) == tile("a", 4) == b"aaaa"
    tile("b", 4)
    tile("a", 4)
    tile("c", 4)
    assert (made, len(cache), cache.size_bytes) == (["a", "b", "c"], 2, 8)
    tile("b", 4)
    assert made == ["a", "b", "c", "b"]


def test_a_tile_larger_than_all_is_given_but_not_kept() -> None:
    cache = TileCache(3)
    assert cache.get("a", lambda: b"aaaa") == b"aaaa"
    assert (len(cache), cache.size_bytes) == (0, 0)


def test_many_threads_do_not_lose_count() -> None:
    cache = TileCache(1000)

    def work(seed: int) -> None:
        for one in range(300):
            cache.get((seed * one) % 37, lambda: b"x" * 50)

    threads = [threading.Thread(target=work, args=(one,)) for one in range(1, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert cache.size_bytes == 50 * len(cache) <= 1000
