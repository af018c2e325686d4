"""Hard examples (HEAEL): cells that a classifier takes for figures against their label, and ambiguous ones.

CCMCT: two experts disagree on some cells, which are *ambiguous*. A classifier is asked about these and the
non-mitotic cells; those that it is sure are figures go back to the experts. What stays ambiguous is split by
the dual-stage score: above one half a look-alike, else another cell, unless the experts say otherwise.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.labels import AMBIGUOUS, LOOK_ALIKE, MITOTIC_FIGURE, TUMOUR_CELL

CONFIDENT = 0.9
"""A classifier this sure of a figure sends a non-mitotic cell back to the experts."""
SPLIT_AT = 0.5
"""An ambiguous cell above it becomes a look-alike (CCMCT)."""


def hard_examples(
    label: Sequence[str],
    score: ArrayLike,
    *,
    threshold: float = CONFIDENT,
    never: Collection[str] = (MITOTIC_FIGURE.name,),
) -> NDArray[np.intp]:
    """Return the rows of the cells to be read again, by descending score; ties in their order.

    Parameters
    ----------
    label : sequence of str, shape (n,)
        Present class of each cell.
    score : array_like, shape (n,)
        Score for "mitotic figure" in [0, 1], from a classifier that was not trained on the cell's case.
    threshold : float
        Scores not above it are left alone.
    never : collection of str
        Classes that are not asked about again.

    Raises
    ------
    FormatError
        If labels and scores are not of one length, or a score is outside of [0, 1].
    NonFiniteError
        If a score is NaN or infinite.
    """
    scores = _checked(label, score)
    asked = np.array([one not in never for one in label], dtype=np.bool_) & (scores > threshold)
    rows = np.flatnonzero(asked)
    return rows[np.argsort(-scores[rows], kind="stable")]


def split_ambiguous(
    label: Sequence[str],
    score: ArrayLike,
    *,
    said: Mapping[int, str] | None = None,
    threshold: float = SPLIT_AT,
) -> tuple[str, ...]:
    """Return the classes after the ambiguous cells have been split, shape (n,).

    Parameters
    ----------
    label : sequence of str, shape (n,)
        Present class of each cell; only ``ambiguous`` ones change.
    score : array_like, shape (n,)
        Score of the dual stage in [0, 1].
    said : mapping of int to str, optional
        Row → what the experts decided in the re-review; it goes before the score, for every class.
    threshold : float
        Scores above it make a look-alike.

    Raises
    ------
    FormatError, NonFiniteError
        As :func:`hard_examples`.
    """
    scores = _checked(label, score)
    decided = dict(said or {})
    split = (
        (LOOK_ALIKE.name if value > threshold else TUMOUR_CELL.name) if one == AMBIGUOUS.name else one
        for one, value in zip(label, scores.tolist(), strict=True)
    )
    return tuple(decided.get(row, one) for row, one in enumerate(split))


def _checked(label: Sequence[str], score: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(score, dtype=np.float64).reshape(-1)
    if len(scores) != len(label):
        raise FormatError(f"{len(label)} labels and {len(scores)} scores", where="hard examples")
    if not np.isfinite(scores).all():
        raise NonFiniteError("NaN or infinity among the scores", where="hard examples")
    if len(scores) and not 0 <= scores.min() <= scores.max() <= 1:
        raise FormatError("a score outside [0, 1]", where="hard examples")
    return scores
