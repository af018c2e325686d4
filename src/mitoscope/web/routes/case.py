"""The case view: candidates above a threshold, the hot spot, and the signed mitotic count."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from mitoscope import store
from mitoscope.count import AID, schemes, window_size
from mitoscope.errors import IncompleteRunError
from mitoscope.geometry import Aspect
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.web.case_answers import (
    CaseSearch,
    ChosenScheme,
    Counted,
    CountedOver,
    CountWindow,
    KeptWindow,
    MyWork,
    SeenSquares,
    ThresholdOf,
    describe_certainty,
    describe_count,
    describe_fields,
    describe_looked,
    describe_scheme,
    describe_search,
    describe_squares,
    describe_window,
    describe_work,
)
from mitoscope.web.case_count import CaseOnSlide, CaseRule, atypical_label, case_cells, figure_labels
from mitoscope.web.forms import (
    Action,
    Answer,
    Cell,
    Coordinate,
    Id,
    Name,
    RoundId,
    SlideId,
    Text,
    described,
)
from mitoscope.web.refusal import Refusal, invalid
from mitoscope.web.routes.results import RESULT_ID, outside, shown
from mitoscope.web.signed_answers import (
    Result,
    Signed,
    SignedBase,
    SignedContent,
    SignedRegion,
    describe_signed,
    signed_cells,
)
from mitoscope.web.state import (
    AppState,
    StateHere,
    VisitorHere,
    assignment,
    done_once,
    work_in,
)

router = APIRouter()
_PATH = "/api/rounds/{round_id}/slides/{slide_id}/case"
KEPT_MAX = 100_000
"""Candidates, or squares of tissue, of which it is kept that they were looked at."""
UNSTATED = "unstated"
"""By this word the page knows that a signature needs a statement that it does not hold."""


class Case(Answer):
    """A case: its hot spot, the mm² of tissue, what I have done on it, and the results so far.

    The threshold is the round's, else that of the search that the candidates came with; null where neither
    states one. A slide that nobody has searched has no candidates: a count of it holds only what was marked
    by hand. Where no count can be given, it is null and the problem says why. The floor is the lowest score
    of a candidate, null where there is none. Labels: of a mitotic figure, of an atypical one (null where the
    study has no such class), and all that are figures.
    """

    threshold: float | None
    threshold_of: ThresholdOf | None
    is_searched: bool
    search: CaseSearch | None
    window: CountWindow
    scheme: ChosenScheme | None
    hot_spot: Counted | None
    problem: str | None
    tissue_mm2: float
    floor: float | None
    mitotic_label: int
    atypical_label: int | None
    figure_labels: list[int]
    squares: SeenSquares
    work: MyWork
    results: list[Result]


def figure_label(study: store.Store) -> int:
    """Return the id of the label mitotic figure in a study."""
    with study.reading() as connection:
        known = store.find_label(connection, MITOTIC_FIGURE.name)
    if known is not None:
        return known
    with study.writing() as connection:
        return int(store.intern_labels(connection, LabelSet((MITOTIC_FIGURE,)))[0])


def _read(
    connection: Any, state: AppState, mine: store.Assignment, slide_id: int, *, by_all: bool = False
) -> CaseOnSlide:
    """Read a case; `by_all`: every label that is shown counts, not only one's own."""
    info = state.slides.info(slide_id)
    cells = store.cells_seen(connection, mine.sight, slide_id)
    labels = store.read_labels(connection)
    searched = store.read_search(connection, slide_id)
    searches = store.read_searches(connection, [store.read_slides(connection)[slide_id].name])
    case = case_cells(cells, labels, searched, is_verdict=cells.label_id > 0 if by_all else None)
    rule = CaseRule.of(mine.row.terms)
    if rule.threshold is None:
        rule = replace(rule, threshold=searched.threshold)
    return CaseOnSlide(
        info,
        cells,
        case,
        rule,
        store.read_regions(connection, slide_id),
        store.slide_regions(connection, slide_id, info.size),
        figure_labels(labels),
        searches[-1] if searches else None,
        store.read_case_work(connection, **_whose(mine, slide_id)),
    )


