"""Plain images: the regions of interest in which MIDOG, TUPAC and MiDeSeC are published.

PNG, JPEG and WebP, decoded once by Pillow, and TIFF, decoded as it is stored (`tiff_layout`); kept in memory.

=====================  =================================================================================
What the file holds    What happens
=====================  =================================================================================
RGB, 8 bits            read
RGB, 16 bits           scaled to 8 bits; refused where the samples use fewer bits and no tag says so
palette                read as the colours it stands for
transparency           laid over white; pixels less than half opaque are invalid
greyscale, bilevel     refused: H&E needs its two stains
CMYK, Lab, HSV         refused: the conversion needs the profile of a printer, colours would be invented
several frames         the first page of a TIFF with smaller pages; otherwise refused
damaged segment        refused: the picture is not whole
damaged JPEG data      refused: Pillow would fill the picture up with grey and say nothing
orientation            ignored on purpose, of EXIF and of TIFF: annotations refer to the stored pixels
=====================  =================================================================================

The resolution is looked for in this order: OME-XML and ImageJ descriptions, the TIFF resolution, PNG
``pHYs``, the JPEG (JFIF) density. Screen densities such as 72 or 96 dpi come out at hundreds of µm/px and are
refused by the range check, which names the tag.
"""

from __future__ import annotations

import struct
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL
from PIL import Image

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import SizePx
from mitoscope.slide.info import Level, SlideInfo, StatedScale, fingerprint, resolve_scale
from mitoscope.slide.jpeg_tiles import PositionalFile, check_stream, stream_head
from mitoscope.slide.memory_slide import MemorySlide
from mitoscope.slide.openslide_reader import CONVERT
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.tiff_directories import is_tiff
from mitoscope.slide.tiff_layout import read_layout
from mitoscope.slide.tiff_reader import DEEP_FROM, SCALE_TAG, Segments
from mitoscope.slide.tiff_reader import reader_name as tiff_reader_name

