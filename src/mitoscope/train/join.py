"""Two bundles as one cascade: a light detector proposes, a heavier network decides."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from mitoscope.bundle import Bundle, Manifest, ModelDescription, Verifier
from mitoscope.bundle.revise import revise
from mitoscope.errors import BundleError
from mitoscope.models.centre_score import OTHER, centre_score
from mitoscope.train.dual import VERIFIER_NAME
from mitoscope.train.model_card import write_joined_card
from mitoscope.train.packing import CARD_NAME

REACH: Final = 0.5
"""A candidate owns what lies nearer to it than half the radius of suppression: no two own one figure."""


def join(
    proposals: Bundle,
    second: Bundle,
    out: Path,
    *,
    name: str,
    floor: float | None = None,
    crop_px: int = 128,
    flips: bool = False,
) -> Bundle:
    """Write two bundles as one.

    Parameters
    ----------
    proposals : Bundle
        The first stage; its candidates keep their places.
    second : Bundle
        A classifier of crops, or a detector: then the score of a candidate is the best that the detector
        finds within half the radius of suppression, and 0 where it finds nothing.
    out : Path
        Must not exist.
    name : str
    floor : float, optional
        Candidates of the first stage above it are looked at; by default its own floor.
    crop_px : int
        Side of the crop that a detector looks at, at its resolution; a multiple of its stride.
    flips : bool
        Take the mean over the four mirror images of a crop.

    Raises
    ------
    BundleError
        If a bundle is of another kind, has two stages itself, or the networks tell other things apart.
    OutputError
        If the folder exists or cannot be written.
    """
    first, other = proposals.manifest, second.manifest
    _check(first, other, proposals=proposals, second=second)
    stage, graph = _verifier(first, second, floor=floor, crop_px=crop_px, flips=flips)
    changes: dict[str, Any] = {
        "name": name,
        "summary": f"{first.source} proposes, {other.source} decides",
        "licence": " AND ".join(dict.fromkeys((first.licence, other.licence))),
        "verifier": stage,
        "score_floor": stage.proposal_threshold,
        "thresholds": other.thresholds,
        "default_protocol": other.default_protocol,
        "training": tuple(dict.fromkeys((*first.training, *other.training))),
        "metrics": (),
    }
    stated = {one: getattr(first, one) for one in ModelDescription.model_fields} | changes
    card = write_joined_card(ModelDescription(**stated), is_open_data=False)
    return revise(proposals, out, changes, verifiers={VERIFIER_NAME: graph}, files={CARD_NAME: card.encode()})


def _verifier(
    first: Manifest, second: Bundle, *, floor: float | None, crop_px: int, flips: bool
) -> tuple[Verifier, bytes]:
    own = second.manifest
    is_detector = own.kind == "points"
    stage = Verifier(
        files=(VERIFIER_NAME,),
        crop_px=crop_px if is_detector else own.window_px,
        mpp=own.mpp,
        labels=(own.detects, OTHER) if is_detector else own.labels,
        flips=flips,
        proposal_threshold=first.score_floor if floor is None else floor,
    )
    if not is_detector:
        return stage, second.onnx
    radius_px = REACH * first.nms_radius_um / own.mpp
    return stage, centre_score(second.onnx, crop_px=crop_px, radius_px=radius_px)


def _check(first: Manifest, other: Manifest, *, proposals: Bundle, second: Bundle) -> None:
    if first.kind != "points":
        raise BundleError(f"{first.source} proposes nothing", where=proposals.folder, mend="take a detector")
    for manifest, bundle in ((first, proposals), (other, second)):
        if manifest.verifier is not None:
            raise BundleError(f"{manifest.source} has two stages already", where=bundle.folder)
    if first.detects not in other.labels:
        raise BundleError(f"{other.source} does not know {first.detects!r}", where=second.folder)
