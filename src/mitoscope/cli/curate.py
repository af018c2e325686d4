"""``mitoscope curate``: candidates, reviews, boards, choices and frozen versions of a study."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.curate_board import board
from mitoscope.cli.curate_inputs import found_on_slides, read_answers
from mitoscope.cli.curate_loops import hard_examples, missed, self_train, split_ambiguous
from mitoscope.cli.curate_versions import diff, freeze, gains
from mitoscope.cli.options import (
    SEED_MAX,
    BinsOption,
    CountedAboveOption,
    CropMppOption,
    CropOption,
    JsonOption,
    LabelOption,
    OnlySlidesOption,
    ReviewArgument,
    StudyArgument,
    as_distance,
    as_score,
)
from mitoscope.cli.terminal import picked, print_json, print_table, say
from mitoscope.progress import progress
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.curation.review import ReviewState
    from mitoscope.curation.select import Choice, ScoredTiles
    from mitoscope.store import Store

app = typer.Typer(
    help="Algorithm-aided curation: missed figures, doubtful labels, what to label next.",
    rich_markup_mode=None,
)

ThirdOption = Annotated[bool, typer.Option("--third-expert", help="The cells of the third expert.")]


@app.command()
def candidates(
    study: StudyArgument,
    name: ReviewArgument,
    pred: Annotated[Path, typer.Option("--pred", metavar="FILE|DIR", help="Detections, at a low threshold.")],
    model: Annotated[
        str, typer.Option("--model", metavar="NAME", help="Name of the model, a rater of the study.")
    ] = "detector",
    bins: BinsOption = 10,
    radius: Annotated[
        float,
        typer.Option(
            "--radius",
            metavar="PX",
            callback=as_distance,
            help="Ignore detections this close to a known cell.",
        ),
    ] = 25.0,
    threshold: CountedAboveOption = 0.0,
    label: LabelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Open a review of detections at no known cell; two experts read independently (ODAEL)."""
    from mitoscope.curation.candidates import propose
    from mitoscope.store import Store

    with Store.open(study) as store:
        found = found_on_slides(store, pred, label)
        done = propose(store, name, found, model=model, bins=bins, radius_px0=radius, threshold=threshold)
    if as_json:
        values = {
            "found": done.found,
            "below": done.below,
            "known": done.known,
            "candidates": len(done.cells),
        }
        bins_json = {str(number): count for number, count in done.bins.items()}
        print_json(
            {"study": str(study), "review": name, **values, "bins": bins_json, "repeated": done.is_repeated}
        )
        return
    rows = [[f"{number} of {bins}", count] for number, count in done.bins.items()]
    print_table(f"Review {name!r}: candidates by score, high first", ("bin", "candidates"), rows)
    known = f"{done.below} not above the threshold, {done.known} known cells"
    typer.echo(f"{say_number(done.found, 'detection')}, {known}; {say_number(len(done.cells), 'candidate')}")


