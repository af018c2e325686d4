"""Experts made of chance: how often they overlook a figure, and how often they take one cell for another."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from mitoscope.errors import ConfigError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE

MISS = 0.06
"""Figures that the first expert overlooked at screening (CMC Table 1: +6.06 % by the algorithm)."""
DISAGREEMENT = 0.20
"""Cells on which two experts differ (MIDOG++ Table 3: 19.98 %)."""


def confusion_for(disagreement: float) -> float:
    """Return how often each of two independent experts must err so that they differ on such a share of cells.

    Two classes: 2 e (1 − e) = disagreement, the smaller solution.

    Raises
    ------
    ConfigError
        If the share is not in [0, 0.5]: independent experts of two classes cannot differ more often.
    """
    if not 0 <= disagreement <= 0.5:
        raise ConfigError(f"a disagreement of {disagreement:g} is not in [0, 0.5]")
    return (1 - math.sqrt(1 - 2 * disagreement)) / 2


@dataclass(frozen=True)
class SimulatedExpert:
    """An expert of known faults; the same cell in the same round gets the same answer.

    Parameters
    ----------
    name : str
        Of the rater.
    miss : mapping of str to float
        True label → share of cells overlooked when screening.
    confusion : float
        Share of cells taken for the other class, on average over the cells.
    background : float
        Share of places without any cell of either class that are taken for a figure.
    difficulty : float
        0: all cells are equally hard, experts err independently. Up to 1: errors gather on a few hard cells
        that are hard for every expert, as real disagreement does; the average stays.
    seed : int
        Of all answers.
    """

    name: str
    miss: Mapping[str, float] = field(
        default_factory=lambda: {MITOTIC_FIGURE.name: MISS, LOOK_ALIKE.name: 0.2}
    )
    confusion: float = confusion_for(DISAGREEMENT)
    background: float = 0.01
    difficulty: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = {"confusion": self.confusion, "background": self.background}
        shares |= {"difficulty": self.difficulty, **self.miss}
        for what, share in shares.items():
            if not 0 <= share <= 1:
                raise ConfigError(f"{what} {share:g} is not in [0, 1]", where=f"expert {self.name!r}")

    def finds(self, cell: str, truth: str) -> bool:
        """Whether the expert finds a cell when screening.

        Parameters
        ----------
        cell : str
            Whatever names the cell: its slide and place.
        truth : str
            Its true label.
        """
        return chance(self.seed, self.name, "screening", cell) >= self.miss.get(truth, 0.0)

    def says(self, cell: str, truth: str, *, round_: str, is_cell: bool = True) -> str:
        """Return the label that the expert gives in a round; a second look in another round is a new one.

        Parameters
        ----------
        cell, truth : str
            See :meth:`finds`.
        round_ : str
            Name of the round.
        is_cell : bool
            False for a place where there is no cell of either class, which is easy to see.
        """
        error = self._error(cell) if is_cell else self.background
        wrong = chance(self.seed, self.name, round_, cell) < error
        if not wrong:
            return truth
        return LOOK_ALIKE.name if truth == MITOTIC_FIGURE.name else MITOTIC_FIGURE.name

    def _error(self, cell: str) -> float:
        """Return the chance to err on a cell: hard cells are hard for all experts of one seed."""
        if not self.difficulty:
            return self.confusion
        hard = 1 - self.difficulty * (1 - 2 * self.confusion)  # the share of hard cells, on which one guesses
        if chance(self.seed, "difficulty", cell) < hard:
            return min(0.5, self.confusion / hard)
        return max(0.0, (self.confusion - hard * min(0.5, self.confusion / hard)) / (1 - hard))


def chance(seed: int, *names: str) -> float:
    """Return a number in [0, 1) that depends on the seed and the names and on nothing else."""
    digest = hashlib.blake2b("\x1f".join((str(seed), *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64
