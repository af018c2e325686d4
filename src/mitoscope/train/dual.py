"""The dual-stage detector: candidates of one network, scored anew by a classifier of cells (CCMCT, CMC)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import Border, Bundle, ModelDescription, Verifier, write_bundle
from mitoscope.bundle.network import find_points, open_network, score_windows
from mitoscope.data.field import Field
from mitoscope.detections import Detections
from mitoscope.models.build import build
from mitoscope.search import crop_at
from mitoscope.train.job import Job
from mitoscope.train.model_card import write_card
from mitoscope.train.packing import (
    BOTH_SIDES,
    CARD_NAME,
    ONNX_NAME,
    Packed,
    held_out_name,
    metrics_of,
    point_of,
    providers,
)
from mitoscope.train.recipe import DualRecipe
from mitoscope.train.scoring import Curve
from mitoscope.train.transfer import WEIGHTS_NAME
from mitoscope.train.validation import curve_of, look_all_over

VERIFIER_NAME: Final = "verifier.onnx"
_CROPS: Final = 64


def verified(
    found: Detections,
    field: Field,
    session: ort.InferenceSession,
    *,
    crop_px: int,
    column: int,
    border: Border = "mirror",
) -> Detections:
    """Replace the score of every detection of a field by the probability that a classifier gives its crop."""
    score = np.empty(len(found))
    mirror_px = crop_px if border == "mirror" else 0
    for start in range(0, len(found), _CROPS):
        places = found.points_px0[start : start + _CROPS].tolist()
        crops = [field.window(crop_at(x, y, crop_px), mirror_px=mirror_px) for x, y in places]
        score[start : start + len(crops)] = score_windows(session, np.stack(crops))[:, column]
    return Detections.of(found.points_px0, score).sort()


def write_dual(
    recipe: DualRecipe, detector: tuple[Packed, Job], verifier: tuple[Packed, Job], folder: Path
) -> tuple[Bundle, dict[str, float]]:
    """Judge both stages together, and write them as one bundle with the threshold chosen for both.

    Returns
    -------
    tuple of Bundle and dict
        The bundle, and F1, precision and recall of one and of both stages on the held-out cases.
    """
    first, job = detector
    second, _ = verifier
    own = first.description
    judged = _judge_both(recipe, first, second, job)
    protocol, held_out = recipe.detector.validation.protocol, f"{held_out_name(job)}, both stages"
    is_all = recipe.detector.calibration.dataset == "training-and-validation"
    point = point_of(
        judged.choice, dataset=f"{BOTH_SIDES}, both stages" if is_all else held_out, protocol=protocol
    )
    threshold = point.threshold
    stage = Verifier(
        files=(VERIFIER_NAME,),
        crop_px=second.description.window_px,
        mpp=second.description.mpp,
        labels=second.description.labels,
        proposal_threshold=own.default_threshold,
    )
    values = dict(own) | {
        "name": recipe.bundle.name,
        "version": recipe.bundle.version,
        "summary": recipe.bundle.summary,
        "verifier": stage,
        "points": (point,),
        "default_point": point.name,
        "training": tuple(dict.fromkeys((*own.training, *second.description.training))),
        "metrics": metrics_of(judged.held_out, dataset=held_out, threshold=threshold, protocol=protocol),
    }
    description = ModelDescription(**values)
    files: dict[str, Path | bytes] = {CARD_NAME: write_card(description, job.recipe).encode()}
    if recipe.bundle.weights:
        files[WEIGHTS_NAME] = first.weights  # those of the first stage, whose architecture the manifest names
    bundle = write_bundle(
        folder,
        description=description,
        onnx={ONNX_NAME: first.onnx, VERIFIER_NAME: second.onnx},
        self_test_rgb=first.self_test_rgb,
        files=files,
    )
    told = {
        "f1": judged.held_out.at(threshold).f1,
        "threshold": threshold,
        "f1_of_the_detector_alone": judged.alone,
    }
    return bundle, told


@dataclass(frozen=True, slots=True)
class _Judged:
    """Both stages where the threshold is chosen and on the held-out cases; F1 of the first alone."""

    choice: Curve
    held_out: Curve
    alone: float


def _judge_both(recipe: DualRecipe, first: Packed, second: Packed, job: Job) -> _Judged:
    """Search all tissue of the fields with both stages."""
    detector, own = recipe.detector, second.description
    fields: tuple[Field, ...] = job.split.validation
    if detector.calibration.dataset == "training-and-validation":
        fields = (*fields, *job.split.training)
    threads, where = job.recipe.run.threads, providers(job.recipe.run.device)
    finder = open_network(first.onnx, where=ONNX_NAME, threads=threads, providers=where)
    scorer = open_network(second.onnx, where=VERIFIER_NAME, threads=threads, providers=where)

    def find(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_points(finder, windows)

    looked = look_all_over(find, build(detector.model, seed=0), fields, detector)
    both = [
        replace(
            one,
            found=verified(one.found, field, scorer, crop_px=own.window_px, column=0, border=detector.border),
        )
        for one, field in zip(looked, fields, strict=True)
    ]
    held_out = len(job.split.validation)
    return _Judged(
        choice=curve_of(both, detector),
        held_out=curve_of(both[:held_out], detector),
        alone=curve_of(looked[:held_out], detector).best().f1,
    )
