"""The journal of a run: metrics as JSON lines, and progress with the time left."""

from __future__ import annotations

import json
import math
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mitoscope.errors import OutputError

METRICS_NAME: Final = "metrics.jsonl"
_PLAIN_EVERY_S: Final = 15.0


class Report(Protocol):
    """What the loop calls after every step."""

    def __call__(self, done: int, note: str) -> None:
        """Report the number of steps done, and a short note."""


def record(folder: Path, **values: Any) -> None:
    """Append one line to the metrics; values that are not finite become null.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    clean = {k: None if isinstance(v, float) and not math.isfinite(v) else v for k, v in values.items()}
    try:
        with (folder / METRICS_NAME).open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(clean) + "\n")
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=folder / METRICS_NAME) from None


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)


@contextmanager
def progress(total: int, *, start: int) -> Iterator[Report]:
    """Show the steps: a live bar on a terminal, plain lines elsewhere."""
    if not sys.stderr.isatty():
        yield _Plain(total, start)
        return
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
