"""Writing DICOM bulk simple annotations."""

from __future__ import annotations

import hashlib
import math
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.exchange.dicom.terms import (
    CATEGORY,
    CELL,
    ONE,
    REGION_CODES,
    SCHEME,
    SCORE,
    SLIDE_CLASS,
    UNLABELLED,
    attach,
    damaged,
    library,
    long_string,
)
from mitoscope.exchange.format import Content, WriteOptions
from mitoscope.fsio import atomic_write
from mitoscope.store import Rater, RaterKind, Region, Shape, SlideRecord, Study

if TYPE_CHECKING:
    from pydicom import Dataset


@dataclass(frozen=True, slots=True)
class _Group:
    label: str
    rater: Rater | None
    shape: Shape
    rows: list[int]
    scores: list[float]


def write(study: Study, path: Path, options: WriteOptions) -> None:
    """Write the annotations of a slide.

    Parameters
    ----------
    study : Study
        Of one slide.
    path : Path
        The file.
    options : WriteOptions
        ``slide_file``: the slide. Where it is a DICOM image, patient, study, specimen and the reference are
        its own; for another format they are made from the slide's name and hash, the same every time.

    Raises
    ------
    FormatError
        If the extra ``dicom`` is missing, or there is nothing to write.
    OutputError
        If it cannot be written.
    """
    highdicom = library()
    groups = list(_groups(study))
    if len(study.slides) != 1 or not (groups or study.regions):
        raise FormatError("one slide with at least one annotation expected", where=path)
    items = [_group_item(highdicom, study, group, place) for place, group in enumerate(groups, start=1)]
    items += [
        _region_item(highdicom, region, place)
        for place, region in enumerate(study.regions, start=len(items) + 1)
    ]
    source = source_image(study.slides[0], options.slide_file)
    software = metadata.version("mitoscope")
    dataset = highdicom.ann.MicroscopyBulkSimpleAnnotations(
        source_images=[source],
        annotation_coordinate_type="2D",
        annotation_groups=items,
        series_instance_uid=highdicom.UID(),
        series_number=1,
        sop_instance_uid=highdicom.UID(),
        instance_number=1,
        manufacturer="mitoscope",
        manufacturer_model_name="mitoscope",
        software_versions=software,
        device_serial_number=software,
        content_label="MITOSCOPE",
        specific_character_set="ISO_IR 192",
    )
    attach(dataset, study)
    stream = BytesIO()
    dataset.save_as(stream)
    with atomic_write(path) as target:
        target.write(stream.getvalue())


def _groups(study: Study) -> Iterator[_Group]:
    """Yield one group for each label, rater and shape, of live cells and everybody's last word."""
    events, cells = study.events, study.cells
    last = {(int(events.cell[row]), int(events.rater[row])): row for row in range(len(events))}
    found: dict[tuple[int, int, int], list[int]] = {}
    labelled = np.zeros(len(cells), dtype=bool)
    for (cell, rater), row in last.items():
        if events.label[row] >= 0 and not cells.deleted[cell]:
            found.setdefault((int(events.label[row]), rater, int(cells.shape[cell])), []).append(row)
            labelled[cell] = True
    for (label, rater, shape), rows in found.items():
        name = study.labels.labels[label].name
        scores = events.score[rows].tolist()
        yield _Group(name, study.raters[rater], Shape(shape), events.cell[rows].tolist(), scores)
    # Never labelled, or every label taken back.
    silent = np.flatnonzero(~cells.deleted & ~labelled)
    for one in Shape:
        rows = silent[cells.shape[silent] == one].tolist()
        if rows:
            yield _Group(UNLABELLED, None, one, rows, [math.nan] * len(rows))


def _group_item(highdicom: Any, study: Study, group: _Group, place: int) -> Any:
    coded = highdicom.sr.CodedConcept
    is_model = group.rater is not None and group.rater.kind is RaterKind.MODEL
    scores = np.array(group.scores)
    measured = not np.isnan(scores).all()
    label = study.labels.find(group.label)
    return highdicom.ann.AnnotationGroup(
        number=place,
        uid=highdicom.UID(),
        label=long_string(group.label),
        annotated_property_category=coded(*CATEGORY),
        annotated_property_type=coded(
            _code_value(group.label), SCHEME, long_string(CELL.get(group.label, group.label))
        ),
        graphic_type=_graphic_type(group.shape),
        graphic_data=[_graphic(study, row) for row in group.rows],
        algorithm_type="AUTOMATIC" if is_model else "MANUAL",
        algorithm_identification=_algorithm(highdicom, group.rater) if is_model else None,
        measurements=[highdicom.ann.Measurements(coded(*SCORE), scores, coded(*ONE))] if measured else None,
        description=None if group.rater is None else f"{group.rater.kind.value}: {group.rater.name}",
        display_color=None if label is None else _colour(highdicom, label.colour),
    )


def _code_value(label: str) -> str:
    # A code value has at most 16 characters (VR SH).
    return hashlib.sha256(label.encode()).hexdigest()[:16]


def _algorithm(highdicom: Any, rater: Rater | None) -> Any:
    name = "model" if rater is None else rater.name
    family = highdicom.sr.CodedConcept("123110", "DCM", "Artificial Intelligence")
    return highdicom.AlgorithmIdentificationSequence(
        name=long_string(name), family=family, version="unstated"
    )


def _colour(highdicom: Any, colour: str) -> Any:
    digits = colour.removeprefix("#")
    if len(digits) != 6:
        return None
    return highdicom.color.CIELabColor.from_rgb(*bytes.fromhex(digits))


def _graphic_type(shape: Shape) -> str:
    return {Shape.SPOT: "POINT", Shape.BOX: "RECTANGLE", Shape.CIRCLE: "ELLIPSE"}.get(shape, "POLYGON")


def _graphic(study: Study, row: int) -> NDArray[np.float64]:
    cells = study.cells
    x_min, y_min, x_max, y_max = cells.bounds_px0[row].tolist()
    if cells.shape[row] == Shape.SPOT:
        return np.array([[x_min, y_min]])
    if cells.shape[row] == Shape.POLYGON:
        return np.asarray(cells.vertices_px0[row])
    if cells.shape[row] == Shape.BOX:
        return np.array([[x_min, y_min], [x_max, y_min], [x_max, y_max], [x_min, y_max]])
    x, y = (x_min + x_max) / 2, (y_min + y_max) / 2
    horizontal, vertical = [[x_min, y], [x_max, y]], [[x, y_min], [x, y_max]]
    # The ends of the major axis come first.
    is_wide = x_max - x_min >= y_max - y_min
    return np.array(horizontal + vertical if is_wide else vertical + horizontal)


def _region_item(highdicom: Any, region: Region, place: int) -> Any:
    coded = highdicom.sr.CodedConcept
    return highdicom.ann.AnnotationGroup(
        number=place,
        uid=highdicom.UID(),
        label=long_string(region.name or region.kind.value),
        annotated_property_category=coded(*CATEGORY),
        annotated_property_type=coded(*REGION_CODES[region.kind]),
        graphic_type="POLYGON",
        graphic_data=[region.vertices_px0],
        algorithm_type="MANUAL",
    )


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
