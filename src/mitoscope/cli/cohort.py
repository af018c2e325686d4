"""``mitoscope cohort``: the table and the page of all slides of a folder of results."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import JsonOption
from mitoscope.cli.terminal import print_json
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.report import CohortRow


def cohort(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="The --out folder of detect.")],
    slides_from: Annotated[
        Path | None,
        typer.Option(
            "--slides-from",
            metavar="LIST.csv",
            help="The slides of this list, in its order, with its columns; by default all with results.",
        ),
    ] = None,
    title: Annotated[
        str, typer.Option("--title", help="Title of the cohort; default: the name of the folder.")
    ] = "",
    as_json: JsonOption = False,
) -> None:
    """Rewrite cohort.csv and cohort.html from all slides of a folder of results, of one or many runs.

    detect already writes both for its own slides.
    """
    from mitoscope.infer import place_results, read_slide_list, refuse_same_names
    from mitoscope.report import collect_rows

    listed = () if slides_from is None else read_slide_list(slides_from)
    refuse_same_names(place_results(listed))
    rows = collect_rows(folder, listed)
    written = write_cohort(rows, folder, title=title, quiet=as_json)
    if as_json:
        print_json({"slides": len(rows), "files": [str(path) for path in written]})


def write_cohort(
    rows: Sequence[CohortRow], folder: Path, *, pages: bool = True, title: str = "", quiet: bool = False
) -> list[Path]:
    """Write what shows all slides together, say where it is unless `quiet`, and return the files."""
    from mitoscope.report import write_cohort_pages, write_cohort_table

    written = write_cohort_table(rows, folder)
    written += write_cohort_pages(rows, folder, title=title) if pages else []
    size = sum(path.stat().st_size for path in written)
    names = ", ".join(path.name for path in written)
    if not quiet:
        typer.echo(f"{folder}: {say_number(len(rows), 'slide')} in {names} ({size / 1e6:.1f} MB)")
    return written
