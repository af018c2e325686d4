from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.errors import ConfigError
from mitoscope.report.plot import Box, Dot, Line, Sheet, Text


def sheet() -> Sheet:
    drawn = Sheet(200, 100)
    drawn.add(
        Box(10, 10, 40, 20, "#ff0000"),
        Line([(10, 60), (190, 60)], "#0000ff", 3, dashed=True),
        Line([(10, 90), (190, 90)], "#00aa00", 3),
        Dot(150, 30, 8, "#123456"),
        Text(100, 30, "F1 <b> & µ", 12, "middle"),
        Text(190, 50, "upright", 12, "middle", upright=True),
    )
    return drawn


def pixels(drawn: Sheet) -> NDArray[np.uint8]:
    return np.asarray(Image.open(io.BytesIO(drawn.to_png())))


def test_shapes_stand_where_they_are_laid() -> None:
    rgb = pixels(sheet())
    assert rgb.shape == (200, 400, 3)
    assert rgb[40, 60].tolist() == [255, 0, 0]
    assert rgb[18, 60].tolist() == [255, 255, 255]
    assert rgb[60, 300].tolist() == [0x12, 0x34, 0x56]
    along = rgb[120, 24:376].astype(int)
    blue = (along[:, 2] > 200) & (along[:, 0] < 60)
    assert 0.4 < blue.mean() < 0.7  # dashes of 5, gaps of 4
    assert (rgb[180, 24:376, 1] > 100).all()


def test_text_turns_upright() -> None:
    upright, level = (Sheet(100, 100) for _ in range(2))
    upright.add(Text(50, 50, "mmmmmm", 12, "middle", upright=True))
    level.add(Text(50, 50, "mmmmmm", 12, "middle"))
    dark = [np.argwhere(pixels(one).min(axis=2) < 128) for one in (upright, level)]
    height, width = np.ptp(dark[0], axis=0)
    assert height > 3 * width
    height, width = np.ptp(dark[1], axis=0)
    assert width > 3 * height


def test_names_cannot_become_markup() -> None:
    drawn = Sheet(100, 100)
    drawn.add(Text(5, 5, "</text><script>alert(1)</script>\x00\n"))
    root = ET.fromstring(drawn.to_svg())
    assert not [one for one in root.iter() if one.tag.endswith("script")]
    assert "script" in "".join(root.itertext())


def test_both_formats_hold_all_shapes(tmp_path: Path) -> None:
    root = ET.fromstring(sheet().to_svg())
    names = [one.tag.rpartition("}")[2] for one in root]
    assert names == ["rect", "rect", "polyline", "polyline", "circle", "text", "text"]
    for name in ("figure.png", "figure.SVG"):
        sheet().write(tmp_path / name)
        assert (tmp_path / name).stat().st_size > 500
    assert sheet().to_png() == sheet().to_png()


def test_other_formats_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"end it in .png or .svg"):
        sheet().write(tmp_path / "figure.jpg")
    assert not list(tmp_path.iterdir())
