"""Pictures of the page show what lies at their coordinates."""

from __future__ import annotations

import base64
import io
import math
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mitoscope.geometry import BoxPx, BoxPx0, Mpp, SizePx
from mitoscope.report.close_up import draw_close_up, place_marks
from mitoscope.report.overview import draw_overview, scanned_box
from mitoscope.report.pictures import (
    Frame,
    PagePicture,
    encode,
    round_length_um,
    thin_out,
    tissue_outlines,
    trace_outlines,
)
from mitoscope.report.sheets import crop_side_um, read_crop
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


def pixels_of(picture: PagePicture) -> NDArray[np.int64]:
    kind, text = picture.uri.split(",", 1)
    assert kind == "data:image/jpeg;base64"
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


def test_the_same_pixels_give_the_same_bytes() -> None:
    rgb = np.random.default_rng(1).integers(0, 255, (40, 30, 3), dtype=np.uint8)
    first = encode(rgb)
    assert first == encode(rgb)
    assert Image.open(io.BytesIO(first)).size == (30, 40)


def fill(outlines: list[np.ndarray], shape: tuple[int, int], zoom: int = 16) -> np.ndarray:
    """Fill polygons by the even-odd rule and look at the centre of each mask pixel."""
    filled = np.zeros((shape[0] * zoom, shape[1] * zoom), dtype=bool)
    for outline in outlines:
        image = Image.new("1", (shape[1] * zoom, shape[0] * zoom))
        ImageDraw.Draw(image).polygon([tuple(point) for point in (outline * zoom).tolist()], fill=1)
        filled ^= np.asarray(image)
    return filled[zoom // 2 :: zoom, zoom // 2 :: zoom]


def beside(outlines: list[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Say which mask pixels have their centre beside the outlines; on one of them either is right."""
    rows, columns = np.indices(shape)
    centre = np.stack([columns, rows], axis=-1) + 0.5
    clear = np.ones(shape, dtype=bool)
    for outline in outlines:
        for start, end in zip(outline, np.roll(outline, -1, axis=0), strict=True):
            along = end - start
            share = ((centre - start) @ along / max(along @ along, 1e-12)).clip(0, 1)
            clear &= np.hypot(*np.moveaxis(centre - start - share[..., None] * along, -1, 0)) > 1 / 16
    return clear


def check(mask: np.ndarray) -> None:
    outlines = trace_outlines(mask)
    clear = beside(outlines, mask.shape)
    assert np.array_equal(fill(outlines, mask.shape)[clear], mask[clear])
    assert clear.mean() > 0.5 or mask.size < 9


@given(arrays(np.bool_, st.tuples(st.integers(1, 9), st.integers(1, 9))))
def test_outlines_enclose_the_mask(mask: np.ndarray) -> None:
    check(mask)


def test_pixels_that_touch_at_corners_stay_apart() -> None:
    random = np.random.default_rng(0)
    for _ in range(200):
        check(random.random((6, 6)) > 0.5)


def test_a_hole_is_an_outline_of_its_own() -> None:
    mask = np.ones((5, 5), dtype=bool)
    mask[2, 2] = False
    assert len(trace_outlines(mask)) == 2


def test_outline_lies_in_picture_pixels_and_stays_on_the_slide() -> None:
    # 5 × 4 mask pixels of 100 px0 on a slide of 450 × 400 px0, shown at a tenth.
    tissue = TissueMask(np.ones((4, 5), dtype=bool), (100.0, 100.0), Mpp.square(0.25), SizePx(450, 400))
    frame = Frame(BoxPx0(0, 0, 450, 400), 45.0, 40.0, Mpp.square(0.25), 45.0)
    outline = frame.place_points(tissue_outlines(tissue)[0])
    assert outline.min() >= 0
    assert outline[:, 0].max() == 45.0
    assert outline[:, 1].max() == 40.0
    path = frame.outline_path(tissue_outlines(tissue))
    assert path.startswith("M")
    assert path.endswith("Z")


def test_no_tissue_no_path() -> None:
    tissue = TissueMask(np.zeros((4, 5), dtype=bool), (100.0, 100.0), Mpp.square(0.25), SizePx(450, 400))
    assert (
        Frame(BoxPx0(0, 0, 450, 400), 45.0, 40.0, Mpp.square(0.25), 45.0).outline_path(
            tissue_outlines(tissue)
        )
        == ""
    )


def test_the_outline_of_a_large_mask_keeps_its_area() -> None:
    mask = np.zeros((1001, 1333), dtype=bool)
    mask[200:900, 300:1333] = True
    (outline,) = tissue_outlines(TissueMask(mask, (8.0, 8.0), Mpp.square(0.25), SizePx(1333 * 8, 1001 * 8)))
    x, y = outline.T
    area = abs(x @ np.roll(y, 1) - y @ np.roll(x, 1)) / 2
    assert area == pytest.approx(mask.sum() * 64, rel=0.01)
    assert x.max() == 1333 * 8


@given(st.floats(1.0, 1e6), st.sampled_from([0.2, 0.25, 0.5]))
def test_a_scale_bar_is_the_longest_round_length_that_fits(width_um: float, share: float) -> None:
    length = round_length_um(width_um, share=share)
    leading = length / 10 ** math.floor(math.log10(length) + 1e-9)
    assert min(abs(leading - step) for step in (1, 2, 5)) < 1e-6
    assert length <= width_um * share * (1 + 1e-6)
    assert length * 2.5 > width_um * share * (1 - 1e-6)


@pytest.mark.parametrize(("side_px0", "label"), [(1000, "100 µm"), (8000, "1 mm"), (40_000, "5 mm")])
def test_a_scale_bar_names_its_unit(side_px0: int, label: str) -> None:
    assert frame_of(side_px0, side_px0).scale_bar().label == label
