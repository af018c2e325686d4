"""What OME-XML says about one picture: the size of its pixels, the bits they use, its channels.

The XML stands in the ImageDescription of a TIFF. Only the attributes of its ``Pixels`` elements matter here;
they are found by a pattern, so that no XML parser meets an untrusted file.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass

from mitoscope.slide.info import StatedScale

UM_PER_UNIT = {
    "m": 1e6,
    "dm": 1e5,
    "cm": 1e4,
    "mm": 1e3,
    "µm": 1.0,
    "um": 1.0,
    "micron": 1.0,
    "nm": 1e-3,
    "Å": 1e-4,
    "pm": 1e-6,
    "thou": 25.4,
    "li": 25_400.0 / 12,
    "pt": 25_400.0 / 72,
    "in": 25_400.0,
    "ft": 12 * 25_400.0,
    "yd": 36 * 25_400.0,
}
"""Units of length that a slide may be measured in; others of the OME schema (pixel, parsec) say nothing."""
_PIXELS = re.compile(r"<(?:\w+:)?Pixels\b([^>]{0,4000})>")
_ATTRIBUTE = re.compile(r"([A-Za-z]{1,32})\s*=\s*(?:\"([^\"]{0,200})\"|'([^']{0,200})')")
_MAX_DESCRIPTION = 1 << 20
_GREEK_MU, _MICRO_SIGN = "\u03bc", "\u00b5"


@dataclass(frozen=True, slots=True)
class OmePixels:
    """One ``Pixels`` element.

    Parameters
    ----------
    scale : StatedScale or None
        The physical size of a pixel in µm, where it is stated in a unit of length.
    significant_bits : int or None
        Bits that the samples use of those that they are stored in.
    """

    scale: StatedScale | None
    significant_bits: int | None


def find_ome_pixels(description: str, size: Sequence[int]) -> OmePixels | None:
    """Return what OME-XML says of the picture of that size; of the only one, where none has that size.

    Parameters
    ----------
    description : str
        The ImageDescription of the first page.
    size : sequence of 2 int
        Width and height of the picture in pixels.
    """
    text = _without_comments(_as_utf8(description[:_MAX_DESCRIPTION]))
    if "<OME" not in text and ":OME" not in text:
        return None
    every = [
        {name: one or other for name, one, other in _ATTRIBUTE.findall(found)}
        for found in _PIXELS.findall(text)
    ]
    wanted = [str(side) for side in size]
    fitting = [
        attributes for attributes in every if [attributes.get("SizeX"), attributes.get("SizeY")] == wanted
    ]
    chosen = fitting or (every if len(every) == 1 else [])
    return _pixels(chosen[0]) if chosen else None


def _pixels(attributes: dict[str, str]) -> OmePixels:
    bits = attributes.get("SignificantBits", "")
    return OmePixels(_scale(attributes), int(bits) if bits.isdecimal() and len(bits) < 4 else None)


def _scale(attributes: dict[str, str]) -> StatedScale | None:
    sizes = [_um(attributes, axis) for axis in "XY"]
    x, y = sizes
    return None if x is None or y is None else StatedScale("OME PhysicalSizeX", x, y)


def _um(attributes: dict[str, str], axis: str) -> float | None:
    unit = html.unescape(attributes.get(f"PhysicalSize{axis}Unit", "µm")).replace(_GREEK_MU, _MICRO_SIGN)
    factor = UM_PER_UNIT.get(unit.strip())
    try:
        number = float(attributes.get(f"PhysicalSize{axis}", ""))
    except ValueError:
        return None
    return number * factor if factor is not None and 0 < number < float("inf") else None


def _without_comments(text: str) -> str:
    first, *rest = text.split("<!--")
    return first + "".join(part.partition("-->")[2] for part in rest)


def _as_utf8(text: str) -> str:
    # Pillow reads every description as Latin-1; OME-XML is UTF-8, and "µm" matters.
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text
