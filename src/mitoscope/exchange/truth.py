"""The one door to ground truth: a file of any format, a study under a policy, or a frozen version of it."""

from __future__ import annotations

import math
import re
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np

from mitoscope.errors import FormatError
from mitoscope.exchange import coco, frozen_file
from mitoscope.exchange.annotations_csv import place_of, refuse_contradictions
from mitoscope.exchange.classes import apply_mapping
from mitoscope.exchange.detections_csv import IMAGE_COLUMN, group_by_image
from mitoscope.exchange.domains import complete
from mitoscope.exchange.format import Content, ReadOptions
from mitoscope.exchange.geojson import NO_GEOMETRY, NOT_A_CELL
from mitoscope.exchange.predictions import is_table
from mitoscope.exchange.registry import read_study, refuse_quarantined
from mitoscope.exchange.table import Row, read_points, side_of, slide_of
from mitoscope.fsio import open_regular
from mitoscope.geometry import Mpp
from mitoscope.image_names import stem
from mitoscope.labels import IGNORED, LabelMapping
from mitoscope.store import (
    DUPLICATE,
    Policy,
    RaterKind,
    SlideRecord,
    Store,
    Study,
    ground_truth_of,
    with_examined,
)
from mitoscope.truth import CROWD_THRESHOLD, GroundTruth, SlideTruth, TrueCells
from mitoscope.wording import say_number

STORE_MAGIC: Final = b"SQLite format 3\x00"
_VERSION = re.compile(r"(?P<path>.+?)@(?P<variant>[^@/\\]+?)(?:@(?P<number>\d+))?")
_TAKEN = frozenset({NOT_A_CELL, NO_GEOMETRY, DUPLICATE})
"""What a truth may hold beside its cells: outlines, and rows that stand twice, which are taken once."""


def parse_reference(reference: str | Path) -> tuple[Path, str | None]:
    """Return the file and the version that a reference names.

    Parameters
    ----------
    reference : str or Path
        ``labels.json``, ``study.mito``, ``study.mito@MEL`` (the newest) or ``study.mito@MEL@2``.

    Returns
    -------
    tuple of Path and str or None
        The version as ``MEL`` or ``MEL@2``.
    """
    path = Path(reference)
    match = None if path.exists() else _VERSION.fullmatch(str(reference))
    if match is None:
        return path, None
    number = "" if match["number"] is None else f"@{match['number']}"
    return Path(match["path"]), f"{match['variant']}{number}"


def is_store(path: Path) -> bool:
    """Return whether a file is an annotation store of mitoscope, by its header."""
    try:
        with open_regular(path) as stream:
            head = stream.read(72)
    except OSError:
        return False
    return head.startswith(STORE_MAGIC) and head[68:72] == b"mito"


def states_one_truth(path: Path) -> bool:
    """Return whether a file is a table of true cells: a CSV with named columns, none of them of raters."""
    return is_table(path) and (not path.is_file() or not {"rater", "cell"} & Content(path).header)


def read_ground_truth(
    reference: str | Path,
    *,
    format_name: str | None = None,
    policy: Policy | None = None,
    least_agreement: float = CROWD_THRESHOLD,
    mapping: LabelMapping | None = None,
    options: ReadOptions | None = None,
    domains: str | Path | None = None,
    examined: str | None = None,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
) -> GroundTruth:
    """Read ground truth from whatever states it.

    Parameters
    ----------
    reference : str or Path
        See `parse_reference`.
    format_name : str, optional
        Of a file whose content does not say it.
    policy : Policy, optional
        Of labels of several raters, by default `Policy.SETTLED`; a version has its own.
    least_agreement : float
        Of a crowd in a study, for its label to count.
    mapping : LabelMapping, optional
        What class names stand for.
    options : ReadOptions, optional
        What a file does not say itself.
    domains : str or Path, optional
        Table of domains (``datasets_xvalidation.csv``), which completes what the file states of its images.
    examined : str, optional
        What was looked at on every slide: ``whole``, ``tumour`` or ``regions``.
    mpp : Mpp, optional
        Resolution of slides that state none.
    mpp_override : bool
        Let it replace also what slides state.

    Raises
    ------
    FormatError, StoreError, TruthError, ScaleError
        If it cannot be read, or contradicts itself.
    """
    path, version = parse_reference(reference)
    domains = None if domains is None else Path(domains)
    if version is not None or is_store(path):
        truth = _of_store(path, version, policy, mapping, least_agreement)
    elif format_name is None and frozen_file.is_frozen_file(path):
        truth = frozen_file.read(path)
    elif format_name is None and states_one_truth(path):
        truth = _of_table(path, mapping or LabelMapping())
    else:
        given = options or ReadOptions()
        chosen = replace(given, domains=domains or given.domains, mpp=mpp or given.mpp)
        truth = _of_file(path, format_name, chosen, policy or Policy.SETTLED, mapping or LabelMapping())
    if domains is not None:
        truth = _with_domains(truth, domains)
    return with_examined(with_scale(truth, mpp, override=mpp_override), examined).without_duplicates()


