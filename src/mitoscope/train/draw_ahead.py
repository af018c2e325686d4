"""Drawing the next batch on another thread while the network works on this one."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager

import torch

from mitoscope.data.batches import Batch, Batches
from mitoscope.data.sampling import HardPool


class DrawAhead:
    """Draws one batch ahead; what is drawn does not depend on it.

    One thread for the network and one for the batches use two cores without waiting for each other at every
    operation; two threads inside an operation lose much of their time as soon as another process runs.

    Parameters
    ----------
    batches : Batches
    pool : ThreadPoolExecutor
        Of one thread.
    """

    def __init__(self, batches: Batches, pool: ThreadPoolExecutor) -> None:
        self._batches, self._pool = batches, pool
        self._waiting: tuple[int, HardPool, Future[Batch]] | None = None

    def take(self, step: int, hard: HardPool) -> Batch:
        """Return the batch of a step and begin with the next one."""
        waiting, self._waiting = self._waiting, None
        # After a round of mining the batch that waits was drawn from the old hard negatives.
        known = waiting is not None and waiting[0] == step and waiting[1] is hard
        batch = waiting[2].result() if waiting and known else self._batches.draw(step, hard)
        self._waiting = (step + 1, hard, self._pool.submit(self._batches.draw, step + 1, hard))
        return batch


@contextmanager
def drawing_ahead(batches: Batches) -> Iterator[DrawAhead]:
    """Keep the thread while the block runs; an unfinished batch is finished and thrown away."""
    with ThreadPoolExecutor(1, initializer=torch.set_num_threads, initargs=(1,)) as pool:
        yield DrawAhead(batches, pool)
