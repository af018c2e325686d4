"""The two-step sampling of the crowd paper: first an event, then one of the sub-tiles that it lies in.

Sub-tiles of 250 px at a step of 125 px overlap, so that an event (an agreed box) lies in up to four of them;
drawing the event first gives every event the same chance. Sub-tiles without an event are added in a fixed
ratio, 0 to 10 negatives for each positive (NS). The score of a sub-tile is Σ r·a over its events, at most
1, with r the part of the box inside and a the agreement on it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.curation.crowd import SUB_TILE_STEP_PX, CrowdBoxes, areas, intersection_areas
from mitoscope.data.field import Field
from mitoscope.data.sampling.scheme import TRIES, ByShare, HardPool, Turn, is_background
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

AtLeastOne = Annotated[int, Setting(ge=1)]


class CrowdConfig(Config):
    """Sub-tiles with and without events.

    Parameters
    ----------
    window_px : int
        Side of a sub-tile.
    batch, epoch : int
    negatives : float
        Sub-tiles without an event for each one with an event, 0 to 10.
    as_classes : bool
        Give a sub-tile with an event the score 0 and one without 1, the classes of a classifier (BC), instead
        of its agreement (REG).
    """

    kind: Literal["crowd"]
    window_px: Annotated[int, Setting(ge=32, le=1024)] = 250
    batch: AtLeastOne = 16
    epoch: AtLeastOne = 1000
    negatives: Annotated[float, Setting(ge=0, le=10)] = 0.0
    as_classes: bool = False


def plan_crowd(fields: tuple[Field, ...], config: CrowdConfig, *, mpp: float) -> ByShare:
    """Collect the events.

    Raises
    ------
    TrainingDataError
        If there is none on a field that is as large as a sub-tile.
    """
    side, step = config.window_px, SUB_TILE_STEP_PX
    large = tuple(p for p, field in enumerate(fields) if min(field.width, field.height) >= side)
    boxes = [_event_boxes(field, mpp) for field in fields]
    events = HardPool.even([(p, x, y) for p in large for x, y in _centres(boxes[p])])
    if not len(events):
        raise TrainingDataError(
            f"no mitotic figure on a field as large as a sub-tile of {side} px", where="data.sampling"
        )

    def agreement(picture: int, x: float, y: float) -> float:
        return tile_score(boxes[picture], (x, y, x + side, y + side))

    def scored(picture: int, x: float, y: float) -> Window:
        agreed = agreement(picture, x, y)
        score = float(agreed == 0) if config.as_classes else agreed
        return Window(picture, x + side / 2, y + side / 2, score=score)

    def around(place: float, length: int, random: np.random.Generator) -> float:
        """Draw the start of one of the sub-tiles that a place lies in."""
        first = max(int(np.ceil((place - side + 1e-9) / step)), 0)
        last = max(min(int(place // step), (length - side) // step), first)
        return float(random.integers(first, last + 1) * step)

    def positive(turn: Turn) -> Window:
        index = int(turn.random.integers(len(events)))
        picture = int(events.picture[index])
        x = around(events.x[index], fields[picture].width, turn.random)
        y = around(events.y[index], fields[picture].height, turn.random)
        return scored(picture, x, y)

    def negative(turn: Turn) -> Window:
        for _ in range(TRIES):
            picture = large[turn.random.integers(len(large))]
            field = fields[picture]
            x, y = (
                float(turn.random.integers(max((length - side) // step, 0) + 1) * step)
                for length in (field.width, field.height)
            )
            if not agreement(picture, x, y) and is_background(field, x + side / 2, y + side / 2):
                return scored(picture, x, y)
        raise TrainingDataError(
            "no sub-tile without an event is found in the examined tissue", where="data.sampling.negatives"
        )

    return ByShare((positive, negative), (1.0, config.negatives), config.batch, config.epoch, stream=8)


def tile_score(boxes: CrowdBoxes, tile_px: tuple[float, float, float, float]) -> float:
    """Return the score of a tile, Σ r·a and at most 1: r the part of a box inside of it, a its agreement."""
    inside = intersection_areas(np.array([tile_px]), boxes.boxes_px0)[0] / areas(boxes.boxes_px0)
    return float(min(inside @ boxes.agreement, 1.0))


def _event_boxes(field: Field, mpp: float) -> CrowdBoxes:
    """Return the mitotic figures of a field as merged boxes with the agreement on each."""
    own = field.labels.take(field.labels.is_figure)
    half = own.sizes(mpp=mpp) / 2
    return CrowdBoxes(np.concatenate([own.points - half, own.points + half], axis=1), own.agreement)


def _centres(boxes: CrowdBoxes) -> list[tuple[float, float]]:
    corners = boxes.boxes_px0
    return [(x, y) for x, y in ((corners[:, :2] + corners[:, 2:]) / 2).tolist()]
