"""``mitoscope data``: public data sets, what they are, getting them and checking a folder."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.options import DataOption, JsonOption
from mitoscope.cli.terminal import grouped, picked, print_json, print_table, say
from mitoscope.progress import progress
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.experiments.datasets import Dataset, DatasetSurvey, Delivered
    from mitoscope.experiments.datasets.match import Match


app = typer.Typer(help="List, fetch and check public data sets.", rich_markup_mode=None)

_Name = Annotated[str, typer.Argument(metavar="DATASET", help="Name of a data set; data list shows them.")]
_LABEL = 12
_WIDTH = 100
_SHOWN = 20
"""Files named that are no part of a data set."""
_UNKNOWN = "not published"
_HOW = {"download": "get", "page": "by hand", "registration": "register"}


@app.command("list")
def show_all(
    name: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="Show the details of this data set.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the data sets with size and licence, and how to obtain them."""
    from mitoscope.experiments.datasets import datasets, find_dataset

    if name is not None:
        chosen = find_dataset(name)
        say(chosen.model_dump(mode="json"), describe(chosen), as_json)
    elif as_json:
        print_json({"datasets": [dataset.model_dump(mode="json") for dataset in datasets()]})
    else:
        print_overview(datasets())


@app.command()
def get(
    name: _Name,
    data: DataOption,
    accept_licence: Annotated[
        bool, typer.Option("--accept-licence", help="Accept the licence, which is shown first.")
    ] = False,
    only: Annotated[
        str | None,
        typer.Option("--only", metavar="PATTERN", help="Fetch the files of these names, e.g. '00*.tiff'."),
    ] = None,
    url_base: Annotated[
        str | None,
        typer.Option("--url-base", metavar="URL", help="Mirror in place of the server; paths stay."),
    ] = None,
    checksums: Annotated[
        bool, typer.Option("--checksums/--no-checksums", help="Get published sizes and checksums first.")
    ] = True,
    tries: Annotated[
        int, typer.Option("--tries", min=1, help="Give up after this many tries without a new byte.")
    ] = 7,
    as_json: JsonOption = False,
) -> None:
    """Download a data set; the same command continues a stopped download."""
    from mitoscope.experiments.datasets import (
        Gauge,
        Patience,
        check_accepted,
        find_dataset,
        get_dataset,
        orders,
        published,
    )

    dataset, patience = find_dataset(name), Patience(tries=tries)
    wanted = orders(dataset, only=only, url_base=url_base)
    typer.echo(licence_text(dataset), err=True)
    check_accepted(dataset, accept_licence)
    if checksums and dataset.zenodo is not None:
        listing = published(dataset.zenodo, url_base=url_base, patience=patience)
        wanted = orders(dataset, only=only, url_base=url_base, listing=listing)
    unit = Gauge(wanted, lambda *_: None).unit
    with progress(dataset.name, unit=unit, decimals=2) as report:
        got = get_dataset(
            dataset,
            data,
            wanted,
            accepted=accept_licence,
            patience=patience,
            report=report,
            tell=lambda line: typer.echo(line, err=True),
        )
    values = {"dataset": dataset.name, "data": str(data), "unpacked": got.unpacked}
    values |= {name: len(getattr(got, name)) for name in ("received", "present", "rejected")}
    say(values, outcome_text(dataset, got, data), as_json)
    if got.rejected:
        raise typer.Exit(1)


