"""Composing the page: from findings and pixels to what the reader sees."""

from __future__ import annotations

import io
from importlib.metadata import version

import numpy as np
from PIL import Image

from mitoscope.figure import encode_figure
from mitoscope.report.certainty import read_certainty, write_certainty, write_density, write_grading
from mitoscope.report.close_up import CloseUp, draw_close_up
from mitoscope.report.findings import Findings
from mitoscope.report.overview import SlideOverview, draw_overview
from mitoscope.report.page import Fact, Headline, Note, Page, Step
from mitoscope.report.pictures import PagePicture, data_uri
from mitoscope.report.plots import draw_density_map, draw_histogram
from mitoscope.report.sheets import borderline_sheets, top_sheet
from mitoscope.slide import Slide, SlideInfo
from mitoscope.wording import plural, say_area, say_hpf, say_rate, say_size, say_threshold

_CAPTION = (
    "The window with most mitotic figures (blue) and the figures in it (rings). Numbers are ranks by score: "
    "the same as on the contact sheets, and the rows of the CSV."
)
_DENSITY_DPI = 300
_CSS_PX_PER_INCH = 96


def draw_density(findings: Findings) -> bytes:
    """Return the density map as a PNG, for the page and as a file of its own."""
    figure = draw_density_map(
        findings.density,
        findings.info.mpp,
        tissue=findings.run.tissue,
        hot_spot=findings.window,
        gaps=findings.run.gaps,
        hot_spot_label=name_window(findings),
        counted_on=findings.counted_on,
    )
    return encode_figure(figure, "png", dpi=_DENSITY_DPI)


def compose_page(findings: Findings, slide: Slide, *, density_png: bytes | None = None) -> Page:
    """Compose the report of one slide; a density map that is drawn already is taken as it is."""
    return Page(
        name=findings.info.name,
        version=version("mitoscope"),
        headline=write_headline(findings),
        notes=write_notes(findings),
        facts=write_facts(findings),
        overview=_overview(findings, slide),
        close_up=_close_up(findings, slide),
        steps=write_steps(findings),
        grading=write_grading(findings),
        density=_density(findings, density_png),
        top=top_sheet(slide, findings),
        borderline_about="The candidates nearest to the threshold, where the count is least certain.",
        borderline=borderline_sheets(slide, findings),
        histogram=_histogram(findings),
        histogram_caption=_histogram_caption(findings),
        provenance=_provenance(findings),
        reading=write_reading(findings),
    )


def _overview(findings: Findings, slide: Slide) -> SlideOverview:
    return draw_overview(
        slide,
        points_px0=findings.candidates.points_px0[findings.counted],
        hot_spot=findings.window,
        hot_spot_key=name_window(findings),
        tissue=findings.run.tissue,
        gaps=findings.run.gaps,
        region=findings.region,
        counted_on=findings.counted_on,
    )


def _close_up(findings: Findings, slide: Slide) -> CloseUp | None:
    if findings.window is None:
        return None
    rows = np.flatnonzero(findings.counted & findings.in_window)
    return draw_close_up(
        slide,
        findings.window,
        points_px0=findings.candidates.points_px0[rows],
        ranks=rows + 1,
        gaps=findings.run.gaps,
        caption=_CAPTION,
    )