@app.command()
def review(
    study: StudyArgument,
    name: ReviewArgument,
    second: Annotated[
        bool,
        typer.Option("--second-read", help="Send relabelled cells of a board to a second expert."),
    ] = False,
    third: Annotated[
        bool, typer.Option("--third-expert", help="Send disputed cells to a third expert.")
    ] = False,
    conclude: Annotated[
        bool, typer.Option("--conclude", help="Record the outcome; two of three decide.")
    ] = False,
    partial: Annotated[bool, typer.Option("--partial", help="Proceed with incomplete readings.")] = False,
    unread: Annotated[
        str | None,
        typer.Option("--unread-as", metavar="CLASS", help="Class of cells nobody read, e.g. look-alike."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Show the progress of a review, or take its next step; each step may be repeated."""
    from mitoscope.curation import review as steps
    from mitoscope.errors import ConfigError
    from mitoscope.loops.board import labels_before
    from mitoscope.store import Store

    if unread is not None and not conclude:
        what = "cells get a class when a review is concluded"
        raise ConfigError(what, where="--unread-as", mend="add --conclude")
    done: dict[str, Any] = {}
    writes = second or third or conclude
    with Store.open(study, write=writes) as store:
        if second:
            done["second_read"] = steps.ask_second(store, name, labels_before(store, name))
        if third:
            done["third_expert"] = steps.ask_third(store, name, partial=partial)
        if conclude:
            outcome = steps.conclude(store, name, partial=partial, unread=unread)
            done["concluded"] = picked(outcome, "written", "unchanged", "open")
        state = steps.review_state(store, name)
    if as_json:
        print_json(
            {"study": str(study), "review": name, **asdict(state), "next_step": state.next_step, **done}
        )
    else:
        _print_state(state, done)


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


def crops(
    study: StudyArgument,
    name: ReviewArgument,
    slides: Annotated[Path, typer.Option("--slides", metavar="DIR", help="Folder of the slides.")],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Pictures and answers.csv.")],
    third: ThirdOption = False,
    crop: CropOption = 128,
    mpp: CropMppOption = 0.25,
    as_json: JsonOption = False,
) -> None:
    """Write the cells of a review as pictures named by number only, class and score hidden (MIDOG++)."""
    from mitoscope.loops.crops import write_blinded_crops
    from mitoscope.store import Store

    with Store.open(study, write=False) as store, progress("Crops", unit="crops") as report:
        n = write_blinded_crops(store, name, slides, out, third=third, side_px=crop, mpp=mpp, progress=report)
    line = f"{n} crops in {out}; fill in the labels of answers.csv for 'mitoscope curate answers'"
    say({"study": str(study), "review": name, "crops": n, "out": str(out)}, line, as_json)


def answers(
    study: StudyArgument,
    name: ReviewArgument,
    labels: Annotated[
        Path, typer.Option("--labels", metavar="CSV", help="cell,label; empty ones are skipped.")
    ],
    rater: Annotated[str, typer.Option("--rater", metavar="NAME", help="The expert who gave them.")],
    third: ThirdOption = False,
    as_json: JsonOption = False,
) -> None:
    """Record the labels that an expert gave to the cells of a review, all of them or none."""
    from mitoscope.curation.review import answer
    from mitoscope.labels import LabelSet
    from mitoscope.store import Store

    with Store.open(study) as store:
        known = LabelSet(tuple(store.labels().values()))
        given = {cell: known.canonical(label) for cell, label in read_answers(labels).items()}
        new = answer(store, name, rater, given, third=third)
    line = f"{say_number(len(given), 'label')} of {rater}, {new} of them new"
    say(
        {"study": str(study), "review": name, "rater": rater, "labels": len(given), "new": new}, line, as_json
    )


def select(
    study: StudyArgument,
    pred: Annotated[
        Path, typer.Option("--pred", metavar="FILE|DIR", help="Detections that give the scores.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="CSV", help="All tiles: score, probability, chosen.")],
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", min=1, help="The best N tiles of each slide.")
    ] = None,
    above: Annotated[
        float | None,
        typer.Option(
            "--above", metavar="T", callback=as_score, help="All tiles above T and some others, e.g. 0.2."
        ),
    ] = None,
    below: Annotated[
        float,
        typer.Option("--share-below", metavar="P", callback=as_score, help="Share of the others, at random."),
    ] = 0.1,
    whole: Annotated[
        int | None,
        typer.Option("--whole-slides", metavar="N", min=1, help="N slides at random, all their tiles."),
    ] = None,
    slide: OnlySlidesOption = None,
    slides: Annotated[
        Path | None,
        typer.Option("--slides", metavar="DIR", help="Folder of the slides; drops tiles of glass."),
    ] = None,
    tile: Annotated[
        int, typer.Option("--tile", metavar="PX", min=1, max=100_000, help="Side of a tile, level-0 px.")
    ] = 1000,
    seed: Annotated[int, typer.Option("--seed", min=0, max=SEED_MAX, help="Seed of the random choice.")] = 0,
    label: LabelOption = None,
    as_json: JsonOption = False,
) -> None:
    """Choose the tiles to be labelled next: the best for experts, or all above a threshold and some below."""
    from mitoscope.curation.select import choose_above, choose_slides, choose_top, write_choice
    from mitoscope.errors import ConfigError
    from mitoscope.store import Store

    if sum(one is not None for one in (top, above, whole)) != 1:
        raise ConfigError("one way to choose is needed", mend="give --top, --above or --whole-slides")
    with Store.open(study, write=False) as store:
        tiles = _tiles(store, pred, tile, label)
    if slides is not None:
        tiles = _without_glass(tiles, slides)
    if top is not None:
        choice = choose_top(tiles, top, slides=slide or ())
    elif above is not None:
        choice = choose_above(tiles, above, below, slides=slide or (), seed=seed)
    else:
        choice = choose_slides(tiles, whole or 0, seed=seed)
    write_choice(out, choice)
    if as_json:
        values = {"tiles": len(tiles), "chosen": int(choice.chosen.sum()), "slides": _by_slide(choice)}
        print_json({"study": str(study), "out": str(out), "rule": choice.rule, "seed": choice.seed, **values})
        return
    rows = [[name, *counts.values()] for name, counts in _by_slide(choice).items()]
    total = ["all", len(tiles), int(choice.chosen.sum())]
    print_table(choice.rule, ("slide", "tiles", "chosen"), rows, total=total)
    typer.echo(f"{out} written: every tile with its probability")


def _tiles(store: Store, pred: Path, tile_px: int, labels: list[str] | None) -> ScoredTiles:
    from mitoscope.curation.select import score_tiles
    from mitoscope.errors import FormatError

    sizes = {}
    for slide in store.slides().values():
        if slide.size is None:
            mend = "import a file that states the slide's size"
            raise FormatError("the study has no size for it", where=slide.name, mend=mend)
        sizes[slide.name] = slide.size
    return score_tiles(sizes, found_on_slides(store, pred, labels), tile_px=tile_px)


def _without_glass(tiles: ScoredTiles, folder: Path) -> ScoredTiles:
    from mitoscope.curation.select import drop_glass
    from mitoscope.loops.crops import find_slides
    from mitoscope.slide import open_slide
    from mitoscope.tissue import find_tissue

    tissue = {}
    for name, path in find_slides(folder, tiles.slides).items():
        with open_slide(path) as opened:
            tissue[name] = find_tissue(opened)
    return drop_glass(tiles, tissue)


def _by_slide(choice: Choice) -> dict[str, dict[str, int]]:
    tiles = choice.tiles
    return {
        name: {"tiles": len(tiles.rows_of(name)), "chosen": int(choice.chosen[tiles.rows_of(name)].sum())}
        for name in tiles.slides
    }


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
