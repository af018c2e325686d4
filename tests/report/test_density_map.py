"""The density map: colours follow density, nothing is drawn beside the tissue, axes are in mm."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.count import Density
from mitoscope.figure import encode_figure
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.report.plots import WIDTH_INCH, draw_density_map, visible_density
from mitoscope.tissue import TissueMask

SCALE = Mpp.square(0.25)
SIZE = SizePx(8000, 4000)
CELL = 200
SPOT = BoxPx0(5000, 1000, 2000, 1500)


def grid_of(per_mm2: NDArray[np.float64]) -> Density:
    box = BoxPx0(0, 0, per_mm2.shape[1] * CELL, per_mm2.shape[0] * CELL)
    return Density(per_mm2.astype(np.float32), CELL, box)


def tissue_of(size: SizePx = SIZE, *, left_px0: int = 0) -> TissueMask:
    mask = np.ones((-(-size.height // 32), -(-size.width // 32)), dtype=np.bool_)
    mask[:, : left_px0 // 32] = False
    return TissueMask(mask, (32.0, 32.0), SCALE, size)


def draw(
    grid: Density,
    *,
    size: SizePx = SIZE,
    hot_spot: BoxPx0 | None = SPOT,
    gaps: tuple[BoxPx0, ...] = (),
    left_px0: int = 0,
) -> bytes:
    figure = draw_density_map(
        grid,
        SCALE,
        tissue=tissue_of(size, left_px0=left_px0),
        hot_spot=hot_spot,
        gaps=gaps,
        hot_spot_label="Hot spot: 3 in 0.19 mm²",
    )
    return encode_figure(figure, "png", dpi=200)


def pixels(content: bytes) -> NDArray[np.int64]:
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(np.int64)


@pytest.fixture
def grid() -> Density:
    return grid_of(np.tile(np.linspace(0, 20, 40), (20, 1)))


def test_what_is_shown_is_the_density_on_tissue(grid: Density) -> None:
    shown = visible_density(grid, tissue_of())
    assert np.isnan(shown[:, 0]).all()
    assert np.array_equal(shown[:, 1:], grid.per_mm2[:, 1:])
    assert np.isnan(visible_density(grid, tissue_of(left_px0=1600))[:, :8]).all()


def test_a_map_of_more_cells_than_pixels_is_thinned() -> None:
    shown = visible_density(grid_of(np.ones((3000, 2400))), tissue_of(SizePx(2400 * CELL, 3000 * CELL)))
    assert shown.shape == (1000, 800)
    assert (shown == 1).all()


def test_more_is_darker_and_beside_the_tissue_is_white(grid: Density) -> None:
    content = pixels(draw(grid, hot_spot=None, left_px0=1600))
    # The map is 3.02 inches wide behind a margin of 0.48; its 2 mm are 8000 px0.
    left, width = 0.48 * 200, 3.02 * 200
    row = 0.1 * 200 + 0.25 * width
    at = [content[int(row), int(left + share * width)].sum() for share in (0.1, 0.3, 0.5, 0.7, 0.9)]
    assert at[0] == 3 * 255
    assert at == sorted(at, reverse=True)
    assert len(set(at)) == 5


def test_picture_is_deterministic_and_holds_what_was_asked(grid: Density) -> None:
    content = draw(grid)
    assert content == draw(grid)
    assert content != draw(grid, hot_spot=None)
    assert content != draw(grid, gaps=(BoxPx0(100, 100, 400, 400),))
    # The rectangle's blue stands where the hot spot's left edge is.
    x, y = (0.48 + 3.02 * 5000 / 8000) * 200, (0.1 + 3.02 * 1750 / 8000) * 200
    edge = pixels(content)[int(y), int(x) - 2 : int(x) + 4]
    assert (np.abs(edge - [0, 114, 178]).max(axis=1) < 40).any()


def test_axes_are_named_with_their_units(grid: Density) -> None:
    figure = draw_density_map(
        grid,
        SCALE,
        tissue=tissue_of(),
        hot_spot=SPOT,
        gaps=(BoxPx0(100, 100, 400, 400),),
        hot_spot_label="Hot spot: 3 in 0.19 mm²",
    )
    said = set(ET.fromstring(encode_figure(figure, "svg")).itertext())
    assert {
        "x (mm)",
        "y (mm)",
        "mitotic figures per mm²",
        "Hot spot: 3 in 0.19 mm²",
        "Tissue",
        "Could not be read",
    } <= said


@pytest.mark.parametrize("size", [SizePx(20000, 300), SizePx(300, 20000), SizePx(1, 1)])
def test_extreme_shapes_are_drawn(size: SizePx) -> None:
    grid = grid_of(np.ones((-(-size.height // CELL), -(-size.width // CELL))))
    content = draw(grid, size=size, hot_spot=BoxPx0(0, 0, size.width, size.height))
    assert Image.open(io.BytesIO(content)).width == WIDTH_INCH * 200


def test_no_figure_and_no_tissue_are_drawn() -> None:
    nothing = grid_of(np.zeros((20, 40)))
    tissue = TissueMask(np.zeros((125, 250), dtype=np.bool_), (32.0, 32.0), SCALE, SIZE)
    figure = draw_density_map(nothing, SCALE, tissue=tissue, hot_spot=None, gaps=(), hot_spot_label="x")
    assert encode_figure(figure, "png").startswith(b"\x89PNG")
