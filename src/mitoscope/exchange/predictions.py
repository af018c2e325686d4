"""What was found, from whatever states it: the one door to detections.

A folder that `detect` wrote, a manifest, a table beside its manifest or alone, or a file of any format.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.detections import NOT_STATED, Detections
from mitoscope.errors import FormatError
from mitoscope.exchange import coco, detections_csv
from mitoscope.exchange.classes import UNKNOWN, apply_mapping, stated_classes
from mitoscope.exchange.coco.results import is_results_list, read_results_list
from mitoscope.exchange.format import Content, ReadOptions
from mitoscope.exchange.geojson import NO_GEOMETRY, NOT_A_CELL
from mitoscope.exchange.registry import read_study, refuse_quarantined
from mitoscope.exchange.result import (
    MANIFEST,
    TABLE,
    Result,
    find_folders,
    find_manifests,
    is_beside_manifest,
    is_cohort_table,
    is_manifest,
    read_all_manifests,
    read_manifest,
    read_result,
    result_stem,
    vouched_by,
)
from mitoscope.exchange.table import COLUMN_NAMES, read_points
from mitoscope.geometry import Mpp
from mitoscope.image_names import match_stems, stem
from mitoscope.labels import LabelMapping
from mitoscope.store import DUPLICATE, HALF_SCALE, RaterKind, Study, regions_of

_NUMBERS = ("x", "y", "score")


def read_results(
    path: str | Path,
    *,
    mapping: LabelMapping | None = None,
    needed: Sequence[str] = _NUMBERS,
    with_tissue: bool = True,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
) -> dict[str, Result]:
    """Read results and tables by the stem of the image's name.

    Parameters
    ----------
    path : str or Path
        A folder of results or of ``<stem>.csv``, a manifest, a CSV with an image column, or the CSV of one
        image named ``<stem>.csv``. A CSV may hold boxes (x1, y1, x2, y2) in place of centres. One beside its
        manifest is that result, as is any other file that a manifest beside it vouches for.
    mapping : LabelMapping, optional
        What the class names of tables stand for; without it names that are not known stay as they are.
    needed : sequence of str
        Columns that a table must have; without a score it is 1.
    with_tissue : bool
        Read the masks of the tissue, too.
    mpp : Mpp, optional
        Resolution of images that state none.
    mpp_override : bool
        Let it replace also what results state.

    Raises
    ------
    FormatError
        If there is nothing there, or a file cannot be read.
    UnknownLabelError
        If a mapping is given and does not know a name.
    """
    path, read = Path(path), partial(read_result, with_tissue=with_tissue)
    if path.is_dir():
        found = _of_folder(path, mapping, needed, read)
    elif path.suffix.lower() == MANIFEST:
        found = _by_image(path, read)
    elif not is_table(path) and (manifest := vouched_by(path)) is not None:
        found = _by_image(manifest, read)
    else:
        found = _of_table(path, mapping, needed, read)
    if mpp is None:
        return found
    return {name: with_scale(result, mpp, override=mpp_override) for name, result in found.items()}


def with_scale(result: Result, mpp: Mpp, *, override: bool) -> Result:
    """Return a result with a resolution where it states none, or in place of the stated one.

    A note says where another one is kept.
    """
    searched = result.candidates.searched
    stated = searched.mpp
    if stated is not None and not override:
        if not stated.differs_from(mpp):
            return result
        note = f"It states {stated.mean:.4g} µm/px, which is kept: --mpp-override replaces it."
        return replace(result, notes=(*result.notes, note))
    tissue = None if result.tissue is None else replace(result.tissue, mpp=mpp)
    candidates = result.candidates.with_searched(replace(searched, mpp=mpp))
    return replace(result, candidates=candidates, tissue=tissue)


def is_table(path: Path) -> bool:
    """Whether it is a CSV with named columns; those of the challenges hold nothing but numbers."""
    return path.suffix.lower() == TABLE and (not path.is_file() or Content(path).numbers is None)


def table_columns(path: Path) -> frozenset[str]:
    """Return the names of the columns of a CSV as they are read; none where it is something else."""
    if path.is_dir() or not is_table(path):
        return frozenset()
    return Content(path).header | {COLUMN_NAMES.get(name, name) for name in Content(path).header}


def is_result(path: Path) -> bool:
    """Whether a path is read by `read_results`: a result, a folder with results or tables, or a table."""
    if path.is_dir():
        return any(path.glob(f"*{TABLE}")) or bool(find_manifests(path) or find_folders(path))
    if path.suffix.lower() == MANIFEST:
        return is_manifest(path)
    return is_table(path) or vouched_by(path) is not None


def _of_folder(
    folder: Path, mapping: LabelMapping | None, needed: Sequence[str], read: Callable[[Path], Result]
) -> dict[str, Result]:
    if below := find_folders(folder):
        return _of_folders(folder, below, read)
    manifests = {path.stem: path for path in read_all_manifests(folder)}
    tables = {
        path.name.removesuffix(TABLE): path
        for path in sorted(folder.glob(f"*{TABLE}"))
        if not is_cohort_table(path)
    }
    names = sorted({*manifests, *tables})
    if not names:
        raise FormatError("no results in this folder", where=folder, mend="give the --out folder of detect")
    match_stems(names, where=folder)
    found: dict[str, Result] = {}
    for name in names:
        if name in manifests:
            read_there = _by_image(manifests[name], read)
        else:
            read_there = _of_table(tables[name], mapping, needed, read)
        for image, result in read_there.items():
            if image in found:
                what = f"the image {image!r} is in two files"
                raise FormatError(what, where=manifests.get(name) or tables[name], mend="remove one of them")
            found[image] = result
    return found


def _of_folders(folder: Path, below: Sequence[Path], read: Callable[[Path], Result]) -> dict[str, Result]:
    """Read the results of slides of one name, each by its folder and its name."""
    found = {}
    for inner in below:
        place = inner.relative_to(folder).as_posix()
        for manifest in read_all_manifests(inner):
            for image, result in _by_image(manifest, read).items():
                found[f"{place}/{image}"] = replace(result, name=f"{place}/{result.name}")
    return found


def _by_image(manifest: Path, read: Callable[[Path], Result]) -> dict[str, Result]:
    """Read a result by its files' name, or by the slide's where that is no name for a file."""
    result = read(manifest)
    return {_image_of(manifest, result.name): result}


def _image_of(manifest: Path, slide: str) -> str:
    own = Path(slide).stem
    is_renamed = result_stem(slide) == manifest.stem != own
    return stem(own if is_renamed else manifest.stem)


def read_manifests(path: Path) -> dict[str, dict[str, Any]]:
    """Return what the manifests of results say, by the stem of the image's name as `read_results`.

    Parameters
    ----------
    path : Path
        A folder, a manifest, or a file that one beside it vouches for; of anything else there are none.

    Raises
    ------
    FormatError
        If a manifest is damaged.
    """
    if path.is_dir():
        manifests = list(read_all_manifests(path))
    elif is_manifest(path) or is_beside_manifest(path):
        manifests = [path.with_suffix(MANIFEST)]
    else:
        vouching = vouched_by(path)
        manifests = [] if vouching is None else [vouching]
    found = {}
    for manifest in manifests:
        values = read_manifest(manifest)
        slide = values.get("slide")
        name = str(slide.get("name", "")) if isinstance(slide, dict) else ""
        found[_image_of(manifest, name or manifest.stem)] = values
    return found


def _of_table(
    path: Path, mapping: LabelMapping | None, needed: Sequence[str], read: Callable[[Path], Result]
) -> dict[str, Result]:
    name = stem(path.name.removesuffix(TABLE))
    if is_beside_manifest(path):
        return _by_image(path.with_suffix(MANIFEST), read)
    table = read_points(path, needed=needed)
    class_of = detections_csv.classes_of(table, path, mapping)
    named = {name: class_name for name, class_name in class_of.items() if name}
    if detections_csv.IMAGE_COLUMN in table.columns:
        return {
            image: Result(image, detections_csv.of_rows(rows, path.name, class_of), label_names=named)
            for image, rows in detections_csv.group_by_image(table, path).items()
        }
    found = detections_csv.of_rows(table.rows, path.name, class_of)
    unknown = "threshold and what was searched are not known"
    if found.searched.threshold is not None:
        unknown = "what was searched is not known, the threshold is that of its labels"
    notes = (f"There is no manifest beside it: {unknown}.",)
    return {name: Result(name, found, notes=notes, label_names=named)}


def read_any_predictions(
    path: Path,
    *,
    mapping: LabelMapping | None = None,
    options: ReadOptions | None = None,
    names: Path | None = None,
) -> dict[str, Detections]:
    """Read predictions by the stem of the image's name.

    Parameters
    ----------
    path : Path
        A folder that `detect` wrote, a manifest, a CSV ``image,x,y,score`` or ``x,y,score`` (or of boxes: x1,
        y1, x2, y2 in place of x and y), a COCO list of results, or any format of `registry`.
    mapping : LabelMapping, optional
        What class names stand for; without it, names that are not known stay as they are.
    options : ReadOptions, optional
        What a file does not say itself, e.g. the resolution of formats in millimetres.
    names : Path, optional
        The COCO file with the images and classes that the ids of a COCO list of results mean.

    Raises
    ------
    FormatError, ScaleError
        If it cannot be read.
    UnknownLabelError
        If a mapping is given and does not know a name.
    """
    if is_result(path):
        read = read_results(path, mapping=mapping, with_tissue=False)
        return {name: result.candidates for name, result in read.items()}
    if is_results_list(path):
        return read_results_list(path, names or path, mapping=mapping or LabelMapping())
    return read_detections(path, options=options, mapping=mapping)


def read_detections(
    path: Path,
    format_name: str | None = None,
    options: ReadOptions | None = None,
    *,
    mapping: LabelMapping | None = None,
) -> dict[str, Detections]:
    """Read the detections of all images of a file of any format; see :func:`detections_of`.

    Two detections at one place are two detections.

    Raises
    ------
    FormatError, ScaleError
        If it cannot be read, or holds detections without a place.
    """
    study = read_study(path, format_name, options, mapping=mapping)
    refuse_quarantined(study, path, _TAKEN)
    return detections_of(study, where=path)


_TAKEN = frozenset({NOT_A_CELL, NO_GEOMETRY, DUPLICATE, HALF_SCALE})
"""What findings may hold: outlines, two at one place, and the places of a part of the slide."""


def detections_of(study: Study, *, where: str | Path) -> dict[str, Detections]:
    """Return the live cells with a known outcome of each image as detections; without a score it is 1.

    They carry scale and size of their slide, and what the model searched.

    Raises
    ------
    FormatError
        If two images have one stem.
    """
    labels, scores = stated_classes(study, models=True)
    for row, attributes in study.cells.attributes.items():
        if attributes.get(coco.SCORE) is not None:  # beside an agreement, which is another number
            scores[row] = attributes[coco.SCORE]
    names = np.array([*study.labels.names, ""], dtype=np.str_)
    found = {}
    known = {search.slide: search.searched for search in study.searches}
    stems = match_stems([slide.name for slide in study.slides], where=where)
    live = (labels != UNKNOWN) & ~study.cells.deleted
    for place, slide in enumerate(study.slides):
        rows = live & (study.cells.slide == place)
        points = study.cells.centres_px0[rows]
        score = np.where(np.isnan(scores[rows]), 1.0, scores[rows])
        source = np.full(len(points), Path(where).name)  # with dtype=str_ it would be cut to one letter
        searched = replace(
            known.get(slide.name, NOT_STATED), mpp=slide.mpp, size=slide.size, origin=slide.name
        )
        detections = Detections(points[:, 0], points[:, 1], score, names[labels[rows]], source, searched)
        found[stems[slide.name]] = detections.with_candidates_as_figures()
    return found


def read_findings(
    path: Path, *, mapping: LabelMapping, options: ReadOptions | None = None
) -> list[Result] | None:
    """Read what models found, with scale, size and regions of each slide, from a file of any format.

    Parameters
    ----------
    path : Path
    mapping : LabelMapping
        What class names stand for.
    options : ReadOptions, optional
        What the file does not say, e.g. the resolution of formats in millimetres.

    Returns
    -------
    list of Result or None
        None where anyone but models labelled a cell: the file then states a truth.

    Raises
    ------
    FormatError, ScaleError, UnknownLabelError
        If it cannot be read.
    """
    chosen = replace(options or ReadOptions(), outlines=mapping.outlines)
    return findings_in(read_study(path, options=chosen), mapping=mapping, where=path)


def findings_in(study: Study, *, mapping: LabelMapping, where: Path) -> list[Result] | None:
    """Return what models found on each slide of a study; see `read_findings`."""
    study, label_names = apply_mapping(study, mapping, where)
    models = [place for place, rater in enumerate(study.raters) if rater.kind is RaterKind.MODEL]
    if not len(study.events) or not np.isin(study.events.rater, models).all():
        return None
    refuse_quarantined(study, where, _TAKEN)
    results = []
    found = detections_of(study, where=where).values()
    for place, (slide, detections) in enumerate(zip(study.slides, found, strict=True)):
        drawn = [region for region in study.regions if region.slide == place]
        results.append(
            Result(slide.name, detections, regions=regions_of(drawn, slide), label_names=label_names)
        )
    return results
