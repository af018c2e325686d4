"""``mitoscope store``: the annotations of a study, its files in and out, its figures."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.options import (
    BoxesOption,
    DomainsOption,
    JsonOption,
    MppOption,
    OnlySlidesOption,
    StudyArgument,
    as_distance,
    parse_boxes,
    parse_mpp,
    parse_policy,
    parse_roi,
)
from mitoscope.cli.store_figures import agreement, classes, consensus, examined, info
from mitoscope.cli.terminal import picked, print_json, print_table, say, shown
from mitoscope.progress import progress
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.exchange import Incoming
    from mitoscope.store import ImportReport

app = typer.Typer(
    help="Manage annotations, one file per study.",
    rich_markup_mode=None,
)

TILES = "tiles"
"""The format of what was answered to tiles; those of `exchange` hold cells."""
PLACES_SHOWN = 10
"""Quarantined entries whose place is printed; ``--json`` lists them all."""


@app.command()
def create(
    study: StudyArgument,
    name: Annotated[
        str | None, typer.Option("--name", help="Name of the study; default: that of the file.")
    ] = None,
    classes: Annotated[
        str,
        typer.Option(
            "--classes",
            metavar="NAMES",
            help="default, ccmct, ambiguous, atypical or own names.",
        ),
    ] = "default",
    as_json: JsonOption = False,
) -> None:
    """Create an empty study, with mitotic figure, look-alike and further classes."""
    from mitoscope.labels import class_set
    from mitoscope.store import Store

    chosen = class_set(classes)
    with Store.create(study, name=name, labels=chosen) as store:
        created = store.overview()
    done = {"study": str(study), "name": created.name, "uuid": created.uuid, "classes": list(chosen.names)}
    say(done, f"{study} created; classes: {', '.join(chosen.names)}", as_json)


@app.command("import")
def import_(
    study: StudyArgument,
    files: Annotated[
        list[Path], typer.Argument(metavar="FILE...", help="Annotation files, or folders of them.")
    ],
    format_name: Annotated[
        str | None, typer.Option("--format", metavar="F", help="Format; by default recognised by content.")
    ] = None,
    slide: Annotated[
        str | None, typer.Option("--slide", metavar="NAME", help="The slide of a file that names none.")
    ] = None,
    mpp: MppOption = None,
    boxes: BoxesOption = None,
    rater: Annotated[
        str | None,
        typer.Option("--rater", metavar="NAME", help="Rater of a file that names none."),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option("--model", metavar="NAME", help="A rater of the file that is an algorithm."),
    ] = None,
    domains: DomainsOption = None,
    offset: Annotated[
        str | None,
        typer.Option("--offset", metavar="X,Y", help="Corner of the bounds that coordinates count from."),
    ] = None,
    label: Annotated[
        list[str] | None,
        typer.Option("--label", metavar="A=B", help="Class of a name in the file, or ignore; repeatable."),
    ] = None,
    trust_scale: Annotated[
        bool, typer.Option("--trust-scale", help="Accept coordinates that look half-scale as they are.")
    ] = False,
    join_within: Annotated[
        float | None,
        typer.Option(
            "--join-within",
            metavar="UM",
            callback=as_distance,
            help="Merge cells within UM µm of a cell of the study into it: for files of several raters.",
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Read annotation files into a study, each file completely or not at all.

    Values that cannot be read go to quarantine, with their place in the file and the reason.
    """
    from mitoscope.exchange import ReadOptions, read_incoming
    from mitoscope.store import Store

    options = ReadOptions(
        slide=slide,
        mpp=parse_mpp(mpp),
        boxes=parse_boxes(boxes),
        rater=rater,
        models=ReadOptions().models if model is None else frozenset(model),
        domains=domains,
        offset_px0=_corner(offset) if offset else (0.0, 0.0),
    )
    with Store.open(study) as store:
        parts = [
            read_incoming(
                path,
                store,
                format_name=format_name,
                options=options,
                labels=label or (),
                trust_scale=trust_scale,
            )
            for path in files
        ]
        done = []
        for path, part in zip(files, parts, strict=True):
            report = store.import_study(
                part.study, source=part.source, trust_scale=trust_scale, join_within_um=join_within
            )
            done.append(_imported(path, part, report))
    if as_json:
        print_json({"study": str(study), "imported": done})
        return
    columns = ("slides", "cells", "known", "joined", "labels", "regions", "quarantined")
    rows = [[one["file"], one["format"], *(one[name] for name in columns)] for one in done]
    print_table(f"Imported into {study}", ("file", "format", *columns), rows)
    for one in done:
        _print_mapping(one)
        _print_beside(one)
    for note in (note for one in done for note in one["notes"]):
        typer.echo(note)
    _print_quarantine([entry for one in done for entry in one["entries"]])


