"""Bundles as one cascade: a light detector proposes, one or more heavier networks decide."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from mitoscope.bundle import Bundle, Manifest, ModelDescription, Verifier
from mitoscope.bundle.write import revise
from mitoscope.errors import BundleError, ConfigError
from mitoscope.models.centre_score import OTHER, centre_score
from mitoscope.train.dual import VERIFIER_NAME
from mitoscope.train.model_card import write_joined_card
from mitoscope.train.packing import CARD_NAME

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
) -> Bundle:
    """Write several bundles as one.

    Parameters
    ----------
    proposals : Bundle
        The first stage; its candidates keep their places.
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

    Raises
    ------
    BundleError
        If a bundle is of another kind, has two stages itself, or the networks tell other things apart.
    ConfigError
        If there is no doubt that further looks could resolve.
    OutputError
        If the folder exists or cannot be written.
    """
    first, others = proposals.manifest, [verifier.manifest for verifier in verifiers]
    _check(proposals, verifiers)
    graphs = [_graph(verifier, first, crop_px=crop_px) for verifier in verifiers]
    names = [VERIFIER_NAME, *(f"verifier-{place}.onnx" for place in range(2, len(graphs) + 1))]
    if doubt is not None and len(graphs) == 1 and not flips:
        raise ConfigError("nothing resolves a doubt", where="doubt", mend="add flips or another verifier")
    stage = Verifier(
        files=tuple(names),
        crop_px=_crop_px(others[0], crop_px),
        mpp=others[0].mpp,
        labels=_labels(others[0]),
        flips=flips,
        doubt=doubt,
        proposal_threshold=first.score_floor if floor is None else floor,
    )
    changes: dict[str, Any] = {
        "name": name,
        "summary": f"{first.source} proposes, {' and '.join(other.source for other in others)} decide"
        + ("s" if len(others) == 1 else ""),
        "licence": " AND ".join(dict.fromkeys(one.licence for one in (first, *others))),
        "verifier": stage,
        "score_floor": stage.proposal_threshold,
        "thresholds": others[0].thresholds,
        "default_protocol": others[0].default_protocol,
        "training": tuple(dict.fromkeys(source for one in (first, *others) for source in one.training)),
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


def _graph(second: Bundle, first: Manifest, *, crop_px: int) -> bytes:
    own = second.manifest
    if own.kind != "points":
        return second.onnx
    return centre_score(second.onnx, crop_px=crop_px, radius_px=REACH * first.nms_radius_um / own.mpp)


def _crop_px(second: Manifest, crop_px: int) -> int:
    return crop_px if second.kind == "points" else second.window_px


def _labels(second: Manifest) -> tuple[str, ...]:
    return (second.detects, OTHER) if second.kind == "points" else second.labels


def _check(proposals: Bundle, verifiers: Sequence[Bundle]) -> None:
    first, model = proposals.manifest, verifiers[0].manifest
    if first.kind != "points":
        raise BundleError(f"{first.source} proposes nothing", where=proposals.folder, mend="take a detector")
    for bundle in (proposals, *verifiers):
        if bundle.manifest.verifier is not None:
            raise BundleError(f"{bundle.manifest.source} has two stages already", where=bundle.folder)
    for second in verifiers:
        own = second.manifest
        if first.detects not in own.labels:
            raise BundleError(f"{own.source} does not know {first.detects!r}", where=second.folder)
        if (own.mpp, _crop_px(own, 0), _labels(own)) != (model.mpp, _crop_px(model, 0), _labels(model)):
            raise BundleError(
                f"{own.source} looks at other crops than {model.source}, or tells other things apart",
                where=second.folder,
                mend="take verifiers of one resolution, size of crops and set of classes",
            )
