"""An evaluation as JSON values; what is undefined (0/0) is null."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from mitoscope.evaluate.curves import choose_threshold
from mitoscope.evaluate.froc import FALSE_PER_IMAGE, froc, midog_froc_auc

if TYPE_CHECKING:
    from mitoscope.evaluate.calibration import Reliability
    from mitoscope.evaluate.evaluation import Evaluation
    from mitoscope.evaluate.interval import Interval
    from mitoscope.evaluate.look_alikes import LookAlikeScore
    from mitoscope.evaluate.score import Score
    from mitoscope.evaluate.steps import Steps


def describe(judged: Evaluation) -> dict[str, Any]:
    """Return everything that an evaluation states."""
    return {
        "protocol": judged.protocol.name,
        "source": judged.protocol.source,
        "radius": judged.radius,
        "threshold": judged.threshold,
        "threshold_source": judged.threshold_source,
        **share_dict(judged.score),
        "average": "micro: pooled over all images",
        "images": len(judged.images),
        "cases": len(judged.case_scores),
        "intervals_95": {
            "precision": ends(judged.intervals.precision),
            "recall": ends(judged.intervals.recall),
            "f1": ends(judged.intervals.f1),
            "average_precision": ends(judged.average_precision_interval),
            "by": "case",
            "repeats": judged.repeats,
        },
        "mean_over_images": asdict(judged.mean_over_images),
        "mean_over_cases": asdict(judged.mean_over_cases),
        "average_precision": judged.average_precision,
        "average_precision_interpolation": "101 recalls (COCO)",
        "best_f1": _best_f1(judged.total_steps),
        "froc": _froc(judged.total_steps, len(judged.images)),
        "calibration": _calibration(judged.reliability()),
        "look_alikes": None if judged.look_alikes is None else _look_alikes(judged.look_alikes),
        "duplicates": judged.duplicates,
        "without_predictions": list(judged.without_predictions),
        "without_truth": list(judged.without_truth),
        "per_image": {image: share_dict(score) for image, score in judged.images.items()},
    }


def share_dict(score: Score) -> dict[str, Any]:
    """Return counts and shares."""
    return {
        "tp": score.tp,
        "fp": score.fp,
        "fn": score.fn,
        "precision": score.precision,
        "recall": score.recall,
        "f1": score.f1,
    }


def ends(interval: Interval | None) -> list[float] | None:
    """Return the ends of an interval."""
    return None if interval is None else [interval.low, interval.high]


def _best_f1(pooled: Steps) -> dict[str, Any] | None:
    if not len(pooled.score):
        return None
    best = choose_threshold(pooled, chosen_on="test set")
    note = "greatest F1 over all thresholds on the judged images themselves: an upper bound"
    return {"f1": best.score.f1, "threshold": best.value, "note": note}


def _froc(pooled: Steps, images: int) -> dict[str, Any] | None:
    if pooled.figures == 0:
        return None
    return {
        "mean_recall": froc(pooled, images=images).mean_recall(),
        "at_false_positives_per_image": list(FALSE_PER_IMAGE),
        "midog25_auc": midog_froc_auc(pooled, images=images),
        "midog25_auc_of": 8,
    }


def _calibration(curve: Reliability) -> dict[str, Any]:
    columns = (curve.edges[:-1], curve.edges[1:], curve.n, curve.mean_score, curve.true_share)
    names = ("from", "to", "n", "mean_score", "true_share")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "of": "all candidates, whatever the threshold",
        "ece": curve.ece,
        "largest_gap": curve.largest_gap,
        "bins": [{name: _null(one) for name, one in zip(names, row, strict=True)} for row in rows],
    }


def _null(value: float) -> float | None:
    return None if np.isnan(value) else value


def _look_alikes(found: LookAlikeScore) -> dict[str, Any]:
    return {
        **asdict(found),
        "precision_among_look_alikes": found.precision_among_look_alikes,
        "share_mistaken": found.share_mistaken,
    }
