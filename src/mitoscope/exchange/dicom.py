"""DICOM Microscopy Bulk Simple Annotations: written for a slide and read back (extra ``dicom``).

Coordinates are two-dimensional, in pixels of the total pixel matrix of the slide, whose origin is the upper
left corner of its upper left pixel (PS3.3 C.37.1.2): the frame px0. One group holds the labels of one name by
one rater on cells of one shape; scores are measurements. The whole study rides along in a private element
(:mod:`~mitoscope.exchange.extension`), so that nothing is lost.
"""

from __future__ import annotations

import hashlib
import math
import struct
import uuid
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib import metadata
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError, MitoscopeError
from mitoscope.exchange import extension
from mitoscope.exchange.class_table import LabelFinder
from mitoscope.exchange.format import Content, Format, ReadOptions, WriteOptions
from mitoscope.exchange.json_text import dump_json, parse_json
from mitoscope.exchange.losses import EVERYTHING
from mitoscope.exchange.outcome import CONSENSUS
from mitoscope.fsio import atomic_write
from mitoscope.store.builder import StudyBuilder
from mitoscope.store.kinds import RaterKind, RegionKind, Shape
from mitoscope.store.records import QuarantineEntry, Rater, Region, SlideRecord, Study

if TYPE_CHECKING:
    from pydicom import Dataset

ANNOTATION_CLASS = "1.2.840.10008.5.1.4.1.1.91.1"
"""SOP class Microscopy Bulk Simple Annotations Storage."""
SLIDE_CLASS = "1.2.840.10008.5.1.4.1.1.77.1.6"
"""SOP class VL Whole Slide Microscopy Image Storage."""
UNLABELLED = "unlabelled"
"""Name of the group of cells that nobody labelled."""

_SCHEME = "99MITOSCOPE"
_CATEGORY = ("49755003", "SCT", "Morphologically abnormal structure")
_NEOPLASM = ("108369006", "SCT", "Neoplasm")
_SCORE = ("score", _SCHEME, "Score")
_ONE = ("1", "UCUM", "no units")
_CELL = {"mitotic figure": "Mitotic figure", "look-alike": "Mitotic figure look-alike"}
_PRIVATE_GROUP = 0x0071
_PRIVATE_CREATOR = "MITOSCOPE"
_NAMESPACE = uuid.UUID("0d8f0a0e-6f4b-5c3e-9a54-6d69746f7363")
_BAD = (
    AttributeError,
    EOFError,
    IndexError,
    KeyError,
    NotImplementedError,
    OverflowError,
    TypeError,
    ValueError,
)


@dataclass(frozen=True, slots=True)
class _Group:
    label: str
    rater: Rater | None
    shape: Shape
    rows: list[int]
    scores: list[float]


def _library() -> Any:
    try:
        import highdicom
    except ImportError:
        raise FormatError("DICOM annotations need highdicom", mend="pip install 'mitoscope[dicom]'") from None
    return highdicom


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
    highdicom = _library()
    groups = list(_groups(study))
    if len(study.slides) != 1 or not (groups or study.regions):
        raise FormatError("one slide with at least one annotation expected", where=path)
    items = [_group_item(highdicom, study, group, place) for place, group in enumerate(groups, start=1)]
    items += [
        _region_item(highdicom, region, place)
        for place, region in enumerate(study.regions, start=len(items) + 1)
    ]
    source = _source_image(study.slides[0], options.slide_file)
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
    _attach(dataset, study)
    stream = BytesIO()
    dataset.save_as(stream)
    with atomic_write(path) as target:
        target.write(stream.getvalue())


def _groups(study: Study) -> Iterator[_Group]:
    """Yield one group for each label, rater and shape, of live cells and everybody's last word."""
    events, cells = study.events, study.cells
    last = {(int(events.cell[row]), int(events.rater[row])): row for row in range(len(events))}
    found: dict[tuple[int, int, int], list[int]] = {}
    for (cell, rater), row in last.items():
        if events.label[row] >= 0 and not cells.deleted[cell]:
            found.setdefault((int(events.label[row]), rater, int(cells.shape[cell])), []).append(row)
    for (label, rater, shape), rows in found.items():
        name = study.labels.labels[label].name
        scores = events.score[rows].tolist()
        yield _Group(name, study.raters[rater], Shape(shape), events.cell[rows].tolist(), scores)
    silent = np.setdiff1d(np.flatnonzero(~cells.deleted), [cell for cell, _ in last])
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
        label=_long_string(group.label),
        annotated_property_category=coded(*_CATEGORY),
        annotated_property_type=coded(
            _code_value(group.label), _SCHEME, _long_string(_CELL.get(group.label, group.label))
        ),
        graphic_type=_graphic_type(group.shape),
        graphic_data=[_graphic(study, row) for row in group.rows],
        algorithm_type="AUTOMATIC" if is_model else "MANUAL",
        algorithm_identification=_algorithm(highdicom, group.rater) if is_model else None,
        measurements=[highdicom.ann.Measurements(coded(*_SCORE), scores, coded(*_ONE))] if measured else None,
        description=None if group.rater is None else f"{group.rater.kind.value}: {group.rater.name}",
        display_color=None if label is None else _colour(highdicom, label.colour),
    )


