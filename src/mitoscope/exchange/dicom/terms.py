"""What DICOM annotations are called: classes, codes, and the library that knows them."""

from __future__ import annotations

import struct
import zlib
from typing import Any

from mitoscope.errors import FormatError
from mitoscope.region import RegionKind

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
        raise FormatError("DICOM annotations need highdicom", mend="pip install 'mitoscope[dicom]'") from None
    return highdicom


def long_string(text: str) -> str:
    """Return a text as a value of VR LO."""
    # VR LO: 64 characters, no control characters, and a backslash begins another value.
    shown = "".join(one if one.isprintable() and one != "\\" else "_" for one in text)
    return shown.strip()[:64].strip()
