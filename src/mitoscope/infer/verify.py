"""The second stage: a classifier, or the mean of several, looks at the crop of every candidate."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, Verifier
from mitoscope.bundle.network import score_windows
from mitoscope.errors import BundleError
from mitoscope.infer.crops import ReadPart
from mitoscope.infer.engine import Engine, Network, open_graph

SCORE_DECIMALS: Final = 6
"""As for candidates: below what matters, above the last bits in which processors and batches may differ."""
_BATCH_PX: Final = 32 * 128 * 128
"""Pixels of a batch: 32 of the papers' crops."""


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


def open_verifier(bundle: Bundle, *, provider: str = "cpu", threads: int | None = None) -> Network:
    """Open the second stage of a bundle.

    Returns
    -------
    Network
        Maps crops (n, side, side, 3) to float32 (n, views, classes): a row of each graph for each mirror
        image that it looks at.

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
    sessions = [open_graph(bundle, name, provider=provider, threads=threads) for name in verifier.files]

    def run(crops: NDArray[np.uint8]) -> NDArray[np.float32]:
        views = mirror_images(crops) if verifier.flips else (crops,)
        rows = [score_windows(session, view) for session in sessions for view in views]
        return np.stack(rows, axis=1)

    return run


def mirror_images(crops: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], ...]:
    """Return crops (n, h, w, 3) as they are, and mirrored from left to right, top to bottom, and both."""
    across, down = crops[:, :, ::-1], crops[:, ::-1]
    return (
        crops,
        np.ascontiguousarray(across),
        np.ascontiguousarray(down),
        np.ascontiguousarray(down[:, :, ::-1]),
    )


def verifier_engine(network: Network, verifier: Verifier) -> Engine:
    """Return an engine whose batches have some half a million pixels."""
    return Engine(network, batch=max(1, _BATCH_PX // verifier.crop_px**2))


def verify_part(read: ReadPart, engine: Engine, *, column: int) -> PartResult:
    """Score the candidates of a part anew.

    Parameters
    ----------
    read : ReadPart
    engine : Engine
        Of the network that `open_verifier` returns.
    column : int
        The class whose probability counts.

    Raises
    ------
    NonFiniteError, OutOfMemoryError, RunError
        As `Engine.score`; the error names the candidate.
    """
    start = time.perf_counter()
    rows = engine.score(read.crops, places=read.places)
    score = np.array([row[:, column].astype(np.float64).mean() for row in rows])
    network_s = time.perf_counter() - start
    score = np.round(score, SCORE_DECIMALS)
    return PartResult(read.part.candidates, score, read.damaged_crops, read.read_s, network_s)
