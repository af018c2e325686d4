"""Validation: what the held-out cases say about the weights, by the score that the recipe names."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from mitoscope.data.field import Field, visible_figures
from mitoscope.data.sampling import HardPool
from mitoscope.data.target import Batch
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError
from mitoscope.evaluate import PROTOCOLS
from mitoscope.models.family import Family
from mitoscope.search import Find
from mitoscope.train.detect import Searched, evaluating, search, suppressed
from mitoscope.train.device import on_device
from mitoscope.train.job import Job
from mitoscope.train.recipe import Measure, Recipe
from mitoscope.train.scoring import Curve, classifier_scores, judge, regressor_scores
from mitoscope.train.state import State

Floats = NDArray[np.float64]
_LOWER_IS_BETTER: Final = frozenset({"rmse", "loss"})
_MEASURES: Final[dict[str, frozenset[str]]] = {
    "points": frozenset({"f1", "average-precision", "loss"}),
    "classes": frozenset({"auc", "accuracy", "balanced-accuracy", "f1", "loss"}),
    "values": frozenset({"correlation", "rmse", "auc", "f1", "loss"}),
}


def better(metric: Measure, value: float | None) -> float:
    """Return a score of which the higher is always the better; what is undefined is NaN."""
    if value is None:
        return math.nan
    return -value if metric in _LOWER_IS_BETTER else value


def check_metric(recipe: Recipe, family: Family) -> None:
    """Refuse a validation score that the network cannot have.

    Raises
    ------
    ConfigError
        For example for the correlation of a detector.
    """
    known = _MEASURES[_kind(family)]
    if recipe.validation.metric not in known:
        raise ConfigError(
            f"a network of {recipe.architecture} has no {recipe.validation.metric!r}",
            where="validation.metric",
            mend=f"one of: {', '.join(sorted(known))}",
        )


def validate(job: Job, state: State) -> dict[str, float]:
    """Judge the weights on the held-out cases.

    Returns
    -------
    dict of str to float
        For detectors F1 at the best threshold and average precision under the recipe's protocol; for
        classifiers AUC, accuracy, balanced accuracy and F1; for regressors correlation and error as well. And
        the loss, where it chooses the best weights or batches are drawn anyway.
    """
    family, recipe = state.judged, job.recipe.validation
    values: dict[str, float] = {}
    if family.kind == "points":
        curve = judge_detector(job, family, job.split.validation)
        values |= {k: v for k, v in curve.best().as_dict().items() if v is not None}
        values["average-precision"] = curve.average_precision()
        if recipe.metric != "loss":
            return values
    batches = [job.held_out.draw(step, HardPool.empty()) for step in range(recipe.batches)]
    if family.kind == "scores":
        score, target = scores_of(job, family, batches)
        values |= measure(family, score, target)
    values["loss"] = mean_loss(job, family, batches)
    return values


def validate_two(job: Job, family: Family) -> None:
    """Run the validation on as little as possible, so that what cannot work fails before the first step."""
    check_metric(job.recipe, family)
    if family.kind == "points":
        judge_detector(job, family, job.split.validation[:2], tiles_max=2)
    else:
        scores_of(job, family, [job.held_out.draw(0, HardPool.empty())])


def judge_detector(
    job: Job, family: Family, fields: Sequence[Field], *, tiles_max: int | None = None
) -> Curve:
    """Search fields with the weights in evaluation mode and judge what is found."""
    with evaluating(job, family) as find:
        return judge_points(find, family, fields, job.recipe, tiles_max=tiles_max)


def judge_points(
    find: Find, family: Family, fields: Sequence[Field], recipe: Recipe, *, tiles_max: int | None = None
) -> Curve:
    """Judge what a function finds on fields, case by case as the recipe's protocol says."""
    tiles = recipe.validation.tiles if tiles_max is None else tiles_max
    layout = family.layout()
    found = search(find, fields, layout, tiles_max=tiles, seed=recipe.run.seed, border=recipe.border)
    return curve_of([Looked.of(one, field, recipe) for one, field in zip(found, fields, strict=True)], recipe)


@dataclass(frozen=True, slots=True, eq=False)
class Looked:
    """What was found on a field, and what is true where it was searched."""

    case: str
    found: Detections
    truth: Floats

    @classmethod
    def of(cls, searched: Searched, field: Field, recipe: Recipe) -> Looked:
        """Suppress what was found as the recipe says."""
        radius, floor = recipe.calibration.nms_radius_px, recipe.calibration.score_floor
        found = suppressed(searched.points, radius_px=radius, floor=floor)
        return cls(field.case, found, searched.among(visible_figures(field)))


def look_all_over(find: Find, family: Family, fields: Sequence[Field], recipe: Recipe) -> list[Looked]:
    """Search all tissue of fields, as detection will: what chooses the operating point of a bundle."""
    found = search(
        find,
        fields,
        family.layout(),
        tiles_max=recipe.calibration.tiles,
        seed=recipe.run.seed,
        border=recipe.border,
        without_glass=True,
    )
    return [Looked.of(one, field, recipe) for one, field in zip(found, fields, strict=True)]


def curve_of(looked: Sequence[Looked], recipe: Recipe) -> Curve:
    """Judge what was found case by case, under the recipe's protocol."""
    rule, cases = PROTOCOLS[recipe.validation.protocol], [one.case for one in looked]
    return judge([one.found for one in looked], [one.truth for one in looked], rule, cases=cases)


def measure(family: Family, score: Floats, target: Floats) -> dict[str, float]:
    """Judge the scores of a classifier or a regressor."""
    return classifier_scores(score, target) if _kind(family) == "classes" else regressor_scores(score, target)


def scores_of(job: Job, family: Family, batches: Sequence[Batch]) -> tuple[Floats, Floats]:
    """Return score and target of every window of some batches, shape (n,) each."""
    with evaluating(job, family) as find:
        scores = [find(batch.rgb.numpy())[:, 0].astype(np.float64) for batch in batches]
    targets = [batch.score.numpy().astype(np.float64) for batch in batches]
    return np.concatenate(scores), np.concatenate(targets)


def mean_loss(job: Job, family: Family, batches: Sequence[Batch]) -> float:
    """Return the mean loss of some batches; the norms' statistics stay as they are.

    Notes
    -----
    Torchvision's detectors give losses in training mode only; norms and dropout are set to evaluation.
    """
    was_training = family.training
    family.train()
    still = [m for m in family.modules() if isinstance(m, _STILL)]
    for module in still:
        module.eval()
    try:
        losses = []
        for place, batch in enumerate(batches):
            torch.manual_seed(place)
            with torch.no_grad(), job.autocast():
                losses.append(float(family.loss(on_device(batch, job.fabric.device))))
        return sum(losses) / len(losses)
    finally:
        family.train(was_training)


_STILL: Final = (torch.nn.modules.batchnorm._BatchNorm, torch.nn.modules.dropout._DropoutNd)


def _kind(family: Family) -> str:
    if family.kind == "points":
        return "points"
    return "values" if family.outputs == 1 else "classes"
