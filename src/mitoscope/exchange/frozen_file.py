"""A frozen version as a file of its own: its manifest and all of its ground truth, under one hash."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange.classes import CONSENSUS, colour_of
from mitoscope.exchange.format import Content, Format, ReadOptions
from mitoscope.exchange.json_text import a_mapping, read_json
from mitoscope.exchange.regions import open_holes, rings_without_holes, with_examined
from mitoscope.fsio import atomic_write
from mitoscope.labels import Label
from mitoscope.region import RegionKind
from mitoscope.store import FORMAT as DATA_SET
from mitoscope.store import Frozen, Region, Shape, SlideRecord, Study, StudyBuilder
from mitoscope.truth import GroundTruth, SlideTruth, from_json, to_json

_MARK: Final = "mitoscope data set "
_TRUTH: Final = "truth"


def write(path: Path, frozen: Frozen) -> None:
    """Write a version atomically.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    values = frozen.manifest.model_dump(mode="json") | {_TRUTH: to_json(frozen.truth)}
    with atomic_write(path) as stream:
        stream.write((json.dumps(values, indent=1, ensure_ascii=False, sort_keys=True) + "\n").encode())


def is_frozen_file(path: Path) -> bool:
    """Return whether a file is the manifest of a version, with its ground truth or without."""
    if path.suffix.casefold() != ".json" or not path.is_file():
        return False
    content = Content(path)
    # Its keys are sorted, so the mark stands at the head: other JSON files are not parsed to be asked.
    return _MARK.encode() in content.head and _is_manifest(content.json)


def _is_manifest(values: object) -> bool:
    return isinstance(values, dict) and str(values.get("format", "")).startswith(_MARK)


def read(path: Path) -> GroundTruth:
    """Read the ground truth of a version.

    Raises
    ------
    FormatError
        If the file holds the manifest alone, is damaged, or is not what was frozen.
    """
    values = a_mapping(read_json(path), str(path))
    if _TRUTH not in values:
        version = f"{values.get('variant')}@{values.get('number')}"
        mend = f"give the study as STUDY@{version}, or write the file again with curate freeze --out"
        raise FormatError("a manifest without its cells", where=path, mend=mend)
    truth = from_json(a_mapping(values[_TRUTH], f"{path}: {_TRUTH}"), where=str(path))
    if values.get("format") == DATA_SET and truth.sha256 != values.get("sha256"):
        mend = "write it again with curate freeze --out"
        raise FormatError("its content is not what was frozen", where=path, mend=mend)
    return replace(truth, licences=tuple(map(str, values.get("licences") or ())))


def read_study_of(path: Path, options: ReadOptions) -> Study:
    """Read a version as a study: its classes are the word of a consensus, its agreement that word's score.

    Raises
    ------
    FormatError
        See `read`.
    """
    truth = read(path)
    build = StudyBuilder(truth.classes)
    rater = build.rater(options.speaker(CONSENSUS))
    for slide in truth.slides:
        place = build.slide(
            SlideRecord(slide.name, slide.size, slide.mpp, slide.sha256, slide.case, slide.domain)
        )
        for point, size, name, agreement in zip(
            slide.cells.points_px0.tolist(),
            slide.cells.size_px0.tolist(),
            slide.cells.label.tolist(),
            slide.cells.agreement.tolist(),
            strict=True,
        ):
            (x, y), (w, h) = point, size
            is_spot = bool(np.isnan(size).any())
            bounds = (x, y) if is_spot else (x - w / 2, y - h / 2, x + w / 2, y + h / 2)
            cell = build.cell(place, bounds, shape=Shape.SPOT if is_spot else Shape.BOX)
            label = build.label(truth.classes.find(name) or Label(name, colour_of(name)))
            build.event(cell, rater, label, score=agreement)
        build.regions += _outlines(slide, place)
    stated = {slide.name: slide.stated_examined for slide in truth.slides}
    examined = {name: area for name, area in stated.items() if area is not None}
    return with_examined(replace(build.build(), examined=examined))[0]


def _outlines(slide: SlideTruth, place: int) -> list[Region]:
    """Return the regions of a slide as rings without holes."""
    regions = slide.regions
    tumour = [] if regions.tumour is None else regions.tumour.polygons
    holes = [(hole, exterior) for exterior, *inner in tumour for hole in inner]
    found = [(exterior, RegionKind.TUMOUR) for exterior, *_ in tumour]
    found += [(ring, RegionKind.EXCLUSION) for ring in open_holes(holes, [outline[0] for outline in tumour])]
    for kind, region in ((RegionKind.EXCLUSION, regions.exclusion), (RegionKind.INTEREST, regions.interest)):
        for polygon in () if region is None else region.polygons:
            found += [(ring, kind) for ring in rings_without_holes(polygon, kind)[0]]
    return [Region(place, ring, kind, str(kind)) for ring, kind in found]


def _recognises(content: Content) -> bool:
    return _is_manifest(content.json)


FORMAT = Format(
    name="version",
    title="frozen version of a study, as curate freeze --out writes it",
    suffix=".json",
    recognises=_recognises,
    read=read_study_of,
)
