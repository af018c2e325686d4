"""TIFFs read as they are stored, tile by tile, where OpenSlide would show something else.

libtiff, and OpenSlide with it, turns each tile by the tag Orientation, shows 12 bits in 16 as near black and
believes a tag that the streams contradict. Here each segment is decoded by tifffile's codecs, or by
libjpeg-turbo, and becomes colours by what `tiff_layout` decided. Strips of plain images are decoded the same
way, all at once.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.errors import SlideFormatError, UndecodableError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.coded_colours import read_coded_colours
from mitoscope.slide.info import Level, SlideInfo, downsample, fingerprint, resolve_scale
from mitoscope.slide.jpeg_tile_reader import READER_NUMBERS, SHARED, DecodedTileCache
from mitoscope.slide.jpeg_tiles import PARSER_ERRORS, PositionalFile, decode_tile
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.seams import looks_damaged
from mitoscope.slide.slide import Slide
from mitoscope.slide.tiff_picture import (
    JPEG,
    JPEG_2000,
    WEBP,
    WHOLE_PICTURES,
    Fourth,
    StoredPicture,
    TiffLayout,
)

MAX_TILE_PX = 1 << 24
"""Most pixels of a tile that is decoded whole: 4,096 × 4,096."""
DEEP_FROM = 1 << 14
"""Samples of 16 bits that all lie below this use fewer bits than they claim: glass is near white."""
TOLERANCE_GREY = 2
"""Most grey levels by which two JPEG decoders may differ (promise 5)."""
_LOG = logging.getLogger(__name__)
_MEND_CUT = "the file is damaged or incomplete: copy it again"
_MEND_DEPTH = "write it anew with the true MaxSampleValue (or OME SignificantBits), e.g. 4095 for 12 bits"


SCALE_TAG = "tiff.XResolution"


def reader_name() -> str:
    """Return the reader and its versions."""
    import imagecodecs
    import tifffile

    return f"tifffile {tifffile.__version__}, imagecodecs {imagecodecs.__version__}"


class Segments:
    """The tiles or strips of one picture, decoded one by one. Safe for several threads and across forks.

    Parameters
    ----------
    path : Path
        The file.
    picture : StoredPicture
        What is stored, judged.
    """

    def __init__(self, path: Path, picture: StoredPicture) -> None:
        self.picture = picture
        self._path = path
        self._file = PositionalFile(path)
        self._scale = to_8_bits(picture.bits) if picture.bits != 8 and picture.palette is None else None

    def decode(self, index: int) -> NDArray[np.uint8]:
        """Return a segment as colours, shape (height, width, 3) or, with transparency, (height, width, 4).

        Raises
        ------
        ValueError
            If it is not stored, or damaged.
        OSError
            If the file cannot be read.
        """
        picture = self.picture
        if picture.compression == JPEG and picture.samples == 3:
            return self._jpeg(index)
        values = self.values(index)
        if picture.palette is not None:
            indices = np.minimum(values[..., 0], len(picture.palette) - 1)
            return np.asarray(picture.palette[indices], np.uint8)
        rgb = values if self._scale is None else self._scale[values]
        colours = np.ascontiguousarray(rgb, np.uint8)
        if picture.fourth is not None:
            return _with_transparency(colours, picture.fourth)
        if picture.colours == "YCbCr" and not self._transformed(index):
            return np.asarray(Image.fromarray(colours, "YCbCr").convert("RGB"))
        return colours

    def _jpeg(self, index: int) -> NDArray[np.uint8]:
        stream = self.stream(index)
        table = self.picture.table
        left = table.size.height - table.box(index).y
        said = read_coded_colours(stream)
        tile = table.tile
        if not self.picture.tiled and said is not None and said.height == left < tile.height:
            tile = SizePx(tile.width, left)  # the last strip
        return decode_tile(stream, table.head_of(stream), tile)

    def _transformed(self, index: int) -> bool:
        """Return whether a JPEG 2000 stream turns its colours back to RGB by itself, unlike its level."""
        said = read_coded_colours(self.stream(index))
        return said is not None and said.transformed

    def looks_damaged(self, index: int, colours: NDArray[np.uint8]) -> bool:
        """Return whether a seam shows in a decoded segment; errors as of `decode`."""
        picture = self.picture
        if picture.compression != JPEG or picture.samples != 3:
            return False
        return looks_damaged(self.stream(index), colours, inside=picture.table.inside(index))

    def stream(self, index: int) -> bytes:
        """Return a segment as it is stored; errors as of `decode`."""
        return self._file.read(*self.picture.table.place(index))

    def values(self, index: int) -> NDArray[np.generic]:
        """Return the samples of a segment as they are stored, shape (height, width, samples)."""
        picture, table = self.picture, self.picture.table
        apart = table.across * table.down
        planes = [self._plane(index + apart * plane) for plane in range(picture.planes)]
        return planes[0] if len(planes) == 1 else np.concatenate(planes, axis=-1)

    def _plane(self, index: int) -> NDArray[np.generic]:
        picture, page = self.picture, self.picture.page
        stream = self.stream(index)
        try:
            if picture.compression in JPEG_2000 | WHOLE_PICTURES:
                return self._filled(_decode_picture(stream, picture.compression), index)
            values, _, _ = page.decode(stream, index, jpegtables=page.jpegtables, _fullsize=page.is_tiled)
        except PARSER_ERRORS as error:
            raise ValueError(str(error)) from None
        except RuntimeError as error:  # what imagecodecs raises for broken streams
            raise ValueError(str(error)) from None
        if values is None:
            raise ValueError("nothing is stored")
        return self._filled(np.asarray(values[0]), index)

    def _filled(self, values: NDArray[np.generic], index: int) -> NDArray[np.generic]:
        """Return samples that fill the segment; one at the border may end where the picture does."""
        table, samples = self.picture.table, self.picture.samples // self.picture.planes
        tile = table.tile
        size = 1 if self.picture.bits <= 8 else 2
        if values.dtype.kind != "u" or values.dtype.itemsize != size or values.ndim != 3:
            raise ValueError(f"samples of {values.dtype} in {values.ndim} dimensions")
        box = table.box(index % (table.across * table.down))
        whole = tile.height, tile.width, samples
        inside = (
            min(tile.height, table.size.height - box.y),
            min(tile.width, table.size.width - box.x),
            samples,
        )
        if any(side not in sides for side, *sides in zip(values.shape, whole, inside, strict=True)):
            raise ValueError(f"samples of {values.shape} instead of {whole}")
        around = (0, whole[0] - values.shape[0]), (0, whole[1] - values.shape[1]), (0, 0)
        return np.pad(values, around, mode="edge") if values.shape != whole else values

    def whole(self) -> Pixels:
        """Decode a whole picture; one of several strips that is damaged loses it.

        Raises
        ------
        ValueError, OSError
            As `decode`.
        """
        table = self.picture.table
        size = table.size
        channels = 3
        joined: NDArray[np.uint8] | None = None
        for index in range(table.across * table.down):
            colours = self.decode(index)
            if joined is None:
                channels = colours.shape[2]
                joined = np.empty((size.height, size.width, channels), np.uint8)
            box = table.box(index)
            part = joined[box.y : box.bottom, box.x : box.right]
            if colours.shape[0] < part.shape[0]:
                raise ValueError(f"segment {index} has {colours.shape[0]} rows instead of {part.shape[0]}")
            part[...] = colours[: part.shape[0], : part.shape[1]]
        assert joined is not None  # a table has at least one segment
        return as_pixels(joined)

    def check(self) -> None:
        """Compare what was decided with the samples themselves.

        Raises
        ------
        SlideFormatError
            If no tile can be decoded; if segments are too large; if no sample reaches half of the depth that
            is stated, or one exceeds it; if libjpeg sees other colours than those decided against a tag.
        """
        picture = self.picture
        tile = picture.table.tile
        if picture.tiled and tile.area > MAX_TILE_PX:
            raise SlideFormatError(f"has tiles of {tile.width} × {tile.height} px", where=self._path)
        self._check_depth()
        if picture.contradictions and picture.compression == JPEG:
            self._check_colours()
        if picture.tiled and not any(map(self._decodes, _largest(picture))):
            raise UndecodableError("has no tile that can be decoded", where=self._path, mend=_MEND_CUT)

    def _decodes(self, index: int) -> bool:
        try:
            self.decode(index)
        except (ValueError, OSError):
            return False
        return True

    def _check_depth(self) -> None:
        picture = self.picture
        if picture.bits <= 8 or picture.palette is not None:
            return
        most = 0
        for index in _largest(picture):
            try:
                most = max(most, int(np.max(self.values(index))))
            except (ValueError, OSError):
                continue
        if most >= 1 << picture.bits:
            raise SlideFormatError(
                f"a sample is {most}, but {picture.depth_by} states {picture.bits} bits",
                where=self._path,
                mend=_MEND_DEPTH,
            )
        if most < 1 << (picture.bits - 1):  # glass is near white
            raise SlideFormatError(
                f"{picture.depth_by} states {picture.bits} bits, but no sample exceeds {most}"
                f" ({most.bit_length()} bits)",
                where=self._path,
                mend=_MEND_DEPTH,
            )

    def _check_colours(self) -> None:
        """Compare the colours that were decided with what libjpeg itself makes of the streams.

        OpenSlide follows the tag, so it is no witness here. libjpeg reads the signs in the stream by rules of
        its own, without knowing any tag.
        """
        import imagecodecs

        tables = self.picture.page.jpegtables
        compared = 0
        for index in _largest(self.picture):
            try:
                ours = self.decode(index)
                theirs = imagecodecs.jpeg8_decode(self.stream(index), tables=tables, outcolorspace="RGB")
            except (ValueError, OSError, RuntimeError):
                continue
            compared += 1
            if theirs.shape != ours.shape or _apart(ours, theirs) > TOLERANCE_GREY:
                raise SlideFormatError(
                    "tag 262 (PhotometricInterpretation) contradicts the streams, of which two decoders make"
                    " different colours",
                    where=self._path,
                    mend="convert the file again from its original",
                )
        if not compared:
            raise SlideFormatError("has no tile that can be decoded", where=self._path, mend="copy it again")


def _decode_picture(stream: bytes, compression: int) -> NDArray[np.generic]:
    """Decode a stream that is a picture of its own; errors as imagecodecs raises them."""
    import imagecodecs

    if compression in JPEG_2000:
        if read_coded_colours(stream) is None:
            raise ValueError("no JPEG 2000 stream")
        return np.atleast_3d(imagecodecs.jpeg2k_decode(stream, numthreads=1))
    if compression == WEBP:
        return np.atleast_3d(imagecodecs.webp_decode(stream))
    return np.atleast_3d(imagecodecs.jpegxl_decode(stream, numthreads=1))


def _largest(picture: StoredPicture) -> list[int]:
    """Return the segments of one plane that take most bytes: what is in them is no empty glass."""
    apart = picture.table.across * picture.table.down
    order = np.argsort(picture.table.counts[:apart], kind="stable")
    return [int(index) for index in order[-8:]]


def to_8_bits(bits: int) -> NDArray[np.uint8]:
    """Return what each value of so many bits becomes in 8; larger ones are white."""
    most = (1 << bits) - 1
    values = np.minimum(np.arange(1 << 16, dtype=np.uint32), most)
    return ((values * 255 + most // 2) // most).astype(np.uint8)


def _with_transparency(colours: NDArray[np.uint8], fourth: Fourth) -> NDArray[np.uint8]:
    """Return colours with straight transparency, or without one where the fourth sample is none."""
    if fourth is Fourth.UNSPECIFIED:
        return np.ascontiguousarray(colours[..., :3])
    if fourth is Fourth.PREMULTIPLIED:
        opaque = np.maximum(colours[..., 3:], 1).astype(np.uint16)
        straight = (colours[..., :3].astype(np.uint16) * 255 + opaque // 2) // opaque
        return np.dstack([np.minimum(straight, 255).astype(np.uint8), colours[..., 3]])
    return colours


def as_pixels(colours: NDArray[np.uint8]) -> Pixels:
    """Return colours (H, W, 3) or (H, W, 4) as pixels."""
    if colours.shape[2] == 4:
        return Pixels.from_rgba(colours)
    return Pixels(colours, np.ones(colours.shape[:2], np.bool_))


def describe_tiff(path: Path, layout: TiffLayout, *, mpp: float | None, mpp_override: bool) -> SlideInfo:
    """Describe a TIFF that OpenSlide does not open.

    Raises
    ------
    ScaleError
        If the resolution is missing or implausible.
    """
    scale = resolve_scale(
        lambda: layout.scale,
        given=mpp,
        override=mpp_override,
        objective_power=None,
        tag=SCALE_TAG,
        where=path,
    )
    size = layout.pictures[0].size
    return SlideInfo(
        path=path,
        name=path.name,
        reader=reader_name(),
        size=size,
        levels=(Level(size, 1.0, 1.0),),
        mpp=scale.mpp,
        mpp_source=scale.source,
        objective_power=None,
        bounds=None,
        vendor=None,
        fingerprint=fingerprint(path),
        notes=(*scale.notes, *layout.notes),
    )


class TiffReader(Slide):
    """A tiled TIFF, read as it is stored. Safe for several threads and across forks.

    Parameters
    ----------
    info : SlideInfo
        The slide as OpenSlide describes it, or `describe_tiff`; levels and reader are replaced.
    layout : TiffLayout
        What is stored, judged.
    cache : DecodedTileCache, optional
        Where decoded tiles are kept; by default the process's own.

    Raises
    ------
    SlideFormatError
        If tiles are too large, the depth contradicts the samples, or two decoders of JPEG disagree.
    """

    def __init__(self, info: SlideInfo, layout: TiffLayout, *, cache: DecodedTileCache = SHARED) -> None:
        assert info.path is not None  # TIFFs are files
        self._levels = tuple(Segments(info.path, picture) for picture in layout.pictures)
        for segments in self._levels:
            segments.check()
        self._cache = cache
        self._number = next(READER_NUMBERS)
        self._closed = False
        self._lost: set[tuple[int, int]] = set()
        self._looked_at: set[tuple[int, int]] = set()
        self._suspected: set[tuple[int, int]] = set()
        size0 = layout.pictures[0].size
        self.info = replace(
            info,
            reader=reader_name(),
            size=size0,
            levels=tuple(
                Level(picture.size, *downsample(size0, picture.size), picture.table.tile)
                for picture in layout.pictures
            ),
            bounds=None,
            reader_reason=layout.unlike_openslide or info.reader_reason,
        )

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        if self._closed:
            raise self._closed_error()
        whole = Pixels.nothing(box.width, box.height)
        damaged: list[BoxPx] = []
        for index, place in self._levels[level].picture.table.touching(box):
            part = place.intersection(box)
            assert part is not None  # it touches
            colours = self._tile(level, index)
            if colours is None:
                damaged.append(part)
                continue
            pixels = as_pixels(colours[place.slices_of(part)])
            here = box.slices_of(part)
            whole.rgb[here], whole.valid[here] = pixels.rgb, pixels.valid
        return Pixels(whole.rgb, whole.valid, tuple(damaged))

    def _tile(self, level: int, index: int) -> NDArray[np.uint8] | None:
        """Return a tile; None where it is not stored or cannot be decoded without a complaint."""
        if (level, index) in self._lost:
            return None
        key = self._number, level, index, 1
        colours = self._cache.get(key)
        if colours is None:
            try:
                colours = self._levels[level].decode(index)
                self._suspect(level, index, colours)
            except (ValueError, OSError) as error:
                if isinstance(error, ValueError):
                    self._lost.add((level, index))
                _LOG.info("%s: tile %d of level %d is lost: %s", self.info.name, index, level, error)
                return None
            self._cache.put(key, colours)
        return colours

    def _suspect(self, level: int, index: int, colours: NDArray[np.uint8]) -> None:
        """Remember a tile in which a seam shows."""
        if (level, index) not in self._looked_at:
            self._looked_at.add((level, index))
            if self._levels[level].looks_damaged(index, colours):
                self._suspected.add((level, index))

    def suspected(self) -> tuple[tuple[int, BoxPx], ...]:
        """See `Slide`."""
        found = sorted(self._suspected.copy())
        return tuple((level, self._levels[level].picture.table.box(index)) for level, index in found)

    def close(self) -> None:
        """Let go of the tiles; the file is given back with the reader."""
        self._closed = True
        self._cache.forget(self._number)


def _apart(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    return float(np.abs(one.astype(np.int16) - other).mean())
