"""``mitoscope data``: public data sets, what they are, getting them and checking a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="List, get and check public data sets.", no_args_is_help=True, rich_markup_mode=None)

_Name = Annotated[str, typer.Argument(metavar="DATASET", help="Name of a data set; data list shows them.")]
_Json = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
_Data = Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the data set.")]


@app.command("list")
def show_all(
    name: Annotated[
        str | None, typer.Argument(metavar="[DATASET]", help="One data set with all that is known of it.")
    ] = None,
    as_json: _Json = False,
) -> None:
    """Show what the data sets are, how large, under what licence, and how they are had."""
    from mitoscope.cli.data_text import describe, print_overview
    from mitoscope.cli.tables import print_json, say
    from mitoscope.experiments.datasets import datasets, find_dataset

    if name is not None:
        one = find_dataset(name)
        say(one.model_dump(mode="json"), describe(one), as_json)
    elif as_json:
        print_json({"datasets": [one.model_dump(mode="json") for one in datasets()]})
    else:
        print_overview(datasets())


@app.command()
def get(
    name: _Name,
    data: _Data,
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
        bool, typer.Option("--checksums/--no-checksums", help="Ask for published sizes and checksums first.")
    ] = True,
    tries: Annotated[
        int, typer.Option("--tries", min=1, help="Give up after so many tries without a new byte.")
    ] = 7,
) -> None:
    """Download a data set; the same command goes on where it was stopped."""
    from mitoscope.cli.data_text import licence_text, outcome_text
    from mitoscope.cli.progress import progress
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
    typer.echo(outcome_text(dataset, got, data))
    if got.rejected:
        raise typer.Exit(1)


@app.command()
def check(
    name: _Name,
    data: _Data,
    opening: Annotated[
        bool, typer.Option("--open/--no-open", help="Open every image and file of annotations.")
    ] = True,
    checksums: Annotated[
        bool, typer.Option("--checksums", help="Read every byte of files whose checksum is known.")
    ] = False,
    as_json: _Json = False,
) -> None:
    """Say what a folder lacks of a data set, what is too much, twice, unreadable or changed."""
    from mitoscope.cli.data_text import survey_json, survey_text
    from mitoscope.cli.progress import progress
    from mitoscope.cli.tables import say
    from mitoscope.experiments.datasets import check_dataset, find_dataset

    dataset = find_dataset(name)
    with progress(f"opening files of {dataset.name}", unit="files", decimals=0) as report:
        survey = check_dataset(dataset, data, opening=opening, checksums=checksums, report=report)
    say(survey_json(survey), survey_text(survey), as_json)
    if not survey.is_sound:
        raise typer.Exit(1)