def _long_string(text: str) -> str:
    # VR LO: 64 characters, no control characters, and a backslash begins another value.
    shown = "".join(one if one.isprintable() and one != "\\" else "_" for one in text)
    return shown.strip()[:64].strip()


def _code_value(label: str) -> str:
    # A code value has at most 16 characters (VR SH).
    return hashlib.sha256(label.encode()).hexdigest()[:16]


def _algorithm(highdicom: Any, rater: Rater | None) -> Any:
    name = "model" if rater is None else rater.name
    family = highdicom.sr.CodedConcept("123110", "DCM", "Artificial Intelligence")
    return highdicom.AlgorithmIdentificationSequence(
        name=_long_string(name), family=family, version="unstated"
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
    is_tumour = region.kind is RegionKind.TUMOUR
    return highdicom.ann.AnnotationGroup(
        number=place,
        uid=highdicom.UID(),
        label=_long_string(region.name or region.kind.value),
        annotated_property_category=coded(*_CATEGORY),
        annotated_property_type=coded(*(_NEOPLASM if is_tumour else ("exclusion", _SCHEME, "Exclusion"))),
        graphic_type="POLYGON",
        graphic_data=[region.vertices_px0],
        algorithm_type="MANUAL",
    )


def _source_image(slide: SlideRecord, slide_file: Path | None) -> Dataset:
    if slide_file is not None and Content(slide_file).head[128:132] == b"DICM":
        import pydicom

        source = pydicom.dcmread(slide_file, stop_before_pixels=True)
        if source.SOPClassUID != SLIDE_CLASS:
            raise FormatError("a DICOM whole-slide image expected", where=slide_file)
        return source
    return _stand_in(slide)


def _stand_in(slide: SlideRecord) -> Dataset:
    """Return the header of a slide that is no DICOM image; its ids are made from its name and hash."""
    from pydicom import Dataset

    key = slide.sha256 or slide.name
    source = Dataset()
    source.SOPClassUID, source.Modality = SLIDE_CLASS, "SM"
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID", "FrameOfReferenceUID"):
        setattr(source, name, f"2.25.{uuid.uuid5(_NAMESPACE, f'{name} {key}').int}")
    source.PatientID, source.PatientName = _long_string(slide.case or ""), ""
    source.PatientBirthDate, source.PatientSex, source.AccessionNumber = "", "", ""
    source.StudyID, source.StudyDate, source.StudyTime = "", None, None
    source.ReferringPhysicianName = ""
    source.ContainerIdentifier = _long_string(slide.name)
    source.SpecimenDescriptionSequence = []
    return source


def _attach(dataset: Dataset, study: Study) -> None:
    block = dataset.private_block(_PRIVATE_GROUP, _PRIVATE_CREATOR, create=True)
    block.add_new(0x01, "LO", _digest(dataset))
    block.add_new(0x02, "UT", dump_json(extension.to_json(study)).decode().strip())


def _digest(dataset: Dataset) -> str:
    """Return a hash of what the groups say, which changes when somebody edits the file."""
    digest = hashlib.sha256()
    for item in dataset.AnnotationGroupSequence:
        digest.update(f"{str(item.AnnotationGroupLabel).strip()}\n{item.NumberOfAnnotations}\n".encode())
        digest.update(item.get("DoublePointCoordinatesData", item.get("PointCoordinatesData", b"")))
    return digest.hexdigest()


def read(path: Path, options: ReadOptions) -> Study:
    """Read bulk simple annotations with two-dimensional coordinates.

    Annotations of equal geometry in several groups are one cell with several labels. Without a private part
    of mitoscope the rater is the group's description or ``options.rater``; the slide is the container
    identifier or ``options.slide``.

    Raises
    ------
    FormatError
        If the extra ``dicom`` is missing, or it is not such a file.
    """
    highdicom = _library()
    from pydicom.errors import InvalidDicomError

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # odd values are common in the files of others
            warnings.filterwarnings("error", message=".*replacement characters")
            study = _study(highdicom, path, options)
    except MitoscopeError:
        raise
    except InvalidDicomError:
        raise FormatError("not a DICOM file", where=path) from None
    except OSError as error:
        raise FormatError(f"cannot be read ({error.strerror})", where=path) from None
    except (*_BAD, UserWarning, struct.error) as error:
        raise FormatError(f"damaged DICOM annotations ({error})", where=path) from None
    return study


def _study(highdicom: Any, path: Path, options: ReadOptions) -> Study:
    import pydicom

    dataset = pydicom.dcmread(path)
    if dataset.get("SOPClassUID") != ANNOTATION_CLASS:
        raise FormatError("not DICOM bulk simple annotations", where=path)
    if dataset.AnnotationCoordinateType != "2D":
        raise FormatError("coordinates in mm of the slide are not read, only those in pixels", where=path)
    dataset = highdicom.ann.MicroscopyBulkSimpleAnnotations.from_dataset(dataset)
    carried = _detach(dataset, path)
    if isinstance(carried, Study):
        return carried
    study = _Reader(dataset, path, options).study()
    return study if carried is None else replace(study, quarantine=(*study.quarantine, carried))


def _detach(dataset: Dataset, path: Path) -> Study | QuarantineEntry | None:
    try:
        block = dataset.private_block(_PRIVATE_GROUP, _PRIVATE_CREATOR)
    except KeyError:
        return None
    if str(block[0x01].value) != _digest(dataset):
        return QuarantineEntry(str(path), extension.EDITED, "private element of mitoscope")
    where = f"{path}: private element of mitoscope"
    return extension.from_json(parse_json(str(block[0x02].value), where=where), where)


class _Reader:
    def __init__(self, dataset: Any, path: Path, options: ReadOptions) -> None:
        self.dataset, self.path, self.options = dataset, path, options
        self.build = StudyBuilder()
        self.labels = LabelFinder()
        self.cells: dict[tuple[Shape, bytes], int] = {}

    def study(self) -> Study:
        container = str(self.dataset.get("ContainerIdentifier", "") or "")
        name = self.options.slide or container or self.path.stem
        self.slide = self.build.slide(SlideRecord(name))
        for group in self.dataset.AnnotationGroupSequence:
            self._group(group)
        return self.build.build()

    def _group(self, group: Any) -> None:
        where = f"{self.path}: group {group.AnnotationGroupNumber}"
        name, kind = str(group.AnnotationGroupLabel), str(group.GraphicType)
        code = group.AnnotationPropertyTypeCodeSequence[0]
        graphics = group.get_graphic_data("2D")
        if kind == "POLYLINE":
            what = f"{name}: {len(graphics)} open lines"
            self.build.quarantine.append(QuarantineEntry(where, "open lines are no cells", what))
        elif kind == "POLYGON" and code.CodeValue in (_NEOPLASM[0], "exclusion"):
            region = RegionKind.TUMOUR if code.CodeValue == _NEOPLASM[0] else RegionKind.EXCLUSION
            stated = "" if name == region.value else name
            self.build.regions += [Region(self.slide, one, region, stated) for one in graphics]
        else:
            self._labels(group, name, [self._cell(kind, one) for one in graphics])

    def _labels(self, group: Any, name: str, cells: list[int]) -> None:
        if name == UNLABELLED:
            return
        label = self.build.label(self.labels.find(name))
        rater = self.build.rater(self._rater(group))
        for cell, score in zip(cells, _scores(group, len(cells)), strict=True):
            self.build.event(cell, rater, label, score=score)

    def _rater(self, group: Any) -> Rater:
        is_model = group.AnnotationGroupGenerationType == "AUTOMATIC"
        kind, _, name = str(group.get("AnnotationGroupDescription", "") or "").partition(": ")
        if name and kind in set(RaterKind):
            return Rater(name, RaterKind(kind))
        if self.options.rater is not None:
            return Rater(self.options.rater, RaterKind.MODEL if is_model else RaterKind.EXPERT)
        return Rater("model", RaterKind.MODEL) if is_model else CONSENSUS

    def _cell(self, kind: str, points: NDArray[np.float64]) -> int:
        shape, geometry = _cell_geometry(kind, np.asarray(points, dtype=np.float64))
        key = (shape, geometry.tobytes())
        if key not in self.cells:
            if shape is Shape.POLYGON:
                self.cells[key] = self.build.polygon(self.slide, geometry)
            else:
                self.cells[key] = self.build.cell(self.slide, geometry.tolist(), shape=shape)
        return self.cells[key]


def _cell_geometry(kind: str, points: NDArray[np.float64]) -> tuple[Shape, NDArray[np.float64]]:
    low, high = points.min(axis=0), points.max(axis=0)
    if kind == "POINT":
        return Shape.SPOT, points[0]
    if kind == "ELLIPSE":
        centre = (points[0] + points[1]) / 2
        reach = np.hypot((points[1] - points[0]) / 2, (points[3] - points[2]) / 2)
        return Shape.CIRCLE, np.concatenate([centre - reach, centre + reach])
    corners = {(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])}
    if kind == "RECTANGLE" and {tuple(one) for one in points.tolist()} == corners:
        return Shape.BOX, np.concatenate([low, high])
    return Shape.POLYGON, points


def _scores(group: Any, n: int) -> list[float]:
    names, values, _ = group.get_measurements()
    for place, name in enumerate(names):
        if name.value == _SCORE[0] or name.meaning.casefold() in ("score", "probability", "confidence"):
            column = np.asarray(values[:, place], dtype=np.float64)
            return [one if 0 <= one <= 1 else math.nan for one in column.tolist()]
    return [math.nan] * n


def _recognises(content: Content) -> bool:
    return content.head[128:132] == b"DICM"


FORMAT = Format(
    name="dicom",
    title="DICOM Microscopy Bulk Simple Annotations (pip install 'mitoscope[dicom]')",
    suffix=".dcm",
    recognises=_recognises,
    read=read,
    write=write,
    holds=EVERYTHING,
    one_slide=True,
    holds_nothing=False,
)