def _corner(text: str) -> tuple[float, float]:
    import math

    from mitoscope.errors import ConfigError

    try:
        x, y = (float(part) for part in text.split(","))
    except ValueError:
        x = y = math.nan
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ConfigError(f"{text!r} is not 2 numbers joined by commas", mend="write --offset X,Y")
    return x, y


def _imported(path: Path, part: Incoming, report: ImportReport) -> dict[str, Any]:
    study = part.study
    return {
        "file": str(path),
        "format": part.source.format,
        **picked(report, "slides", "cells", "known", "joined", "labels", "regions", "versions"),
        "beside_known": dict(report.beside_known),
        "quarantined": sum(report.quarantined.values()),
        "reasons": dict(report.quarantined),
        "entries": [picked(entry, "where", "why", "slide", "what") for entry in study.quarantine],
        "notes": list(study.notes),
        "label_names": part.label_names,
        "ignored": part.ignored,
    }


def _print_mapping(done: dict[str, Any]) -> None:
    """Say which names were read as classes of another name, and how many cells were left out."""
    from mitoscope.labels import IGNORED

    read_as = [f"{name!r} as {of!r}" for name, of in done["label_names"].items() if of not in (name, IGNORED)]
    ignored = [repr(name) for name, class_name in done["label_names"].items() if class_name == IGNORED]
    said = [f"read {', '.join(read_as)}"] if read_as else []
    said += [f"left out {say_number(done['ignored'], 'cell')} of {', '.join(ignored)}"] if ignored else []
    if said:
        typer.echo(shown(f"{done['file']}: {'; '.join(said)}"))


def _print_beside(done: dict[str, Any]) -> None:
    """Warn of cells that are likely to be in the study twice, as of raters whose files do not share ids."""
    if done["beside_known"]:
        near = " and ".join(
            f"{count} cells lie within {distance}" for distance, count in done["beside_known"].items()
        )
        mend = "they remain separate cells; --join-within 7.5 merges them"
        typer.echo(shown(f"warning: {done['file']}: {near} of existing cells: {mend}"))


def _print_quarantine(entries: list[dict[str, Any]]) -> None:
    if not entries:
        return
    title = f"In quarantine: {len(entries)}" + (
        f", the first {PLACES_SHOWN}" if len(entries) > PLACES_SHOWN else ""
    )
    rows = [[entry["where"], entry["slide"], entry["why"]] for entry in entries[:PLACES_SHOWN]]
    print_table(title, ("place", "slide", "reason"), rows)


