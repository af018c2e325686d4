"""The density map: colours follow density, the picture carries legend and scale."""

import io

import numpy as np
import pytest
from PIL import Image

from mitoscope.count import Density
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.report.colours import density_colours, lightness
from mitoscope.report.density_map import colour_density, draw_density_map, view_density
from mitoscope.tissue import TissueMask

SCALE = Mpp.square(0.25)
SIZE = SizePx(8000, 4000)
CELL = 200


def grid_of(per_mm2: np.ndarray) -> Density:
    box = BoxPx0(0, 0, per_mm2.shape[1] * CELL, per_mm2.shape[0] * CELL)
    return Density(per_mm2.astype(np.float32), CELL, box)


def tissue_of(size: SizePx = SIZE, *, left_px0: int = 0) -> TissueMask:
    mask = np.ones((-(-size.height // 32), -(-size.width // 32)), dtype=np.bool_)
    mask[:, : left_px0 // 32] = False
    return TissueMask(mask, (32.0, 32.0), SCALE, size)


@pytest.fixture
def grid() -> Density:
    return grid_of(np.tile(np.linspace(0, 20, 40), (20, 1)))


def test_more_is_darker_and_nothing_is_white(grid: Density) -> None:
    rgb = colour_density(grid, tissue_of())
    level = lightness(rgb[0])
    assert (rgb[:, 0] == 255).all()
    assert (np.diff(level[1:]) < 0).all()
    assert np.array_equal(rgb[0, -1], density_colours()[255])


def test_beside_the_tissue_nothing_is_drawn(grid: Density) -> None:
    rgb = colour_density(grid, tissue_of(left_px0=1600))
    assert (rgb[:, :8] == 255).all()
    assert (rgb[:, 8:] != 255).any(axis=2).all()


def test_no_figure_anywhere_is_a_white_map() -> None:
    assert (colour_density(grid_of(np.zeros((20, 40))), tissue_of()) == 255).all()


def test_picture_is_deterministic_and_holds_what_was_asked(grid: Density) -> None:
    spot = BoxPx0(5000, 1000, 2000, 1500)

    def draw(hot_spot: BoxPx0 | None, gaps: tuple[BoxPx0, ...] = ()) -> bytes:
        return draw_density_map(
            grid,
            SCALE,
            tissue=tissue_of(),
            hot_spot=hot_spot,
            gaps=gaps,
            hot_spot_label="Hot spot: 3 in 0.19 mm²",
        )

    content = draw(spot)
    assert content == draw(spot)
    image = Image.open(io.BytesIO(content))
    assert image.format == "PNG"
    assert 1200 <= image.width <= 1300
    assert content != draw(None)
    assert content != draw(spot, (BoxPx0(100, 100, 400, 400),))
    # The rectangle's blue stands where the hot spot's edge is: 32 px margin, 1200 px for 8000 px0.
    pixels = np.asarray(image.convert("RGB")).astype(int)
    edge = pixels[32 + round(1750 * 0.15), 32 + round(5000 * 0.15) : 32 + round(5000 * 0.15) + 6]
    assert (np.abs(edge - [0, 114, 178]).max(axis=1) < 40).any()


@pytest.mark.parametrize("size", [SizePx(20000, 300), SizePx(300, 20000), SizePx(1, 1)])
def test_extreme_shapes_are_drawn(size: SizePx) -> None:
    grid = grid_of(np.ones((-(-size.height // CELL), -(-size.width // CELL))))
    tissue = tissue_of(size)
    spot = BoxPx0(0, 0, size.width, size.height)
    content = draw_density_map(grid, SCALE, tissue=tissue, hot_spot=spot, gaps=(), hot_spot_label="x")
    assert Image.open(io.BytesIO(content)).width > 800
    assert view_density(grid, SCALE, tissue=tissue, hot_spot=spot, caption="").width >= 1
