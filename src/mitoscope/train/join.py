"""Bundles as one cascade: a light detector proposes, one or more heavier networks decide."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
from onnx import helper, numpy_helper

from mitoscope.bundle import Blend, Bundle, Manifest, ModelDescription, Subtype, Verifier
from mitoscope.bundle.write import revise
from mitoscope.errors import BundleError, ConfigError
from mitoscope.train.dual import VERIFIER_NAME
from mitoscope.train.model_card import with_kinds, write_joined_card
from mitoscope.train.packing import CARD_NAME
from mitoscope.train.scoring import POSITIVE

OTHER: Final = "other"
"""What the middle of a crop shows where it does not show what the detector finds."""


def centre_score(graph: bytes, *, crop_px: int, radius_px: float) -> bytes:
    """Turn the graph of a detector into one that scores crops.

    Parameters
    ----------
    graph : bytes
        ONNX, ``uint8 (N, H, W, 3)`` to points ``float32 (N, K, 3)``: x, y in window px, score.
    crop_px : int
        Side of a crop, a multiple of the detector's stride.
    radius_px : float
        What lies further from the middle is another cell.

    Returns
    -------
    bytes
        ONNX, ``uint8 (N, crop_px, crop_px, 3)`` to scores ``float32 (N, 2)``: the highest score within the
        radius, 0 where nothing is found there, and what is left to 1.
    """
    model = onnx.load_model_from_string(graph)
    own = model.graph
    points = own.output[0].name
    constants: dict[str, np.ndarray[Any, Any]] = {
        "centre/place": np.array([[[crop_px / 2, crop_px / 2]]], np.float32),
        "centre/reach": np.array(radius_px**2, np.float32),
        "centre/none": np.array(0, np.float32),
        "centre/one": np.array(1, np.float32),
        "centre/last": np.array([2], np.int64),
        "centre/single": np.array([1], np.int64),
        "centre/start": np.array([0], np.int64),
        "centre/end": np.array([2], np.int64),
        "centre/past": np.array([3], np.int64),
    }
    own.initializer.extend(numpy_helper.from_array(value, name) for name, value in constants.items())
    node = helper.make_node
    own.node.extend([
        node("Slice", [points, "centre/start", "centre/end", "centre/last"], ["centre/xy"]),
        node("Slice", [points, "centre/end", "centre/past", "centre/last"], ["centre/score"]),
        node("Sub", ["centre/xy", "centre/place"], ["centre/offset"]),
        node("Mul", ["centre/offset", "centre/offset"], ["centre/squares"]),
        node("ReduceSum", ["centre/squares", "centre/last"], ["centre/distance"], keepdims=1),
        node("LessOrEqual", ["centre/distance", "centre/reach"], ["centre/near"]),
        node("Where", ["centre/near", "centre/score", "centre/none"], ["centre/own"]),
        node("TopK", ["centre/own", "centre/single"], ["centre/most", "centre/slot"], axis=1),
        node("Squeeze", ["centre/most", "centre/last"], ["centre/best"]),
        node("Sub", ["centre/one", "centre/best"], ["centre/rest"]),
        node("Concat", ["centre/best", "centre/rest"], ["scores"], axis=1),
    ])  # fmt: skip
    del own.output[:], own.input[:], model.metadata_props[:]
    shape: list[str | int | None] = ["N", crop_px, crop_px, 3]
    own.input.append(helper.make_tensor_value_info("windows", onnx.TensorProto.UINT8, shape))
    own.output.append(helper.make_tensor_value_info("scores", onnx.TensorProto.FLOAT, ["N", 2]))
    onnx.checker.check_model(model)
    content: bytes = model.SerializeToString()
    return content


REACH: Final = 0.5
"""A candidate owns what lies nearer to it than half the radius of suppression: no two own one figure."""


def join(
    proposals: Bundle,
    verifiers: Sequence[Bundle],
    out: Path,
    *,
    name: str,
    floor: float | None = None,
    crop_px: int = 128,
    flips: bool = False,
    doubt: tuple[float, float] | None = None,
    blend: Sequence[float] | None = None,
    margin_um: float = 0.0,
) -> Bundle:
    """Write several bundles as one.

    Parameters
    ----------
    proposals : Bundle
        The first stage; its candidates keep their places. Of a bundle of two stages the first is taken.
    verifiers : sequence of Bundle
        Classifiers of crops, or detectors: then the score of a candidate is the best that the detector finds
        within half the radius of suppression, and 0 where it finds nothing. Of several the mean counts; the
        operating points are those of the first.
    out : Path
        Must not exist.
    name : str
    floor : float, optional
        Candidates of the first stage above it are looked at; by default its own floor.
    crop_px : int
        Side of the crop that a detector looks at, at its resolution; a multiple of its stride.
    flips : bool
        Take the mean over the four mirror images of a crop.
    doubt : tuple of float, optional
        Scores of the first look from and to which the others are taken; see `Verifier`.
    blend : sequence of float, optional
        Weight of each verifier and, last, of the first stage in a mean of log-odds; without it the mean of
        the verifiers' probabilities counts.
    margin_um : float
        Leave out what lies nearer to the border of a slide: cells that it cuts.

    Raises
    ------
    BundleError
        If a bundle is of another kind, a verifier has two stages itself, or the networks look at another
        resolution or find another class.
    ConfigError
        If there is no doubt that further looks could resolve, or another number of weights.
    OutputError
        If the folder exists or cannot be written.
    """
    first, others = proposals.manifest, [verifier.manifest for verifier in verifiers]
    _check(proposals, verifiers)
    graphs = [_graph(verifier, first, crop_px=crop_px) for verifier in verifiers]
    names = [VERIFIER_NAME, *(f"verifier-{place}.onnx" for place in range(2, len(graphs) + 1))]
    if doubt is not None and len(graphs) == 1 and not flips:
        raise ConfigError("nothing resolves a doubt", where="doubt", mend="add flips or another verifier")
    if blend is not None and len(blend) != len(graphs) + 1:
        raise ConfigError(
            f"{len(blend)} weights",
            where="blend",
            mend=f"give {len(graphs) + 1}: of the verifiers, then of {first.source}",
        )
    sides = tuple(_crop_px(other, crop_px) for other in others)
    stage = Verifier(
        files=tuple(names),
        crop_px=max(sides),
        crops_px=sides if len(set(sides)) > 1 else None,
        blend=None if blend is None else Blend(weights=tuple(blend[:-1]), proposal=blend[-1]),
        mpp=others[0].mpp,
        labels=_labels(others[0]),
        flips=flips,
        doubt=doubt,
        proposal_threshold=first.score_floor if floor is None else floor,
    )
    version = first.version
    if any((name, version) == (part.name, part.version) for part in (first, *others)):
        version = f"{version.partition('-')[0]}-joined"  # another detector than its part of the same name
    changes: dict[str, Any] = {
        "name": name,
        "version": version,
        "summary": f"{_proposer(first)} proposes, {_deciders(others)} decide"
        + ("s" if len(others) == 1 else ""),
        "licence": " AND ".join(dict.fromkeys(manifest.licence for manifest in (first, *others))),
        "verifier": stage,
        "calibration": None,
        "score_floor": stage.proposal_threshold,
        "margin_um": margin_um,
        "points": others[0].points,
        "default_point": others[0].default_point,
        "training": tuple(
            dict.fromkeys(source for manifest in (first, *others) for source in manifest.training)
        ),
        "metrics": (),
    }
    stated = {
        model_field: getattr(first, model_field) for model_field in ModelDescription.model_fields
    } | changes
    card = write_joined_card(ModelDescription(**stated), is_open_data=False)
    return revise(
        proposals,
        out,
        changes,
        verifiers=dict(zip(names, graphs, strict=True)),
        files={CARD_NAME: card.encode()},
    )


SUBTYPE_NAME: Final = "subtype.onnx"


def with_subtype(
    bundle: Bundle, classifier: Bundle, out: Path, *, threshold: float = POSITIVE, flips: bool = True
) -> Bundle:
    """Write a bundle with a classifier that tells kinds of its figures apart, in place of another one.

    Parameters
    ----------
    bundle : Bundle
        A detector of mitotic figures, of one stage or two.
    classifier : Bundle
        Of crops; its first class is the kind that is found, its second what figures are otherwise.
    out : Path
        Must not exist.
    threshold : float
        Probability above which a figure is of the first kind.
    flips : bool
        Take the mean over the four mirror images of a figure: there are few figures.

    Raises
    ------
    BundleError
        If one of them is of another kind.
    OutputError
        If the folder exists or cannot be written.
    """
    first, own = bundle.manifest, classifier.manifest
    if first.kind != "points":
        raise BundleError(f"{first.source} finds nothing", where=bundle.folder, mend="take a detector")
    if own.kind != "scores" or len(own.labels) != 2 or first.detects not in own.labels:
        raise BundleError(
            f"{own.source} does not tell kinds of {first.detects}s apart",
            where=classifier.folder,
            mend="take a classifier of two classes (recipes/atypical-lite0.toml)",
        )
    subtype = Subtype(
        file=SUBTYPE_NAME,
        crop_px=own.window_px,
        mpp=own.mpp,
        labels=(own.labels[0], own.labels[1]),
        threshold=threshold,
        flips=flips,
        metrics=own.metrics,
    )
    changes: dict[str, Any] = {
        "subtype": subtype,
        "licence": " AND ".join(dict.fromkeys((*first.licence.split(" AND "), own.licence))),
        "training": tuple(dict.fromkeys((*first.training, *own.training))),
    }
    card = bundle.read(CARD_NAME).decode() if CARD_NAME in first.files else ""
    files = {CARD_NAME: with_kinds(card, subtype).encode()}
    return revise(bundle, out, changes, subtype=classifier.onnx, files=files)


def _proposer(first: Manifest) -> str:
    return first.source if first.verifier is None else f"the first stage of {first.source}"


def _deciders(others: Sequence[Manifest]) -> str:
    """Return the names of the verifiers, those of several of one name once."""
    count = Counter(other.source for other in others)
    return " and ".join(f"{n} × {name}" if n > 1 else name for name, n in count.items())


def _graph(second: Bundle, first: Manifest, *, crop_px: int) -> bytes:
    own = second.manifest
    if own.kind != "points":
        return second.onnx
    return centre_score(second.onnx, crop_px=crop_px, radius_px=REACH * first.nms_radius_um / own.mpp)


def _crop_px(second: Manifest, crop_px: int) -> int:
    return crop_px if second.kind == "points" else second.window_px


def _labels(second: Manifest) -> tuple[str, ...]:
    return (second.detects, OTHER) if second.kind == "points" else second.labels


def _place(second: Manifest, detects: str) -> tuple[int, int]:
    """Return which of how many outputs is the score of what the first stage finds."""
    labels = _labels(second)
    return labels.index(detects), len(labels)


def _check(proposals: Bundle, verifiers: Sequence[Bundle]) -> None:
    first, model = proposals.manifest, verifiers[0].manifest
    if first.kind != "points":
        raise BundleError(f"{first.source} proposes nothing", where=proposals.folder, mend="take a detector")
    for bundle in verifiers:
        if bundle.manifest.verifier is not None:
            raise BundleError(f"{bundle.manifest.source} has two stages already", where=bundle.folder)
    for second in verifiers:
        own = second.manifest
        if first.detects not in own.labels:
            raise BundleError(f"{own.source} does not know {first.detects!r}", where=second.folder)
        if (own.mpp, *_place(own, first.detects)) != (model.mpp, *_place(model, first.detects)):
            raise BundleError(
                f"{own.source} looks at another resolution than {model.source}, or at other classes",
                where=second.folder,
                mend="take verifiers of one resolution whose classes are of one number and order",
            )