def _density(findings: Findings, drawn: bytes | None) -> PagePicture | None:
    if findings.n_figures == 0 or findings.window_is_slide:
        return None
    content = drawn or draw_density(findings)
    width, height = (side * _CSS_PX_PER_INCH // _DENSITY_DPI for side in Image.open(io.BytesIO(content)).size)
    return PagePicture(data_uri(content, "png"), width, height)


def _histogram(findings: Findings) -> PagePicture | None:
    scores = findings.candidates.score[findings.counted | findings.not_counted]
    if not len(scores):
        return None
    threshold = findings.run.threshold
    figure = draw_histogram(scores, threshold=threshold, threshold_label=say_threshold(threshold))
    width, height = (round(side * _CSS_PX_PER_INCH) for side in figure.get_size_inches().tolist())
    return PagePicture(data_uri(encode_figure(figure, "svg"), "svg+xml"), width, height)


def _histogram_caption(findings: Findings) -> str:
    above, below = int(findings.counted.sum()), int(findings.not_counted.sum())
    return (
        f"Dark: {above:,} counted as mitotic {plural(above, 'figure')}. "
        f"Pale: {below:,} not above the threshold, not counted."
    )


def _provenance(findings: Findings) -> dict[str, dict[str, str]]:
    """Write the provenance of a result."""
    run, info, region = findings.run, findings.info, findings.run.region_px0
    where = f"{region.width:,.0f} × {region.height:,.0f} px from x {region.x:.0f}, y {region.y:.0f}"
    return {
        "Slide": describe_slide(info)
        | {"Objective": "not stated" if info.objective_power is None else f"{info.objective_power:g}×"},
        "Run": {
            "Status": run.status.replace("_", " "),
            "Region": "whole slide" if findings.region is None else where,
            "Gaps": "none" if not run.gaps else f"{len(run.gaps):,}, {say_area(run.gap_mm2)}",
            "Threshold": f"{say_threshold(run.threshold)} ({run.threshold_source})",
            "Configuration": run.configuration.fingerprint(),
        },
        "Software": dict(sorted(run.versions.items())),
        "Detector": dict(run.finder.facts),
    }


def describe_slide(info: SlideInfo) -> dict[str, str]:
    """Return what the provenance states of a slide."""
    mpp, size = info.mpp, info.size
    size_mm = f"{size.width * mpp.x / 1000:.2f} × {size.height * mpp.y / 1000:.2f} mm"
    scale = f"{mpp.x:.4g}" if mpp.x == mpp.y else f"{mpp.x:.4g} × {mpp.y:.4g}"
    return {
        "File": info.name,
        "Fingerprint": info.fingerprint,
        "Size": f"{size.width:,} × {size.height:,} px ({size_mm})",
        "Resolution": f"{scale} µm/px, stated by {info.mpp_source}",
        "Reader": info.reader,
    }


_STEP = 0.05
_STEPS = (-2, -1, 0, 1, 2)
_NO_BREAK = "\N{NO-BREAK SPACE}"


def name_window(findings: Findings) -> str:
    """Return what a legend calls the hot spot: with its number, or as that of a refused count."""
    area = say_area(findings.hot_spot.area_mm2)
    if findings.count is None:
        return f"Window of the refused count ({area})"
    return f"Hot spot: {findings.count:,} in {area}"


def write_headline(findings: Findings) -> Headline:
    """Write the result in one look."""
    spot = findings.hot_spot
    area = f"{say_area(spot.area_mm2)} ({say_hpf(spot.area_mm2)})".replace(" ", _NO_BREAK)
    threshold = say_threshold(findings.run.threshold)
    if findings.window is None:
        return Headline(0, spot.area_mm2, "mitotic figures: there is no tissue", "")
    if findings.count is None:
        return Headline(None, spot.area_mm2, f"for a window of {area}", f"at threshold {threshold}")
    rate = say_rate(findings.count, spot.covered_mm2)
    unit = f"mitotic {plural(findings.count, 'figure')} in{_NO_BREAK}{area}"
    return Headline(
        findings.count, spot.area_mm2, unit, f"{rate} of tissue there, threshold{_NO_BREAK}{threshold}"
    )


def write_notes(findings: Findings) -> tuple[Note, ...]:
    """Write what the reader must know before using the number."""
    notes = (_refusal(findings), _gaps(findings), _tissue(findings), *_remarks(findings))
    return tuple(note for note in notes if note is not None)


def _refusal(findings: Findings) -> Note | None:
    if not findings.refusal:
        return None
    reason = _sentence(findings.refusal.removeprefix("no count: "))
    consequence = "The number would be too low by an unknown amount."
    if findings.run.tissue.colour_doubt:
        consequence = "What was found there means nothing until somebody has looked at the slide."
    return Note("warning", "The count is refused.", f"{reason} {consequence}")


def _gaps(findings: Findings) -> Note | None:
    n = len(findings.run.gaps)
    if n == 0:
        return None
    part = f"{n:,} {plural(n, 'part')} of the tissue ({say_area(findings.run.gap_mm2)})"
    return Note("warning", "Unreadable areas.", f"{part} could not be read; figures there are missed.")


def _tissue(findings: Findings) -> Note | None:
    if findings.run.tissue_mm2 == 0:
        place = "slide" if findings.region is None else "region searched"
        return Note("warning", "No tissue.", f"The {place} shows no stained tissue; nothing was searched.")
    if findings.count is None or not findings.hot_spot.note:  # it speaks of a number that is not given
        return None
    kind = "note" if findings.hot_spot.fits else "warning"
    return Note(kind, "", findings.hot_spot.note)


def _remarks(findings: Findings) -> list[Note]:
    doubt = findings.run.tissue.colour_doubt if findings.refusal else ""  # said as the reason already
    remarks = [remark for remark in findings.run.notes if not (doubt and remark.startswith(doubt))]
    return [Note("note", "", _sentence(remark)) for remark in remarks]


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:].rstrip('.')}."


