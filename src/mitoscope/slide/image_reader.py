"""Plain images: the regions of interest in which MIDOG, TUPAC and MiDeSeC are published.

PNG, JPEG, WebP and TIFF, decoded once by Pillow and kept in memory.

=====================  =================================================================================
What the file holds    What happens
=====================  =================================================================================
RGB, 8 bits            read
RGB, 16 bits           the upper 8 bits are read, as every viewer does
palette                read as the colours it stands for
transparency           laid over white; pixels less than half opaque are invalid
greyscale, bilevel     refused: H&E needs its two stains
CMYK, Lab, HSV         refused: the conversion needs the profile of a printer, colours would be invented
several frames         the first page of a TIFF with smaller pages; otherwise refused
damaged JPEG data      refused: Pillow would fill the picture up with grey and say nothing
EXIF orientation       ignored on purpose: annotations refer to the stored pixels
=====================  =================================================================================

The resolution is looked for in this order: OME-XML and ImageJ descriptions, the TIFF resolution, PNG
``pHYs``, the JPEG (JFIF) density. Screen densities such as 72 or 96 dpi come out at hundreds of µm/px and are
refused by the range check, which names the tag.
"""

from __future__ import annotations

import re
import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import numpy as np
import PIL
from PIL import Image, TiffImagePlugin

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import SizePx
from mitoscope.slide.info import Level, SlideInfo, StatedScale, fingerprint, resolve_scale
from mitoscope.slide.jpeg_tiles import PositionalFile, check_stream, stream_head
from mitoscope.slide.memory_slide import MemorySlide
from mitoscope.slide.pixels import Pixels

READER = f"pillow {PIL.__version__}"
FORMATS = ("PNG", "JPEG", "WEBP", "TIFF")
MAX_IMAGE_PX = 1 << 27
"""Most pixels of a plain image: 11,585 × 11,585, decoded to 400 MB. Larger ones belong into a pyramid."""
CONVERT = "convert it to a tiled pyramidal TIFF, e.g. with vips tiffsave --tile --pyramid"
_COMPRESSION, _STRIP_OFFSETS, _ROWS_PER_STRIP, _STRIP_COUNTS, _JPEG_TABLES = 259, 273, 278, 279, 347
_JPEG = 7
_METADATA_BYTES = 1 << 24
_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "YCbCr"})
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_UM_PER_INCH = 25_400.0
_UM_PER_CM = 10_000.0
_IMAGE_DESCRIPTION, _X_RESOLUTION, _Y_RESOLUTION, _RESOLUTION_UNIT = 270, 282, 283, 296
_TIFF_UNITS = {2: _UM_PER_INCH, 3: _UM_PER_CM}
_UM_PER_OME_UNIT = {"µm": 1.0, "μm": 1.0, "um": 1.0, "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6}
_IMAGEJ_MICRON = re.compile(r"^unit=(micron|microns|um|µm|μm|\\u00B5m)\s*$", re.MULTILINE | re.IGNORECASE)
_MAX_DESCRIPTION = 1 << 20


class ImageSlide(MemorySlide):
    """A plain image as a slide of one level.

    Parameters
    ----------
    path : Path
        The image.
    mpp : float, optional
        Resolution in µm/px, if the file states none.
    mpp_override : bool
        Let it replace also what the file states.

    Raises
    ------
    SlideFormatError
        If it is no image of the four formats, is truncated or too large, or holds no RGB colours.
    ScaleError
        If the resolution is missing or implausible.
    """

    def __init__(self, path: Path, *, mpp: float | None = None, mpp_override: bool = False) -> None:
        with _quiet(path), Image.open(path, formats=FORMATS) as image:
            _check_image(image, where=path)
            tag = scale_tag(image)
            scale = resolve_scale(
                partial(read_image_scale, image),
                given=mpp,
                override=mpp_override,
                objective_power=None,
                tag=tag,
                where=path,
            )
            pixels = _decode(image)
            _check_jpeg_data(image, path)
        size = SizePx(pixels.rgb.shape[1], pixels.rgb.shape[0])
        info = SlideInfo(
            path=path,
            name=path.name,
            reader=READER,
            size=size,
            levels=(Level(size, 1.0, 1.0),),
            mpp=scale.mpp,
            mpp_source=scale.source,
            objective_power=None,
            bounds=None,
            vendor=None,
            fingerprint=fingerprint(path),
        )
        valid = None if pixels.valid.all() else pixels.valid
        super().__init__(pixels.rgb, mpp=scale.mpp, name=path.name, valid=valid, info=info)


# What Pillow raises for broken data besides OSError: none of it documented, all of it seen.
_DECODER_ERRORS = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    TypeError,
    LookupError,
    ArithmeticError,
    struct.error,
)


