"""A static site of finished experiments: an overview, and a page each with table, figure and provenance."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mitoscope import __version__
from mitoscope.errors import OutputError
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.record_file import ComputationRecord
from mitoscope.experiments.run import OUTCOME, read_outcome
from mitoscope.experiments.table import ResultTable
from mitoscope.fsio import atomic_write, make_directory

_STYLE: Final = "site.css.j2"
FIGURES: Final = ("figure.svg", "figure.png")
TABLES: Final = ("table.md", "table.csv", "table.json")


@dataclass(frozen=True, slots=True)
class FinishedExperiment:
    """A finished experiment as a page shows it."""

    folder: Path
    name: str
    paper: str
    shows: str
    size: str
    has_figure: bool
    table: ResultTable
    records: tuple[ComputationRecord, ...]

    @property
    def page(self) -> str:
        """Name of its folder in the site."""
        return f"{self.name}-{self.size}"

    @property
    def seconds(self) -> float:
        """Time that its cells took."""
        return sum(record.seconds for record in self.records)

    @property
    def finished(self) -> str:
        """When the last cell was finished."""
        return max((record.finished for record in self.records), default="")

    @property
    def versions(self) -> str:
        """Of mitoscope."""
        return ", ".join(sorted({record.mitoscope for record in self.records}))

    @property
    def compared(self) -> int:
        """Figures that stand beside a published one."""
        return sum(entry.difference is not None for row in self.table.rows for entry in row.entries)

    @property
    def largest_difference(self) -> float | None:
        """The greatest difference from a published figure; None of a smoke run, where it says nothing."""
        if self.size == Size.SMOKE:
            return None
        differences = [entry.difference for row in self.table.rows for entry in row.entries]
        return max((abs(difference) for difference in differences if difference is not None), default=None)


def find_finished(out: Path) -> tuple[FinishedExperiment, ...]:
    """Return all finished experiments of a folder of results, by paper and name.

    Raises
    ------
    OutputError
        If there is none.
    FormatError, LedgerMismatchError
        If one is damaged or of another format.
    """
    found = [_finished(path.parent) for path in sorted(out.glob(f"*/*/{OUTCOME}"))]
    if not found:
        raise OutputError(
            "no finished experiment there", where=out, mend="mitoscope experiment run NAME --out DIR first"
        )
    sizes = [size.value for size in Size]
    return tuple(
        sorted(
            found, key=lambda experiment: (experiment.paper, experiment.name, sizes.index(experiment.size))
        )
    )


def write_site(finished: Iterable[FinishedExperiment], html: Path) -> Path:
    """Write the site and return its first page.

    Raises
    ------
    OutputError
        If a file cannot be written.
    """
    finished = tuple(finished)
    make_directory(html)
    for experiment in finished:
        folder = make_directory(html / experiment.page)
        for name in (*TABLES, *(FIGURES if experiment.has_figure else ())):
            shutil.copyfile(experiment.folder / name, folder / name)
        _write(folder / "index.html", "experiment.html.j2", experiment=experiment)
    _write(html / "index.html", "overview.html.j2", finished=finished)
    return html / "index.html"


def _finished(folder: Path) -> FinishedExperiment:
    values, outcome = read_outcome(folder)
    return FinishedExperiment(
        folder,
        str(values["name"]),
        str(values["paper"]),
        str(values["shows"]),
        str(values["size"]),
        bool(values["figure"]),
        outcome.table,
        tuple(outcome.records.values()),
    )


def _write(path: Path, template: str, **values: object) -> None:
    templates = _templates()
    style = templates.get_template(_STYLE).render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode("ascii")
    # Only this style sheet applies and only pictures beside the page load: no scripts, requests, forms.
    policy = (
        f"default-src 'none'; img-src 'self'; style-src 'sha256-{digest}'; "
        "base-uri 'none'; form-action 'none'"
    )
    text = templates.get_template(template).render(
        style=style, policy=policy, version=__version__, duration=duration, **values
    )
    with atomic_write(path) as stream:
        stream.write(text.encode())


def duration(seconds: float) -> str:
    """Return a time in words."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if hours else f"{minutes} min {rest} s"


@cache
def _templates() -> Environment:
    return Environment(
        loader=PackageLoader("mitoscope.experiments"),
        autoescape=select_autoescape(default=True, disabled_extensions=("css.j2",)),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
