"""What a batch is made of: foreground, BG-Rand and BG-Hard (Akram et al. 2018, section 2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field as Setting
from pydantic import model_validator

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.data.sampling.scheme import JITTER, HardPool, is_background, no_background
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

Count = Annotated[int, Setting(ge=0)]
AtLeastOne = Annotated[int, Setting(ge=1)]
Share = Annotated[float, Setting(ge=0, le=1)]
Positive = Annotated[float, Setting(gt=0)]
_TRIES = 10_000


class SemiConfig(Config):
    """Fixed numbers of foreground, *BG-Hard* and *BG-Rand* windows in every batch (Akram et al. 2018).

    Parameters
    ----------
    window_px : int
        Side of a window.
    foreground, bg_hard, bg_random : int
        Windows with a mitotic figure, at hard negatives, at random places; 2 : 62 in the paper.
    field_share, paste_share : float
        Of the foreground: from whole fields (*FG-Lab* proper); of the crops: transplanted into a whole field
        without figures, where there is one.
    mined : int
        Windows of the foreground with a figure mined from unlabelled slides (*FG-WSI*); they are the fields
        whose source is named in `mined_source`.
    mined_source : str
    figure_radius_px, ignore_radius_px : float
        Cells within the first radius of a figure are figure, beyond the second background.
    """

    kind: Literal["semi"]
    window_px: Annotated[int, Setting(ge=32, le=1024)] = 128
    foreground: AtLeastOne = 28
    bg_hard: Count = 14
    bg_random: Count = 22
    field_share: Share = 0.16
    paste_share: Share = 0.3
    mined: Count = 0
    mined_source: str = "mined"
    figure_radius_px: Positive = 9.0
    ignore_radius_px: Positive = 22.0

    @property
    def batch(self) -> int:
        """Windows of a batch."""
        return self.foreground + self.bg_hard + self.bg_random

    @model_validator(mode="after")
    def _numbers_fit(self) -> Self:
        if self.ignore_radius_px < self.figure_radius_px:
            raise ValueError("ignore_radius_px lies below figure_radius_px")
        if self.mined > self.foreground:
            raise ValueError("more mined windows than foreground")
        return self


@dataclass(frozen=True, slots=True, eq=False)
class Foreground:
    """Windows with a mitotic figure.

    Parameters
    ----------
    crops, fields : ndarray of int64, shape (n, 2)
        Field and figure, of crops (one figure in the centre) and of whole fields.
    field_share : float
        Share of the windows that comes from whole fields.
    paste_share : float
        Share of the crops whose figure is transplanted into a background of another laboratory.
    background : BgRand
        Where figures are transplanted to.
    pictures : tuple of Field
    jitter_px : float
        How far from the middle a figure falls at most, in x and in y.
    """

    crops: NDArray[np.int64]
    fields: NDArray[np.int64]
    field_share: float
    paste_share: float
    background: BgRand
    pictures: tuple[Field, ...]
    jitter_px: float

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window around a mitotic figure, which falls anywhere in it."""
        whole = bool(len(self.fields)) and (not len(self.crops) or random.random() < self.field_share)
        table = self.fields if whole else self.crops
        picture, figure = (int(value) for value in table[random.integers(len(table))])
        x, y = self.pictures[picture].figures[figure] + random.uniform(-self.jitter_px, self.jitter_px, 2)
        if whole or random.random() >= self.paste_share:
            return Window(picture, x, y)
        place = self.background.place(random, free=True)
        return Window(picture, x, y, paste_on=place, paste_radius_px=random.uniform(34.0, 58.0))


