"""Kinds of figures: a classifier looks at every mitotic figure and says of which kind it is."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Border, Bundle, Manifest, Subtype
from mitoscope.bundle.network import score_windows
from mitoscope.detections import Detections
from mitoscope.errors import StoppedError
from mitoscope.infer.crew import Crew
from mitoscope.infer.engine import Engine, Network, open_graph
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.verify import (
    MIRROR_IMAGES,
    SCORE_DECIMALS,
    CandidatePart,
    PartResult,
    plan_parts,
    read_part,
)
from mitoscope.infer.workers import timed
from mitoscope.labels import is_figure
from mitoscope.slide import Plane, Slide

if TYPE_CHECKING:
    from mitoscope.infer.cascade import Networks

_BATCH: Final = 32
"""Crops in one call of the network."""


def open_subtype(bundle: Bundle, *, provider: str = "cpu", threads: int | None = None) -> Network | None:
    """Open what tells kinds of figures apart; None where the bundle does not.

    It maps crops (n, side, side, 3) to float32 (n, looks, 2), a look being one mirror image; errors as
    `open_bundle_network`.
    """
    if (subtype := bundle.manifest.subtype) is None:
        return None
    session = open_graph(bundle, subtype.file, provider=provider, threads=threads)
    views = MIRROR_IMAGES if subtype.flips else MIRROR_IMAGES[:1]

    def looks(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        seen = [np.ascontiguousarray(crops[:, ::rows, ::columns]) for rows, columns in views]
        return np.stack([score_windows(session, view) for view in seen], axis=1)

    return looks


def name_subtypes(
    slide: Slide,
    detections: Detections,
    ledger: Ledger,
    *,
    manifest: Manifest,
    threshold: float,
    crew: Crew,
) -> Detections:
    """Give every mitotic figure its kind.

    Parameters
    ----------
    slide : Slide
    detections : Detections
        Of the whole slide, with the scores of the last stage. Those that are not above the threshold are
        candidates, which have no kind.
    ledger : Ledger
        Of the run; figures that it has are not looked at again.
    manifest : Manifest
        Of a bundle with a subtype.
    threshold : float
        A detection above it is a figure.
    crew : Crew

    Returns
    -------
    Detections
        The same places and scores in the same order, with the labels of the subtype.

    Raises
    ------
    SlideReadError
        If the slide's file goes away.
    OutputError
        If the ledger cannot be written.
    NonFiniteError, OutOfMemoryError, RunError
        If the network fails; names the figure.
    StoppedError
        If the user stops it.
    """
    subtype = manifest.subtype
    assert subtype is not None  # the caller saw to it
    named = np.array([is_figure(name) for name in detections.label.tolist()], dtype=np.bool_)
    rows = np.flatnonzero(named & (detections.score > threshold))
    points = detections.points_px0[rows]
    known = ledger.subtyped()
    new = detections.take(rows[[place not in known for place in map(tuple, points.tolist())]])
    plane = Plane(slide, subtype.mpp, tolerance=manifest.mpp_tolerance)
    _look(new, ledger, SubtypeLook(plane, new, manifest.border, subtype), crew=crew)
    known = ledger.subtyped()
    other = next(name for name in subtype.labels if name != subtype.finds)
    label = detections.label.tolist()
    for row, place in zip(rows.tolist(), map(tuple, points.tolist()), strict=True):
        label[row] = subtype.finds if known[place] > subtype.threshold else other
    return detections.relabelled(np.array(label, dtype=np.str_))


@dataclass(frozen=True, slots=True)
class SubtypeLook:
    """The look that tells kinds of figures apart, wherever it is taken.

    Parameters
    ----------
    plane : Plane
        The slide at the resolution of the subtype's network.
    figures : Detections
    border : {"mirror", "white"}
        What lies beyond the slide's border.
    subtype : Subtype
    """

    plane: Plane
    figures: Detections
    border: Border
    subtype: Subtype

    def begin(self, networks: Networks) -> Callable[[CandidatePart], PartResult]:
        """Return what gives the figures of a part their probability of the kind that is found."""
        assert networks.subtype is not None  # `open_networks` saw to it
        side, engine = self.subtype.crop_px, Engine(networks.subtype, batch=_BATCH)
        mirror_px = side if self.border == "mirror" else 0

        def look(part: CandidatePart) -> PartResult:
            read = read_part(self.plane, part, self.figures, crop_px=side, mirror_px=mirror_px)
            start = time.perf_counter()
            rows = engine.score(read.crops, places=read.places)
            score = np.round([float(row[:, 0].mean()) for row in rows], SCORE_DECIMALS)
            return PartResult(
                part.candidates, score, read.damaged_crops, read.read_s, time.perf_counter() - start
            )

        return look


def _look(
    figures: Detections,
    ledger: Ledger,
    look: SubtypeLook,
    *,
    crew: Crew,
) -> None:
    points = figures.points_px0
    try:
        with closing(crew.run(look, plan_parts(points))) as groups:
            for group in timed(groups):
                with ledger.together():
                    for part, result, wall_s in group:
                        ledger.record_subtyped(points[list(part.candidates)], result, wall_s=wall_s)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped while the kinds of {len(points)} figures were being classified",
            where=ledger.path,
            mend="repeat the same command to continue",
        ) from None
