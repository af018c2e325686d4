"""What a batch is made of: foreground, BG-Rand and BG-Hard (Akram et al. 2018, section 2)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import Field as Setting
from pydantic import model_validator
from scipy.ndimage import binary_dilation, binary_erosion, gaussian_filter, label

from mitoscope.config import Config
from mitoscope.data.field import Field
from mitoscope.data.sampling.scheme import JITTER, HardPool, is_background, no_background
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx

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
        Windows with a mitotic figure, at hard negatives, at random places; 2 : 62 in the paper, all of them
        at random places until hard negatives are mined, and all of them hard ones afterwards.
    look_alike_share : float
        Share of labelled look-alikes in the hard negatives.
    away_px : float
        Random places lie further than that from all figures of their field.
    field_share, paste_share : float
        Of the foreground: from whole fields (*FG-Lab* proper); of the crops: transplanted into a whole field
        without figures, where there is one.
    mined : int
        Windows of the foreground with a figure mined from unlabelled slides (*FG-WSI*); they are the fields
        whose source is named in `mined_source`.
    mined_source : str
    jitter : float
        How far from the middle of its window a cell falls at most, as a share of the side.
    framed : bool
        Show of all crops, and of half of the background on fields without figures, a rectangle of chance
        around the cell, white beyond: the border of a crop must not tell that there is a figure.
    by_extent : float
        How much more often figures of crops are drawn whose chromatin reaches far: chances are proportional
        to this power of its extent, see `chromatin_extent`.
    figure_radius_px, ignore_radius_px : float
        Cells within the first radius of a figure are figure, beyond the second background.
    """

    kind: Literal["semi"]
    window_px: Annotated[int, Setting(ge=32, le=1024)] = 128
    foreground: AtLeastOne = 28
    bg_hard: Count = 14
    bg_random: Count = 22
    look_alike_share: Share = 0.12
    away_px: Annotated[float, Setting(ge=0)] = 0.0
    field_share: Share = 0.16
    paste_share: Share = 0.3
    mined: Count = 0
    mined_source: str = "mined"
    jitter: Annotated[float, Setting(ge=0, lt=0.5)] = JITTER
    framed: bool = False
    by_extent: Annotated[float, Setting(ge=0, le=4)] = 0.0
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
    framed : bool
        Whether crops show a rectangle of chance around their figure.
    chance : ndarray of float64, shape (n,), optional
        Of each of the crops; adds up to one.
    """

    crops: NDArray[np.int64]
    fields: NDArray[np.int64]
    field_share: float
    paste_share: float
    background: BgRand
    pictures: tuple[Field, ...]
    jitter_px: float
    framed: bool = False
    chance: NDArray[np.float64] | None = None

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window around a mitotic figure, which falls anywhere in it."""
        whole = bool(len(self.fields)) and (not len(self.crops) or random.random() < self.field_share)
        table = self.fields if whole else self.crops
        row = (
            random.integers(len(table))
            if whole or self.chance is None
            else random.choice(len(table), p=self.chance)
        )
        picture, figure = (int(value) for value in table[row])
        place = self.pictures[picture].figures[figure]
        x, y = place + random.uniform(-self.jitter_px, self.jitter_px, 2)
        if whole or random.random() >= self.paste_share:
            shown = _frame(place, random) if self.framed and not whole else None
            return Window(picture, x, y, shown=shown)
        ground = self.background.place(random, free=True)
        return Window(picture, x, y, paste_on=ground, paste_radius_px=random.uniform(34.0, 58.0))


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
        Share of the windows on fields without figures that imitate the border of a crop.
    framed : bool
        Whether that is a rectangle of chance, white beyond, instead of the mirrored border.
    away_px : float
        From the figures of the field.
    """

    pictures: tuple[Field, ...]
    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    like_crop_share: float = 0.5
    framed: bool = False
    away_px: float = 0.0

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
            if self._is_away(shape, x, y) and is_background(shape, x, y):
                return picture, x, y
        if free:
            raise TrainingDataError(
                f"no field without a mitotic figure in {_TRIES} tries",
                where="data.sampling.paste_share",
                mend="add larger fields without figures, or set it to 0",
            )
        raise no_background()

    def _is_away(self, field: Field, x: float, y: float) -> bool:
        if not self.away_px or not len(field.figures):
            return True
        return bool(np.hypot(*(field.figures - (x, y)).T).min() > self.away_px)

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window."""
        picture, x, y = self.place(random)
        free = not len(self.pictures[picture].figures)
        like_crop = free and random.random() < self.like_crop_share
        if like_crop and self.framed:
            return Window(picture, x, y, shown=_frame((x, y), random))
        return Window(picture, x, y, like_crop=like_crop)


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
            labelled = (
                self.look_alike_share
                and len(self.look_alikes)
                and (not len(hard) or random.random() < self.look_alike_share)
            )
            pool = self.look_alikes if labelled else hard
            windows.append(self._hard(pool, random, jitter_px) if len(pool) else self.bg_rand.draw(random))
        windows.extend(self.bg_rand.draw(random) for _ in range(self.n_random))
        return windows

    def _hard(self, pool: HardPool, random: np.random.Generator, jitter_px: float) -> Window:
        drawn = pool.draw(random, jitter_px=jitter_px)
        pictures = self.foreground.pictures
        if not self.foreground.framed or not is_crop(pictures[drawn.picture]):
            return drawn
        return replace(drawn, shown=_frame((drawn.x, drawn.y), random))


