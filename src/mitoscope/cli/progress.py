"""A long job on the terminal: a live bar, or plain lines, with the time left; and its result in a line."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

PLAIN_INTERVAL_S = 10.0
"""Seconds between two plain lines."""


class ProgressReport(Protocol):
    """What a job calls with the amount done and the total amount, in the unit of the bar."""

    def __call__(self, done: float, total: float) -> None:
        """Report."""


@contextmanager
def progress(title: str, *, unit: str, decimals: int = 1, verb: str = "") -> Iterator[ProgressReport]:
    """Show the progress of one job on standard error while the block runs.

    Parameters
    ----------
    title : str
        What is being done.
    unit : str
        Unit of the amounts, for example ``mm²``.
    decimals : int
        Of the amounts; 0 where they are counts.
    verb : str
        Before the amounts, for example ``searched``.
    """
    form = f"{verb} {{done:.{decimals}f}} of {{total:.{decimals}f}} {unit}".lstrip()
    if sys.stderr.isatty():
        with _live(title, form) as report:
            yield report
    else:
        yield _PlainLines(title, form)


@contextmanager
def _live(title: str, form: str) -> Iterator[ProgressReport]:
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        TextColumn(form.replace("{done:", "{task.completed:").replace("{total:", "{task.total:")),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=1.0, start=True)

        def report(done: float, total: float) -> None:
            bar.update(task, completed=done, total=total)

        yield report


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
            left = f", about {_duration(seconds)} left"
        amount = self._form.format(done=done, total=total)
        print(f"{self._title}: {amount}{left}", file=sys.stderr, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s" if minutes else f"{rest} s"


def summarise(manifest: dict[str, Any]) -> str:
    """Return the result of one slide in one line."""
    search, count = manifest["search"], manifest["mitotic_count"]
    figures = search["mitotic_figures"]
    line = (
        f"{manifest['slide']['name']}: {figures} mitotic figure{'' if figures == 1 else 's'}"
        f" in {search['tissue_mm2']:.2f} mm² of tissue"
    )
    if count["refused"] is not None:
        line += f"; {count['refused']}"
    elif count["count"] is not None:
        line += f"; mitotic count {count['count']} in {count['area_mm2']:.2f} mm²"
        line += "" if count["fits"] else f", of which {count['covered_mm2']:.2f} mm² are tissue"
    if search["gaps_px0"]:
        line += f"; {search['gap_mm2']:.3g} mm² could not be read"
    if search["stage"] == "verified":
        spent = manifest["timings"]
        line += f"; searched in {spent['wall_s']:.1f} s, verified in {spent['verify_wall_s']:.1f} s"
    return line
