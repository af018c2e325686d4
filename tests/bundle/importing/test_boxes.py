"""Boxes of every layout, held against the rule of its program, written out in NumPy."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.bundle.importing.heads import SIDE, head, points_of, statement, used

CLASSES = ("look-alike", "mitotic figure", "atypical mitotic figure")
FLOOR = 0.05
Boxes = NDArray[np.float32]


def _corners(count: int, seed: int) -> Boxes:
    """Draw boxes that overlap, in px."""
    random = np.random.default_rng(seed)
    middle, size = random.uniform(2, SIDE - 2, (count, 2)), random.uniform(6, 14, (count, 2))
    return np.hstack([middle - size / 2, middle + size / 2]).astype(np.float32)


def _centred(corners: Boxes) -> Boxes:
    low, high = corners[:, :2], corners[:, 2:]
    return np.hstack([(low + high) / 2, high - low])


def _iou(one: Boxes, others: Boxes) -> NDArray[np.float64]:
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:], others[:, 2:])
    both = (high - low).clip(0).prod(1, dtype=np.float64)
    areas = (others[:, 2:] - others[:, :2]).prod(1)
    shares: NDArray[np.float64] = both / ((one[2:] - one[:2]).prod() + areas - both)
    return shares


def _suppressed(corners: Boxes, scores: NDArray[Any], iou: float) -> list[int]:
    """Return which boxes of one class are kept."""
    kept: list[int] = []
    for at in np.argsort(-scores, kind="stable"):
        if scores[at] > FLOOR and not (kept and (_iou(corners[at], corners[kept]) > iou).any()):
            kept.append(int(at))
    return kept


def _expected(corners: Boxes, scores: NDArray[Any], iou: float | None, *, cut: bool) -> NDArray[np.float64]:
    """Return the points of the figure classes: of each box the score of its best class, or nothing."""
    best, rows = scores.argmax(1), []
    shown = corners.clip(0, SIDE) if cut else corners
    for figure in (1, 2):
        own = np.where(best == figure, scores.max(1), 0)
        kept = np.flatnonzero(own > FLOOR) if iou is None else _suppressed(corners, own, iou)
        rows += [[*(shown[at, :2] + shown[at, 2:]) / 2, own[at]] for at in kept]
    points = np.array(rows, dtype=np.float64)
    return points[np.argsort(-points[:, 2])]


def _scores(count: int, seed: int) -> NDArray[np.float32]:
    return np.random.default_rng(seed).uniform(0, 1, (count, 3)).astype(np.float32)


def _given(layout: str, corners: Boxes, scores: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
    """Return what a program of the layout gives out for these boxes."""
    best, most = scores.argmax(1), scores.max(1)
    if layout == "torchvision":
        return {"boxes": corners, "labels": best + 1, "scores": most}
    if layout == "yolo5":
        halves = np.full((len(scores), 1), 0.5, np.float32)
        return {"output0": np.hstack([_centred(corners), halves, scores * 2]).clip(None, 64)}
    if layout == "yolo8":
        return {"output0": np.hstack([_centred(corners), scores]).T.copy()}
    if layout == "yolo10":
        return {"output0": np.column_stack([corners, most, best]).astype(np.float32)}
    if layout == "mmdet":
        return {"dets": np.column_stack([corners, most]), "labels": best}
    fractions = _centred(corners) / np.float32(SIDE)
    if layout == "detr":  # scores are what a softmax over them and "no object" would leave of log-odds
        nothing = np.full((len(scores), 1), 0.25)
        shares = np.hstack([scores / scores.sum(1, keepdims=True) * 0.75, nothing])
        return {"logits": np.log(shares).astype(np.float32), "pred_boxes": fractions}
    return {"output0": np.hstack([fractions, scores])}


@pytest.mark.parametrize(
    ("layout", "iou"),
    [
        ("torchvision", None),
        ("yolo5", 0.45),
        ("yolo8", 0.7),
        ("yolo11", 0.3),
        ("yolo10", None),
        ("mmdet", None),
        ("detr", None),
        ("rtdetr", None),
    ],
)
@pytest.mark.parametrize("batch", ["N", 1, 3])
def test_points_are_those_of_the_program(layout: str, iou: float | None, batch: int | str) -> None:
    corners, scores = _corners(120, 3), _scores(120, 4)
    program = "yolo8" if layout == "yolo11" else layout
    answers = _given(program, corners, scores)
    if layout == "torchvision":  # takes one picture at a time, and gives lists
        network = head(answers, batch=1, has_batch=False)
    else:
        network = head(answers, batch=batch)
    if layout == "detr":
        scores = np.exp(answers["logits"][:, :3])
    stated = statement(layout, CLASSES, interface={"iou": iou})
    windows = np.full((5, SIDE, SIDE, 3), 255, np.uint8)
    expected = _expected(corners, scores, iou, cut=layout.startswith("yolo"))
    for points in points_of(network, stated, windows):
        found = used(points)
        assert found.shape == expected.shape
        np.testing.assert_allclose(found, expected, atol=2e-4)


def test_a_query_of_rt_detr_may_be_two_classes() -> None:
    logits = np.array([[2.0, 1.0, -9.0], [0.5, 0.5, 0.0]], np.float32)  # look-alike first, and yet a figure
    boxes = np.array([[0.5, 0.25, 0.1, 0.1], [0.1, 0.1, 0.1, 0.1]], np.float32)
    network = head({"logits": logits, "pred_boxes": boxes})
    # Two queries give two answers: the others of both queries are dropped.
    ((x, y, score),) = used(points_of(network, statement("rtdetr", CLASSES))[0])
    assert (x, y) == (SIDE / 2, SIDE / 4)
    assert score == pytest.approx(1 / (1 + np.exp(-1)))


def test_boxes_as_corner_and_size() -> None:
    rows = np.array([[10, 20, 8, 4, 0.9, 0]], np.float32)
    stated = statement("yolo10", interface={"boxes": "corner-size"})
    np.testing.assert_allclose(points_of(head({"output0": rows}), stated)[0, 0], [14, 22, 0.9], rtol=1e-6)


@pytest.mark.parametrize("layout", ["torchvision", "yolo10", "mmdet"])
def test_nothing_found_is_no_point(layout: str) -> None:
    lists = layout == "torchvision"
    count = 9 if lists else 0
    network = head(_given(layout, _corners(count, 1), _scores(count, 1)), batch=1, has_batch=not lists)
    assert not points_of(network, statement(layout, CLASSES)).any()