def _of_store(
    path: Path,
    version: str | None,
    policy: Policy | None,
    mapping: LabelMapping | None,
    least_agreement: float,
) -> GroundTruth:
    if version is not None and policy is not None:
        raise FormatError(
            "a version has its own policy", where=f"{path}@{version}", mend="leave --policy out"
        )
    with Store.open(path, write=False) as store:
        chosen = policy or Policy.SETTLED
        return store.ground_truth(version, policy=chosen, threshold=least_agreement, mapping=mapping)


def _of_file(
    path: Path, format_name: str | None, options: ReadOptions, policy: Policy, mapping: LabelMapping
) -> GroundTruth:
    read = read_study(path, format_name, replace(options, outlines=mapping.outlines))
    sifted = refuse_quarantined(read, path, _TAKEN)
    study, label_names = apply_mapping(_as_truth(sifted), mapping, path)
    truth = ground_truth_of(study, policy=policy, source=path.name)
    left_out = len(sifted.cells) - len(study.cells)
    notes = [*study.notes, *truth.notes, *_of_scores(_scored(sifted))]
    twice = len(read.cells) - len(sifted.cells)
    notes += [f"{say_number(left_out, 'cell')} of ignored classes left out"] if left_out else []
    notes += [f"{say_number(twice, 'repeated cell')} of the file counted once"] if twice else []
    earlier = sum(entry.is_earlier for entry in sifted.quarantine)
    notes += (
        [f"{earlier} annotations that were in quarantine when the file was written are not in it"]
        if earlier
        else []
    )
    return replace(
        truth, classes=mapping.with_classes(study.labels).classes, label_names=label_names, notes=tuple(notes)
    )


def _as_truth(study: Study) -> Study:
    """Return the study of a file that is given as the truth: where only a model speaks, its word is that."""
    if not study.raters or any(rater.kind is not RaterKind.MODEL for rater in study.raters):
        return study
    raters = tuple(replace(rater, kind=RaterKind.CONSENSUS) for rater in study.raters)
    return replace(study, raters=raters)


def _scored(study: Study) -> int:
    """Return of how many cells a score stands for the share of the raters who gave the label."""
    is_model = np.array([rater.kind is RaterKind.MODEL for rater in study.raters], dtype=bool)
    events = study.events
    stated = dict(zip(events.cell.tolist(), events.score.tolist(), strict=True))
    if len(is_model) and is_model.all():
        return sum(not math.isnan(score) for score in stated.values())
    attributes = study.cells.attributes
    return sum(attributes[row].get(coco.SCORE) == stated.get(row, math.nan) for row in attributes)


def _of_scores(cells: int) -> tuple[str, ...]:
    """Note of how many cells the score is taken as agreement, which a detector's is not."""
    return (f"the score of {say_number(cells, 'cell')} is taken as agreement",) if cells else ()


