"""The cascade over one slide: candidates of the first stage, scored anew part by part, each part recorded."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, Manifest, ScoreCalibration, Verifier
from mitoscope.detections import Detections
from mitoscope.errors import BundleError, ConfigError, StoppedError
from mitoscope.infer.config import DetectConfig, Quality, Stage
from mitoscope.infer.crew import Crew
from mitoscope.infer.engine import Network, open_bundle_network
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.slide_run import Correction
from mitoscope.infer.subtype import open_subtype
from mitoscope.infer.verify import (
    SCORE_DECIMALS,
    CandidatePart,
    PartResult,
    SecondStage,
    open_verifier,
    plan_parts,
    read_part,
    verify_part,
)
from mitoscope.infer.workers import Workers, timed
from mitoscope.slide import Plane, Slide


def stage_of(manifest: Manifest, config: DetectConfig) -> Stage:
    """Return the stage whose scores a run gives out: the last one of the bundle, unless asked otherwise.

    Raises
    ------
    BundleError
        If the bundle is no detector.
    ConfigError
        If it has no second stage and one is asked for.
    """
    if manifest.kind != "points":
        raise BundleError(
            f"{manifest.source} scores whole windows and detects nothing",
            mend="take the bundle of a detector with --model",
        )
    if config.stage == "verified" and manifest.verifier is None:
        raise ConfigError(f"{manifest.source} has no second stage", where="--stage", mend="leave --stage out")
    return config.stage or ("proposals" if manifest.verifier is None else "verified")


def quality_of(manifest: Manifest, config: DetectConfig) -> Quality:
    """Return how often a run looks at a candidate.

    Raises
    ------
    ConfigError
        If a quality is asked for where the bundle looks once at a candidate, or not at all.
    """
    if config.quality is not None and (manifest.verifier is None or manifest.verifier.looks == 1):
        often = "does not look again" if manifest.verifier is None else "looks once"
        raise ConfigError(
            f"{manifest.source} {often} at its candidates: there is nothing to choose",
            where="--quality",
            mend="leave --quality out",
        )
    return config.quality or "balanced"


def refuse_subtype(manifest: Manifest, config: DetectConfig) -> None:
    """Refuse a run that is to tell kinds of figures apart with a bundle that cannot.

    Raises
    ------
    ConfigError
        If so.
    """
    if config.subtype and manifest.subtype is None:
        raise ConfigError(
            f"{manifest.source} does not distinguish kinds of mitotic figures",
            where="--subtype",
            mend="leave --subtype out",
        )


def verify(
    slide: Slide,
    proposals: Detections,
    ledger: Ledger,
    *,
    manifest: Manifest,
    verifier: Verifier,
    crew: Crew,
) -> Detections:
    """Replace the score of every candidate by the verifier's.

    Parameters
    ----------
    slide : Slide
    proposals : Detections
        Of the whole slide, after suppression.
    ledger : Ledger
        Of the run, all chunks recorded; parts that are there are not verified again.
    manifest : Manifest
    verifier : Verifier
    crew : Crew

    Returns
    -------
    Detections
        The same places, by descending score.

    Raises
    ------
    SlideReadError
        If the slide's file goes away.
    OutputError
        If the ledger cannot be written.
    NonFiniteError, OutOfMemoryError, RunError
        If the network fails; names the candidate.
    StoppedError
        If the user stops it.
    """
    plane = Plane(slide, verifier.mpp, tolerance=manifest.mpp_tolerance)
    recorded = ledger.verified_parts()
    waiting = [part for part in plan_parts(proposals.points_px0) if part.index not in recorded]
    work = CandidateCheck(plane, proposals, manifest, verifier)
    try:
        with closing(crew.run(work, waiting)) as groups:
            for group in timed(groups):
                with ledger.together():
                    for part, result, wall_s in group:
                        ledger.record_verified(part.index, result, wall_s=wall_s)
    except KeyboardInterrupt:
        raise StoppedError(
            f"stopped after {len(ledger.verified())} of {len(proposals)} candidates were verified",
            where=ledger.path,
            mend="repeat the same command to continue",
        ) from None
    scores = ledger.verified()
    score = np.array([scores[candidate] for candidate in range(len(proposals))])
    return rescored(proposals, score, manifest.calibration)


@dataclass(frozen=True, slots=True)
class CandidateCheck:
    """The second look at a slide's candidates, wherever it is taken.

    Parameters
    ----------
    plane : Plane
        The slide at the verifier's resolution.
    proposals : Detections
        All candidates.
    manifest : Manifest
    verifier : Verifier
    """

    plane: Plane
    proposals: Detections
    manifest: Manifest
    verifier: Verifier

    def begin(self, networks: Networks) -> Callable[[CandidatePart], PartResult]:
        """Return what verifies a part of the candidates."""
        assert networks.verifier is not None  # `open_networks` saw to it
        seen_by = networks.verifier, networks.further
        stage = SecondStage.of(seen_by, self.verifier, detects=self.manifest.detects)
        side = self.verifier.crop_px
        mirror_px = side if self.manifest.border == "mirror" else 0
        return lambda part: verify_part(
            read_part(self.plane, part, self.proposals, crop_px=side, mirror_px=mirror_px), stage
        )


def rescored(detections: Detections, score: NDArray[np.float64], line: ScoreCalibration | None) -> Detections:
    """Return detections with the scores of the last stage, calibrated where a line is given, descending."""
    if line is not None:
        score = np.round(line(score), SCORE_DECIMALS)
    return detections.with_score(score).sort()


def corrected(detections: Detections, line: ScoreCalibration | None) -> tuple[Detections, Correction | None]:
    """Correct calibrated scores for the share of figures on the slide; see `mitoscope.statistics.PriorShift`.

    Parameters
    ----------
    detections : Detections
        All candidates of the slide, with calibrated scores, as `rescored` gives them.
    line : ScoreCalibration or None
        The calibration.

    Returns
    -------
    tuple of Detections and Correction or None
        The same candidates in the same order, and what was done; nothing where the calibration does not state
        for which share of figures its scores hold.
    """
    shift = None if line is None else line.prior_shift(detections.score)
    if line is None or shift is None:
        return detections, None
    moved = detections.with_score(np.round(shift(detections.score), SCORE_DECIMALS))
    order = moved.order()  # rounding makes new ties
    return moved.take(order), Correction(shift, detections.score[order], line)


@dataclass(frozen=True, slots=True)
class Networks:
    """The networks that a run needs.

    Parameters
    ----------
    detector : Network
    verifier : Network, optional
        The second stage, where its scores are asked for.
    further : Network, optional
        Its further looks at the candidates that the first one leaves in doubt.
    subtype : Network, optional
        Tells kinds of figures apart, where that is asked for.
    """

    detector: Network
    verifier: Network | None = None
    further: Network | None = None
    subtype: Network | None = None


def open_networks(bundle: Bundle, config: DetectConfig) -> Networks:
    """Open the networks of a bundle that a run needs.

    Raises
    ------
    BundleError
        If the bundle is no detector.
    ConfigError
        If a second stage is asked for that it does not have, or the provider is not there.
    BundleDamagedError
        If a graph changed since the bundle was loaded.
    """
    stage, quality = stage_of(bundle.manifest, config), quality_of(bundle.manifest, config)
    provider, threads = config.provider, Workers.of(config.threads).threads_each
    detector = open_bundle_network(bundle, provider=provider, threads=threads)
    subtype = open_subtype(bundle, provider=provider, threads=threads) if config.subtype else None
    if stage == "proposals":
        return Networks(detector, subtype=subtype)
    verifier = open_verifier(bundle, quality, provider=provider, threads=threads)
    return Networks(detector, *verifier, subtype=subtype)
