"""Sheets of small pictures with a line below each, to be looked through by eye."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

SIDE_UM: Final = 20.0
"""What is shown around a place: a mitotic figure is about 12 µm wide."""
_SIDE_PX, _LINE_PX, _GAP_PX = 150, 30, 6
_ACROSS, _DOWN = 10, 8
_GREY: Final = (200, 200, 200)


@dataclass(frozen=True, slots=True, eq=False)
class Place:
    """A place on a field, and what stands below it, in up to two lines."""

    rgb: NDArray[np.uint8]
    x_px: float
    y_px: float
    mpp: float
    caption: str


def write_sheets(places: Sequence[Place], folder: Path, name: str) -> list[Path]:
    """Write as many sheets as are needed, ``NAME-01.png`` and so on; nothing is written of no place."""
    folder.mkdir(parents=True, exist_ok=True)
    each = _ACROSS * _DOWN
    paths = []
    for start in range(0, len(places), each):
        path = folder / f"{name}-{start // each + 1:02d}.png"
        _sheet(places[start : start + each]).save(path)
        paths.append(path)
    return paths


def _sheet(places: Sequence[Place]) -> Image.Image:
    across = min(_ACROSS, len(places))
    rows = -(-len(places) // across)
    width, height = _SIDE_PX + _GAP_PX, _SIDE_PX + _LINE_PX + _GAP_PX
    sheet = Image.new("RGB", (across * width + _GAP_PX, rows * height + _GAP_PX), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(11)
    for number, place in enumerate(places):
        left, top = number % across * width + _GAP_PX, number // across * height + _GAP_PX
        sheet.paste(_around(place), (left, top))
        draw.multiline_text((left, top + _SIDE_PX + 1), place.caption, fill="black", font=font, spacing=1)
    return sheet


def _around(place: Place) -> Image.Image:
    """Cut a square; what lies beyond the field is grey."""
    side = round(SIDE_UM / place.mpp)
    left, top = round(place.x_px) - side // 2, round(place.y_px) - side // 2
    square = Image.new("RGB", (side, side), _GREY)
    square.paste(Image.fromarray(place.rgb), (-left, -top))
    return square.resize((_SIDE_PX, _SIDE_PX), Image.Resampling.BICUBIC)
