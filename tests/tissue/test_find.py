from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx, BoxPx0, Mpp
from mitoscope.slide import open_slide
from mitoscope.slide.memory_slide import MemorySlide
from mitoscope.tissue import find, find_tissue
from mitoscope.tissue.colour import optical_density
from mitoscope.tissue.find import read_overview

from .painting import GLASS, MPP, PaintedSlide, PyramidSlide

INKS = {
    "black": (25, 25, 28),
    "grey": (110, 112, 111),
    "blue": (30, 60, 170),
    "dark blue": (20, 35, 110),
    "light blue": (90, 150, 220),
    "green": (20, 120, 60),
    "yellow": (235, 215, 40),
    "orange": (235, 120, 20),
    "red": (205, 25, 40),
    "violet": (95, 35, 150),
    "pink": (225, 70, 160),
}


def otsu(rgb: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Split an image in two by its grey levels: the naive way, which the cases below must defeat."""
    grey = rgb.mean(axis=-1)
    histogram = np.bincount(grey.astype(int).ravel(), minlength=256).astype(float)
    below, levels = histogram.cumsum(), np.arange(256)
    sums = (histogram * levels).cumsum()
    with np.errstate(invalid="ignore", divide="ignore"):
        between = (sums[-1] * below / below[-1] - sums) ** 2 / (below * (below[-1] - below))
    return np.asarray(grey <= np.nanargmax(between))


def area_of(where: NDArray[np.bool_]) -> float:
    return int(np.count_nonzero(where)) * MPP**2 * 1e-6


def test_a_disc_of_tissue_on_glass_has_its_area() -> None:
    painted = PaintedSlide(800, 600)
    disc = painted.disc(400, 300, 200)
    painted.tissue(disc)
    painted.noise(3)
    found = find_tissue(painted.slide())
    assert found.area_mm2 == pytest.approx(area_of(disc), rel=0.02)
    assert found.contains([[400, 300], [10, 10]]).tolist() == [True, False]
    assert found.px0_per_pixel == (4.0, 4.0)


@pytest.mark.parametrize("glass", [GLASS, (255, 255, 255), (222, 232, 221), (238, 236, 224), (215, 217, 218)])
def test_bare_glass_has_no_tissue(glass: tuple[int, int, int]) -> None:
    painted = PaintedSlide(800, 600, glass=glass)
    painted.noise(4)
    # Lamp fall-off of 10 % towards one corner, dust, and a hair.
    painted.rgb *= np.linspace(1, 0.9, 800)[None, :, None]
    painted.rgb[painted.disc(300, 300, 6)] = (120, 118, 119)
    painted.rgb[100:102, 50:400] = (90, 88, 86)
    rgb = painted.pixels()
    assert find_tissue(painted.slide()).area_mm2 == 0
    assert otsu(rgb).mean() > 0.05  # control


@pytest.mark.parametrize("glass", [GLASS, (226, 236, 225), (244, 241, 243)])
def test_faint_tissue_is_found_on_noisy_and_tinted_glass(glass: tuple[int, int, int]) -> None:
    painted = PaintedSlide(800, 600, glass=glass)
    disc = painted.disc(400, 300, 200)
    painted.tissue(disc, strength=0.3)
    painted.noise(4)
    assert find_tissue(painted.slide()).area_mm2 == pytest.approx(area_of(disc), rel=0.05)


@pytest.mark.parametrize("name", INKS)
def test_ink_is_not_tissue(name: str) -> None:
    painted = PaintedSlide(900, 600)
    disc = painted.disc(250, 300, 180)
    painted.tissue(disc)
    stroke = painted.disc(650, 300, 140) & ~painted.disc(650, 300, 80)
    painted.ink(stroke, INKS[name])
    painted.noise(2)
    found = find_tissue(painted.slide())
    assert found.area_in(BoxPx0(450, 0, 450, 600)) == 0
    assert found.area_mm2 == pytest.approx(area_of(disc), rel=0.02)
    assert otsu(painted.pixels())[stroke].mean() > 0.5 or name == "yellow"  # control


@pytest.mark.parametrize("name", ["black", "blue", "green", "red"])
def test_ink_on_tissue_is_left_out(name: str) -> None:
    painted = PaintedSlide(800, 600)
    painted.tissue(np.ones(painted.shape, np.bool_))
    stroke = painted.disc(400, 300, 100)
    painted.ink(stroke, INKS[name])
    found = find_tissue(painted.slide())
    assert not found.contains([[400, 300]])[0]
    assert found.area_mm2 == pytest.approx(area_of(~stroke), rel=0.04)


@pytest.mark.parametrize("side", [1, 3, 17, 64, 512])
def test_a_crop_full_of_tissue_is_all_tissue_at_any_size(side: int) -> None:
    painted = PaintedSlide(512, 512)
    painted.tissue(np.ones(painted.shape, np.bool_))
    rgb = painted.pixels()[:side, :side]
    if side == 1:
        rgb = np.array([[[200, 120, 180]]], np.uint8)
    found = find_tissue(MemorySlide(rgb, mpp=Mpp.square(0.25)))
    assert found.area_mm2 == pytest.approx((side * 0.25e-3) ** 2, rel=0.03)
    assert side < 64 or otsu(rgb).mean() < 0.9  # control


@pytest.mark.parametrize("colour", [(255, 255, 255), (240, 240, 240), (0, 0, 0)])
def test_a_single_pixel_without_stain_is_no_tissue(colour: tuple[int, int, int]) -> None:
    assert find_tissue(MemorySlide(np.array([[colour]], np.uint8), mpp=Mpp.square(0.25))).area_mm2 == 0


def test_black_borders_and_unscanned_areas_are_not_tissue() -> None:
    painted = PaintedSlide(900, 600, glass=(228, 238, 226))
    disc = painted.disc(450, 300, 150)
    painted.tissue(disc)
    painted.rgb[:, :101] = 0
    painted.rgb[:73] = 0
    painted.valid[:, 701:] = False
    found = find_tissue(painted.slide())
    assert found.area_mm2 == pytest.approx(area_of(disc), rel=0.02)


def test_only_scanned_tissue_counts() -> None:
    painted = PaintedSlide(512, 512)
    painted.tissue(np.ones(painted.shape, np.bool_))
    painted.valid[:, 256:] = False
    assert find_tissue(painted.slide()).area_mm2 == pytest.approx(area_of(painted.valid), rel=0.01)
    painted.valid[:] = False
    assert find_tissue(painted.slide()).area_mm2 == 0


def test_small_holes_and_fat_are_filled_and_large_holes_are_not() -> None:
    painted = PaintedSlide(1000, 1000)
    where = painted.disc(500, 500, 450)
    large = painted.disc(500, 350, 100)
    small = painted.disc(350, 650, 25)
    rows, columns = np.mgrid[:1000, :1000]
    septa = (rows % 50 < 6) | (columns % 50 < 6)
    fat = (rows > 600) & (columns > 550) & ~septa
    painted.tissue(where & ~large & ~small & ~fat)
    found = find_tissue(painted.slide())
    assert found.contains([[350, 650], [500, 350], [725, 725]]).tolist() == [True, False, True]
    assert found.area_mm2 == pytest.approx(area_of(where & ~large), rel=0.03)


def test_specks_are_removed_and_biopsies_are_kept() -> None:
    painted = PaintedSlide(1000, 1000)
    speck, biopsy = painted.disc(200, 200, 20), painted.disc(700, 700, 60)
    painted.tissue(speck | biopsy)
    found = find_tissue(painted.slide())
    assert found.contains([[200, 200], [700, 700]]).tolist() == [False, True]


def test_another_resolution_gives_the_same_area() -> None:
    painted = PaintedSlide(800, 600)
    painted.tissue(painted.disc(400, 300, 200))
    areas = [find_tissue(painted.slide(), mpp=mpp).area_mm2 for mpp in (4.0, 8.0, 16.0)]
    assert areas == pytest.approx([areas[1]] * 3, rel=0.03)


def test_optical_density_of_white_is_zero() -> None:
    assert optical_density(np.array([255, 127, 0], np.uint8)).tolist() == pytest.approx([0, 0.30103, 2.40824])


def read_rgb(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


@pytest.mark.realdata
@pytest.mark.parametrize("folder", ["midesec/images", "brecahad/images"])
def test_published_fields_are_nearly_all_tissue(folder: str, data: Path) -> None:
    paths = sorted((data / folder).glob("*.webp"))[::3]
    assert paths
    for path in paths:
        rgb = read_rgb(path)
        found = find_tissue(MemorySlide(rgb, mpp=Mpp.square(0.25)))
        assert found.area_mm2 >= 0.9 * rgb.shape[0] * rgb.shape[1] * 0.25**2 * 1e-6, path


@pytest.mark.realdata
def test_fields_of_other_laboratories_are_tissue_except_fat_and_margins(data: Path) -> None:
    paths = sorted((data / "negative_fields").rglob("*.webp"))
    assert paths
    share = {
        path.stem: find_tissue(MemorySlide(read_rgb(path), mpp=Mpp.square(0.25))).mask.mean()
        for path in paths
    }
    # tnbc_15 is fat with one septum, tnbc_5 fat, tnbc_10 a margin with 30 % of glass (seen by eye).
    low = {stem for stem, value in share.items() if value < 0.9}
    assert low <= {"tnbc_5", "tnbc_10", "tnbc_15"}


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "mpp", "expected_mm2", "on", "off"),
    [
        # Read off the overlays by eye: epidermis and dermis; glass, dust.
        (
            "cmu-1-small-region.svs",
            0.499,
            0.66,
            [(1000, 1000), (900, 2300), (400, 1060)],
            [(200, 200), (2000, 2000), (2080, 610)],
        ),
        ("tcga-cr-7395-01a-01-ts1.svs", 0.25, 0.665, [(1000, 1000), (3000, 3000)], [(100, 100), (2000, 300)]),
    ],
)
def test_real_slides(
    data: Path,
    name: str,
    mpp: float,
    *,
    expected_mm2: float,
    on: list[tuple[int, int]],
    off: list[tuple[int, int]],
) -> None:
    with open_slide(data / "slides" / name, mpp=mpp, probe=False) as slide:
        found = find_tissue(slide)
    assert found.area_mm2 == pytest.approx(expected_mm2, rel=0.03)
    assert found.contains(on).all()
    assert not found.contains(off).any()


def gradient(width: int, height: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    rows, columns = np.mgrid[:height, :width]
    return np.stack([rows % 256, columns % 256, (rows + columns) % 256], axis=-1).astype(np.uint8)


def test_without_a_pyramid_it_is_the_mean_of_level_0_block_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    rgb = gradient(130, 70)
    slide = PyramidSlide(rgb, mpp=1.0, factors=(1,))
    whole = read_overview(slide, mpp=8.0)
    assert whole.rgb.shape == (9, 17, 3)
    assert whole.px0_per_pixel == (8.0, 8.0)
    assert whole.rgb[1, 2].tolist() == pytest.approx(rgb[8:16, 16:24].mean(axis=(0, 1)).tolist(), abs=0.6)
    assert len(slide.reads) == 1

    monkeypatch.setattr(find, "BLOCK_SIDE_PX", 40)
    slide.reads.clear()
    in_blocks = read_overview(slide, mpp=8.0)
    assert np.array_equal(in_blocks.rgb, whole.rgb)
    assert max(max(box.width, box.height) for _, box in slide.reads) <= 40


@pytest.mark.parametrize(
    ("factors", "level", "scale"),
    [
        ((1, 4, 16), 2, 32.0),
        ((1, 4, 32), 2, 32.0),
        ((1, 40), 1, 40.0),
        ((1, 4, 128), 1, 32.0),
        ((1,), 0, 32.0),
    ],
)
def test_the_nearest_level_that_is_not_too_coarse_is_read(
    factors: tuple[int, ...], level: int, scale: float
) -> None:
    slide = PyramidSlide(gradient(640, 1280), mpp=0.25, factors=factors)
    assert read_overview(slide, mpp=8.0).px0_per_pixel == (scale, scale)
    assert {n for n, _ in slide.reads} == {level}


def test_blocks_follow_the_files_tiles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(find, "BLOCK_SIDE_PX", 100)
    slide = PyramidSlide(gradient(200, 100), mpp=1.0, factors=(1,), tile=16)
    read_overview(slide, mpp=8.0)
    assert {(box.x % 16, box.y % 16) for _, box in slide.reads} == {(0, 0)}


def test_pixels_that_were_not_scanned_do_not_enter_the_mean() -> None:
    rgb = np.full((16, 16, 3), 100, np.uint8)
    valid = np.ones((16, 16), np.bool_)
    valid[:, 5:] = False
    seen = read_overview(MemorySlide(rgb, mpp=Mpp.square(1.0), valid=valid), mpp=8.0)
    assert seen.valid.tolist() == [[True, False], [True, False]]
    assert seen.rgb[0, 0].tolist() == pytest.approx([100] * 3, abs=2)
    assert seen.rgb[0, 1].tolist() == [255] * 3


def test_what_is_damaged_on_the_level_is_read_from_level_0() -> None:
    rgb = gradient(256, 256)
    slide = PyramidSlide(rgb, mpp=1.0, factors=(1, 8))
    sound = read_overview(slide, mpp=8.0)
    slide.damaged[1] = [BoxPx(8, 8, 8, 8)]
    mended = read_overview(slide, mpp=8.0)
    assert mended.unread_px0 == []
    assert mended.valid.all()
    assert np.abs(mended.rgb.astype(int) - sound.rgb).max() <= 1


def test_what_is_damaged_on_all_levels_is_named() -> None:
    slide = PyramidSlide(gradient(256, 256), mpp=1.0, factors=(1, 8))
    slide.damaged = {1: [BoxPx(8, 8, 8, 8)], 0: [BoxPx(64, 64, 64, 32)]}
    seen = read_overview(slide, mpp=8.0)
    assert [(box.x, box.y, box.width, box.height) for box in seen.unread_px0] == [(64, 64, 64, 32)]
    assert not seen.valid[8:12, 8:16].any()
    assert np.count_nonzero(~seen.valid) == 4 * 8


def test_damage_without_a_pyramid_is_named() -> None:
    slide = PyramidSlide(gradient(64, 64), mpp=1.0, factors=(1,))
    slide.damaged = {0: [BoxPx(0, 0, 16, 16)]}
    assert len(read_overview(slide, mpp=8.0).unread_px0) == 1
