"""The dual-stage detector: candidates of one network, scored anew by a classifier of cells (CCMCT, CMC)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import Border, Bundle, ModelDescription, Verifier, write_bundle
from mitoscope.bundle.network import find_points, open_network, score_windows
from mitoscope.data.field import Field, visible_figures
from mitoscope.detections import Detections
from mitoscope.evaluate import PROTOCOLS
from mitoscope.models.build import build
from mitoscope.search import crop_at
from mitoscope.train.detect import search, suppressed
from mitoscope.train.job import Job
from mitoscope.train.model_card import write_card
from mitoscope.train.packing import CARD_NAME, ONNX_NAME, Packed, metrics_of, point_of
from mitoscope.train.recipe import DualRecipe
from mitoscope.train.scoring import Curve, judge
from mitoscope.train.transfer import WEIGHTS_NAME

VERIFIER_NAME: Final = "verifier.onnx"
_CROPS: Final = 64
_BOTH: Final = "held-out cases, both stages"


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
    """Judge both stages together on the detector's held-out cases and write them as one bundle.

    Returns
    -------
    tuple of Bundle and dict
        The bundle, and F1, precision and recall of one and of both stages on the held-out cases.
    """
    first, job = detector
    second, _ = verifier
    own = first.description
    both, alone = _judge_both(recipe, first, second, job)
    protocol = recipe.detector.validation.protocol
    point = point_of(both, dataset=_BOTH, protocol=protocol)
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
        "metrics": metrics_of(both, dataset=_BOTH, threshold=threshold, protocol=protocol),
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
    told = {"f1": both.at(threshold).f1, "threshold": threshold, "f1_of_the_detector_alone": alone}
    return bundle, told


def _judge_both(recipe: DualRecipe, first: Packed, second: Packed, job: Job) -> tuple[Curve, float]:
    """Return the curve of both stages, and the best F1 of the first alone."""
    fields: Sequence[Field] = job.split.validation
    finder, scorer = open_network(first.onnx, where=ONNX_NAME), open_network(second.onnx, where=VERIFIER_NAME)
    layout = build(recipe.detector.model, seed=0).layout()
    calibration = recipe.detector.calibration

    def find(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_points(finder, windows)

    searched = search(
        find,
        fields,
        layout,
        tiles_max=recipe.detector.validation.tiles,
        seed=recipe.detector.run.seed,
        border=recipe.detector.border,
    )
    found = [
        suppressed(one.points, radius_px=calibration.nms_radius_px, floor=calibration.score_floor)
        for one in searched
    ]
    truths = [one.among(visible_figures(field)) for one, field in zip(searched, fields, strict=True)]
    rule = PROTOCOLS[recipe.detector.validation.protocol]
    scored = [
        verified(
            one,
            field,
            scorer,
            crop_px=second.description.window_px,
            column=0,
            border=recipe.detector.border,
        )
        for one, field in zip(found, fields, strict=True)
    ]
    cases = [field.case for field in fields]
    alone = judge(found, truths, rule, cases=cases)
    return judge(scored, truths, rule, cases=cases), alone.best().f1
