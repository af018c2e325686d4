"""A bundle with the threshold that suits a laboratory, chosen on its labelled fields."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.bundle import (
    F1,
    Bundle,
    FigureShare,
    Manifest,
    Metric,
    OperatingPoint,
    ScoreCalibration,
)
from mitoscope.bundle.write import revise
from mitoscope.errors import ConfigError
from mitoscope.evaluate.judging import FileJudge
from mitoscope.evaluate.thresholds import FittedPoint, fit_point
from mitoscope.exchange import find_manifests, prior_shift_of, read_manifest
from mitoscope.statistics import Interval, Outcomes, calibration_error, fit_left_out, fit_line

_CHOSEN = "threshold chosen here"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a calibration gave.

    Parameters
    ----------
    point : FittedPoint
        Threshold and scores on the fields.
    ece_before, ece : Metric or None
        Expected calibration error of the scores as they were, and of each case by the line that the other
        cases give; None where the scores were left as they were, or there is one case.
    """

    point: FittedPoint
    ece_before: Metric | None = None
    ece: Metric | None = None


def calibrate(
    bundle: Bundle, judge: FileJudge, pred: Path, out: Path, *, dataset: str, scores: bool = False
) -> Calibrated:
    """Choose a threshold on labelled fields and write the bundle with it.

    Parameters
    ----------
    bundle : Bundle
    judge : FileJudge
        Ground truth and protocol.
    pred : Path
        Folder of the results that the bundle gave on the same fields.
    out : Path
        Folder of the new bundle.
    dataset : str
        What the fields are called in the new bundle.
    scores : bool
        Make the scores probabilities, too: a line over their logit (Platt 1999). All thresholds move along;
        the share of figures among the candidates is stated with it.

    Raises
    ------
    ConfigError
        If the results are those of another bundle or of its first stage alone, or their scores are corrected
        for the share of figures on each slide where they must not be, or are not where they must be.
    FormatError
        If no figure is found at any threshold, or only figures are.
    BundleError, OutputError
        If the bundle cannot be written.
    """
    _check_scores(bundle, pred, scores=scores)
    manifest = bundle.manifest
    judged, protocol = judge.judge(pred, threshold=0.0), judge.protocol.name
    point = fit_point(list(judged.case_steps.values()), floor=manifest.lowest_score)
    outcomes = list(judged.outcomes().values())
    line = _fit(outcomes, dataset, images=len(judged.judged_images)) if scores else None
    done = Calibrated(point)
    if line is not None:
        moved = _moved(point, line)
        errors = _errors(outcomes, dataset, protocol) if len(outcomes) > 1 else ()
        done = Calibrated(moved, *errors)
    revise(bundle, out, _changes(manifest, done, line, protocol=protocol, dataset=dataset))
    return done


def _changes(
    manifest: Manifest, done: Calibrated, line: ScoreCalibration | None, *, protocol: str, dataset: str
) -> dict[str, Any]:
    points, told = manifest.points, manifest.metrics
    if line is not None:
        points = tuple(_moved_entry(point, line) for point in points)
        told = tuple(
            one if one.threshold is None else one.model_copy(update={"threshold": _move(one.threshold, line)})
            for one in told
            if one.name != "ece"  # of scores that are no more
        )
    own = [
        *_metrics(done.point, dataset=dataset, protocol=protocol),
        *([] if done.ece is None else [done.ece]),
    ]
    replaced = {one.dataset for one in own}
    return {
        "version": f"{manifest.version.partition('-')[0]}-calibrated",
        "points": (
            _entry(done.point, dataset=dataset, protocol=protocol),
            *(point for point in points if point.name != F1),
        ),
        "default_point": F1,
        "calibration": manifest.calibration if line is None else line.after(manifest.calibration),
        "metrics": (*own, *(one for one in told if one.dataset not in replaced)),
    }


def _entry(point: FittedPoint, *, dataset: str, protocol: str) -> OperatingPoint:
    ends = point.interval
    return OperatingPoint(
        name=F1,
        protocol=protocol,
        threshold=point.threshold,
        chosen_on=dataset,
        interval=None if ends is None else (ends.low, ends.high),
        cases=point.cases,
        figures=point.figures,
    )


