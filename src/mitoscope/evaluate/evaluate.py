"""Judging detections of many images against their truth."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate.averages import sum_by
from mitoscope.evaluate.curves import ChosenThreshold
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.interval import REPEATS, bootstrap
from mitoscope.evaluate.look_alikes import LookAlikeScore, judge_look_alikes
from mitoscope.evaluate.protocol import Protocol
from mitoscope.evaluate.score import Score
from mitoscope.geometry import Mpp
from mitoscope.labels import MITOTIC_FIGURE

Points = NDArray[np.float64]
_NONE = np.empty((0, 2))


def evaluate(
    predictions: Mapping[str, Detections],
    truth: Mapping[str, Points],
    *,
    protocol: Protocol,
    threshold: float | ChosenThreshold,
    mpp: Mpp | None = None,
    label: str = MITOTIC_FIGURE.name,
    cases: Mapping[str, str] | None = None,
    look_alikes: Mapping[str, Points] | None = None,
    repeats: int = REPEATS,
    seed: int = 0,
) -> Evaluation:
    """Judge detections against the truth.

    Parameters
    ----------
    predictions : mapping of str to Detections
        By image; of each those of `label` with a score strictly above the threshold are judged.
    truth : mapping of str to ndarray, shape (m, 2)
        Centres of the true figures in level-0 pixels, by image; an image without figures has none.
    protocol : Protocol
        The matching rule.
    threshold : float or ChosenThreshold
        In [0, 1]; one that was chosen keeps saying on what.
    mpp : Mpp, optional
        Resolution of all images; the protocol's radius is then in µm, else in pixels.
    label : str
        The class that is judged.
    cases : mapping of str to str, optional
        Case of each image; the bootstrap draws cases. Without it every image is a case.
    look_alikes : mapping of str to ndarray, shape (k, 2), optional
        Centres of labelled look-alikes by image; with it the precision among them is told.
    repeats, seed
        Of the bootstrap.

    Notes
    -----
    An image named in neither is not judged. One with predictions only counts its detections as false
    positives, one with truth only its figures as missed; both are listed. Detections at one place are judged
    one by one (of two on one figure, a one-to-one protocol counts the second as false) and are counted.

    Raises
    ------
    ConfigError
        If the threshold is not in [0, 1].
    FormatError
        If there is nothing to judge, or an image has no case.
    """
    cut = threshold.value if isinstance(threshold, ChosenThreshold) else threshold
    if not 0 <= cut <= 1:
        raise ConfigError(f"a threshold of {cut:g} is not in [0, 1]", where="--threshold")
    names = sorted({*predictions, *truth})
    if not names:
        raise FormatError("nothing to judge: no image in predictions or truth", where="evaluation")
    case_of = _case_of(names, cases)
    candidates = {name: predictions.get(name, Detections.empty()).labelled(label) for name in names}
    judged = {name: found.above(cut) for name, found in candidates.items()}
    matchings, everything = (
        {
            name: protocol.match(found.points_px0, found.score, truth.get(name, _NONE), mpp=mpp)
            for name, found in side.items()
        }
        for side in (judged, candidates)
    )
    scores = {name: matching.score for name, matching in matchings.items()}
    evaluation = Evaluation(
        protocol=protocol,
        threshold=cut,
        threshold_source=threshold.describe() if isinstance(threshold, ChosenThreshold) else "given",
        radius=protocol.say_radius(mpp),
        score=sum(scores.values(), Score()),
        images=scores,
        matchings=matchings,
        judged=judged,
        candidates={name: (found.score, everything[name]) for name, found in candidates.items()},
        steps={
            name: protocol.sweep(found.points_px0, found.score, truth.get(name, _NONE), mpp=mpp)
            for name, found in candidates.items()
        },
        cases=case_of,
        intervals=bootstrap(list(sum_by(scores, case_of).values()), repeats=repeats, seed=seed),
        look_alikes=None,
        duplicates=sum(_duplicates(found) for found in judged.values()),
        without_predictions=tuple(name for name in names if name not in predictions),
        without_truth=tuple(name for name in names if name not in truth),
        repeats=repeats,
        seed=seed,
    )
    if look_alikes is None:
        return evaluation
    return replace(evaluation, look_alikes=_look_alikes(evaluation, look_alikes, mpp))


def _case_of(images: list[str], cases: Mapping[str, str] | None) -> dict[str, str]:
    if cases is None:
        return {image: image for image in images}
    for image in images:
        if image not in cases:
            raise FormatError(f"the image {image!r} has no case", where="evaluation")
    return {image: cases[image] for image in images}


def _duplicates(found: Detections) -> int:
    return len(found) - len(np.unique(found.points_px0, axis=0))


def _look_alikes(
    evaluation: Evaluation, look_alikes: Mapping[str, Points], mpp: Mpp | None
) -> LookAlikeScore:
    total = LookAlikeScore()
    for name, found in evaluation.judged.items():
        total += judge_look_alikes(
            found.points_px0,
            found.score,
            matching=evaluation.matchings[name],
            look_alikes_px0=look_alikes.get(name, _NONE),
            protocol=evaluation.protocol,
            mpp=mpp,
        )
    return total
