"""What all sampling schemes share: pools of places, quotas that hold exactly, and the loop that draws.

Nothing is drawn from a state that moves on: a window is a function of the seed and of its number in the run.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.field import Field
from mitoscope.data.window import Window
from mitoscope.errors import TrainingDataError

JITTER: Final = 0.34375
"""How far from its middle a window's cell falls at most, as a share of the side (44 of 128 px): the network
must not learn that cells are in the middle."""
TRIES: Final = 1000
"""So often a place is looked for at random before it is said that there is none."""
_TRIES_OF_TURN: Final = 100


@dataclass(frozen=True, slots=True, eq=False)
class HardPool:
    """Places on training fields that windows are drawn at: cells, or what a detector took for figures.

    Parameters
    ----------
    picture : ndarray of int64, shape (n,)
        Index into the training fields.
    x, y : ndarray of float64, shape (n,)
        Px of the field.
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

    @classmethod
    def even(cls, rows: list[tuple[int, float, float]]) -> HardPool:
        """Return places (field, x, y) that are drawn with the same chance."""
        return cls(
            picture=np.array([p for p, _, _ in rows], dtype=np.int64),
            x=np.array([x for _, x, _ in rows], dtype=np.float64),
            y=np.array([y for _, _, y in rows], dtype=np.float64),
            weight=np.full(len(rows), 1.0 / max(len(rows), 1)),
        )

    @classmethod
    def of_cells(cls, fields: Sequence[Field], cells: Callable[[Field], NDArray[np.float64]]) -> HardPool:
        """Return the places of some cells of each field, shape (n, 2), drawn with the same chance."""
        return cls.even([(p, x, y) for p, field in enumerate(fields) for x, y in cells(field).tolist()])

    def __len__(self) -> int:
        return len(self.picture)

    def beside(self, mined: HardPool, random: np.random.Generator) -> HardPool:
        """Return this pool or the mined places beside it, either as often as it has places."""
        if len(mined) and random.random() < len(mined) / (len(mined) + len(self)):
            return mined
        return self

    def at(self, random: np.random.Generator, *, reach_px: float, score: float = 0.0) -> Window:
        """Draw a window at a place, all alike often, whose middle is `reach_px` at most from it."""
        index = int(random.integers(len(self)))
        dx, dy = random.uniform(-1, 1, 2) * reach_px
        return Window(int(self.picture[index]), self.x[index] + dx, self.y[index] + dy, score=score)

    def draw(self, random: np.random.Generator, *, jitter_px: float) -> Window:
        """Draw a window at a place by its weight, whose middle is `jitter_px` at most from it."""
        index = int(random.choice(len(self), p=self.weight))
        dx, dy = random.uniform(-jitter_px, jitter_px, 2)
        return Window(int(self.picture[index]), self.x[index] + dx, self.y[index] + dy)


class Scheme(Protocol):
    """What draws the windows of a run."""

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the windows of the batch of a step."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Turn:
    """What decides one window.

    Parameters
    ----------
    random : Generator
        Of this window alone.
    rank : int
        How many windows of its kind come before it.
    seed : int
        Of the run.
    hard : HardPool
        What was mined by now.
    """

    random: np.random.Generator
    rank: int
    seed: int
    hard: HardPool


@dataclass(frozen=True, slots=True, eq=False)
class ByShare:
    """Draws kinds of windows, each as often as its share says, exactly in every pseudo-epoch.

    Parameters
    ----------
    draws : tuple of callable
        For each kind what draws a window of it.
    shares : tuple of float
        Of the kinds; they are divided by their sum.
    batch, epoch : int
        Windows of a batch and of a pseudo-epoch.
    stream : int
        Tells the chance of this scheme from that of others under one seed.
    """

    draws: tuple[Callable[[Turn], Window], ...]
    shares: tuple[float, ...]
    batch: int
    epoch: int
    stream: int

    def windows(self, step: int, hard: HardPool, *, seed: int) -> list[Window]:
        """Draw the windows of the batch of a step."""
        drawn = []
        for index in range(step * self.batch, (step + 1) * self.batch):
            kind, rank = kind_and_rank(index, self.shares, epoch=self.epoch, seed=seed)
            random = np.random.default_rng((seed, index, self.stream))
            drawn.append(self.draws[kind](Turn(random, rank, seed, hard)))
        return drawn


def anywhere(fields: Sequence[Field], random: np.random.Generator, *, first: int | None = None) -> Window:
    """Draw a window whose middle is background, every field with the same chance.

    Parameters
    ----------
    fields : sequence of Field
    random : Generator
    first : int, optional
        The field whose turn it is; others are drawn only where it seems to have no background.

    Raises
    ------
    TrainingDataError
        If no place is found that was examined and has tissue.
    """
    for attempt in range(TRIES):
        index = int(random.integers(len(fields))) if first is None or attempt >= _TRIES_OF_TURN else first
        field = fields[index]
        x, y = random.uniform(0, field.width), random.uniform(0, field.height)
        if is_background(field, x, y):
            return Window(index, x, y)
    raise no_background()


def is_background(field: Field, x: float, y: float) -> bool:
    """Return whether a place may serve as background: it was examined, and there is tissue."""
    return bool(field.may_be_background(np.array([[x, y]]))[0])


def no_background(where: str = "data.sampling") -> TrainingDataError:
    """Return the error where no place for a background is found."""
    return TrainingDataError(
        f"no examined tissue for a background in {TRIES} tries",
        where=where,
        mend="check what the ground truth states as examined (--examined), or add fields",
    )


def quota(shares: Sequence[float], count: int) -> NDArray[np.int64]:
    """Return how often each kind is drawn, shape (k,), by greatest remainder; adds up to the count."""
    exact = np.asarray(shares, dtype=np.float64) / sum(shares) * count
    whole = np.floor(exact + 1e-9).astype(np.int64)
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[: count - int(whole.sum())]] += 1
    return whole


def kind_and_rank(index: int, shares: Sequence[float], *, epoch: int, seed: int) -> tuple[int, int]:
    """Return the kind of the i-th window of a run, and how many of its kind come before it.

    Parameters
    ----------
    index : int
        Windows drawn before it.
    shares : sequence of float
    epoch : int
        Windows of a pseudo-epoch.
    seed : int
    """
    number, place = divmod(index, epoch)
    counts = quota(shares, epoch)
    kinds = np.random.default_rng((seed, number, 3)).permutation(np.repeat(np.arange(len(counts)), counts))
    kind = int(kinds[place])
    return kind, number * int(counts[kind]) + int((kinds[:place] == kind).sum())
