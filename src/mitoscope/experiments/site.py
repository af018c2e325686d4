"""A static site of finished experiments: an overview, and a page each with table, figure and provenance."""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined, select_autoescape

from mitoscope import __version__
from mitoscope.errors import OutputError
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.run import OUTCOME, ExperimentOutcome, read_outcome
from mitoscope.fsio import atomic_write, make_directory

_STYLE: Final = "site.css.j2"
FIGURES: Final = ("figure.svg", "figure.png")
TABLES: Final = ("table.md", "table.csv", "table.json")


def find_finished(out: Path) -> tuple[ExperimentOutcome, ...]:
    """Return all finished experiments of a folder of results, by paper and name.

    Raises
    ------
    OutputError
        If there is none.
    FormatError, LedgerMismatchError
        If one is damaged or of another format.
    """
    found = [read_outcome(path.parent) for path in sorted(out.glob(f"*/*/{OUTCOME}"))]
    if not found:
        raise OutputError(
            "no finished experiment there", where=out, mend="mitoscope experiment run NAME --out DIR first"
        )
    sizes = [size.value for size in Size]
    return tuple(sorted(found, key=lambda one: (one.paper, one.name, sizes.index(one.size))))


def write_site(finished: Iterable[ExperimentOutcome], html: Path) -> Path:
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
