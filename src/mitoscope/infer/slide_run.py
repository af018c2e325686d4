"""The result of a run over one slide."""

from __future__ import annotations

import platform
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, Manifest, OperatingPoint, ScoreCalibration, Subtype
from mitoscope.config import Config
from mitoscope.detections import Detections, Searched
from mitoscope.geometry import BoxPx0
from mitoscope.infer.config import DetectConfig
from mitoscope.region import Region
from mitoscope.slide import SlideInfo
from mitoscope.statistics import PriorShift
from mitoscope.tissue import Focus, TissueMask
from mitoscope.wording import say_area, say_number

Status = Literal["complete", "complete_with_gaps"]


def stain_complaint(tissue: TissueMask, manifest: Manifest) -> str | None:
    """Return in words how the stain is unlike that of the training data; doubted colours say more already."""
    if manifest.stain is None or tissue.stain is None or tissue.colour_doubt:
        return None
    return manifest.stain.complaint(tissue.stain)


def finest_mpp(manifest: Manifest, stage: str) -> float:
    """Return the finest resolution at which a run looks at a slide."""
    second = manifest.verifier if stage == "verified" else None
    return manifest.mpp if second is None else min(manifest.mpp, second.mpp)


@dataclass(frozen=True, slots=True)
class Timings:
    """Where the time of a run went, over all sessions in which it was made.

    Parameters
    ----------
    setup_s : float
        Opening the slide, finding its tissue, planning; of the last session.
    read_s : float
        Reading pixels, in threads beside the network.
    network_s : float
        The network.
    wall_s : float
        The search from its beginning to its end, as by the clock on the wall.
    sessions : int
        How many times the run was begun or gone on with.
    verify_read_s, verify_network_s, verify_wall_s : float
        The same of the second stage; 0 where there is none.
    subtype_read_s, subtype_network_s, subtype_wall_s : float
        The same of telling kinds of figures apart.
    """

    setup_s: float
    read_s: float
    network_s: float
    wall_s: float
    sessions: int
    verify_read_s: float = 0.0
    verify_network_s: float = 0.0
    verify_wall_s: float = 0.0
    subtype_read_s: float = 0.0
    subtype_network_s: float = 0.0
    subtype_wall_s: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Correction:
    """What became of the scores of a slide where they were corrected for its share of figures.

    Parameters
    ----------
    shift : PriorShift
        From the share of the calibration to that of the slide.
    before : ndarray of float64, shape (n,)
        Scores without the correction, in the order of the detections.
    line : ScoreCalibration
        The calibration.
    """

    shift: PriorShift
    before: NDArray[np.float64]
    line: ScoreCalibration


@dataclass(frozen=True, slots=True)
class Finder:
    """Who found what a result states: a bundle, another program, or several results together.

    Parameters
    ----------
    entry : mapping of str to object
        The part ``detector`` of the manifest: name, version, fingerprint and calibration at least.
    facts : mapping of str to str
        The same for readers of the report.
    scores : str
        What a score means, in a sentence.
    kept : str
        Which of its findings are kept as candidates.
    """

    entry: Mapping[str, object]
    facts: Mapping[str, str]
    scores: str
    kept: str


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SlideFindings(ABC):
    """What was found on a slide, by whomever: what counts, reports and the files of a result are made from.

    Parameters
    ----------
    slide : SlideInfo
        The slide.
    detections : Detections
        All candidates, descending; they carry what was searched.
    threshold : float
        A candidate above it counts as found.
    threshold_source : str
        Who set it: ``--threshold`` or an operating point.
    region_px0 : BoxPx0
        The part of the slide that was searched.
    tissue : TissueMask
        Of the whole slide.
    tissue_mm2 : float
        Tissue in the region.
    gaps : tuple of BoxPx0
        Parts of the searched tissue that could not be decoded; they do not overlap.
    gap_mm2 : float
        Their area.
    status : {"complete", "complete_with_gaps"}
        Whether something could not be read.
    versions : dict of str to str
        Software that made the result.
    notes : tuple of str
        What a reader of the result should know; one line each.
    stage : str
        Whose scores the detections have: ``proposals`` or ``verified`` of a bundle, ``imported``, ``joined``.
    point : OperatingPoint, optional
        That whose threshold it is.
    correction : Correction, optional
        Where the scores were corrected for the share of figures on the slide.
    focus : Focus, optional
        How sharp the slide is, where that could be measured.
    """

    slide: SlideInfo
    detections: Detections
    threshold: float
    threshold_source: str
    region_px0: BoxPx0
    tissue: TissueMask
    tissue_mm2: float
    gaps: tuple[BoxPx0, ...]
    gap_mm2: float
    status: Status
    versions: dict[str, str]
    notes: tuple[str, ...]
    stage: str = "proposals"
    point: OperatingPoint | None = None
    correction: Correction | None = None
    focus: Focus | None = None

    def __post_init__(self) -> None:
        slide = self.slide
        is_part = self.region_px0 != BoxPx0(0, 0, slide.size.width, slide.size.height)
        searched = Searched(
            mpp=slide.mpp,
            size=slide.size,
            threshold=self.threshold,
            region=Region.of_box(self.region_px0) if is_part else None,
            gaps=self.gaps,
            calibrated=self.scores_are_probabilities,
            origin=slide.name,
            colour_doubt=self.tissue.colour_doubt,
        )
        object.__setattr__(self, "detections", self.detections.with_searched(searched))

    def __repr__(self) -> str:
        return (
            f"<{type(self).__name__} of {self.slide.name}: {len(self.figures)} mitotic figures, "
            f"{say_number(len(self.detections), 'candidate')}, {say_area(self.tissue_mm2)} of tissue>"
        )

    @property
    @abstractmethod
    def finder(self) -> Finder:
        """Who found it."""

    @property
    @abstractmethod
    def configuration(self) -> Config:
        """As it was asked for."""

    @property
    @abstractmethod
    def stated_mpp(self) -> tuple[float | None, bool]:
        """With which ``--mpp`` and ``--mpp-override`` the slide is to be opened again."""

    @property
    @abstractmethod
    def scores_are_probabilities(self) -> bool:
        """Whether the scores were calibrated."""

    @property
    def subtype(self) -> Subtype | None:
        """What told kinds of figures apart; None where nothing did."""
        return None

    @property
    def floor(self) -> float:
        """What no score of the candidates lies below."""
        return 0.0

    @property
    def spent(self) -> dict[str, float]:
        """Where the time went, in seconds; empty where nobody knows."""
        return {}

    @property
    def odd_stain(self) -> str | None:
        """In words, how the stain is unlike what the detector knows; None where it is not, or nobody says."""
        return None

    @property
    def enlarged_to(self) -> float | None:
        """The µm/px to which the slide was enlarged for the detector; None where it was not."""
        return None

    @property
    def figures(self) -> Detections:
        """The candidates above the threshold."""
        return self.detections.above(self.threshold)


