"""Small synthetic slides with their truth, and recipes that learn a little in seconds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.geometry import Mpp, SizePx
from mitoscope.slide.synthetic import PaintedTruth, SyntheticSlideConfig, write_slide
from mitoscope.store import SlideRecord
from tests.curation.simulated import KnownCells

SIDE = 640


def synthetic_slides(folder: Path, slides: int, *, side: int = SIDE) -> dict[SlideRecord, KnownCells]:
    """Write slides full of tissue, dense in figures and look-alikes, and return their true cells."""
    truths = [write_slide(folder / f"slide {n}.tiff", dense(side, seed=n)) for n in range(slides)]
    return {record_of(truth, n): true_cells(truth) for n, truth in enumerate(truths)}


def dense(side: int, *, seed: int) -> SyntheticSlideConfig:
    """Return the configuration of a small slide without glass, dense in cells."""
    densities = {"mitoses_per_mm2": 300.0, "hot_spot_mitoses_per_mm2": 300.0, "look_alikes_per_mm2": 300.0}
    clean = {"fat": False, "necrosis": False, "ink": False, "dust": False, "out_of_focus": False}
    values: dict[str, Any] = densities | clean
    return SyntheticSlideConfig.of(
        width=side, height=side, seed=seed, tissue_fraction=1.0, tumour_fraction=1.0, tile_px=256, **values
    )


def record_of(truth: PaintedTruth, number: int) -> SlideRecord:
    """Return the slide as a study knows it; each is its own case."""
    size = SizePx(truth.config.width, truth.config.height)
    return SlideRecord(truth.image, size, Mpp.square(truth.config.mpp), case=f"case {number}")


def true_cells(truth: PaintedTruth) -> KnownCells:
    """Return what was painted."""
    points = np.array([(one.x_px0, one.y_px0) for one in truth.figures]).reshape(-1, 2)
    return KnownCells(points, tuple(one.label for one in truth.figures))


DETECTOR: dict[str, Any] = {
    "model": {"architecture": "fcn-resnet12", "widths": [16, 16, 16]},
    "data": {
        "source": {"kind": "open-data"},
        "split": {"every_nth": 2},
        "sampling": {"kind": "semi", "window_px": 64, "foreground": 4, "bg_hard": 2, "bg_random": 2},
    },
    "phases": [{"steps": 100, "learning_rate": 0.004}],
    "validation": {"every": 50},
    "run": {"checkpoint_every": 20, "tensorboard": False},
}
CLASSIFIER: dict[str, Any] = {
    "model": {"architecture": "classifier", "backbone": "resnet10t", "patch_px": 32},
    "data": {
        "source": {"kind": "open-data"},
        "split": {"every_nth": 2},
        "sampling": {"kind": "crops", "window_px": 32, "batch": 8},
    },
    "phases": [{"steps": 6, "learning_rate": 0.002}],
    "validation": {"metric": "auc", "every": 3, "batches": 2},
    "run": {"checkpoint_every": 3, "tensorboard": False},
}
