"""Outlines of masks: drawn by the even-odd rule they give the mask back."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image, ImageDraw

from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.report.drawing import Frame
from mitoscope.report.outline import place_outlines, shrink_mask, tissue_path, trace_outlines
from mitoscope.tissue import TissueMask


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


def test_shrinking_keeps_a_full_mask_full_and_the_area() -> None:
    small, factor = shrink_mask(np.ones((1001, 333), dtype=bool), max_side=100)
    assert factor == 11
    assert small.shape == (91, 31)
    assert small.all()
    rng = np.random.default_rng(5)
    blocks = np.kron(rng.random((50, 40)) > 0.6, np.ones((4, 4), dtype=bool))
    reduced, _ = shrink_mask(blocks, max_side=50)
    assert reduced.mean() == blocks.mean()


def test_outline_lies_in_picture_pixels_and_stays_on_the_slide() -> None:
    # 5 × 4 mask pixels of 100 px0 on a slide of 450 × 400 px0, shown at a tenth.
    tissue = TissueMask(np.ones((4, 5), dtype=bool), (100.0, 100.0), Mpp.square(0.25), SizePx(450, 400))
    frame = Frame(BoxPx0(0, 0, 450, 400), 45.0, 40.0, Mpp.square(0.25), 45.0)
    (outline,) = place_outlines(tissue, frame)
    assert outline.min() >= 0
    assert outline[:, 0].max() == 45.0
    assert outline[:, 1].max() == 40.0
    path = tissue_path(tissue, frame)
    assert path.startswith("M")
    assert path.endswith("Z")


def test_no_tissue_no_path() -> None:
    tissue = TissueMask(np.zeros((4, 5), dtype=bool), (100.0, 100.0), Mpp.square(0.25), SizePx(450, 400))
    assert tissue_path(tissue, Frame(BoxPx0(0, 0, 450, 400), 45.0, 40.0, Mpp.square(0.25), 45.0)) == ""
