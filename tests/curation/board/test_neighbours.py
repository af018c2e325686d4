"""Neighbourhoods, against scikit-learn and against plain searches."""

from __future__ import annotations

import importlib.util

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.curation.board import Grid, lay_out, nearest, neighbours, project, quality, suspicion
from mitoscope.errors import ConfigError, FormatError, NonFiniteError

needs_umap = pytest.mark.skipif(
    importlib.util.find_spec("umap") is None, reason="umap-learn is not installed"
)


def clusters(each: int, *, dimensions: int = 20, seed: int = 0) -> tuple[np.ndarray, list[str]]:
    """Return three clusters of points with their names."""
    rng = np.random.default_rng(seed)
    centres = rng.normal(0, 10, (3, dimensions))
    points = np.concatenate([rng.normal(centre, 1, (each, dimensions)) for centre in centres])
    return points, [name for name in "abc" for _ in range(each)]


@pytest.mark.parametrize("dimensions", [2, 20])
def test_quality_is_that_of_scikit_learn(dimensions: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(neighbours, "BLOCK_BYTES", 20_000)
    manifold = pytest.importorskip("sklearn.manifold")
    rng = np.random.default_rng(1)
    high, low = rng.normal(size=(120, dimensions)), rng.normal(size=(120, 2))
    for k in (1, 7, 20):
        found = quality(high, low, neighbours=k)
        assert found.trustworthiness == pytest.approx(manifold.trustworthiness(high, low, n_neighbors=k))
        assert found.continuity == pytest.approx(manifold.trustworthiness(low, high, n_neighbors=k))


def test_a_perfect_board_and_one_by_chance() -> None:
    points = np.random.default_rng(0).normal(size=(300, 2))
    same = quality(points, points * 3 + 1)
    assert (same.trustworthiness, same.continuity, same.shared) == (1, 1, 1)
    chance = quality(points, np.random.default_rng(9).permutation(points))
    assert chance.trustworthiness == pytest.approx(0.5, abs=0.05)
    part = quality(points, np.random.default_rng(9).permutation(points), sample=100)
    assert part.crops == 100
    assert part.trustworthiness == pytest.approx(chance.trustworthiness, abs=0.05)
    with pytest.raises(ConfigError, match="fewer than half"):
        quality(points, points, neighbours=150)
    with pytest.raises(FormatError, match="300 embeddings and 2 places"):
        quality(points, points[:2])


@given(st.integers(1, 12), st.integers(0, 5), st.sampled_from([2, 12]))
@settings(max_examples=30)
def test_nearest_equals_sorting_all_distances(k: int, seed: int, dimensions: int) -> None:
    points = np.random.default_rng(seed).normal(size=(40, dimensions))
    index, distance = nearest(points, k)
    far = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(far, np.inf)
    assert index.tolist() == np.argsort(far, axis=1)[:, :k].tolist()
    assert distance == pytest.approx(np.sort(far, axis=1)[:, :k], abs=1e-3)


@pytest.mark.parametrize("dimensions", [2, 12])
def test_many_crops_at_one_place_are_their_own_neighbours_never(dimensions: int) -> None:
    index, distance = nearest(np.zeros((30, dimensions)), 5)
    assert not (index == np.arange(30)[:, None]).any()
    assert distance.max() == 0


def test_cells_among_another_class_are_the_most_suspicious() -> None:
    points, label = clusters(40)
    label[3], label[50] = "c", "a"
    found = suspicion(points, label)
    assert set(found.order[:2].tolist()) == {3, 50}
    assert (found.expected[3], found.expected[50], found.expected[0]) == ("a", "b", "a")
    assert found.disagreement[3] == pytest.approx(1)
    assert found.disagreement[0] < 0.2


def test_a_common_class_does_not_outvote_a_rare_one() -> None:
    points = np.array([[0.0, 0.0]] * 100 + [[0.0, 1.0]] * 5)
    label = ["common"] * 100 + ["rare"] * 5
    found = suspicion(points, label, neighbours=8)
    assert set(found.expected[100:]) == {"rare"}
    with pytest.raises(FormatError, match="2 points and 1 labels"):
        suspicion(points[:2], ["a"])


@needs_umap
def test_umap_keeps_clusters_and_the_grid_keeps_umap() -> None:
    points, label = clusters(30)
    placed = project(points, seed=4)
    assert placed.shape == (90, 2)
    layout = lay_out(placed, Grid.for_crops(90))
    assert quality(points, placed).trustworthiness > 0.75
    assert quality(placed, layout.points, neighbours=10).trustworthiness > 0.9
    assert suspicion(layout.points, label).disagreement.max() < 0.5
    assert np.array_equal(project(points, seed=4), placed)


def test_embeddings_that_are_none() -> None:
    with pytest.raises(NonFiniteError, match="NaN or infinity in row 1"):
        project(np.array([[0.0], [np.nan], [1.0], [2.0]]))
    with pytest.raises(FormatError, match="2 crops; a board needs 4"):
        project(np.zeros((2, 3)))
