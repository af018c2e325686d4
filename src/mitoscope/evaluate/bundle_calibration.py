"""A bundle with the operating points that suit a laboratory, chosen on its labelled fields."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mitoscope.bundle import (
    Bundle,
    FigureShare,
    Metric,
    OperatingPoint,
    ScoreCalibration,
    Shrinkage,
)
from mitoscope.bundle.write import revise
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.judging import FileJudge, group_of
from mitoscope.evaluate.thresholds import BEST_F1, PRIOR_FIGURES, Criterion, FittedPoint, Prior, fit_point
from mitoscope.exchange import prior_shift_of, read_all_manifests
from mitoscope.statistics import Estimate, Interval, Outcomes, calibration_error, fit_left_out, fit_line

_CHOSEN = "threshold chosen here"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """What a calibration gave.

    Parameters
    ----------
    fitted : tuple of FittedPoint
        What the fields say of each point, on the scale that their scores have.
    points : tuple of OperatingPoint
        The same as the new bundle states them; the first one is its default.
    before : dict of str to float
        The thresholds of the earlier points of these names, on the scale of the new bundle.
    ece_before, ece : Metric or None
        Expected calibration error of the scores as they were, and of each case by the line that the other
        cases give; None where the scores were left as they were, or there is one case.
    """

    fitted: tuple[FittedPoint, ...]
    points: tuple[OperatingPoint, ...]
    before: dict[str, float]
    ece_before: Metric | None = None
    ece: Metric | None = None


def calibrate(
    bundle: Bundle,
    judge: FileJudge,
    pred: Path,
    out: Path,
    *,
    dataset: str,
    criteria: Sequence[Criterion] = (BEST_F1,),
    weight: float = PRIOR_FIGURES,
    scores: bool = False,
) -> Calibrated:
    """Choose operating points on labelled fields and write the bundle with them.

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
    criteria : sequence of Criterion
        What points are for; the first one becomes the default.
    weight : float
        For how many figures the bundle's own point of the same name counts beside those of the fields; 0
        for none.
    scores : bool
        Make the scores probabilities, too: a line over their logit (Platt 1999). All points move along; the
        share of figures among the candidates is stated with it.

    Raises
    ------
    ConfigError
        If the results are those of another bundle or of its first stage alone, or their scores are corrected
        for the share of figures on each slide where they must not be, or are not where they must be; or a
        criterion needs areas or laboratories that are not known.
    FormatError
        If no figure is found at any threshold that a criterion allows, or only figures are.
    BundleError, OutputError
        If the bundle cannot be written.
    """
    _check_scores(bundle, pred, scores=scores)
    manifest = bundle.manifest
    known = Known(
        manifest.source, manifest.points, manifest.calibration, manifest.metrics, manifest.lowest_score
    )
    chosen = choose_points(
        known, judge, pred, dataset=dataset, criteria=criteria, weight=weight, scores=scores
    )
    revise(
        bundle,
        out,
        {
            "version": f"{manifest.version.partition('-')[0]}-calibrated",
            "points": chosen.points,
            "default_point": chosen.points[0].name,
            "calibration": chosen.line,
            "metrics": chosen.metrics,
        },
    )
    return chosen.calibrated


@dataclass(frozen=True, slots=True)
class Known:
    """What a detector states of its scores before they are calibrated.

    Parameters
    ----------
    source : str
        Its name and version.
    points : tuple of OperatingPoint
    line : ScoreCalibration, optional
    metrics : tuple of Metric
    floor : float
        Below it no candidates are kept.
    """

    source: str
    points: tuple[OperatingPoint, ...] = ()
    line: ScoreCalibration | None = None
    metrics: tuple[Metric, ...] = ()
    floor: float = 0.0


@dataclass(frozen=True, slots=True)
class Chosen:
    """What a detector states afterwards; parameters as of `Known`, and what was found out."""

    points: tuple[OperatingPoint, ...]
    line: ScoreCalibration | None
    metrics: tuple[Metric, ...]
    calibrated: Calibrated


def choose_points(
    known: Known,
    judge: FileJudge,
    pred: Path,
    *,
    dataset: str,
    criteria: Sequence[Criterion],
    weight: float,
    scores: bool,
) -> Chosen:
    """Choose operating points on labelled fields, and with ``scores`` a line over the scores.

    Parameters
    ----------
    known : Known
        What the detector states.
    judge, pred, dataset, criteria, weight, scores
        As for `calibrate`.

    Raises
    ------
    ConfigError, FormatError
        As `calibrate`.
    """
    judged, protocol = judge.judge(pred, threshold=0.0), judge.protocol.name
    fitted = tuple(
        _fit_point(judged, judge, criterion, known=known, weight=weight)
        for criterion in dict.fromkeys(criteria)
    )
    outcomes = list(judged.outcomes().values())
    line = _fit(outcomes, dataset, images=len(judged.judged_images)) if scores else None
    errors = _errors(outcomes, dataset, protocol) if line is not None and len(outcomes) > 1 else (None, None)
    own = tuple(_entry(point, dataset=dataset, protocol=protocol) for point in fitted)
    names = [point.name for point in own]
    points = _scaled((*own, *(point for point in known.points if point.name not in names)), line)
    return Chosen(
        points,
        known.line if line is None else line.after(known.line),
        _all_metrics(known, fitted, line, errors[1], dataset=dataset, protocol=protocol),
        Calibrated(
            fitted,
            points[: len(own)],
            {point.name: point.threshold for point in _scaled(known.points, line) if point.name in names},
            *errors,
        ),
    )


def _fit_point(
    judged: Evaluation, judge: FileJudge, criterion: Criterion, *, known: Known, weight: float
) -> FittedPoint:
    """Choose one point on the fields, drawn towards that of the detector."""
    if criterion.false_per_mm2 is not None and judged.no_area is not None:
        raise ConfigError(f"{criterion.name}: {judged.no_area}", where="--point")
    cases = judged.case_steps
    laboratories = None
    if criterion.by_laboratory:
        of_image = group_of(judge.truth, "laboratory")
        of_case = {one.case: of_image[name] for name, one in judged.judged_images.items()}
        laboratories = [of_case[case] for case in cases]
    earlier = [point.threshold for point in known.points if point.name == criterion.name]
    return fit_point(
        list(cases.values()),
        criterion,
        areas_mm2=None if judged.no_area else [judged.case_areas_mm2[case] for case in cases],
        laboratories=laboratories,
        prior=Prior(earlier[0], known.source, weight) if earlier and weight else None,
        floor=known.floor,
    )


def _all_metrics(
    known: Known,
    fitted: Sequence[FittedPoint],
    line: ScoreCalibration | None,
    ece: Metric | None,
    *,
    dataset: str,
    protocol: str,
) -> tuple[Metric, ...]:
    """Return what was measured on the fields, and what the detector states of other data."""
    own = [metric for point in fitted for metric in _metrics(point, dataset=dataset, protocol=protocol)]
    replaced = {metric.dataset for metric in own}
    kept = [metric for metric in known.metrics if metric.dataset not in replaced]
    if line is None:
        return (*own, *kept)
    moved = [
        metric
        if metric.threshold is None
        else metric.model_copy(update={"threshold": _move(metric.threshold, line)})
        for metric in (*own, *kept)
        if metric.name != "ece"  # of scores that are no more
    ]
    return (*moved, *([] if ece is None else [ece]))


def _entry(point: FittedPoint, *, dataset: str, protocol: str) -> OperatingPoint:
    ends, prior = point.interval, point.prior
    return OperatingPoint(
        name=point.criterion.name,
        protocol=protocol,
        threshold=point.threshold,
        criterion=point.criterion.words,
        chosen_on=dataset,
        interval=None if ends is None else (ends.low, ends.high),
        cases=point.cases,
        figures=point.figures,
        shrinkage=None
        if prior is None
        else Shrinkage(towards=prior.threshold, source=prior.source, weight=prior.weight, alone=point.alone),
    )


def _scaled(points: Sequence[OperatingPoint], line: ScoreCalibration | None) -> tuple[OperatingPoint, ...]:
    """Return points on the new scale."""
    return tuple(points) if line is None else tuple(_moved_entry(point, line) for point in points)


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
    FormatError
        If a manifest is damaged.
    """
    manifests = read_all_manifests(pred) if pred.is_dir() else {}
    if not manifests:
        raise ConfigError("no results of detect", where=pred, mend="give the folder that detect wrote")
    for path, values in manifests.items():
        try:
            name, version, fingerprint = (
                values["detector"][key] for key in ("name", "version", "fingerprint")
            )
            stage = values["search"].get("stage")
        except (KeyError, TypeError, AttributeError) as error:
            raise FormatError(
                f"the manifest is damaged ({error!r})", where=path, mend="repeat the detection"
            ) from None
        if fingerprint != bundle.fingerprint:
            raise ConfigError(
                f"results of {name} {version}, not of this bundle",
                where=path,
                mend=f"run detect with --model {bundle.folder}",
            )
        if stage == "proposals" and bundle.manifest.verifier is not None:
            raise ConfigError(
                "results of the first stage alone", where=path, mend="run detect without --stage proposals"
            )
    return manifests


