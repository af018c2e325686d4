from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import ScaleError, SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.info import StatedScale
from mitoscope.slide.openslide_tags import (
    read_bounds,
    read_levels,
    read_objective_power,
    read_stated_scale,
)

WHERE = Path("s.svs")


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


def test_levels_filled_up_to_whole_tiles_are_accepted() -> None:
    assert len(read_levels([(100_000, 80_000), (1_563, 1_280), (512, 256)], {}, where=WHERE)) == 3