@app.command()
def check(
    name: _Name,
    data: DataOption,
    opening: Annotated[
        bool, typer.Option("--open/--no-open", help="Open every image and file of annotations.")
    ] = True,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Read every byte of files whose checksum is known.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Check a folder for missing, unexpected, duplicate, unreadable or modified files."""
    from mitoscope.experiments.datasets import check_dataset, find_dataset

    dataset = find_dataset(name)
    with progress(f"opening files of {dataset.name}", unit="files") as report:
        survey = check_dataset(dataset, data, opening=opening, checksums=checksums, report=report)
    say(survey_json(survey), survey_text(survey), as_json)
    if not survey.is_sound:
        raise typer.Exit(1)


def print_overview(known: Sequence[Dataset]) -> None:
    """Print one row a data set."""
    print_table(
        "Public data sets (mitoscope data list DATASET tells more)",
        ("name", "what", "cases", "figures", "GB", "licence", "how"),
        [
            (
                dataset.name,
                dataset.contents.brief,
                _known(dataset.contents.cases),
                _known(dataset.contents.mitotic_figures),
                _known(None if dataset.size_gb is None else round(dataset.size_gb)),
                dataset.licence.name,
                _HOW[dataset.access],
            )
            for dataset in known
        ],
    )


def _known(count: int | None) -> float:
    return math.nan if count is None else count


def describe(dataset: Dataset) -> str:
    """Return all that is known of a data set."""
    contents = dataset.contents
    checked = "sizes and MD5 by Zenodo" if dataset.zenodo is not None else _UNKNOWN
    counts = [
        f"{_UNKNOWN if count is None else grouped(count)} {what}"
        for count, what in (
            (contents.cases, "cases"),
            (contents.images, "images"),
            (contents.mitotic_figures, "mitotic figures"),
            (contents.look_alikes, "look-alikes"),
        )
    ]
    rows = [
        ("tumours", f"{', '.join(contents.tumours)} ({', '.join(contents.species)})"),
        *(("holds" if not place else "", line) for place, line in enumerate(counts)),
        ("size", _UNKNOWN if dataset.size_gb is None else f"about {dataset.size_gb:g} GB"),
        ("checksums", checked),
        *_licence_rows(dataset),
        ("where", dataset.page),
        ("how", dataset.how or f"mitoscope data get {dataset.name} --data DIR"),
        *(("files" if not place else "", line) for place, line in enumerate(_layout(dataset))),
        ("cite", dataset.citation + (f", https://doi.org/{dataset.doi}" if dataset.doi else "")),
        *(("note", line) for line in dataset.notes),
    ]
    return "\n".join([f"{dataset.name}: {dataset.title}", *_wrapped("", dataset.summary), *_lines(rows)])


def licence_text(dataset: Dataset) -> str:
    """Return what has to be known before the first byte."""
    size = f", about {dataset.size_gb:g} GB" if dataset.size_gb is not None else ""
    rows = [*_licence_rows(dataset), ("where", dataset.page)]
    return "\n".join([f"{dataset.name}: {dataset.title}{size}", *_lines(rows)])


def _licence_rows(dataset: Dataset) -> list[tuple[str, str]]:
    licence = dataset.licence
    address = f", {licence.url}" if licence.url else ""
    rows = [("licence", f"{licence.name} ({licence.stated_in}){address}")]
    rows += [("forbids", condition) for condition in licence.forbids or ("nothing beyond what it asks",)]
    return [*rows, *(("asks", condition) for condition in licence.asks)]


def _layout(dataset: Dataset) -> list[str]:
    from mitoscope.experiments.datasets.match import file_names

    lines = []
    for key, file in dataset.files.items():
        names = file_names(dataset, key)
        told = names[0] if len(names) == 1 else f"{names[0]} … {names[-1]}, {len(names)} {file.what}"
        lines.append(f"{file.folder}/{told}" if file.folder else told)
    for group in dataset.counted.values():
        units = group.all_units()
        path = group.glob.replace("{unit}", f"{units[0]}…{units[-1]}" if units else "")
        count = "" if group.count is None else f"{grouped(group.count)} "
        lines.append(f"{path}, {count}{group.what}")
    return lines


def outcome_text(dataset: Dataset, got: Delivered, data: Path) -> str:
    """Return what became of a download."""
    parts = [f"{say_number(len(got.received), 'file')} fetched", f"{len(got.present)} were there"]
    parts += [f"{got.unpacked} unpacked"] if got.unpacked else []
    parts += [f"{len(got.rejected)} did not come"] if got.rejected else []
    return f"{dataset.name}: {', '.join(parts)}; mitoscope data check {dataset.name} --data {data}"


def survey_json(survey: DatasetSurvey) -> dict[str, Any]:
    """Return the outcome of a check."""
    return {
        "dataset": survey.dataset.name,
        "data": str(survey.root),
        "home": str(survey.home),
        "sound": survey.is_sound,
        "groups": {match.key: _group_json(match) for match in survey.matches},
        "layout": list(survey.layout),
        "duplicates": {name: [str(file.path) for file in files] for name, files in survey.duplicates.items()},
        "unfinished": [str(path) for path in survey.unfinished],
        "unreadable": {str(fault.path): fault.why for fault in survey.unreadable},
        "wrong": {str(fault.path): fault.why for fault in survey.wrong},
        "extra": [str(path) for path in survey.extra],
        "looks_like": survey.looks_like,
    }


def _group_json(match: Match) -> dict[str, Any]:
    return {
        **picked(match, "what", "missing"),
        "needed": not match.optional,
        "complete": match.is_complete,
        "expected": match.count,
        "found": len(match.found),
        "in_table": None if match.table is None else str(match.table.path),
    }


def survey_text(survey: DatasetSurvey) -> str:
    """Return the outcome of a check in words; what is missing is named to the last file."""
    name = survey.dataset.name
    verdict = "complete" if survey.is_sound else "not complete or not sound"
    rows = [("found", _found(match)) for match in survey.matches]
    if survey.looks_like is not None:
        rows.append(("layout", f"nothing of {name} is here; this looks like {survey.looks_like}"))
    rows += [("layout", line) for line in survey.layout]
    rows += [("missing", _missing(match)) for match in survey.matches if not match.is_complete]
    rows += [
        ("twice", f"{twice}: {', '.join(str(file.path) for file in files)}")
        for twice, files in survey.duplicates.items()
    ]
    rows += [("unfinished", f"{path}: repeat mitoscope data get") for path in survey.unfinished]
    rows += [("unreadable", f"{fault.path} {fault.why}") for fault in survey.unreadable]
    rows += [("wrong", f"{fault.path} {fault.why}") for fault in survey.wrong]
    if survey.extra:
        rows.append(("extra", _some(list(map(str, survey.extra)))))
    return "\n".join([f"{name} in {survey.root}: {verdict}", *_lines(rows)])


def _some(paths: list[str]) -> str:
    more = len(paths) - _SHOWN
    rest = f" and {grouped(more)} more (--json names all)" if more > 0 else ""
    return ", ".join(paths[:_SHOWN]) + rest


def _found(match: Match) -> str:
    if match.table is not None:
        return f"{match.what} of all images in {match.table.path}"
    of = "" if match.count is None else f" of {grouped(match.count)}"
    return f"{grouped(len(match.found))}{of} {match.what}"


def _missing(match: Match) -> str:
    from mitoscope.experiments.datasets.record import in_runs

    needed = " (not needed)" if match.optional else ""
    names = ", ".join(in_runs(match.missing, match.expected))
    if not names:
        return f"{match.what}{needed}: {grouped(match.lacking)} fewer than published"
    if len(match.missing) == len(match.expected) > 1:
        names = f"all {len(match.expected)}, {names}"
    return f"{match.what}{needed}: {names}"


def _lines(rows: Iterable[tuple[str, str]]) -> list[str]:
    return [line for label, text in rows for line in _wrapped(label, text)]


def _wrapped(label: str, text: str) -> list[str]:
    indent = " " * (_LABEL + 2)
    first = f"  {label:<{_LABEL}}"
    return textwrap.wrap(
        text,
        min(_WIDTH, _columns()),
        initial_indent=first,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    ) or [first]


def _columns() -> int:
    import shutil
    import sys

    return shutil.get_terminal_size().columns if sys.stdout.isatty() else _WIDTH