def with_scale(truth: GroundTruth, mpp: Mpp | None, *, override: bool) -> GroundTruth:
    """Return the truth with a resolution for slides that state none; a note says how many keep another."""
    if mpp is None:
        return truth
    kept = [slide.mpp for slide in truth.slides if slide.mpp is not None and not override]
    other = sum(stated.differs_from(mpp) for stated in kept)
    slides = [replace(slide, mpp=mpp if override else slide.mpp or mpp) for slide in truth.slides]
    note = f"{other} of {len(slides)} slides keep the resolution that they state, --mpp-override replaces it"
    return replace(truth.with_slides(slides), notes=(*truth.notes, note) if other else truth.notes)


def _with_domains(truth: GroundTruth, domains: Path) -> GroundTruth:
    known = {stem(slide.name): slide for slide in read_study(domains).slides}
    slides = []
    for slide in truth.slides:
        more = known.get(stem(slide.name), SlideRecord(slide.name))
        domain = complete(slide.domain, more.domain)
        slides.append(replace(slide, domain=domain, mpp=slide.mpp or more.mpp))
    return truth.with_slides(slides)


_PLACE = ("x", "y", "label")


def _of_table(path: Path, mapping: LabelMapping) -> GroundTruth:
    """Read the true cells of many images: ``image,x,y,label[,w,h]``, centres in level-0 pixels.

    Boxes may stand as x1, y1, x2, y2. A row of `image` alone states that the image holds no cell. Further
    columns that are understood: ``agreement`` (share of the raters, in [0, 1]) and what `slide_of` and
    `side_of` read of an image.
    """
    table = read_points(path, needed=(IMAGE_COLUMN, *_PLACE))
    rows_of = {
        image: [row for row in rows if not row.is_blank(_PLACE)]
        for image, rows in group_by_image(table, path).items()
    }
    counts: dict[str, int] = {}
    for row in (row for rows in rows_of.values() for row in rows):
        if not row.text("label"):
            raise row.missing("label")
        counts[row.text("label")] = counts.get(row.text("label"), 0) + 1
    class_of = mapping.map_names(counts, where=path)
    refuse_contradictions(
        (row.where, (image, *place_of(row.cells)), class_of[row.text("label")])
        for image, rows in rows_of.items()
        for row in rows
    )
    all_rows = group_by_image(table, path)
    slides = tuple(
        _slide_truth(image, _cells(rows, class_of), all_rows[image]) for image, rows in rows_of.items()
    )
    ignored = sum(count for name, count in counts.items() if class_of[name] == IGNORED)
    notes = [f"{say_number(ignored, 'cell')} of ignored classes left out"] if ignored else []
    cells = [row for rows in rows_of.values() for row in rows]
    scored = sum(_share_column(row) == "score" for row in cells)
    notes += _of_scores(scored)
    return GroundTruth(slides, path.name, mapping.classes, None, class_of, tuple(notes))


def _cells(rows: list[Row], class_of: dict[str, str]) -> TrueCells:
    kept = [row for row in rows if class_of[row.text("label")] != IGNORED]
    return TrueCells.of(
        [(row.coordinate("x"), row.coordinate("y")) for row in kept],
        [class_of[row.text("label")] for row in kept],
        size_px0=[(_extent(row, "w"), _extent(row, "h")) for row in kept],
        agreement=[1.0 if (name := _share_column(row)) is None else row.score(name) for row in kept],
    )


def _share_column(row: Row) -> str | None:
    """Return which column states the share of the raters: a score stands for it where there is none."""
    return next((name for name in ("agreement", "score") if not row.is_blank((name,))), None)


def _slide_truth(image: str, cells: TrueCells, rows: list[Row]) -> SlideTruth:
    placed = [(row.where, row.cells) for row in rows]
    slide = slide_of(image, placed)
    return SlideTruth(
        name=image,
        cells=cells,
        case=slide.case or "",
        mpp=slide.mpp,
        domain=slide.domain,
        side=side_of(image, placed),
    )


def _extent(row: Row, column: str) -> float:
    if row.is_blank((column,)):
        return math.nan
    extent = row.coordinate(column)
    if extent <= 0:
        what = f"a box of {extent:g} px has no extent"
        raise FormatError(what, where=f"{row.where}, column {column}", mend="correct it or leave it empty")
    return extent
