"""The two-step sampling of the crowd paper: first an event, then one of the sub-tiles that it lies in.

Sub-tiles of 250 px at a step of 125 px overlap, so that an event (an agreed box) lies in up to four of them;
drawing the event first gives every event the same chance. Sub-tiles without an event are added in a fixed
ratio, 0 to 10 negatives for each positive (NS). The score of a sub-tile is Σ r·a over its events, at most
1, with r the part of the box inside and a the agreement on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.curation.crowd import SUB_TILE_STEP_PX
from mitoscope.data.field import BOX_UM, Field, Labels
from mitoscope.data.sampling.pool import HardPool
from mitoscope.data.sampling.quota import kind_of
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError
from mitoscope.labels import MITOTIC_FIGURE

AtLeastOne = Annotated[int, Setting(ge=1)]
_TRIES = 1000


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


@dataclass(frozen=True, slots=True, eq=False)
class CrowdPlan:
    """The events.

    Parameters
    ----------
    config : CrowdConfig
    fields : tuple of Field
    large : tuple of int
        The fields that are as large as a sub-tile.
    events : HardPool
    box_px : float
        Side of an event's box.
    """

    config: CrowdConfig
    fields: tuple[Field, ...]
    large: tuple[int, ...]
    events: HardPool
    box_px: float

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the sub-tiles of one batch."""
        del hard
        own = self.config
        drawn = []
        for place in range(own.batch):
            index = step * own.batch + place
            random = np.random.default_rng((seed, index, 8))
            event = kind_of(index, (1.0, own.negatives), epoch=own.epoch, seed=seed) == 0
            drawn.append(self._positive(random) if event else self._negative(random))
        return drawn

    def _positive(self, random: np.random.Generator) -> Window:
        index = int(random.integers(len(self.events)))
        picture = int(self.events.picture[index])
        x = self._around(self.events.x[index], self.fields[picture].width, random)
        y = self._around(self.events.y[index], self.fields[picture].height, random)
        return self._scored(picture, x, y)

    def _around(self, place: float, length: int, random: np.random.Generator) -> float:
        """Draw the start of one of the sub-tiles that a place lies in."""
        side, step = self.config.window_px, SUB_TILE_STEP_PX
        first = max(int(np.ceil((place - side + 1e-9) / step)), 0)
        last = max(min(int(place // step), (length - side) // step), first)
        return float(random.integers(first, last + 1) * step)

    def _negative(self, random: np.random.Generator) -> Window:
        side, step = self.config.window_px, SUB_TILE_STEP_PX
        for _ in range(_TRIES):
            picture = self.large[random.integers(len(self.large))]
            one = self.fields[picture]
            x, y = (
                float(random.integers(max((length - side) // step, 0) + 1) * step)
                for length in (one.width, one.height)
            )
            if not self._agreement(picture, x, y):
                return self._scored(picture, x, y)
        raise TrainingDataError("no sub-tile without an event is found", where="data.sampling.negatives")

    def _scored(self, picture: int, x: float, y: float) -> Window:
        half, agreement = self.config.window_px / 2, self._agreement(picture, x, y)
        score = float(agreement == 0) if self.config.as_classes else agreement
        return Window(picture, x + half, y + half, score=score)

    def _agreement(self, picture: int, x: float, y: float) -> float:
        events = _events(self.fields[picture])
        inside = _inside(events.points - (x, y), side=self.config.window_px, box=self.box_px)
        return float(min((inside * events.agreement).sum(), 1.0))


def _events(field: Field) -> Labels:
    labels = field.labels
    own = labels.label == MITOTIC_FIGURE.name
    return Labels(labels.points[own], labels.label[own], labels.agreement[own])


def _inside(points: NDArray[np.float64], *, side: int, box: float) -> NDArray[np.float64]:
    """Return which part of the boxes around points lies in [0, side)², shape (n,)."""
    low, high = np.clip(points - box / 2, 0, side), np.clip(points + box / 2, 0, side)
    return np.asarray(np.prod(high - low, axis=1) / box**2, dtype=np.float64)


def plan_crowd(fields: tuple[Field, ...], config: CrowdConfig, *, mpp: float) -> CrowdPlan:
    """Collect the events.

    Raises
    ------
    TrainingDataError
        If there is none on a field that is as large as a sub-tile.
    """
    large = [p for p, one in enumerate(fields) if min(one.width, one.height) >= config.window_px]
    events = HardPool.even([(p, x, y) for p in large for x, y in _events(fields[p]).points.tolist()])
    if not len(events):
        raise TrainingDataError(
            f"no mitotic figure on a field as large as a sub-tile of {config.window_px} px",
            where="data.sampling",
        )
    return CrowdPlan(config, fields, tuple(large), events, BOX_UM / mpp)
