"""Figures of the study: what is in it, agreement, who overruled whom; and the study as a file."""

from __future__ import annotations

import math
import shutil
import tempfile
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import FileResponse, Response
from pydantic import Field
from starlette.background import BackgroundTask

from mitoscope import store
from mitoscope.curation import agreement
from mitoscope.exchange import find_format, write_study
from mitoscope.statistics import Estimate
from mitoscope.web.forms import Action, Answer, Done, described
from mitoscope.web.state import ComparerHere, LeadHere, StateHere, done_once

router = APIRouter()
REPEATS = 200
"""Of the intervals: the page shows two digits."""
ARCHIVE = "zip"
"""A format that holds one slide a file comes as an archive of files."""


class StudySlide(Answer):
    """A slide: the mm² of its tumour, null where none is known, its cells, and these by agreed class."""

    id: int
    name: str
    area_mm2: float | None
    cells: int
    agreed: dict[str, int]


class StudyRater(Answer):
    """A rater: the labels given, and the cells that they are about."""

    name: str
    kind: store.RaterKind
    labels: int
    cells: int


class StudyFigures(Answer):
    """What is in a study; ``agreed`` counts its cells by agreed class under the policy."""

    name: str
    policy: store.Policy
    cells: int
    deleted: int
    events: int
    disputed: int
    agreed: dict[str, int]
    slides: list[StudySlide]
    raters: list[StudyRater]


class SlideFacts(Answer):
    """What a slide is chosen by; the split is that of the newest version that splits, else null."""

    id: int
    tags: list[str]
    has_candidates: bool
    is_labelled: bool
    split: str | None


class AllSlideFacts(Answer):
    """What slides are chosen by."""

    slides: list[SlideFacts]


class PolicySet(Done):
    """The rule of the study from now on."""

    policy: store.Policy


class Interval(Answer):
    """A measure with its 95 % interval; null where it could not be computed."""

    value: float | None
    low: float | None
    high: float | None


class PairKappa(Answer):
    """Two raters, the cells that both have labelled, and Cohen's kappa."""

    raters: Annotated[list[str], Field(min_length=2, max_length=2)]
    cells: int
    kappa: Interval


class DomainAgreement(Answer):
    """The experts' agreement on a tumour type: cells read twice and disagreed on, kappa and alpha."""

    domain: str
    cells: int
    two_reads: int
    disagreed: int
    disagreement: Interval
    kappa: Interval
    alpha: Interval
    pairs: list[PairKappa]


class ExpertAgreement(Answer):
    """How far the experts agree, by tumour type and in all."""

    domains: list[DomainAgreement]


class Overruled(Answer):
    """Whose labels were turned by whom: the cells, of how many decided on, and their share in [0, 1]."""

    overruled: str
    by: str
    cells: int
    decided: int
    share: float


class Overrules(Answer):
    """Who overruled whom."""

    rows: list[Overruled]


@router.get("/api/study")
def study(state: StateHere, lead: ComparerHere) -> StudyFigures:  # noqa: ARG001 it must be one
    """Return what is in the study."""
    with state.store.snapshot() as copy:
        with copy.reading() as connection:
            policy = store.Policy(store.read_setting(connection, "policy", str(store.Policy.SETTLED)))
            open_ = store.disputed(connection)
        found = copy.overview(policy)
        ids = {slide.name: id_ for id_, slide in copy.slides().items()}
    slides = [
        described(StudySlide, slide, id=ids[slide.slide.name], name=slide.slide.name)
        for slide in found.slides
    ]
    raters = [
        described(StudyRater, rater, name=rater.rater.name, kind=rater.rater.kind) for rater in found.raters
    ]
    return described(StudyFigures, found, policy=policy, disputed=len(open_), slides=slides, raters=raters)


@router.get("/api/study/slides")
def slide_facts(state: StateHere, lead: LeadHere) -> AllSlideFacts:  # noqa: ARG001 it must be one
    """Return what slides are chosen by: tags, candidates, labels and split."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        found = store.read_slide_facts(connection)
    return {
        "slides": [described(SlideFacts, one, id=one.slide_id, tags=list(one.tags)) for one in found],
    }


class StudyPolicy(Action):
    """By which rule the figures tell the agreed class."""

    policy: store.Policy


@router.put("/api/study")
def set_policy(body: StudyPolicy, state: StateHere, lead: LeadHere) -> PolicySet:
    """Set the rule of the study."""

    def act(connection: Any) -> PolicySet:
        store.write_setting(connection, "policy", str(body.policy))
        store.write_activity(connection, lead.rater_id, store.ActivityKind.RULE_SET, str(body.policy))
        return {"policy": body.policy, "is_repeated": False}

    return done_once(state, lead, body.key, "policy", act)


def interval_of(estimate: Estimate) -> Interval:
    """Return a measure with its interval, null where there is none."""

    def plain(value: float) -> float | None:
        return value if math.isfinite(value) else None

    return {"value": plain(estimate.value), "low": plain(estimate.low), "high": plain(estimate.high)}


@router.get("/api/agreement")
def agreements(state: StateHere, lead: ComparerHere) -> ExpertAgreement:  # noqa: ARG001 it must be one
    """Return how far the experts agree, by tumour type and in all."""
    with state.store.snapshot() as copy:
        exported = copy.export_study()
    parts = agreement(exported, repeats=REPEATS)
    return {
        "domains": [
            {
                "domain": part.domain,
                "cells": part.cells,
                "two_reads": part.reads.cells,
                "disagreed": part.reads.disagreed,
                "disagreement": interval_of(part.disagreement),
                "kappa": interval_of(part.fleiss),
                "alpha": interval_of(part.alpha),
                "pairs": [
                    {"raters": list(pair.raters), "cells": pair.cells, "kappa": interval_of(pair.kappa)}
                    for pair in part.pairs
                ],
            }
            for part in parts
        ]
    }


@router.get("/api/overrules")
def overrules(state: StateHere, lead: ComparerHere) -> Overrules:  # noqa: ARG001 it must be one
    """Return who overruled whom."""
    with state.store.snapshot() as copy, copy.reading() as connection:
        rows = store.overrulings(connection)
        names = {id_: rater.name for id_, rater in store.read_raters(connection).items()}
    return {
        "rows": [
            described(
                Overruled,
                row,
                overruled=names[row.overruled_id],
                by=names[row.by_id],
                share=row.cells / row.decided,
            )
            for row in rows
        ]
    }


@router.get(
    "/api/export",
    response_class=Response,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def export(
    state: StateHere,
    lead: ComparerHere,
    format: Annotated[str, Query(max_length=40)] = "csv",  # noqa: A002 the word of the API
) -> Response:
    """Return the study as a file of a known format."""
    known = find_format(format)
    folder = Path(tempfile.mkdtemp(prefix="mitoscope-"))
    try:
        path = folder / f"study{known.suffix}"
        with state.store.snapshot() as copy:
            study = copy.export_study(with_ids=known.holds_ids, keeps_numbers=known.keeps_numbers)
        write_study(study, path, known.name)
        if path.is_dir():
            path = Path(shutil.make_archive(str(folder / "study"), ARCHIVE, path))
        with state.store.writing() as connection:
            store.write_activity(connection, lead.rater_id, store.ActivityKind.EXPORTED, known.name)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return FileResponse(
        path,
        media_type="application/octet-stream",
        filename=path.name,
        background=BackgroundTask(shutil.rmtree, folder, ignore_errors=True),
    )
