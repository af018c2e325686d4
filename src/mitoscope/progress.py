"""The progress of long jobs: a bar on a terminal and in a notebook, plain lines everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from rich.progress import Progress

PLAIN_INTERVAL_S = 10.0
"""Seconds between two plain lines."""
NOTEBOOK_INTERVAL_S = 0.25
"""Seconds between two states of a bar in a notebook."""


class ProgressReport(Protocol):
    """What a job calls with the amount done and the total amount, in the unit of the bar."""

    def __call__(self, done: float, total: float) -> None:
        """Report."""


class _Shown:
    """Whether this process shows progress at all."""

    wanted = True


def show(wanted: bool) -> None:
    """Show the progress of this process's jobs from now on, or do not."""
    _Shown.wanted = wanted


def is_shown() -> bool:
    """Whether progress is shown."""
    return _Shown.wanted


def _silent(done: float, total: float) -> None:
    pass


@contextmanager
def progress(title: str, *, unit: str, decimals: int = 0, verb: str = "") -> Iterator[ProgressReport]:
    """Show the progress of one job on standard error while the block runs: ``searched 1.2 of 3.4 mm²``."""
    form = f"{verb} {{done:.{decimals}f}} of {{total:.{decimals}f}} {unit}".lstrip()
    if not is_shown():
        yield _silent
    elif in_notebook():
        yield _NotebookBar(title, form)
    elif sys.stderr.isatty():
        with _live(title, form) as report:
            yield report
    else:
        yield _PlainLines(title, form)


def in_notebook() -> bool:
    """Whether this process is the kernel of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return shell is not None and hasattr(shell, "kernel")


def _bar(form: str, **settings: Any) -> Progress:
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(form.replace("{done:", "{task.completed:").replace("{total:", "{task.total:")),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    return Progress(*columns, **settings)


@contextmanager
def _live(title: str, form: str) -> Iterator[ProgressReport]:
    from rich.console import Console

    with _bar(form, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0, start=True)

        def report(done: float, total: float) -> None:
            bar.update(task, completed=done, total=total)

        yield report


class _NotebookBar:
    """The bar of Rich as the output of a cell, which stays when the notebook is kept as a page.

    Rich's own live display in a notebook is a widget: it needs a further package, and is lost on a page.
    """

    def __init__(self, title: str, form: str) -> None:
        self._bar = _bar(form, auto_refresh=False)
        self._task = self._bar.add_task(title, total=1.0, start=True)
        self._shown = -NOTEBOOK_INTERVAL_S
        self._handle: Any = None

    def __call__(self, done: float, total: float) -> None:
        self._bar.update(self._task, completed=done, total=total)
        now = time.monotonic()
        if now - self._shown < NOTEBOOK_INTERVAL_S and done < total:
            return
        self._shown = now
        if self._handle is None:
            display: Any = import_module("IPython.display").display
            self._handle = display(self._bar, display_id=True)
        else:
            self._handle.update(self._bar)


class _PlainLines:
    def __init__(self, title: str, form: str) -> None:
        self._title, self._form = title, form
        self._started = time.monotonic()
        self._spoken = self._started
        self._first: float | None = None

    def __call__(self, done: float, total: float) -> None:
        now = time.monotonic()
        if self._first is None:
            self._first = done  # a resumed run starts above zero; its speed counts from there
        if now - self._spoken < PLAIN_INTERVAL_S and done < total:
            return
        self._spoken = now
        left = ""
        if self._first < done < total:
            seconds = (now - self._started) / (done - self._first) * (total - done)
            left = f", about {duration(seconds)} left"
        amount = self._form.format(done=done, total=total)
        print(f"{self._title}: {amount}{left}", file=sys.stderr, flush=True)


def duration(seconds: float) -> str:
    """Return seconds as hours and minutes, minutes and seconds, or seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"
