"""The report of a signed result: the page of `detect`, with what the pathologist made of it."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope import __version__
from mitoscope.count import Window, WindowShape
from mitoscope.count.grading import Band
from mitoscope.geometry import BoxPx0
from mitoscope.region import join_outlines, outline
from mitoscope.report.close_up import draw_close_up
from mitoscope.report.compose import describe_slide
from mitoscope.report.overview import draw_overview
from mitoscope.report.page import (
    Crop,
    Fact,
    GradeRow,
    Grading,
    Headline,
    Note,
    Page,
    Sheet,
    render_page,
)
from mitoscope.report.pictures import Rectangle
from mitoscope.report.sheets import read_crop
from mitoscope.slide import Slide
from mitoscope.statistics import Interval
from mitoscope.store import SignedResult
from mitoscope.tissue import TissueMask
from mitoscope.wording import (
    plural,
    say_area,
    say_expected,
    say_hpf,
    say_range,
    say_rate,
    say_share,
    say_size,
    say_threshold,
)

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
    "strictly above the threshold. Looked at are candidates that were judged, or shown one by one.",
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
    window = Window(BoxPx0(**content["window"]), WindowShape(content.get("shape", WindowShape.RECTANGLE)))
    cells = content["cells"]
    points = np.array([[cell["x"], cell["y"]] for cell in cells], dtype=np.float64).reshape(-1, 2)
    counted = np.array([cell["is_counted"] for cell in cells], dtype=np.bool_)
    in_window = counted & window.holds(points)
    rows = np.flatnonzero(in_window)
    key = f"Window: {content['count']:,} in {say_area(window.area_mm2(slide.info.mpp))}"
    gaps = tuple(BoxPx0(*gap) for gap in content["gaps"])
    drawn = join_outlines((region["kind"], outline(region["vertices"])) for region in content["regions"])
    overview = draw_overview(
        slide,
        points_px0=points[counted],
        hot_spot=window.box_px0,
        hot_spot_key=key,
        tissue=tissue,
        gaps=gaps,
        region=None,
        counted_on=drawn.counted_on(slide.info.size),
    )
    close_up = draw_close_up(
        slide,
        window.box_px0,
        points_px0=points[rows],
        ranks=rows + 1,
        gaps=gaps,
        caption="The window (blue) and the mitotic figures in it (rings), numbered as below.",
    )
    if window.shape is WindowShape.CIRCLE:
        overview = replace(overview, hot_spot=_round(overview.hot_spot))
        close_up = replace(close_up, hot_spot=_round(close_up.hot_spot))

    def sheet(shown: list[int], title: str, about: str = "") -> Sheet:
        return _sheet(slide, cells, shown, title, about, in_window=in_window)

    unsure = [row for row, cell in enumerate(cells) if cell.get("is_unsure")]
    return Page(
        name=slide.info.name,
        version=__version__,
        headline=_headline(content, window, slide),
        notes=_notes(result, slide),
        facts=_facts(result, window, slide, tissue),
        overview=overview,
        close_up=close_up,
        top=sheet(rows.tolist(), "", "The mitotic figures of the window."),
        borderline_about="Where the rater called a cell a figure, rejected a candidate, or was unsure.",
        borderline=(
            sheet(_by_hand(cells, 1), "Called a mitotic figure"),
            sheet(_by_hand(cells, -1), "Rejected"),
            *([sheet(unsure, "Left undecided")] if unsure else []),
        ),
        provenance=_provenance(result, slide),
        reading=_READING,
        grading=_grading(content),
        window_title="The window",
        figure_key="Mitotic figure",
        top_title="Counted in the window",
        borderline_title="Decided by hand",
        shows_scores=False,
    )


def _round(box: Rectangle | None) -> Rectangle | None:
    return None if box is None else replace(box, is_round=True)


def _by_hand(cells: list[dict[str, Any]], verdict: int) -> list[int]:
    return [row for row, cell in enumerate(cells) if cell["verdict"] == verdict]


def _signed_at(result: SignedResult) -> str:
    return datetime.fromtimestamp(result.time_s, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def _headline(content: dict[str, Any], window: Window, slide: Slide) -> Headline:
    area = window.area_mm2(slide.info.mpp)
    count = int(content["count"])
    unit = f"mitotic {plural(count, 'figure')} in {say_area(area)} ({say_hpf(area)})"
    rate = say_rate(count, float(content["covered_mm2"]))
    return Headline(count, area, unit, f"{rate} of tissue there, counted and signed by hand")


def _notes(result: SignedResult, slide: Slide) -> tuple[Note, ...]:
    content = result.content
    notes = [Note("note", "Signed.", f"By {result.rater}, {_signed_at(result)}.")]
    if result.replaced_by is not None:
        text = f"Result {result.replaced_by} has replaced this one."
        notes.append(Note("warning", "Not current.", text))
    if result.replaces is not None:
        notes.append(Note("note", "Corrected.", f"This result replaces result {result.replaces}."))
    if not content.get("is_searched", True):
        text = "Only figures that were marked by hand are counted, as the rater stated when signing."
        notes.append(Note("warning", "This slide was not searched.", text))
    looked = content.get("looked_at")
    if looked is not None and looked["looked"] < looked["candidates"]:
        unseen = looked["candidates"] - looked["looked"]
        text = f"{unseen:,} of {looked['candidates']:,} candidates in the window, as the rater stated."
        notes.append(Note("warning", "Not looked at.", text))
    if content["fingerprint"] != slide.info.fingerprint:
        notes.append(
            Note(
                "warning",
                "Another file.",
                "The slide has changed since the result was signed: the pictures differ.",
            )
        )
    if content.get("note"):
        notes.append(Note("warning", "Note.", content["note"]))
    if content.get("left_out"):
        left_out = content["left_out"]
        text = f"{left_out:,} {plural(left_out, 'figure')} in the window outside of the area that counts."
        notes.append(Note("note", "Left out.", text))
    if content["comment"]:
        notes.append(Note("note", "Comment.", content["comment"]))
    return tuple(notes)


def _facts(result: SignedResult, window: Window, slide: Slide, tissue: TissueMask) -> tuple[Fact, ...]:
    content, mpp, box = result.content, slide.info.mpp, window.box_px0
    size = say_size(box.width * mpp.x, box.height * mpp.y)
    if window.shape is WindowShape.CIRCLE:
        size = f"circle of {box.width * mpp.x / 1000:.2f} mm"
    covered = f"{say_area(content['covered_mm2'])} counted in the window"
    title = f"Window {content['window_name']}" if content.get("window_name") else "Window"
    return (
        Fact(title, size, f"from x {box.x:.0f}, y {box.y:.0f}{_say_fields(content.get('fields'))}"),
        *_certainty(content.get("certainty")),
        *_atypical(content),
        Fact("Figures in total", f"{content['figures']:,}"),
        Fact("Tissue", say_area(tissue.area_mm2), covered),
        Fact("Threshold", *_threshold(content)),
        Fact("By hand", f"{content['accepted']:,} accepted", f"{content['rejected']:,} rejected"),
        *_looked(content.get("looked_at"), window.area_mm2(mpp)),
    )


def _say_fields(fields: dict[str, Any] | None) -> str:
    return "" if fields is None else f"; {fields['number']} fields of {fields['diameter_mm']:g} mm"


def _atypical(content: dict[str, Any]) -> tuple[Fact, ...]:
    number = content.get("atypical")
    if number is None:
        return ()
    return (Fact("Atypical", f"{number:,}", "of those counted, by the rater, else by the detector (an aid)"),)


def _threshold(content: dict[str, Any]) -> tuple[str, str]:
    if content["threshold"] is None:
        return "none", "nobody states one: every candidate counts"
    search, of = content.get("search"), content.get("threshold_of")
    remark = "for candidates left as they were"
    if of == "search" and search is not None:
        remark = f"the operating point of {search['model']}"
    elif of == "round":
        remark = "as the round states"
    elif "threshold_of" in content:
        remark = "chosen by the rater"
    return say_threshold(content["threshold"]), remark


def _looked(looked: dict[str, Any] | None, area_mm2: float) -> tuple[Fact, ...]:
    """Write what was looked at; results that were signed before do not state it."""
    if looked is None:
        return ()
    seen = f"{say_area(looked['seen_mm2'])} of {say_area(area_mm2)} seen at 10× or more"
    unsure = f"; {looked['unsure']:,} left undecided" if looked["unsure"] else ""
    value = f"{looked['looked']:,} of {looked['candidates']:,} candidates"
    facts = [Fact("Looked at", value, f"{seen}{unsure}")]
    if looked["added"]:
        facts.append(Fact("Added", f"{looked['added']:,}", "that no detector proposed"))
    return tuple(facts)


def _grading(content: dict[str, Any]) -> Grading | None:
    """Write what a grading scheme says of the count, where the round has chosen one."""
    scheme = (content.get("certainty") or {}).get("scheme")
    if scheme is None:
        return None
    grades, second = scheme["grades"] or {}, scheme["grades_of_a_second_window"] or {}
    rows = tuple(
        GradeRow(
            name=name,
            counts=Band(name, first, last).text,
            in_window=say_share(grades[name]) if name in grades else "",
            in_second=say_share(second[name]) if name in second else "",
            here=name == scheme["band_of_count"],
        )
        for name, (first, last) in scheme["bands"].items()
    )
    reason = scheme["reason"] or ""
    about = (
        f"Over {say_area(scheme['area_mm2'])}.",
        f"{reason[:1].upper()}{reason[1:]}." if reason else "",
        scheme["note"],
    )
    return Grading(
        title=scheme["title"],
        about=" ".join(filter(None, about)),
        rows=rows,
        has_shares=bool(grades),
        source=f"{scheme['aid']} Source: {scheme['source']}.",
    )


def _certainty(stated: dict[str, Any] | None) -> tuple[Fact, ...]:
    """Write the expected number with its interval; results that were signed before state none."""
    if stated is None or stated["expected"] is None:
        return ()
    joint, detector = Interval(*stated["interval"]), Interval(*stated["detector_interval"])
    remark = f"95 %: {say_range(joint)}; candidates alone {say_range(detector)}"
    return (Fact("Expected there", say_expected(stated["expected"]), remark),)


def _sheet(
    slide: Slide,
    cells: list[dict[str, Any]],
    rows: list[int],
    title: str,
    about: str,
    *,
    in_window: NDArray[np.bool_],
) -> Sheet:
    shown = rows[:SHEET_MAX]
    more = "" if len(shown) == len(rows) else f" The first {SHEET_MAX} of {len(rows):,}."
    crops = tuple(
        Crop(
            rank=row + 1,
            score="by hand" if cells[row]["score"] is None else f"{cells[row]['score']:.3f}",
            x=f"{cells[row]['x']:.0f}",
            y=f"{cells[row]['y']:.0f}",
            in_hot_spot=bool(in_window[row]),
            picture=read_crop(slide, np.array([cells[row]["x"], cells[row]["y"]])),
            kind=_remark(cells[row]),
        )
        for row in shown
    )
    return Sheet(f"{title}{more}" if title else title, f"{about}{more}" if about else about, crops, "None.")


def _remark(cell: dict[str, Any]) -> str:
    unsure = "unsure" if cell.get("is_unsure") else ""
    return "; ".join(filter(None, (unsure, cell.get("comment", ""))))


def _provenance(result: SignedResult, slide: Slide) -> dict[str, dict[str, str]]:
    version = result.content.get("version")
    return {
        "Slide": describe_slide(slide.info) | {"Fingerprint": result.content["fingerprint"]},
        "Signature": {
            "Result": f"number {result.id}",
            "Rater": result.rater,
            "Time": _signed_at(result),
            **({"State of the study": f"event {version}"} if version is not None else {}),
            "Chain": "" if result.chain is None else result.chain.sha256,
        },
    }
