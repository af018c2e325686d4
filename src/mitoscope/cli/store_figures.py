"""``mitoscope store info|agreement|consensus``: what is in a store, and how far its raters agree."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.options import JsonOption, PolicyOption, StudyArgument, parse_policy
from mitoscope.cli.terminal import picked, print_json, print_table

if TYPE_CHECKING:
    from mitoscope.curation.agreement import Agreement
    from mitoscope.experiments.midogpp_tables import TableCell
    from mitoscope.statistics import Estimate
    from mitoscope.store import Overview

_UNREAD = (
    "no cell was read by two raters; cells of files without common ids are separate cells: "
    "store import --join-within 7.5 joins them"
)


def info(
    study: StudyArgument,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Show what is in a study: slides, raters, cells per label, variants with their tumour area."""
    from mitoscope.store import Store

    with Store.open(study, write=False) as store:
        found = store.overview(parse_policy(policy or "settled"))
    if as_json:
        print_json(_overview_json(found))
    else:
        _print_overview(found)


def _overview_json(found: Overview) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        **picked(found, "name", "uuid", "cells", "deleted", "events"),
        "policy": found.policy.value,
        "study_policy": found.study_policy.value,
        "slides": [
            {
                "name": row.slide.name,
                "case": row.slide.case,
                "domain": asdict(row.slide.domain),
                "area_mm2": row.area_mm2,
                "cells": row.cells,
                "labels": dict(row.agreed),
                "variants": {_variant(key): dict(counts) for key, counts in row.variants.items()},
                "splits": {_variant(key): split for key, split in row.splits.items()},
            }
            for row in found.slides
        ],
        "raters": [
            {"name": row.rater.name, "kind": row.rater.kind.value, "labels": row.labels, "cells": row.cells}
            for row in found.raters
        ],
        "rounds": [{"name": round_.name, "kind": round_.kind.value} for round_ in found.rounds],
        "labels": dict(found.agreed),
        "cells_per_label": dict(found.agreed),
        "without_agreed_class": found.disagreed,
        "variants": {_variant(key): found.total(key) for key in found.variants},
        "quarantined": dict(found.quarantined),
        "chain": None if found.chain is None else found.chain.model_dump(),
    }


def _variant(key: tuple[str, int]) -> str:
    return f"{key[0]} {key[1]}"


def _print_overview(found: Overview) -> None:
    labels = [name for name in found.labels if found.agreed.get(name)] or list(found.labels)
    pairs = [(key, name) for key in found.variants for name in found.total(key)]
    rows = [
        [
            row.slide.name,
            row.area_mm2,
            row.cells,
            *(row.agreed.get(name, 0) for name in labels),
            *(row.variants.get(key, {}).get(name, 0) for key, name in pairs),
        ]
        for row in found.slides
    ]
    areas = [row.area_mm2 for row in found.slides if row.area_mm2 is not None]
    total = ["total", sum(areas) if areas else None, found.cells]
    total += [found.agreed.get(label, 0) for label in labels] + [
        found.total(key)[name] for key, name in pairs
    ]
    columns = ["slide", "mm²", "cells", *labels, *(f"{_variant(key)}: {name}" for key, name in pairs)]
    print_table(f"{found.name}: agreed class by policy {found.policy.value}", columns, rows, total=total)
    if found.study_policy is not found.policy:
        typer.echo(f"the application counts by the study's policy, {found.study_policy.value}")
    raters = [[row.rater.name, row.rater.kind.value, row.labels, row.cells] for row in found.raters]
    print_table("Raters", ("rater", "kind", "labels", "cells"), raters)
    facts = [("slides", len(found.slides)), ("cells", found.cells), ("deleted", found.deleted)]
    facts += [("without an agreed class", found.disagreed), ("events", found.events)]
    facts += [(f"quarantined: {why}", count) for why, count in found.quarantined.items()]
    print_table("Total", ("", "count"), facts)
    if found.chain is not None:
        typer.echo(f"chained: {found.chain.rows:,} rows, head {found.chain.sha256}")


