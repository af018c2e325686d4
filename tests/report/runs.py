"""Painted slides and runs over them, as `detect_slide` returns them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy import ndimage

from mitoscope.bundle import Bundle, Manifest
from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx0
from mitoscope.infer import Correction, DetectConfig, SlideRun, Timings
from mitoscope.slide import open_slide
from mitoscope.tissue import find_tissue

SHA = "0123456789abcdef" * 4
SIZE = (800, 600)
MPP = 0.5

MANIFEST: dict[str, Any] = {
    "format": "mitoscope-bundle/1",
    "name": "painted-fcn",
    "version": "1.2.0",
    "architecture": "fcn-resnet12",
    "summary": "A detector for tests.",
    "licence": "Apache-2.0",
    "mpp": 0.25,
    "mpp_min": 0.1,
    "mpp_max": 1.0,
    "normalisation": {"description": "rgb / 255", "mean": (0.0, 0.0, 0.0), "std": (1.0, 1.0, 1.0)},
    "stride_px": 8,
    "window_px": 512,
    "halo_px": 64,
    "top_k": 128,
    "score_floor": 0.05,
    "points": ({"name": "f1", "protocol": "tupac", "threshold": 0.5, "chosen_on": "fields"},),
    "training": (
        {"name": "Crops <of> tests", "licence": "CC0-1.0", "attribution": "nobody", "sha256": (SHA,)},
    ),
    "metrics": (
        {
            "name": "f1",
            "dataset": "fields",
            "protocol": "tupac",
            "value": 0.6,
            "ci_low": 0.5,
            "ci_high": 0.7,
            "images": 35,
        },
    ),
    "detector": "detector.onnx",
    "self_test": {"image": "self-test.png", "points": ((1.0, 2.0, 0.9),)},
    "files": {name: {"bytes": 1, "sha256": SHA} for name in ("detector.onnx", "self-test.png")},
}


def bundle_of(manifest: dict[str, Any]) -> Bundle:
    """Return a bundle of which only the manifest is read."""
    return Bundle(
        manifest=Manifest.model_validate(manifest), folder=Path("nowhere"), fingerprint=SHA, any_window=True
    )


def paint_slide(path: Path, *, size: tuple[int, int] = SIZE, tissue: bool = True) -> Path:
    """Write glass with an island of pink stroma and violet nuclei; as PNG, so lossless."""
    width, height = size
    rng = np.random.default_rng(7)
    rgb: NDArray[np.float64] = np.full((height, width, 3), 243.0)
    if tissue:
        rows, columns = np.ogrid[:height, :width]
        island = ((columns / width - 0.5) / 0.42) ** 2 + ((rows / height - 0.5) / 0.42) ** 2 < 1
        cells = ndimage.gaussian_filter(rng.random((height, width)), 4.0)
        share = np.clip((cells - np.quantile(cells, 0.7)) / (np.ptp(cells) * 0.15), 0, 1)[..., None]
        stain = np.array([228.0, 160.0, 200.0]) * (1 - share) + np.array([90.0, 55.0, 140.0]) * share
        rgb = np.where(island[..., None], stain, rgb)
    Image.fromarray(np.round(rgb).astype(np.uint8)).save(path)
    return path


def scatter(n: int, *, size: tuple[int, int] = SIZE, seed: int = 11) -> Detections:
    """Return candidates in the island, denser towards its right, with scores above the floor."""
    rng = np.random.default_rng(seed)
    spread = np.array([0.15 * size[0], 0.15 * size[1]])
    points = rng.normal([0.6 * size[0], 0.5 * size[1]], spread, (n, 2))
    points = np.clip(points, [0.3 * size[0], 0.3 * size[1]], [0.75 * size[0], 0.7 * size[1]])
    return Detections.of(points, rng.uniform(0.06, 0.99, n), source="painted-fcn 1.2.0").sort()


CALIBRATION: dict[str, Any] = {"slope": 2.0, "intercept": -1.0, "fitted_on": "fields of one laboratory"}
FIGURES: dict[str, Any] = {"share": 0.1, "candidates": 400, "images": 20}


def corrected(run: SlideRun) -> SlideRun:
    """Return the run as that of a bundle that states the share of figures for which its scores hold."""
    bundle = bundle_of(MANIFEST | {"calibration": CALIBRATION | {"figures": FIGURES}})
    line, before = bundle.manifest.calibration, run.detections.score
    assert line is not None
    shift = line.prior_shift(before)
    assert shift is not None
    moved = run.detections.with_score(np.round(shift(before), 6))
    order = moved.order()
    correction = Correction(shift, before[order], line)
    return replace(run, bundle=bundle, detections=moved.take(order), correction=correction)


def run_on(
    slide_file: Path,
    detections: Detections | None = None,
    *,
    gaps: tuple[BoxPx0, ...] = (),
    threshold: float = 0.5,
    roi: tuple[float, float, float, float] | None = None,
    wall_s: float = 12.5,
    notes: tuple[str, ...] = (),
) -> SlideRun:
    """Return the run that a detector with these findings would have made."""
    config = DetectConfig(mpp=MPP, roi=roi)
    with open_slide(slide_file, mpp=MPP, probe=False) as slide:
        info, tissue = slide.info, find_tissue(slide)
    region = BoxPx0(*roi) if roi else BoxPx0(0.0, 0.0, float(info.size.width), float(info.size.height))
    bundle = bundle_of(MANIFEST)
    return SlideRun(
        slide=info,
        bundle=bundle,
        config=config,
        detections=scatter(120) if detections is None else detections,
        threshold=threshold,
        threshold_source="painted-fcn 1.2.0, point f1, greatest F1 on fields",
        region_px0=region,
        tissue=tissue,
        tissue_mm2=tissue.area_in(region),
        gaps=gaps,
        gap_mm2=sum(gap.area_mm2(info.mpp) for gap in gaps),
        status="complete_with_gaps" if gaps else "complete",
        timings=Timings(0.1, 2.0, 9.0, wall_s, 1),
        versions={"mitoscope": "0.1.0", "onnxruntime": "1.20.0", "reader": info.reader},
        notes=notes,
        ledger=slide_file.with_suffix(".ledger"),
        point=bundle.manifest.point(),
    )
