"""Crops around single cells for a classifier, each class as often as it is asked for.

CMC oversamples the rarer class until all are alike often; CCMCT takes cells as they come. Where a set has
no labelled look-alikes, places anywhere and mined hard negatives stand for that class.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.data.sampling.ccmct import anywhere
from mitoscope.data.sampling.pool import HardPool
from mitoscope.data.sampling.quota import kind_of
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError
from mitoscope.labels import LOOK_ALIKE

AtLeastOne = Annotated[int, Setting(ge=1)]
_FREE_PX = 40.0
_TRIES = 1000


class CropsConfig(Config):
    """Crops of a classifier.

    Parameters
    ----------
    window_px : int
        Side of a crop.
    batch, epoch : int
    oversample : bool
        Draw all classes alike often; else as often as they occur.
    jitter_px : float
        How far the cell lies from the middle at most.
    background : float
        Share of the class of look-alikes that is taken from anywhere, away from figures.
    """

    kind: Literal["crops"]
    window_px: Annotated[int, Setting(ge=32, le=1024)] = 128
    batch: AtLeastOne = 16
    epoch: AtLeastOne = 1000
    oversample: bool = True
    jitter_px: Annotated[float, Setting(ge=0)] = 4.0
    background: Annotated[float, Setting(ge=0, le=1)] = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class CropsPlan:
    """The cells of each class.

    Parameters
    ----------
    config : CropsConfig
    fields : tuple of Field
    pools : tuple of HardPool
        By class.
    open_class : int
        Index of the class that background and hard negatives belong to; -1 for none.
    """

    config: CropsConfig
    fields: tuple[Field, ...]
    pools: tuple[HardPool, ...]
    open_class: int

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the crops of one batch; their score is the index of the class."""
        own = self.config
        shares = [1.0 if own.oversample else max(len(pool), 1.0) for pool in self.pools]
        drawn = []
        for place in range(own.batch):
            index = step * own.batch + place
            random = np.random.default_rng((seed, index, 7))
            which = kind_of(index, shares, epoch=own.epoch, seed=seed)
            drawn.append(self._draw(which, random, hard))
        return drawn

    def _draw(self, which: int, random: np.random.Generator, hard: HardPool) -> Window:
        pool = self.pools[which]
        if which == self.open_class:
            if len(hard) and random.random() < len(hard) / (len(hard) + len(pool)):
                pool = hard
            elif random.random() < self.config.background or not len(pool):
                return self._background(which, random)
        index = int(random.integers(len(pool)))
        dx, dy = random.uniform(-1, 1, 2) * self.config.jitter_px
        return Window(int(pool.picture[index]), pool.x[index] + dx, pool.y[index] + dy, score=float(which))

    def _background(self, which: int, random: np.random.Generator) -> Window:
        for _ in range(_TRIES):
            place = anywhere(self.fields, random)
            figures = self.fields[place.picture].figures - (place.x, place.y)
            if not len(figures) or np.hypot(*figures.T).min() > _FREE_PX:
                return Window(place.picture, place.x, place.y, score=float(which))
        raise TrainingDataError(
            f"no place further than {_FREE_PX:g} px from a mitotic figure in {_TRIES} tries",
            where="data.sampling.background",
            mend="add fields that are larger or have no figure, or set it to 0",
        )


def plan_crops(fields: tuple[Field, ...], config: CropsConfig, *, labels: tuple[str, ...]) -> CropsPlan:
    """Collect the cells of each class.

    Raises
    ------
    TrainingDataError
        If a class has no cell.
    """
    pools = tuple(
        HardPool.even(
            [
                (p, x, y)
                for p, one in enumerate(fields)
                for x, y in one.labels.places_of(label).tolist()
                if 0 <= x < one.width and 0 <= y < one.height
            ]
        )
        for label in labels
    )
    open_class = labels.index(LOOK_ALIKE.name) if LOOK_ALIKE.name in labels else -1
    for index, (label, pool) in enumerate(zip(labels, pools, strict=True)):
        if not len(pool) and not (index == open_class and config.background):
            raise TrainingDataError(
                f"no cell of the class {label!r} among the training cases",
                where="model.labels",
                mend="leave the class out, or label some",
            )
    return CropsPlan(config, fields, pools, open_class)
