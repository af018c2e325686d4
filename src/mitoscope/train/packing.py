"""From trained weights to a bundle: export, operating point, metrics, self-test, model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import (
    BALANCED_ACCURACY,
    F1,
    Bundle,
    Metric,
    ModelDescription,
    Normalisation,
    OperatingPoint,
    TrainingSource,
    write_bundle,
)
from mitoscope.bundle.network import find_points, open_network, score_windows
from mitoscope.data.field import Field, visible_figures
from mitoscope.data.open_data import read_midesec
from mitoscope.data.sampling import HardPool
from mitoscope.data.sources import Provenance, provenance
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx
from mitoscope.models.config import FcnConfig, ModelConfig
from mitoscope.models.export import export_onnx
from mitoscope.models.family import Family
from mitoscope.models.fcn import DEVIATION, MEAN
from mitoscope.models.normalise import statistics
from mitoscope.models.pretrained import begun_with
from mitoscope.train.detect import reduced
from mitoscope.train.job import Job
from mitoscope.train.journal import say
from mitoscope.train.model_card import write_card
from mitoscope.train.scoring import POSITIVE, Curve, interval_of
from mitoscope.train.stain import stain_range
from mitoscope.train.state import weights_of
from mitoscope.train.transfer import WEIGHTS_NAME, pack_weights
from mitoscope.train.validation import curve_of, look_all_over, measure

ONNX_NAME: Final = "network.onnx"
CARD_NAME: Final = "MODEL_CARD.md"
SCORES_PROTOCOL: Final = "windows"
"""Name under which a bundle of scores keeps its threshold: whole windows are judged, not places."""
_SELF_TEST_PX: Final = 256
_HELD_OUT: Final = "held-out cases of all training sources"
_LOWER_HALVES: Final = "lower halves of the slides, the upper ones of which were trained on"
BOTH_SIDES: Final = "all slides of training and validation"


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A set of fields with its curve."""

    dataset: str
    fields: Sequence[Field]
    curve: Curve

    @property
    def name(self) -> str:
        """What the set is called, without what is said of it."""
        return self.dataset.partition(" (")[0]


@dataclass(frozen=True, slots=True, eq=False)
class Packed:
    """What a bundle is made of, before it is written; a dual bundle joins two of them.

    Parameters
    ----------
    description : ModelDescription
    onnx : bytes
    self_test_rgb : ndarray of uint8, shape (h, w, 3)
    weights : bytes
    scores : dict of str to float
        What the held-out cases say, by name.
    """

    description: ModelDescription
    onnx: bytes
    self_test_rgb: NDArray[np.uint8]
    weights: bytes
    scores: dict[str, float]


def pack(family: Family, job: Job) -> Packed:
    """Export trained weights and judge them as they are shipped, in ONNX Runtime."""
    onnx = export_onnx(family)
    run = job.recipe.run
    session = open_network(onnx, where=ONNX_NAME, threads=run.threads, providers=providers(run.device))
    weights = pack_weights(weights_of(family))
    if family.kind == "points":
        judged = _judge_sets(session, family, job)
        description = _describe_detector(family, job, judged)
        held_out = next(j for j in judged if j.dataset == held_out_name(job))
        scores = _as_floats(held_out.curve.at(description.default_threshold).as_dict())
        picture = clearest(
            session, job.split.validation, reduction=family.layout().reduction, floor=description.score_floor
        )
        return Packed(description, onnx, picture, weights, scores)
    score, target, cases, rgb = _scored(session, job)
    values = measure(family, score, target)
    description = _describe_scorer(family, job, values, score=score, target=target, cases=cases)
    return Packed(description, onnx, rgb, weights, values)


def write(packed: Packed, job: Job, folder: Path) -> Bundle:
    """Write the bundle with its card."""
    files: dict[str, Path | bytes] = {CARD_NAME: write_card(packed.description, job.recipe).encode()}
    if job.recipe.bundle.weights:
        files[WEIGHTS_NAME] = packed.weights
    return write_bundle(
        folder,
        description=packed.description,
        onnx={ONNX_NAME: packed.onnx},
        self_test_rgb=packed.self_test_rgb,
        files=files,
    )


def training_sources(job: Job) -> tuple[TrainingSource, ...]:
    """Return all data that the weights have seen, with those of the weights that the run began with."""
    fields = (*job.split.training, *job.split.validation)
    own = tuple(
        TrainingSource(
            name=one.title,
            licence=one.licence,
            attribution=one.attribution,
            sha256=(one.sha256,),
            labels=one.labels,
            policy=one.policy,
        )
        for one in (*_sources(job, fields), *job.further)
    )
    further = (*begun_with(job.recipe.model), *(job.origin.training if job.origin else ()))
    return tuple(dict.fromkeys((*own, *further)))


