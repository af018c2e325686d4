from __future__ import annotations

import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import openslide
import pytest

from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide import Level, OpenSlideReader
from mitoscope.slide.info import StatedScale
from mitoscope.slide.openslide_reader import (
    read_bounds,
    read_levels,
    read_objective_power,
    read_stated_scale,
)
from mitoscope.slide.pixels import Pixels

from .broken_slide import TILE, tiles_lost

WHERE = Path("s.svs")


def test_description(pyramid: Any) -> None:
    with OpenSlideReader(pyramid.path) as slide:
        info = slide.info
    tile = SizePx(TILE, TILE)
    assert info.size == SizePx(1024, 1024)
    assert info.levels == (
        Level(SizePx(1024, 1024), 1.0, 1.0, tile),
        Level(SizePx(512, 512), 2.0, 2.0, tile),
        Level(SizePx(256, 256), 4.0, 4.0, tile),
    )
    assert (info.mpp, info.mpp_source) == (Mpp(0.25, 0.25), "openslide.mpp-x")
    assert info.reader == f"openslide {openslide.__library_version__}"
    assert (info.name, info.path, info.vendor) == ("pyramid.tiff", pyramid.path, "generic-tiff")
    assert (info.objective_power, info.bounds) == (None, None)


class NaiveReader:
    """Control of promise 2: OpenSlide without reopening."""

    def __init__(self, path: Path) -> None:
        self._slide = openslide.OpenSlide(path)

    def read(self, box: BoxPx) -> Pixels:
        try:
            image = self._slide.read_region((box.x, box.y), 0, (box.width, box.height))
        except openslide.OpenSlideError:
            lost = Pixels.nothing(box.width, box.height)
            return Pixels(lost.rgb, lost.valid, (box,))
        return Pixels.from_rgba(np.asarray(image))


def test_control_without_reopening_the_slide_is_lost(broken: Path) -> None:
    assert tiles_lost(NaiveReader(broken).read) == 256


def test_bounds_and_what_was_not_scanned(make_leica: Callable[..., Any], tmp_path: Path) -> None:
    made = make_leica(tmp_path / "slide.scn")
    with OpenSlideReader(made.path) as slide:
        assert slide.info.size == SizePx(2048, 3072)
        assert slide.info.bounds == BoxPx(256, 512, 1024, 1024)
        assert (slide.info.vendor, slide.info.objective_power) == ("leica", 40.0)
        pixels = slide.read(BoxPx(0, 0, 2048, 3072))
    scanned = np.zeros((3072, 2048), np.bool_)
    scanned[512:1536, 256:1280] = True
    assert (pixels.valid == scanned).all()
    assert (pixels.rgb[~scanned] == 255).all()
    assert np.abs(pixels.rgb[512:1536, 256:1280].astype(int) - made.rgb).mean() < 2
    assert pixels.damaged == ()


def test_resolution_that_the_objective_does_not_suggest_is_noted(
    make_leica: Callable[..., Any], tmp_path: Path
) -> None:
    made = make_leica(tmp_path / "slide.scn", power="20")
    info = OpenSlideReader(made.path, mpp=0.5).info
    assert (info.mpp.x, info.mpp_source) == (0.25, "openslide.mpp-x")
    assert "openslide.mpp-x states 0.25 µm/px, while 20x suggests about 0.5" in info.notes[0]
    forced = OpenSlideReader(made.path, mpp=0.5, mpp_override=True).info
    assert (forced.mpp.x, forced.mpp_source, forced.notes) == (0.5, "--mpp", ())


def test_a_pixel_of_an_uneven_level_has_one_value(
    make_tiff: Callable[..., Any], make_tissue: Callable[..., Any], tmp_path: Path
) -> None:
    """Level 1 of a slide of 999 px has 333 px, but 1000 / 334: OpenSlide interpolates between windows."""
    made = make_tiff(tmp_path / "uneven.tiff", make_tissue(1000, 1000), reductions=(1, 3))
    with OpenSlideReader(made.path) as slide:
        whole = slide.read(BoxPx(0, 0, 334, 334), level=1)
        for x, y, side in ((1, 1, 100), (37, 90, 200), (101, 200, 130), (64, 63, 65)):
            part = slide.read(BoxPx(x, y, side, side), level=1)
            assert (part.rgb == whole.rgb[y : y + side, x : x + side]).all()
    raw = openslide.OpenSlide(made.path)
    factor = raw.level_downsamples[1]
    windows = [
        np.asarray(raw.read_region((round(x * factor), round(x * factor)), 1, (100, 100))) for x in (100, 101)
    ]
    assert (windows[0][1:, 1:] != windows[1][:-1, :-1]).any()  # control: what OpenSlide gives by itself


