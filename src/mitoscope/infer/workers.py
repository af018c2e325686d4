"""Workers: several parts of a slide are worked on at once, and what comes of them is taken in order."""

from __future__ import annotations

import os
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Final, Self, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

_WORKERS_MAX: Final = 4
"""Each has a part of the slide and the network's planes in memory, some 300 MB."""


def cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "process_cpu_count"):  # from Python 3.13
        return os.process_cpu_count() or 1
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


@dataclass(frozen=True, slots=True)
class Workers:
    """How the threads of a run are divided.

    Parts of a slide are worked on side by side, one thread each, because two windows on a core each take less
    time than two after each other on both; decoding and the network share the threads, so that none waits
    for the other.

    Parameters
    ----------
    count : int
        Parts that are worked on at once.
    threads_each : int
        Threads of the network for each.
    """

    count: int
    threads_each: int

    @classmethod
    def of(cls, threads: int | None) -> Self:
        """Divide threads; by default one for each core."""
        threads = threads or cores()
        count = min(threads, _WORKERS_MAX)
        return cls(count, threads // count)


def in_order(
    work: Callable[[Item], Result], items: Sequence[Item], *, workers: int
) -> Generator[tuple[Item, Result], None, None]:
    """Yield each item with what comes of it, in order, while workers are at the next ones.

    Parameters
    ----------
    work : callable
        Its first failure ends all.
    items : sequence
    workers : int
        Threads; as many results wait at most.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix="mitoscope-worker")
    ahead: deque[tuple[Item, Future[Result]]] = deque()

    def next_one() -> tuple[Item, Result]:
        item, future = ahead.popleft()
        return item, future.result()

    try:
        for item in items:
            ahead.append((item, pool.submit(work, item)))
            if len(ahead) > 2 * workers:
                yield next_one()
        while ahead:
            yield next_one()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def timed(
    groups: Iterable[Sequence[tuple[Item, Result]]],
) -> Iterator[Sequence[tuple[Item, Result, float]]]:
    """Yield groups of items and results with the seconds since the group before, divided among its items."""
    clock = time.perf_counter()
    for group in groups:
        now = time.perf_counter()
        yield [(item, result, (now - clock) / len(group)) for item, result in group]
        clock = now
