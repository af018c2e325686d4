"""``mitoscope curate``: candidates, reviews, boards, choices and frozen versions of a study."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.curate_board import board
from mitoscope.cli.curate_hard_examples import hard_examples, split_ambiguous
from mitoscope.cli.curate_inputs import found_on_slides
from mitoscope.cli.curate_loops import missed, self_train
from mitoscope.cli.curate_reading import answers, crops
from mitoscope.cli.curate_select import select
from mitoscope.cli.curate_versions import diff, freeze, gains
from mitoscope.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from mitoscope.curation.review import ReviewState
    from mitoscope.store import Store

app = typer.Typer(
    help="Algorithm-aided curation: what the first experts missed, what is doubtful, what to label next.",
    no_args_is_help=True,
    rich_markup_mode=None,
)

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the review.")]


@app.command()
def candidates(
    study: StudyArgument,
    name: NameArgument,
    pred: Annotated[Path, typer.Option("--pred", metavar="FILE|DIR", help="Detections, at a low threshold.")],
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="Who found them, as a rater of the study.")
    ] = "detector",
    bins: Annotated[int, typer.Option("--bins", min=1, help="Rounds by score, high scores first.")] = 10,
    radius: Annotated[
        float, typer.Option("--radius", metavar="PX", help="Nearer to a known cell is no candidate.")
    ] = 25.0,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="T", help="Scores above it count.")
    ] = 0.0,
    as_json: JsonOption = False,
) -> None:
    """Put detections where no cell is known before two experts, who read independently (ODAEL)."""
    from mitoscope.curation.candidates import propose
    from mitoscope.store import Store

    with Store.open(study) as store:
        found = found_on_slides(store, pred)
        done = propose(store, name, found, model=model, bins=bins, radius_px0=radius, threshold=threshold)
    if as_json:
        values = {"found": done.found, "known": done.known, "candidates": len(done.cells)}
        bins_json = {str(number): count for number, count in done.bins.items()}
        print_json(
            {"study": str(study), "review": name, **values, "bins": bins_json, "repeated": done.is_repeated}
        )
        return
    rows = [[f"{number} of {bins}", count] for number, count in done.bins.items()]
    print_table(f"Review {name!r}: candidates by score, high first", ("bin", "candidates"), rows)
    typer.echo(f"{done.found} detections, {done.known} of them known cells; {len(done.cells)} candidates")


@app.command()
def review(
    study: StudyArgument,
    name: NameArgument,
    second: Annotated[
        bool,
        typer.Option("--second-read", help="Of a board: put what was relabelled before a second expert."),
    ] = False,
    third: Annotated[
        bool, typer.Option("--third-expert", help="Put what is disputed before a third expert.")
    ] = False,
    conclude: Annotated[bool, typer.Option("--conclude", help="Record what two of three agree on.")] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Although readings are missing.")] = False,
    as_json: JsonOption = False,
) -> None:
    """Show how far a review is, and take its next step when asked to; each step may be repeated."""
    from mitoscope.curation import review as steps
    from mitoscope.store import Store

    done: dict[str, Any] = {}
    writes = second or third or conclude
    with Store.open(study, write=writes) as store:
        if second:
            done["second_read"] = _ask_second(store, name)
        if third:
            done["third_expert"] = steps.ask_third(store, name, partial=partial)
        if conclude:
            outcome = steps.conclude(store, name, partial=partial)
            done["concluded"] = {
                "written": outcome.written,
                "unchanged": outcome.unchanged,
                "open": outcome.open,
            }
        state = steps.review_state(store, name)
    if as_json:
        print_json({"study": str(study), "review": name, **_state_json(state), **done})
    else:
        _print_state(state, done)


def _ask_second(store: Store, name: str) -> int:
    from mitoscope.curation.review import ask_second
    from mitoscope.loops.board import labels_before

    return ask_second(store, name, labels_before(store, name))


def _state_json(state: ReviewState) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(state) | {"next_step": state.next_step}


def _print_state(state: ReviewState, done: dict[str, Any]) -> None:
    rows: list[list[object]] = [["cells", state.cells]]
    rows += [[f"read by {rater}", count] for rater, count in state.read.items()]
    rows += [["wait for a reading", state.waiting], ["disputed", state.disputed]]
    rows += [["wait for a third expert", state.undecided]]
    if state.unresolved:
        rows += [["third agrees with neither", state.unresolved]]
    rows += [[f"outcome: {label}", count] for label, count in state.outcome.items()]
    print_table(f"Review {state.name!r}", ("", "cells"), rows)
    for what, count in done.items():
        said = ", ".join(f"{n} {k}" for k, n in count.items()) if isinstance(count, dict) else f"{count} new"
        typer.echo(f"{what.replace('_', ' ')}: {said}")
    typer.echo(f"next: {state.next_step}")


app.command()(crops)
app.command()(answers)
app.command()(missed)
app.command("hard-examples")(hard_examples)
app.command("split-ambiguous")(split_ambiguous)
app.command()(board)
app.command("self-train")(self_train)
app.command()(select)
app.command()(freeze)
app.command()(diff)
app.command()(gains)
