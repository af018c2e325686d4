"""The sampling of CCMCT and CMC: half of the windows at mitotic figures, most others at look-alikes.

Probabilities 0.5, 0.4, 0.1 and pseudo-epochs of 5,000 windows (CCMCT, CMC: `lib/sampling.py`). A cell falls
anywhere in the window, uniformly. Here the shares hold exactly in every pseudo-epoch, the target is the
centre of the cell rather than the corner of its box, and windows without a cell teach background too.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from pydantic import Field as Setting

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.data.sampling.pool import HardPool
from mitoscope.data.sampling.quota import kind_of
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

AtLeastOne = Annotated[int, Setting(ge=1)]
Share = Annotated[float, Setting(ge=0, le=1)]


class CcmctConfig(Config):
    """Shares of windows at figures, at look-alikes and anywhere.

    Parameters
    ----------
    window_px, batch : int
    figure, look_alike, anywhere : float
        Shares; they are divided by their sum.
    epoch : int
        Windows of a pseudo-epoch.
    """

    kind: Literal["ccmct"]
    window_px: Annotated[int, Setting(ge=32, le=2048)] = 512
    batch: AtLeastOne = 8
    figure: Share = 0.5
    look_alike: Share = 0.4
    anywhere: Share = 0.1
    epoch: AtLeastOne = 5000


@dataclass(frozen=True, slots=True, eq=False)
class CcmctPlan:
    """The places that windows are drawn at.

    Parameters
    ----------
    config : CcmctConfig
    fields : tuple of Field
    pools : tuple of HardPool
        Figures, look-alikes.
    """

    config: CcmctConfig
    fields: tuple[Field, ...]
    pools: tuple[HardPool, HardPool]

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the windows of one batch; mined hard negatives stand beside the look-alikes."""
        own = self.config
        shares = (own.figure, own.look_alike, own.anywhere)
        drawn = []
        for place in range(own.batch):
            index = step * own.batch + place
            random = np.random.default_rng((seed, index, 4))
            drawn.append(self._draw(kind_of(index, shares, epoch=own.epoch, seed=seed), random, hard))
        return drawn

    def _draw(self, kind: int, random: np.random.Generator, hard: HardPool) -> Window:
        if kind == 2:
            return anywhere(self.fields, random)
        pool = self.pools[kind]
        if kind == 1 and len(hard) and random.random() < len(hard) / (len(hard) + len(pool)):
            pool = hard
        if not len(pool):
            return anywhere(self.fields, random)
        return at_cell(pool, random, self.config.window_px)


def plan_ccmct(fields: tuple[Field, ...], config: CcmctConfig) -> CcmctPlan:
    """Collect the places.

    Raises
    ------
    TrainingDataError
        If there is no figure, or no look-alike although some are asked for.
    """
    figures = HardPool.even([(p, x, y) for p, f in enumerate(fields) for x, y in f.figures.tolist()])
    others = HardPool.even([(p, x, y) for p, f in enumerate(fields) for x, y in f.look_alikes.tolist()])
    for name, share, pool in (("figure", config.figure, figures), ("look_alike", config.look_alike, others)):
        if share and not len(pool):
            raise TrainingDataError(
                f"no {name.replace('_', '-')} among the training cases",
                where=f"data.sampling.{name}",
                mend="label some, or set the share to 0",
            )
    return CcmctPlan(config, fields, (figures, others))


def at_cell(pool: HardPool, random: np.random.Generator, window_px: int) -> Window:
    """Draw a window in which a cell of the pool falls anywhere."""
    index = int(random.integers(len(pool)))
    dx, dy = random.uniform(-0.5, 0.5, 2) * window_px
    return Window(int(pool.picture[index]), pool.x[index] + dx, pool.y[index] + dy)


def anywhere(fields: tuple[Field, ...], random: np.random.Generator) -> Window:
    """Draw a window anywhere, every field with the same chance."""
    index = int(random.integers(len(fields)))
    one = fields[index]
    return Window(index, random.uniform(0, one.width), random.uniform(0, one.height))