@dataclass(frozen=True, slots=True, eq=False)
class BgRand:
    """BG-Rand: random windows of whole fields, figures or not; every place has the same chance.

    Parameters
    ----------
    pictures : tuple of Field
    index : ndarray of int64, shape (n,)
        The pictures that are whole fields.
    weight : ndarray of float64, shape (n,)
        Proportional to their area; adds up to one.
    like_crop_share : float
        Share of the windows on fields without figures that imitate the mirrored border of a crop.
    """

    pictures: tuple[Field, ...]
    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    like_crop_share: float = 0.5

    @property
    def any_free(self) -> bool:
        """Whether a picture has no mitotic figure."""
        return any(not len(self.pictures[place].figures) for place in self.index.tolist())

    def place(self, random: np.random.Generator, *, free: bool = False) -> tuple[int, float, float]:
        """Draw a picture and a place on it; `free` asks for one without mitotic figures, see `any_free`."""
        for _ in range(_TRIES):
            picture = int(random.choice(self.index, p=self.weight))
            shape = self.pictures[picture]
            if free and len(shape.figures):
                continue
            x, y = random.uniform(0, shape.width), random.uniform(0, shape.height)
            if is_background(shape, x, y):
                return picture, x, y
        if free:
            raise TrainingDataError(
                f"no field without a mitotic figure in {_TRIES} tries",
                where="data.sampling.paste_share",
                mend="add larger fields without figures, or set it to 0",
            )
        raise no_background()

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window."""
        picture, x, y = self.place(random)
        free = not len(self.pictures[picture].figures)
        return Window(picture, x, y, like_crop=free and random.random() < self.like_crop_share)


@dataclass(frozen=True, slots=True, eq=False)
class BatchPlan:
    """How many windows of each set a batch has.

    Parameters
    ----------
    foreground, bg_rand : Foreground, BgRand
    look_alikes : HardPool
        Labelled look-alikes, part of BG-Hard from the first step on.
    n_foreground, n_hard, n_random : int
        Windows of each set; while nothing is mined, look-alikes stand for all of BG-Hard.
    mined : HardPool
        FG-WSI: figures mined from unlabelled slides.
    n_mined : int
    look_alike_share : float
        Share of labelled look-alikes in BG-Hard.
    """

    foreground: Foreground
    bg_rand: BgRand
    look_alikes: HardPool
    n_foreground: int
    n_hard: int
    n_random: int
    mined: HardPool
    n_mined: int = 0
    look_alike_share: float = 0.12

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the windows of one batch."""
        random = np.random.default_rng((seed, step, 2))
        windows = [self.foreground.draw(random) for _ in range(self.n_foreground)]
        jitter_px = self.foreground.jitter_px
        windows.extend(self.mined.draw(random, jitter_px=jitter_px) for _ in range(self.n_mined))
        for _ in range(self.n_hard):
            labelled = len(self.look_alikes) and (not len(hard) or random.random() < self.look_alike_share)
            pool = self.look_alikes if labelled else hard
            hard_one = pool.draw(random, jitter_px=jitter_px) if len(pool) else self.bg_rand.draw(random)
            windows.append(hard_one)
        windows.extend(self.bg_rand.draw(random) for _ in range(self.n_random))
        return windows


def is_crop(picture: Field) -> bool:
    """Say whether a picture is a crop around a figure rather than a whole field."""
    return bool(len(picture.figures)) and max(picture.height, picture.width) <= 128


def plan_semi(fields: tuple[Field, ...], config: SemiConfig) -> BatchPlan:
    """Sort the training fields into the sets that a batch is drawn from.

    Raises
    ------
    TrainingDataError
        If there is no mitotic figure, no whole field, or no mined figure although some are asked for.
    """
    pictures = fields
    lab = [p for p, field in enumerate(fields) if field.source != config.mined_source]
    pairs = [(p, f, is_crop(fields[p])) for p in lab for f in range(len(_inside(fields[p])))]
    whole = np.array([p for p in lab if not is_crop(fields[p])], dtype=np.int64)
    if not pairs or not len(whole):
        lack = "mitotic figure" if not pairs else "whole field for the background"
        raise TrainingDataError(f"no {lack} to train on", where="data.sampling")
    area = np.array([pictures[p].height * pictures[p].width for p in whole], dtype=np.float64)
    bg_rand = BgRand(pictures, whole, area / area.sum())
    foreground = Foreground(
        crops=np.array([(p, f) for p, f, crop in pairs if crop], dtype=np.int64).reshape(-1, 2),
        fields=np.array([(p, f) for p, f, crop in pairs if not crop], dtype=np.int64).reshape(-1, 2),
        field_share=config.field_share,
        paste_share=config.paste_share if bg_rand.any_free else 0.0,
        background=bg_rand,
        pictures=pictures,
        jitter_px=JITTER * config.window_px,
    )
    look_alikes = HardPool.even([(p, x, y) for p in lab for x, y in fields[p].look_alikes.tolist()])
    return BatchPlan(
        foreground,
        bg_rand,
        look_alikes,
        n_foreground=config.foreground - config.mined,
        n_hard=config.bg_hard,
        n_random=config.bg_random,
        mined=_mined(fields, config),
        n_mined=config.mined,
    )


def _mined(fields: tuple[Field, ...], config: SemiConfig) -> HardPool:
    rows = [
        (p, x, y)
        for p, field in enumerate(fields)
        if field.source == config.mined_source
        for x, y in field.figures.tolist()
    ]
    if config.mined and not rows:
        raise TrainingDataError(
            "no mined figure (FG-WSI)", where="data.sampling.mined", mend="mine slides first, or set it to 0"
        )
    return HardPool.even(rows)


def _inside(picture: Field) -> NDArray[np.float64]:
    # The first figure of a crop is the one in its centre; neighbours are labels, not windows of their own.
    return picture.figures[:1] if is_crop(picture) else picture.figures