def _whose(mine: store.Assignment, slide_id: int) -> dict[str, int]:
    return {"round_id": mine.row.id, "rater_id": mine.sight.rater_id, "slide_id": slide_id}


def _threshold_of(mine: store.Assignment, found: CaseOnSlide) -> ThresholdOf | None:
    if CaseRule.of(mine.row.terms).threshold is not None:
        return "round"
    return None if found.rule.threshold is None else "search"


@router.get(_PATH)
def case(round_id: RoundId, slide_id: SlideId, state: StateHere, visitor: VisitorHere) -> Case:
    """Return what is counted over, the hot spot at the round's threshold, and the results so far."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    tissue = state.tissue(slide_id)
    label = figure_label(state.store)
    with state.store.reading() as connection:
        found = _read(connection, state, mine, slide_id)
        signed = shown(connection, state, visitor, store.read_all_signed(connection, slide_id))
        labels = store.read_labels(connection)
    hot_spot, problem = None, None
    try:
        hot_spot = describe_count(found, found.rule, found.count(found.rule, tissue))
    except IncompleteRunError as error:
        problem = str(error)
    return {
        "threshold": found.rule.threshold,
        "threshold_of": _threshold_of(mine, found),
        "is_searched": found.is_searched,
        "search": describe_search(found.search),
        "window": describe_window(found, found.rule),
        "scheme": describe_scheme(mine.row.terms),
        "hot_spot": hot_spot,
        "problem": problem,
        "tissue_mm2": tissue.area_mm2,
        "floor": found.case.floor,
        "mitotic_label": label,
        "atypical_label": atypical_label(labels),
        "figure_labels": found.labels,
        "squares": describe_squares(found),
        "work": describe_work(found.work, found.rule, found.info),
        "results": [describe_signed(result) for result in signed],
    }


class Placed(CountedOver):
    """What is counted over, and the window's upper left corner where it is not that of the hot spot."""

    corner: tuple[Coordinate, Coordinate] | None = None


@router.post(f"{_PATH}/count")
def count(
    round_id: RoundId, slide_id: SlideId, body: Placed, state: StateHere, visitor: VisitorHere
) -> Counted:
    """Count at a threshold, in the hot spot or in a window; this changes nothing."""
    mine = assignment(state, visitor, round_id, slide_id=slide_id)
    tissue = state.tissue(slide_id)
    with state.store.reading() as connection:
        found = _read(connection, state, mine, slide_id)
    rule = body.rule(found.rule)
    return describe_count(found, rule, found.count(rule, tissue, corner=body.corner))


Square = Annotated[int, Field(ge=0, le=1 << 40)]


class Looks(Action):
    """What I have looked at since the last time: candidates and squares are added to those before.

    Unsure are candidates that I leave undecided, sure ones that I no longer do; windows replace those kept.
    """

    looked: Annotated[tuple[Cell, ...], Field(max_length=KEPT_MAX)] = ()
    unsure: Annotated[tuple[Cell, ...], Field(max_length=KEPT_MAX)] = ()
    sure: Annotated[tuple[Cell, ...], Field(max_length=KEPT_MAX)] = ()
    seen: Annotated[tuple[Square, ...], Field(max_length=KEPT_MAX)] = ()
    windows: Annotated[list[KeptWindow], Field(max_length=50)] | None = None

    def added_to(self, work: store.CaseWork) -> store.CaseWork:
        """Return the work with this."""
        kept = (
            None if self.windows is None else tuple(window.model_dump(mode="json") for window in self.windows)
        )
        added = store.CaseWork(
            work.looked | set(self.looked) | set(self.unsure),
            (work.unsure | set(self.unsure)) - set(self.sure),
            work.seen | set(self.seen),
            work.windows if kept is None else kept,
        )
        if max(len(added.looked), len(added.seen)) > KEPT_MAX:
            raise invalid(f"more than {KEPT_MAX} were looked at", field="looked")
        return added


