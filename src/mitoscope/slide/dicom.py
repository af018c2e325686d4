"""DICOM slides: what a file states of its pixels, compared with the pixels before OpenSlide reads them.

OpenSlide believes PhotometricInterpretation whatever the frames are coded in. And what it does not read, it
refuses in words that sound of damage. Here the header of each level is read by pydicom, and the frames' own
heads; what is refused, is refused by the name of the attribute.
"""

from __future__ import annotations

import logging
import mmap
import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from mitoscope.errors import SlideFormatError
from mitoscope.slide.coded_colours import AS_STATED, CodedColours, StoredColours, read_coded_colours

if TYPE_CHECKING:
    from pydicom import Dataset
    from pydicom.tag import BaseTag

WHOLE_SLIDE = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOPClassUID of VL Whole Slide Microscopy Image Storage."""
PHOTOMETRIC = "PhotometricInterpretation (0028,0004)"
_UNCODED, _JPEG = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.4.50"
_JPEG_2000_LOSSLESS, _JPEG_2000 = "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"
_READ: dict[str, tuple[str, ...]] = {
    _UNCODED: ("RGB",),
    _JPEG: ("RGB", "YBR_FULL_422"),
    _JPEG_2000_LOSSLESS: ("RGB", "YBR_RCT"),
    _JPEG_2000: ("RGB", "YBR_ICT", "YBR_RCT"),
}
"""What OpenSlide 4.0.1 reads: transfer syntaxes, and which PhotometricInterpretation with each."""
_SYNTAX_NAMES = {
    "1.2.840.10008.1.2": "implicit VR",
    "1.2.840.10008.1.2.1.99": "deflate",
    "1.2.840.10008.1.2.2": "big-endian",
    "1.2.840.10008.1.2.4.51": "JPEG Extended",
    "1.2.840.10008.1.2.4.57": "JPEG Lossless",
    "1.2.840.10008.1.2.4.70": "JPEG Lossless",
    "1.2.840.10008.1.2.4.80": "JPEG-LS",
    "1.2.840.10008.1.2.4.81": "JPEG-LS",
    "1.2.840.10008.1.2.4.110": "JPEG XL",
    "1.2.840.10008.1.2.4.111": "JPEG XL",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.4.201": "HTJ2K",
    "1.2.840.10008.1.2.4.202": "HTJ2K",
    "1.2.840.10008.1.2.4.203": "HTJ2K",
    "1.2.840.10008.1.2.5": "RLE",
}
_OTHER_IMAGES = ("LABEL", "OVERVIEW", "THUMBNAIL")
_TRANSCODE = "transcode it, e.g. with gdcmconv --raw IN.dcm OUT.dcm (or --j2k)"
_PREAMBLE, _MAGIC = 128, b"DICM"
_PER_FRAME_GROUPS = 0x52009229
"""Behind it come descriptions of single frames, which can be millions."""
_FRAGMENTS = b"\xe0\x7f\x10\x00OB\x00\x00\xff\xff\xff\xff\xfe\xff\x00\xe0"
"""PixelData of undefined length and the first item, the table of offsets."""
_ITEM = b"\xfe\xff\x00\xe0"
_HEAD_BYTES, _HEAD_AT_MOST_BYTES = 1 << 12, 1 << 20
"""What of a frame is read for its head, and where that ends within a profile, at most."""
FRAMES_LOOKED_AT = 256
"""Of more, so many are looked at: the first, the last and others evenly spread."""
_KEYWORDS = (
    "SOPClassUID",
    "ImageType",
    "SeriesInstanceUID",
    "SamplesPerPixel",
    "PhotometricInterpretation",
    "PlanarConfiguration",
    "BitsAllocated",
    "BitsStored",
    "PixelRepresentation",
    "TotalPixelMatrixFocalPlanes",
)
logging.getLogger("pydicom").addHandler(logging.NullHandler())


def is_dicom(path: Path) -> bool:
    """Return whether a file is DICOM, by its magic bytes."""
    with path.open("rb") as stream:
        stream.seek(_PREAMBLE)
        return stream.read(len(_MAGIC)) == _MAGIC


def check_dicom(path: Path) -> StoredColours:
    """Compare what a DICOM slide says of its pixels with its frames, level by level.

    Parameters
    ----------
    path : Path
        One of the slide's files; the other levels are files of the same series beside it.

    Returns
    -------
    StoredColours
        YCbCr, where all frames are coded so and say RGB: OpenSlide returns the components as they are. With
        a note also where frames say nothing, and the attribute was believed.

    Raises
    ------
    SlideFormatError
        If it is no whole slide, holds pixels that are not read, or contradicts itself in a way that costs
        colours; names the attribute. A header that cannot be parsed is left to OpenSlide's judgement.
    """
    own = _read_header(path)
    if own is None:
        return AS_STATED
    if own.get("SOPClassUID") not in {None, WHOLE_SLIDE}:
        raise SlideFormatError(
            f"is a DICOM object of another kind ({_name(str(own.SOPClassUID))})",
            where=path,
            mend="give a file of VL Whole Slide Microscopy Image Storage",
        )
    levels = [(file, header) for file, header in _series(path, own) if _is_level(header)]
    if not levels:
        kind = next((kind for kind in _image_type(own) if kind in _OTHER_IMAGES), "no VOLUME")
        raise SlideFormatError(
            f"is no level of a slide (ImageType (0008,0008) says {kind})",
            where=path,
            mend="give a file whose ImageType says VOLUME",
        )
    found = {_check_level(file, header) for file, header in levels}
    if len({stored.colours for stored in found}) > 1:
        raise SlideFormatError(
            f"has levels whose {PHOTOMETRIC} is wrong beside others where it is right",
            where=path,
            mend='correct it in those that say RGB: dcmodify -m "(0028,0004)=YBR_FULL_422" FILE',
        )
    return max(found, key=lambda stored: stored.note)


def _read_header(path: Path) -> Dataset | None:
    import pydicom  # takes 0.3 s to import, and other slides do without

    def is_behind(tag: BaseTag, vr: str | None, length: int) -> bool:  # noqa: ARG001 (pydicom's interface)
        return bool(tag >= _PER_FRAME_GROUPS)

    tags: list[BaseTag | int] = [pydicom.tag.Tag(keyword) for keyword in _KEYWORDS]
    # What pydicom raises for broken files: none of it documented.
    with suppress(Exception), path.open("rb") as stream:
        header = pydicom.filereader.read_partial(stream, is_behind, specific_tags=tags)
        for element in header:  # values are parsed when they are asked for
            _ = element.value
        return header
    return None


def _series(path: Path, own: Dataset) -> Iterator[tuple[Path, Dataset]]:
    """Yield the files of a slide with their headers, as OpenSlide finds them: those of its folder."""
    yield path, own
    series = own.get("SeriesInstanceUID")
    for file in sorted(path.parent.iterdir()):
        if file == path:
            continue
        with suppress(OSError):
            header = _read_header(file) if file.is_file() and is_dicom(file) else None
            if header is not None and series is not None and header.get("SeriesInstanceUID") == series:
                yield file, header


def _image_type(header: Dataset) -> Sequence[str]:
    kinds = header.get("ImageType") or ()
    return (kinds,) if isinstance(kinds, str) else tuple(kinds)


def _is_level(header: Dataset) -> bool:
    kinds = _image_type(header)
    return not kinds or "VOLUME" in kinds


def _name(uid: str) -> str:
    from pydicom.uid import UID

    return UID(uid).name


def _check_level(path: Path, header: Dataset) -> StoredColours:
    _check_samples(path, header)
    syntax = str(getattr(header.file_meta, "TransferSyntaxUID", _UNCODED))
    if syntax not in _READ:
        name = _SYNTAX_NAMES.get(syntax, _name(syntax))
        raise SlideFormatError(
            f"compression {name} (transfer syntax {syntax}) cannot be read", where=path, mend=_TRANSCODE
        )
    said = str(header.get("PhotometricInterpretation", "nothing"))
    frames = frozenset[CodedColours]() if syntax == _UNCODED else _frames(path)
    if not frames:
        if said not in _READ[syntax]:
            raise _not_read(path, said, _name(syntax))
        return AS_STATED
    for coded in frames:
        _check_stream(path, coded, is_jpeg=syntax == _JPEG)
    if {"RGB", "YCbCr"} <= {coded.colours for coded in frames}:
        raise _contradicted(path, said, "but some of the frames are YCbCr and others RGB")
    if syntax == _JPEG:
        found = {_check_jpeg(path, said, coded) for coded in frames}
    else:
        transform = "YBR_ICT" if syntax == _JPEG_2000 else "YBR_RCT"
        found = {_check_jpeg_2000(path, said, coded, transform=transform) for coded in frames}
    if len({stored.colours for stored in found}) > 1:
        raise _contradicted(path, said, "but some of the frames are YCbCr, and others do not say")
    return max(found, key=lambda stored: stored.note)


def _check_samples(path: Path, header: Dataset) -> None:
    """Refuse what is not three samples of 8 bits."""
    said = str(header.get("PhotometricInterpretation", "nothing"))
    allocated, stored = header.get("BitsAllocated", 8), header.get("BitsStored")
    wrong, mend = None, "convert it to RGB of 8 bits a sample"
    if header.get("SamplesPerPixel", 3) != 3 or said.startswith(("MONOCHROME", "PALETTE")):
        what = "has a palette" if said.startswith("PALETTE") else "is greyscale"
        wrong, mend = f"{what} ({PHOTOMETRIC} says {said})", "H&E needs its colours: give the slide in RGB"
    elif allocated > 8 and stored is None:
        wrong = f"has floating-point samples (BitsAllocated (0028,0100) {allocated}), which are not read"
    elif allocated > 8 or (stored or 8) != 8:
        wrong = f"has {stored} bits a sample (BitsStored (0028,0101)), of which only 8 are read"
    elif header.get("PixelRepresentation", 0):
        wrong = "has signed samples (PixelRepresentation (0028,0103) 1), which are not read"
    elif header.get("PlanarConfiguration", 0):
        wrong = "has separate colour planes (PlanarConfiguration (0028,0006) 1), which are not read"
        mend = "reorder them: gdcmimg --planar-configuration 0 IN.dcm OUT.dcm"
        if str(header.file_meta.get("TransferSyntaxUID", _UNCODED)) != _UNCODED:
            mend = 'if the frames are not: dcmodify -m "(0028,0006)=0" FILE'
    elif header.get("TotalPixelMatrixFocalPlanes", 1) != 1:
        planes = header.TotalPixelMatrixFocalPlanes
        wrong = f"has {planes} focal planes (TotalPixelMatrixFocalPlanes (0048,0303)), of which one is read"
        mend = "export one focal plane"
    if wrong is not None:
        raise SlideFormatError(wrong, where=path, mend=mend)


def _frames(path: Path) -> frozenset[CodedColours]:
    """Return what the frames state of themselves; nothing where none is found."""
    with (
        suppress(OSError, ValueError, struct.error),
        path.open("rb") as stream,
        mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as content,
    ):
        items = _items(content)
        count = min(len(items), FRAMES_LOOKED_AT)
        chosen = (items[round(n * (len(items) - 1) / max(1, count - 1))] for n in range(count))
        heads = (_head(content, *item) for item in chosen)
        return frozenset(coded for coded in heads if coded is not None)
    return frozenset()


def _items(content: mmap.mmap) -> list[tuple[int, int]]:
    """Return place and length in bytes of what is in each item of PixelData: a frame or a part of one."""
    place = content.find(_FRAGMENTS)
    if place < 0:
        return []
    place += len(_FRAGMENTS) - len(_ITEM)
    found = []
    while place + 8 <= len(content) and content[place : place + 4] == _ITEM:
        (length,) = struct.unpack("<I", content[place + 4 : place + 8])
        found.append((place + 8, length))
        place += 8 + length
    return found[1:]  # the first is the table of offsets


def _head(content: mmap.mmap, place: int, length: int) -> CodedColours | None:
    """Return what the stream in an item states; None where it goes on with a frame begun before."""
    for most in (_HEAD_BYTES, _HEAD_AT_MOST_BYTES):
        coded = read_coded_colours(content[place : place + min(length, most)])
        if coded is not None or length <= most:
            return coded
    return None


def _check_stream(path: Path, coded: CodedColours, *, is_jpeg: bool) -> None:
    """Refuse frames that are coded otherwise than the header says."""
    if (coded.kind == "JPEG") != is_jpeg:
        raise SlideFormatError(
            f"has frames in {coded.kind}, which its TransferSyntaxUID (0002,0010) contradicts",
            where=path,
            mend="correct the transfer syntax",
        )
    if coded.bits != 8:
        raise SlideFormatError(
            f"has frames of {coded.bits} bits, which BitsStored (0028,0101) contradicts",
            where=path,
            mend="convert it to 8 bits a sample",
        )
    if coded.components != 3:
        raise SlideFormatError(
            f"has frames of {coded.components} components, which SamplesPerPixel (0028,0002) contradicts",
            where=path,
            mend="give the slide in RGB",
        )


def _check_jpeg(path: Path, said: str, coded: CodedColours) -> StoredColours:
    if said == "RGB" and coded.colours == "YCbCr":
        return StoredColours(
            "YCbCr",
            f"{PHOTOMETRIC} says RGB, but by {coded.evidence} the frames are YCbCr: they are read as YCbCr",
        )
    if said != "RGB" and coded.colours == "RGB":
        raise _contradicted(path, said, f"but by {coded.evidence} the frames are RGB", right="RGB")
    if said not in _READ[_JPEG]:
        raise _contradicted(path, said, "which is not read of frames in JPEG", right="YBR_FULL_422")
    return AS_STATED if coded.colours is not None else _believed(said)


def _believed(said: str) -> StoredColours:
    return StoredColours(
        note=f"{PHOTOMETRIC} says {said}, which is believed: the frames do not say what they are"
    )


def _check_jpeg_2000(path: Path, said: str, coded: CodedColours, *, transform: str) -> StoredColours:
    """Refuse a word that the frames contradict; `transform` is that of the transfer syntax."""
    if coded.colours == "YCbCr":
        raise _contradicted(path, said, f"but by {coded.evidence} the frames are YCbCr")
    if coded.transformed and said in {"RGB", transform, "YBR_RCT"}:
        return AS_STATED
    if said == "RGB":
        return _believed(said)
    if coded.transformed:
        but = "but the frames are JPEG 2000 that transforms its colours itself"
        raise _contradicted(path, said, but, right=transform)
    if said in {"YBR_ICT", "YBR_RCT"}:
        raise _contradicted(path, said, "but by the frames' own heads their colours were not transformed")
    raise _not_read(path, said, "JPEG 2000")


def _contradicted(path: Path, said: str, but: str, *, right: str | None = None) -> SlideFormatError:
    mend = "transcode it to RGB from the scanner's own file"
    if right is not None:
        mend = f'correct it in a copy: dcmodify -m "(0028,0004)={right}" FILE'
    return SlideFormatError(f"{PHOTOMETRIC} says {said}, {but}", where=path, mend=mend)


def _not_read(path: Path, said: str, syntax: str) -> SlideFormatError:
    return SlideFormatError(
        f"{PHOTOMETRIC} says {said}, which cannot be read with {syntax}",
        where=path,
        mend="transcode it to RGB",
    )
