"""Reading ahead: threads fetch the next pixels while the network is at work on the last ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Item = TypeVar("Item")
Read = TypeVar("Read")


def read_ahead(
    read: Callable[[Item], Read], items: Sequence[Item], *, readers: int
) -> Generator[Read, None, None]:
    """Yield what is read for each item, in order, while threads read the next ones.

    Parameters
    ----------
    read : callable
        Reads one item; its first failure ends all.
    items : sequence
    readers : int
        Threads; one more item than that is held at most.
    """
    pool = ThreadPoolExecutor(readers, thread_name_prefix="mitoscope-read")
    ahead: deque[Future[Read]] = deque()
    try:
        for item in items:
            ahead.append(pool.submit(read, item))
            if len(ahead) > readers:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
