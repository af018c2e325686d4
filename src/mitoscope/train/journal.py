"""The journal of a run: metrics as JSON lines, as a table and for TensorBoard; progress on a terminal."""

from __future__ import annotations

import csv
import io
import json
import math
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

from mitoscope.errors import OutputError
from mitoscope.fsio import atomic_write
from mitoscope.written import claim

METRICS_NAME: Final = "metrics.jsonl"
TABLE_NAME: Final = "metrics.csv"
BOARD_NAME: Final = "tensorboard"

Value = float | int | str | None
_PLAIN_EVERY_S: Final = 15.0


class ScalarWriter(Protocol):
    """What draws scalars: the writer of TensorBoard."""

    def add_scalar(self, tag: str, value: float, step: int) -> None:
        """Add one value."""


class Journal:
    """Metrics of a run.

    Parameters
    ----------
    folder : Path
        Of the run.
    board : ScalarWriter, optional
        Where scalars go as well.
    """

    def __init__(self, folder: Path, board: ScalarWriter | None = None) -> None:
        self._folder, self._board = folder, board

    def record(self, step: int, values: Mapping[str, Value]) -> None:
        """Append the metrics of a step; values that are not finite become null.

        Raises
        ------
        OutputError
            If they cannot be written.
        """
        line = {"step": step} | {name: _finite(value) for name, value in values.items()}
        path = claim(self._folder / METRICS_NAME)
        try:
            with path.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(line) + "\n")
        except OSError as error:
            raise OutputError(f"cannot be written ({error.strerror})", where=path) from None
        write_table(self._folder)
        if self._board is not None:
            for name, value in line.items():
                if name != "step" and isinstance(value, int | float):
                    self._board.add_scalar(name, float(value), step)


def _finite(value: Value) -> Value:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def read_metrics(folder: Path) -> list[dict[str, Value]]:
    """Return the metrics so far; a line that was cut off when the run was killed is left out."""
    try:
        lines = (folder / METRICS_NAME).read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return []
    rows = []
    for line in lines:
        try:
            rows.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return rows


def forget_after(folder: Path, step: int) -> None:
    """Drop the metrics beyond the step from which a run goes on, so that no step is told twice."""
    rows = [row for row in read_metrics(folder) if int(row["step"] or 0) <= step]
    with atomic_write(claim(folder / METRICS_NAME)) as stream:
        stream.write("".join(json.dumps(row) + "\n" for row in rows).encode())
    write_table(folder)


def write_table(folder: Path) -> None:
    """Write all metrics so far as one CSV table, a column for every name that occurs."""
    rows = read_metrics(folder)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    with atomic_write(claim(folder / TABLE_NAME)) as stream:
        stream.write(text.getvalue().encode())


@contextmanager
def journal(folder: Path, *, step: int, tensorboard: bool, shown: bool = True) -> Iterator[Journal]:
    """Open the journal of a run at a step; a process that does not lead leaves the files alone."""
    if not shown:
        yield Journal(folder)
        return
    forget_after(folder, step)
    if not tensorboard:
        yield Journal(folder)
        return
    from tensorboardX import SummaryWriter

    with SummaryWriter(str(folder / BOARD_NAME), purge_step=step + 1) as board:
        yield Journal(folder, board)


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)


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
