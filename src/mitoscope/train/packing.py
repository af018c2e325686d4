"""From trained weights to a bundle: export, operating point, metrics, self-test, model card."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, Metric, ModelDescription, Normalisation, TrainingSource, write_bundle
from mitoscope.bundle.network import find_points, open_network
from mitoscope.data.catalogue import CATALOGUE, attribution_of, content_hash
from mitoscope.data.picture import Picture
from mitoscope.data.reading import read_midesec
from mitoscope.errors import TrainingDataError
from mitoscope.models.export import export_onnx
from mitoscope.models.fcn_resnet import DEVIATION, MEAN, FcnResnet12
from mitoscope.models.points import TOP_K, PointDetector
from mitoscope.models.receptive_field import ReceptiveField
from mitoscope.train.detect import inside, padded, suppressed
from mitoscope.train.judging import PROTOCOL, Curve, judge, visible_figures
from mitoscope.train.model_card import write_card
from mitoscope.train.recipe import Recipe

ONNX_NAME: Final = "detector.onnx"
CARD_NAME: Final = "MODEL_CARD.md"
MPP: Final = 0.25
WINDOW_PX: Final = 1024
_SELF_TEST_PX: Final = 256


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """A set of pictures with its curve."""

    dataset: str
    pictures: Sequence[Picture]
    curve: Curve


def pack(
    network: FcnResnet12,
    *,
    recipe: Recipe,
    field: ReceptiveField,
    validation: Sequence[Picture],
    data: Path,
    folder: Path,
) -> Bundle:
    """Write the bundle of a trained network.

    Parameters
    ----------
    network : FcnResnet12
        The weights to ship.
    recipe : Recipe
    field : ReceptiveField
    validation : sequence of Picture
        Held out from training; judged case by case of its source.
    data : Path
        Folder of the data, for hashes, licences and the calibration set.
    folder : Path
        Must not exist.
    """
    onnx = export_onnx(PointDetector(network, stride_px=field.stride_px))
    sets = _sets(validation, recipe, data)
    judged = [Judged(name, pictures, _judge(onnx, pictures, recipe, field)) for name, pictures in sets]
    best = judged[0].curve.best()
    threshold = max(best.threshold, recipe.calibration.score_floor)
    sources = tuple(
        TrainingSource(
            name=source.title,
            licence=source.licence,
            attribution=attribution_of(source, data),
            sha256=(content_hash(source, data),),
        )
        for source in CATALOGUE
    )
    description = ModelDescription(
        name=recipe.model.name,
        version=recipe.model.version,
        architecture=recipe.model.architecture,
        summary="Fully convolutional residual network with 12 convolutions after Akram et al. 2018",
        licence="Apache-2.0",
        mpp=MPP,
        mpp_min=0.1,
        mpp_max=0.6,
        normalisation=Normalisation(
            description="(rgb - mean) / std, rgb in 0 to 255", mean=MEAN, std=DEVIATION
        ),
        stride_px=field.stride_px,
        window_px=WINDOW_PX,
        halo_px=field.halo_px,
        top_k=TOP_K,
        nms_radius_um=recipe.calibration.nms_radius_px * MPP,
        score_floor=recipe.calibration.score_floor,
        thresholds={PROTOCOL.name: threshold},
        default_protocol=PROTOCOL.name,
        training=sources,
        metrics=tuple(m for j in judged for m in _metrics(j, threshold)),
    )
    return write_bundle(
        folder,
        description=description,
        onnx={ONNX_NAME: onnx},
        self_test_rgb=_self_test(onnx, validation),
        files={CARD_NAME: write_card(description, recipe).encode()},
    )


def _sets(validation: Sequence[Picture], recipe: Recipe, data: Path) -> list[tuple[str, list[Picture]]]:
    """Return the sets to judge; the first one gives the operating point."""
    sets = [("held-out cases of all training sources", list(validation))]
    for case in recipe.split.held_out:
        own = [picture for picture in validation if picture.case == case]
        sets.append((f"{case} (held out from training)", own))
    if recipe.calibration.dataset == "midesec":
        sets.insert(0, ("MiDeSeC (never trained on; threshold chosen here)", read_midesec(data)))
    return sets


def _judge(onnx: bytes, pictures: Sequence[Picture], recipe: Recipe, field: ReceptiveField) -> Curve:
    session = open_network(onnx, where=ONNX_NAME, threads=recipe.run.threads)
    halo = -(-field.halo_px // field.stride_px) * field.stride_px
    detections = []
    for picture in pictures:
        window = padded(picture.rgb, halo_px=field.halo_px, stride_px=field.stride_px)
        points = find_points(session, window[np.newaxis])[0].astype(np.float64)
        points = inside(points[points[:, 2] > 0], picture, halo_px=halo)
        radius, floor = recipe.calibration.nms_radius_px, recipe.calibration.score_floor
        detections.append(suppressed(points, radius_px=radius, floor=floor))
    return judge(detections, [visible_figures(picture) for picture in pictures])


def _metrics(judged: Judged, threshold: float) -> list[Metric]:
    score, intervals = judged.curve.at(threshold).score, judged.curve.intervals(threshold)
    shares = (
        ("f1", score.f1, intervals.f1),
        ("precision", score.precision, intervals.precision),
        ("recall", score.recall, intervals.recall),
    )
    return [
        Metric(
            name=name,
            dataset=judged.dataset,
            protocol=PROTOCOL.name,
            value=round(value, 4),
            ci_low=round(min(interval.low, value), 4),
            ci_high=round(max(interval.high, value), 4),
            images=len(judged.pictures),
            threshold=threshold,
        )
        for name, value, interval in shares
        if value is not None and interval is not None  # 0/0 is left out, not invented
    ]


def _self_test(onnx: bytes, pictures: Sequence[Picture]) -> NDArray[np.uint8]:
    """Choose the held-out picture with the clearest figure; all held-out sources are permitted ones."""
    session = open_network(onnx, where=ONNX_NAME)
    best, chosen = -1.0, None
    for picture in pictures:
        if not len(visible_figures(picture)):
            continue
        x, y = visible_figures(picture)[0]
        side = min(_SELF_TEST_PX, picture.height // 8 * 8, picture.width // 8 * 8)
        left = int(np.clip(x - side / 2, 0, picture.width - side))
        top = int(np.clip(y - side / 2, 0, picture.height - side))
        rgb = np.ascontiguousarray(picture.rgb[top : top + side, left : left + side])
        points = find_points(session, rgb[np.newaxis])[0]
        if points[0, 2] > best:
            best, chosen = float(points[0, 2]), rgb
    if chosen is None or best <= 0:
        raise TrainingDataError(
            "no held-out picture shows a figure that the detector finds",
            where="self-test",
            mend="train longer",
        )
    return chosen
