"""Hard examples (HEAEL): cells that a classifier takes for figures against their label, and ambiguous ones.

CCMCT: two experts disagree on some cells, which are *ambiguous*. A classifier is asked about these and the
non-mitotic cells; those that it is sure are figures go back to the experts. What stays ambiguous is split by
the dual-stage score: above one half a look-alike, else another cell, unless the experts say otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.labels import AMBIGUOUS, LOOK_ALIKE, TUMOUR_CELL, is_figure
from mitoscope.store import Policy, Store

CONFIDENT = 0.9
"""A classifier this sure of a figure sends a non-mitotic cell back to the experts."""
SPLIT_AT = 0.5
"""An ambiguous cell above it becomes a look-alike (CCMCT)."""


def hard_examples(
    label: Sequence[str], score: ArrayLike, *, threshold: float = CONFIDENT
) -> NDArray[np.intp]:
    """Return the rows of the cells to be read again, by descending score; ties in their order.

    Parameters
    ----------
    label : sequence of str, shape (n,)
        Present class of each cell; mitotic figures, atypical ones too, are not asked about again.
    score : array_like, shape (n,)
        Score for "mitotic figure" in [0, 1], from a classifier that was not trained on the cell's case.
    threshold : float
        Scores not above it are left alone.

    Raises
    ------
    FormatError
        If labels and scores are not of one length, or a score is outside of [0, 1].
    NonFiniteError
        If a score is NaN or infinite.
    """
    scores = _checked(score)
    if len(scores) != len(label):
        raise FormatError(f"{len(label)} labels and {len(scores)} scores", where="hard examples")
    asked = np.array([not is_figure(name) for name in label], np.bool_) & (scores > threshold)
    rows = np.flatnonzero(asked)
    return rows[np.argsort(-scores[rows], kind="stable")]


def against_labels(
    store: Store, score_of: Mapping[int, float], *, policy: Policy, threshold: float = CONFIDENT
) -> tuple[int, list[int]]:
    """Return how many cells of a study have a score, and those to be read again, the surest first.

    Parameters
    ----------
    store : Store
    score_of : mapping of int to float
        Scores for "mitotic figure" by cell; cells that are not in the study are left out.
    policy : Policy
        By which a cell gets its present class.
    threshold : float
        As :func:`hard_examples`.
    """
    names = {id_: label.name for id_, label in store.labels().items()}
    view = store.agreed(policy)
    rows = zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True)
    label_of = {cell: names.get(label, AMBIGUOUS.name) for cell, label in rows}
    cells = [cell for cell in score_of if cell in label_of]
    chosen = hard_examples(
        [label_of[cell] for cell in cells], [score_of[cell] for cell in cells], threshold=threshold
    )
    return len(cells), [cells[row] for row in chosen.tolist()]


def split_ambiguous(score: ArrayLike, *, threshold: float = SPLIT_AT) -> tuple[str, ...]:
    """Return what ambiguous cells become, shape (n,).

    Parameters
    ----------
    score : array_like, shape (n,)
        Score of the dual stage for "mitotic figure" in [0, 1].
    threshold : float
        Scores above it make a look-alike.

    Raises
    ------
    FormatError, NonFiniteError
        As :func:`hard_examples`.
    """
    scores = _checked(score).tolist()
    return tuple(LOOK_ALIKE.name if value > threshold else TUMOUR_CELL.name for value in scores)


def _checked(score: ArrayLike) -> NDArray[np.float64]:
    scores = np.asarray(score, dtype=np.float64).reshape(-1)
    if not np.isfinite(scores).all():
        raise NonFiniteError("NaN or infinity among the scores", where="hard examples")
    if len(scores) and not 0 <= scores.min() <= scores.max() <= 1:
        raise FormatError("a score outside [0, 1]", where="hard examples")
    return scores
