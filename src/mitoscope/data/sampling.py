"""What a batch is made of: foreground, BG-Rand and BG-Hard (Akram et al. 2018, section 2)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.picture import Picture
from mitoscope.data.window import Window

# A figure falls anywhere in the window: the network must not learn that it is in the middle.
_JITTER_PX = 44.0


@dataclass(frozen=True, slots=True, eq=False)
class HardPool:
    """BG-Hard: places on training pictures that a detector took for mitotic figures.

    Parameters
    ----------
    picture : ndarray of int64, shape (n,)
        Index into the training pictures.
    x, y : ndarray of float64, shape (n,)
        Px of the picture.
    weight : ndarray of float64, shape (n,)
        Probability of being drawn; adds up to one.
    """

    picture: NDArray[np.int64]
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    weight: NDArray[np.float64]

    @classmethod
    def empty(cls) -> HardPool:
        """Return a pool without places."""
        none = np.empty(0)
        return cls(np.empty(0, dtype=np.int64), none, none, none)

    def __len__(self) -> int:
        return len(self.picture)

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window around a hard place."""
        index = int(random.choice(len(self), p=self.weight))
        dx, dy = random.uniform(-_JITTER_PX, _JITTER_PX, 2)
        return Window(int(self.picture[index]), self.x[index] + dx, self.y[index] + dy)


@dataclass(frozen=True, slots=True, eq=False)
class Foreground:
    """Windows with a mitotic figure.

    Parameters
    ----------
    crops, fields : ndarray of int64, shape (n, 2)
        Picture and figure, of crops (one figure in the centre) and of whole fields.
    field_share : float
        Share of the windows that comes from whole fields.
    paste_share : float
        Share of the crops whose figure is transplanted into a background of another laboratory.
    background : BgRand
        Where figures are transplanted to.
    pictures : tuple of Picture
    """

    crops: NDArray[np.int64]
    fields: NDArray[np.int64]
    field_share: float
    paste_share: float
    background: BgRand
    pictures: tuple[Picture, ...]

    def draw(self, random: np.random.Generator) -> Window:
        """Draw a window around a mitotic figure, which falls anywhere in it."""
        whole = bool(len(self.fields)) and (not len(self.crops) or random.random() < self.field_share)
        table = self.fields if whole else self.crops
        picture, figure = (int(value) for value in table[random.integers(len(table))])
        x, y = self.pictures[picture].figures[figure] + random.uniform(-_JITTER_PX, _JITTER_PX, 2)
        if whole or random.random() >= self.paste_share:
            return Window(picture, x, y)
        place = self.background.place(random, free=True)
        return Window(picture, x, y, paste_on=place, paste_radius_px=random.uniform(34.0, 58.0))


@dataclass(frozen=True, slots=True, eq=False)
class BgRand:
    """BG-Rand: random windows of whole fields, figures or not; every place has the same chance.

    Parameters
    ----------
    pictures : tuple of Picture
    index : ndarray of int64, shape (n,)
        The pictures that are whole fields.
    weight : ndarray of float64, shape (n,)
        Proportional to their area; adds up to one.
    like_crop_share : float
        Share of the windows on fields without figures that imitate the mirrored border of a crop.
    """

    pictures: tuple[Picture, ...]
    index: NDArray[np.int64]
    weight: NDArray[np.float64]
    like_crop_share: float = 0.5

    def place(self, random: np.random.Generator, *, free: bool = False) -> tuple[int, float, float]:
        """Draw a picture and a place on it; `free` asks for a picture without mitotic figures."""
        while True:
            picture = int(random.choice(self.index, p=self.weight))
            shape = self.pictures[picture]
            if not (free and len(shape.figures)):
                return picture, random.uniform(0, shape.width), random.uniform(0, shape.height)

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
    look_alike_share : float
        Share of labelled look-alikes in BG-Hard.
    """

    foreground: Foreground
    bg_rand: BgRand
    look_alikes: HardPool
    n_foreground: int
    n_hard: int
    n_random: int
    look_alike_share: float = 0.12

    def draw(self, random: np.random.Generator, hard: HardPool) -> list[Window]:
        """Draw the windows of one batch."""
        windows = [self.foreground.draw(random) for _ in range(self.n_foreground)]
        for _ in range(self.n_hard):
            labelled = len(self.look_alikes) and (not len(hard) or random.random() < self.look_alike_share)
            pool = self.look_alikes if labelled else hard
            windows.append(pool.draw(random) if len(pool) else self.bg_rand.draw(random))
        windows.extend(self.bg_rand.draw(random) for _ in range(self.n_random))
        return windows


def is_crop(picture: Picture) -> bool:
    """Say whether a picture is a crop around a figure rather than a whole field."""
    return bool(len(picture.figures)) and max(picture.height, picture.width) <= 128


def plan_batches(
    pictures: tuple[Picture, ...],
    *,
    n_foreground: int,
    n_hard: int,
    n_random: int,
    field_share: float,
    paste_share: float,
) -> BatchPlan:
    """Sort the training pictures into the sets that a batch is drawn from."""
    pairs = [(p, f, is_crop(pic)) for p, pic in enumerate(pictures) for f in range(len(_inside(pic)))]
    whole = np.array([p for p, picture in enumerate(pictures) if not is_crop(picture)], dtype=np.int64)
    area = np.array([pictures[p].height * pictures[p].width for p in whole], dtype=np.float64)
    bg_rand = BgRand(pictures, whole, area / area.sum())
    foreground = Foreground(
        crops=np.array([(p, f) for p, f, crop in pairs if crop], dtype=np.int64).reshape(-1, 2),
        fields=np.array([(p, f) for p, f, crop in pairs if not crop], dtype=np.int64).reshape(-1, 2),
        field_share=field_share,
        paste_share=paste_share,
        background=bg_rand,
        pictures=pictures,
    )
    known = [(p, x, y) for p, picture in enumerate(pictures) for x, y in picture.look_alikes]
    look_alikes = HardPool(
        picture=np.array([p for p, _, _ in known], dtype=np.int64),
        x=np.array([x for _, x, _ in known]),
        y=np.array([y for _, _, y in known]),
        weight=np.full(len(known), 1.0 / max(len(known), 1)),
    )
    return BatchPlan(foreground, bg_rand, look_alikes, n_foreground, n_hard, n_random)


def _inside(picture: Picture) -> NDArray[np.float64]:
    # The first figure of a crop is the one in its centre; neighbours are labels, not windows of their own.
    return picture.figures[:1] if is_crop(picture) else picture.figures
