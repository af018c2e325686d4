"""What a coded picture says of its own colours: the head of a JPEG or JPEG 2000 stream.

A container repeats what its pictures are coded in, and may be wrong about it. The decoder believes the
container, so that its word is compared with that of the stream before a slide is read.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from mitoscope.geometry import SizePx

Colours = Literal["RGB", "YCbCr"]
_START_OF_JPEG, _START_OF_JPEG_2000 = b"\xff\xd8", b"\xff\x4f\xff\x51"
_JFIF, _ADOBE, _SCAN, _SIZE, _CODING = 0xE0, 0xEE, 0xDA, 0x51, 0x52
_FRAMES = frozenset(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}  # tables and extensions of these numbers
_FROM_ZERO = bytes(range(3))
_WITHOUT_LENGTH = frozenset({0x01, *range(0xD0, 0xD9)})


@dataclass(frozen=True, slots=True)
class CodedColours:
    """What a stream states.

    Parameters
    ----------
    kind : {"JPEG", "JPEG 2000"}
        How it is coded.
    components : int
        Number of them.
    height : int
        Rows in px.
    bits : int
        Of each.
    colours : {"RGB", "YCbCr"} or None
        Those of the components as they are stored; of JPEG 2000 those that its own transform leaves. None
        where the stream does not say.
    evidence : str
        By what it says so.
    transformed : bool
        Whether JPEG 2000 has transformed the colours itself: it then gives them back as they were.
    unit : SizePx or None
        What JPEG codes together: a block of 8 px of the component that is stored most coarsely.
    sure : bool
        Whether that is a statement; otherwise it is a habit of encoders.
    """

    kind: Literal["JPEG", "JPEG 2000"]
    components: int
    height: int
    bits: int
    colours: Colours | None
    evidence: str
    transformed: bool = False
    unit: SizePx | None = None
    sure: bool = True

    @property
    def as_read(self) -> Colours | None:
        """What a decoder returns that leaves the components as they are, or None where nothing says so."""
        return "RGB" if self.transformed else self.colours


@dataclass(frozen=True, slots=True)
class StoredColours:
    """How the components that a decoder returns are to be understood where it believes the container.

    Parameters
    ----------
    colours : {"RGB", "YCbCr"}
        What they are.
    note : str
        Why they are not what the container says; empty where they are.
    """

    colours: Colours = "RGB"
    note: str = ""


AS_STATED = StoredColours()


def read_coded_colours(stream: bytes, tables: bytes | None = None) -> CodedColours | None:
    """Return what a stream states of its colours; None where it is neither JPEG nor JPEG 2000.

    Parameters
    ----------
    stream : bytes
        The stream, or its beginning with all of its head.
    tables : bytes, optional
        A stream of the tables that JPEG streams share; its markers count where the stream has none.

    Notes
    -----
    Of a JPEG the markers are believed in the order of libjpeg: JFIF, Adobe (ITU-T T.872, 6.5.3), the names
    of the components; then sampling, because only chroma is stored more coarsely, which also refutes Adobe's
    marker where it says RGB of components that are not called so. Where all that is silent,
    habits are left: encoders quantise the first component of YCbCr by one table and the two others by
    another, those of RGB all by one, and libtiff numbers the components of RGB from 0, those of YCbCr from 1.
    """
    try:
        if stream.startswith(_START_OF_JPEG):
            return _jpeg(stream, tables)
        if stream.startswith(_START_OF_JPEG_2000):
            return _jpeg_2000(stream)
    except IndexError:  # the head ends early: a damaged stream
        return None
    return None


def jpeg_head(stream: bytes) -> bytes:
    """Return the beginning of a JPEG stream, up to its first scan: all that `read_coded_colours` looks at."""
    place, end = len(_START_OF_JPEG), len(stream) - 4
    while place <= end and stream[place] == 0xFF and stream[place + 1] != _SCAN:
        kind = stream[place + 1]
        if kind == 0xFF:  # fill
            place += 1
        elif kind in _WITHOUT_LENGTH:
            place += 2
        else:
            place += 2 + int.from_bytes(stream[place + 2 : place + 4], "big")
    return stream[:place]


def _segments(stream: bytes, start: int) -> list[tuple[int, bytes]]:
    """Return the segments of a head, up to the first scan or tile."""
    found, place = [], start
    while place + 4 <= len(stream) and stream[place] == 0xFF:
        kind = stream[place + 1]
        if kind == 0xFF:  # fill
            place += 1
            continue
        if kind in _WITHOUT_LENGTH:
            place += 2
            continue
        length = int.from_bytes(stream[place + 2 : place + 4], "big")
        found.append((kind, stream[place + 4 : place + 2 + length]))
        if kind == _SCAN:
            break
        place += 2 + length
    return found


def _jpeg(stream: bytes, tables: bytes | None) -> CodedColours | None:
    segments = _segments(stream, len(_START_OF_JPEG))
    frame = next((data for kind, data in segments if kind in _FRAMES), None)
    if frame is None:
        return None
    bits, count = frame[0], frame[5]
    names, sampling, quantised = (frame[start : start + 3 * count : 3] for start in (6, 7, 8))
    colours, evidence, sure = None, "", True
    if count == 3:
        colours, evidence = _marked(segments)
        if colours is None and tables is not None:
            colours, evidence = _marked(_segments(tables, len(_START_OF_JPEG)))
        declared = _declared(names, sampling)
        if colours is None or (colours == "RGB" and declared[0] is not None):
            colours, evidence = declared
        if colours is None:
            colours, evidence = _habitual(names, quantised)
            sure = colours is None
    unit = SizePx(8 * max(each >> 4 for each in sampling), 8 * max(each & 15 for each in sampling))
    height = int.from_bytes(frame[1:3], "big")
    return CodedColours("JPEG", count, height, bits, colours, evidence, unit=unit, sure=sure)


def _marked(segments: list[tuple[int, bytes]]) -> tuple[Colours | None, str]:
    if any(kind == _JFIF and data.startswith(b"JFIF\0") for kind, data in segments):
        return "YCbCr", "the JFIF marker"
    adobe = next((data for kind, data in segments if kind == _ADOBE and data.startswith(b"Adobe")), None)
    if adobe is not None:
        return ("YCbCr" if adobe[11] else "RGB"), "the Adobe marker"
    return None, ""


def _declared(names: bytes, sampling: bytes) -> tuple[Colours | None, str]:
    if names == b"RGB":
        return "RGB", "the names of the components"
    if len(set(sampling)) > 1:
        return "YCbCr", "the coarser chroma"
    return None, ""


def _habitual(names: bytes, quantised: bytes) -> tuple[Colours | None, str]:
    first, second, third = quantised
    if second == third != first:
        return "YCbCr", "a quantisation of their own for two components"
    if first == second == third and names == _FROM_ZERO:
        return "RGB", "one quantisation for the components 0, 1 and 2"
    return None, ""


def _jpeg_2000(stream: bytes) -> CodedColours | None:
    segments = dict(reversed(_segments(stream, 2)))
    size, coding = segments.get(_SIZE), segments.get(_CODING)
    if size is None or coding is None:
        return None
    count = int.from_bytes(size[34:36], "big")
    sampling = {size[37 + 3 * n : 39 + 3 * n] for n in range(min(count, 3))}
    height = int.from_bytes(size[6:10], "big") - int.from_bytes(size[14:18], "big")
    bits = (size[36] & 0x7F) + 1
    transformed = bool(coding[4])
    if len(sampling) > 1:
        return CodedColours("JPEG 2000", count, height, bits, "YCbCr", "the coarser chroma", transformed)
    evidence = "the transform in the segment COD" if transformed else ""
    return CodedColours("JPEG 2000", count, height, bits, None, evidence, transformed)
