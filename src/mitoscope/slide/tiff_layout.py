"""A TIFF as it is stored: which pages are levels, and what their tags and streams say when they are compared.

Readers believe tags. Where tags contradict the streams or each other, every reader may err in the same way:
colours shifted, tiles turned inside themselves, places mixed up. So the tags that decide about colours,
places and depth are judged once, when a file is opened; what is certain is decided and noted, what is not is
refused by the number of its tag.

====  ============================  ==========================================================================
Tag   Name                          What is done
====  ============================  ==========================================================================
258   BitsPerSample                 up to 16 bits, scaled to 8; float and signed samples are refused
259   Compression                   those of `COMPRESSIONS`
262   PhotometricInterpretation     RGB, palette and YCbCr; the streams decide where they say otherwise
274   Orientation                   ignored: positions refer to the pixels as stored
281   MaxSampleValue                states the depth of 16-bit samples, as OME's SignificantBits does
284   PlanarConfiguration           samples together or in planes
324   TileOffsets (273: strips)     as many as the grid has tiles; a tile that is not stored is a gap
330   SubIFDs                       levels of the pyramid
347   JPEGTables                    its markers count as those of each stream
338   ExtraSamples                  a fourth sample is transparency where this says so, else left out
====  ============================  ==========================================================================
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import SizePx
from mitoscope.slide.coded_colours import AS_STATED, CodedColours, Colours, StoredColours, read_coded_colours
from mitoscope.slide.info import StatedScale
from mitoscope.slide.jpeg_tiles import (
    PARSER_ERRORS,
    PositionalFile,
    TileTable,
    stream_head,
)
from mitoscope.slide.ome import find_ome_pixels
from mitoscope.slide.openslide_reader import CONVERT
from mitoscope.slide.tiff_directories import check_directories
from mitoscope.slide.tiff_levels import find_levels, shown_of, size_of
from mitoscope.slide.tiff_picture import JPEG, JPEG_2000, WHOLE_PICTURES, Fourth, StoredPicture, TiffLayout

if TYPE_CHECKING:
    from tifffile import TiffFile, TiffPage

_APERIO_YCBCR = 33003
_APERIO = frozenset({_APERIO_YCBCR, 33005})
_LOSSLESS = frozenset({1, 5, 8, 32773, 32946, 34887, 34925, 50000})
_UNPREDICTED = frozenset({1, 32773, 34887})
COMPRESSIONS = frozenset({JPEG}) | JPEG_2000 | _LOSSLESS | WHOLE_PICTURES
_GREY, _RGB, _PALETTE, _YCBCR = frozenset({0, 1}), 2, 3, 6
_PRINT = {5: "CMYK", 8: "LAB", 9: "LAB", 10: "LAB"}
_TOGETHER, _PLANES = 1, 2
_UNCODED, _ALIGNED_BYTES = 1, 16
_BITS, _COMPRESSION, _PHOTOMETRIC, _DESCRIPTION, _ORIENTATION = 258, 259, 262, 270, 274
_MAX_SAMPLE, _X_RESOLUTION, _Y_RESOLUTION, _UNIT = 281, 282, 283, 296
_PREDICTOR, _TILE_MULTIPLE_PX = 317, 16
_COLOUR_MAP, _EXTRA_SAMPLES, _SAMPLE_FORMAT, _S_MAX_SAMPLE = 320, 338, 339, 341
_OFFSETS, _COUNTS = {True: 324, False: 273}, {True: 325, False: 279}  # of tiles and of strips
_UM_PER_UNIT = {2: 25_400.0, 3: 10_000.0}
_IMAGEJ_MICRON = re.compile(r"^unit=(micron|microns|um|µm|μm|\\u00B5m)\s*$", re.MULTILINE | re.IGNORECASE)
_MAX_DESCRIPTION = 1 << 20
_MAX_BITS = 16
_NEAR_FULL = 0.75
_SPREAD = 64
_OF_CONTAINER = "tag 258 (BitsPerSample)"
_JP2 = b"\0\0\0\x0cjP  \r\n\x87\n"
_MEND = "convert the file again from its original"
_MEND_CUT = "the file is damaged or incomplete: copy it again"


def read_layout(path: Path, sizes: Sequence[SizePx] | None = None) -> TiffLayout:
    """Judge the pages of a TIFF that are levels of the slide.

    Parameters
    ----------
    path : Path
        The file. It was probed before: a parser runs here.
    sizes : sequence of SizePx, optional
        The levels as OpenSlide sees them: tiled pages of these sizes. By default the first page, and where it
        is tiled those that show it reduced. A pyramid may also stand in the sub-directories of the first.

    Raises
    ------
    SlideFormatError
        If the directories form a loop, the grid of tiles is impossible, nothing is stored, or colours or
        depth cannot be decided; the tag is named.
    """
    import tifffile  # takes 0.1 s to import, and other images do without

    check_directories(path)
    try:
        with tifffile.TiffFile(path) as tiff:
            pages = _pages(tiff)
            if not pages:
                raise SlideFormatError("has no page that can be read", where=path, mend=_MEND)
            return _Judge(path, pages).layout(sizes)
    except PARSER_ERRORS as error:
        raise SlideFormatError(f"cannot be parsed as TIFF ({error})", where=path, mend=_MEND) from None


def read_colours(path: Path) -> StoredColours:
    """Judge the colours of JPEG tiles in a TIFF of a vendor whose levels OpenSlide alone can put together.

    Parameters
    ----------
    path : Path
        The file. It was probed before: a parser runs here.

    Returns
    -------
    StoredColours
        How to understand what OpenSlide returns; as it is where no stream contradicts its tag, or where the
        file is no TIFF that can be parsed.

    Raises
    ------
    SlideFormatError
        If streams of RGB are called YCbCr, so that OpenSlide converts them twice, or some pages are
        contradicted and others not.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path) as tiff:
            return _Judge(path, _pages(tiff)).stored_colours()
    except PARSER_ERRORS:
        return AS_STATED


