from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import cKDTree

from mitoscope.slide.synthetic.noise import (
    Lattice,
    enlarge,
    generator,
    hash_unit,
    periodic_noise,
    sample,
    tile_of,
)

LATTICE = Lattice(seed=5, salt=1, spacing_px=50.0, jitter=0.34)


def test_hashes_are_uniform_and_depend_on_every_key() -> None:
    i, j = np.mgrid[0:300, 0:300].astype(np.int64)
    values = hash_unit(1, 2, i, j)
    counts, _ = np.histogram(values, bins=20, range=(0, 1))
    assert values.min() >= 0
    assert values.max() < 1
    assert np.abs(counts / 4500 - 1).max() < 0.06
    assert abs(np.corrcoef(values.ravel(), hash_unit(1, 2, i, j + 1).ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(values.ravel(), hash_unit(2, 2, i, j).ravel())[0, 1]) < 0.02
    assert abs(np.corrcoef(values.ravel(), hash_unit(1, 3, i, j).ravel())[0, 1]) < 0.02


def test_noise_repeats_without_a_seam() -> None:
    noise = periodic_noise(generator(3), 128, wavelength=20, octaves=2)
    seam = np.abs(noise[:, 0] - noise[:, -1]).mean()
    elsewhere = np.abs(np.diff(noise, axis=1)).mean()
    assert noise.std() == pytest.approx(1, abs=1e-3)
    assert seam < 2 * elsewhere


def test_stretched_noise_varies_less_along_its_direction() -> None:
    noise = periodic_noise(generator(3), 256, wavelength=10, stretch=6, angle=0.0)
    assert np.abs(np.diff(noise, axis=1)).mean() < 0.4 * np.abs(np.diff(noise, axis=0)).mean()


@given(x=st.integers(-300, 300), y=st.integers(-300, 300), w=st.integers(1, 150), h=st.integers(1, 150))
def test_a_window_of_a_texture_is_its_periodic_continuation(x: int, y: int, w: int, h: int) -> None:
    texture = np.arange(64 * 64, dtype=np.float32).reshape(64, 64)
    rows, columns = np.arange(y, y + h) % 64, np.arange(x, x + w) % 64
    np.testing.assert_array_equal(tile_of(texture, x, y, w, h), texture[rows[:, None], columns[None, :]])


def test_samples_between_pixels_are_bilinear() -> None:
    texture = np.array([[0.0, 4.0], [8.0, 12.0]], dtype=np.float32)
    x, y = np.array([0.0, 0.5, 0.25, 2.0]), np.array([0.0, 0.5, 0.0, 1.0])
    np.testing.assert_allclose(sample(texture, x, y), [0, 6, 1, 8])


def test_an_enlarged_ramp_is_a_ramp() -> None:
    coarse = np.add.outer(np.arange(4) * 10, np.arange(3)).astype(np.float32)
    fine = enlarge(coarse, 4)
    assert fine.shape == (12, 8)
    np.testing.assert_allclose(fine[0, :4], 1.25 + np.array([0.125, 0.375, 0.625, 0.875]))
    np.testing.assert_allclose(np.diff(fine, axis=0), 2.5, atol=1e-5)


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