_FRAME_PX: Final = (30.0, 64.0)
"""How far a frame reaches from its cell, to each side; a crop reaches 64 px."""


def _frame(place: ArrayLike, random: np.random.Generator) -> tuple[float, float, float, float]:
    """Draw left, top, right and bottom of a rectangle around a place."""
    x, y = np.asarray(place, dtype=np.float64).tolist()
    left, top, right, bottom = random.uniform(*_FRAME_PX, 4).tolist()
    return x - left, y - top, x + right, y + bottom


_CHROMATIN_PX: Final = 40.0
"""Further from the centre of a crop chromatin belongs to other cells."""
_BLACK: Final = 8
"""Darker pixels lie beyond the slide that a crop was cut from."""
_DARK: Final = 1.0
"""Standard deviations above the mean density of a crop from which on it is chromatin."""


def chromatin_extent(rgb: NDArray[np.uint8]) -> float:
    """Return how far the chromatin around the centre of a crop reaches, px.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)

    Returns
    -------
    float
        The radius of a disc with as large a mean distance from the centre as the dark pixels that hang
        together with the one that is nearest to the centre, over gaps of 4 px.
    """
    density = gaussian_filter(-np.log((rgb[..., 0].astype(np.float64) + 1) / 256), 1.0)
    shown = binary_erosion(rgb.max(axis=2) >= _BLACK, iterations=3, border_value=1)
    own = density[shown] if shown.any() else density
    rows, columns = np.indices(density.shape)
    distance = np.hypot(rows - density.shape[0] / 2, columns - density.shape[1] / 2)
    dark = (density > own.mean() + _DARK * own.std()) & (distance < _CHROMATIN_PX) & shown
    joined, _ = label(binary_dilation(dark, iterations=2))
    seed = joined[np.unravel_index(np.argmin(np.where(dark, distance, np.inf)), dark.shape)]
    cell = dark & (joined == seed)
    return 1.5 * float(distance[cell].mean()) if cell.any() else 0.0


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
    bg_rand = BgRand(pictures, whole, area / area.sum(), framed=config.framed, away_px=config.away_px)
    crops = np.array([(p, f) for p, f, crop in pairs if crop], dtype=np.int64).reshape(-1, 2)
    foreground = Foreground(
        crops=crops,
        fields=np.array([(p, f) for p, f, crop in pairs if not crop], dtype=np.int64).reshape(-1, 2),
        field_share=config.field_share,
        paste_share=config.paste_share if bg_rand.any_free else 0.0,
        background=bg_rand,
        pictures=pictures,
        jitter_px=config.jitter * config.window_px,
        framed=config.framed,
        chance=_by_extent([fields[p] for p in crops[:, 0].tolist()], config.by_extent),
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
        look_alike_share=config.look_alike_share,
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


def _by_extent(crops: Sequence[Field], power: float) -> NDArray[np.float64] | None:
    """Return the chances of crops by the extent of their chromatin; None where all have the same."""
    if not power or not crops:
        return None
    whole = [field.window(BoxPx(0, 0, field.width, field.height)) for field in crops]
    extent = np.array([max(chromatin_extent(rgb), 1.0) for rgb in whole]) ** power
    return np.asarray(extent / extent.sum())


def _inside(picture: Field) -> NDArray[np.float64]:
    # The first figure of a crop is the one in its centre; neighbours are labels, not windows of their own.
    return picture.figures[:1] if is_crop(picture) else picture.figures