@contextmanager
def _quiet(path: Path) -> Iterator[None]:
    """Turn what Pillow raises for a bad file into one error, and its warnings into nothing."""
    try:
        with warnings.catch_warnings():
            # Pillow's own limit is replaced by MAX_IMAGE_PX; its other warnings are about tags not used here.
            warnings.simplefilter("ignore")
            yield
    except PIL.UnidentifiedImageError:
        raise SlideFormatError(
            "not a slide that OpenSlide knows, nor a PNG, JPEG, WebP or TIFF image", where=path
        ) from None
    except Image.DecompressionBombError:
        raise _too_large(path) from None
    except _DECODER_ERRORS as error:
        raise SlideFormatError(
            f"cannot be decoded ({error})",
            where=path,
            mend="the file is damaged or incomplete: copy it again",
        ) from None


def _too_large(path: Path) -> SlideFormatError:
    return SlideFormatError(
        f"has more than {MAX_IMAGE_PX} pixels, too many for a plain image",
        where=path,
        mend=CONVERT,
    )


def check_colours(path: Path) -> None:
    """Refuse a greyscale, CMYK or Lab TIFF, which OpenSlide would present as RGB.

    Raises
    ------
    SlideFormatError
        Naming the mode. A TIFF that Pillow cannot open is left to OpenSlide's judgement.
    """
    with suppress(*_DECODER_ERRORS, Image.DecompressionBombError), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=("TIFF",)) as image:
            mode = image.mode
        _check_mode(mode, where=path)


def _check_mode(mode: str, *, where: Path) -> None:
    if mode in _GREY_MODES:
        raise SlideFormatError(
            f"is greyscale (mode {mode}), H&E needs colour", where=where, mend="give the RGB original"
        )
    if mode not in _COLOUR_MODES:
        raise SlideFormatError(
            f"has the colour mode {mode}", where=where, mend="save it as RGB with 8 bits a channel"
        )


def _check_image(image: Image.Image, *, where: Path) -> None:
    """Refuse an image that is too large, has no RGB colours or holds several pictures."""
    if image.width * image.height > MAX_IMAGE_PX:
        raise _too_large(where)
    _check_mode(image.mode, where=where)
    frames = _frames_of_full_size(image)
    if frames > 1:
        raise SlideFormatError(
            f"holds {frames} pictures of the same size", where=where, mend="save the one to be read by itself"
        )


def _frames_of_full_size(image: Image.Image) -> int:
    frames = getattr(image, "n_frames", 1)
    if frames == 1 or image.format in {"MPO", "JPEG"}:  # a camera's JPEG carries previews
        return 1
    if image.format != "TIFF":
        return frames
    size, same = image.size, 0
    for index in range(frames):
        image.seek(index)
        same += image.size == size
    image.seek(0)
    return same


def _check_jpeg_data(image: Image.Image, path: Path) -> None:
    """Refuse damaged JPEG data, whole or in strips: Pillow does not pass on what libjpeg complains about."""
    file, size = PositionalFile(path), SizePx(image.width, image.height)
    if image.format in {"JPEG", "MPO"}:
        most = min(path.stat().st_size, 8 * size.area + _METADATA_BYTES)
        check_stream(file.read(0, most), stream_head(None, ycbcr=True), size)
    if isinstance(image, TiffImagePlugin.TiffImageFile) and image.tag_v2.get(_COMPRESSION) == _JPEG:
        tags = image.tag_v2
        head = stream_head(tags.get(_JPEG_TABLES), ycbcr=True)
        strip = SizePx(size.width, min(size.height, tags.get(_ROWS_PER_STRIP, size.height)))
        for offset, count in zip(tags.get(_STRIP_OFFSETS, ()), tags.get(_STRIP_COUNTS, ()), strict=True):
            check_stream(file.read(offset, count), head, strip)


def _decode(image: Image.Image) -> Pixels:
    if image.mode in {"RGBA", "RGBa", "PA"} or "transparency" in image.info:
        return Pixels.from_rgba(np.asarray(image.convert("RGBA")))
    rgb = np.array(image.convert("RGB"))
    return Pixels(rgb, np.ones(rgb.shape[:2], np.bool_))


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
