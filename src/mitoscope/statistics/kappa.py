"""Chance-corrected agreement: Cohen's and Fleiss' kappa, Krippendorff's alpha.

Each measure is a function of sums over cells. ``*_parts`` gives what each cell adds to the sums, ``*_of`` the
measure of sums of any leading shape, so that a thousand bootstrap resamples are one matrix product. A measure
that is not defined (no cells, or one label only, so that chance explains all) is NaN.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Labels = NDArray[np.int64]
Floats = NDArray[np.float64]


def _ratio(numerator: Any, denominator: Any) -> Floats:
    numerator, denominator = np.asarray(numerator, np.float64), np.asarray(denominator, np.float64)
    # Below 1e-12 the denominator is the rounding error of 0.
    defined = denominator > 1e-12
    result = np.full(np.broadcast_shapes(numerator.shape, denominator.shape), np.nan)
    np.divide(numerator, denominator, out=result, where=defined)
    return result


def confusion_parts(first: Labels, second: Labels, classes: int) -> Floats:
    """Return the pair of labels that each cell adds to the confusion of two raters, shape (n, k * k).

    Parameters
    ----------
    first, second : ndarray of int64, shape (n,)
        Labels of two raters, -1 where there is none; cells that one of them did not label add nothing.
    classes : int
        Number of labels k.
    """
    parts = np.zeros((len(first), classes * classes))
    rows = np.flatnonzero((first >= 0) & (second >= 0))
    parts[rows, first[rows] * classes + second[rows]] = 1
    return parts


def cohen_of(sums: Floats) -> Floats:
    """Return Cohen's kappa (Cohen 1960) of confusion tables, shape (..., k * k): (p_o - p_e) / (1 - p_e)."""
    classes = int(np.sqrt(sums.shape[-1]))
    table = sums.reshape(*sums.shape[:-1], classes, classes)
    total = table.sum(axis=(-2, -1))
    observed = _ratio(np.trace(table, axis1=-2, axis2=-1), total)
    expected = _ratio((table.sum(axis=-2) * table.sum(axis=-1)).sum(axis=-1), total**2)
    return _ratio(observed - expected, 1 - expected)


def fleiss_parts(counts: Labels, raters: int) -> Floats:
    """Return what each cell adds for Fleiss' kappa, shape (n, 2 + k): 1, its squares, its labels.

    Parameters
    ----------
    counts : ndarray of int64, shape (n, k)
        How many raters gave each label; cells with another number of labels than ``raters`` add nothing.
    raters : int
        Labels a cell.
    """
    rows = counts.astype(np.float64)
    parts = np.column_stack([np.ones(len(rows)), (rows**2).sum(axis=1), rows])
    return np.where((counts.sum(axis=1) == raters)[:, None], parts, 0.0)


def fleiss_of(sums: Floats, raters: int) -> Floats:
    """Return Fleiss' kappa (Fleiss 1971) of sums, shape (..., 2 + k)."""
    cells, squares, labels = sums[..., 0], sums[..., 1], sums[..., 2:]
    observed = _ratio(squares - raters * cells, cells * raters * (raters - 1))
    expected = _ratio((labels**2).sum(axis=-1), (cells * raters) ** 2)
    return _ratio(observed - expected, 1 - expected)


def alpha_parts(counts: Labels) -> Floats:
    """Return what each cell adds for Krippendorff's alpha, shape (n, 1 + k): its disagreement, its labels.

    Parameters
    ----------
    counts : ndarray of int64, shape (n, k)
        How many raters gave each label; cells with fewer than two labels add nothing.
    """
    rows = counts.astype(np.float64)
    raters = rows.sum(axis=1)
    different = raters * (raters - 1) - (rows * (rows - 1)).sum(axis=1)
    disagreement = different / np.maximum(raters - 1, 1)
    return np.where((raters >= 2)[:, None], np.column_stack([disagreement, rows]), 0.0)


def alpha_of(sums: Floats) -> Floats:
    """Return Krippendorff's alpha for nominal labels (Krippendorff 2011) of sums, shape (..., 1 + k)."""
    disagreement, labels = sums[..., 0], sums[..., 1:]
    total = labels.sum(axis=-1)
    expected = _ratio(total**2 - (labels**2).sum(axis=-1), total - 1)
    return 1 - _ratio(disagreement, expected)
