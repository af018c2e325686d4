"""The provenance on the page: where the slide, the detector and the software came from."""

from __future__ import annotations

from collections.abc import Sequence

from mitoscope.bundle import Metric
from mitoscope.report.findings import Findings
from mitoscope.report.page import Group, Row
from mitoscope.report.wording import say_area, say_threshold


def write_provenance(findings: Findings) -> tuple[Group, ...]:
    """Write the provenance of a result."""
    return (_slide(findings), _run(findings), _software(findings), _detector(findings))


def _slide(findings: Findings) -> Group:
    info = findings.info
    size_mm = f"{info.size.width * info.mpp.x / 1000:.2f} × {info.size.height * info.mpp.y / 1000:.2f} mm"
    square = f"{info.mpp.x:.4g} µm/px"
    scale = square if info.mpp.x == info.mpp.y else f"{info.mpp.x:.4g} × {info.mpp.y:.4g} µm/px"
    return Group(
        "Slide",
        (
            Row("File", info.name),
            Row("Fingerprint", info.fingerprint, mono=True),
            Row("Size", f"{info.size.width:,} × {info.size.height:,} px ({size_mm})"),
            Row("Resolution", f"{scale}, stated by {info.mpp_source}"),
            Row("Objective", "not stated" if info.objective_power is None else f"{info.objective_power:g}×"),
            Row("Reader", info.reader),
        ),
    )


def _detector(findings: Findings) -> Group:
    bundle = findings.run.bundle
    manifest = bundle.manifest
    training = "; ".join(f"{source.name} ({source.licence})" for source in manifest.training)
    return Group(
        "Detector",
        (
            Row("Bundle", manifest.source),
            Row("Fingerprint", bundle.fingerprint, mono=True),
            Row("Architecture", manifest.architecture),
            Row("Resolution", f"{manifest.mpp:g} µm/px"),
            Row("Training data", training),
            Row("Licence", manifest.licence),
            Row("F1 [95 %]", "; ".join(_scores(manifest.metrics)) or "not stated"),
        ),
    )


def _scores(metrics: Sequence[Metric]) -> list[str]:
    """Return the F1 on each set in words; precision and recall are in the model card."""
    return [
        f"{metric.value:.2f} [{metric.ci_low:.2f}, {metric.ci_high:.2f}] on {metric.dataset}"
        for metric in metrics
        if metric.name.casefold() == "f1"
    ]


def _run(findings: Findings) -> Group:
    run, region = findings.run, findings.run.region_px0
    where = f"{region.width:,.0f} × {region.height:,.0f} px from x {region.x:.0f}, y {region.y:.0f}"
    gaps = "none" if not run.gaps else f"{len(run.gaps):,}, {say_area(run.gap_mm2)}"
    return Group(
        "Run",
        (
            Row("Status", run.status.replace("_", " ")),
            Row("Region", "whole slide" if findings.region is None else where),
            Row("Gaps", gaps),
            Row("Threshold", f"{say_threshold(run.threshold)} ({run.threshold_source})"),
            Row("Configuration", run.config.fingerprint(), mono=True),
        ),
    )


def _software(findings: Findings) -> Group:
    versions = sorted(findings.run.versions.items())
    return Group("Software", tuple(Row(name, version) for name, version in versions))
