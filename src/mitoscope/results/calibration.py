"""Operating points and a calibration of scores for results that no bundle gave: a file beside them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, Self

from pydantic import ValidationError, model_validator

from mitoscope.bundle import Metric, OperatingPoint, ScoreCalibration
from mitoscope.config import Config, explain
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate import BEST_F1, PRIOR_FIGURES, Calibrated, Criterion, FileJudge, Known, choose_points
from mitoscope.exchange import read_all_manifests, write_bytes
from mitoscope.fsio import open_regular
from mitoscope.image_names import stem
from mitoscope.infer import Correction, corrected, rescored
from mitoscope.written import refuse_foreign

FORMAT_NAME: Final = "mitoscope-calibration/1"
"""Name and version of the format."""


class Detector(Config):
    """Whose scores they are, as the manifests of its results say; the recipe is the hash of how to join."""

    name: str
    version: str = ""
    recipe: str | None = None


class Calibration(Config):
    """Operating points of a detector, and by which line its scores are probabilities.

    Parameters
    ----------
    detector : Detector
        Whose scores.
    points : tuple of OperatingPoint
        On the scale of the calibrated scores, where there is a line.
    default_point : str
        Name of the one that is taken unasked.
    line : ScoreCalibration, optional
        Over the logit of the stated scores.
    metrics : tuple of Metric
        What was measured on the fields on which they were chosen.
    """

    format: Literal["mitoscope-calibration/1"] = FORMAT_NAME
    detector: Detector
    points: tuple[OperatingPoint, ...]
    default_point: str
    line: ScoreCalibration | None = None
    metrics: tuple[Metric, ...] = ()

    @model_validator(mode="after")
    def _default_is_there(self) -> Self:
        if self.default_point not in {point.name for point in self.points}:
            raise ValueError("the default point is none of the points")
        return self

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read the file that `calibrate_results` wrote.

        Raises
        ------
        FormatError
            If it is no such file.
        ConfigError
            If a value is wrong, naming it.
        """
        try:
            with open_regular(path) as stream:
                content = stream.read()
            values = json.loads(content)
        except OSError as error:
            raise FormatError(f"cannot be read ({error.strerror})", where=path) from None
        except (ValueError, RecursionError):
            values = None
        if not isinstance(values, dict) or values.get("format") != FORMAT_NAME:
            raise FormatError(
                "no calibration of results", where=path, mend="make one with mitoscope results calibrate"
            )
        try:
            return cls.model_validate_json(content)  # in JSON an interval is a list
        except ValidationError as error:
            what, mend = explain(error, cls)
            raise ConfigError(what, where=path, mend=mend) from None

    def point(self, name: str | None) -> OperatingPoint:
        """Return a point by its name, by default the default one.

        Raises
        ------
        ConfigError
            Naming the points that there are.
        """
        wanted = self.default_point if name is None else name
        found = next((point for point in self.points if point.name == wanted), None)
        if found is None:
            names = ", ".join(point.name for point in self.points)
            raise ConfigError(f"no operating point {wanted!r}", where="--point", mend=f"one of: {names}")
        return found

    def check(self, detector: Detector) -> None:
        """Refuse a calibration of other scores.

        Raises
        ------
        ConfigError
        """
        if self.detector != detector:
            raise ConfigError(
                f"a calibration of {self.detector.name}, not of {detector.name}",
                where="--calibration",
                mend="name the program as there with --program, or calibrate these results",
            )


@dataclass(frozen=True, eq=False)
class Scored:
    """Detections with the scores, threshold and correction that a calibration gives.

    Parameters
    ----------
    detections : Detections
        By descending score.
    threshold : float
    source : str
        Who set the threshold.
    point, line, correction
        As for `mitoscope.infer.SlideFindings`.
    """

    detections: Detections
    threshold: float
    source: str
    point: OperatingPoint | None = None
    line: ScoreCalibration | None = None
    correction: Correction | None = None


