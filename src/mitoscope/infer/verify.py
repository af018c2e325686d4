"""The second stage: a classifier, or several together, looks at the crop of every candidate."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, Verifier
from mitoscope.bundle.network import score_windows
from mitoscope.detections import Detections
from mitoscope.errors import BundleError
from mitoscope.infer.config import Quality
from mitoscope.infer.engine import Engine, Network, open_graph
from mitoscope.search import crop_at, read_windows
from mitoscope.slide import Plane
from mitoscope.statistics import log_odds

PART: Final = 64
"""Candidates of a part: a second or two of a ResNet-18 on one core, which a killed run loses."""
_NEIGHBOURHOOD_PX0: Final = 2048
SCORE_DECIMALS: Final = 6
"""As for candidates: below what matters, above the last bits in which processors and batches may differ."""
_SUREST: Final = 1e-4
"""Nearest to 0 and 1 in a blend: no single look outvotes all others."""
_BATCH_PX: Final = 32 * 128 * 128
"""Pixels of a batch: 32 of the papers' crops."""


@dataclass(frozen=True, slots=True)
class CandidatePart:
    """Neighbouring candidates that are verified and recorded together.

    Parameters
    ----------
    index : int
        Place in the order of work.
    candidates : tuple of int
        Their places among all candidates.
    """

    index: int
    candidates: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ReadPart:
    """A part whose pixels are there.

    Parameters
    ----------
    part : CandidatePart
    crops : tuple of ndarray of uint8, shape (side, side, 3)
        One for each candidate.
    proposed : ndarray, shape (n,)
        What the first stage says of each.
    places : tuple of str
        What each is called in an error.
    damaged_crops : int
        Crops of which some pixels could not be decoded; they are white there.
    read_s : float
        Seconds spent.
    """

    part: CandidatePart
    crops: tuple[NDArray[np.uint8], ...]
    proposed: NDArray[np.float64]
    places: tuple[str, ...]
    damaged_crops: int
    read_s: float


def plan_parts(points_px0: NDArray[np.float64]) -> tuple[CandidatePart, ...]:
    """Divide candidates, shape (n, 2), into parts; neighbours together, since they share tiles of the file.

    The parts are a function of the candidates alone.
    """
    column, row = np.floor(points_px0 / _NEIGHBOURHOOD_PX0).T
    order = np.lexsort((points_px0[:, 0], points_px0[:, 1], column, row)).tolist()
    return tuple(
        CandidatePart(index, tuple(order[start : start + PART]))
        for index, start in enumerate(range(0, len(order), PART))
    )


def read_part(
    plane: Plane, part: CandidatePart, proposals: Detections, *, crop_px: int, mirror_px: int
) -> ReadPart:
    """Read the crops of a part.

    Parameters
    ----------
    plane : Plane
        The slide at the verifier's resolution.
    part : CandidatePart
    proposals : Detections
        All candidates.
    crop_px : int
        Side of a crop in plane px. Its middle is at most half a pixel from the candidate.
    mirror_px : int
        How deep a crop is mirrored at the slide's border; beyond that it is white.

    Raises
    ------
    SlideReadError
        If the slide's file can no longer be opened.
    """
    start = time.perf_counter()
    own = proposals.points_px0[list(part.candidates)]
    crops = [crop_at(x, y, crop_px) for x, y in plane.from_px0(own).tolist()]
    blocks = [read_windows(plane, [crop], mirror_px=mirror_px) for crop in crops]
    return ReadPart(
        part,
        tuple(block.windows[0] for block in blocks),
        proposals.score[list(part.candidates)],
        tuple(f"candidate at ({x:.0f}, {y:.0f}) px0" for x, y in own.tolist()),
        sum(bool(block.damaged) for block in blocks),
        time.perf_counter() - start,
    )


@dataclass(frozen=True, eq=False)
class PartResult:
    """New scores of a part of the candidates.

    Parameters
    ----------
    candidates : tuple of int
        Their places among all candidates.
    score : ndarray, shape (n,)
        Probability of what the bundle detects.
    damaged_crops : int
        Crops of which some pixels could not be decoded.
    read_s, network_s : float
        Seconds spent.
    """

    candidates: tuple[int, ...]
    score: NDArray[np.float64]
    damaged_crops: int = 0
    read_s: float = 0.0
    network_s: float = 0.0


