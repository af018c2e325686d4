"""What reading and writing DICOM annotations share: codes, the library, mitoscope's own part of the file."""

from __future__ import annotations

import hashlib
import struct
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mitoscope.errors import FormatError
from mitoscope.exchange import extension
from mitoscope.exchange.json_text import dump_json, parse_json
from mitoscope.extras import how_to_install
from mitoscope.region import RegionKind
from mitoscope.store import Study

if TYPE_CHECKING:
    from pydicom import Dataset

ANNOTATION_CLASS = "1.2.840.10008.5.1.4.1.1.91.1"
"""SOP class Microscopy Bulk Simple Annotations Storage."""
SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class VL Whole Slide Microscopy Image Storage."""
UNLABELLED = "unlabelled"
"""Name of the group of cells that nobody labelled."""

SCHEME = "99MITOSCOPE"
CATEGORY = ("49755003", "SCT", "Morphologically abnormal structure")
REGION_CODES = {
    RegionKind.TUMOUR: ("108369006", "SCT", "Neoplasm"),
    RegionKind.EXCLUSION: ("exclusion", SCHEME, "Exclusion"),
    RegionKind.INTEREST: ("111099", "DCM", "Selected region"),
}
"""What the outlines of a group delimit."""
SCORE = ("score", SCHEME, "Score")
ONE = ("1", "UCUM", "no units")
CELL = {"mitotic figure": "Mitotic figure", "look-alike": "Mitotic figure look-alike"}

DAMAGED = (
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    NotImplementedError,
    TypeError,
    ValueError,
    struct.error,
    zlib.error,
)
"""What reading a damaged DICOM file may raise, beside the errors of pydicom."""


def damaged() -> tuple[type[Exception], ...]:
    """Return what reading a damaged DICOM file may raise."""
    from pydicom.errors import BytesLengthException, InvalidDicomError

    return (*DAMAGED, BytesLengthException, InvalidDicomError)


def library() -> Any:
    """Return highdicom.

    Raises
    ------
    FormatError
        If the extra ``dicom`` is not installed.
    """
    try:
        import highdicom
    except ImportError:
        raise FormatError("DICOM annotations need highdicom", mend=how_to_install("dicom")) from None
    return highdicom


def long_string(text: str) -> str:
    """Return a text as a value of VR LO."""
    # VR LO: 64 characters, no control characters, and a backslash begins another value.
    shown = "".join(letter if letter.isprintable() and letter != "\\" else "_" for letter in text)
    return shown.strip()[:64].strip()


_PRIVATE_GROUP = 0x0071
_PRIVATE_CREATOR = "MITOSCOPE"


def attach(dataset: Dataset, study: Study) -> None:
    """Add the study to the annotations."""
    block = dataset.private_block(_PRIVATE_GROUP, _PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", _digest(dataset))
    block.add_new(0x02, "UT", dump_json(extension.to_json(study)).decode().strip())


def detach(dataset: Dataset, path: Path) -> Study | str | None:
    """Return the study that annotations bring along, a note if it cannot be taken, or None."""
    try:
        block = dataset.private_block(_PRIVATE_GROUP, _PRIVATE_CREATOR)
    except KeyError:
        return None
    if str(block[0x01].value) != _digest(dataset):
        return f"{path.name}: {extension.EDITED}"
    where = f"{path}: private element of mitoscope"
    return extension.from_json(parse_json(str(block[0x02].value), where=where), where)


def _digest(dataset: Dataset) -> str:
    """Return a hash of what the groups say, which changes when somebody edits the file."""
    digest = hashlib.sha256()
    for item in dataset.AnnotationGroupSequence:
        digest.update(f"{str(item.AnnotationGroupLabel).strip()}\n{item.NumberOfAnnotations}\n".encode())
        digest.update(item.get("DoublePointCoordinatesData", item.get("PointCoordinatesData", b"")))
    return digest.hexdigest()
