"""Made detections and figures of many images."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.evaluate import Protocol, Steps

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


def swept(made: Made, protocol: Protocol) -> dict[str, Steps]:
    """Return the steps of each image."""
    predictions, truth = made
    return {
        image: protocol.sweep(found.points_px0, found.score, truth[image]).steps
        for image, found in predictions.items()
    }
