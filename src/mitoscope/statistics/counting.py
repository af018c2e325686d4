"""How many of some uncertain things there are, and how many there would be in another sample.

Each thing is there with a probability of its own; how many are there follows the Poisson-binomial
distribution. A count is one sample of what it was drawn from: of the mean of a Poisson process that gave k
things, Jeffreys' posterior is a gamma distribution of shape k + 1/2 (Brown, Cai and DasGupta 2003), and what
a second sample of the same size gives is negative binomial. Where k is uncertain itself, both are mixtures.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import NonFiniteError
from mitoscope.statistics.bootstrap import LEVEL, Interval

Floats = NDArray[np.float64]
_NEGLIGIBLE = 1e-12
"""Probability in each tail that is left out; the transforms are exact to about 1e-16."""
_HALVINGS = 60
_FIRST_BY_HAND = 64
"""Up to so many uncertain things the distribution is convolved directly: exact to the last digit."""


@dataclass(frozen=True, eq=False)
class CountDistribution:
    """The probability of each number of things. Use `of`.

    Parameters
    ----------
    mean : float
        Expected number: the sum of the probabilities, exact, so their order does not matter.
    first : int
        Smallest number that is not negligible.
    shares : ndarray of float64, shape (k,)
        Probability of ``first``, ``first + 1``, …; their sum is 1.
    """

    mean: float
    first: int
    shares: Floats

    @classmethod
    def of(cls, probabilities: ArrayLike) -> CountDistribution:
        """Return how many of some independent things are there.

        Parameters
        ----------
        probabilities : array_like, shape (n,)
            Of each thing, in [0, 1].

        Raises
        ------
        NonFiniteError
            If one is no probability.
        """
        each = np.asarray(probabilities, dtype=np.float64).reshape(-1)
        if not ((each >= 0) & (each <= 1)).all():
            raise NonFiniteError("a probability outside [0, 1]", where="expected number")
        certain = int(np.count_nonzero(each == 1))
        shares = _poisson_binomial(np.sort(each[(each > 0) & (each < 1)]))
        first, last = np.searchsorted(shares.cumsum(), [_NEGLIGIBLE, 1 - _NEGLIGIBLE]).tolist()
        kept = shares[first : last + 1]
        return cls(math.fsum(each), certain + first, kept / kept.sum())

    @property
    def numbers(self) -> NDArray[np.int64]:
        """The numbers that the shares are of, shape (k,)."""
        return np.arange(self.first, self.first + len(self.shares))

    def interval(self, level: float = LEVEL) -> Interval:
        """Return the central interval of the number itself: how unsure it is which things are there."""
        ends = np.searchsorted(self.shares.cumsum(), _tails(level))
        low, high = np.minimum(ends, len(self.shares) - 1).tolist()
        return Interval(float(self.first + low), float(self.first + high))

    def mean_interval(self, level: float = LEVEL) -> Interval:
        """Return the central interval of the mean of which the number is one Poisson sample.

        It joins both: how unsure the number is, and how much a sample of this size varies by chance. Where
        there is nothing to be counted the lower end is 0, as Brown, Cai and DasGupta set it.
        """
        from scipy import special  # slow to load, and seldom needed

        shapes = self.numbers + 0.5
        # A gamma distribution of shape s hardly reaches s + 12 √s + 40.
        low = np.zeros(2)
        high = np.full(2, float(shapes[-1] + 12 * np.sqrt(shapes[-1]) + 40))
        wanted = np.array(_tails(level))
        for _ in range(_HALVINGS):
            middle = (low + high) / 2
            below = self.shares @ special.gammainc(shapes[:, None], middle[None, :])
            low, high = np.where(below < wanted, middle, low), np.where(below < wanted, high, middle)
        least, most = ((low + high) / 2).tolist()
        return Interval(0.0 if self.interval(level).high == 0 else least, most)

    def share_between(self, first: int, last: int | None) -> float:
        """Return the probability of a number from ``first`` to ``last``, both included; None: without end."""
        inside = self.numbers >= first
        if last is not None:
            inside &= self.numbers <= last
        return float(self.shares[inside].sum())

    def repeated_between(self, first: int, last: int | None) -> float:
        """Return the same of a second sample of the same size, drawn where this one was."""
        return self._repeated_up_to(last) - self._repeated_up_to(first - 1)

    def _repeated_up_to(self, last: int | None) -> float:
        if last is None:
            return 1.0
        if last < 0:
            return 0.0
        from scipy import special

        return float(self.shares @ special.betainc(self.numbers + 0.5, last + 1.0, 0.5))


def _tails(level: float) -> tuple[float, float]:
    return (1 - level) / 2, (1 + level) / 2


def _poisson_binomial(probabilities: Floats) -> Floats:
    """Return the probability of 0, 1, … n things, shape (n + 1,): things are joined two by two."""
    joined = np.column_stack([1 - probabilities, probabilities])
    if len(joined) <= _FIRST_BY_HAND:
        shares = np.ones(1)
        for one in joined:
            shares = np.convolve(shares, one)
        return shares
    while len(joined) > 1:
        if len(joined) % 2:
            nothing = np.zeros((1, joined.shape[1]))
            nothing[0, 0] = 1.0
            joined = np.concatenate([joined, nothing])
        length = 2 * joined.shape[1] - 1
        size = 1 << length.bit_length()  # fast to transform
        product = np.fft.rfft(joined[0::2], size) * np.fft.rfft(joined[1::2], size)
        joined = np.maximum(np.fft.irfft(product, size)[:, :length], 0.0)
    return np.asarray(joined[0, : len(probabilities) + 1] / joined[0].sum())


def random_parts(n: int, *, parts: int, repeats: int, seed: int = 0) -> NDArray[np.int64]:
    """Return in which of some parts each of n things falls, drawn for each by itself, shape (repeats, n).

    The parts of a Poisson process thinned in this way are independent of each other (Kingman 1993). The same
    arguments give the same parts.
    """
    return np.random.default_rng(seed).integers(parts, size=(repeats, n))
