"""Composing the page: from findings and pixels to what the reader sees."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image

from mitoscope import __version__
from mitoscope.bundle import Metric
from mitoscope.figure import encode_figure
from mitoscope.report.close_up import CloseUp, draw_close_up
from mitoscope.report.density_map import draw_density_map
from mitoscope.report.findings import Findings
from mitoscope.report.histogram import draw_histogram
from mitoscope.report.overview import SlideOverview, draw_overview
from mitoscope.report.page import Page, ProvenanceGroup, ProvenanceRow
from mitoscope.report.pictures import PagePicture, data_uri
from mitoscope.report.sheets import borderline_sheets, top_sheet
from mitoscope.report.summary import (
    name_window,
    write_facts,
    write_headline,
    write_notes,
    write_reading,
    write_steps,
)
from mitoscope.report.wording import plural, say_area, say_threshold
from mitoscope.slide import Slide

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
    """Compose the report of one slide.

    Parameters
    ----------
    findings : Findings
        What was found.
    slide : Slide
        Where the pictures are read.
    density_png : bytes, optional
        The density map, where it is drawn already.
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


def _provenance(findings: Findings) -> tuple[ProvenanceGroup, ...]:
    """Write the provenance of a result."""
    return (
        _slide_group(findings),
        _run_group(findings),
        _software_group(findings),
        _detector_group(findings),
    )


def _slide_group(findings: Findings) -> ProvenanceGroup:
    info = findings.info
    size_mm = f"{info.size.width * info.mpp.x / 1000:.2f} × {info.size.height * info.mpp.y / 1000:.2f} mm"
    square = f"{info.mpp.x:.4g} µm/px"
    scale = square if info.mpp.x == info.mpp.y else f"{info.mpp.x:.4g} × {info.mpp.y:.4g} µm/px"
    return ProvenanceGroup(
        "Slide",
        (
            ProvenanceRow("File", info.name),
            ProvenanceRow("Fingerprint", info.fingerprint, mono=True),
            ProvenanceRow("Size", f"{info.size.width:,} × {info.size.height:,} px ({size_mm})"),
            ProvenanceRow("Resolution", f"{scale}, stated by {info.mpp_source}"),
            ProvenanceRow(
                "Objective", "not stated" if info.objective_power is None else f"{info.objective_power:g}×"
            ),
            ProvenanceRow("Reader", info.reader),
        ),
    )


def _detector_group(findings: Findings) -> ProvenanceGroup:
    bundle = findings.run.bundle
    manifest = bundle.manifest
    training = "; ".join(f"{source.name} ({source.licence})" for source in manifest.training)
    return ProvenanceGroup(
        "Detector",
        (
            ProvenanceRow("Bundle", manifest.source),
            ProvenanceRow("Fingerprint", bundle.fingerprint, mono=True),
            ProvenanceRow("Architecture", manifest.architecture),
            ProvenanceRow("Resolution", f"{manifest.mpp:g} µm/px"),
            ProvenanceRow("Training data", training),
            ProvenanceRow("Licence", manifest.licence),
            ProvenanceRow("F1 [95 %]", "; ".join(_scores(manifest.metrics)) or "not stated"),
        ),
    )


def _scores(metrics: Sequence[Metric]) -> list[str]:
    """Return the F1 on each set in words; precision and recall are in the model card."""
    return [
        f"{metric.value:.2f} [{metric.ci_low:.2f}, {metric.ci_high:.2f}] on {metric.dataset}"
        for metric in metrics
        if metric.name.casefold() == "f1"
    ]


def _run_group(findings: Findings) -> ProvenanceGroup:
    run, region = findings.run, findings.run.region_px0
    where = f"{region.width:,.0f} × {region.height:,.0f} px from x {region.x:.0f}, y {region.y:.0f}"
    gaps = "none" if not run.gaps else f"{len(run.gaps):,}, {say_area(run.gap_mm2)}"
    return ProvenanceGroup(
        "Run",
        (
            ProvenanceRow("Status", run.status.replace("_", " ")),
            ProvenanceRow("Region", "whole slide" if findings.region is None else where),
            ProvenanceRow("Gaps", gaps),
            ProvenanceRow("Threshold", f"{say_threshold(run.threshold)} ({run.threshold_source})"),
            ProvenanceRow("Configuration", run.config.fingerprint(), mono=True),
        ),
    )


def _software_group(findings: Findings) -> ProvenanceGroup:
    versions = sorted(findings.run.versions.items())
    return ProvenanceGroup("Software", tuple(ProvenanceRow(name, version) for name, version in versions))