def _pages(tiff: TiffFile) -> list[TiffPage]:
    import tifffile

    every = (tiff.pages.get(index) for index in range(len(tiff.pages)))
    return [page for page in every if isinstance(page, tifffile.TiffPage)]


@dataclass(frozen=True, slots=True)
class _Judged:
    """What the samples of a page are, with the notes of `StoredPicture`."""

    colours: Colours | None
    contradictions: tuple[str, ...] = ()
    beliefs: tuple[str, ...] = ()


class _Judge:
    """Compares what the tags of pages say with each other and with the streams."""

    def __init__(self, path: Path, pages: Sequence[TiffPage]) -> None:
        self._path = path
        self._pages = pages
        self._file = PositionalFile(path)
        first = pages[0]
        self._description = str(first.tags.valueof(_DESCRIPTION, "") or "")[:_MAX_DESCRIPTION]
        self._ome = find_ome_pixels(self._description, (first.imagewidth, first.imagelength))

    def layout(self, sizes: Sequence[SizePx] | None) -> TiffLayout:
        for page in self._pages:
            self._sizes(page)
        levels = find_levels(self._pages, sizes, path=self._path, description=self._description)
        size0 = size_of(levels.pages[0])
        pictures = tuple(self._picture(page, index, size0) for index, page in enumerate(levels.pages))
        scale = self._ome.scale if self._ome and self._ome.scale else _stated_scale(self._pages[0])
        return TiffLayout(pictures, levels.below, scale, levels.left_out)

    def stored_colours(self) -> StoredColours:
        """Return how to understand the tiles of all pages; errors as of `read_colours`."""
        found: dict[Colours, StoredColours] = {}
        for page in self._pages:
            if not page.is_tiled or int(page.compression) != JPEG or page.samplesperpixel != len("RGB"):
                continue
            offsets, counts = (self._numbers(page, tags[True]) for tags in (_OFFSETS, _COUNTS))
            table = TileTable(*self._sizes(page), offsets, counts, b"")
            judged = self._colours(page, table, page.tags.valueof(_PHOTOMETRIC), spread=_SPREAD)
            if judged.contradictions and judged.colours == "RGB":
                raise self._error("tag 262 (PhotometricInterpretation) says YCbCr, but the streams are RGB")
            stored = StoredColours("YCbCr", judged.contradictions[0]) if judged.contradictions else AS_STATED
            if judged.beliefs and not stored.note:
                stored = StoredColours(note=judged.beliefs[0])
            found.setdefault(stored.colours, stored)
        if len(found) > 1:
            raise self._error("tag 262 (PhotometricInterpretation) contradicts the streams of some pages")
        return next(iter(found.values()), AS_STATED)

    def _picture(self, page: TiffPage, level: int, size0: SizePx) -> StoredPicture:
        compression, photometric = int(page.compression), page.tags.valueof(_PHOTOMETRIC)
        self._check_kind(page, compression, photometric)
        samples = int(page.samplesperpixel)
        planes = samples if page.planarconfig == _PLANES else 1
        table, missing = self._table(page, level, planes, size0)
        judged = self._colours(page, table, photometric)
        if compression == JPEG:
            table = self._with_head(page, table, judged.colours)
        bits, depth_by = self._depth(page)
        return StoredPicture(
            page=page,
            table=table,
            planes=planes,
            samples=samples,
            fourth=_fourth(page) if samples == 4 else None,
            colours=judged.colours,
            bits=bits,
            palette=self._palette(page) if photometric == _PALETTE else None,
            contradictions=judged.contradictions,
            beliefs=judged.beliefs,
            depth_by=depth_by,
            orientation=int(page.tags.valueof(_ORIENTATION, 1) or 1),
            missing=missing,
            filled_up=table.size != size_of(page),
        )

    def _with_head(self, page: TiffPage, table: TileTable, colours: Colours | None) -> TileTable:
        head = stream_head(page.jpegtables, ycbcr=colours == "YCbCr")
        return replace(table, head=head, tables=page.jpegtables)

    def _check_kind(self, page: TiffPage, compression: int, photometric: int | None) -> None:
        """Refuse what no reader here turns into colours of a slide."""
        if photometric is None:
            raise self._error("has no tag 262 (PhotometricInterpretation)")
        kind, samples = int(photometric), int(page.samplesperpixel)
        if kind in _GREY:
            raise SlideFormatError(
                f"is greyscale (tag 262, PhotometricInterpretation, is {kind}), H&E needs colour",
                where=self._path,
                mend="give the RGB original",
            )
        if kind not in {_RGB, _PALETTE, _YCBCR}:
            name = _PRINT.get(kind, f"{kind}")
            raise SlideFormatError(
                f"has the colour mode {name} (tag 262, PhotometricInterpretation, is {kind})",
                where=self._path,
                mend="save it as RGB with 8 bits a channel",
            )
        if compression not in COMPRESSIONS:
            raise SlideFormatError(
                f"tag 259 (Compression) is {compression}, which is not read", where=self._path, mend=CONVERT
            )
        if samples not in ({1} if kind == _PALETTE else {3, 4} if kind == _RGB else {3}):
            raise self._error(f"tag 277 (SamplesPerPixel) is {samples}, tag 262 (colours) {kind}")
        if page.planarconfig not in {_TOGETHER, _PLANES}:
            raise self._error(f"tag 284 (PlanarConfiguration) is {int(page.planarconfig)}")
        if samples == 4 and compression == JPEG:
            raise self._error("tag 277 (SamplesPerPixel) is 4 with JPEG")
        if page.planarconfig == _PLANES and (compression == JPEG or compression in JPEG_2000):
            raise self._error(f"tag 284 (PlanarConfiguration) is 2 with tag 259 (Compression) {compression}")
        if compression in _LOSSLESS:
            self._check_lossless(page)
        if kind == _YCBCR and compression not in JPEG_2000 | {JPEG}:
            raise SlideFormatError(
                f"tag 262 (PhotometricInterpretation) is 6, YCbCr, with tag 259 (Compression) {compression}",
                where=self._path,
                mend="save it as RGB with 8 bits a channel",
            )

    def _check_lossless(self, page: TiffPage) -> None:
        """Refuse by its tag what libtiff refuses tile by tile."""
        predictor = int(page.tags.valueof(_PREDICTOR, 1) or 1)
        if int(page.compression) not in _UNPREDICTED and predictor not in {1, 2}:
            raise self._error(f"tag 317 (Predictor) is {predictor}")
        if page.is_tiled and (page.tilewidth % _TILE_MULTIPLE_PX or page.tilelength % _TILE_MULTIPLE_PX):
            raise self._error(
                f"tags 322 and 323 (size of tiles) are {page.tilewidth} × {page.tilelength}, no multiple of"
                f" {_TILE_MULTIPLE_PX}"
            )

    # Places.

    def _table(
        self, page: TiffPage, level: int, planes: int, size0: SizePx
    ) -> tuple[TileTable, tuple[int, ...]]:
        size, tile = self._sizes(page)
        size = shown_of(size0, page) or size
        tags = _OFFSETS[page.is_tiled], _COUNTS[page.is_tiled]
        lists = [self._numbers(page, tag) for tag in tags]
        offsets, counts = lists
        table = TileTable(size, tile, offsets, counts, b"")
        expected = table.across * table.down * planes
        kind = "tiles" if page.is_tiled else "strips"
        for tag, values in zip(tags, lists, strict=True):
            if len(values) != expected:
                raise SlideFormatError(
                    f"level {level}: tag {tag} lists {len(values)} {kind}, but {size.width} × {size.height}"
                    f" px in {kind} of {tile.width} × {tile.height} px are {expected}",
                    where=self._path,
                    mend=_MEND,
                )
        self._check_uncoded(page, table, planes)
        end = self._path.stat().st_size
        stored = (counts > 0) & (offsets > 0) & (offsets < end)
        if not stored.any():
            raise SlideFormatError(
                f"level {level} has no tile that is stored (tags {tags[0]}, {tags[1]})",
                where=self._path,
                mend=_MEND_CUT,
            )
        per_plane = ~stored.reshape(planes, -1).all(axis=0)
        return table, tuple(int(index) for index in np.flatnonzero(per_plane))

    def _check_uncoded(self, page: TiffPage, table: TileTable, planes: int) -> None:
        """Refuse segments that are said not to be compressed and are not as long as their pixels are."""
        if int(page.compression) != _UNCODED:
            return
        row = -(-table.tile.width * int(page.samplesperpixel) // planes * self._bits(page) // 8)
        rows = np.full(len(table.counts), table.tile.height)
        if not page.is_tiled:
            last = table.size.height - (table.down - 1) * table.tile.height
            rows.reshape(planes, -1)[:, -1] = last
        over = table.counts - rows * row
        wrong = (table.counts > 0) & ((over < 0) | (over > _ALIGNED_BYTES + (rows[0] - rows) * row))
        if wrong.any():
            index = int(wrong.argmax())
            raise self._error(
                f"tag 259 (Compression) is 1, none, but {table.counts[index]} bytes are stored where"
                f" {rows[index] * row} are expected"
            )

    def _sizes(self, page: TiffPage) -> tuple[SizePx, SizePx]:
        """Return the size of a page and of its tiles or strips."""
        width, height = int(page.imagewidth), int(page.imagelength)
        if page.is_tiled:
            across, down = int(page.tilewidth), int(page.tilelength)
        else:
            across, down = width, min(int(page.rowsperstrip or height), height)
        if min(width, height, across, down) < 1:
            raise self._error(f"claims {width} × {height} px in tiles of {across} × {down} px")
        return SizePx(width, height), SizePx(across, down)

    def _numbers(self, page: TiffPage, tag: int) -> NDArray[np.int64]:
        value = page.tags.valueof(tag)
        if value is None:
            raise self._error(f"tag {tag} is missing or cannot be read")
        return np.atleast_1d(np.asarray(value, np.int64))

    # Colours.

    def _colours(
        self, page: TiffPage, table: TileTable, photometric: int | None, *, spread: int = 0
    ) -> _Judged:
        """Return what the samples are, and a note where the tag did not decide or nothing confirms it.

        JPEG tiles are judged again when they are decoded here, so that a few suffice; where OpenSlide decodes
        them, `spread` of them are looked at in between.
        """
        compression = int(page.compression)
        if photometric == _PALETTE:
            return _Judged(None)
        if compression != JPEG and compression not in JPEG_2000:
            return _Judged("RGB")
        tag, of_tag = (_COMPRESSION, compression) if compression in _APERIO else (_PHOTOMETRIC, photometric)
        tagged: Colours = "YCbCr" if of_tag in {_YCBCR, _APERIO_YCBCR} else "RGB"
        streams = self._streams(page, table, spread if compression == JPEG else _SPREAD)
        signs = {stream.as_read: stream.evidence for stream in streams if stream.as_read is not None}
        sure = {stream.as_read for stream in streams if stream.sure} - {None}
        if len(signs) > 1:
            listed = " and ".join(f"{colours} by {evidence}" for colours, evidence in sorted(signs.items()))
            raise self._error(f"tag {tag} says {tagged}, and the streams contradict each other: {listed}")
        if not signs:
            return _Judged(
                tagged, beliefs=(f"tag {tag} says {tagged} and was believed: the streams do not say",)
            )
        ((colours, evidence),) = signs.items()
        if colours == tagged:
            return _Judged(tagged)
        if not sure and colours == "RGB":
            raise self._error(f"tag {tag} says {tagged}, but the streams look like RGB by {evidence}")
        note = f"tag {tag} says {tagged}, but the streams are {colours} by {evidence}: read as {colours}"
        return _Judged(colours, contradictions=(note,))

    def _streams(self, page: TiffPage, table: TileTable, spread: int) -> list[CodedColours]:
        """Return what a handful of streams say."""
        compression, tables = int(page.compression), page.jpegtables
        contents = [content for index in _samples(table, spread) if (content := self._content(table, index))]
        said = [read_coded_colours(content, tables) for content in contents]
        streams = [one for one in said if one is not None]
        if not streams:
            if any(content.startswith(_JP2) for content in contents):
                raise self._error(
                    f"tag 259 (Compression) is {compression}, but the tiles are JP2 files, not bare JPEG 2000"
                    " codestreams"
                )
            raise self._error(f"tag 259 (Compression) is {compression}, but no stream can be followed")
        if wrong := {stream.components for stream in streams} - {int(page.samplesperpixel)}:
            raise self._error(
                f"tag 277 (SamplesPerPixel) is {page.samplesperpixel}, a stream has {min(wrong)}"
            )
        return streams

    def _content(self, table: TileTable, index: int) -> bytes | None:
        try:
            return self._file.read(*table.place(index))
        except (ValueError, OSError):  # not stored: another tile will speak
            return None

    def _palette(self, page: TiffPage) -> NDArray[np.uint8]:
        values = page.tags.valueof(_COLOUR_MAP)
        bits = self._bits(page)
        if values is None or bits > 8 or np.size(values) != 3 << bits:
            raise self._error("tag 320 (ColorMap) does not hold the colours that its indices ask for")
        colours = np.asarray(values, np.uint16).reshape(3, -1).T
        if int(colours.max()) < 256:  # some writers state 8 bits, against the standard
            return np.ascontiguousarray(colours.astype(np.uint8))
        return np.ascontiguousarray((colours >> 8).astype(np.uint8))

    # Depth.

    def _bits(self, page: TiffPage) -> int:
        if page.tags.valueof(_BITS) is None:
            raise self._error("has no tag 258 (BitsPerSample)")
        bits = {int(value) for value in np.atleast_1d(page.tags.valueof(_BITS))}
        kinds = {int(value) for value in np.atleast_1d(page.tags.valueof(_SAMPLE_FORMAT, 1))}
        if kinds != {1}:
            raise self._error(f"tag 339 (SampleFormat) is {max(kinds)}, not whole numbers from 0")
        if len(bits) != 1 or not 1 <= min(bits) <= _MAX_BITS:
            raise self._error(f"tag 258 (BitsPerSample) is {'/'.join(map(str, sorted(bits)))}")
        return bits.pop()

    def _depth(self, page: TiffPage) -> tuple[int, str]:
        """Return the bits that samples use, and what states them."""
        bits = self._bits(page)
        if int(page.compression) == JPEG and bits != 8:
            raise self._error(f"tag 258 (BitsPerSample) is {bits} with JPEG")
        if bits < _MAX_BITS:
            return bits, _OF_CONTAINER
        stated = [(self._ome.significant_bits if self._ome else None, "OME's SignificantBits")]
        for tag, name in ((_MAX_SAMPLE, "MaxSampleValue"), (_S_MAX_SAMPLE, "SMaxSampleValue")):
            stated.append((_bits_of_largest(page.tags.valueof(tag)), f"tag {tag} ({name})"))
        known = ((depth, by) for depth, by in stated if depth is not None and 8 < depth < _MAX_BITS)
        return next(known, (bits, _OF_CONTAINER))

    def _error(self, what: str) -> SlideFormatError:
        return SlideFormatError(what, where=self._path, mend=_MEND)


def _bits_of_largest(value: object) -> int | None:
    """Return the bits of the largest sample that a tag states.

    Some writers state what the depth allows, others the largest sample that occurs. In a picture with glass
    the two are near; a value far below the next power of two says nothing of the depth.
    """
    try:
        most = int(np.max(np.asarray(value, np.float64)))
    except (TypeError, ValueError, OverflowError):
        return None
    bits = most.bit_length()
    return bits if most >= _NEAR_FULL * ((1 << bits) - 1) else None


def _fourth(page: TiffPage) -> Fourth:
    value = np.atleast_1d(page.tags.valueof(_EXTRA_SAMPLES, 0)).tolist()[0]
    return Fourth(value) if value in iter(Fourth) else Fourth.UNSPECIFIED


def _samples(table: TileTable, spread: int) -> list[int]:
    """Return a handful of segments: those that take most bytes, those at the corners, some in between."""
    last = len(table.counts) - 1
    largest = np.argsort(table.counts, kind="stable")[-3:]
    between = np.linspace(0, last, spread).astype(np.int64).tolist()
    chosen = {*table.samples(), *largest.tolist(), *between}
    return sorted(index for index in chosen if index <= last)


def _stated_scale(page: TiffPage) -> StatedScale | None:
    """Return what the resolution tags say, in ImageJ's unit or the standard's."""
    x, y = (_per_unit(page.tags.valueof(tag)) for tag in (_X_RESOLUTION, _Y_RESOLUTION))
    if x is None or y is None:
        return None
    description = str(page.tags.valueof(_DESCRIPTION, "") or "")[:_MAX_DESCRIPTION]
    if description.startswith("ImageJ=") and _IMAGEJ_MICRON.search(description):
        return StatedScale("ImageJ unit, tiff.XResolution", 1 / x, 1 / y)
    unit = _UM_PER_UNIT.get(int(page.tags.valueof(_UNIT, 2)))
    return None if unit is None else StatedScale("tiff.XResolution", unit / x, unit / y)


def _per_unit(value: object) -> float | None:
    """Return a positive number from a rational."""
    if not (isinstance(value, tuple) and len(value) == 2):
        return None
    numerator, denominator = (float(part) for part in value)
    return numerator / denominator if numerator > 0 and denominator > 0 else None