def score(
    detections: Detections,
    calibration: Calibration | None,
    *,
    threshold: float | None,
    point: str | None,
    default: tuple[float, str],
) -> Scored:
    """Return detections with calibrated scores and the threshold that counts.

    Parameters
    ----------
    detections : Detections
        With the scores as their detector stated them.
    calibration : Calibration, optional
        Of these scores.
    threshold : float, optional
        As stated by the user.
    point : str, optional
        Operating point, in place of the default one.
    default : tuple of float and str
        Threshold without any of these, and who set it.

    Raises
    ------
    ConfigError
        If there is no such point.
    """
    if calibration is None:
        if point is not None:
            raise ConfigError(
                "operating points are those of a calibration", where="--point", mend="give --calibration FILE"
            )
        value, source = default if threshold is None else (threshold, "--threshold")
        return Scored(detections.sort(), value, source)
    line = calibration.line
    moved, correction = corrected(rescored(detections, detections.score, line), line)
    if threshold is not None:
        return Scored(moved, threshold, "--threshold", line=line, correction=correction)
    chosen = calibration.point(point)
    return Scored(moved, chosen.threshold, chosen.describe(), chosen, line, correction)


def calibrate_results(
    judge: FileJudge,
    pred: Path,
    out: Path,
    *,
    dataset: str,
    criteria: Sequence[Criterion] = (BEST_F1,),
    weight: float = PRIOR_FIGURES,
    scores: bool = False,
) -> Calibrated:
    """Choose operating points of results on labelled fields, as those of a bundle are, and write them.

    Parameters
    ----------
    judge : FileJudge
        Ground truth and protocol.
    pred : Path
        Folder of results of one program or of one way to join results, imported or joined without a
        calibration.
    out : Path
        File of the calibration.
    dataset, criteria, weight, scores
        As for `mitoscope.evaluate.calibrate`.

    Raises
    ------
    ConfigError, FormatError
        As there; or if the results are of several detectors, of a bundle, or calibrated already, or lack an
        image of the ground truth.
    OutputError
        If the file cannot be written.
    """
    refuse_foreign(out)
    detector = detector_of(pred)
    _refuse_unsearched(judge, pred)
    chosen = choose_points(
        Known(source=detector.name),
        judge,
        pred,
        dataset=dataset,
        criteria=criteria,
        weight=weight,
        scores=scores,
    )
    made = Calibration(
        detector=detector,
        points=chosen.points,
        default_point=chosen.points[0].name,
        line=chosen.line,
        metrics=chosen.metrics,
    )
    text = json.dumps(made.model_dump(mode="json"), indent=2, allow_nan=False)
    write_bytes(out, f"{text}\n".encode("ascii"))
    return chosen.calibrated


def _refuse_unsearched(judge: FileJudge, pred: Path) -> None:
    """Refuse to count as missed what nobody searched: a program that found nothing has a result, too."""
    searched = judge.read_detections(pred)
    lacking = [slide.name for slide in judge.truth if stem(slide.name) not in searched]
    if lacking:
        raise ConfigError(
            f"no result of {lacking[0]}, which the ground truth names",
            where=pred,
            mend="import or join that image, too, or leave it out of --truth",
        )


def detector_of(pred: Path) -> Detector:
    """Return the one detector whose results are in a folder, which must not be those of a bundle.

    Raises
    ------
    ConfigError
        If there are none, or those of several, or of a bundle, or calibrated ones.
    FormatError
        If a manifest is damaged.
    """
    found: dict[Detector, Path] = {}
    for path, values in read_all_manifests(pred).items() if pred.is_dir() else ():
        entry = values.get("detector")
        if not isinstance(entry, dict):
            raise FormatError("the manifest is damaged (no detector)", where=path, mend="import it again")
        if entry.get("kind") is None:
            raise ConfigError(
                f"results of the bundle {entry.get('name')}",
                where=path,
                mend="calibrate it with mitoscope bundle calibrate",
            )
        if entry.get("calibration") is not None or values["threshold"].get("point") is not None:
            raise ConfigError(
                "results that are calibrated already",
                where=path,
                mend="write them again without --calibration",
            )
        found.setdefault(named(entry), path)
    if not found:
        raise ConfigError("no results", where=pred, mend="give a folder that results import or join wrote")
    if len(found) > 1:
        names = " and ".join(sorted({one.name for one in found}))
        raise ConfigError(f"results of several detectors: {names}", where=pred, mend="give those of one")
    return next(iter(found))


def named(entry: dict[str, Any]) -> Detector:
    """Return what the manifest of a result names as its detector."""
    return Detector(
        name=str(entry.get("name")),
        version=str(entry.get("version") or ""),
        recipe=entry.get("fingerprint"),
    )
