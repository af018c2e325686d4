"""Reading DICOM bulk simple annotations."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError, MitoscopeError
from mitoscope.exchange.classes import CONSENSUS, LabelFinder
from mitoscope.exchange.dicom.terms import (
    ANNOTATION_CLASS,
    REGION_CODES,
    SCHEME,
    SCORE,
    UNLABELLED,
    damaged,
    detach,
    library,
)
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.regions import add_region
from mitoscope.fsio import open_regular
from mitoscope.store import (
    QuarantineEntry,
    Rater,
    RaterKind,
    RegionKind,
    Shape,
    SlideRecord,
    Study,
    StudyBuilder,
)


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
    highdicom = library()
    from pydicom.errors import InvalidDicomError

    broken: tuple[type[Exception], ...] = (*damaged(), UserWarning)
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
    except broken as error:
        raise FormatError(f"damaged DICOM annotations ({str(error)[:80]})", where=path) from None
    return study


def _study(highdicom: Any, path: Path, options: ReadOptions) -> Study:
    import pydicom

    with open_regular(path) as stream:
        dataset = pydicom.dcmread(stream)
    if dataset.get("SOPClassUID") != ANNOTATION_CLASS:
        raise FormatError("not DICOM bulk simple annotations", where=path)
    if dataset.AnnotationCoordinateType != "2D":
        raise FormatError("coordinates in mm of the slide are not read, only those in pixels", where=path)
    dataset = highdicom.ann.MicroscopyBulkSimpleAnnotations.from_dataset(dataset)
    carried = detach(dataset, path)
    if isinstance(carried, Study):
        return carried
    study = _Reader(dataset, path, options).study()
    return study if carried is None else replace(study, notes=(carried,))


class _Reader:
    def __init__(self, dataset: Any, path: Path, options: ReadOptions) -> None:
        self.dataset, self.path, self.options = dataset, path, options
        self.build = StudyBuilder()
        self.labels = LabelFinder()
        self.cells: dict[tuple[Shape, bytes], int] = {}

    def study(self) -> Study:
        container = str(self.dataset.get("ContainerIdentifier", "") or "")
        self.slide_name = self.options.slide or container or self.path.stem
        self.slide = self.build.slide(SlideRecord(self.slide_name))
        groups = self.dataset.AnnotationGroupSequence
        self.is_mixed = len({group.AnnotationGroupGenerationType == "AUTOMATIC" for group in groups}) > 1
        for group in groups:
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
        elif (
            kind in ("POLYGON", "RECTANGLE")
            and (region := _region_kind(code, name, graphics, self.options)) is not None
        ):
            stated = "" if name == region.value else name
            for ring in graphics:
                add_region(
                    self.build,
                    self.slide,
                    np.asarray(ring, dtype=np.float64),
                    kind=region,
                    name=stated,
                    where=where,
                    slide_name=self.slide_name,
                )
        else:
            self._labels(group, name, [self._cell(kind, graphic) for graphic in graphics])

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
        return self.options.speaker(
            Rater("model", RaterKind.MODEL) if is_model else CONSENSUS, is_mixed=self.is_mixed
        )

    def _cell(self, kind: str, points: NDArray[np.float64]) -> int:
        shape, geometry = _cell_geometry(kind, np.asarray(points, dtype=np.float64))
        key = (shape, geometry.tobytes())
        if key not in self.cells:
            if shape is Shape.POLYGON:
                self.cells[key] = self.build.polygon(self.slide, geometry)
            else:
                self.cells[key] = self.build.cell(self.slide, geometry.tolist(), shape=shape)
        return self.cells[key]


def _region_kind(code: Any, name: str, graphics: list[Any], options: ReadOptions) -> RegionKind | None:
    """Return what the outlines of a group delimit, by its code and else by its name; None for cells."""
    known = {coded[0]: kind for kind, coded in REGION_CODES.items()}
    if code.CodeValue in known:
        return known[code.CodeValue]
    if code.CodingSchemeDesignator == SCHEME or not graphics:
        return None
    return options.kind_of_outline(name, np.concatenate(graphics))


def _cell_geometry(kind: str, points: NDArray[np.float64]) -> tuple[Shape, NDArray[np.float64]]:
    low, high = points.min(axis=0), points.max(axis=0)
    if kind == "POINT":
        return Shape.SPOT, points[0]
    if kind == "ELLIPSE":
        centre = (points[0] + points[1]) / 2
        reach = np.hypot((points[1] - points[0]) / 2, (points[3] - points[2]) / 2)
        return Shape.CIRCLE, np.concatenate([centre - reach, centre + reach])
    corners = {(x, y) for x in (low[0], high[0]) for y in (low[1], high[1])}
    if kind == "RECTANGLE" and {tuple(point) for point in points.tolist()} == corners:
        return Shape.BOX, np.concatenate([low, high])
    return Shape.POLYGON, points


def _scores(group: Any, n: int) -> list[float]:
    names, values, _ = group.get_measurements()
    for place, name in enumerate(names):
        if name.value == SCORE[0] or name.meaning.casefold() in ("score", "probability", "confidence"):
            column = np.asarray(values[:, place], dtype=np.float64)
            return [score if 0 <= score <= 1 else math.nan for score in column.tolist()]
    return [math.nan] * n
