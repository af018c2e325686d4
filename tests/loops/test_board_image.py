"""The picture of a board, pixel by pixel against one painted in memory."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.curation.board import Grid
from mitoscope.errors import FormatError, OutputError
from mitoscope.geometry import BoxPx
from mitoscope.loops.board_image import FRAME_PX, write_board
from mitoscope.slide import open_slide

from .making import COLOURS, made_board, made_crops, made_layout


def painted(grid: Grid, layout: object, crops: np.ndarray) -> np.ndarray:
    canvas = np.full((grid.rows * grid.cell_px, grid.columns * grid.cell_px, 3), 255, dtype=np.uint8)
    for crop, (column, row) in enumerate(zip(layout.column, layout.row, strict=True)):  # type: ignore[attr-defined]
        framed = crops[crop].copy()
        colour = [int(COLOURS[crop % 2][at : at + 2], 16) for at in (1, 3, 5)]
        for edge in (np.s_[:FRAME_PX], np.s_[-FRAME_PX:], np.s_[:, :FRAME_PX], np.s_[:, -FRAME_PX:]):
            framed[edge] = colour
        y, x = row * grid.cell_px, column * grid.cell_px
        canvas[y : y + grid.cell_px, x : x + grid.cell_px] = framed
    return canvas


@pytest.mark.parametrize("side", [48, 128])
def test_the_board_is_the_crops_at_their_places_on_all_levels(tmp_path: Path, side: int) -> None:
    grid = Grid(2_000 // side, 1_400 // side, side)
    layout, crops = made_board(tmp_path / "board.tiff", grid, grid.places // 4)
    expected = painted(grid, layout, crops)
    with open_slide(tmp_path / "board.tiff") as slide:
        levels = [
            slide.read(BoxPx(0, 0, one.size.width, one.size.height), level=number).rgb.astype(int)
            for number, one in enumerate(slide.info.levels)
        ]
    assert [one.shape[:2] for one in levels] == [
        (-(-expected.shape[0] // 4**n), -(-expected.shape[1] // 4**n)) for n in range(len(levels))
    ]
    assert max(levels[-1].shape[:2]) <= 512
    assert np.abs(levels[0] - expected).mean() < 3
    height, width = (4 * (edge // 4) for edge in expected.shape[:2])
    reduced = expected[:height, :width].reshape(height // 4, 4, width // 4, 4, 3).mean(axis=(1, 3))
    # JPEG halves the resolution of colour, and a frame is one pixel wide here.
    found = levels[1][: height // 4, : width // 4]
    moved = np.abs(found[:, 3:] - reduced[:, :-3]).mean()
    assert np.abs(found - reduced).mean() < min(10, 0.75 * moved)


def test_a_board_opens_as_a_slide(tmp_path: Path) -> None:
    made_board(tmp_path / "board.tiff", Grid(30, 20, 48), 50)
    with open_slide(tmp_path / "board.tiff") as slide:
        assert slide.info.mpp.x == pytest.approx(0.25, rel=1e-3)
        assert [one.size.width for one in slide.info.levels] == [1_440, 360]


def test_a_board_that_cannot_be_leaves_nothing_behind(tmp_path: Path) -> None:
    layout, crops = made_layout(Grid(4, 4, 48), 3), made_crops(3)
    for names, match in ((["#e03131"] * 2, "2 colours"), (["red"] * 3, "colour 'red'")):
        with pytest.raises(FormatError, match=match):
            write_board(tmp_path / "board.tiff", layout, crops, names, mpp=0.25)
    with pytest.raises(OutputError, match=r"name it \.tif"):
        write_board(tmp_path / "board.png", layout, crops, ["#e03131"] * 3, mpp=0.25)
    with pytest.raises(OutputError, match="no such folder"):
        write_board(tmp_path / "none" / "board.tiff", layout, crops, ["#e03131"] * 3, mpp=0.25)
    assert list(tmp_path.iterdir()) == []
