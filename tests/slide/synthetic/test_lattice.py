from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from mitoscope.slide.synthetic.lattice import Lattice

LATTICE = Lattice(seed=5, salt=1, spacing_px=50.0, jitter=0.34)


@given(x=st.floats(-1000, 1000), y=st.floats(-1000, 1000), cut=st.floats(1, 299))
def test_points_of_two_halves_are_the_points_of_the_whole(x: float, y: float, cut: float) -> None:
    whole = LATTICE.points_in(x, y, x + 300, y + 200)
    left = LATTICE.points_in(x, y, x + cut, y + 200)
    right = LATTICE.points_in(x + cut, y, x + 300, y + 200)
    both = sorted(zip([*left.i, *right.i], [*left.j, *right.j], strict=True))
    assert both == sorted(zip(whole.i, whole.j, strict=True))


def test_there_is_one_point_per_square_of_the_spacing() -> None:
    points = LATTICE.points_in(0, 0, 5000, 5000)
    assert 9_800 < len(points.x) < 10_200


def test_nearest_and_second_distance_equal_a_search_tree() -> None:
    y, x = np.mgrid[0:400:4, 0:400:4].astype(np.float64) + 1000
    nearest, second, _ = LATTICE.worley(x, y)
    points = LATTICE.points_in(700, 700, 1700, 1700)
    tree = cKDTree(np.stack([points.x, points.y], axis=1))
    distances = np.asarray(tree.query(np.stack([x.ravel(), y.ravel()], axis=1), k=2)[0])
    np.testing.assert_allclose(nearest.ravel(), distances[:, 0], atol=0.02)
    assert (np.abs(second.ravel() - distances[:, 1]) < 0.02).mean() > 0.999