def _check_scores(bundle: Bundle, pred: Path, *, scores: bool) -> None:
    """Refuse results whose scores are not those on which a threshold, or a line, is to be chosen."""
    line = bundle.manifest.calibration
    corrects = line is not None and line.figures is not None
    for path, values in results_of(bundle, pred).items():
        corrected = prior_shift_of(values, where=path) is not None
        if scores and corrected:
            raise ConfigError(
                "scores are corrected for the share of figures on the slide: no line can be fitted to them",
                where=path,
                mend="repeat detect with --no-prior-shift; no new search is needed",
            )
        if corrects and not scores and not corrected:
            raise ConfigError(
                "scores lack the correction for the share of figures that detection makes with this bundle",
                where=path,
                mend="repeat detect without --no-prior-shift; no new search is needed",
            )


def _metrics(point: FittedPoint, *, dataset: str, protocol: str) -> list[Metric]:
    ends = point.intervals
    parts: dict[str, tuple[float | None, Interval | None]] = {
        "f1": (point.score.f1, ends.f1),
        "precision": (point.score.precision, ends.precision),
        "recall": (point.score.recall, ends.recall),
        "count-bias": _defined(point.count_bias),
        "false-per-mm2": _defined(point.false_per_mm2),
    }
    return [
        Metric(
            name=name,
            dataset=f"{dataset} (point {point.criterion.name}, {_CHOSEN})",
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


def _defined(measured: Estimate | None) -> tuple[float | None, Interval | None]:
    if measured is None or not np.isfinite([measured.value, measured.low, measured.high]).all():
        return None, None
    return measured.value, Interval(measured.low, measured.high)
