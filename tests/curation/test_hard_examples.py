"""Which cells are read again, and what becomes of the ambiguous ones."""

from __future__ import annotations

import pytest

from mitoscope.curation.hard_examples import hard_examples, split_ambiguous
from mitoscope.errors import FormatError, NonFiniteError
from mitoscope.labels import AMBIGUOUS, LOOK_ALIKE, MITOTIC_FIGURE, TUMOUR_CELL

LABELS = [MITOTIC_FIGURE.name, LOOK_ALIKE.name, AMBIGUOUS.name, LOOK_ALIKE.name, AMBIGUOUS.name]


def test_the_confident_ones_come_first_and_figures_are_not_asked() -> None:
    assert hard_examples(LABELS, [0.99, 0.91, 0.97, 0.9, 0.97]).tolist() == [2, 4, 1]
    assert hard_examples(LABELS, [0.99, 0.91, 0.97, 0.9, 0.97], threshold=0.95).tolist() == [2, 4]
    assert hard_examples([], []).tolist() == []
    assert hard_examples(["atypical mitotic figure", LOOK_ALIKE.name], [0.99, 0.95]).tolist() == [1]


def test_ambiguous_cells_are_split_at_one_half() -> None:
    assert split_ambiguous([0.9, 0.51, 0.5]) == (LOOK_ALIKE.name, LOOK_ALIKE.name, TUMOUR_CELL.name)
    assert split_ambiguous([0.9, 0.51], threshold=0.6) == (LOOK_ALIKE.name, TUMOUR_CELL.name)


def test_scores_that_cannot_be_are_refused() -> None:
    with pytest.raises(FormatError, match="5 labels and 1 scores"):
        hard_examples(LABELS, [0.5])
    with pytest.raises(FormatError, match="outside"):
        hard_examples(LABELS[:1], [1.5])
    with pytest.raises(NonFiniteError):
        split_ambiguous([float("nan")])
