"""Staging ahead of the search: the next slide comes while one is searched."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Self

from mitoscope.remote.location import Location
from mitoscope.remote.staging import Held, Report, Staging


class Ahead:
    """Stages slides in their order: the next ones while those before are searched.

    Parameters
    ----------
    staging : Staging
        Where they are staged.
    locations : sequence of Location or None
        The slides in the order in which they will be taken; None for those on this machine.
    depth : int
        So many are staged ahead of the last one taken.
    report : callable, optional
        Called with the address, the bytes that are there and all of them, from the thread that stages.
    """

    def __init__(
        self,
        staging: Staging,
        locations: Sequence[Location | None],
        *,
        depth: int = 1,
        report: Callable[[Location, int, int], None] | None = None,
    ) -> None:
        self._staging, self._depth, self._report = staging, depth, report
        self._remote = {index: one for index, one in enumerate(locations) if one is not None}
        self._stop = threading.Event()
        self._pool = ThreadPoolExecutor(1, thread_name_prefix="staging")
        self._begun: dict[int, Future[Held]] = {}
        self._taken: set[int] = set()
        self._lock = threading.Lock()

    def take(self, index: int) -> Held:
        """Return a slide, which the caller gives back; staging of the next ones goes on.

        Raises
        ------
        MitoscopeError
            As `Staging.hold`: what kept this slide from being staged; the others are as they are.
        """
        with self._lock:
            self._taken.add(index)
            later = [place for place in self._remote if place > index and place not in self._taken]
            for place in (index, *later[: self._depth]):
                if place not in self._begun:
                    self._begun[place] = self._pool.submit(self._hold, self._remote[place])
            future = self._begun.pop(index)
        return future.result()

    def skip(self, index: int) -> None:
        """Give a slide back that was staged ahead, or do not stage it: it will not be taken."""
        with self._lock:
            self._taken.add(index)
            future = self._begun.pop(index, None)
        if future is not None and not future.cancel():
            future.add_done_callback(_give_back)

    def _hold(self, location: Location) -> Held:
        report = self._report
        told: Report | None = None if report is None else (lambda done, total: report(location, done, total))
        return self._staging.hold(location, report=told, stop=self._stop)

    def close(self) -> None:
        """End what is being staged and give back what was not taken."""
        self._stop.set()
        for future in self._begun.values():
            if not future.cancel():
                future.add_done_callback(_give_back)
        self._begun.clear()
        self._pool.shutdown()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def _give_back(future: Future[Held]) -> None:
    if future.exception() is None:
        future.result().close()
