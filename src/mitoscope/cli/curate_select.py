"""``mitoscope curate select``: what to label next, with the probabilities that estimates need."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.curate_inputs import found_on_slides
from mitoscope.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from mitoscope.curation.select import Choice, ScoredTiles
    from mitoscope.store import Store


def select(
    study: Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")],
    pred: Annotated[
        Path, typer.Option("--pred", metavar="FILE|DIR", help="Detections that give the scores.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="CSV", help="All tiles: score, probability, chosen.")],
    top: Annotated[
        int | None, typer.Option("--top", metavar="N", help="The best N tiles of each slide.")
    ] = None,
    above: Annotated[
        float | None, typer.Option("--above", metavar="T", help="All tiles above T and some others; 0.2.")
    ] = None,
    below: Annotated[
        float, typer.Option("--share-below", metavar="P", help="Share of the others, at random.")
    ] = 0.1,
    whole: Annotated[
        int | None, typer.Option("--whole-slides", metavar="N", help="N slides at random, all their tiles.")
    ] = None,
    slide: Annotated[
        list[str] | None, typer.Option("--slide", metavar="NAME", help="Only this slide; may be repeated.")
    ] = None,
    tile: Annotated[int, typer.Option("--tile", metavar="PX", help="Side of a tile, level-0 px.")] = 1000,
    seed: Annotated[int, typer.Option("--seed", help="Of what is drawn.")] = 0,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Choose the tiles to be labelled next: the best for experts, or all above a threshold and some below."""
    from mitoscope.curation.select import choose_above, choose_slides, choose_top, write_choice
    from mitoscope.errors import ConfigError
    from mitoscope.store import Store

    if sum(one is not None for one in (top, above, whole)) != 1:
        raise ConfigError("one way to choose is wanted", mend="give --top, --above or --whole-slides")
    with Store.open(study, write=False) as store:
        tiles = _tiles(store, pred, tile)
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


def _tiles(store: Store, pred: Path, tile_px: int) -> ScoredTiles:
    from mitoscope.curation.select import score_tiles
    from mitoscope.errors import FormatError

    sizes = {}
    for slide in store.slides().values():
        if slide.size is None:
            mend = "import a file that states the slide's size"
            raise FormatError("the study does not know its size", where=slide.name, mend=mend)
        sizes[slide.name] = slide.size
    return score_tiles(sizes, found_on_slides(store, pred), tile_px=tile_px)


def _by_slide(choice: Choice) -> dict[str, dict[str, int]]:
    tiles = choice.tiles
    return {
        name: {"tiles": len(tiles.rows_of(name)), "chosen": int(choice.chosen[tiles.rows_of(name)].sum())}
        for name in tiles.slides
    }
