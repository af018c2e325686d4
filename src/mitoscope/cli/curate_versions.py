"""``mitoscope curate freeze|diff|gains``: versions that never change, and what lies between two of them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.options import (
    JsonOption,
    LabelOption,
    OnlySlidesOption,
    PolicyOption,
    StudyArgument,
    parse_policy,
)
from mitoscope.cli.terminal import picked, print_json, print_table

if TYPE_CHECKING:
    from mitoscope.curation.changes import Difference, Gain, VersionCell
    from mitoscope.store import Manifest

_Before = Annotated[str, typer.Argument(metavar="BEFORE", help="A version: MEL, or MEL@2 for its second.")]
_After = Annotated[str, typer.Argument(metavar="AFTER", help="A later version.")]


def freeze(
    study: StudyArgument,
    variant: Annotated[str, typer.Argument(metavar="VARIANT", help="MEL, HEAEL, ODAEL, CODAEL or another.")],
    policy: PolicyOption = None,
    slide: OnlySlidesOption = None,
    tumour_type: Annotated[
        list[str] | None,
        typer.Option("--tumour-type", metavar="NAME", help="Only this tumour type; may be repeated."),
    ] = None,
    class_name: Annotated[
        list[str] | None, typer.Option("--class", metavar="NAME", help="Only this class; may be repeated.")
    ] = None,
    label: LabelOption = None,
    least_agreement: Annotated[
        float | None,
        typer.Option(
            "--least-agreement",
            metavar="SHARE",
            min=0,
            max=1,
            help="Agreement from which on a crowd's label counts, by default 0.5; 0 for all, as Ji et al.",
        ),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option("--without", metavar="ROUND", help="Leave out the cells listed in this round."),
    ] = None,
    split: Annotated[
        Path | None, typer.Option("--split", metavar="CSV", help="slide,split: train, validation, test.")
    ] = None,
    licence: Annotated[
        str | None, typer.Option("--licence", metavar="ID", help="Licence of all slides, e.g. CC-BY-4.0.")
    ] = None,
    note: Annotated[str, typer.Option("--note", help="A note on how it was made.")] = "",
    out: Annotated[
        Path | None, typer.Option("--out", metavar="JSON", help="Write the version to a file.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Freeze a version of a data set: cells, classes and places as they are now, under a hash."""
    from mitoscope.cli.curate_inputs import read_split
    from mitoscope.exchange import frozen_file
    from mitoscope.labels import LabelMapping, LabelSet
    from mitoscope.store import CROWD_THRESHOLD, Query, Store

    sides = None if split is None else read_split(split)
    with Store.open(study) as store:
        classes = LabelSet(tuple(store.labels().values()))
        mapping = LabelMapping.parse(label or (), classes=classes)
        values = {
            "policy": parse_policy(policy or "settled"),
            "threshold": CROWD_THRESHOLD if least_agreement is None else least_agreement,
            "slides": tuple(slide or ()),
            "tumour_types": tuple(tumour_type or ()),
            "labels": tuple(class_name or ()),
            "without": tuple(without or ()),
            "label_names": {classes.canonical(name): new for name, new in mapping.stated.items()},
        }
        query = Query.parse(values, where="query")
        frozen = store.freeze(variant, query, split=sides, licences=licence, note=note)
    if out is not None:
        frozen_file.write(out, frozen)
    _show_frozen(frozen.manifest, as_json)


def _show_frozen(manifest: Manifest, as_json: bool) -> None:
    if as_json:
        print_json(manifest.model_dump(mode="json"))
        return
    rows = [
        [slide.name, slide.split or "", *(slide.cells.get(name, 0) for name in manifest.labels)]
        for slide in manifest.slides
    ]
    total = ["all", "", *(manifest.cells[name] for name in manifest.labels)]
    print_table(
        f"{manifest.name}, frozen {manifest.frozen}", ("slide", "split", *manifest.labels), rows, total=total
    )
    typer.echo(f"sha256 {manifest.sha256}")


def diff(
    study: StudyArgument,
    before: _Before,
    after: _After,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="CSV", help="Every cell that differs, one per row.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the cells gained, lost and reclassified between two versions."""
    from mitoscope.curation.changes import difference
    from mitoscope.store import Store

    with Store.open(study, write=False) as store:
        changes = difference(store.version(before), store.version(after))
    if out is not None:
        _write_cells(out, changes)
    if as_json:
        print_json(_difference_json(changes))
        return
    rows: list[list[object]] = [["gained", name, count] for name, count in changes.gained_by_label().items()]
    rows += [["lost", name, count] for name, count in changes.lost_by_label().items()]
    rows += [["re-classed", name, count] for name, count in changes.reclassed_by_labels().items()]
    rows += [["moved", "", len(changes.moved)]] if changes.moved else []
    print_table(f"{changes.before} → {changes.after}", ("", "class", "cells"), rows)


def _difference_json(found: Difference) -> dict[str, Any]:
    return {
        "before": found.before,
        "after": found.after,
        "gained": found.gained_by_label(),
        "lost": found.lost_by_label(),
        "reclassed": found.reclassed_by_labels(),
        "moved": len(found.moved),
        "slides": list(found.slides()),
    }


def _write_cells(path: Path, found: Difference) -> None:
    from mitoscope.exchange import dump_rows, inert, shortest
    from mitoscope.fsio import atomic_write

    def row(what: str, cell: VersionCell, before: str, after: str) -> tuple[object, ...]:
        x, y = cell.centre_px0
        return (what, cell.cell_id, inert(cell.slide), shortest(x), shortest(y), inert(before), inert(after))

    rows: list[Any] = [("change", "cell", "slide", "x", "y", "before", "after")]
    rows += [row("gained", cell, "", cell.label) for cell in found.gained]
    rows += [row("lost", cell, cell.label, "") for cell in found.lost]
    rows += [row("re-classed", one.after, one.before.label, one.after.label) for one in found.reclassed]
    rows += [row("moved", one.after, one.before.label, one.after.label) for one in found.moved]
    with atomic_write(path) as stream:
        stream.write(dump_rows(rows))


def gains(study: StudyArgument, before: _Before, after: _After, as_json: JsonOption = False) -> None:
    """Show the figures and look-alikes gained between two versions: by case, by density, in total."""
    from mitoscope.curation.changes import PUBLISHED
    from mitoscope.curation.changes import gains as gains_between
    from mitoscope.store import Store

    with Store.open(study, write=False) as store:
        table = gains_between(store.version(before).truth, store.version(after).truth)
    if as_json:
        parts = {"cases": table.cases, "groups": table.groups}
        values = {name: [_gain_json(row) for row in rows] for name, rows in parts.items()}
        print_json({**values, "total": _gain_json(table.total), "published": _gain_json(PUBLISHED)})
        return
    columns = ("case", "mm²", "figures before", "after", "%", "look-alikes before", "after", "%")
    print_table(
        f"{before} → {after}, by case", columns, map(_gain_row, table.cases), total=_gain_row(table.total)
    )
    if table.groups:
        print_table("By density before", columns, map(_gain_row, table.groups))
    print_table("Published", columns, [_gain_row(PUBLISHED)])


def _gain_row(gain: Gain) -> list[object]:
    counts = [*gain.figures, gain.figures_percent, *gain.look_alikes, gain.look_alikes_percent]
    return [gain.name, gain.area_mm2, *counts]


def _gain_json(gain: Gain) -> dict[str, Any]:
    names = ("figures", "figures_percent", "look_alikes", "look_alikes_percent")
    return picked(gain, "name", "area_mm2", "density", *names)
