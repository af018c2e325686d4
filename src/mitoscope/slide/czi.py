"""Zeiss CZI as a container: where its subblocks lie, what they show, what its metadata say.

A CZI is a chain of segments. The directory lists the subblocks, each a picture of its own at a stated place;
a pyramid is made of subblocks that store fewer pixels than they show. No library reads that as it is stored
on every Python that mitoscope runs on: libCZI (`pylibCZIrw`) repeats a column at the seams of pyramid levels,
`czifile` needs Python 3.12, and OpenSlide refuses files with the dimensions Z or T and reads 12 bits in 16 as
near black. So the directory is read here, and imagecodecs decodes.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.info import StatedScale

SCALE_TAG = "CZI Scaling/Items/Distance"
BGR24, BGR48 = 3, 4
"""Pixel types of colours, in 8 and 16 bits; the only ones that are read."""
UNCODED, JPEG, JPEG_XR, ZSTD, ZSTD_HEADED = 0, 1, 4, 5, 6
SUBBLOCK = b"ZISRAWSUBBLOCK"
SEGMENT = struct.Struct("<16sqq")
"""Head of a segment: its kind, the bytes it takes, the bytes it uses (0: all)."""
_MAGIC = b"ZISRAWFILE"
_DIRECTORY, _METADATA = b"ZISRAWDIRECTORY", b"ZISRAWMETADATA"
_HEAD = struct.Struct("<iiii16s16siqqiq")
_ENTRY, _DIMENSION = struct.Struct("<2siqiiB5xi"), struct.Struct("<4siifi")
_BEFORE_ENTRIES, _BEFORE_XML = 128, 256
_MAX_BLOCKS, _MAX_XML_BYTES = 1 << 22, 1 << 24
_MAX_DIMENSIONS = 64
_MAX_BLOCK_PX = 1 << 26
_UM_PER_M = 1e6
_PIXEL_TYPES = {
    0: "Gray8",
    1: "Gray16",
    2: "Gray32Float",
    BGR24: "Bgr24",
    BGR48: "Bgr48",
    8: "Bgr96Float",
    9: "Bgra32",
    10: "Gray64ComplexFloat",
    11: "Bgr192ComplexFloat",
    12: "Gray32",
    13: "Gray64Float",
}
_COMPRESSIONS = {2: "LZW", 3: "lossless JPEG"}
_DIMENSIONS = {
    "C": "channels",
    "Z": "focal planes",
    "T": "points in time",
    "R": "rotations",
    "I": "illuminations",
    "H": "phases",
    "V": "views",
    "B": "acquisition blocks",
}
"""What may not differ between subblocks, or more than one picture lies at one place."""
_MEND_CUT = "the file is damaged or was not written to its end: copy it again"
_MEND_COLOURS = "export the brightfield scan in colours of 8 bits (Bgr24) with ZEN"


@dataclass(frozen=True, slots=True)
class Subblock:
    """One stored picture.

    Parameters
    ----------
    place : BoxPx
        What it shows, in px of full resolution in the file's own frame, which may be negative.
    stored : SizePx
        Pixels that are stored of it.
    pixel_type, compression : int
        By the numbers of the format.
    position : int
        Of its segment in the file.
    order : int
        Where subblocks overlap, the one with the larger order lies on top.
    scene : int
        The scene it belongs to: a piece of tissue that was scanned by itself.
    """

    place: BoxPx
    stored: SizePx
    pixel_type: int
    compression: int
    position: int
    order: int
    scene: int

    @property
    def factor(self) -> int:
        """Px of full resolution per stored pixel."""
        return max(1, round(self.place.width / self.stored.width))


@dataclass(frozen=True, slots=True)
class CziContent:
    """What a CZI holds.

    Parameters
    ----------
    blocks : tuple of Subblock
        From the lowest to the topmost.
    scale : StatedScale or None
        Its resolution in µm/px, where it states one.
    objective_power : float or None
        Magnification of the objective.
    bits : int or None
        Bits that the samples use, where the metadata state one number.
    """

    blocks: tuple[Subblock, ...]
    scale: StatedScale | None
    objective_power: float | None
    bits: int | None


def is_czi(path: Path) -> bool:
    """Return whether a file is a CZI, by its magic bytes."""
    with path.open("rb") as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def read_czi(path: Path) -> CziContent:
    """Read the directory and the metadata of a CZI.

    Raises
    ------
    SlideFormatError
        If it is cut off, a part of several files, holds no colours, or more than one picture at one place.
    """
    try:
        with path.open("rb") as stream:
            content = _Segments(stream.read(SEGMENT.size + _HEAD.size), path)
            blocks = content.blocks()
            xml = content.xml()
    except (OSError, struct.error) as error:
        raise SlideFormatError(f"cannot be parsed as CZI ({error})", where=path, mend=_MEND_CUT) from None
    return CziContent(blocks, _scale(xml), _objective_power(xml), _bits(xml))


class _Segments:
    """The segments of a CZI that are no pixels."""

    def __init__(self, head: bytes, path: Path) -> None:
        _, _, _, _, primary, own, part, self._directory, self._metadata, _, _ = _HEAD.unpack_from(
            head, SEGMENT.size
        )
        self._path, self._file_bytes = path, path.stat().st_size
        if part or primary != own:
            raise SlideFormatError(
                "is one of several files of a CZI", where=path, mend="save it as a single file with ZEN"
            )

    def blocks(self) -> tuple[Subblock, ...]:
        body = self._body(self._directory, _DIRECTORY)
        if len(body) < _BEFORE_ENTRIES:
            raise SlideFormatError("has no directory of its tiles", where=self._path, mend=_MEND_CUT)
        (count,) = struct.unpack_from("<i", body)
        if not 0 < count <= _MAX_BLOCKS:
            raise SlideFormatError(f"lists {count} tiles", where=self._path, mend=_MEND_CUT)
        found, varying = [], dict[str, set[tuple[int, int]]]()
        place = _BEFORE_ENTRIES
        for number in range(count):
            kind, pixel_type, position, _, compression, _, dimensions = _ENTRY.unpack_from(body, place)
            if kind != b"DV" or not 0 < dimensions <= _MAX_DIMENSIONS:
                raise SlideFormatError(
                    f"entry {number} of its directory is damaged", where=self._path, mend=_MEND_CUT
                )
            place += _ENTRY.size
            extents: dict[str, tuple[int, int, int]] = {}
            for _ in range(dimensions):
                name, start, size, _, stored = _DIMENSION.unpack_from(body, place)
                extents[name.rstrip(b"\0").decode("latin-1")] = start, size, stored or size
                place += _DIMENSION.size
            for name in extents.keys() - {"X", "Y", "M", "S"}:
                varying.setdefault(name, set()).add(extents[name][:2])
            found.append(self._block(extents, pixel_type, compression, position, number))
        self._check(found, varying)
        return tuple(sorted(found, key=lambda block: block.order))

    def _block(
        self,
        extents: dict[str, tuple[int, int, int]],
        pixel_type: int,
        compression: int,
        position: int,
        number: int,
    ) -> Subblock:
        if not {"X", "Y"} <= extents.keys():
            raise SlideFormatError(f"tile {number} has no place", where=self._path, mend=_MEND_CUT)
        (x, width, stored_width), (y, height, stored_height) = extents["X"], extents["Y"]
        sides = width, height, stored_width, stored_height
        if min(sides) < 1 or stored_width * stored_height > _MAX_BLOCK_PX:
            raise SlideFormatError(
                f"tile {number} claims {width} × {height} px, stored as {stored_width} × {stored_height}",
                where=self._path,
                mend=_MEND_CUT,
            )
        block = Subblock(
            BoxPx(x, y, width, height),
            SizePx(stored_width, stored_height),
            pixel_type,
            compression,
            position,
            extents.get("M", (number, 0, 0))[0],
            extents.get("S", (0, 0, 0))[0],
        )
        most_off = 2 * block.factor  # the last tiles of a level are cut to whole pixels
        if any(
            abs(shown - kept * block.factor) > most_off
            for shown, kept in ((width, stored_width), (height, stored_height))
        ):
            raise SlideFormatError(
                f"tile {number} shows {width} × {height} px in {stored_width} × {stored_height}",
                where=self._path,
                mend=_MEND_CUT,
            )
        return block

    def _check(self, blocks: list[Subblock], varying: dict[str, set[tuple[int, int]]]) -> None:
        for name, starts in varying.items():
            count = max(len(starts), max(size for _, size in starts))
            if count > 1:
                title = _DIMENSIONS.get(name, "values")
                raise SlideFormatError(
                    f"has {count} {title} (dimension {name}): which one is meant is not for a reader to say",
                    where=self._path,
                    mend="export the one to be read with ZEN",
                )
        types = {block.pixel_type for block in blocks}
        if types not in ({BGR24}, {BGR48}):
            names = " and ".join(sorted(_PIXEL_TYPES.get(number, str(number)) for number in types))
            raise SlideFormatError(
                f"holds pixels of type {names}, of which Bgr24 and Bgr48 are read",
                where=self._path,
                mend=_MEND_COLOURS,
            )
        for number in {block.compression for block in blocks} - {UNCODED, JPEG, JPEG_XR, ZSTD, ZSTD_HEADED}:
            name = _COMPRESSIONS.get(number, f"number {number}")
            raise SlideFormatError(
                f"compression {name} of its tiles cannot be read",
                where=self._path,
                mend="export it with JPEG XR or Zstandard with ZEN",
            )

    def xml(self) -> ET.Element | None:
        """Return the metadata; None where there are none that can be parsed, for then they state nothing."""
        if not self._metadata:
            return None
        body = self._body(self._metadata, _METADATA)
        if len(body) < _BEFORE_XML:
            return None
        (count,) = struct.unpack_from("<i", body)
        text = body[_BEFORE_XML : _BEFORE_XML + max(0, count)]
        if len(text) > _MAX_XML_BYTES or b"<!" in text[:4096]:  # no document type, so no entities
            return None
        try:
            return ET.fromstring(text)  # noqa: S314 (no entities)
        except (ET.ParseError, ValueError, LookupError):
            return None

    def _body(self, position: int, kind: bytes) -> bytes:
        """Return what a segment uses; nothing where another one lies there."""
        if not 0 < position < self._file_bytes:
            return b""
        with self._path.open("rb") as stream:
            stream.seek(position)
            found, allocated, used = SEGMENT.unpack(stream.read(SEGMENT.size))
            length = used or allocated
            whole = found.rstrip(b"\0") == kind and 0 < length <= self._file_bytes - stream.tell()
            return stream.read(length) if whole else b""


def _scale(xml: ET.Element | None) -> StatedScale | None:
    x, y = (_number(xml, f"Metadata/Scaling/Items/Distance[@Id='{axis}']/Value") for axis in "XY")
    return None if x is None or y is None else StatedScale(SCALE_TAG, x * _UM_PER_M, y * _UM_PER_M)


def _objective_power(xml: ET.Element | None) -> float | None:
    if xml is None:
        return None
    objectives = xml.findall("Metadata/Information/Instrument/Objectives/Objective")
    used = xml.find("Metadata/Information/Image/ObjectiveSettings/ObjectiveRef")
    if used is not None:
        objectives = [one for one in objectives if one.get("Id") == used.get("Id")]
    return _number(objectives[0], "NominalMagnification") if len(objectives) == 1 else None


def _bits(xml: ET.Element | None) -> int | None:
    stated = {text.strip() for text in _texts(xml, "ComponentBitCount")}
    text = stated.pop() if len(stated) == 1 else ""
    return int(text) if text.isdecimal() and len(text) < 3 else None


def _texts(xml: ET.Element | None, name: str) -> list[str]:
    image = None if xml is None else xml.find("Metadata/Information/Image")
    return [] if image is None else [found.text or "" for found in image.iter(name)]


def _number(xml: ET.Element | None, path: str) -> float | None:
    try:
        number = float((None if xml is None else xml.findtext(path)) or "")
    except ValueError:
        return None
    return number if 0 < number < float("inf") else None
