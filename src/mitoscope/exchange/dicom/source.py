"""The image that annotations refer to."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from mitoscope.errors import FormatError
from mitoscope.exchange.dicom.terms import SLIDE_CLASS, damaged, long_string
from mitoscope.exchange.format import Content
from mitoscope.store.records import SlideRecord

if TYPE_CHECKING:
    from pydicom import Dataset

NEEDED = (
    *("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID", "PatientID"),
    *(
        "PatientName",
        "PatientBirthDate",
        "PatientSex",
        "AccessionNumber",
        "StudyID",
        "StudyDate",
        "StudyTime",
    ),
)
"""What annotations take over from the header of their slide."""
_NAMESPACE = uuid.UUID("0d8f0a0e-6f4b-5c3e-9a54-6d69746f7363")


def source_image(slide: SlideRecord, slide_file: Path | None) -> Dataset:
    """Return the header of the slide: its own where it is a DICOM image, else a stand-in.

    Raises
    ------
    FormatError
        If it is a DICOM file of another kind.
    """
    if slide_file is not None and Content(slide_file).head[128:132] == b"DICM":
        return _own_header(slide_file)
    return stand_in(slide)


def _own_header(path: Path) -> Dataset:
    import pydicom

    broken: tuple[type[Exception], ...] = (*damaged(), OSError)
    try:
        source = pydicom.dcmread(path, stop_before_pixels=True)
        absent = [name for name in NEEDED if name not in source]
    except broken as error:
        raise FormatError(f"a damaged DICOM file ({str(error)[:80]})", where=path) from None
    if source.get("SOPClassUID") != SLIDE_CLASS:
        raise FormatError("a DICOM whole-slide image expected", where=path)
    if absent:
        raise FormatError(f"its header has no {', '.join(absent)}", where=path)
    return source


def stand_in(slide: SlideRecord) -> Dataset:
    """Return the header of a slide that is no DICOM image; its ids are made from its name and hash."""
    from pydicom import Dataset

    key = slide.sha256 or slide.name
    source = Dataset()
    source.SOPClassUID, source.Modality = SLIDE_CLASS, "SM"
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        setattr(source, name, f"2.25.{uuid.uuid5(_NAMESPACE, f'{name} {key}').int}")
    source.PatientID, source.PatientName = long_string(slide.case or ""), ""
    source.PatientBirthDate, source.PatientSex, source.AccessionNumber = "", "", ""
    source.StudyID, source.StudyDate, source.StudyTime = "", None, None
    source.ReferringPhysicianName = ""
    source.ContainerIdentifier = long_string(slide.name)
    source.SpecimenDescriptionSequence = []
    return source
