"""The resolution of a plain image, where its metadata state one.

Looked for in this order: OME-XML and ImageJ descriptions, the TIFF resolution, PNG ``pHYs``, the JPEG (JFIF)
density. Screen densities such as 72 or 96 dpi come out at hundreds of µm/px and are refused by the range
check, which names the tag.
"""

from __future__ import annotations

import re

from PIL import Image, TiffImagePlugin

from mitoscope.slide.info import StatedScale

_UM_PER_INCH = 25_400.0
_UM_PER_CM = 10_000.0
_IMAGE_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 270, 282, 283, 296
_TIFF_UNITS = {2: _UM_PER_INCH, 3: _UM_PER_CM}
_UM_PER_OME_UNIT = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
_IMAGEJ_MICRON = re.compile(r"^unit=(micron|microns|um|µm|μm|\\u00B5m)\s*$", re.MULTILINE | re.IGNORECASE)
_MAX_DESCRIPTION = 1 << 20


def scale_tag(image: Image.Image) -> str:
    """Return the name of the tag in which an image of this format states its resolution."""
    names = {"TIFF": "tiff.XResolution", "PNG": "PNG pHYs", "JPEG": "JPEG density", "MPO": "JPEG density"}
    return names.get(image.format or "", f"resolution tag in {image.format}")


def read_image_scale(image: Image.Image) -> StatedScale | None:
    """Return the resolution an opened image states, or None."""
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return _tiff_scale(image)
    if image.format == "PNG":
        return _dpi_scale(image, "PNG pHYs")
    if image.format in {"JPEG", "MPO"} and image.info.get("jfif_unit") in {1, 2}:
        return _jfif_scale(image)
    return None


def _tiff_scale(image: TiffImagePlugin.TiffImageFile) -> StatedScale | None:
    tags = image.tag_v2
    description = _as_utf8(str(tags.get(_IMAGE_DESCRIPTION, ""))[:_MAX_DESCRIPTION])
    if "<OME" in description:
        scale = _ome_scale(description)
        if scale is not None:
            return scale
    x, y = (_positive(tags.get(tag)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if x is None or y is None:
        return None
    if description.startswith("ImageJ=") and _IMAGEJ_MICRON.search(description):
        return StatedScale("ImageJ unit, tiff.XResolution", 1 / x, 1 / y)
    unit = _TIFF_UNITS.get(tags.get(_RESOLUTION_UNIT, 2))
    return None if unit is None else StatedScale("tiff.XResolution", unit / x, unit / y)


def _as_utf8(text: str) -> str:
    # Pillow reads every description as Latin-1; OME-XML is UTF-8, and "µm" matters.
    try:
        return text.encode("latin-1").decode("utf-8")
    except UnicodeError:
        return text


def _ome_scale(description: str) -> StatedScale | None:
    sizes = []
    for axis in "XY":
        value = re.search(rf'PhysicalSize{axis}="([0-9.eE+-]{{1,32}})"', description)
        unit = re.search(rf'PhysicalSize{axis}Unit="([^"]{{1,8}})"', description)
        factor = _UM_PER_OME_UNIT.get(unit.group(1) if unit else "µm")
        number = _positive(value.group(1)) if value else None
        if number is None or factor is None:
            return None
        sizes.append(number * factor)
    return StatedScale("OME PhysicalSizeX", *sizes)


def _dpi_scale(image: Image.Image, tag: str) -> StatedScale | None:
    dpi = image.info.get("dpi")
    if dpi is None:
        return None
    x, y = (_positive(value) for value in dpi)
    return None if x is None or y is None else StatedScale(tag, _UM_PER_INCH / x, _UM_PER_INCH / y)


def _jfif_scale(image: Image.Image) -> StatedScale | None:
    unit = _UM_PER_INCH if image.info["jfif_unit"] == 1 else _UM_PER_CM
    x, y = (_positive(value) for value in image.info["jfif_density"])
    return None if x is None or y is None else StatedScale("JPEG density", unit / x, unit / y)


def _positive(value: object) -> float | None:
    try:
        number = float(value)  # type: ignore[arg-type]  # a rational, a number or text from the file
    except (TypeError, ValueError, ZeroDivisionError):
        return None
    return number if 0 < number < float("inf") else None
