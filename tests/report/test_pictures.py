"""Pictures of the page show what lies at their coordinates."""

from __future__ import annotations

import base64
import io
import re

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx, BoxPx0, Mpp, SizePx
from mitoscope.report.close_up import draw_close_up
from mitoscope.report.crops import crop_side_um, read_crop
from mitoscope.report.drawing import Frame, thin_out
from mitoscope.report.images import Picture, encode
from mitoscope.report.marks import place_marks
from mitoscope.report.overview import draw_overview, scanned_box
from mitoscope.slide import MemorySlide, Pixels
from mitoscope.tissue import TissueMask

SIZE = SizePx(1600, 1200)
POINTS = np.array([[400.5, 300.5], [1200.5, 900.5], [80.5, 1100.5]])


def slide_with_dots(mpp: float = 0.5, points: NDArray[np.float64] = POINTS) -> MemorySlide:
    """Return a pink slide with a green disc of 12 px around each point."""
    rgb = np.empty((SIZE.height, SIZE.width, 3), dtype=np.uint8)
    rgb[:] = (230, 170, 205)
    rows, columns = np.ogrid[: SIZE.height, : SIZE.width]
    for x, y in points:
        rgb[(rows + 0.5 - y) ** 2 + (columns + 0.5 - x) ** 2 < 12**2] = (0, 160, 0)
    return MemorySlide(rgb, mpp=Mpp.square(mpp), name="dots")


def pixels_of(picture: Picture) -> NDArray[np.int64]:
    kind, text = picture.uri.split(",", 1)
    assert kind == "data:image/webp;base64"
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(text))).convert("RGB")).astype(np.int64)
    assert pixels.shape == (picture.height, picture.width, 3)
    return pixels


def is_green(pixel: NDArray[np.int64]) -> bool:
    return bool(pixel[1] > 110 and pixel[0] < 90)


def all_tissue() -> TissueMask:
    mask = np.ones((75, 100), dtype=np.bool_)
    return TissueMask(mask, (16.0, 16.0), Mpp.square(0.5), SIZE)


@pytest.mark.parametrize(("mpp", "side_um"), [(0.25, 32.0), (0.23, 29.44), (0.5, 32.0)])
def test_a_crop_has_its_candidate_in_the_middle(mpp: float, side_um: float) -> None:
    slide = slide_with_dots(mpp)
    crop = read_crop(slide, POINTS[1])
    assert crop is not None
    assert (crop.width, crop.height) == (128, 128)
    green = np.argwhere([[is_green(pixel) for pixel in row] for row in pixels_of(crop)])
    assert green.mean(axis=0) == pytest.approx([63.5, 63.5], abs=1.0)
    assert crop_side_um(slide) == pytest.approx(side_um, rel=1e-3)


def test_a_crop_at_the_edge_is_white_beyond_the_slide() -> None:
    crop = read_crop(slide_with_dots(0.25), np.array([10.5, 600.5]))
    assert crop is not None
    pixels = pixels_of(crop)
    assert (pixels[:, :48] > 240).all()
    assert (pixels[:, 60:, 1] < 200).all()


class DamagedSlide(MemorySlide):
    """A slide of which nothing can be decoded."""

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        nothing = Pixels.nothing(box.width, box.height)
        return Pixels(nothing.rgb, nothing.valid, (BoxPx(0, 0, box.width, box.height),))


def test_a_crop_that_cannot_be_read_is_none() -> None:
    slide = DamagedSlide(np.zeros((200, 200, 3), dtype=np.uint8), mpp=Mpp.square(0.25))
    assert read_crop(slide, np.array([100.0, 100.0])) is None


