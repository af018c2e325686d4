"""Reviews of candidates: proposed by a model, read in groups by score, decided by a third where need be."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Path as PathPart
from pydantic import Field

from mitoscope.curation.candidates import BINS, propose, threshold_of
from mitoscope.curation.review import ask_third, conclude, review_state
from mitoscope.curation.settling import settle
from mitoscope.detections import NOT_STATED, Detections, Searched
from mitoscope.exchange import MANIFEST, TABLE, detections_csv, read_result, result_stem
from mitoscope.geometry import BoxPx0
from mitoscope.image_names import last_part, stem
from mitoscope.store import (
    ActivityKind,
    Policy,
    Terms,
    Visitor,
    assign,
    find_review,
    is_unblinded,
    read_review,
    read_round_row,
    write_activity,
    write_terms,
)
from mitoscope.web.forms import (
    NAME_MAX,
    Action,
    Answer,
    Body,
    Coordinate,
    Done,
    Extent,
    Id,
    Name,
    Score,
    described,
)
from mitoscope.web.refusal import invalid
from mitoscope.web.routes.rounds import check_raters
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, done_once

router = APIRouter()
DETECTIONS_MAX = 200_000
CSV_MAX_CHARACTERS = 8 << 20

ReviewName = Annotated[str, PathPart(min_length=1, max_length=NAME_MAX)]


NextStep = Literal["two experts read", "a third expert decides", "conclude it", "done"]


class ReviewOpened(Done):
    """The ids of the rounds of a review, its new cells, and the detections that are no new candidate.

    These are not above the threshold, or at known cells; it is null where slides differ in it.
    """

    rounds: list[int]
    cells: int
    below: int
    known: int
    threshold: float | None


class ReviewProgress(Answer):
    """How far a review is; ``read`` counts the cells that each expert has read, by name."""

    name: str
    cells: int
    read: dict[str, int]
    waiting: int
    disputed: int
    undecided: int
    next_step: NextStep


class ThirdAsked(Done):
    """The id of a third expert's round, null where nothing is disputed, and how many cells are new in it."""

    round: int | None
    cells: int


class Concluded(Done):
    """Cells whose agreed class was recorded now, had been before, and that have none."""

    written: int
    unchanged: int
    open: int


class Settled(Concluded):
    """What a rule settled, and how many cells two experts dispute without a third."""

    disputed: int


class Gap(Body):
    """A part of a slide that could not be read, in level-0 px."""

    x: Coordinate
    y: Coordinate
    width: Extent
    height: Extent


class Found(Body):
    """What a model found on a slide, above which score it calls it a figure, and what it could not read."""

    slide: Id
    x: Annotated[list[Coordinate], Field(max_length=DETECTIONS_MAX)]
    y: Annotated[list[Coordinate], Field(max_length=DETECTIONS_MAX)]
    score: Annotated[list[Score], Field(max_length=DETECTIONS_MAX)]
    threshold: Score | None = None
    gaps: Annotated[tuple[Gap, ...], Field(max_length=10_000)] = ()

    def detections(self, model: str) -> Detections:
        """Return them with what was searched."""
        gaps = tuple(BoxPx0(gap.x, gap.y, gap.width, gap.height) for gap in self.gaps)
        searched = Searched(threshold=self.threshold, gaps=gaps, origin=model)
        is_stated = self.threshold is not None or gaps
        points = list(zip(self.x, self.y, strict=True))
        return Detections.of(points, self.score, source=model, searched=searched if is_stated else NOT_STATED)


class NewReview(Action):
    """Detections to be reviewed, as columns or as the text of a CSV of one slide.

    The manifest that `mitoscope detect` writes beside the CSV states threshold and gaps. Candidates are put
    before the raters that lie above the threshold of their search, unless another is stated.
    """

    name: Name
    model: Name
    bins: Annotated[int, Field(ge=1, le=20)] = BINS
    threshold: Score | None = None
    raters: Annotated[tuple[Id, ...], Field(max_length=1000)] = ()
    detections: Annotated[tuple[Found, ...], Field(max_length=1000)] = ()
    csv: Annotated[str, Field(max_length=CSV_MAX_CHARACTERS)] | None = None
    manifest: Annotated[str, Field(max_length=CSV_MAX_CHARACTERS)] | None = None
    slide: Id | None = None


def _found(state: AppState, body: NewReview) -> dict[str, Detections]:
    names = {id_: slide.name for id_, slide in state.store.slides().items()}
    parts: dict[str, list[Detections]] = {}
    for detections in body.detections:
        if detections.slide not in names:
            raise invalid("there is no such slide", field="slide")
        if not len(detections.x) == len(detections.y) == len(detections.score):
            raise invalid("x, y and score differ in length", field="detections")
        parts.setdefault(names[detections.slide], []).append(detections.detections(body.model))
    if body.manifest is not None and body.csv is None:
        raise invalid("a manifest without its table", field="csv", mend="send both")
    if body.csv is not None:
        if body.slide not in names:
            raise invalid("of which slide is the table?", field="slide")
        name = names[body.slide]
        parts.setdefault(name, []).append(_read_files(body.csv, body.manifest, name, model=body.model))
    if not parts:
        raise invalid("no detections", field="detections")
    return {name: Detections.concat(found) for name, found in parts.items()}


