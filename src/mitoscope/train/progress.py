"""Progress of a run: a live bar on a terminal, plain lines elsewhere; both with the time left."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mitoscope.train.journal import say

_PLAIN_EVERY_S: Final = 15.0


class Report(Protocol):
    """What the loop calls after every step."""

    def __call__(self, done: int, note: str) -> None:
        """Report the number of steps done, and a short note."""


@contextmanager
def progress(total: int, *, start: int, shown: bool = True) -> Iterator[Report]:
    """Show the steps while the block runs; nothing where it is not to be shown."""
    if not shown:
        yield lambda _done, _note: None
    elif not sys.stderr.isatty():
        yield _Plain(total, start)
    else:
        with _live(total, start) as report:
            yield report


@contextmanager
def _live(total: int, start: int) -> Iterator[Report]:
    columns = (
        TextColumn("training"),
        BarColumn(),
        TextColumn("step {task.completed} of {task.total}, {task.fields[note]}", markup=False),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("training", total=total, completed=start, note="")

        def report(done: int, note: str) -> None:
            bar.update(task, completed=done, note=note)

        yield report


class _Plain:
    def __init__(self, total: int, start: int) -> None:
        self._total, self._first = total, start
        self._began = self._spoken = time.monotonic()

    def __call__(self, done: int, note: str) -> None:
        now = time.monotonic()
        if now - self._spoken < _PLAIN_EVERY_S and done < self._total:
            return
        self._spoken = now
        left = (now - self._began) / max(done - self._first, 1) * (self._total - done)
        say(f"step {done} of {self._total}, {note}, about {left / 60:.0f} min left")
