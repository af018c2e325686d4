"""What appears on the terminal: tables, lines and JSON, the result of a slide.

Names from files are shown, never interpreted.
"""

from __future__ import annotations

import math
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from mitoscope.progress import PLAIN_INTERVAL_S, duration, is_shown
from mitoscope.wording import say_area, say_number

if TYPE_CHECKING:
    from mitoscope.bundle import Bundle
    from mitoscope.errors import MitoscopeError
    from mitoscope.infer import CohortState

PIPED_WIDTH = 160
"""Columns of a table that goes into a file or another program."""


def shown(value: object) -> str:
    """Return a value as text in which nothing can steer the terminal."""
    text = "" if value is None else str(value)
    return "".join(character if character.isprintable() else "\ufffd" for character in text)


def grouped(count: int) -> str:
    """Return a count with separated thousands."""
    return f"{count:,}"


def table_width() -> int:
    """Return the columns that a table may take: those of the terminal, or of a table that is piped."""
    return shutil.get_terminal_size().columns if sys.stdout.isatty() else PIPED_WIDTH


def print_table(
    title: str,
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    total: Sequence[object] | None = None,
) -> None:
    """Print a table; numbers are aligned to the right, thousands separated, the total is below a line."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    cells = [list(row) for row in rows]
    table = Table(
        title=Text(shown(title)), title_justify="left", box=box.SIMPLE_HEAD, show_footer=total is not None
    )
    for place, heading in enumerate(columns):
        numeric = any(isinstance(row[place], int | float) for row in cells)
        footer = Text("" if total is None else _text(total[place]))
        table.add_column(
            Text(heading),
            footer=footer,
            justify="right" if numeric else "left",
            overflow="fold",
            min_width=max(map(len, heading.split()), default=0),  # headings break between words
        )
    for row in cells:
        table.add_row(*(Text(_text(cell)) for cell in row))
    Console(width=table_width(), highlight=False).print(table, crop=False)


def _text(value: object) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return grouped(value)
    if isinstance(value, float):
        return "–" if math.isnan(value) else f"{value:.2f}"
    return shown(value)


def print_json(values: dict[str, Any]) -> None:
    """Print one JSON object; NaN is null."""
    import json

    import typer

    typer.echo(json.dumps(_without_nan(values), indent=2, ensure_ascii=False, allow_nan=False))


def as_json(error: BaseException | None, line: str, status: int, *, kind: str = "") -> dict[str, Any]:
    """Return an error for JSON: its kind, its line, where it is, what to do, the exit status it gives."""
    return {
        "type": kind or type(error).__name__,
        "message": line,
        "where": getattr(error, "where", None),
        "hint": getattr(error, "mend", None),
        "exit_status": status,
    }


def bundle_as_json(bundle: Bundle) -> dict[str, Any]:
    """Return which bundle it is and where it lies, for JSON."""
    return {
        "bundle": bundle.manifest.source,
        "folder": str(bundle.folder),
        "fingerprint": bundle.fingerprint,
    }


def error_as_json(error: MitoscopeError | None) -> dict[str, Any] | None:
    """Return why something failed, for JSON; None where it did not."""
    return None if error is None else as_json(error, str(error), error.exit_status)


def picked(source: object, *names: str) -> dict[str, Any]:
    """Return some attributes by their names, for JSON."""
    return {name: getattr(source, name) for name in names}


def say(values: dict[str, Any], line: str, as_json: bool) -> None:
    """Print values as JSON, or a line for people."""
    import typer

    if as_json:
        print_json(values)
    else:
        typer.echo("\n".join(shown(part) for part in line.split("\n")))


def _without_nan(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return None if isinstance(value, float) and math.isnan(value) else value


@contextmanager
def cohort_progress() -> Iterator[Callable[[CohortState], None]]:
    """Show on standard error how far a cohort is while the block runs; called from any thread."""
    if not is_shown():
        yield lambda _: None
        return
    if not sys.stderr.isatty():
        yield _PlainCohort()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (BarColumn(), TextColumn("{task.description}", markup=False), TimeElapsedColumn())
    # Lines of slides that are through stand above the bar.
    with Progress(*columns, console=Console(stderr=True), redirect_stdout=sys.stdout.isatty()) as bar:
        task = bar.add_task("", total=1.0, start=True)

        def show(state: CohortState) -> None:
            bar.update(task, description=say_cohort(state), completed=state.mm2_done, total=state.mm2 or 1.0)

        yield show


def say_cohort(state: CohortState) -> str:
    """Return how far a cohort is in one line."""
    about = "" if state.slides_done == state.slides else "about "
    line = (
        f"{grouped(state.slides_done)} of {grouped(state.slides)} slides, "
        f"searched {state.mm2_done:,.1f} of {about}{state.mm2:,.1f} mm² of tissue"
    )
    return f"{line}, about {duration(state.left_s)} left" if about and state.left_s is not None else line


class _PlainCohort:
    """A plain line now and then, and one at the end."""

    def __init__(self) -> None:
        self._spoken = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, state: CohortState) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._spoken < PLAIN_INTERVAL_S and state.slides_done < state.slides:
                return
            self._spoken = now
            print(say_cohort(state), file=sys.stderr, flush=True)


def summarise(manifest: dict[str, Any]) -> str:
    """Return the result of one slide in one line."""
    search, count = manifest["search"], manifest["mitotic_count"]
    figures = search["mitotic_figures"]
    line = (
        f"{manifest['slide']['name']}: {say_number(figures, 'mitotic figure')}"
        f" in {say_area(search['tissue_mm2'])} of tissue"
    )
    if search["subtype"] is not None:
        kind = search["subtype"]
        line += f", of these {say_number(kind['figures'], kind['label'])}"
    if count["refused"] is not None:
        line += f"; {count['refused']}"
    elif count["count"] is not None:
        line += f"; mitotic count {count['count']} in {say_area(count['area_mm2'])}"
        line += "" if count["fits"] else f", of which {say_area(count['covered_mm2'])} are tissue"
    if (point := manifest["threshold"].get("point")) is not None:
        line += (
            f"; threshold {point['threshold']:.3f} (point {point['name']}, chosen on {point['chosen_on']})"
        )
    if search["gaps_px0"]:
        line += f"; {say_area(search['gap_mm2'])} could not be read"
    if search["stage"] == "verified":
        spent = manifest["timings"]
        line += f"; searched in {spent['wall_s']:.1f} s, verified in {spent['verify_wall_s']:.1f} s"
    return line
