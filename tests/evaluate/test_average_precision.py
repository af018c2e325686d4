from __future__ import annotations

import contextlib
import io
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from mitoscope.evaluate import PROTOCOLS, Steps, average_precision, iou_protocol
from mitoscope.evaluate.curves import draw_average_precision
from mitoscope.statistics import percentiles
from tests.evaluate.made import Made, make, swept


def steps(score: list[float], true: list[bool], figures: int) -> Steps:
    hit = np.array(true, dtype=np.int64).reshape(-1)
    return Steps(np.array(score, dtype=float), hit, 1 - hit, figures)


def coco_ap(made: Made, iou: float, side: float) -> float:
    """Return AP at one overlap from pycocotools."""
    pytest.importorskip("pycocotools")
    from pycocotools.coco import COCO  # type: ignore[import-untyped]
    from pycocotools.cocoeval import COCOeval  # type: ignore[import-untyped]

    predictions, truth = made

    def boxes(points: NDArray[np.float64]) -> list[list[float]]:
        return [[x - side / 2, y - side / 2, side, side] for x, y in points.tolist()]

    annotations: list[dict[str, Any]] = []
    results: list[dict[str, Any]] = []
    for number, image in enumerate(predictions, 1):
        for box in boxes(truth[image]):
            annotations.append(
                {"id": len(annotations) + 1, "image_id": number, "category_id": 1, "bbox": box}
                | {"area": side * side, "iscrowd": 0}
            )
        found = predictions[image]
        for box, score in zip(boxes(found.points_px0), found.score.tolist(), strict=True):
            results.append({"image_id": number, "category_id": 1, "bbox": box, "score": score})
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {
            "info": {},
            "images": [{"id": n + 1} for n in range(len(predictions))],
            "annotations": annotations,
            "categories": [{"id": 1, "name": "mitotic figure"}],
        }
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(results), "bbox")
        judge.params.iouThrs = np.array([iou])
        judge.params.areaRng = [[0, 1e10]]
        judge.params.areaRngLbl = ["all"]
        judge.params.maxDets = [100_000]
        judge.evaluate()
        judge.accumulate()
    precision = judge.eval["precision"][0, :, 0, 0, 0]
    return float(precision.mean())


@pytest.mark.parametrize("iou", [0.3, 0.5, 0.75])
@pytest.mark.parametrize("seed", range(4))
def test_equals_pycocotools(iou: float, seed: int) -> None:
    made = make(5, 40, seed=seed)
    protocol = iou_protocol(iou, side_px=50.0)
    ours = average_precision(Steps.total(swept(made, protocol).values()))
    assert ours == pytest.approx(coco_ap(made, iou, 50.0), abs=1e-12)
    assert ours is not None
    assert 0 < ours < 1


def by_hand(score: list[float], true: list[bool], figures: int) -> float:
    """Interpolate at each of 101 recalls, following the definition."""
    curve = []
    for level in sorted(set(score), reverse=True):
        hits = [hit for one, hit in zip(score, true, strict=True) if one >= level]
        curve.append((sum(hits) / figures, sum(hits) / len(hits)))
    wanted = np.linspace(0, 1, 101).tolist()
    return sum(max([p for r, p in curve if r >= recall], default=0.0) for recall in wanted) / 101


@settings(max_examples=60)
@given(
    rows=st.lists(st.tuples(st.sampled_from([0.1, 0.2, 0.5, 0.8]), st.booleans()), max_size=12),
    missed=st.integers(0, 3),
)
def test_equals_the_definition(rows: list[tuple[float, bool]], missed: int) -> None:
    score, true = [row[0] for row in rows], [row[1] for row in rows]
    figures = sum(true) + missed
    found = average_precision(steps(score, true, figures))
    if figures == 0:
        assert found is None
    else:
        assert found == pytest.approx(by_hand(score, true, figures), abs=1e-12)


def test_known_values() -> None:
    assert average_precision(steps([0.9, 0.8], [True, True], 2)) == 1.0
    assert average_precision(steps([], [], 3)) == 0.0


def one_by_one(cases: dict[str, Steps], repeats: int, seed: int) -> list[float]:
    generator = np.random.default_rng(seed)
    names = list(cases)
    values = []
    for drawn in generator.integers(len(names), size=(repeats, len(names))).tolist():
        area = average_precision(Steps.total(cases[names[n]] for n in drawn))
        if area is not None:
            values.append(area)
    return values


def test_the_interval_equals_drawing_one_by_one() -> None:
    cases = swept(make(8, 10, seed=3), PROTOCOLS["mitoscope"])
    found = percentiles(draw_average_precision(cases, repeats=60, seed=5))
    assert found is not None
    expected = np.quantile(one_by_one(cases, 60, 5), [0.025, 0.975])
    assert [found.low, found.high] == pytest.approx(expected.tolist())
    assert (
        percentiles(draw_average_precision({"a": Steps.none(), "b": Steps.none()}, repeats=5, seed=0)) is None
    )
