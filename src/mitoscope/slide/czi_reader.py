"""Slides in Zeiss CZI, read subblock by subblock as they are stored.

=========================  ================================================================================
What the file holds        What happens
=========================  ================================================================================
scenes                     all in one frame, as on the glass; its origin is the corner of what was scanned
overlapping subblocks      the topmost by the file's own order (dimension M), as in ZEN
no subblock at a place     not scanned: white and invalid
a mask of valid pixels     what it leaves out was not scanned
a subblock cut off         a gap
a pyramid level            read where it shows all that was scanned; one that leaves out scenes is left out
Bgr48                      scaled to 8 bits by ComponentBitCount; refused where the samples contradict it
=========================  ================================================================================

A subblock of a level begins at a whole pixel of that level; where its place is none, at the nearest.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError, UndecodableError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.czi import (
    BGR24,
    JPEG,
    JPEG_XR,
    SCALE_TAG,
    SEGMENT,
    SUBBLOCK,
    UNCODED,
    ZSTD_HEADED,
    CziContent,
    Subblock,
    read_czi,
)
from mitoscope.slide.info import Level, SlideInfo, fingerprint, resolve_scale
from mitoscope.slide.jpeg_tile_reader import READER_NUMBERS, SHARED, DecodedTileCache
from mitoscope.slide.jpeg_tiles import PositionalFile
from mitoscope.slide.openslide_reader import MAX_SIDE_PX
from mitoscope.slide.pixels import WHITE, Pixels
from mitoscope.slide.slide import Slide
from mitoscope.slide.tiff_reader import as_pixels, to_8_bits

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

_LOG = logging.getLogger(__name__)
_SIZES = struct.Struct("<iiq")
_BEFORE_DATA = 256
"""Bytes of a subblock before its metadata: the three sizes and its entry of the directory, filled up."""
_MASK = bytes.fromhex("67eae3cbfc5b2b49a16aece378031448")
"""Name of the attachment that says which pixels are valid."""
_SAMPLES = 3
_LOOKED_AT = 8
_HIGH_AND_LOW_APART = b"\x03\x01\x01"


class CziReader(Slide):
    """A slide in Zeiss CZI. Safe for several threads and across forks.

    Parameters
    ----------
    path : Path
        The file.
    mpp : float, optional
        Resolution in µm/px, if the file states none.
    mpp_override : bool
        Let it replace also what the file states.
    cache : DecodedTileCache, optional
        Where decoded tiles are kept; by default the process's own.

    Raises
    ------
    SlideFormatError
        If it is no CZI of one brightfield picture in colours, is cut off, or no tile of it can be decoded.
    ScaleError
        If the resolution is missing or implausible.
    """

    def __init__(
        self,
        path: Path,
        *,
        mpp: float | None = None,
        mpp_override: bool = False,
        cache: DecodedTileCache = SHARED,
    ) -> None:
        content = read_czi(path)
        self._file = PositionalFile(path)
        self._levels = _levels(content.blocks, path)
        self._cache = cache
        self._number = next(READER_NUMBERS)
        self._closed = False
        self._lost: set[tuple[int, int]] = set()
        self._scale: NDArray[np.uint8] | None = None
        most = self._most(path)
        notes = list(_notes(content, self._levels))
        if content.blocks[0].pixel_type != BGR24:
            bits = _checked_bits(content.bits, most, path)
            self._scale = to_8_bits(bits)
            notes.append(f"samples of {bits} bits were scaled to 8")
        self.info = _describe(
            path, content, self._levels, mpp=mpp, mpp_override=mpp_override, notes=tuple(notes)
        )

    def _most(self, path: Path) -> int:
        """Return the largest sample of a few subblocks, those of the smallest level."""
        level = self._levels[-1]
        count = len(level.blocks)
        looked_at = {round(n * (count - 1) / max(1, _LOOKED_AT - 1)) for n in range(min(count, _LOOKED_AT))}
        found = []
        for index in sorted(looked_at):
            try:
                found.append(int(self._samples(level.blocks[index])[0].max()))
            except (ValueError, OSError) as error:
                reason = str(error)
        if not found:
            raise UndecodableError(
                f"has no tile that can be decoded ({reason})",
                where=path,
                mend="the file is damaged or incomplete: copy it again",
            )
        return max(found)

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        if self._closed:
            raise self._closed_error()
        whole = Pixels.nothing(box.width, box.height)
        damaged: list[BoxPx] = []
        for index, place in self._levels[level].touching(box):
            part = place.intersection(box)
            assert part is not None  # it touches
            colours = self._colours(level, index)
            if colours is None:
                damaged.append(part)
                continue
            height, width = colours.shape[:2]  # of a last one a pixel less may be stored than stated
            part = BoxPx(place.x, place.y, width, height).intersection(box)
            if part is None:
                continue
            pixels = as_pixels(colours[place.slices_of(part)])
            here = box.slices_of(part)
            seen = slice(None) if pixels.valid.all() else pixels.valid
            whole.rgb[here][seen] = pixels.rgb[seen]
            whole.valid[here][seen] = True
        return Pixels(whole.rgb, whole.valid, tuple(damaged))

    def _colours(self, level: int, index: int) -> NDArray[np.uint8] | None:
        """Return a subblock, shape (h, w, 3), or (h, w, 4) with a mask; None where it is damaged."""
        if (level, index) in self._lost:
            return None
        key = self._number, level, index, 1
        colours = self._cache.get(key)
        if colours is None:
            try:
                samples, mask = self._samples(self._levels[level].blocks[index])
            except (ValueError, OSError) as error:
                if isinstance(error, ValueError):
                    self._lost.add((level, index))
                _LOG.info("%s: tile %d of level %d is lost: %s", self.info.name, index, level, error)
                return None
            scaled = samples if self._scale is None else self._scale[samples]
            colours = np.ascontiguousarray(scaled, np.uint8)
            if mask is not None:
                colours = np.dstack([colours, mask[: len(colours), : colours.shape[1]]])
            self._cache.put(key, colours)
        return colours

    def _samples(self, block: Subblock) -> tuple[NDArray[np.generic], NDArray[np.uint8] | None]:
        """Return the samples of a subblock as RGB, and its mask of valid pixels (0 or 255).

        Raises
        ------
        ValueError
            If it is not stored as a whole, or damaged.
        OSError
            If the file cannot be read.
        """
        head = self._read(block.position, SEGMENT.size + _SIZES.size)
        kind, _, _ = SEGMENT.unpack_from(head)
        metadata, attachment, length = _SIZES.unpack_from(head, SEGMENT.size)
        limit = _SAMPLES * block.stored.area * 4 + (1 << 20)
        if kind.rstrip(b"\0") != SUBBLOCK or metadata < 0 or not 0 < length <= limit:
            raise ValueError("nothing is stored where the directory says")
        place = block.position + SEGMENT.size + _BEFORE_DATA + metadata
        samples = _decode(self._read(place, length), block)
        mask = None
        if attachment >= len(_MASK):
            mask = _mask(self._file.read(place + length, min(attachment, limit)), block.stored)
        return samples, mask

    def _read(self, place: int, count: int) -> bytes:
        if place < 0:
            raise ValueError("it lies before the file")
        content = self._file.read(place, count)
        if len(content) != count:
            raise ValueError("the file ends before it")
        return content

    def close(self) -> None:
        """Let go of the tiles; the file is given back with the reader."""
        self._closed = True
        self._cache.forget(self._number)


@dataclass(frozen=True, eq=False)
class _CziLevel:
    """A level: its subblocks from the lowest to the topmost, and their boxes in px of the level."""

    factor: int
    size: SizePx
    blocks: tuple[Subblock, ...]
    corners: NDArray[np.int64]

    def touching(self, box: BoxPx) -> Iterator[tuple[int, BoxPx]]:
        """Yield the index and place of each subblock that a box touches, the lowest first."""
        left, top, right, bottom = self.corners.T
        hit = (left < box.right) & (right > box.x) & (top < box.bottom) & (bottom > box.y)
        for index in np.flatnonzero(hit):
            x, y, beyond_x, beyond_y = (int(corner) for corner in self.corners[index])
            yield int(index), BoxPx(x, y, beyond_x - x, beyond_y - y)


def _levels(blocks: Sequence[Subblock], path: Path) -> tuple[_CziLevel, ...]:
    """Return the levels, the largest first: those that show all that was scanned."""
    import shapely

    first = [block for block in blocks if block.stored == block.place.size]
    if not first:
        raise SlideFormatError(
            "stores no tile in full resolution", where=path, mend="export it with ZEN without reduction"
        )
    x, y = min(block.place.x for block in first), min(block.place.y for block in first)
    size = SizePx(
        max(block.place.right for block in first) - x, max(block.place.bottom for block in first) - y
    )
    if max(size.width, size.height) > MAX_SIDE_PX:
        raise SlideFormatError(
            f"claims {size.width} × {size.height} px (at most {MAX_SIDE_PX} a side)", where=path
        )
    scanned = _union(first)
    found = [_level(1, first, x, y, size)]
    for factor in sorted({block.factor for block in blocks} - {1}):
        lower = [block for block in blocks if block.factor == factor]
        if shapely.difference(scanned, shapely.buffer(_union(lower), factor, join_style="mitre")).is_empty:
            part = SizePx(-(-size.width // factor), -(-size.height // factor))
            found.append(_level(factor, lower, x, y, part))
    return tuple(found)


def _union(blocks: Sequence[Subblock]) -> BaseGeometry:
    import shapely

    sides = np.array([(b.place.x, b.place.y, b.place.right, b.place.bottom) for b in blocks], np.float64)
    return shapely.union_all(shapely.box(*sides.T))


def _level(factor: int, blocks: Sequence[Subblock], x: int, y: int, size: SizePx) -> _CziLevel:
    corners = np.empty((len(blocks), 4), np.int64)
    for row, block in zip(corners, blocks, strict=True):
        left, top = ((at + factor // 2) // factor for at in (block.place.x - x, block.place.y - y))
        row[:] = left, top, left + block.stored.width, top + block.stored.height
    return _CziLevel(factor, size, tuple(blocks), corners)


def _notes(content: CziContent, levels: Sequence[_CziLevel]) -> Iterator[str]:
    scenes = len({block.scene for block in content.blocks})
    if scenes > 1:
        yield f"its {scenes} scenes are read in one frame, as they lie on the glass"
    left_out = sorted({block.factor for block in content.blocks} - {level.factor for level in levels})
    if left_out:
        named = ", ".join(map(str, left_out))
        yield f"pyramid levels reduced by {named} leave out a part of what was scanned, and are not read"


def _describe(
    path: Path,
    content: CziContent,
    levels: Sequence[_CziLevel],
    *,
    mpp: float | None,
    mpp_override: bool,
    notes: tuple[str, ...],
) -> SlideInfo:
    import imagecodecs

    scale = resolve_scale(
        lambda: content.scale,
        given=mpp,
        override=mpp_override,
        objective_power=content.objective_power,
        tag=SCALE_TAG,
        where=path,
    )
    return SlideInfo(
        path=path,
        name=path.name,
        reader=f"CZI, imagecodecs {imagecodecs.__version__}",
        size=levels[0].size,
        levels=tuple(Level(level.size, float(level.factor), float(level.factor)) for level in levels),
        mpp=scale.mpp,
        mpp_source=scale.source,
        objective_power=content.objective_power,
        bounds=None,
        vendor="zeiss",
        fingerprint=fingerprint(path),
        notes=(*scale.notes, *notes),
    )


def _checked_bits(stated: int | None, most: int, path: Path) -> int:
    """Return the bits of samples of 16 that are used; refuse what the samples contradict."""
    bits = 16 if stated is None or not 8 <= stated <= 16 else stated
    if 1 << (bits - 1) <= most < 1 << bits:  # glass is near white
        return bits
    said = f"ComponentBitCount states {bits} bits" if bits == stated else "16 bits are stored"
    raise SlideFormatError(
        f"{said}, but the largest sample is {most} ({most.bit_length()} bits)",
        where=path,
        mend="export the scan in colours of 8 bits (Bgr24) with ZEN",
    )


def _decode(stream: bytes, block: Subblock) -> NDArray[np.generic]:
    """Return the samples of a stream as RGB, shape (h, w, 3); raises ValueError where it is damaged."""
    import imagecodecs

    dtype = np.dtype(np.uint8 if block.pixel_type == BGR24 else "<u2")
    whole = block.stored.height, block.stored.width, _SAMPLES
    try:
        if block.compression == JPEG:
            return _checked(imagecodecs.jpeg8_decode(stream, outcolorspace="RGB"), whole, dtype)
        if block.compression == JPEG_XR:
            return _checked(_decode_jpeg_xr(stream, whole, dtype), whole, dtype)
        planes_apart = False
        if block.compression == ZSTD_HEADED:
            head = stream[: stream[0]]
            planes_apart = head == _HIGH_AND_LOW_APART
            stream = stream[len(head) :]
        count = block.stored.area * _SAMPLES * dtype.itemsize
        values = stream if block.compression == UNCODED else imagecodecs.zstd_decode(stream, out=count)
    except RuntimeError as error:  # what imagecodecs raises for broken streams
        raise ValueError(str(error)) from None
    octets = np.frombuffer(values, np.uint8)
    if len(octets) != count:
        raise ValueError(f"{len(octets)} bytes instead of {count}")
    if planes_apart:
        octets = np.ascontiguousarray(octets.reshape(dtype.itemsize, -1).T)
    return octets.view(dtype).reshape(whole)[..., ::-1]


def _decode_jpeg_xr(stream: bytes, whole: tuple[int, int, int], dtype: np.dtype[np.generic]) -> object:
    """Decode into what is expected, so that no header can ask for more; a last row or column may lack."""
    import imagecodecs

    for less_y, less_x in ((0, 0), (1, 0), (0, 1)):
        shape = max(1, whole[0] - less_y), max(1, whole[1] - less_x), whole[2]
        try:
            return imagecodecs.jpegxr_decode(stream, out=np.empty(shape, dtype))
        except ValueError as error:
            reason = error
    shape = max(1, whole[0] - 1), max(1, whole[1] - 1), whole[2]
    try:
        return imagecodecs.jpegxr_decode(stream, out=np.empty(shape, dtype))
    except ValueError:
        raise reason from None


def _checked(
    samples: object, whole: tuple[int, int, int], dtype: np.dtype[np.generic]
) -> NDArray[np.generic]:
    decoded = np.asarray(samples)
    short = decoded.ndim == len(whole) and all(
        0 <= expected - side <= 1 for side, expected in zip(decoded.shape, whole, strict=True)
    )
    if not short or decoded.dtype != dtype or decoded.shape[2] != _SAMPLES:
        raise ValueError(f"samples of {decoded.dtype} {decoded.shape} instead of {dtype} {whole}")
    return decoded


def _mask(attachment: bytes, size: SizePx) -> NDArray[np.uint8] | None:
    """Return which pixels an attachment calls valid, as 255 and 0; None where it is something else."""
    if not attachment.startswith(_MASK):
        return None
    body = attachment[len(_MASK) :]
    for skipped in (4, 0):  # within a container of chunks its size comes first
        with_head = body[skipped:]
        if len(with_head) < 16:
            continue
        width, height, coding, stride = struct.unpack_from("<IIII", with_head)
        if (width, height, coding) == (size.width, size.height, 0) and stride >= -(-width // 8):
            bits = with_head[16 : 16 + stride * height]
            if len(bits) == stride * height:
                rows = np.unpackbits(np.frombuffer(bits, np.uint8).reshape(height, stride), axis=1)
                return rows[:, :width] * np.uint8(WHITE)
    return None
