"""A simulated crowd at work on tiles of known truth: boxes of raters of known skill, through the store."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.tiles import BoxesConcluded, conclude_boxes
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import (
    MINIMUM_REVIEWERS,
    Rater,
    RaterKind,
    Round,
    RoundKind,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
    TaskTile,
    add_tiles,
    answer_tile,
    read_round_rows,
    read_slides,
    read_tiles,
    write_terms,
)
from mitoscope.truth import TrueCells

BOX_PX0 = 45.0
_WOBBLE_PX0 = 4.0
_HARDNESS = 1.2
"""Deviation of how hard a cell is for all raters alike, in logits."""


@dataclass(frozen=True)
class CrowdRater:
    """A member of a crowd.

    Parameters
    ----------
    sees : float
        Share of the figures of middling hardness that get a box.
    fooled : float
        Share of the look-alikes that do.
    invents : float
        Boxes about nothing, on average a tile.
    """

    sees: float
    fooled: float
    invents: float = 0.05


CROWD = tuple(
    CrowdRater(sees, fooled)
    for sees, fooled in ((0.9, 0.1), (0.85, 0.2), (0.8, 0.15), (0.75, 0.3), (0.7, 0.25), (0.6, 0.35))
)
"""Six of them, from the one who sees best down."""


def label_by_crowd(
    store: Store,
    slides: Mapping[str, TrueCells],
    *,
    side_px0: float,
    raters: Sequence[CrowdRater] = CROWD,
    seed: int = 0,
) -> BoxesConcluded:
    """Have every tile of some slides answered by a crowd, and merge its boxes.

    Parameters
    ----------
    store : Store
        An empty study.
    slides : mapping of str to TrueCells
        Slide name → what is true on it; each slide is one tile.
    side_px0 : float
        Of the tiles.
    raters : sequence of CrowdRater
        Of fewer than are needed otherwise, the boxes of one count.
    seed : int
    """
    build = StudyBuilder()
    for name in slides:
        build.slide(SlideRecord(name))
    store.import_study(build.build(), source=Source("tiles"))
    who = [store.add_rater(Rater(f"rater {number}", RaterKind.CROWD)) for number in range(len(raters))]
    round_id = store.open_round(Round("tiles", RoundKind.CROWD_BOXES))
    random = np.random.default_rng(seed)
    with store.writing() as connection:
        names = {id_: slide.name for id_, slide in read_slides(connection).items()}
        add_tiles(connection, [TaskTile(0, round_id, slide, 0.0, 0.0, side_px0) for slide in names])
        for tile in read_tiles(connection, round_id):
            cells = slides[names[tile.slide_id]]
            hard = random.normal(0, _HARDNESS, len(cells))
            for rater, rater_id in zip(raters, who, strict=True):
                boxes = _drawn(rater, cells, hard, side_px0, random)
                answer_tile(connection, tile.id, rater_id, {"boxes": boxes}, seconds=None)
        row = read_round_rows(connection)[round_id]
        if len(raters) < MINIMUM_REVIEWERS:
            terms = replace(row.terms, settings={**row.terms.settings, "minimum_reviewers": len(raters)})
            write_terms(connection, round_id, terms)
            row = read_round_rows(connection)[round_id]
        return conclude_boxes(connection, row)


def _drawn(
    rater: CrowdRater, cells: TrueCells, hard: NDArray[np.float64], side: float, random: np.random.Generator
) -> list[list[float]]:
    """Return the boxes of a rater on a tile, as x, y, width and height."""
    is_figure = cells.label == MITOTIC_FIGURE.name
    chance = np.where(is_figure, rater.sees, rater.fooled)
    # What is hard hides figures, and makes look-alikes look more alike.
    logit = np.log(chance / (1 - chance)) + np.where(is_figure, -hard, hard)
    seen = cells.points_px0[random.random(len(cells)) < 1 / (1 + np.exp(-logit))]
    invented = random.uniform(BOX_PX0, side - BOX_PX0, (random.poisson(rater.invents), 2))
    centres = np.concatenate([seen, invented]) + random.normal(0, _WOBBLE_PX0, (len(seen) + len(invented), 2))
    sides = BOX_PX0 + random.normal(0, _WOBBLE_PX0, centres.shape)
    boxes: list[list[float]] = np.column_stack([centres - sides / 2, sides]).round(1).tolist()
    return boxes
