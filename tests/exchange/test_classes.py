"""What a format with room for one class states of each cell."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings

from mitoscope.exchange.classes import UNKNOWN, apply_mapping, stated_classes
from mitoscope.exchange.format import EVERYTHING, Aspect, left_out
from mitoscope.labels import DEFAULT_LABELS, IGNORED, LabelMapping
from mitoscope.store import Cells, LabelEvents, Policy, Rater, RaterKind, SlideRecord, Study
from mitoscope.store.ground_truth import agreed_of

from .studies import studies

EXPERTS = (Rater("a"), Rater("b"), Rater("c"))
NET = Rater("net", RaterKind.MODEL)


def study_of(*labels: dict[int, int], score: float = np.nan) -> Study:
    """Cells with the label of each rater: a, b, c, a network."""
    rows = [(cell, rater, label) for cell, said in enumerate(labels) for rater, label in said.items()]
    points = np.arange(2 * len(labels), dtype=float).reshape(-1, 2)
    cell, rater, label = zip(*rows, strict=True)
    return Study(
        (SlideRecord("slide"),),
        DEFAULT_LABELS,
        (*EXPERTS, NET),
        cells=Cells.spots(np.zeros(len(labels)), points),
        events=LabelEvents.of(cell, rater, label, score=[score] * len(rows)),
    )


def test_a_dispute_that_a_third_expert_settled_has_a_class() -> None:
    study = study_of({0: 0, 1: 1, 2: 0}, {0: 0, 1: 1}, {0: 1})
    assert stated_classes(study)[0].tolist() == [0, UNKNOWN, 1]
    assert stated_classes(study, Policy.UNANIMOUS)[0].tolist() == [UNKNOWN, UNKNOWN, 1]


def test_models_speak_only_where_nobody_else_did() -> None:
    study = study_of({0: 0, 1: 1, 3: 1}, {3: 0}, {0: 1, 3: 0}, score=0.25)
    assert stated_classes(study)[0].tolist() == [UNKNOWN, UNKNOWN, 1]
    labels, scores = stated_classes(study, models=True)
    assert labels.tolist() == [UNKNOWN, 0, 1]
    assert scores.tolist() == [np.nan, 0.25, 0.25] or np.isnan(scores[0])


@settings(max_examples=60, deadline=None)
@given(studies())
def test_a_study_of_the_fields_classes_is_what_it_was(study: Study) -> None:
    mapped, names = apply_mapping(study, LabelMapping().with_classes(study.labels), "a")
    assert mapped == study
    assert all(name == means for name, means in names.items())


@settings(max_examples=60, deadline=None)
@given(studies())
def test_ignored_labels_leave_with_the_cells_that_bear_no_other(study: Study) -> None:
    mapping = LabelMapping(study.labels, {"look-alike": IGNORED})
    mapped, _ = apply_mapping(study, mapping, "a")
    look_alike = study.labels.names.index("look-alike")
    spoken = set(study.events.cell.tolist())
    others = set(study.events.cell[study.events.label != look_alike].tolist())
    assert "look-alike" not in mapped.labels.names
    assert len(mapped.cells) == len(study.cells) - len(spoken - others)
    assert len(mapped.events) == int((study.events.label != look_alike).sum())
    for before, after in zip(study.versions, mapped.versions, strict=True):
        kept = [cell for cell in before.cell.tolist() if cell not in spoken - others]
        assert len(after.cell) == len(kept)


@settings(max_examples=60, deadline=None)
@given(studies())
def test_the_class_is_that_of_the_policy_and_the_score_one_of_its_scores(study: Study) -> None:
    for policy in Policy:
        labels, scores = stated_classes(study, policy)
        assert np.array_equal(labels, agreed_of(study, policy).label)
        for cell, score in enumerate(scores.tolist()):
            rows = (study.events.cell == cell) & (study.events.label == labels[cell])
            given_scores = study.events.score[rows]
            known = given_scores[~np.isnan(given_scores)]
            assert (np.isnan(score) and not len(known)) or score == known.max()


@settings(max_examples=30, deadline=None)
@given(studies())
def test_losses_name_what_a_format_does_not_hold(study: Study) -> None:
    assert left_out(study, EVERYTHING) == ()
    lines = left_out(study, EVERYTHING - {Aspect.REGIONS})
    assert lines == ((f"not held by the format: regions ({len(study.regions)})",) if study.regions else ())
