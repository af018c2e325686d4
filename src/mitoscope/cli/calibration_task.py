"""What ``mitoscope bundle calibrate`` does: a bundle with the threshold that suits a laboratory."""

from __future__ import annotations

from pathlib import Path

from mitoscope.bundle import Bundle, Metric
from mitoscope.bundle.revise import revise
from mitoscope.cli.evaluation_task import Task
from mitoscope.errors import ConfigError
from mitoscope.evaluate.interval import Interval
from mitoscope.evaluate.operating_point import (
    CASES_ENOUGH,
    FIGURES_ENOUGH,
    OperatingPoint,
    operating_point,
)
from mitoscope.report.result import find_manifests, read_manifest

_CHOSEN = "threshold chosen here"


def calibrate(bundle: Bundle, task: Task, pred: Path, out: Path, *, dataset: str) -> OperatingPoint:
    """Choose a threshold on labelled fields and write the bundle with it.

    Parameters
    ----------
    bundle : Bundle
    task : Task
        Truth and protocol.
    pred : Path
        Folder of the results that the bundle gave on the same fields.
    out : Path
        Folder of the new bundle.
    dataset : str
        What the fields are called in the new bundle.

    Raises
    ------
    ConfigError
        If the results are those of another bundle or of its first stage alone.
    FormatError
        If no figure is found at any threshold.
    BundleError, OutputError
        If the bundle cannot be written.
    """
    _check_origin(bundle, pred)
    manifest = bundle.manifest
    judged = task.judge(pred, 0.0)
    floor = 0.0 if manifest.verifier else manifest.score_floor
    point = operating_point(list(judged.case_steps.values()), floor=floor)
    protocol = task.protocol.name
    own = _metrics(point, dataset=dataset, protocol=protocol)
    changes = {
        "version": f"{manifest.version.partition('-')[0]}-calibrated",
        "thresholds": manifest.thresholds | {protocol: point.threshold},
        "default_protocol": protocol,
        "metrics": (*own, *(one for one in manifest.metrics if one.dataset != f"{dataset} ({_CHOSEN})")),
    }
    revise(bundle, out, changes)
    return point


def _check_origin(bundle: Bundle, pred: Path) -> None:
    found = find_manifests(pred) if pred.is_dir() else []
    if not found:
        raise ConfigError("no results of detect", where=pred, mend="give the folder that detect wrote")
    for path in found:
        told = read_manifest(path)
        detector = told["detector"]
        if detector["fingerprint"] != bundle.fingerprint:
            raise ConfigError(
                f"results of {detector['name']} {detector['version']}, not of this bundle",
                where=path,
                mend=f"run detect with --model {bundle.folder}",
            )


def _metrics(point: OperatingPoint, *, dataset: str, protocol: str) -> list[Metric]:
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


def describe_point(point: OperatingPoint, *, before: float) -> list[str]:
    """Return the threshold and what it gives, as lines."""
    f1 = point.intervals.f1
    return [
        f"threshold {point.threshold:.3f}{_ends(point.interval)}; it was {before:.3f}",
        f"F1 {point.score.f1 or 0:.3f}{_ends(f1)} on the same {point.cases} cases with {point.figures} "
        "figures: optimistic, the threshold was chosen on them",
    ]


def doubt(point: OperatingPoint) -> str | None:
    """Return why the threshold is not to be relied on; None where there were cases enough."""
    if point.is_sure:
        return None
    return (
        f"{point.cases} cases with {point.figures} figures are few: label {CASES_ENOUGH} or more with "
        f"{FIGURES_ENOUGH} figures, or keep the threshold of the bundle"
    )


def _ends(interval: Interval | None) -> str:
    return "" if interval is None else f" [{interval.low:.3f}, {interval.high:.3f}]"