def test_overview_marks_stand_on_what_they_mark() -> None:
    view = draw_overview(
        slide_with_dots(),
        points_px0=POINTS,
        hot_spot=BoxPx0(300, 200, 400, 300),
        hot_spot_key="Hot spot",
        tissue=all_tissue(),
        gaps=(BoxPx0(1000, 0, 100, 100), BoxPx0(5000, 0, 100, 100)),
        region=None,
    )
    pixels = pixels_of(view.picture)
    assert max(view.width, view.height) <= 1400
    starts = re.findall(r"M([\d.]+),([\d.]+)", view.figures.path)
    assert len(starts) == len(POINTS)
    assert view.figures.rings
    turn = float(re.findall(r"a([\d.]+),", view.figures.path)[0])
    for x, y in starts:
        assert is_green(pixels[int(float(y)), int(float(x) + turn)])
    assert view.hot_spot is not None
    assert view.hot_spot.x == pytest.approx(300 / 1600 * view.width, rel=2e-3)
    assert view.hot_spot.height == pytest.approx(300 / 1200 * view.height, rel=2e-3)
    assert len(view.gaps) == 1
    # 800 µm are shown: the bar is 200 µm, a quarter of the width.
    assert view.scale_bar.label == "200 µm"
    assert view.scale_bar.length == pytest.approx(view.width / 4, rel=2e-3)


def test_close_up_marks_stand_on_what_they_mark() -> None:
    box = BoxPx0(300, 200, 1000, 800)
    view = draw_close_up(
        slide_with_dots(), box, points_px0=POINTS[:2], ranks=np.array([7, 12]), gaps=(), caption=""
    )
    pixels = pixels_of(view.picture)
    assert [mark.rank for mark in view.marks] == [7, 12]
    for mark in view.marks:
        assert is_green(pixels[int(mark.y), int(mark.x)])
    assert view.hot_spot is not None
    assert view.hot_spot.width == pytest.approx(1000 / 1060 * view.width, rel=5e-3)


def test_close_up_of_a_window_beyond_the_coarsest_plane_is_narrowed() -> None:
    rgb = np.full((1200, 3000, 3), 200, dtype=np.uint8)
    slide = MemorySlide(rgb, mpp=Mpp.square(5.0))
    view = draw_close_up(
        slide,
        BoxPx0(0, 0, 3000, 1200),
        points_px0=np.array([[1500.0, 600.0]]),
        ranks=np.array([1]),
        gaps=(),
        caption="",
    )
    assert view.picture.width == 1560
    assert view.marks[0].x == pytest.approx(780, abs=1)
    assert view.marks[0].y == pytest.approx(312, abs=1)


def test_the_vendors_bounds_are_what_is_shown() -> None:
    slide = slide_with_dots()
    assert scanned_box(slide.info) == BoxPx0(0, 0, 1600, 1200)


def frame_of(width: float, height: float) -> Frame:
    return Frame(BoxPx0(0, 0, width, height), width, height, Mpp.square(0.5), width)


def test_numbers_do_not_cover_each_other_nor_leave_the_picture() -> None:
    rng = np.random.default_rng(4)
    points = rng.uniform(10, 590, (60, 2))
    ranks = np.arange(1, 61)
    marks = place_marks(points, ranks, radius=7.0, frame=frame_of(600, 600))
    boxes = [
        (mark.text_x, mark.text_y - 10, mark.text_x + 7.6 * len(str(mark.rank)), mark.text_y)
        for mark in marks
    ]
    overlaps = sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for index, a in enumerate(boxes)
        for b in boxes[:index]
    )
    naive = [(x + 10, y - 6, x + 10 + 15.2, y + 6) for x, y in points]
    naive_overlaps = sum(
        a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
        for index, a in enumerate(naive)
        for b in naive[:index]
    )
    assert overlaps < naive_overlaps
    assert overlaps <= 1
    assert all(left >= 0 and right <= 600 for left, _, right, _ in boxes)


def test_thinning_keeps_one_point_a_cell_in_order() -> None:
    points = np.array([[5.0, 5.0], [0.1, 0.1], [0.2, 0.3], [5.2, 5.4]])
    assert thin_out(points, 1.0).tolist() == [0, 1]


@pytest.mark.parametrize("encoding", ["webp", "jpeg", "png"])
def test_the_same_pixels_give_the_same_bytes(encoding: str) -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    first = encode(rgb, encoding=encoding)  # type: ignore[arg-type]
    assert first == encode(rgb, encoding=encoding)  # type: ignore[arg-type]
    assert Image.open(io.BytesIO(first)).size == (30, 40)