def agreement(
    study: StudyArgument,
    by: Annotated[
        str, typer.Option("--by", help="Group by tumour_type, scanner, species, laboratory.")
    ] = "tumour_type",
    kinds: Annotated[
        str, typer.Option("--kinds", help="Whose labels count: expert, crowd, model, consensus.")
    ] = "expert",
    resamples: Annotated[
        int, typer.Option("--resamples", min=1, max=1_000_000, help="Resamples of the bootstrap, by case.")
    ] = 2000,
    published: Annotated[
        bool, typer.Option("--published", help="MIDOG++ Tables 2 and 3 beside the published figures.")
    ] = False,
    by_rater: Annotated[
        bool, typer.Option("--by-rater", help="Show kappa, seconds and accuracy by task and rater instead.")
    ] = False,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="CSV", help="Write the table of the raters.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the agreement of raters, per domain and in total, with 95 % intervals by case."""
    from mitoscope.store import Store

    if by_rater or out is not None:
        _raters(study, out, resamples, as_json)
        return
    with Store.open(study, write=False) as store:
        whole = store.export_study()
    if published:
        from mitoscope.experiments.midogpp_tables import table_2, table_3

        tables = {"MIDOG++ Table 2": table_2(whole), "MIDOG++ Table 3 (%)": table_3(whole)}
        _show_published(tables, as_json)
        return
    from mitoscope.curation.agreement import agreement as measure

    wanted = tuple(key.strip() for key in by.split(",") if key.strip())
    groups = measure(whole, kinds=_parse_kinds(kinds), by=wanted, repeats=resamples)
    if as_json:
        doubt = _doubt(groups)
        if not any(group.pairs for group in groups):
            doubt = _UNREAD
        note = {"note": doubt} if doubt else {}
        print_json({"study": str(study), "domains": [_agreement_json(group) for group in groups], **note})
    else:
        _print_agreement(groups, whole.labels.names)


def _raters(study: Path, out: Path | None, resamples: int, as_json: bool) -> None:
    """Show the raters by task, as Table 3 of the crowd paper prints them, and write them if asked."""
    from dataclasses import asdict

    from mitoscope.curation.work_table import raters_csv, work_table
    from mitoscope.fsio import atomic_write
    from mitoscope.store import Store

    with Store.open(study, write=False) as store:
        table = work_table(store, repeats=resamples)
    if out is not None:
        with atomic_write(out) as stream:
            stream.write(raters_csv(table).encode())
    if as_json:
        tasks, raters = ([asdict(row) for row in rows] for rows in (table.tasks, table.raters))
        print_json({"study": str(study), "tasks": tasks, "raters": raters})
        return
    if not table.raters:
        typer.echo(
            "nobody has answered in a round yet; without --by-rater the agreement of all labels is shown"
        )
        return
    columns = ["task", "raters", "pieces", "Fleiss' kappa", "answers each", "seconds", "accuracy %"]
    print_table(
        "Tasks: tiles or cells, kappa with its 95 % interval by case, means over raters",
        columns,
        [
            [
                *(task.task, task.raters, task.pieces, _interval(task.kappa), task.kappa_raters),
                *(task.seconds_mean, _percent(task.accuracy)),
            ]
            for task in table.tasks
        ],
    )
    columns = [
        "task",
        "rater",
        "state",
        "pieces",
        "mean s",
        "median s",
        "gold",
        "right %",
        "others",
        "right %",
    ]
    print_table(
        "Raters: seconds by the server's clock, accuracy on gold tiles and against the majority",
        columns,
        [
            [
                *(
                    rater.task,
                    rater.rater,
                    rater.state,
                    rater.pieces,
                    rater.seconds_mean,
                    rater.seconds_median,
                ),
                *(rater.gold, _percent(rater.gold_accuracy), rater.compared, _percent(rater.accuracy)),
            ]
            for rater in table.raters
        ],
    )
    if out is not None:
        typer.echo(f"{out} written")


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _parse_kinds(text: str) -> Any:
    from mitoscope.errors import ConfigError
    from mitoscope.store import RaterKind

    try:
        return tuple(RaterKind(word.strip()) for word in text.split(","))
    except ValueError:
        known = ", ".join(kind.value for kind in RaterKind)
        raise ConfigError(f"unknown kind of raters: {text!r}", mend=f"choose from {known}") from None


def _agreement_json(found: Agreement) -> dict[str, Any]:
    from dataclasses import asdict

    return {
        **picked(found, "domain", "cells", "cases", "fleiss_raters"),
        "two_reads": asdict(found.reads),
        "disagreement": asdict(found.disagreement),
        "fleiss_kappa": asdict(found.fleiss),
        "krippendorff_alpha": asdict(found.alpha),
        "pairs": [
            picked(pair, "raters", "cells")
            | {"confusion": pair.confusion.tolist(), "cohen_kappa": asdict(pair.kappa)}
            for pair in found.pairs
        ],
        "times": [asdict(time) for time in found.times],
    }


def _print_agreement(found: tuple[Agreement, ...], names: tuple[str, ...]) -> None:
    labels = [name for name in names if any(group.reads.final.get(name) for group in found)] or list(names)
    if not any(group.pairs for group in found):
        typer.echo(_UNREAD)
        return
    rows = [row for group in found for row in _reads_rows(group, labels)]
    columns = ["domain", "cases", "cells", "class", "first two raters %", "third %", "final %"]
    print_table("First two raters, the third on cells without agreement, and the outcome", columns, rows)
    coefficients = [
        [
            group.domain,
            _interval(group.disagreement, 100),
            _interval(group.fleiss),
            group.fleiss_raters,
            _interval(group.alpha),
        ]
        for group in found
    ]
    columns = ["domain", "disagreed %", "Fleiss' kappa", "raters per cell", "Krippendorff's alpha"]
    print_table("Coefficients, with 95 % intervals by case", columns, coefficients)
    pairs = [
        [group.domain, *pair.raters, pair.cells, _interval(pair.kappa), str(pair.confusion.tolist())]
        for group in found
        for pair in group.pairs
    ]
    columns = ["domain", "rater", "and", "cells", "Cohen's kappa", f"confusion ({', '.join(names)})"]
    print_table("Pairs of raters", columns, pairs)
    times = [
        [group.domain, time.rater, time.labels, time.median_s] for group in found for time in group.times
    ]
    if times:
        print_table("Time per label", ("domain", "rater", "labels", "median s"), times)
    if doubt := _doubt(found):
        typer.echo(f"warning: {doubt}")


def _doubt(found: tuple[Agreement, ...]) -> str:
    """Return what is to be said where labels of a model may be counted as those of an expert."""
    names = [group.domain for group in found if group.reads.undisputed_thirds and group.domain != "all"]
    if not names:
        return ""
    cells = sum(group.reads.undisputed_thirds for group in found if group.domain in names)
    return (
        f"{cells} cells have a third label although the first two agree ({', '.join(names)}): some labels "
        "may be a model's, then fewer cells are disputed than is shown; of MIDOG++ see --published"
    )


def _reads_rows(found: Agreement, labels: list[str]) -> list[list[object]]:
    reads = found.reads
    each = 100 / reads.cells if reads.cells else math.nan
    first: list[object] = [found.domain, found.cases, reads.cells]
    rows = [
        [
            name,
            each * reads.agreed.get(name, 0),
            100 * reads.third_share.get(name, math.nan),
            each * reads.final.get(name, 0),
        ]
        for name in labels
    ]
    rows.append(["no agreement", each * reads.disagreed, math.nan, each * reads.unresolved])
    return [[*(first if place == 0 else ("", "", "")), *row] for place, row in enumerate(rows)]


def _interval(found: Estimate, scale: float = 1) -> str:
    value, low, high = (scale * bound for bound in (found.value, found.low, found.high))
    interval = "" if math.isnan(low) or math.isnan(high) else f" [{low:.2f}, {high:.2f}]"
    return "–" if math.isnan(value) else f"{value:.2f}{interval}"


def _show_published(tables: dict[str, list[TableCell]], as_json: bool) -> None:
    if as_json:
        from dataclasses import asdict

        print_json({title: [asdict(cell) for cell in cells] for title, cells in tables.items()})
        return
    for title, cells in tables.items():
        rows = [[cell.row, cell.column, f"{cell.published:g}", _range(cell), cell.reason] for cell in cells]
        print_table(title, ("row", "column", "published", "from the file", "where they differ, why"), rows)


def _range(cell: TableCell) -> str:
    low, high = f"{cell.low:.2f}", f"{cell.high:.2f}"
    return f"{round(cell.low, 2):g}" if cell.found is not None else f"{low} to {high}"


def consensus(
    study: StudyArgument,
    record: Annotated[
        str | None,
        typer.Option(
            "--record",
            metavar="POLICY",
            help="Record the classes of this policy; it becomes the policy of the study.",
        ),
    ] = None,
    third_round: Annotated[
        str | None,
        typer.Option("--third-expert", metavar="NAME", help="Open this review over the disputed cells."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the agreed class under every policy, and the cells that still wait for a third expert."""
    from mitoscope.curation import settle
    from mitoscope.curation.review import open_third
    from mitoscope.store import Policy, Store

    done: dict[str, Any] = {}
    with Store.open(study, write=third_round is not None or record is not None) as store:
        if record is not None:
            settled = settle(store, parse_policy(record, option="--record"))
            done["recorded"] = {"policy": record, **picked(settled, "written", "unchanged", "open")}
        labels = {id_: label.name for id_, label in store.labels().items()}
        counts = {policy.value: _count(store.agreed(policy), labels) for policy in Policy}
        waiting = store.disputed()
        if third_round is not None and waiting:
            open_third(store, third_round)
    opened = third_round if waiting else None
    if as_json:
        found = {"study": str(study), "policies": counts, "disputed": len(waiting), "round": opened}
        print_json(found | done)
        return
    columns = ["policy", *labels.values(), "no agreed class"]
    print_table("Agreed class by policy", columns, [[name, *of.values()] for name, of in counts.items()])
    if done:
        recorded = ", ".join(f"{count} {what}" for what, count in list(done["recorded"].items())[1:])
        typer.echo(f"recorded by policy {record}: {recorded}; {record} is now the study's policy")
    line = f"{len(waiting)} cells on which the first two experts differ wait for a third"
    typer.echo(line + (f"; they are now the review {opened!r}" if opened else ""))


def classes(
    study: StudyArgument,
    add: Annotated[
        list[str] | None,
        typer.Option(
            "--add", metavar="NAME", help="A class, or a set: ccmct, ambiguous, atypical; repeatable."
        ),
    ] = None,
    rename: Annotated[
        list[str] | None,
        typer.Option("--rename", metavar="A=B", help="Rename a class that you added; repeatable."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show, add or rename the classes of a study; classes cannot be removed."""
    from mitoscope.errors import ConfigError
    from mitoscope.store import Store

    with Store.open(study, write=bool(add or rename)) as store:
        for text in rename or ():
            name, equals, new_name = text.partition("=")
            if not (name.strip() and equals and new_name.strip()):
                raise ConfigError(f"{text!r} is not of the form A=B", where="--rename")
            store.rename_class(name.strip(), new_name.strip())
        for text in add or ():
            store.add_classes(text)
        counts = store.overview().agreed
        labels = store.labels().values()
    if as_json:
        found = [
            {"name": label.name, "colour": label.colour, "cells": counts[label.name]} for label in labels
        ]
        print_json({"study": str(study), "classes": found})
        return
    print_table(
        "Classes",
        ("class", "colour", "cells"),
        [[label.name, label.colour, counts[label.name]] for label in labels],
    )


def examined(
    study: StudyArgument,
    slides: Annotated[
        list[str] | None, typer.Argument(metavar="[SLIDE...]", help="Names of slides; by default all.")
    ] = None,
    whole: Annotated[
        bool, typer.Option("--whole", help="State that these slides were examined completely.")
    ] = False,
    withdraw: Annotated[bool, typer.Option("--withdraw", help="Withdraw such a statement.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show or state the examined area of each slide; elsewhere nothing counts as negative."""
    from mitoscope.errors import ConfigError
    from mitoscope.store import Store

    if whole and withdraw:
        raise ConfigError("--whole and --withdraw contradict each other", mend="give one of them")
    with Store.open(study, write=whole or withdraw) as store:
        if whole or withdraw:
            store.state_examined(slides or (), is_whole=whole)
        truth = store.ground_truth()
    chosen = [slide for slide in truth.slides if not slides or slide.name in slides]
    rows: list[dict[str, Any]] = []
    for one in chosen:
        area = one.stated_examined
        mm2 = None if area is None or one.mpp is None else area.area_mm2(one.mpp, one.size)
        source = "not stated" if area is None else area.source
        rows.append({"slide": one.name, "examined": source, "area_mm2": mm2})
    if as_json:
        print_json({"study": str(study), "slides": rows})
        return
    print_table("Examined", ("slide", "examined", "mm²"), [list(row.values()) for row in rows])


def _count(view: Any, labels: dict[int, str]) -> dict[str, int]:
    found = {name: int((view.label_id == id_).sum()) for id_, name in labels.items()}
    return found | {"no agreed class": int((view.label_id == 0).sum())}
