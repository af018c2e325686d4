"""False positives by what they fell on, missed figures by class and size, and where they were lost."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from mitoscope.detections import Detections
from mitoscope.evaluate import ELSEWHERE, Evaluation, FalseKind, MissedKind, count_errors, evaluate
from mitoscope.geometry import Mpp
from mitoscope.labels import APOPTOTIC_CELL, ATYPICAL_FIGURE, LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.region import Region
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

FIGURE, ATYPICAL, APOPTOSIS, LOOKS = (
    label.name for label in (MITOTIC_FIGURE, ATYPICAL_FIGURE, APOPTOTIC_CELL, LOOK_ALIKE)
)
CELLS = TrueCells.of(
    [[100, 100], [200, 100], [300, 100], [100, 500], [200, 500], [300, 500]],
    [FIGURE, ATYPICAL, FIGURE, APOPTOSIS, APOPTOSIS, LOOKS],
    size_px0=np.array([[20, 24], [60, 60], [np.nan, np.nan], [30, 30], [30, 30], [30, 30]]),
)
FOUND = Detections.of(
    [[100, 100], [200, 100], [104, 500], [110, 500], [300, 500], [900, 900]],
    [0.9, 0.3, 0.8, 0.7, 0.6, 0.2],
)


def judged(cells: TrueCells = CELLS, *, threshold: float = 0.5, mpp: float | None = 0.25) -> Evaluation:
    whole = ExaminedArea.whole("a test")
    scale = None if mpp is None else Mpp.square(mpp)
    truth = GroundTruth((SlideTruth("a.png", cells, mpp=scale, stated_examined=whole),))
    return evaluate({"a": FOUND}, truth, threshold=threshold)


def test_false_positives_by_what_they_fell_on() -> None:
    # Of the two on one apoptotic cell one counts for it: matching is one to one, the other is on none.
    assert count_errors(judged()).false == (
        FalseKind(APOPTOSIS, 1, 2),
        FalseKind(LOOKS, 1, 1),
        FalseKind(ELSEWHERE, 1, None),
    )
    low = count_errors(judged(threshold=0.1))
    assert {row.kind: row.false for row in low.false} == {APOPTOSIS: 1, LOOKS: 1, ELSEWHERE: 2}
    assert sum(row.false for row in low.false) == judged(threshold=0.1).score.fp


def test_a_list_of_kinds_goes_before_the_ground_truth() -> None:
    kinds = {"a": TrueCells.of([[300, 502], [112, 500]], ["pigment", "lymphocyte"])}
    found = {row.kind: (row.false, row.cells) for row in count_errors(judged(), kinds).false}
    assert found == {APOPTOSIS: (1, 2), LOOKS: (0, 1), "lymphocyte": (1, 1), "pigment": (1, 1)}


def test_kinds_outside_of_the_examined_area_do_not_count() -> None:
    judgement = judged()
    image = judgement.judged_images["a"]
    left = ExaminedArea(Region.of_polygon([[0, 0], [310, 0], [310, 1000], [0, 1000]]), "a test")
    part = replace(judgement, judged_images={"a": replace(image, examined=left)})
    kinds = {"a": TrueCells.of([[300, 502], [900, 900]], ["pigment", "pigment"])}
    found = {row.kind: row.cells for row in count_errors(part, kinds).false}
    assert found["pigment"] == 1


def test_missed_figures_by_class_and_where_they_were_lost() -> None:
    table = count_errors(judged())
    assert table.missed_by_class == (MissedKind(ATYPICAL, 1, 0, 1, 0), MissedKind(FIGURE, 2, 1, 0, 1))
    assert [row.recall for row in table.missed_by_class] == [0, 0.5]
    told = table.as_dict()["missed_by_class"][0]
    assert told == {
        "kind": ATYPICAL,
        "figures": 1,
        "found": 0,
        "below_threshold": 1,
        "no_candidate": 0,
        "recall": 0,
    }


def test_missed_figures_by_size_in_micrometres() -> None:
    assert count_errors(judged()).missed_by_size == (
        MissedKind("below 8 µm", 1, 1, 0, 0),
        MissedKind("12 to 16 µm", 1, 0, 1, 0),
        MissedKind("size not stated", 1, 0, 0, 1),
    )
    finer = count_errors(judged(mpp=0.5)).missed_by_size
    assert [row.kind for row in finer] == ["8 to 12 µm", "16 µm and more", "size not stated"]
    assert count_errors(judged(mpp=None)).missed_by_size == ()
    points = TrueCells.of(CELLS.points_px0, CELLS.label)
    assert count_errors(judged(points)).missed_by_size == ()


@pytest.mark.parametrize("protocol", ["midog", "cmc", "amida"])
def test_every_protocol_counts_all_errors(protocol: str) -> None:
    from mitoscope.evaluate import PROTOCOLS

    whole = ExaminedArea.whole("a test")
    truth = GroundTruth((SlideTruth("a", CELLS, mpp=Mpp.square(0.25), stated_examined=whole),))
    found = evaluate({"a": FOUND}, truth, threshold=0.1, protocol=PROTOCOLS[protocol])
    table = count_errors(found)
    assert sum(row.false for row in table.false) == found.score.fp
    assert sum(row.figures - row.found for row in table.missed_by_class) == found.score.fn