def _sources(job: Job, fields: Sequence[Field]) -> tuple[Provenance, ...]:
    if job.sources is not None:
        return job.sources
    return provenance(job.recipe.data.source, job.data, fields)


def normalisation(config: ModelConfig) -> Normalisation:
    """Return what the graph does to grey levels first."""
    mean, std = (MEAN, DEVIATION) if isinstance(config, FcnConfig) else statistics(config.weights)
    return Normalisation(description="(rgb - mean) / std, rgb in 0 to 255", mean=mean, std=std)


def _judge_sets(session: ort.InferenceSession, family: Family, job: Job) -> list[Judged]:
    """Judge all sets, each as a whole; the first one gives the operating point."""
    recipe, split = job.recipe, job.split
    sets: list[tuple[str, Sequence[Field]]] = [(held_out_name(job), split.validation)]
    for case in recipe.data.split.held_out:
        own = [field for field in split.validation if field.case == case]
        if own:
            sets.append((f"{case} (held out from training)", own))
    if recipe.calibration.dataset == "midesec":
        sets.insert(0, ("MiDeSeC (never trained on; threshold chosen here)", read_midesec(job.data)))
    elif recipe.calibration.dataset == "training-and-validation":
        sets.insert(0, (f"{BOTH_SIDES} (threshold chosen here)", (*split.training, *split.validation)))

    def find(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_points(session, windows)

    every = {id(field): field for _, fields in sets for field in fields}  # each is searched once
    looked = dict(zip(every, look_all_over(find, family, tuple(every.values()), recipe), strict=True))
    return [
        Judged(name, fields, curve_of([looked[id(field)] for field in fields], recipe))
        for name, fields in sets
    ]


def held_out_name(job: Job) -> str:
    """Return what the held-out fields are called where a bundle names what judged it."""
    return _LOWER_HALVES if job.split.of_halves else _HELD_OUT


def providers(device: str) -> tuple[str, ...]:
    """Return where ONNX Runtime judges a network, and say so where it cannot use the GPU that trained it."""
    if device == "cpu":
        return ("CPUExecutionProvider",)
    if "CUDAExecutionProvider" in ort.get_available_providers():
        return ("CUDAExecutionProvider", "CPUExecutionProvider")
    say("ONNX Runtime has no GPU: whole fields are judged on the CPU; pip install onnxruntime-gpu")
    return ("CPUExecutionProvider",)


def _describe_detector(family: Family, job: Job, judged: list[Judged]) -> ModelDescription:
    recipe, layout = job.recipe, family.layout()
    floor = recipe.calibration.score_floor
    protocol = recipe.validation.protocol
    point = point_of(judged[0].curve, dataset=judged[0].name, protocol=protocol, floor=floor)
    return _description(
        job,
        family,
        top_k=layout.top_k,
        nms_radius_um=recipe.calibration.nms_radius_px * recipe.model.mpp,
        score_floor=floor,
        points=(point,),
        metrics=tuple(
            metric
            for one in judged
            for metric in metrics_of(
                one.curve, dataset=one.dataset, threshold=point.threshold, protocol=protocol
            )
        ),
    )


def _describe_scorer(
    family: Family,
    job: Job,
    values: dict[str, float],
    *,
    score: NDArray[np.float64],
    target: NDArray[np.float64],
    cases: Sequence[str],
) -> ModelDescription:
    halves = ("accuracy", BALANCED_ACCURACY)
    names = ("auc", "f1", *halves) if family.outputs > 1 else ("correlation", "rmse", "auc")
    metrics = []
    for name in names:
        interval = interval_of(name, score, target, cases, classes=family.outputs > 1)
        if interval is None or not np.isfinite(values[name]):
            continue
        value = round(values[name], 4)
        metrics.append(
            Metric(
                name=name,
                dataset=held_out_name(job),
                protocol=SCORES_PROTOCOL,
                value=value,
                ci_low=round(min(interval.low, value), 4),
                ci_high=round(max(interval.high, value), 4),
                images=len(set(cases)),
                threshold=POSITIVE if name in halves else values["threshold"],
            )
        )
    return _description(
        job,
        family,
        top_k=1,
        score_floor=0.0,
        points=(
            OperatingPoint(
                name=F1,
                protocol=SCORES_PROTOCOL,
                threshold=values["threshold"],
                chosen_on=held_out_name(job),
                cases=len(set(cases)),
            ),
        ),
        metrics=tuple(metrics),
    )


def _description(job: Job, family: Family, **values: Any) -> ModelDescription:
    recipe, layout, own = job.recipe, family.layout(), job.recipe.bundle
    return ModelDescription(
        kind=family.kind,
        name=own.name,
        version=own.version,
        architecture=recipe.architecture,
        summary=own.summary,
        licence=own.licence,
        labels=recipe.model.labels,
        detects=recipe.model.labels[0],
        mpp=layout.mpp,
        mpp_min=min(own.mpp_min, layout.mpp),
        mpp_max=max(own.mpp_max, layout.mpp),
        normalisation=normalisation(recipe.model),
        stride_px=layout.stride_px,
        window_px=layout.window_px,
        halo_px=layout.halo_px,
        border=recipe.border,
        training=training_sources(job),
        stain=stain_range(job.split.training),
        **values,
    )


def point_of(curve: Curve, *, dataset: str, protocol: str, floor: float = 0.0) -> OperatingPoint:
    """Return the operating point of greatest F1 from the floor up on a set."""
    return OperatingPoint(
        name=F1,
        protocol=protocol,
        threshold=curve.best(floor=floor).threshold,
        chosen_on=dataset,
        cases=len(curve.cases) or None,
        figures=curve.pooled.figures or None,
    )


def metrics_of(curve: Curve, *, dataset: str, threshold: float, protocol: str) -> tuple[Metric, ...]:
    """Return F1, precision and recall of a set at a threshold, with their intervals by case."""
    score, intervals = curve.at(threshold).score, curve.intervals(threshold)
    shares = (
        ("f1", score.f1, intervals.f1),
        ("precision", score.precision, intervals.precision),
        ("recall", score.recall, intervals.recall),
    )
    return tuple(
        Metric(
            name=name,
            dataset=dataset,
            protocol=protocol,
            value=round(value, 4),
            ci_low=round(min(interval.low, value), 4),
            ci_high=round(max(interval.high, value), 4),
            images=len(curve.cases),
            threshold=threshold,
        )
        for name, value, interval in shares
        if value is not None and interval is not None  # 0/0 is left out, not invented
    )


def _scored(
    session: ort.InferenceSession, job: Job
) -> tuple[NDArray[np.float64], NDArray[np.float64], list[str], NDArray[np.uint8]]:
    """Score the held-out batches; return the windows' cases as well, and one window for the self-test."""
    own = job.held_out
    drawn = [own.drawn(step, HardPool.empty()) for step in range(job.recipe.validation.batches)]
    batches = [own.replay(one) for one in drawn]
    cases = [own.fields[window.picture].case for one in drawn for window in one.windows]
    score = [score_windows(session, batch.rgb.numpy())[:, 0].astype(np.float64) for batch in batches]
    target = [batch.score.numpy().astype(np.float64) for batch in batches]
    picture = np.ascontiguousarray(batches[0].rgb[0].numpy())
    return np.concatenate(score), np.concatenate(target), cases, picture


def clearest(
    session: ort.InferenceSession, fields: Sequence[Field], *, reduction: int = 1, floor: float = 0.0
) -> NDArray[np.uint8]:
    """Choose the held-out picture with the clearest figure for the self-test, at the network's resolution.

    Raises
    ------
    TrainingDataError
        If the detector finds none above the floor.
    """
    fixed = session.get_inputs()[0].shape[1]
    best = floor
    chosen: NDArray[np.uint8] | None = None
    for field in fields:
        visible = visible_figures(field)
        if not len(visible):
            continue
        x, y = visible[0]
        free = min(_SELF_TEST_PX, field.width, field.height) // 32 * 32
        side = fixed * reduction if isinstance(fixed, int) else free
        left, top = (
            int(np.clip(place - side / 2, 0, max(length - side, 0)))
            for place, length in ((x, field.width), (y, field.height))
        )
        windows = reduced(field.window(BoxPx(left, top, side, side))[np.newaxis], reduction)
        points = find_points(session, windows)[0]
        if points[0, 2] > best:
            best, chosen = float(points[0, 2]), np.asarray(windows[0])
    if chosen is None:
        raise TrainingDataError(
            "no held-out picture shows a figure that the detector finds",
            where="self-test",
            mend="train longer",
        )
    return chosen


def _as_floats(values: dict[str, float | int | None]) -> dict[str, float]:
    return {name: float(value) for name, value in values.items() if value is not None}
