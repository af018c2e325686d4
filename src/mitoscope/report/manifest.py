"""The manifest of a result: everything that led to the number, and the hash of every other file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

from mitoscope.fsio import sha256_file
from mitoscope.geometry import BoxPx, BoxPx0, PointPx0
from mitoscope.report.findings import Findings

FORMAT = "mitoscope-result/1"
"""Name and version of the format."""
ORIGIN = PointPx0(0.0, 0.0)
"""Corner of the full slide."""
USE = "For research use only. Not for diagnostic use."


@dataclass(frozen=True, slots=True)
class OutputFile:
    """A file written beside the manifest."""

    name: str
    size_bytes: int
    sha256: str


def describe_file(path: Path) -> OutputFile:
    """Return name, size and hash of a file as it lies on disk."""
    return OutputFile(path.name, path.stat().st_size, sha256_file(path))


def write_manifest(
    findings: Findings, files: list[OutputFile], *, geojson_origin: PointPx0 = ORIGIN
) -> bytes:
    """Return the manifest as JSON.

    The same findings and files give the same bytes but for the part ``timings``.

    Parameters
    ----------
    findings : Findings
        What was found.
    files : list of OutputFile
        All other files of the result.
    geojson_origin : PointPx0
        From where the GeoJSON's coordinates count; those of all other files count from the slide's corner.
    """
    values = {
        "format": FORMAT,
        "use": USE,
        "slide": _slide(findings),
        "detector": _detector(findings),
        "configuration": findings.run.config.model_dump(mode="json"),
        "threshold": {"value": findings.run.threshold, "source": findings.run.threshold_source},
        "search": _search(findings),
        "mitotic_count": _count(findings),
        "notes": list(findings.run.notes),
        "versions": dict(sorted(findings.run.versions.items())),
        "geojson_origin_px0": [geojson_origin.x, geojson_origin.y],
        "files": {file.name: {"bytes": file.size_bytes, "sha256": file.sha256} for file in files},
        "timings": asdict(findings.run.timings),
    }
    # ASCII only: a file name that is not Unicode still makes a valid file.
    return (json.dumps(values, indent=2, allow_nan=False) + "\n").encode("ascii")


def _slide(findings: Findings) -> dict[str, object]:
    info = findings.info
    return {
        "name": info.name,
        "fingerprint": info.fingerprint,
        "size_px0": [info.size.width, info.size.height],
        "mpp": [info.mpp.x, info.mpp.y],
        "mpp_source": info.mpp_source,
        "objective_power": info.objective_power,
        "bounds_px0": None if info.bounds is None else box_values(info.bounds),
        "vendor": info.vendor,
        "reader": info.reader,
        "reader_reason": info.reader_reason,
    }


def _detector(findings: Findings) -> dict[str, object]:
    manifest = findings.run.bundle.manifest
    return {
        "name": manifest.name,
        "version": manifest.version,
        "fingerprint": findings.run.bundle.fingerprint,
        "architecture": manifest.architecture,
        "licence": manifest.licence,
        "mpp": manifest.mpp,
        "score_floor": manifest.score_floor,
        "verifier": None if manifest.verifier is None else manifest.verifier.model_dump(mode="json"),
        "calibration": None if manifest.calibration is None else manifest.calibration.model_dump(mode="json"),
        "training": [{"name": source.name, "licence": source.licence} for source in manifest.training],
    }


def _search(findings: Findings) -> dict[str, object]:
    run = findings.run
    return {
        "status": run.status,
        "stage": run.stage,
        "region_px0": box_values(run.region_px0),
        "tissue_mm2": run.tissue_mm2,
        "tissue_px0_per_pixel": list(run.tissue.px0_per_pixel),
        "tissue_unread_px0": [box_values(box) for box in run.tissue.unread_px0],
        "gaps_px0": [box_values(gap) for gap in run.gaps],
        "gap_mm2": run.gap_mm2,
        "candidates": len(findings.candidates),
        "mitotic_figures": findings.n_figures,
    }


def _count(findings: Findings) -> dict[str, object]:
    spot = findings.hot_spot
    stated = None if findings.refusal else spot.per_mm2
    return {
        "count": findings.count,
        "refused": findings.refusal or None,
        "hot_spot_px0": None if findings.window is None else box_values(findings.window),
        "area_mm2": spot.area_mm2,
        "requested_mm2": spot.requested_mm2,
        "aspect": [spot.aspect.width, spot.aspect.height],
        "covered_mm2": spot.covered_mm2,
        "fits": spot.fits,
        "per_mm2": stated,
        "note": spot.note or None,
    }


def box_values(box: BoxPx0 | BoxPx) -> list[float]:
    """Return x, y, width and height."""
    return [box.x, box.y, box.width, box.height]
