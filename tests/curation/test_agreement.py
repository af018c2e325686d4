"""The agreement of a study that is small enough to count by hand, and of one whose truth is known."""

from __future__ import annotations

import math

import numpy as np
import pytest

from mitoscope.curation import ALL, agreement, ratings
from mitoscope.errors import FormatError
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import Domain, Rater, RaterKind, Round, RoundKind, SlideRecord, Study, StudyBuilder

M, L = 0, 1


def study_of(lists: list[list[int]], *, raters: int = 3, seconds: float = math.nan, cases: int = 3) -> Study:
    """Return a study whose cell i has the labels of list i by experts 1, 2, ...; slides alternate."""
    builder = StudyBuilder(DEFAULT_LABELS)
    domains = [Domain(tumour_type=name, scanner="XR") for name in ("breast", "lung")]
    slides = [
        builder.slide(SlideRecord(f"{n}.svs", case=f"c{n}", domain=domains[n % 2])) for n in range(cases)
    ]
    experts = [builder.rater(Rater(f"expert {n}")) for n in range(1, raters + 1)]
    model = builder.rater(Rater("RetinaNet", RaterKind.MODEL))
    for number, labels in enumerate(lists):
        cell = builder.cell(slides[number % cases], (number, number))
        builder.event(cell, model, L)
        for rater, label in zip(experts, labels, strict=False):
            if label is not None:
                builder.event(cell, rater, label, seconds=seconds)
    return builder.build()


HAND = [[M, M], [L, L], [M, L, M], [L, M, L], [M, L], [M, M], [L], [-1, M]]


def test_two_reads_and_a_third_counted_by_hand() -> None:
    found = agreement(study_of(HAND), repeats=50)
    whole = found[-1]
    assert whole.domain == ALL
    assert whole.cells == 8
    reads = whole.reads
    assert reads.cells == 6
    assert reads.agreed == {"mitotic figure": 2, "look-alike": 1}
    assert reads.disagreed == 3
    assert reads.third == {"mitotic figure": 1, "look-alike": 1}
    assert reads.final == {"mitotic figure": 3, "look-alike": 2}
    assert reads.unresolved == 1
    assert whole.disagreement.value == 0.5
    assert reads.third_share == {"mitotic figure": 0.5, "look-alike": 0.5}


def test_each_domain_and_all() -> None:
    found = agreement(study_of(HAND), repeats=50)
    assert [one.domain for one in found] == ["breast", "lung", ALL]
    assert sum(one.cells for one in found[:-1]) == found[-1].cells
    assert [one.cases for one in found] == [2, 1, 3]
    assert [one.domain for one in agreement(study_of(HAND), by=("scanner",), repeats=9)] == ["XR", ALL]
    with pytest.raises(FormatError, match="a slide has no 'colour'"):
        agreement(study_of(HAND), by=("colour",))


def test_pairs_have_the_confusion_of_their_common_cells() -> None:
    pairs = {one.raters: one for one in agreement(study_of(HAND), repeats=50)[-1].pairs}
    first = pairs["expert 1", "expert 2"]
    assert first.cells == 6
    assert first.confusion.tolist() == [[2, 2], [1, 1]]
    assert first.kappa.value == pytest.approx(0.0)
    assert pairs["expert 1", "expert 3"].cells == 2


def test_fleiss_is_over_what_all_cells_have() -> None:
    # Over the cells with exactly two labels, those on which a third was not needed, it would be 1.
    lists = [[M, M]] * 30 + [[L, L]] * 30 + [[M, L, M]] * 20 + [[L, M, L]] * 20
    whole = agreement(study_of(lists), repeats=50)[-1]
    assert whole.fleiss_raters == 2
    assert whole.fleiss.value == pytest.approx((0.6 - 0.5) / 0.5)


def test_models_and_withdrawn_labels_do_not_count() -> None:
    part = ratings(study_of(HAND))
    assert part.raters == ("expert 1", "expert 2", "expert 3")
    assert part.label[-1].tolist() == [-1, M, -1]
    assert part.in_turn(0)[-1] == M
    with_model = ratings(study_of(HAND), kinds=tuple(RaterKind))
    assert with_model.in_turn(0).tolist() == [L] * 8


def test_the_last_label_of_a_rater_counts_and_the_first_gives_the_turn() -> None:
    builder = StudyBuilder(DEFAULT_LABELS)
    slide, one, two = builder.slide(SlideRecord("a")), builder.rater(Rater("1")), builder.rater(Rater("2"))
    board = builder.round(Round("board", RoundKind.BOARD_REVIEW))
    cell = builder.cell(slide, (1, 1))
    builder.event(cell, one, M)
    builder.event(cell, two, L)
    builder.event(cell, one, L, round_=board)
    part = ratings(builder.build())
    assert part.label.tolist() == [[L, L]]
    assert part.turn.tolist() == [[0, 1]]


def test_deleted_cells_do_not_count() -> None:
    builder = StudyBuilder(DEFAULT_LABELS)
    slide, one = builder.slide(SlideRecord("a")), builder.rater(Rater("1"))
    builder.event(builder.cell(slide, (1, 1), deleted=True), one, M)
    assert len(ratings(builder.build())) == 0
    whole = agreement(builder.build())[-1]
    assert whole.reads.cells == 0
    assert math.isnan(whole.disagreement.value)
    assert math.isnan(whole.fleiss.value)


def test_time_per_label() -> None:
    times = agreement(study_of(HAND, seconds=4.0), repeats=9)[-1].times
    assert [(one.rater, one.median_s, one.quartiles_s) for one in times] == [
        ("expert 1", 4.0, (4.0, 4.0)),
        ("expert 2", 4.0, (4.0, 4.0)),
        ("expert 3", 4.0, (4.0, 4.0)),
    ]
    assert agreement(study_of(HAND), repeats=9)[-1].times == ()


def test_a_known_rate_lies_in_its_interval() -> None:
    rng = np.random.default_rng(0)
    lists = [
        [label, label if rng.random() < 0.8 else 1 - label] for label in rng.integers(0, 2, 3000).tolist()
    ]
    whole = agreement(study_of(lists, cases=40))[-1]
    assert whole.disagreement.low < 0.2 < whole.disagreement.high
    assert whole.fleiss.low < 0.6 < whole.fleiss.high
    assert whole.disagreement.high - whole.disagreement.low < 0.06


def test_a_study_without_labels_or_raters() -> None:
    whole = agreement(Study())[-1]
    assert whole.cells == 0
    assert whole.pairs == ()
