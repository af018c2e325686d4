import numpy as np
import pytest

from mitoscope.count import density
from mitoscope.geometry import BoxPx0, Mpp, SizePx

MPP = Mpp.square(0.25)


def test_the_density_in_the_middle_of_a_cluster_is_its_count_per_area() -> None:
    points = np.random.default_rng(1).random((50, 2)) * 1000 + [15_000, 15_000]
    found = density(points, mpp=MPP, slide_size=SizePx(30_000, 30_000))
    assert found.per_mm2.max() == pytest.approx(50 / 2.37, rel=0.01)
    assert found.per_mm2[480, 480] == found.per_mm2.max()
    assert found.per_mm2[0, 0] == 0
    assert (found.cell_px0, found.per_mm2.shape) == (32, (938, 938))
    assert found.box_px0 == BoxPx0(0, 0, 938 * 32, 938 * 32)


def test_all_figures_are_in_the_map() -> None:
    points = np.random.default_rng(1).random((200, 2)) * 10_000 + 10_000
    found = density(points, mpp=MPP, slide_size=SizePx(30_000, 30_000), area_mm2=0.5)
    cell_mm2 = (32 * 0.25e-3) ** 2
    assert found.per_mm2.sum() * cell_mm2 == pytest.approx(200, rel=1e-3)


def test_large_slides_get_larger_cells_and_points_outside_are_left_out() -> None:
    found = density([[99_999, 99_999], [-5, 3], [100_000, 3]], mpp=MPP, slide_size=SizePx(100_000, 100_000))
    assert found.cell_px0 == 64
    assert found.per_mm2[-1, -1] > 0
    assert found.per_mm2[0].max() == 0


def test_a_single_pixel_has_a_map() -> None:
    assert density(np.empty((0, 2)), mpp=MPP, slide_size=SizePx(1, 1)).per_mm2.tolist() == [[0.0]]
