"""The mitotic count of every slide that a result, a table, a file of annotations or a study states."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.count.grading import GradingRule
from mitoscope.count.mitotic_count import MitoticCount, mitotic_count, true_figures
from mitoscope.count.window import FIELD_ASPECT, WindowShape
from mitoscope.detections import Detections
from mitoscope.errors import ColourError, ConfigError, FormatError, IncompleteRunError, RegionError
from mitoscope.exchange import (
    BoxLayout,
    ReadOptions,
    Result,
    findings_in,
    is_result,
    is_results_list,
    is_store,
    parse_reference,
    read_any_predictions,
    read_findings,
    read_ground_truth,
    read_results,
    read_study,
    table_columns,
    with_scale,
)
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.image_names import stem
from mitoscope.labels import FIELD_LABELS, IGNORED, LabelMapping, is_candidate
from mitoscope.region import SlideRegions
from mitoscope.store import Shape, Store
from mitoscope.truth import Policy

Refusal = IncompleteRunError | ColourError
"""Why a slide is not counted while others are."""
Windows = Mapping[str, Sequence[BoxPx0]]
_RECTANGLE_MIN = 0.99
"""Share of its bounds that an outline fills, from which on it is a rectangle."""
_LISTED = 5
_BY_MODELS = "Nobody has labelled these cells: what models found is counted."


def count_slides(
    reference: str | Path,
    *,
    area_mm2: float | None = None,
    aspect: Aspect = FIELD_ASPECT,
    shape: WindowShape = WindowShape.RECTANGLE,
    rule: GradingRule | None = None,
    regions: SlideRegions | None = None,
    windows: Windows | None = None,
    threshold: float | None = None,
    policy: Policy | None = None,
    mapping: LabelMapping | None = None,
    boxes: BoxLayout | None = None,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
    force: bool = False,
    on_refusal: Callable[[str, Refusal], None] | None = None,
) -> Iterator[tuple[str, MitoticCount]]:
    """Count the mitotic figures of each slide.

    Parameters
    ----------
    reference : str or Path
        A folder of results, a manifest, a CSV ``x,y`` or ``image,x,y`` with or without score and label, a
        file of any format of annotations, a study (``study.mito``) or a version of it (``study.mito@MEL@2``).
    area_mm2, aspect, shape, rule
        As for `mitotic_count`.
    regions : SlideRegions, optional
        Tumour and exclusions of the one slide that is counted, in place of those that the input states.
    windows : mapping of str to sequence of BoxPx0, optional
        Stem of the slide's name → rectangles to count in, in place of the hot spot; see `read_windows`.
    threshold : float, optional
        By default that which each result states.
    policy : Policy, optional
        How the labels of several raters become one.
    mapping : LabelMapping, optional
        What class names stand for.
    boxes : BoxLayout, optional
        Layout of COCO boxes, where the file gives no evidence of its own.
    mpp : Mpp, optional
        Resolution of slides that state none.
    mpp_override : bool
        Let it replace also what is stated.
    force : bool
        Count also slides whose colours are in doubt.
    on_refusal : callable, optional
        Called with the name of a slide whose hot spot touches a gap, or whose colours are in doubt, and with
        the error, in place of raising it; the other slides are counted.

    Yields
    ------
    tuple of str and MitoticCount
        The slide's name and its count; of a slide with several rectangles one each.

    Raises
    ------
    FormatError, StoreError, TruthError
        If the input cannot be read, has changed, or names no slide.
    UnknownLabelError
        If a class name is not known.
    ConfigError
        If regions are given and there are several slides, an area beside a rule that counts over another, or
        a threshold for labels of a study.
    RegionError
        If an outline is completely outside the slide.
    ScaleError
        If a slide comes without a resolution.
    IncompleteRunError
        If a hot spot touches a gap.
    ColourError
        If the colours of a slide cannot be those of H&E.
    """
    results = read_countable(
        reference,
        policy=policy,
        mapping=mapping or LabelMapping(),
        boxes=boxes,
        mpp=mpp,
        mpp_override=mpp_override,
        by_score=threshold is not None,
    )
    if not results:
        raise FormatError("there is no slide in it", where=reference, mend="give what was found or labelled")
    if regions is not None and len(results) > 1:
        what = f"one outline for {len(results)} slides"
        raise ConfigError(
            what, where="--tumour", mend="count one slide at a time, or a study with its regions"
        )
    rule_of = partial(
        _count,
        regions=regions,
        area_mm2=area_mm2,
        aspect=aspect,
        rule=rule,
        threshold=threshold,
        shape=shape,
        force=force,
    )
    for result, window in _in_windows(results, windows):
        try:
            counted = rule_of(result, window=window)
        except (IncompleteRunError, ColourError) as error:
            if on_refusal is None:
                raise
            on_refusal(result.name, error)
        else:
            yield result.name, counted


def read_windows(path: Path) -> Windows:
    """Read the rectangles of each slide from a file of annotations, by the stem of the slide's name.

    Parameters
    ----------
    path : Path
        Outlines of any class, and cells that are boxes: GeoJSON of QuPath, SlideRunner (`HighMCAreas`) ...

    Raises
    ------
    FormatError
        If it cannot be read.
    RegionError
        If there is none, or an outline is no rectangle along the axes.
    """
    study = read_study(path)
    boxes = [
        (study.slides[region.slide].name, _rectangle(region.vertices_px0, path)) for region in study.regions
    ]
    drawn = ~study.cells.deleted & (study.cells.shape != Shape.SPOT)
    for slide, bounds in zip(study.cells.slide[drawn], study.cells.bounds_px0[drawn], strict=True):
        boxes.append((study.slides[slide].name, _rectangle(bounds.reshape(2, 2), path)))
    if not boxes:
        raise RegionError("no rectangle in it", where=path, mend="draw one on each slide")
    found: dict[str, list[BoxPx0]] = {}
    for name, box in boxes:
        found.setdefault(stem(name), []).append(box)
    return found


def _rectangle(corners: NDArray[np.float64], path: Path) -> BoxPx0:
    """Return the box of an outline, or of two corners."""
    (x, y), (right, bottom) = corners.min(axis=0).tolist(), corners.max(axis=0).tolist()
    box = BoxPx0(x, y, right - x, bottom - y)
    if len(corners) > 2 and shapely.Polygon(corners).area < _RECTANGLE_MIN * box.width * box.height:
        raise RegionError(
            f"an outline at {x:.0f}, {y:.0f} is no rectangle",
            where=path,
            mend="draw rectangles along the axes, or outline a tumour with --tumour",
        )
    return box


def _in_windows(found: Sequence[Result], windows: Windows | None) -> Iterator[tuple[Result, BoxPx0 | None]]:
    """Yield each result with each of its rectangles; without any, once for its hot spot."""
    if windows is None:
        yield from ((result, None) for result in found)
        return
    if len(found) == len(windows) == 1:
        named = {stem(found[0].name): next(iter(windows.values()))}  # a GeoJSON names no slide
    else:
        named = dict(windows)
    lost = [result.name for result in found if stem(result.name) not in named]
    if lost:
        shown = ", ".join(lost[:_LISTED])
        raise RegionError(
            f"no rectangle on {len(lost)} of {len(found)} slides: {shown}",
            where="--within",
            mend="name the slides alike in both, or count only those with rectangles",
        )
    for result in found:
        yield from ((result, box) for box in named[stem(result.name)])


def _count(
    result: Result,
    *,
    window: BoxPx0 | None,
    regions: SlideRegions | None,
    area_mm2: float | None,
    aspect: Aspect,
    rule: GradingRule | None,
    threshold: float | None,
    shape: WindowShape,
    force: bool,
) -> MitoticCount:
    candidates = result.candidates
    if not candidates.searched.origin:
        candidates = candidates.with_searched(replace(candidates.searched, origin=result.name))
    if regions is not None and candidates.searched.size is not None:
        _check_on_slide(regions, candidates.searched.size)
    if window is not None and candidates.searched.mpp is not None and rule is None:
        area_mm2 = window.area_mm2(candidates.searched.mpp)
    counted = mitotic_count(
        candidates,
        slide_size=None if window is None else candidates.searched.size or _reach(candidates, window),
        window=window,
        area_mm2=area_mm2,
        aspect=aspect,
        shape=shape,
        rule=rule,
        threshold=threshold,
        tissue=result.tissue,
        regions=result.regions if regions is None else regions,
        force=force,
    )
    said = [note if note.endswith(".") else f"{note}." for note in result.notes]
    note = " ".join(filter(None, (*said, _mapping_note(result.label_names), counted.note)))
    return replace(counted, note=note, label_names=result.label_names)


def _reach(found: Detections, window: BoxPx0) -> SizePx:
    """Return how far a slide of unknown size reaches at least."""
    far = np.ceil(np.vstack([found.points_px0, [[window.right, window.bottom]]]).max(axis=0)).astype(int)
    return SizePx(*far.tolist())


def _mapping_note(label_names: Mapping[str, str]) -> str:
    """Say which names were not taken as what they mean in the field."""
    told = {
        name: class_name
        for name, class_name in label_names.items()
        if not is_candidate(name) and FIELD_LABELS.canonical(name) != class_name
    }
    said = [f"{name!r} is read as {of}" for name, of in told.items() if of != IGNORED]
    said += [f"{name!r} is left out" for name, of in told.items() if of == IGNORED]
    return f"Class names: {', '.join(said)}." if said else ""


def _check_on_slide(regions: SlideRegions, size: SizePx) -> None:
    """Refuse outlines of which nothing lies on the slide: they are those of another one."""
    drawn = [part.shape for part in (regions.tumour, regions.exclusion, regions.interest) if part is not None]
    slide = shapely.box(0, 0, size.width, size.height)
    # Joined, so that what an exclusion cuts off from the part on the slide is not taken for an outline.
    if any(part.intersection(slide).area == 0 for part in shapely.get_parts(shapely.union_all(drawn))):
        raise RegionError(
            f"an outline is completely outside the slide of {size.width} × {size.height} px",
            where="--tumour",
            mend="give the outlines of this slide, in level-0 pixels",
        )


def read_countable(
    reference: str | Path,
    *,
    policy: Policy | None = None,
    mapping: LabelMapping,
    boxes: BoxLayout | None = None,
    mpp: Mpp | None = None,
    mpp_override: bool = False,
    by_score: bool = False,
) -> list[Result]:
    """Return what is to be counted on each slide: findings, or the true figures.

    With a threshold (``by_score``) a file is read as findings, as the evaluation of detections reads it.

    Raises
    ------
    FormatError, StoreError, TruthError, UnknownLabelError
        As for `count_slides`.
    """
    path, version = parse_reference(reference)
    if is_results_list(path):
        raise FormatError(
            "a list of COCO results does not state what its ids mean",
            where=path,
            mend="write it as a CSV: image,x,y,score",
        )
    results, options = None, ReadOptions(mpp=mpp, boxes=boxes)
    if version is None and policy is None:
        results = _findings(path, mapping, options)
    if results is None and by_score:
        if policy is not None or version is not None or is_store(path):
            raise ConfigError("labels have no scores", where="--threshold", mend="leave it out")
        scored = read_any_predictions(path, mapping=mapping, options=options)
        results = [Result(name, detections) for name, detections in scored.items()]
    if results is not None:
        return results if mpp is None else [with_scale(each, mpp, override=mpp_override) for each in results]
    truth = read_ground_truth(
        reference,
        policy=policy,
        mapping=mapping,
        options=options,
        mpp=mpp,
        mpp_override=mpp_override,
    )
    if version is not None or is_store(path):
        truth.need_cells()
    return [
        Result(
            slide.name,
            true_figures(slide),
            regions=slide.regions,
            notes=truth.notes,
            label_names=truth.label_names,
        )
        for slide in truth
    ]


def _findings(path: Path, mapping: LabelMapping, options: ReadOptions) -> list[Result] | None:
    """Return what detectors found; None where anybody else states who is right."""
    if is_store(path):
        with Store.open(path, write=False) as store:
            study = store.export_study()
        known = LabelMapping(study.labels, mapping.stated).with_classes(mapping.classes)
        found = findings_in(study, mapping=known, where=path)
        return None if found is None else [replace(each, notes=(*each.notes, _BY_MODELS)) for each in found]
    if not is_result(path) or _names_raters(path):
        return read_findings(path, mapping=mapping, options=options)
    if _states_truth(path):
        return None
    return list(read_results(path, mapping=mapping, needed=("x", "y")).values())


def _names_raters(path: Path) -> bool:
    """Return whether a table holds labels of raters: a study as CSV, also where a model's have scores."""
    return "rater" in table_columns(path)


def _states_truth(path: Path) -> bool:
    """Return whether a table holds labelled cells of images, without scores."""
    columns = table_columns(path)
    return {"image", "label"} <= columns and "score" not in columns
