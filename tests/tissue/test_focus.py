"""Blur is told from sharp tissue, whatever its texture, and not asked of slides that are too coarse."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.slide import MemorySlide
from mitoscope.tissue import BLURRED, TissueMask, measure_focus
from mitoscope.tissue.focus import FIELDS_MAX, blur_effect, choose_fields


def cells(side: int, *, mpp: float, blur_um: float = 0.0) -> NDArray[np.uint8]:
    """Dark discs of 7 µm with sharp edges and fine chromatin on pink ground, blurred by the optics."""
    rng = np.random.default_rng(3)
    grey = np.full((side, side), 200.0)
    rows, columns = np.mgrid[:side, :side]
    for y, x in rng.uniform(0, side, (int((side * mpp) ** 2 / 250), 2)):
        grey[(rows - y) ** 2 + (columns - x) ** 2 < (3.5 / mpp) ** 2] = 90.0
    grey += ndimage.gaussian_filter(rng.normal(0, 60, grey.shape), 0.4 / mpp)
    sigma = float(np.hypot(blur_um, 0.2)) / mpp
    grey = np.clip(ndimage.gaussian_filter(grey, sigma), 0, 255)
    return np.stack([grey, grey * 0.7, grey * 0.9], axis=-1).round().astype(np.uint8)


def slide_and_tissue(rgb: NDArray[np.uint8], mpp: float) -> tuple[MemorySlide, TissueMask]:
    side = rgb.shape[0]
    mask = np.ones((side // 32, side // 32), np.bool_)
    tissue = TissueMask(mask, (32.0, 32.0), Mpp.square(mpp), SizePx(side, side))
    return MemorySlide(rgb, mpp=Mpp.square(mpp), name="field"), tissue


@pytest.mark.parametrize("mpp", [0.25, 0.5])
def test_blur_of_a_micrometre_and_a_half_is_told_at_any_resolution(mpp: float) -> None:
    sharp, blurred = (
        measure_focus(*slide_and_tissue(cells(1024, mpp=mpp, blur_um=blur_um), mpp)) for blur_um in (0, 1.5)
    )
    assert sharp is not None
    assert blurred is not None
    assert sharp.blur < BLURRED < blurred.blur
    assert (sharp.blurred_share, blurred.blurred_share) == (0.0, 1.0)


def test_blur_of_a_part_is_a_share_of_the_fields() -> None:
    rgb = cells(1024, mpp=0.25)
    rgb[:512] = cells(1024, mpp=0.25, blur_um=2.0)[:512]
    slide, tissue = slide_and_tissue(rgb, 0.25)
    whole = measure_focus(slide, tissue)
    assert whole is not None
    assert (whole.fields, whole.blurred_share) == (4, 0.5)
    upper = measure_focus(slide, tissue, region_px0=BoxPx0(0, 0, 1024, 512))
    assert upper is not None
    assert upper.blurred_share == 1.0


def test_what_cannot_be_judged_is_not() -> None:
    assert measure_focus(*slide_and_tissue(cells(512, mpp=1.0), 1.0)) is None
    slide, tissue = slide_and_tissue(cells(512, mpp=0.25), 0.25)
    glass = TissueMask(np.zeros((16, 16), np.bool_), (32.0, 32.0), Mpp.square(0.25), SizePx(512, 512))
    assert measure_focus(slide, glass) is None
    assert measure_focus(slide, tissue, region_px0=BoxPx0(0, 0, 100, 100)) is None


def test_the_effect_is_that_of_the_paper_by_hand() -> None:
    # Along each axis a lone step of 9 becomes nine steps of 1, one of which lies where the step was: of 9 it
    # loses 8.
    step = np.repeat([0.0, 9.0], 16).astype(np.float32)
    assert blur_effect(step[None, :] + step[:, None]) == pytest.approx(1 - 8 / 9)


def test_fields_are_spread_over_all_tissue() -> None:
    mask = np.ones((100, 100), np.bool_)
    tissue = TissueMask(mask, (32.0, 32.0), Mpp.square(0.25), SizePx(3200, 3200))
    fields = choose_fields(tissue)
    assert len(fields) == FIELDS_MAX
    assert (fields[0].x, fields[0].y) == (0, 0)
    assert fields[-1].y >= 2560