class WorkKept(MyWork):
    """What I have done on a case, as it is on disk."""

    is_repeated: bool


@router.post(f"{_PATH}/work")
def keep_work(
    round_id: RoundId, slide_id: SlideId, body: Looks, state: StateHere, visitor: VisitorHere
) -> WorkKept:
    """Keep what I have looked at on a case; a signature states it."""
    mine = work_in(state, visitor, round_id, slide_id=slide_id)
    whose, info = _whose(mine, slide_id), state.slides.info(slide_id)

    def act(connection: Any) -> WorkKept:
        work = body.added_to(store.read_case_work(connection, **whose))
        store.write_case_work(connection, work, **whose)
        rule = CaseRule.of(mine.row.terms)
        return {**describe_work(work, rule, info), "is_repeated": False}

    return done_once(state, visitor, body.key, f"work on case {round_id}/{slide_id}", act)


class Signature(CountedOver, Action):
    """A mitotic count, as the pathologist saw it, with what has to be stated beside it.

    How many candidates in the window were not looked at; whether the slide was not searched; and the number
    of my own result that this one corrects.
    """

    x: Coordinate
    y: Coordinate
    count: Annotated[int, Field(ge=0, le=10_000_000)]
    comment: Text = ""
    window_name: Name | None = None
    not_looked_at: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    is_not_searched: bool = False
    replaces: Id | None = None


@router.post(f"{_PATH}/sign")
def sign_case(
    round_id: RoundId, slide_id: SlideId, body: Signature, state: StateHere, visitor: VisitorHere
) -> Signed:
    """Sign the mitotic count of a window; it is counted again here, from the labels that are on disk."""
    mine = work_in(state, visitor, round_id, slide_id=slide_id)
    tissue = state.tissue(slide_id)
    replaces = None if body.replaces is None else state.veil.find(RESULT_ID, body.replaces)

    def act(connection: Any) -> Signed:
        found = _read(connection, state, mine, slide_id)
        rule = body.rule(found.rule)
        counted = found.count(rule, tissue, corner=(body.x, body.y))
        if counted.count != body.count:
            what = f"{counted.count} mitotic figures lie in this window, not {body.count}"
            mend = "look at the window again and sign"
            raise Refusal(409, "conflict", what, mend=mend, count=counted.count)
        _check_stated(found, counted, body)
        seen = store.comments_seen(connection, mine.sight, slide_id)
        own = {comment.cell_id: comment.text for comment in seen if comment.rater_id == visitor.rater_id}
        content: SignedContent = {
            **_signed_base(found, counted, body),
            "requested_mm2": rule.area_mm2,
            "aspect": rule.aspect_text,
            "covered_mm2": counted.covered_mm2,
            "figures": counted.figures,
            "slide": found.info.name,
            "fingerprint": found.info.fingerprint,
            "version": store.last_event(connection),
            "cells": signed_cells(found, counted, own),
            "regions": [
                described(SignedRegion, region, vertices=region.vertices_px0.tolist())
                for region in found.drawn
            ],
            "gaps": [[gap.x, gap.y, gap.width, gap.height] for gap in found.case.found.searched.gaps],
            "certainty": describe_certainty(counted),
            "atypical": found.atypical(counted),
            "left_out": counted.left_out,
            "fields": describe_fields(rule),
            "search": describe_search(found.search),
            "threshold_of": _threshold_of(mine, found) if rule.threshold == found.rule.threshold else None,
            "replaces": replaces,
        }
        done = store.sign(
            connection,
            dict(content),
            slide_id=slide_id,
            round_id=round_id,
            rater_id=visitor.rater_id,
            replaces=replaces,
        )
        return {"result": describe_signed(outside(state, done)), "is_repeated": False}

    return done_once(state, visitor, body.key, f"signature {round_id}/{slide_id}", act)


