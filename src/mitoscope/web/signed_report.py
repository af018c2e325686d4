"""The report of a signed result: the page of `detect`, with what the pathologist made of it."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import numpy as np

from mitoscope import __version__
from mitoscope.geometry import BoxPx0
from mitoscope.report.close_up import draw_close_up
from mitoscope.report.compose import describe_slide
from mitoscope.report.overview import draw_overview
from mitoscope.report.page import (
    Crop,
    Fact,
    Headline,
    Note,
    Page,
    Sheet,
    render_page,
)
from mitoscope.report.sheets import read_crop
from mitoscope.report.wording import (
    plural,
    say_area,
    say_expected,
    say_hpf,
    say_range,
    say_rate,
    say_size,
    say_threshold,
)
from mitoscope.slide import Slide
from mitoscope.statistics import Interval
from mitoscope.store import SignedResult
from mitoscope.tissue import TissueMask

SHEET_MAX = 48
"""Crops of one sheet: six rows of eight."""
_POLICY = (
    "default-src 'none'; img-src data:; style-src '{style}'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
_READING = (
    "The mitotic count is the number of mitotic figures in the window, placed and signed by the rater named "
    "above.",
    "A cell counts as a mitotic figure where the rater called it one, or left a candidate whose score is "
    "strictly above the threshold.",
    "The expected number takes what the rater said as certain, and of the other candidates the probability "
    "that the detector gives them; its interval of 95 % joins both with the chance of any sample of tissue.",
    "Coordinates are pixels of the full slide at its highest resolution, from its upper left corner.",
    "One high-power field (HPF) is 0.237 mm². Counts over other areas or by other rules are not comparable.",
    "For research use only. Not for diagnostic use.",
)


def render_signed(result: SignedResult, slide: Slide, tissue: TissueMask) -> tuple[str, str]:
    """Return the page of a signed result, and the content security policy that it needs."""
    page = render_page(_compose(result, slide, tissue))
    return page, policy_of(page)


def policy_of(page: str) -> str:
    """Return the content security policy that a report needs: that of the server, and its own styles."""
    style = re.search(r"sha256-[A-Za-z0-9+/=]+", page)
    return _POLICY.format(style="" if style is None else style.group())


def _compose(result: SignedResult, slide: Slide, tissue: TissueMask) -> Page:
    content = result.content
    window = BoxPx0(**content["window"])
    cells = content["cells"]
    points = np.array([[cell["x"], cell["y"]] for cell in cells], dtype=np.float64).reshape(-1, 2)
    counted = np.array([cell["is_counted"] for cell in cells], dtype=np.bool_)
    inside = np.array([_holds(window, cell) for cell in cells], dtype=np.bool_)
    rows = np.flatnonzero(counted & inside)
    key = f"Window: {content['count']:,} in {say_area(window.area_mm2(slide.info.mpp))}"
    return Page(
        name=slide.info.name,
        version=__version__,
        headline=_headline(content, window, slide),
        notes=_notes(result, slide),
        facts=_facts(result, window, slide, tissue),
        overview=draw_overview(
            slide,
            points_px0=points[counted],
            hot_spot=window,
            hot_spot_key=key,
            tissue=tissue,
            gaps=(),
            region=None,
        ),
        close_up=draw_close_up(
            slide,
            window,
            points_px0=points[rows],
            ranks=rows + 1,
            gaps=(),
            caption="The window (blue) and the mitotic figures in it (rings), numbered as below.",
        ),
        top=_sheet(slide, cells, rows.tolist(), "", "The mitotic figures of the window.", window),
        borderline_about="Where the rater called a cell a mitotic figure, or rejected a candidate.",
        borderline=(
            _sheet(slide, cells, _by_hand(cells, 1), "Called a mitotic figure", "", window),
            _sheet(slide, cells, _by_hand(cells, -1), "Rejected", "", window),
        ),
        provenance=_provenance(result, slide),
        reading=_READING,
        window_title="The window",
        figure_key="Mitotic figure",
        top_title="Counted in the window",
        borderline_title="Decided by hand",
        shows_scores=False,
    )


def _holds(window: BoxPx0, cell: dict[str, Any]) -> bool:
    return bool(window.x <= cell["x"] < window.right and window.y <= cell["y"] < window.bottom)


def _by_hand(cells: list[dict[str, Any]], verdict: int) -> list[int]:
    return [row for row, cell in enumerate(cells) if cell["verdict"] == verdict]


def _signed_at(result: SignedResult) -> str:
    return datetime.fromtimestamp(result.time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _headline(content: dict[str, Any], window: BoxPx0, slide: Slide) -> Headline:
    area = window.area_mm2(slide.info.mpp)
    count = int(content["count"])
    unit = f"mitotic {plural(count, 'figure')} in {say_area(area)} ({say_hpf(area)})"
    rate = say_rate(count, float(content["covered_mm2"]))
    return Headline(count, area, unit, f"{rate} of tissue there, counted and signed by hand")


def _notes(result: SignedResult, slide: Slide) -> tuple[Note, ...]:
    notes = [Note("note", "Signed.", f"By {result.rater}, {_signed_at(result)}.")]
    if result.content["fingerprint"] != slide.info.fingerprint:
        notes.append(
            Note(
                "warning",
                "Another file.",
                "The slide has changed since the result was signed: the pictures differ.",
            )
        )
    if result.content.get("note"):
        notes.append(Note("warning", "Note.", result.content["note"]))
    if result.content["comment"]:
        notes.append(Note("note", "Comment.", result.content["comment"]))
    return tuple(notes)


def _facts(result: SignedResult, window: BoxPx0, slide: Slide, tissue: TissueMask) -> tuple[Fact, ...]:
    content, mpp = result.content, slide.info.mpp
    size = say_size(window.width * mpp.x, window.height * mpp.y)
    return (
        Fact("Window", size, f"from x {window.x:.0f}, y {window.y:.0f}"),
        *_certainty(content.get("certainty")),
        Fact("Figures in total", f"{content['figures']:,}"),
        Fact("Tissue", say_area(tissue.area_mm2), f"{say_area(content['covered_mm2'])} in the window"),
        Fact("Threshold", say_threshold(content["threshold"]), "for candidates left as they were"),
        Fact("By hand", f"{content['accepted']:,} accepted", f"{content['rejected']:,} rejected"),
    )


def _certainty(stated: dict[str, Any] | None) -> tuple[Fact, ...]:
    """Write the expected number with its interval; results that were signed before state none."""
    if stated is None or stated["expected"] is None:
        return ()
    joint, detector = Interval(*stated["interval"]), Interval(*stated["detector_interval"])
    remark = f"95 %: {say_range(joint)}; candidates alone {say_range(detector)}"
    return (Fact("Expected there", say_expected(stated["expected"]), remark),)


def _sheet(
    slide: Slide, cells: list[dict[str, Any]], rows: list[int], title: str, about: str, window: BoxPx0
) -> Sheet:
    shown = rows[:SHEET_MAX]
    more = "" if len(shown) == len(rows) else f" The first {SHEET_MAX} of {len(rows):,}."
    crops = tuple(
        Crop(
            rank=row + 1,
            score="by hand" if cells[row]["score"] is None else f"{cells[row]['score']:.3f}",
            x=f"{cells[row]['x']:.0f}",
            y=f"{cells[row]['y']:.0f}",
            in_hot_spot=bool(cells[row]["is_counted"] and _holds(window, cells[row])),
            picture=read_crop(slide, np.array([cells[row]["x"], cells[row]["y"]])),
        )
        for row in shown
    )
    return Sheet(f"{title}{more}" if title else title, f"{about}{more}" if about else about, crops, "None.")


def _provenance(result: SignedResult, slide: Slide) -> dict[str, dict[str, str]]:
    return {
        "Slide": describe_slide(slide.info) | {"Fingerprint": result.content["fingerprint"]},
        "Signature": {
            "Result": f"number {result.id}",
            "Rater": result.rater,
            "Time": _signed_at(result),
            "State of the study": f"event {result.content['version']}",
            "Chain": "" if result.chain is None else f"{result.chain.rows} rows, {result.chain.sha256}",
        },
    }
