"""What a network is worth on test slides: scores by stage, group and measure, as flat JSON values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Bundle
from mitoscope.bundle.network import open_network, score_windows
from mitoscope.detections import Detections
from mitoscope.errors import FormatError
from mitoscope.evaluate import (
    PROTOCOLS,
    Protocol,
    Steps,
    average_precision,
    choose_threshold,
    iou_protocol,
    precision_recall,
)
from mitoscope.experiments.trained.declaration import Threshold
from mitoscope.experiments.trained.slides import SlideSet, domain_of, mpp_of
from mitoscope.geometry import Mpp
from mitoscope.infer import DetectConfig, detect_slide
from mitoscope.search import crop_at
from mitoscope.statistics import Average, ConfusionMatrix, roc_auc

Scores = dict[str, float | None]
ALL: Final = "all"
"""Group of all test slides."""
_BATCH: Final = 32
_CURVE_POINTS: Final = 201


@dataclass(frozen=True)
class Bench:
    """How networks are tested.

    Parameters
    ----------
    protocol : str
        Matching rule of points.
    device : str
    threads : int
    folder : Path
        Where runs over slides are kept; one that was stopped is gone on with.
    """

    protocol: str
    device: str
    threads: int
    folder: Path

    def config(self, bundle: Bundle, stage: str, mpp: float | None) -> DetectConfig:
        """Return how a slide is searched."""
        values = {
            "stage": stage if bundle.manifest.verifier is not None else None,
            "mpp": mpp,
            "threads": self.threads,
            "provider": self.device,
        }
        return DetectConfig.parse(values, where="experiment")


class _OnSlide(NamedTuple):
    groups: tuple[str, ...]
    """All, its set, its domain."""
    case: str
    steps: Steps
    """Under the protocol."""
    overlap: Steps
    """Under intersection over union 0.5."""


def judge_points(
    bundle: Bundle, sets: Sequence[SlideSet], bench: Bench, *, threshold: Threshold = "own"
) -> dict[str, Any]:
    """Search the test slides, and judge each stage under the protocol.

    Parameters
    ----------
    bundle : Bundle
    sets : sequence of SlideSet
    bench : Bench
    threshold : {"own", "target"} or float
        That of the network, one chosen on the slides of the sets that do not test, or a fixed one.

    Returns
    -------
    dict
        ``scores``: by ``stage/group/measure``, with f1, precision, recall, max-f1 (the greatest over
        thresholds), ap (average precision at an overlap of 0.5), mean-f1 and sd-f1 (over cases);
        ``thresholds`` of each stage; ``target``: F1 of each stage on the slides that chose its threshold;
        ``curves``: ``stage/group`` → recall and precision over thresholds, from high to low.
    """
    stages = {"proposals": bundle.manifest.default_threshold}
    if (verifier := bundle.manifest.verifier) is not None:
        stages = {"proposals": verifier.proposal_threshold, "verified": bundle.manifest.default_threshold}
    scores: Scores = {}
    curves: dict[str, list[list[float]]] = {}
    chosen: dict[str, float | None] = {}
    for stage in stages:
        if threshold == "target":
            target = Steps.total(
                result.steps for result in _searched(bundle, sets, bench, stage=stage, testing=False)
            )
            stages[stage] = choose_threshold(target).value
            chosen[stage] = target.at(stages[stage]).f1
        elif threshold != "own":
            stages[stage] = threshold
        found = list(_searched(bundle, sets, bench, stage=stage, testing=True))
        for group in dict.fromkeys(name for result in found for name in result.groups):
            own = [result for result in found if group in result.groups]
            rates = _rates(own, stages[stage])
            scores |= {f"{stage}/{group}/{name}": value for name, value in rates.items()}
            curves[f"{stage}/{group}"] = _curve(Steps.total(result.steps for result in own))
    return {"scores": scores, "thresholds": stages, "curves": curves, "target": chosen}


def _curve(steps: Steps) -> list[list[float]]:
    """Return recall and precision at up to `_CURVE_POINTS` thresholds."""
    whole = precision_recall(steps)
    pairs = np.column_stack([whole.recall, whole.precision])
    pairs = pairs[np.isfinite(pairs).all(axis=1)]
    kept = np.unique(np.linspace(0, max(len(pairs) - 1, 0), _CURVE_POINTS).round().astype(int))
    return pairs[kept].round(4).tolist() if len(pairs) else []


def _searched(
    bundle: Bundle, sets: Sequence[SlideSet], bench: Bench, *, stage: str, testing: bool
) -> Iterable[_OnSlide]:
    protocol, overlap = PROTOCOLS[bench.protocol], iou_protocol(0.5)
    for slide_set in sets:
        for slide in slide_set.slides(testing=testing):
            config = bench.config(bundle, stage, mpp_of(slide))
            file = slide_set.files[slide.name]
            run = detect_slide(file, bundle, bench.folder / slide_set.name, config=config)
            examined, mpp = slide.examined, run.slide.mpp
            truth = slide.cells.figures_px0
            truth = truth[examined.contains(truth)]
            found = run.detections.take(examined.contains(run.detections.points_px0))
            groups = tuple(dict.fromkeys((ALL, slide_set.name, domain_of(slide, slide_set.name))))
            own = (_steps(rule, found, truth, mpp) for rule in (protocol, overlap))
            yield _OnSlide(groups, slide.case, *own)


def _steps(rule: Protocol, found: Detections, truth: NDArray[np.float64], mpp: Mpp) -> Steps:
    return rule.sweep(found.points_px0, found.score, truth, mpp=mpp).steps


def _rates(found: Sequence[_OnSlide], threshold: float) -> Scores:
    steps = Steps.total(result.steps for result in found)
    score, curve = steps.at(threshold), precision_recall(steps)
    greatest = float(np.nanmax(curve.f1)) if np.isfinite(curve.f1).any() else None
    by_case: dict[str, list[Steps]] = {}
    for result in found:
        by_case.setdefault(result.case, []).append(result.steps)
    each = Average.of(Steps.total(own).at(threshold).f1 for own in by_case.values())
    return {
        "f1": score.f1,
        "precision": score.precision,
        "recall": score.recall,
        "max-f1": greatest,
        "ap": average_precision(Steps.total(result.overlap for result in found)),
        "mean-f1": each.mean,
        "sd-f1": each.sd,
        "cases": float(len(by_case)),
        "slides": float(len(found)),
        "figures": float(score.tp + score.fn),
    }


def judge_cells(bundle: Bundle, sets: Sequence[SlideSet], *, threads: int) -> Scores:
    """Classify the labelled cells of the test slides.

    Returns
    -------
    dict
        accuracy; ``precision``, ``recall``, ``f1``, ``auc`` (one class against the others) and ``cells`` of
        each class; ``true>taken for`` of pairs.
    """
    manifest = bundle.manifest
    session = open_network(bundle.onnx, where=str(bundle.folder), threads=threads)
    total = ConfusionMatrix.of([], [], labels=manifest.labels)
    probabilities, classes = [np.empty((0, len(manifest.labels)))], [np.empty(0, np.str_)]
    for slide_set in sets:
        for slide in slide_set.slides(testing=True):
            field = slide_set.field(slide, mpp=manifest.mpp)
            known = np.isin(field.labels.label, manifest.labels)
            centres = field.labels.points[known].tolist()
            crops = [field.window(crop_at(x, y, manifest.window_px)) for x, y in centres]
            if not crops:
                continue
            scored = scored_windows(session, crops)
            taken = [manifest.labels[index] for index in scored.argmax(axis=1).tolist()]
            true = field.labels.label[known]
            total += ConfusionMatrix.of(true.tolist(), taken, labels=manifest.labels)
            probabilities.append(scored.astype(np.float64))
            classes.append(true)
    probability, truth = np.concatenate(probabilities), np.concatenate(classes)
    scores: Scores = {"accuracy": total.accuracy}
    for row, label in enumerate(total.labels):
        own = total.one_against_all(label)
        scores |= {f"precision/{label}": own.precision, f"recall/{label}": own.recall, f"f1/{label}": own.f1}
        scores[f"auc/{label}"] = roc_auc(probability[:, row], truth == label)
        scores[f"cells/{label}"] = float(total.counts[row].sum())
        pairs = zip(total.labels, total.counts[row].tolist(), strict=True)
        scores |= {f"{label}>{other}": float(count) for other, count in pairs}
    return scores


def scored_windows(session: Any, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
    """Return the scores of windows, shape (n, outputs)."""
    starts = range(0, len(crops), _BATCH)
    return np.concatenate([score_windows(session, np.stack(crops[at : at + _BATCH])) for at in starts])


def score_of(result: Mapping[str, Any], name: str) -> float | None:
    """Return a score of a finished cell; None where it is 0/0.

    Raises
    ------
    FormatError
        If there is none of that name.
    """
    scores: Mapping[str, float | None] = result["scores"]
    if name not in scores:
        known = ", ".join(sorted(scores)[:12])
        raise FormatError(f"no score {name!r}", where="columns", mend=f"there are {known}, ...")
    return scores[name]
