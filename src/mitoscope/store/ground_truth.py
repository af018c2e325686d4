"""A study as ground truth: its labels under a policy, with regions, cases, scale and examined areas."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import NoAgreedClassError, RegionError, TruthError
from mitoscope.labels import FIELD_LABELS, IGNORED, LabelMapping
from mitoscope.region import Region as Drawn
from mitoscope.region import RegionKind, SlideRegions, join_fields, join_outlines, outline
from mitoscope.store.columns import Shape
from mitoscope.store.encoding import vertices_from
from mitoscope.store.examined import examined_areas, read_outlines
from mitoscope.store.quarantine import outline_notes
from mitoscope.store.records import Region, SlideRecord, Study
from mitoscope.truth import (
    CROWD_THRESHOLD,
    NO_CLASS,
    AgreedClasses,
    ExaminedArea,
    GroundTruth,
    Policy,
    RaterKind,
    SlideTruth,
    TrueCells,
    agreed_classes,
    last_opinions,
)
from mitoscope.wording import say_number


def agreed_of(
    study: Study, policy: Policy = Policy.SETTLED, *, threshold: float = CROWD_THRESHOLD
) -> AgreedClasses:
    """Return the agreed class of each cell, as an index into the study's labels, and the agreement on it."""
    events = study.events
    opinions = last_opinions(
        events.cell,
        events.rater,
        events.label,
        events.score,
        kind_of_rater=[rater.kind for rater in study.raters],
        part=study.parts,
    )
    return agreed_classes(opinions, len(study.cells), policy, threshold=threshold)


def ground_truth_of(
    study: Study,
    *,
    policy: Policy = Policy.SETTLED,
    threshold: float = CROWD_THRESHOLD,
    source: str = "",
    mapping: LabelMapping | None = None,
    cell_id: NDArray[np.int64] | None = None,
) -> GroundTruth:
    """Return what is true in a study.

    Parameters
    ----------
    study : Study
        Of a store or a file.
    policy : Policy
        How the labels of a cell become one; cells without an agreed class are left out.
    threshold : float
        Smallest score of the crowd.
    source : str
        What it is, for results.
    mapping : LabelMapping, optional
        What class names stand for; by default the field's names and the study's own.
    cell_id : ndarray of int64, shape (n,), optional
        Ids of the cells in the store.

    Raises
    ------
    UnknownLabelError
        If an agreed class has a name that is not known.
    NoAgreedClassError
        If cells are labelled, and none has a class under the policy.
    TruthError
        If a cell or a region cannot be used, naming the slide.
    """
    agreed = agreed_of(study, policy, threshold=threshold)
    names = np.array([*study.labels.names, ""], dtype=np.str_)
    live = (agreed.label != NO_CLASS) & ~study.cells.deleted
    labelled = np.zeros(len(study.cells), np.bool_)
    labelled[study.events.cell[study.events.label >= 0]] = True
    if (labelled & ~study.cells.deleted).any() and not live.any():
        mend = f"choose another --policy: {', '.join(rule for rule in Policy if rule is not policy)}"
        raise NoAgreedClassError(
            f"no cell has an agreed class under {str(policy)!r}", where=source or None, mend=mend
        )
    counts = np.bincount(agreed.label[live], minlength=len(study.labels.names)).tolist()
    used = {name: count for name, count in zip(study.labels.names, counts, strict=True) if count}
    # What the field calls a class goes before a study's own: older studies have classes such as "Mitose".
    known = mapping or LabelMapping(study.labels).with_classes(FIELD_LABELS)
    class_of = known.map_names(used, where=source or "study")
    canonical = np.array([class_of.get(name, "") for name in names.tolist()], dtype=object)
    kept = live & (canonical[agreed.label] != IGNORED)
    sizes = study.cells.bounds_px0[:, 2:] - study.cells.bounds_px0[:, :2]
    sizes[(study.cells.shape == Shape.SPOT) | (sizes <= 0).any(axis=1)] = np.nan
    ids = np.full(len(study.cells), -1, np.int64) if cell_id is None else cell_id
    slides = []
    for place, slide in enumerate(study.slides):
        rows = np.flatnonzero(kept & (study.cells.slide == place))
        cells = TrueCells.of(
            study.cells.centres_px0[rows],
            canonical[agreed.label[rows]].astype(np.str_),
            size_px0=sizes[rows],
            agreement=agreed.agreement[rows],
            cell_id=ids[rows],
        )
        drawn = [region for region in study.regions if region.slide == place]
        slides.append(slide_truth(slide, cells, regions_of(drawn, slide)))
    left_out = int((live & ~kept).sum())
    notes = [f"{say_number(left_out, 'cell')} of ignored classes left out"] if left_out else []
    notes += outline_notes(study.quarantine)
    models = [place for place, rater in enumerate(study.raters) if rater.kind is RaterKind.MODEL]
    by_people = np.zeros(len(study.cells), np.bool_)
    by_people[study.events.cell[(study.events.label >= 0) & ~np.isin(study.events.rater, models)]] = True
    by_models_alone = int((labelled & ~study.cells.deleted & ~by_people).sum())
    if by_models_alone:
        notes.append(f"without {say_number(by_models_alone, 'cell')} that only models have labelled")
    classes = known.classes if mapping is not None else study.labels
    return GroundTruth(tuple(slides), source, classes, policy, class_of, tuple(notes))


