"""Atypical figures and others: judged among the figures that were found, and figures either way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mitoscope.detections import Detections, Searched
from mitoscope.evaluate import PROTOCOLS, evaluate
from mitoscope.labels import ATYPICAL_FIGURE, MITOTIC_FIGURE
from mitoscope.truth import GroundTruth, TrueCells

from .made import truth_of

AT, MF = ATYPICAL_FIGURE.name, MITOTIC_FIGURE.name
PLACES = np.array([[100.0 * place, 50.0] for place in range(6)])


def _truth(labels: dict[str, list[str]]) -> GroundTruth:
    plain = truth_of({image: PLACES[: len(label)] for image, label in labels.items()})
    slides = [
        replace(slide, cells=TrueCells.of(slide.cells.points_px0, labels[slide.name])) for slide in plain
    ]
    return plain.with_slides(slides)


def _found(label: list[str], score: list[float], *, threshold: float | None = None) -> Detections:
    found = Detections.of(PLACES[: len(label)] + 3, score).relabelled(np.array(label))
    return found.with_searched(Searched(threshold=threshold))


TRUTH = _truth({"a": [AT, AT, MF, MF, MF], "b": [AT, MF], "c": [MF]})


@pytest.mark.parametrize("protocol", list(PROTOCOLS.values()), ids=list(PROTOCOLS))
def test_kinds_of_found_figures_are_compared(protocol: object) -> None:
    found = {
        "a": _found([AT, MF, MF, AT, MF], [0.9, 0.9, 0.9, 0.9, 0.2]),  # the last is not above the threshold
        "b": _found([AT, MF], [0.9, 0.9]),
    }
    judged = evaluate(found, TRUTH, protocol=protocol, threshold=0.5)  # type: ignore[arg-type]
    assert judged.kinds is not None
    assert judged.kinds.matrix.counts.tolist() == [[2, 1], [1, 2]]
    assert judged.kinds.balanced_accuracy == pytest.approx(2 / 3)
    assert (judged.score.tp, judged.score.fp, judged.score.fn) == (6, 0, 2), "all are figures"
    told = judged.as_dict()["atypical"]
    assert (told["atypical_called_atypical"], told["other_called_atypical"]) == (2, 1)
    low, high = told["balanced_accuracy_95"]
    assert low < 2 / 3 < high == 1  # image b alone is all right


def test_where_nothing_tells_kinds_apart_none_are_judged() -> None:
    plain = {"a": _found([MF] * 5, [0.9] * 5)}
    assert evaluate(plain, TRUTH).kinds is None
    assert evaluate(plain, TRUTH).as_dict()["atypical"] is None
    told = {"c": _found([AT], [0.9])}
    assert evaluate(told, _truth({"c": [MF]})).kinds is None


def test_what_a_search_took_for_a_candidate_has_no_kind() -> None:
    found = {"a": _found([AT, MF, MF], [0.9, 0.6, 0.6], threshold=0.7)}
    judged = evaluate(found, TRUTH, threshold=0.5)
    assert judged.score.tp == 3
    assert judged.kinds is not None
    assert judged.kinds.matrix.counts.tolist() == [[1, 0], [0, 0]]
    assert judged.kinds.balanced_accuracy is None
