from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.slide.tile_cache import SHARED, TileCache


def tile(side: int, value: int = 0) -> np.ndarray:
    return np.full((side, side, 3), value, np.uint8)


def test_what_was_put_is_there_and_cannot_be_changed() -> None:
    cache = TileCache(1000)
    cache.put((0, 0, 0, 1), tile(10, 7))
    kept = cache.get((0, 0, 0, 1))
    assert kept is not None
    assert (kept == 7).all()
    assert cache.get((0, 0, 0, 2)) is None
    with pytest.raises(ValueError, match="read-only"):
        kept[0, 0] = 1


def test_the_tile_used_longest_ago_goes_first() -> None:
    cache = TileCache(900)  # three tiles of 300 bytes
    for index in range(3):
        cache.put((0, 0, index, 1), tile(10))
    cache.get((0, 0, 0, 1))
    cache.put((0, 0, 3, 1), tile(10))
    assert [index for index in range(4) if cache.get((0, 0, index, 1)) is not None] == [0, 2, 3]


def test_a_tile_larger_than_the_room_is_not_kept() -> None:
    cache = TileCache(900)
    cache.put((0, 0, 0, 1), tile(20))
    assert (cache.get((0, 0, 0, 1)), cache.bytes) == (None, 0)


def test_a_reader_takes_its_tiles_along() -> None:
    cache = TileCache(10_000)
    for reader in (1, 2):
        cache.put((reader, 0, 0, 1), tile(10))
    cache.forget(1)
    assert cache.get((1, 0, 0, 1)) is None
    assert cache.get((2, 0, 0, 1)) is not None
    assert cache.bytes == 300


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(1, 12)), max_size=40))
def test_it_never_holds_more_than_it_may(puts: list[tuple[int, int]]) -> None:
    cache = TileCache(1500)
    for index, side in puts:
        cache.put((0, 0, index, 1), tile(side))
        kept = [cache.get((0, 0, index, 1)) for index in range(7)]
        assert cache.bytes == sum(each.nbytes for each in kept if each is not None) <= 1500


def test_threads_share_it() -> None:
    cache = TileCache(3000)
    wrong: list[int] = []

    def work(seed: int) -> None:
        for index in np.random.default_rng(seed).integers(0, 40, 2000).tolist():
            kept = cache.get((0, 0, index, 1))
            if kept is None:
                cache.put((0, 0, index, 1), tile(10, index))
            elif (kept != index).any():
                wrong.append(index)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert cache.bytes <= 3000


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*fork.*:DeprecationWarning")
def test_a_child_begins_with_an_empty_cache_though_the_lock_was_held() -> None:
    SHARED.put((-1, 0, 0, 1), tile(10))
    with SHARED._lock:
        child = os.fork()
        if child == 0:
            empty = SHARED.get((-1, 0, 0, 1)) is None and SHARED.bytes == 0
            os._exit(0 if empty else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    SHARED.forget(-1)