@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class SlideRun(SlideFindings):
    """What a bundle found on a slide, and how.

    Parameters
    ----------
    bundle : Bundle
        The detector.
    config : DetectConfig
        As it was asked for.
    timings : Timings
        Where the time went.
    ledger : Path
        The file that records the run.
    stage : {"proposals", "verified"}
        Whose scores the detections have.
    """

    bundle: Bundle
    config: DetectConfig
    timings: Timings
    ledger: Path

    @property
    def scores_are_probabilities(self) -> bool:
        """Whether the scores are those of a stage that was calibrated."""
        return self.bundle.manifest.gives_probabilities(from_proposals=self.stage == "proposals")

    @property
    def finder(self) -> Finder:
        """The bundle; precision and recall of the detector are in its model card."""
        manifest = self.bundle.manifest
        training = [{"name": source.name, "licence": source.licence} for source in manifest.training]
        measured = (
            f"{metric.value:.2f} [{metric.ci_low:.2f}, {metric.ci_high:.2f}] on {metric.dataset}"
            for metric in manifest.metrics
            if metric.name.casefold() == "f1"
        )
        parts = {name: getattr(manifest, name) for name in ("verifier", "subtype", "calibration")}
        return Finder(
            entry={
                "name": manifest.name,
                "version": manifest.version,
                "fingerprint": self.bundle.fingerprint,
                "architecture": manifest.architecture,
                "licence": manifest.licence,
                "mpp": manifest.mpp,
                "score_floor": manifest.score_floor,
                **{name: None if one is None else one.model_dump(mode="json") for name, one in parts.items()},
                "training": training,
            },
            facts={
                "Bundle": manifest.source,
                "Fingerprint": self.bundle.fingerprint,
                "Architecture": manifest.architecture,
                "Resolution": f"{manifest.mpp:g} µm/px",
                "Training data": "; ".join(f"{one['name']} ({one['licence']})" for one in training),
                "Licence": manifest.licence,
                "F1 [95 %]": "; ".join(measured) or "not stated",
            },
            scores=manifest.describe_scores(from_proposals=self.stage == "proposals"),
            kept="of the first stage",
        )

    @property
    def configuration(self) -> DetectConfig:
        """As it was asked for."""
        return self.config

    @property
    def stated_mpp(self) -> tuple[float | None, bool]:
        """With which ``--mpp`` and ``--mpp-override`` the slide is to be opened again."""
        return self.config.mpp, self.config.mpp_override

    @property
    def subtype(self) -> Subtype | None:
        """What told kinds of figures apart; None where nothing did."""
        return self.bundle.manifest.subtype if self.config.subtype else None

    @property
    def floor(self) -> float:
        """What no score of the candidates lies below."""
        manifest = self.bundle.manifest
        floor = manifest.proposal_floor if self.stage == "proposals" else manifest.lowest_score
        return floor if self.correction is None else float(self.correction.shift(floor))

    @property
    def spent(self) -> dict[str, float]:
        """Where the time went, in seconds."""
        return asdict(self.timings)

    @property
    def odd_stain(self) -> str | None:
        """In words, how the stain is unlike that of the training data; None where it is not."""
        return stain_complaint(self.tissue, self.bundle.manifest)

    @property
    def enlarged_to(self) -> float | None:
        """The µm/px to which the slide was enlarged for the detector; None where it was not."""
        manifest = self.bundle.manifest
        finest = finest_mpp(manifest, self.stage)
        return finest if self.slide.mpp.mean > finest * (1 + manifest.mpp_tolerance) else None


def software(slide: SlideInfo | None = None) -> dict[str, str]:
    """Return the versions of what a result depends on: with the reader, where a slide is given."""
    versions = {
        "mitoscope": version("mitoscope"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "onnxruntime": ort.__version__,
    }
    return versions if slide is None else {**versions, "reader": slide.reader}
