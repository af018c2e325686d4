"""Peaks of heat maps and centres of components, held against their rules by force and against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from tests.bundle.importing.heads import SIDE, head, points_of, statement, used

FLOOR = 0.05
Map = NDArray[np.float32]


def _bumps(seed: int, *, steps: int, side: int = SIDE) -> Map:
    """Draw a smooth map in few steps, so that many cells are equally high, up to a saturated 1."""
    random = np.random.default_rng(seed)
    smooth = ndimage.gaussian_filter(random.normal(size=(side, side)), 1.5)
    risen = (smooth - smooth.min()) / np.ptp(smooth) * 1.2
    plane: Map = np.floor(risen.clip(0, 1) * steps).astype(np.float32) / np.float32(steps)
    return plane


def _peaks(plane: Map, distance: int) -> list[tuple[int, int]]:
    """Return row and column of the peaks: highest within the distance, equal ones no nearer than it."""
    if (ndimage.maximum_filter(plane, 2 * distance + 1) == plane).all():
        return []
    kept: list[tuple[int, int]] = []
    for row in range(plane.shape[0]):
        for column in range(plane.shape[1]):
            reach = np.s_[
                max(row - distance, 0) : row + distance + 1, max(column - distance, 0) : column + distance + 1
            ]
            near = any(
                max(abs(row - r), abs(column - c)) < distance
                for r, c in kept
                if plane[r, c] == plane[row, column]
            )
            if plane[row, column] > FLOOR and plane[row, column] == plane[reach].max() and not near:
                kept.append((row, column))
    return kept


@pytest.mark.parametrize(("distance", "steps"), [(1, 1000), (3, 1000), (3, 4), (5, 2), (1, 1), (21, 3)])
@pytest.mark.parametrize("batch", ["N", 2])
def test_peaks_are_those_of_the_rule(distance: int, steps: int, batch: int | str) -> None:
    plane = _bumps(distance + steps, steps=steps)
    stated = statement("heatmap", interface={"scores": "probability", "distance_px": distance}, slots=2000)
    windows = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    expected = {(c + 0.5, r + 0.5, float(plane[r, c])) for r, c in _peaks(plane, distance)}
    assert expected
    for points in points_of(head({"map": plane[None]}, batch=batch), stated, windows):
        assert {tuple(map(float, row)) for row in used(points)} == expected


@pytest.mark.parametrize("height", [0.0, 0.8, 1.0])
def test_a_flat_map_has_no_peak(height: float) -> None:
    plane = np.full((1, SIDE, SIDE), height, np.float32)
    stated = statement("heatmap", interface={"scores": "probability"})
    assert not points_of(head({"map": plane}), stated).any()


def test_a_coarse_map_of_log_odds_and_several_classes() -> None:
    logits = np.full((3, 8, 8), -5, np.float32)
    logits[0, 2, 3], logits[1, 5, 6], logits[2, 1, 1] = 2.0, 1.0, 3.0
    stated = statement("heatmap", ("mitosis", "atypical", "granulocyte"))
    found = used(points_of(head({"map": logits}), stated)[0])
    sure = found[found[:, 2] > 0.5]
    np.testing.assert_allclose(sure[:, :2], [[28, 20], [52, 44]])  # cells of 8 px, by descending score
    np.testing.assert_allclose(sure[:, 2], 1 / (1 + np.exp([-2.0, -1.0])), rtol=1e-5)


def _components(mask: NDArray[np.bool_], plane: Map, *, connectivity: int, score: str) -> NDArray[np.float64]:
    touching = np.ones((3, 3)) if connectivity == 8 else None
    numbers, count = ndimage.label(mask, touching)
    rows = [
        (
            *(np.argwhere(numbers == number).mean(0)[::-1] + 0.5),
            getattr(plane[numbers == number], score)(),
            (numbers == number).sum(),
        )
        for number in range(1, count + 1)
    ]
    return np.array(sorted(rows, key=lambda row: -row[2]))


@pytest.mark.parametrize("connectivity", [4, 8])
@pytest.mark.parametrize(("score", "area"), [("mean", 1), ("max", 6)])
def test_components_are_those_of_scipy(connectivity: int, score: str, area: int) -> None:
    plane = _bumps(5, steps=1000)
    plane[10:50, 20] = plane[50, 20:60] = 0.9  # long and bent: many steps from end to end
    stated = statement(
        "segmentation",
        interface={
            "scores": "probability",
            "mask": "threshold",
            "level": 0.6,
            "connectivity": connectivity,
            "component_score": score,
            "area_px": area,
        },
    )
    rows = _components(plane > 0.6, plane, connectivity=connectivity, score=score)
    expected = rows[rows[:, 3] >= area]
    assert 5 < len(expected) < 300
    for points in points_of(
        head({"map": plane[None]}, batch=1), stated, np.zeros((2, SIDE, SIDE, 3), np.uint8)
    ):
        found = used(points)
        np.testing.assert_allclose(found[:, 2], expected[:, 2], atol=1e-6)
        order = np.lexsort(found.T)
        np.testing.assert_allclose(found[order], expected[np.lexsort(expected[:, :3].T)][:, :3], atol=1e-4)


def test_a_segmentation_by_its_largest_class() -> None:
    logits = np.zeros((3, SIDE, SIDE), np.float32)
    logits[1, 4:8, 10:12] = 4.0  # a figure
    logits[2, 20:22, 20:22] = 4.0  # another class
    logits[1, 21, 21] = 3.9  # a figure's pixel that is rather the other class
    stated = statement("segmentation", ("background", "mitotic figure", "look-alike"))
    found = used(points_of(head({"map": logits}), stated)[0])
    np.testing.assert_allclose(found, [[11, 6, np.exp(4) / (np.exp(4) + 2)]], rtol=1e-5)