def write_facts(findings: Findings) -> tuple[Fact, ...]:
    """Write the numbers beside the headline."""
    run = findings.run
    floor = f"score above the floor of {say_threshold(run.floor)}" if run.floor else run.finder.kept
    return (
        *_window(findings),
        *write_certainty(findings),
        Fact("Figures in total", f"{findings.n_figures:,}", _rate(findings)),
        *_kinds(findings),
        *write_density(findings),
        Fact("Tissue searched", say_area(run.tissue_mm2)),
        *_counted_area(findings),
        Fact("Threshold", say_threshold(run.threshold), run.threshold_source),
        Fact("Candidates", f"{len(findings.candidates):,}", floor),
        *_prior_shift(findings),
    )


def _kinds(findings: Findings) -> tuple[Fact, ...]:
    if findings.run.subtype is None:
        return ()
    n, of_kind = findings.n_figures, findings.of_kind
    share = f"{of_kind.sum() / n:.0%} of the figures" if n else ""
    if n and findings.window is not None and not findings.window_is_slide:
        share += f", {int((of_kind & findings.in_window).sum()):,} in the hot spot"
    return (Fact(f"Of these {findings.kind_name}", f"{int(of_kind.sum()):,}", share),)


def _prior_shift(findings: Findings) -> tuple[Fact, ...]:
    """Write for which share of figures the scores were corrected, and what that changed."""
    correction = findings.run.correction
    if correction is None:
        return ()
    shift, without = correction.shift, findings.n_figures_uncorrected or 0
    alone = "" if shift.alone is None else f", {shift.alone:.1%} by this slide alone"
    remark = (
        f"estimated, and the scores corrected for it: {shift.assumed:.1%} expected{alone}; "
        f"{without:,} {plural(without, 'figure')} without the correction"
    )
    return (Fact("Figures among candidates", f"{shift.estimated:.1%}", remark),)


def _rate(findings: Findings) -> str:
    """Write figures per mm² of where they are counted."""
    whole = findings.hot_spot.whole
    if whole is None or not whole.area_mm2:
        return ""
    return f"{say_rate(findings.n_figures, whole.area_mm2)} of {whole.within}"


def _window(findings: Findings) -> tuple[Fact, ...]:
    if findings.window is None:
        return ()
    window, mpp = findings.window, findings.info.mpp
    size = say_size(window.width * mpp.x, window.height * mpp.y)
    return (Fact("Hot spot", size, f"from x {window.x:.0f}, y {window.y:.0f}"),)


def _counted_area(findings: Findings) -> tuple[Fact, ...]:
    area = findings.counted_on
    return (
        () if area is None else (Fact("Area counted", say_area(area.area_mm2(findings.info.mpp)), area.name),)
    )


def write_steps(findings: Findings) -> tuple[Step, ...]:
    """Write how many figures neighbouring thresholds give, in the same window and on the slide."""
    if findings.count is None or not len(findings.candidates):
        return ()
    floor, own = findings.run.floor, findings.run.threshold
    kind = findings.counted | findings.not_counted
    steps = []
    for step in _STEPS:
        threshold = own + step * _STEP if step else own
        if step and not floor <= threshold < 1:
            continue
        above = kind & (findings.candidates.score > threshold)
        in_window = int((above & findings.in_window).sum())
        steps.append(Step(say_threshold(threshold), in_window, int(above.sum()), here=step == 0))
    return tuple(steps)


def write_reading(findings: Findings) -> tuple[str, ...]:
    """Write what a reader has to know of the numbers."""
    scores = findings.run.finder.scores
    if findings.run.correction is not None:
        scores += (
            " They are corrected for the share of figures among the candidates of this slide, which is "
            "estimated from the scores (Saerens et al. 2002); their order stays."
        )
    return (
        "The mitotic count is the largest number of mitotic figures that a window of the stated area and "
        "shape holds anywhere on the tissue. That window is the hot spot.",
        "A candidate is counted as a mitotic figure when its score is strictly above the threshold. "
        + scores,
        "The detector misses figures, and takes look-alikes (apoptotic, pyknotic and hyperchromatic nuclei) "
        "for figures. Check the crops, the borderline ones first.",
        *(() if findings.run.subtype is None else (findings.run.subtype.describe(),)),
        *read_certainty(findings),
        "Coordinates are pixels of the full slide at its highest resolution, from its upper left corner.",
        "Colours are taken as they are stored"
        + ("; the file's ICC profile is not applied." if findings.info.has_icc_profile else "."),
        "One high-power field (HPF) is 0.237 mm². Counts over other areas or by other rules are not "
        "comparable.",
        "The JSON file beside this report states all settings behind the number, and the hash of each file.",
    )