def _moved_entry(point: OperatingPoint, line: ScoreCalibration) -> OperatingPoint:
    """Return a point of the bundle on the new scale."""
    changes: dict[str, Any] = {"threshold": _move(point.threshold, line)}
    if point.interval is not None:
        changes["interval"] = tuple(_move(end, line) for end in point.interval)
    if (drawn := point.shrinkage) is not None:
        moved = {"towards": _move(drawn.towards, line), "alone": _move(drawn.alone, line)}
        changes["shrinkage"] = drawn.model_copy(update=moved)
    return point.model_copy(update=changes)


def _move(score: float, line: ScoreCalibration) -> float:
    return round(float(line(score)), 6)


def _moved(point: FittedPoint, line: ScoreCalibration) -> FittedPoint:
    """Return the same point on the new scale."""
    ends = point.interval
    moved = None if ends is None else Interval(_move(ends.low, line), _move(ends.high, line))
    return replace(point, threshold=_move(point.threshold, line), interval=moved)


def _fit(cases: list[Outcomes], dataset: str, *, images: int) -> ScoreCalibration:
    scores, true = np.concatenate([s for s, _ in cases]), np.concatenate([t for _, t in cases])
    line = fit_line(scores, true)
    figures = FigureShare(share=float(true.mean()), candidates=len(true), images=images)
    return ScoreCalibration(slope=line.slope, intercept=line.intercept, fitted_on=dataset, figures=figures)


def _errors(cases: list[Outcomes], dataset: str, protocol: str) -> tuple[Metric, Metric]:
    """Return the calibration error as it was, and with each case calibrated by the others."""
    after = [(score, true) for score, (_, true) in zip(fit_left_out(cases), cases, strict=True)]
    return (
        _ece(cases, f"{dataset} (scores as they were)", protocol),
        _ece(after, f"{dataset} (each case by the line of the others)", protocol),
    )


def _ece(cases: list[Outcomes], dataset: str, protocol: str) -> Metric:
    error = calibration_error(cases)
    return Metric(
        name="ece",
        dataset=dataset,
        protocol=protocol,
        value=error.value,
        ci_low=float(np.fmin(error.low, error.value)),
        ci_high=float(np.fmax(error.high, error.value)),
        images=len(cases),
    )


def results_of(bundle: Bundle, pred: Path) -> dict[Path, dict[str, Any]]:
    """Return the manifests of the results in a folder, which must be those of the last stage of a bundle.

    Raises
    ------
    ConfigError
        If there are none, or some are of another bundle or of its first stage alone.
    """
    found = {path: read_manifest(path) for path in (find_manifests(pred) if pred.is_dir() else ())}
    if not found:
        raise ConfigError("no results of detect", where=pred, mend="give the folder that detect wrote")
    for path, values in found.items():
        detector = values["detector"]
        if detector["fingerprint"] != bundle.fingerprint:
            raise ConfigError(
                f"results of {detector['name']} {detector['version']}, not of this bundle",
                where=path,
                mend=f"run detect with --model {bundle.folder}",
            )
        if values["search"]["stage"] == "proposals" and bundle.manifest.verifier is not None:
            raise ConfigError(
                "results of the first stage alone", where=path, mend="run detect without --stage proposals"
            )
    return found


def _check_scores(bundle: Bundle, pred: Path, *, scores: bool) -> None:
    """Refuse results whose scores are not those on which a threshold, or a line, is to be chosen."""
    line = bundle.manifest.calibration
    corrects = line is not None and line.figures is not None
    for path, values in results_of(bundle, pred).items():
        corrected = prior_shift_of(values) is not None
        if scores and corrected:
            raise ConfigError(
                "scores are corrected for the share of figures on the slide: no line can be fitted to them",
                where=path,
                mend="repeat detect with --no-prior-shift: nothing is searched anew",
            )
        if corrects and not scores and not corrected:
            raise ConfigError(
                "scores lack the correction for the share of figures that detection makes with this bundle",
                where=path,
                mend="repeat detect without --no-prior-shift: nothing is searched anew",
            )


def _metrics(point: FittedPoint, *, dataset: str, protocol: str) -> list[Metric]:
    parts: dict[str, tuple[float | None, Interval | None]] = {
        "f1": (point.score.f1, point.intervals.f1),
        "precision": (point.score.precision, point.intervals.precision),
        "recall": (point.score.recall, point.intervals.recall),
    }
    return [
        Metric(
            name=name,
            dataset=f"{dataset} ({_CHOSEN})",
            protocol=protocol,
            value=value,
            ci_low=min(interval.low, value),
            ci_high=max(interval.high, value),
            images=point.cases,
            threshold=point.threshold,
        )
        for name, (value, interval) in parts.items()
        if value is not None and interval is not None
    ]