def _check_stated(found: CaseOnSlide, counted: Any, body: Signature) -> None:
    """Refuse a signature that does not state what was not done.

    Raises
    ------
    Refusal
        If candidates in the window were not looked at, or the slide was not searched, and it does not say so.
    """
    looked = found.looked(counted)
    unseen = looked.candidates - looked.looked
    if unseen != body.not_looked_at:
        what = f"{unseen} of {looked.candidates} candidates in the window were not looked at"
        mend = "look at them, or state in the signature that they were not"
        raise Refusal(409, UNSTATED, what, mend=mend, not_looked_at=unseen)
    if found.is_searched == body.is_not_searched:
        what = "this slide was searched" if found.is_searched else "this slide was not searched"
        mend = "read the case again" if found.is_searched else "search it, or state that it was not"
        raise Refusal(409, UNSTATED, what, mend=mend, is_not_searched=not found.is_searched)


def _signed_base(found: CaseOnSlide, counted: Any, body: Signature) -> SignedBase:
    case = found.case
    return described(
        SignedBase,
        counted,
        window=asdict(counted.box_px0),
        candidates=int(case.has_score.sum()),
        accepted=int((case.verdict == 1).sum()),
        rejected=int((case.verdict == -1).sum()),
        comment=body.comment,
        window_name=body.window_name or "",
        is_searched=found.is_searched,
        looked_at=describe_looked(found.looked(counted)),
    )


class SchemeOver(Answer):
    """What a grading scheme counts over: in words, the diameter of its fields in mm, and its bands there.

    The diameter is null where it goes by an area, or its source states none.
    """

    text: str
    diameter_mm: float | None
    needs_diameter: bool
    bands: dict[str, str]


class SchemeSaid(Answer):
    """A grading scheme as its source states it."""

    name: str
    title: str
    note: str
    source: str
    over: list[SchemeOver]


class Schemes(Answer):
    """The grading schemes that a study can choose from; an aid, not a grade."""

    schemes: list[SchemeSaid]
    aid: str


@router.get("/api/schemes")
def grading_schemes(visitor: VisitorHere) -> Schemes:  # noqa: ARG001 who has signed in may ask
    """Return the grading schemes that a round can choose."""
    found: list[SchemeSaid] = [
        described(
            SchemeSaid,
            scheme,
            over=[
                described(
                    SchemeOver,
                    field,
                    needs_diameter=field.fields is not None,
                    bands={band.name: band.text for band in field.bands},
                )
                for field in scheme.over
            ],
        )
        for scheme in schemes().values()
    ]
    return {"schemes": found, "aid": AID}


@router.get("/api/slides/{slide_id}/hot-spot")
def slide_hot_spot(
    slide_id: SlideId,
    state: StateHere,
    visitor: VisitorHere,
    round: Annotated[int, Query(ge=1, le=(1 << 53) - 1)],  # noqa: A002 the word of the API
    threshold: Annotated[float | None, Query(ge=0, le=1, allow_inf_nan=False)] = None,
    area_mm2: Annotated[float, Query(gt=0, le=25, allow_inf_nan=False)] = 2.0,
    aspect: Annotated[str, Query(max_length=20)] = "4:3",
) -> Counted:
    """Return the window of an area that holds most figures of those that a round shows me."""
    mine = assignment(state, visitor, round, slide_id=slide_id)
    info = state.slides.info(slide_id)
    size = window_size(area_mm2, aspect=Aspect.parse(aspect), mpp=info.mpp)
    if size.width > info.size.width or size.height > info.size.height:
        raise invalid("the window is larger than the slide", field="area_mm2", mend="choose a smaller area")
    with state.store.reading() as connection:
        found = _read(connection, state, mine, slide_id, by_all=True)
    rule = CaseRule(area_mm2, Aspect.parse(aspect), found.rule.threshold if threshold is None else threshold)
    return describe_count(found, rule, found.count(rule, None))