def _read_files(csv: str, manifest: str | None, slide: str, *, model: str) -> Detections:
    """Read a table of detections, with its manifest; the readers of files take files."""
    with tempfile.TemporaryDirectory(prefix="mitoscope-") as folder:
        table = Path(folder, f"{result_stem(last_part(slide))}{TABLE}")
        table.write_bytes(csv.encode())
        if manifest is None:
            return detections_csv.read(table, source=model)
        path = table.with_suffix(MANIFEST)
        path.write_bytes(manifest.encode())
        found = read_result(path, with_tissue=False)
    if stem(found.name) != stem(slide):
        raise invalid(f"the manifest is that of {found.name!r}", field="manifest", mend="choose that slide")
    return found.candidates


@router.post("/api/reviews")
def add(body: NewReview, state: StateHere, lead: LeadHere) -> ReviewOpened:
    """Open a review of candidates in groups by score, the highest first."""
    check_raters(state, body.raters)
    found = _found(state, body)
    done = propose(state.store, body.name, found, model=body.model, bins=body.bins, threshold=body.threshold)
    stated = (
        {body.threshold}
        if body.threshold is not None
        else {threshold_of(candidates) for candidates in found.values()}
    )
    threshold = stated.pop() if len(stated) == 1 else None
    above = "the thresholds of their searches" if threshold is None else f"{threshold:.3g}"
    detail = f"{len(done.cells)} candidates above {above}; {done.below} below are not shown"

    def act(connection: Any) -> ReviewOpened:
        rounds = read_review(connection, body.name)
        staff_review(connection, body.name, rounds.first, lead, raters=body.raters, detail=detail)
        return {
            "rounds": list(rounds.first),
            "cells": len(done.cells),
            "below": done.below,
            "known": done.known,
            "threshold": threshold,
            "is_repeated": False,
        }

    return done_once(state, lead, body.key, f"review {body.name}", act)


def staff_review(
    connection: Any, name: str, rounds: Sequence[int], lead: Visitor, *, raters: Sequence[int], detail: str
) -> None:
    """Give the first rounds of a review to raters and write it down; where none is named nobody reads yet."""
    for round_id in rounds:
        write_terms(connection, round_id, Terms())
        assign(connection, round_id, raters)
    write_activity(
        connection,
        lead.rater_id,
        ActivityKind.REVIEW_OPENED,
        name,
        round_id=rounds[0],
        concerns=set(raters) - {lead.rater_id},
        detail=detail,
    )


class Third(Action):
    """Who decides where two differ."""

    raters: Annotated[list[Id], Field(min_length=1, max_length=1000)]
    shows_labels: bool = False


@router.get("/api/reviews/{name}")
def progress(name: ReviewName, state: StateHere, lead: LeadHere) -> ReviewProgress:
    """Return how far a review is; who reads blinded is told of no dispute while readings are missing."""
    found = review_state(state.store, name)
    with state.store.reading() as connection:
        hides = found.waiting > 0 and not is_unblinded(connection, lead)
    return described(ReviewProgress, found, **({"disputed": 0, "undecided": 0} if hides else {}))


@router.post("/api/reviews/{name}/third")
def third(name: ReviewName, body: Third, state: StateHere, lead: ComparerHere) -> ThirdAsked:
    """Put the disputed cells of a review before a third expert."""
    check_raters(state, body.raters)
    cells = ask_third(state.store, name)

    def act(connection: Any) -> ThirdAsked:
        rounds = find_review(connection, name)
        round_id = None if rounds is None else rounds.third
        if round_id is None:
            return {"round": None, "cells": 0, "is_repeated": False}
        write_terms(connection, round_id, read_round_row(connection, round_id).terms)
        assign(connection, round_id, body.raters)
        write_activity(
            connection,
            lead.rater_id,
            ActivityKind.THIRD_ASKED,
            name,
            round_id=round_id,
            concerns=set(body.raters) - {lead.rater_id},
        )
        return {"round": round_id, "cells": cells, "is_repeated": False}

    return done_once(state, lead, body.key, f"third of {name}", act)


@router.post("/api/reviews/{name}/conclude")
def conclude_(name: ReviewName, body: Action, state: StateHere, lead: ComparerHere) -> Concluded:
    """Record what two of three experts agree on."""
    answer = described(Concluded, conclude(state.store, name), is_repeated=False)

    def act(connection: Any) -> Concluded:
        write_activity(connection, lead.rater_id, ActivityKind.REVIEW_CONCLUDED, name)
        return answer

    return done_once(state, lead, body.key, f"conclusion of {name}", act)


class Settlement(Action):
    """By which rule the labels of a cell become one."""

    policy: Policy


@router.post("/api/settle")
def settle_(body: Settlement, state: StateHere, lead: ComparerHere) -> Settled:
    """Record the agreed class of all cells by a rule, beside what the raters said."""
    if body.policy is Policy.RECORDED:
        raise invalid("'recorded' is what a rule writes, not a rule", field="policy")
    done = settle(state.store, body.policy)
    answer = described(Settled, done, disputed=len(done.disputed), is_repeated=False)

    def act(connection: Any) -> Settled:
        write_activity(connection, lead.rater_id, ActivityKind.SETTLED, str(body.policy))
        return answer

    return done_once(state, lead, body.key, f"settlement {body.policy}", act)