def open_verifier(
    bundle: Bundle, quality: Quality = "balanced", *, provider: str = "cpu", threads: int | None = None
) -> tuple[Network, Network | None]:
    """Open the second stage of a bundle.

    Parameters
    ----------
    bundle : Bundle
    quality : {"fast", "balanced", "best"}
    provider : {"cpu", "cuda", "openvino"}
    threads : int, optional
        Of each graph.

    Returns
    -------
    tuple of Network and Network or None
        What looks at every candidate, and what looks further at those that it leaves in doubt. Each maps
        crops (n, side, side, 3) to float32 (n, looks, classes), a look being one graph on one mirror image.

    Raises
    ------
    BundleError
        If the bundle has a single stage.
    ConfigError, BundleDamagedError
        As `open_bundle_network`.
    """
    verifier = bundle.manifest.verifier
    if verifier is None:
        raise BundleError(f"{bundle.manifest.source} has no second stage", where=bundle.folder)
    wanted = verifier.files[:1] if quality == "fast" else verifier.files
    sessions = [open_graph(bundle, name, provider=provider, threads=threads) for name in wanted]
    seen = zip(sessions, verifier.sides_px, strict=False)  # fewer sessions where one look suffices
    looks = [_Look(session, side, view) for session, side in seen for view in MIRROR_IMAGES[: verifier.views]]
    if quality == "fast":
        return _together(looks[:1]), None
    if quality == "best" or verifier.doubt is None:
        return _together(looks), None
    return _together(looks[:1]), _together(looks[1:])


MIRROR_IMAGES: Final = ((1, 1), (1, -1), (-1, 1), (-1, -1))
"""Steps along rows and columns: as it is, mirrored from left to right, from top to bottom, and both."""


@dataclass(frozen=True, slots=True)
class _Look:
    session: ort.InferenceSession
    side_px: int
    steps: tuple[int, int]

    def __call__(self, crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        rows, columns = self.steps
        edge = (crops.shape[1] - self.side_px) // 2
        middle = crops[:, edge : edge + self.side_px, edge : edge + self.side_px]
        return score_windows(self.session, np.ascontiguousarray(middle[:, ::rows, ::columns]))


def _together(looks: Sequence[_Look]) -> Network:
    return lambda crops: np.stack([look(crops) for look in looks], axis=1)


def verifier_engine(network: Network, verifier: Verifier) -> Engine:
    """Return an engine whose batches have some half a million pixels."""
    return Engine(network, batch=max(1, _BATCH_PX // verifier.crop_px**2))


@dataclass(frozen=True, slots=True)
class SecondStage:
    """What looks at candidates.

    Parameters
    ----------
    first : Engine
        Looks at every candidate.
    further : Engine, optional
        Looks at those that are left in doubt.
    verifier : Verifier
        What the bundle states.
    column : int
        The class whose probability counts.
    """

    first: Engine
    further: Engine | None
    verifier: Verifier
    column: int

    @classmethod
    def of(cls, networks: tuple[Network, Network | None], verifier: Verifier, *, detects: str) -> Self:
        """Set up the engines of what `open_verifier` returns."""
        first, further = networks
        return cls(
            verifier_engine(first, verifier),
            None if further is None else verifier_engine(further, verifier),
            verifier,
            verifier.column(detects),
        )

    def score(self, read: ReadPart) -> NDArray[np.float64]:
        """Return what all looks together say of each candidate of a part, shape (n,)."""
        first = self._looks(self.first, read, range(len(read.crops)))
        score = joined(first, read.proposed, self.verifier)
        if self.further is None:
            return score
        low, high = self.verifier.doubt or (0.0, 1.0)
        doubtful = np.flatnonzero((score >= low) & (score <= high))
        if len(doubtful):
            further = self._looks(self.further, read, doubtful.tolist())
            looks = np.concatenate([first[doubtful], further], axis=1)
            score[doubtful] = joined(looks, read.proposed[doubtful], self.verifier)
        return score

    def _looks(self, engine: Engine, read: ReadPart, chosen: Sequence[int]) -> NDArray[np.float64]:
        rows = engine.score([read.crops[i] for i in chosen], places=[read.places[i] for i in chosen])
        looks = [row[:, self.column] for row in rows]
        return np.asarray(looks, dtype=np.float64).reshape(len(looks), -1)


def joined(
    looks: NDArray[np.float64], proposed: NDArray[np.float64], verifier: Verifier
) -> NDArray[np.float64]:
    """Return one score a candidate, shape (n,): the mean of its looks, or the bundle's blend of log-odds.

    Parameters
    ----------
    looks : ndarray, shape (n, k)
        Probabilities by the first k looks; mirror images of one graph follow each other.
    proposed : ndarray, shape (n,)
        Scores of the first stage.
    verifier : Verifier
    """
    blend = verifier.blend
    if blend is None:
        return np.asarray(looks.mean(axis=1))
    weights = np.repeat(blend.weights, verifier.views)[: looks.shape[1]] / verifier.views
    odds = log_odds(np.column_stack([looks, proposed]), bound=_SUREST)
    return np.asarray(1 / (1 + np.exp(-np.average(odds, axis=1, weights=[*weights, blend.proposal]))))


def verify_part(read: ReadPart, stage: SecondStage) -> PartResult:
    """Score the candidates of a part anew.

    Raises
    ------
    NonFiniteError, OutOfMemoryError, RunError
        As `Engine.score`; the error names the candidate.
    """
    start = time.perf_counter()
    score = np.round(stage.score(read), SCORE_DECIMALS)
    network_s = time.perf_counter() - start
    return PartResult(read.part.candidates, score, read.damaged_crops, read.read_s, network_s)
