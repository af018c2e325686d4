"""Composing the page: from findings and pixels to what the reader sees."""

from __future__ import annotations

import numpy as np

from mitoscope import __version__
from mitoscope.report.close_up import CloseUp, draw_close_up
from mitoscope.report.density_map import DensityView, view_density
from mitoscope.report.findings import Findings
from mitoscope.report.histogram import Histogram, draw_histogram
from mitoscope.report.overview import Overview, draw_overview
from mitoscope.report.page import Page
from mitoscope.report.provenance import write_provenance
from mitoscope.report.sheets import borderline_sheets, top_sheet
from mitoscope.report.summary import (
    READING,
    name_window,
    write_facts,
    write_headline,
    write_notes,
    write_steps,
)
from mitoscope.report.wording import plural, say_threshold
from mitoscope.slide import Slide

_CAPTION = (
    "The window with most mitotic figures (blue) and the figures in it (rings). Numbers are ranks by score: "
    "the same as on the contact sheets, and the rows of the CSV."
)
_HISTOGRAM_SIZE = (1060.0, 190.0)


def compose_page(findings: Findings, slide: Slide) -> Page:
    """Compose the report of one slide.

    Parameters
    ----------
    findings : Findings
        What was found.
    slide : Slide
        Where the pictures are read.
    """
    return Page(
        name=findings.info.name,
        version=__version__,
        headline=write_headline(findings),
        notes=write_notes(findings),
        facts=write_facts(findings),
        overview=_overview(findings, slide),
        close_up=_close_up(findings, slide),
        steps=write_steps(findings),
        density=_density(findings),
        top=top_sheet(slide, findings),
        borderline_about="The candidates nearest to the threshold, where the count is least certain.",
        borderline=borderline_sheets(slide, findings),
        threshold=say_threshold(findings.run.threshold),
        histogram=_histogram(findings),
        histogram_caption=_histogram_caption(findings),
        provenance=write_provenance(findings),
        reading=READING,
    )


def _overview(findings: Findings, slide: Slide) -> Overview:
    return draw_overview(
        slide,
        points_px0=findings.candidates.points_px0[findings.counted],
        hot_spot=findings.window,
        hot_spot_key=name_window(findings),
        tissue=findings.run.tissue,
        gaps=findings.run.gaps,
        region=findings.region,
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


def _density(findings: Findings) -> DensityView | None:
    if findings.n_figures == 0 or findings.window_is_slide:
        return None
    return view_density(
        findings.density,
        findings.info.mpp,
        tissue=findings.run.tissue,
        hot_spot=findings.window,
        caption="Mitotic figures per mm²; blue: the hot spot.",
    )


def _histogram(findings: Findings) -> Histogram | None:
    scores = findings.candidates.score[findings.counted | findings.not_counted]
    if not len(scores):
        return None
    width, height = _HISTOGRAM_SIZE
    return draw_histogram(scores, threshold=findings.run.threshold, width=width, height=height)


def _histogram_caption(findings: Findings) -> str:
    above, below = int(findings.counted.sum()), int(findings.not_counted.sum())
    return (
        f"Dark: {above:,} counted as mitotic {plural(above, 'figure')}. "
        f"Pale: {below:,} not above the threshold, not counted."
    )