READER = f"pillow {PIL.__version__}"
FORMATS = ("PNG", "JPEG", "WEBP")
MAX_IMAGE_PX = 1 << 27
"""Most pixels of a plain image: 11,585 × 11,585, decoded to 400 MB. Larger ones belong into a pyramid."""
_METADATA_BYTES = 1 << 24
_PNG_DEPTH_AT = 24
_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBX", "RGBa", "P", "PA", "YCbCr"})
_GREY_MODES = frozenset({"1", "L", "LA", "La", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"})
_UM_PER_INCH = 25_400.0
_UM_PER_CM = 10_000.0


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
        picture = _read_tiff(path) if is_tiff(path) else _read_image(path)
        scale = resolve_scale(
            lambda: picture.scale,
            given=mpp,
            override=mpp_override,
            objective_power=None,
            tag=picture.tag,
            where=path,
        )
        pixels = picture.decode()
        size = SizePx(pixels.rgb.shape[1], pixels.rgb.shape[0])
        info = SlideInfo(
            path=path,
            name=path.name,
            reader=picture.reader,
            size=size,
            levels=(Level(size, 1.0, 1.0),),
            mpp=scale.mpp,
            mpp_source=scale.source,
            objective_power=None,
            bounds=None,
            vendor=None,
            fingerprint=fingerprint(path),
            notes=(*scale.notes, *picture.notes),
            has_icc_profile=_has_icc_profile(path),
        )
        valid = None if pixels.valid.all() else pixels.valid
        super().__init__(pixels.rgb, mpp=scale.mpp, name=path.name, valid=valid, info=info)


@dataclass(frozen=True, slots=True, eq=False)
class _Picture:
    """A picture before it is decoded: what it states and how its pixels are had."""

    reader: str
    tag: str
    scale: StatedScale | None
    decode: Callable[[], Pixels]
    notes: tuple[str, ...] = ()


def _read_tiff(path: Path) -> _Picture:
    layout = read_layout(path)
    picture = layout.pictures[0]
    if picture.size.area > MAX_IMAGE_PX:
        raise _too_large(path)
    segments = Segments(path, picture)
    segments.check()

    def decode() -> Pixels:
        try:
            return segments.whole()
        except (ValueError, OSError) as error:
            raise _undecodable(path, error) from None

    return _Picture(tiff_reader_name(), SCALE_TAG, layout.scale, decode, layout.notes)


def _read_image(path: Path) -> _Picture:
    with _quiet(path), Image.open(path, formats=FORMATS) as image:
        _check_image(image, where=path)
        tag, scale = scale_tag(image), read_image_scale(image)
        pixels = _decode(image, path)
        _check_jpeg_data(image, path)
    return _Picture(READER, tag, scale, lambda: pixels)


def _has_icc_profile(path: Path) -> bool:
    # A TIFF that Pillow cannot open may be read all the same.
    with suppress(*_DECODER_ERRORS), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with Image.open(path, formats=(*FORMATS, "TIFF")) as image:
            return bool(image.info.get("icc_profile"))
    return False


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
        raise _undecodable(path, error) from None


def _undecodable(path: Path, error: Exception) -> SlideFormatError:
    return SlideFormatError(
        f"cannot be decoded ({error})", where=path, mend="the file is damaged or incomplete: copy it again"
    )


def _too_large(path: Path) -> SlideFormatError:
    return SlideFormatError(
        f"has more than {MAX_IMAGE_PX} pixels, too many for a plain image",
        where=path,
        mend=CONVERT,
    )


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
    frames = _frames(image)
    if frames > 1:
        raise SlideFormatError(
            f"holds {frames} pictures of the same size", where=where, mend="save the one to be read by itself"
        )


def _frames(image: Image.Image) -> int:
    # A camera's JPEG carries previews.
    return 1 if image.format in {"MPO", "JPEG"} else int(getattr(image, "n_frames", 1))


def _check_jpeg_data(image: Image.Image, path: Path) -> None:
    """Refuse damaged JPEG data: Pillow does not pass on what libjpeg complains about."""
    size = SizePx(image.width, image.height)
    if image.format in {"JPEG", "MPO"}:
        most = min(path.stat().st_size, 8 * size.area + _METADATA_BYTES)
        check_stream(PositionalFile(path).read(0, most), stream_head(None, ycbcr=True), size)


def _decode(image: Image.Image, path: Path) -> Pixels:
    if image.mode in {"RGBA", "RGBa", "PA"} or "transparency" in image.info:
        return Pixels.from_rgba(np.asarray(image.convert("RGBA")))
    rgb = np.array(image.convert("RGB"))
    if image.format == "PNG" and _bits_of_png(path) == 16 and int(rgb.max()) < DEEP_FROM >> 8:
        raise SlideFormatError(
            f"has samples of 16 bits of which none exceeds {DEEP_FROM - 1}",
            where=path,
            mend="scale them to 16 bits, as PNG demands, or write a TIFF with the tag MaxSampleValue",
        )
    return Pixels(rgb, np.ones(rgb.shape[:2], np.bool_))


def _bits_of_png(path: Path) -> int:
    """Return the bits of a sample, which Pillow has reduced to 8 already."""
    return PositionalFile(path).read(_PNG_DEPTH_AT, 1)[0]


def scale_tag(image: Image.Image) -> str:
    """Return the name of the tag in which an image of this format states its resolution."""
    names = {"PNG": "PNG pHYs", "JPEG": "JPEG density", "MPO": "JPEG density"}
    return names.get(image.format or "", f"resolution tag in {image.format}")


def read_image_scale(image: Image.Image) -> StatedScale | None:
    """Return the resolution an opened image states, or None."""
    if image.format == "PNG":
        return _dpi_scale(image, "PNG pHYs")
    if image.format in {"JPEG", "MPO"} and image.info.get("jfif_unit") in {1, 2}:
        return _jfif_scale(image)
    return None


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
