"""Made detections and figures of many images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.detections import Detections
from mitoscope.evaluate import Protocol, Steps
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

Made = tuple[dict[str, Detections], dict[str, NDArray[np.float64]]]


def make(images: int = 6, figures: int = 12, *, seed: int = 0, better: float = 0.0) -> Made:
    """Return predictions and truth: two thirds of the detections near a figure, with higher scores."""
    generator = np.random.default_rng(seed)
    predictions, truth = {}, {}
    for image in range(images):
        true = generator.random((figures, 2)) * 2000
        points = true + generator.normal(0, 8, true.shape)
        strangers = generator.random(figures) < 1 / 3
        points[strangers] = generator.random((int(strangers.sum()), 2)) * 2000
        score = np.where(strangers, 0.4 - better, 0.6 + better) + generator.uniform(-0.3, 0.3, figures)
        predictions[f"image {image}"] = Detections.of(points, np.clip(score, 0, 1))
        truth[f"image {image}"] = true
    return predictions, truth


def truth_of(
    figures: Mapping[str, ArrayLike],
    *,
    cases: Mapping[str, str] | None = None,
    look_alikes: Mapping[str, ArrayLike] | None = None,
    mpp: Mpp | None = None,
    examined: ExaminedArea | None = None,
) -> GroundTruth:
    """Return figures and look-alikes of images, by default looked at in full, as ground truth."""
    slides = []
    for image, points in figures.items():
        true = np.asarray(points, np.float64).reshape(-1, 2)
        others = np.asarray((look_alikes or {}).get(image, []), np.float64).reshape(-1, 2)
        label = [MITOTIC_FIGURE.name] * len(true) + [LOOK_ALIKE.name] * len(others)
        slides.append(
            SlideTruth(
                image,
                TrueCells.of(np.concatenate([true, others]), label),
                case=(cases or {}).get(image, ""),
                mpp=mpp,
                stated_examined=examined or ExaminedArea.whole("a test"),
            )
        )
    return GroundTruth(tuple(slides), source="a test")


def swept(made: Made, protocol: Protocol) -> dict[str, Steps]:
    """Return the steps of each image."""
    predictions, truth = made
    return {
        image: protocol.sweep(found.points_px0, found.score, truth[image]).steps
        for image, found in predictions.items()
    }
