"""The sampling of MIDOG++: every image alike often, half of the windows anywhere, half near a figure.

1,000 training (250 validation) windows an epoch, spread evenly over the images; look-alikes play no part
(MIDOG++: training of the reference RetinaNet).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.data.sampling.pool import HardPool
from mitoscope.data.sampling.quota import kind_and_rank
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

AtLeastOne = Annotated[int, Setting(ge=1)]


class MidogppConfig(Config):
    """Windows near figures and anywhere.

    Parameters
    ----------
    window_px, batch, epoch : int
    near_figure : float
        Share of the windows within `near_px` of a figure; the rest lies anywhere.
    near_px : float
    """

    kind: Literal["midogpp"]
    window_px: Annotated[int, Setting(ge=32, le=2048)] = 512
    batch: AtLeastOne = 12
    epoch: AtLeastOne = 1000
    near_figure: Annotated[float, Setting(ge=0, le=1)] = 0.5
    near_px: Annotated[float, Setting(gt=0)] = 512.0


@dataclass(frozen=True, slots=True, eq=False)
class MidogppPlan:
    """The fields, and which of them have figures.

    Parameters
    ----------
    config : MidogppConfig
    fields : tuple of Field
    with_figures : tuple of int
    """

    config: MidogppConfig
    fields: tuple[Field, ...]
    with_figures: tuple[int, ...]

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the windows of one batch."""
        del hard  # look-alikes and hard negatives play no part in this scheme
        own = self.config
        shares = (own.near_figure, 1 - own.near_figure)
        drawn = []
        for place in range(own.batch):
            index = step * own.batch + place
            random = np.random.default_rng((seed, index, 5))
            kind, rank = kind_and_rank(index, shares, epoch=own.epoch, seed=seed)
            drawn.append((self._near, self._anywhere)[kind](rank, random, seed))
        return drawn

    def _near(self, rank: int, random: np.random.Generator, seed: int) -> Window:
        which = _in_turn(rank, len(self.with_figures), seed)
        picture = self.with_figures[which]
        one = self.fields[picture]
        x, y = one.figures[random.integers(len(one.figures))]
        dx, dy = random.uniform(-self.config.near_px, self.config.near_px, 2)
        return Window(picture, float(np.clip(x + dx, 0, one.width)), float(np.clip(y + dy, 0, one.height)))

    def _anywhere(self, rank: int, random: np.random.Generator, seed: int) -> Window:
        picture = _in_turn(rank, len(self.fields), seed)
        one = self.fields[picture]
        return Window(picture, random.uniform(0, one.width), random.uniform(0, one.height))


def _in_turn(rank: int, count: int, seed: int) -> int:
    """Return which of several is next: all of them once, in random order, before any comes again."""
    turn, place = divmod(rank, count)
    return int(np.random.default_rng((seed, turn, 6)).permutation(count)[place])


def plan_midogpp(fields: tuple[Field, ...], config: MidogppConfig) -> MidogppPlan:
    """Find the fields with figures.

    Raises
    ------
    TrainingDataError
        If there are none.
    """
    found = tuple(place for place, one in enumerate(fields) if len(one.figures))
    if not found:
        raise TrainingDataError("no mitotic figure among the training cases", where="data.sampling")
    return MidogppPlan(config, fields, found)
