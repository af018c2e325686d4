"""Drawing the next batches on other threads while the network works on this one."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch

from mitoscope.data.batch import Batch
from mitoscope.data.batches import Batches
from mitoscope.data.sampling import HardPool


class DrawAhead:
    """Draws some batches ahead; what is drawn does not depend on it.

    One thread for the network and others for the batches use all cores without waiting for each other at
    every operation; several threads inside an operation lose much of their time as soon as another process
    runs.

    Parameters
    ----------
    batches : Batches
    pool : ThreadPoolExecutor
    depth : int
        Batches that are drawn ahead.
    first, stride : int
        The process draws the batches first + step × stride, so that no two processes of a run draw alike.
    """

    def __init__(
        self, batches: Batches, pool: ThreadPoolExecutor, *, depth: int = 1, first: int = 0, stride: int = 1
    ) -> None:
        self._batches, self._pool, self._depth = batches, pool, depth
        self._first, self._stride = first, stride
        self._waiting: deque[tuple[int, HardPool, Future[Batch]]] = deque()

    def take(self, step: int, hard: HardPool) -> Batch:
        """Return the batch of a step and go on with the next ones."""
        # After a round of mining the batches that wait were drawn from the old hard negatives.
        while self._waiting and (self._waiting[0][0] != step or self._waiting[0][1] is not hard):
            self._waiting.popleft()[2].cancel()
        batch = self._waiting.popleft()[2] if self._waiting else self._submit(step, hard)
        last = self._waiting[-1][0] if self._waiting else step
        for later in range(last + 1, step + self._depth + 1):
            self._waiting.append((later, hard, self._submit(later, hard)))
        return batch.result()

    def _submit(self, step: int, hard: HardPool) -> Future[Batch]:
        return self._pool.submit(self._batches.draw, self._first + step * self._stride, hard)


@contextmanager
def drawing_ahead(
    batches: Batches, *, depth: int = 1, first: int = 0, stride: int = 1
) -> Iterator[DrawAhead]:
    """Keep the threads while the block runs; unfinished batches are finished and thrown away."""
    with ThreadPoolExecutor(depth, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield DrawAhead(batches, pool, depth=depth, first=first, stride=stride)