@app.command()
def export(
    study: StudyArgument,
    format_name: Annotated[str, typer.Option("--format", metavar="F", help="Name of the format.")],
    out: Annotated[
        Path, typer.Option("--out", metavar="FILE", help="The file, or a folder with one file per slide.")
    ],
    slide: OnlySlidesOption = None,
    mpp: MppOption = None,
    boxes: BoxesOption = None,
    bounds: Annotated[
        str | None, typer.Option("--bounds", metavar="X,Y,W,H", help="Coordinates relative to these bounds.")
    ] = None,
    slide_file: Annotated[
        Path | None, typer.Option("--slide-file", metavar="SLIDE", help="The slide that DICOM refers to.")
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="V", help="A frozen version, e.g. MEL or MEL@2, as it was."),
    ] = None,
    policy: Annotated[
        str | None,
        typer.Option(
            "--policy", metavar="P", help="Policy, in formats with one class per cell; default: settled."
        ),
    ] = None,
    round_name: Annotated[
        str | None,
        typer.Option("--round", metavar="NAME", help="Only this round of tiles; default: all."),
    ] = None,
    slides: Annotated[
        Path | None,
        typer.Option("--slides", metavar="DIR", help="Folder of the slides: writes pictures of the tiles."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Write a study, a version or some of its slides in any format; lists what the format cannot represent.

    The format `tiles` writes the answers of a crowd, or of experts, on tiles: a .csv with one row per
    tile, a .json with the merged boxes and every answer, or, with --slides, a folder of pictures to train
    on.
    """
    from mitoscope.errors import ConfigError
    from mitoscope.exchange import WriteOptions, find_format, write_study
    from mitoscope.store import Store

    if format_name == TILES:
        _export_tiles(study, out, round_name, slides, as_json)
        return
    for where, given in (("--round", round_name), ("--slides", slides)):
        if given is not None:
            raise ConfigError("this option is for tiles only", where=where, mend="add --format tiles")
    known = find_format(format_name)
    options = WriteOptions(
        mpp=parse_mpp(mpp),
        boxes=parse_boxes(boxes),
        bounds=parse_roi(bounds),
        slide_file=slide_file,
        policy=parse_policy(policy or ("settled" if version is None else "recorded")),
    )
    if version is not None and policy is not None:
        raise ConfigError("a version has its own policy", where="--policy", mend="leave --policy out")
    with Store.open(study, write=False) as store:
        part = store.export_study(
            slide, version=version, with_ids=known.holds_ids, keeps_numbers=known.keeps_numbers
        )
        remarks = store.remarks_left_out(record.name for record in part.slides)
    left_out = (*write_study(part, out, known.name, options), *remarks)
    counts = {"slides": len(part.slides), "cells": len(part.cells), "labels": len(part.events)}
    said = ", ".join(say_number(count, what.removesuffix("s")) for what, count in counts.items())
    done = {"study": str(study), "format": known.name, "out": str(out), **counts, "left_out": list(left_out)}
    say(done, "\n".join([f"{out} written: {said}", *left_out]), as_json)


def _export_tiles(study: Path, out: Path, round_name: str | None, slides: Path | None, as_json: bool) -> None:
    from mitoscope.curation.tiles import write_tiles
    from mitoscope.loops.training_tiles import write_training_tiles
    from mitoscope.store import Store

    with Store.open(study, write=False) as store:
        if slides is None:
            tiles = write_tiles(store, out, name=round_name)
        else:
            with progress("Tiles", unit="tiles") as report:
                tiles = write_training_tiles(store, slides, out, name=round_name, progress=report)
    done = {"study": str(study), "format": TILES, "out": str(out), "tiles": tiles}
    say(done, f"{out} written: {say_number(tiles, 'tile')}", as_json)


@app.command()
def backup(
    study: StudyArgument,
    target: Annotated[Path, typer.Argument(metavar="FILE", help="The copy; must not exist.")],
    as_json: JsonOption = False,
) -> None:
    """Copy a study while others write, and check the copy."""
    from mitoscope.store import Store

    with Store.open(study) as store:
        copy = store.backup(target)
    say({"study": str(study), "backup": str(copy)}, f"{study} copied to {copy}, checked", as_json)


@app.command()
def verify(
    study: StudyArgument,
    head: Annotated[
        str | None,
        typer.Option(
            "--head", metavar="SHA256", help="Check that the chain still contains this earlier head."
        ),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Check the integrity of a study: no label or signature was changed, removed or inserted."""
    from mitoscope.store import Store

    with Store.open(study, write=False) as store:
        checked = store.verify(head=None if head is None else head.lower())
    counts = picked(checked, "events", "cells", "versions")
    chain = checked.chain
    said: dict[str, Any] = {"rows": chain.rows, "sha256": None if chain.head is None else chain.head.sha256}
    over = f"{say_number(checked.events, 'event')}, {say_number(checked.cells, 'cell')} and "
    over += say_number(checked.versions, "version")
    line = f"{study} is intact: {checked.invariants} checks over {over}"
    if chain.head is not None:
        line += f"; {chain.rows:,} rows are chained, head {chain.head.sha256}"
    if chain.migrated and chain.migrated_s is not None:
        since = datetime.fromtimestamp(chain.migrated_s, UTC).isoformat(timespec="seconds")
        said |= {"rows_before": chain.migrated, "began": since}
        line += f"; the chain vouches for {chain.migrated:,} of them only since {since}"
    done = {"study": str(study), "ok": True, "checks": checked.invariants, **counts, "chain": said}
    say(done, line, as_json)


app.command()(info)
app.command()(agreement)
app.command()(consensus)
app.command()(classes)
app.command()(examined)