def read_truth(
    connection: sqlite3.Connection,
    *,
    policy: Policy = Policy.SETTLED,
    threshold: float = CROWD_THRESHOLD,
    source: str = "",
    mapping: LabelMapping | None = None,
) -> GroundTruth:
    """Return what is true in a store now, with what its raters have looked at; see `ground_truth_of`."""
    from mitoscope.store.dump import dump  # whose imports a result that is written would wait for

    study = dump(connection, with_versions=False)
    slide_ids = [id_ for (id_,) in connection.execute("SELECT id FROM slide ORDER BY id")]
    place = {id_: row for row, id_ in enumerate(slide_ids)}
    regions = tuple(
        Region(place[slide], vertices_from(blob), RegionKind(kind), name)
        for slide, kind, name, blob in read_outlines(connection)
    )
    ids = np.array([id_ for (id_,) in connection.execute("SELECT id FROM cell ORDER BY id")], dtype=np.int64)
    truth = ground_truth_of(
        replace(study, regions=regions),
        policy=policy,
        threshold=threshold,
        source=source,
        mapping=mapping,
        cell_id=ids,
    )
    examined = examined_areas(connection)
    return truth.with_slides(
        replace(slide, stated_examined=examined.get(id_))
        for id_, slide in zip(slide_ids, truth.slides, strict=True)
    )


def regions_of(regions: list[Region], slide: SlideRecord) -> SlideRegions:
    """Return what the regions of one slide say together, cut off at the slide.

    Raises
    ------
    TruthError
        If an outline cannot be used, naming it and the slide.
    """
    shapes, named = [], []
    for region in regions:
        try:
            shapes.append((region.kind, outline(region.vertices_px0)))
            if region.kind is RegionKind.INTEREST:
                named.append((region.name, shapes[-1][1]))
        except RegionError as error:
            what = f"region {region.name or str(region.kind)!r}: {error.what}"
            raise TruthError(what, where=slide.name, mend=error.mend) from None
    found = replace(join_outlines(shapes), fields=join_fields(named))
    if slide.size is None:
        return found
    size = slide.size

    def cut(part: Drawn | None) -> Drawn | None:
        return None if part is None else part.within(size)

    fields = {kind: part.within(size) for kind, part in found.fields.items()}
    return SlideRegions(cut(found.tumour), cut(found.exclusion), cut(found.interest), fields)


def slide_truth(slide: SlideRecord, cells: TrueCells, regions: SlideRegions) -> SlideTruth:
    """Return what is true on a slide; regions of interest are what was examined."""
    interest = regions.interest
    return SlideTruth(
        name=slide.name,
        cells=cells,
        case=slide.case or slide.name,
        mpp=slide.mpp,
        size=slide.size,
        sha256=slide.sha256,
        domain=slide.domain,
        regions=regions,
        stated_examined=None if interest is None else ExaminedArea(interest, "regions of interest"),
    )


def with_examined(truth: GroundTruth, statement: str | None) -> GroundTruth:
    """Return the truth with what the user states of the examined area of all slides.

    Parameters
    ----------
    truth : GroundTruth
    statement : str or None
        ``whole``: all of each slide; ``tumour``: inside of the tumour outlines, no exclusions; ``regions``:
        the regions of interest; None leaves each slide as it is.

    Raises
    ------
    TruthError
        If a slide has no such outline.
    """
    if statement is None:
        return truth
    slides = []
    for slide in truth.slides:
        area = ExaminedArea.whole("stated by the user")
        if statement in ("tumour", "regions"):
            region = slide.regions.tumour if statement == "tumour" else slide.regions.interest
            if region is None:
                what = "no tumour is outlined" if statement == "tumour" else "no region of interest is drawn"
                raise TruthError(what, where=slide.name, mend="state --examined whole, or draw it")
            area = ExaminedArea(region, "stated by the user")
        elif statement != "whole":
            mend = "whole, tumour or regions"
            raise TruthError(f"no examined area {statement!r}", where="--examined", mend=mend)
        slides.append(replace(slide, stated_examined=area))
    return truth.with_slides(slides)
