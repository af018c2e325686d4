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
from mitoscope.curation.select import ScoredTiles, score_tiles
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
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.infer import DetectConfig, detect_slide
from mitoscope.search import crop_at
from mitoscope.statistics import Average, ConfusionMatrix, rates_at, roc_auc
from mitoscope.truth import SlideTruth

Scores = dict[str, float | None]
ALL: Final = "all"
"""Group of all test slides."""
TILE_PX: Final = 250
"""Side of a test tile in level-0 pixels at 40x (Ji et al.: 196,000 tiles of 250 × 250)."""
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
        thresholds), ap (average precision at an overlap of 0.5) and mean-f1 (over slides); ``thresholds`` of
        each stage; ``curves``: ``stage/group`` → recall and precision over thresholds, from high to low.
    """
    stages = {"proposals": bundle.manifest.default_threshold}
    if (verifier := bundle.manifest.verifier) is not None:
        stages = {"proposals": verifier.proposal_threshold, "verified": bundle.manifest.default_threshold}
    scores: Scores = {}
    curves: dict[str, list[list[float]]] = {}
    for stage in stages:
        if threshold == "target":
            target = _searched(bundle, sets, bench, stage=stage, testing=False)
            stages[stage] = choose_threshold(Steps.total(result.steps for result in target)).value
        elif threshold != "own":
            stages[stage] = threshold
        found = list(_searched(bundle, sets, bench, stage=stage, testing=True))
        for group in dict.fromkeys(name for result in found for name in result.groups):
            own = [result for result in found if group in result.groups]
            rates = _rates(own, stages[stage])
            scores |= {f"{stage}/{group}/{name}": value for name, value in rates.items()}
            curves[f"{stage}/{group}"] = _curve(Steps.total(result.steps for result in own))
    return {"scores": scores, "thresholds": stages, "curves": curves}


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
            truth = slide.cells.figures_px0
            mpp = run.slide.mpp
            groups = tuple(dict.fromkeys((ALL, slide_set.name, domain_of(slide, slide_set.name))))
            own = (_steps(rule, run.detections, truth, mpp) for rule in (protocol, overlap))
            yield _OnSlide(groups, *own)


def _steps(rule: Protocol, found: Detections, truth: NDArray[np.float64], mpp: Mpp) -> Steps:
    return rule.sweep(found.points_px0, found.score, truth, mpp=mpp).steps


def _rates(found: Sequence[_OnSlide], threshold: float) -> Scores:
    steps = Steps.total(result.steps for result in found)
    score, curve = steps.at(threshold), precision_recall(steps)
    greatest = float(np.nanmax(curve.f1)) if np.isfinite(curve.f1).any() else None
    each = Average.of(result.steps.at(threshold).f1 for result in found)
    return {
        "f1": score.f1,
        "precision": score.precision,
        "recall": score.recall,
        "max-f1": greatest,
        "ap": average_precision(Steps.total(result.overlap for result in found)),
        "mean-f1": each.mean,
        "slides": float(len(found)),
        "figures": float(score.tp + score.fn),
    }


def judge_cells(bundle: Bundle, sets: Sequence[SlideSet], *, threads: int) -> Scores:
    """Classify the labelled cells of the test slides.

    Returns
    -------
    dict
        accuracy; ``precision``, ``recall``, ``f1`` and ``cells`` of each class; ``true>taken for`` of pairs.
    """
    manifest = bundle.manifest
    session = open_network(bundle.onnx, where=str(bundle.folder), threads=threads)
    total = ConfusionMatrix.of([], [], labels=manifest.labels)
    for slide_set in sets:
        for slide in slide_set.slides(testing=True):
            field = slide_set.field(slide, mpp=manifest.mpp)
            known = np.isin(field.labels.label, manifest.labels)
            centres = field.labels.points[known].tolist()
            crops = [field.window(crop_at(x, y, manifest.window_px)) for x, y in centres]
            best = _scored(session, crops).argmax(axis=1) if crops else np.empty(0, np.intp)
            taken = [manifest.labels[index] for index in best.tolist()]
            true = field.labels.label[known].tolist()
            total += ConfusionMatrix.of(true, taken, labels=manifest.labels)
    scores: Scores = {"accuracy": total.accuracy}
    for row, label in enumerate(total.labels):
        own = total.one_against_all(label)
        scores |= {f"precision/{label}": own.precision, f"recall/{label}": own.recall, f"f1/{label}": own.f1}
        scores[f"cells/{label}"] = float(total.counts[row].sum())
        pairs = zip(total.labels, total.counts[row].tolist(), strict=True)
        scores |= {f"{label}>{other}": float(count) for other, count in pairs}
    return scores


def judge_tile_rates(
    bundle: Bundle, sets: Sequence[SlideSet], bench: Bench, *, thresholds: Sequence[float]
) -> Scores:
    """Judge tiles of 250 px by whether they hold a figure: detectors by their best candidate in a tile.

    Returns
    -------
    dict
        ``group/auc`` and, at each threshold, ``group/tpr@T``, ``group/fpr@T``, ``group/precision@T``,
        ``group/f1@T``.
    """
    scored: dict[str, list[tuple[NDArray[np.float64], NDArray[np.bool_]]]] = {}
    for slide_set in sets:
        for slide in slide_set.slides(testing=True):
            pair = _tiles(bundle, slide_set, slide, bench)
            for group in dict.fromkeys((ALL, slide_set.name, domain_of(slide, slide_set.name))):
                scored.setdefault(group, []).append(pair)
    scores: Scores = {}
    for group, pairs in scored.items():
        score, truth = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
        rates = rates_at(score, truth, thresholds=thresholds)
        f1 = np.nan_to_num(rates.f1)
        scores[f"{group}/auc"] = roc_auc(score, truth)
        columns = (rates.recall, rates.false_positive_rate, rates.precision, f1)
        for name, values in zip(("tpr", "fpr", "precision", "f1"), columns, strict=True):
            for threshold, value in zip(thresholds, values.tolist(), strict=True):
                scores[f"{group}/{name}@{threshold:g}"] = None if np.isnan(value) else value
    return scores


def _tiles(
    bundle: Bundle, slide_set: SlideSet, slide: SlideTruth, bench: Bench
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    manifest = bundle.manifest
    if manifest.kind == "points":
        config = bench.config(bundle, "verified", mpp_of(slide))
        run = detect_slide(slide_set.files[slide.name], bundle, bench.folder / slide_set.name, config=config)
        found, truth = run.detections, _places(slide.cells.figures_px0)
        scored, held = (_in_tiles(run.slide.size, points, TILE_PX) for points in (found, truth))
        return scored.score, held.score > 0
    field = slide_set.field(slide, mpp=manifest.mpp)
    side = manifest.window_px
    held = _in_tiles(SizePx(field.width, field.height), _places(field.figures), side)
    session = open_network(bundle.onnx, where=str(bundle.folder), threads=bench.threads)
    corners = held.boxes_px0[:, :2].astype(int).tolist()
    score = _scored(session, [field.window(BoxPx(x, y, side, side)) for x, y in corners])[:, 0]
    return score.astype(np.float64), held.score > 0


def _places(points_px0: NDArray[np.float64]) -> Detections:
    return Detections.of(points_px0, np.ones(len(points_px0)))


def _in_tiles(size: SizePx, found: Detections, side_px: int) -> ScoredTiles:
    return score_tiles({"": size}, {"": found}, tile_px=side_px)


def _scored(session: Any, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
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