def test_what_openslide_does_not_know(tmp_path: Path) -> None:
    path = tmp_path / "text.svs"
    path.write_text("no slide")
    with pytest.raises(SlideFormatError, match=r"text\.svs: not a slide that OpenSlide knows"):
        OpenSlideReader(path)


def test_slide_beyond_belief_is_refused(pyramid: Any, tmp_path: Path) -> None:
    """A width of 5 million px: OpenSlide opens the file when the tile table seems to fit."""
    data = bytearray(pyramid.path.read_bytes())
    for level in range(3):
        struct.pack_into("<I", data, pyramid.value[level, 256], 5_000_000)
        struct.pack_into("<I", data, pyramid.value[level, 322], 5_000_000 // 16 // 16 * 16)
    path = tmp_path / "wide.tiff"
    path.write_bytes(data)
    with pytest.raises(SlideFormatError):
        OpenSlideReader(path)


@pytest.mark.parametrize(
    ("text", "power"), [("40", 40.0), ("20.0", 20.0), ("0", None), ("-1", None), ("nan", None), ("x", None)]
)
def test_objective_power(text: str, power: float | None) -> None:
    assert read_objective_power({"openslide.objective-power": text}) == power
    assert read_objective_power({}) is None


def test_resolution() -> None:
    tags = {"openslide.mpp-x": "0.25", "openslide.mpp-y": "0.251"}
    assert read_stated_scale(tags, where=WHERE) == StatedScale("openslide.mpp-x", 0.25, 0.251)
    assert read_stated_scale({}, where=WHERE) is None


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"openslide.mpp-x": "0.25"}, "openslide.mpp-y: missing"),
        ({"openslide.mpp-y": "0.25"}, "openslide.mpp-x: missing"),
        ({"openslide.mpp-x": "0,25", "openslide.mpp-y": "0.25"}, "openslide.mpp-x: '0,25'"),
        ({"openslide.mpp-x": "0.25", "openslide.mpp-y": "inf"}, "openslide.mpp-y: 'inf'"),
    ],
)
def test_half_a_resolution_is_no_resolution(tags: dict[str, str], message: str) -> None:
    with pytest.raises(ScaleError, match=message) as caught:
        read_stated_scale(tags, where=WHERE)
    assert "--mpp" in str(caught.value)


def test_bounds() -> None:
    names = ("x", "y", "width", "height")
    tags = {f"openslide.bounds-{name}": str(10 + index) for index, name in enumerate(names)}
    assert read_bounds(tags) == BoxPx(10, 11, 12, 13)
    assert read_bounds(tags | {"openslide.bounds-width": "0"}) is None
    assert read_bounds(tags | {"openslide.bounds-x": "?"}) is None
    assert read_bounds({}) is None


def test_levels() -> None:
    tags = {"openslide.level[0].tile-width": "240", "openslide.level[0].tile-height": "256"}
    first, second = read_levels([(4443, 3567), (2221, 1783)], tags, where=WHERE)
    assert (first.tile, second.tile) == (SizePx(240, 256), None)
    assert (second.downsample_x, second.downsample_y) == (2.0, 2.0)


@pytest.mark.parametrize(
    "sizes",
    [
        [],
        [(0, 10)],
        [(10, 0)],
        [(2**31 - 1, 10)],
        [(10, 2**23)],
        [(512, 512), (1, 1024)],
        [(1024, 1), (512, 512)],
        [(100_000, 80_000), (25_000, 10_000)],
    ],
)
def test_levels_beyond_belief(sizes: list[tuple[int, int]]) -> None:
    with pytest.raises(SlideFormatError, match=r"s\.svs: "):
        read_levels(sizes, {}, where=WHERE)


@pytest.mark.parametrize("size", [(256, 200), (256, 100), (128, 140)])
def test_a_level_of_dicom_has_the_shape_of_the_first_however_small(size: tuple[int, int]) -> None:
    tags = {"openslide.vendor": "dicom"}
    with pytest.raises(SlideFormatError, match="cannot show the same field"):
        read_levels([(512, 512), size], tags, where=WHERE)
    assert len(read_levels([(100_001, 20_003), (50_000, 10_002), (1_563, 313)], tags, where=WHERE)) == 3


def test_levels_filled_up_to_whole_tiles_are_accepted() -> None:
    assert len(read_levels([(100_000, 80_000), (1_563, 1_280), (512, 256)], {}, where=WHERE)) == 3
