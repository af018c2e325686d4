"""What was signed, as the application answers it; results of earlier versions state less."""

from __future__ import annotations

from typing import Any, Literal, NotRequired, cast

import numpy as np

from mitoscope import store
from mitoscope.count import MitoticCount, WindowShape
from mitoscope.region import RegionKind
from mitoscope.web.case_answers import CaseSearch, Certainty, FieldsSaid, LookedAt, ThresholdOf, WindowBox
from mitoscope.web.case_count import CaseOnSlide
from mitoscope.web.forms import Answer, Done, Pair, Rectangle, described

Verdict = Literal[-1, 0, 1]
"""-1: rejected, 0: nothing was said, 1: called a mitotic figure."""


class SignedBase(Answer):
    """What was counted: figures above a threshold in a window, and what became of the candidates."""

    count: int
    threshold: float | None
    window: WindowBox
    area_mm2: float
    candidates: int
    accepted: int
    rejected: int
    comment: str
    note: str
    shape: WindowShape
    window_name: str
    is_searched: bool
    looked_at: LookedAt | None


_EARLIER: dict[str, Any] = {"shape": WindowShape.RECTANGLE, "is_searched": True, "looked_at": None}
"""What results that were signed before did not state; of texts they had none."""


class SignedCell(Answer):
    """A cell under a result: its centre in level-0 px, a model's score, and what the rater made of it.

    Older results do not say whether it was looked at and left undecided, nor what was remarked.
    """

    x: float
    y: float
    score: float | None
    verdict: Verdict
    is_counted: bool
    is_looked_at: NotRequired[bool]
    is_unsure: NotRequired[bool]
    comment: NotRequired[str]


class SignedRegion(Answer):
    """An outline that was drawn when a result was signed: its vertices in level-0 px."""

    kind: RegionKind
    name: str
    vertices: list[Pair]


class SignedContent(SignedBase):
    """A result as it was signed, with all that it rests on.

    The area that was asked for and its aspect, the mm² of tissue in the window, the figures of the whole
    slide, the slide and its file, the last event (for the lead alone), cells, regions, what could not be
    read: x, y, width and height in level-0 px; and how sure the count is, the search, and the result that
    it replaces, which older results do not state.
    """

    requested_mm2: float
    aspect: str
    covered_mm2: float
    figures: int
    slide: str
    fingerprint: str
    version: NotRequired[int]
    cells: list[SignedCell]
    regions: list[SignedRegion]
    gaps: list[Rectangle]
    certainty: NotRequired[Certainty]
    atypical: NotRequired[int | None]
    left_out: NotRequired[int]
    fields: NotRequired[FieldsSaid | None]
    search: NotRequired[CaseSearch | None]
    threshold_of: NotRequired[ThresholdOf | None]
    replaces: NotRequired[int | None]


class Result(SignedBase):
    """A signed result without its cells: who signed it and when, in seconds since 1970, and where it lies.

    A result that corrects another one names it; the one that none replaces is current.
    """

    id: int
    slide: int
    round: int
    rater_name: str
    time_s: float
    replaces: int | None
    replaced_by: int | None
    report: str
    manifest: str


class FullResult(Result):
    """A signed result with what was signed, and the head of the study's chain that holds it."""

    content: SignedContent
    chain: str


class Results(Answer):
    """Signed results, the newest first."""

    results: list[Result]


class Signed(Done):
    """A result that was signed."""

    result: Result


def signed_cells(on: CaseOnSlide, counted: MitoticCount, comments: dict[int, str]) -> list[SignedCell]:
    """Return the cells that count, were decided by hand, looked at or remarked upon, from the top left.

    `comments` are those of the rater by the cell's id.
    """
    case, found = on.case, on.case.found
    looked = np.isin(on.cells.public_id, list(on.work.looked)) | (case.verdict != 0)
    unsure = on.is_unsure
    remarked = np.isin(on.cells.cell_id, list(comments))
    kept = counted.counted | looked | remarked
    order = np.lexsort((found.x_px0, found.y_px0))
    return [
        {
            "x": float(found.x_px0[row]),
            "y": float(found.y_px0[row]),
            "score": float(found.score[row]) if case.has_score[row] else None,
            "verdict": cast("Verdict", int(case.verdict[row])),
            "is_counted": bool(counted.counted[row]),
            "is_looked_at": bool(looked[row]),
            "is_unsure": bool(unsure[row]),
            "comment": comments.get(int(on.cells.cell_id[row]), ""),
        }
        for row in order.tolist()
        if kept[row]
    ]


def signed_content(signed_result: store.SignedResult) -> SignedContent:
    """Return what was signed; older results are completed where they do not state something."""
    content = {**_EARLIER, "window_name": "", "note": "", **signed_result.content}
    return cast("SignedContent", content)  # nothing else is ever signed


def describe_signed(signed_result: store.SignedResult) -> Result:
    """Return a signed result without its cells."""
    content = signed_content(signed_result)
    return described(
        Result,
        signed_result,
        slide=signed_result.slide_id,
        round=signed_result.round_id,
        rater_name=signed_result.rater,
        report=f"/api/results/{signed_result.id}/report.html",
        manifest=f"/api/results/{signed_result.id}/result.json",
        **{name: content[name] for name in SignedBase.__annotations__},  # type: ignore[literal-required]
    )
