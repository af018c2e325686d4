"""Totals over all tiles from those that were labelled, corrected for how these were chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.curation.select.choice import Choice
from mitoscope.errors import FormatError, NonFiniteError

_Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Total:
    """An estimated total.

    Parameters
    ----------
    value : float
        Horvitz–Thompson estimate.
    standard_error : float
        NaN where it cannot be told: one tile drawn from several.
    tiles, chosen : int
        Tiles that the total is about, and those of them that were labelled.
    left_out : int
        Tiles that could not have been chosen: the total says nothing about them.
    naive : float
        The labelled tiles' mean times all tiles, as if they had been drawn evenly; for comparison.
    """

    value: float
    standard_error: float
    tiles: int
    chosen: int
    left_out: int
    naive: float

    @property
    def interval(self) -> tuple[float, float]:
        """Normal 95 % interval; NaN where the standard error is."""
        half = _Z_95 * self.standard_error
        return self.value - half, self.value + half


def horvitz_thompson(choice: Choice, value: ArrayLike) -> Total:
    """Estimate the total of a value over all tiles that could have been chosen.

    Each labelled tile counts 1 / its probability (Horvitz and Thompson 1952). Strata are simple random
    samples without replacement, so the variance is Σ N² (1 − n/N) s²/n over them.

    Parameters
    ----------
    choice : Choice
        Of tiles, not of whole slides: there the slide is what was drawn, see :func:`slide_total`.
    value : array_like, shape (n,)
        Of every tile, e.g. its figures; those of tiles that were not chosen are not looked at and may be NaN.

    Raises
    ------
    FormatError
        If there is not one value a tile.
    NonFiniteError
        If a chosen tile has none.
    """
    values = _checked(choice, value)
    possible = choice.probability > 0
    total = float((values[choice.chosen] / choice.probability[choice.chosen]).sum())
    strata = np.unique(choice.stratum[possible])
    variance = sum(_variance(values, choice, possible & (choice.stratum == one)) for one in strata.tolist())
    return _total(choice, values, total, variance)


def slide_total(choice: Choice, value: ArrayLike) -> Total:
    """Estimate the total where whole slides were drawn: the slide's sum is what varies.

    Parameters
    ----------
    choice : Choice
        From ``choose_slides``.
    value : array_like, shape (n,)
        As for :func:`horvitz_thompson`.

    Raises
    ------
    FormatError, NonFiniteError
        As :func:`horvitz_thompson`.
    """
    values = _checked(choice, value)
    drawn = np.unique(choice.tiles.slide[choice.chosen])
    sums = np.array([values[choice.tiles.slide == one].sum() for one in drawn.tolist()])
    slides, n = len(choice.tiles.slides), len(drawn)
    variance = _simple_variance(sums, slides)
    return _total(choice, values, float(sums.sum() * slides / n) if n else float("nan"), variance)


def _checked(choice: Choice, value: ArrayLike) -> NDArray[np.float64]:
    values = np.asarray(value, dtype=np.float64).reshape(-1)
    if len(values) != len(choice.tiles):
        raise FormatError(f"{len(values)} values for {len(choice.tiles)} tiles", where="estimate")
    missing = int((~np.isfinite(values[choice.chosen])).sum())
    if missing:
        what = f"{missing} of {int(choice.chosen.sum())} chosen tiles have no value"
        raise NonFiniteError(what, where="estimate", mend="label all chosen tiles first")
    return values


def _variance(values: NDArray[np.float64], choice: Choice, stratum: NDArray[np.bool_]) -> float:
    return _simple_variance(values[stratum & choice.chosen], int(stratum.sum()))


def _simple_variance(sample: NDArray[np.float64], population: int) -> float:
    n = len(sample)
    if n == population:
        return 0.0
    if n < 2:
        return float("nan")
    return float(population**2 * (1 - n / population) * sample.var(ddof=1) / n)


def _total(choice: Choice, values: NDArray[np.float64], total: float, variance: float) -> Total:
    possible = int((choice.probability > 0).sum())
    labelled = values[choice.chosen]
    return Total(
        value=total,
        standard_error=float(np.sqrt(variance)),
        tiles=possible,
        chosen=len(labelled),
        left_out=len(values) - possible,
        naive=float(labelled.mean() * possible) if len(labelled) else float("nan"),
    )
