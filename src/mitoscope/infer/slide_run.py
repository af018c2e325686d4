"""The result of a run over one slide."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, OperatingPoint, Subtype
from mitoscope.detections import Detections, Searched
from mitoscope.geometry import BoxPx0
from mitoscope.infer.config import DetectConfig, Stage
from mitoscope.region import Region
from mitoscope.slide import SlideInfo
from mitoscope.statistics import PriorShift
from mitoscope.tissue import TissueMask

Status = Literal["complete", "complete_with_gaps"]


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
    """

    shift: PriorShift
    before: NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class SlideRun:
    """What was found on a slide, and how.

    Parameters
    ----------
    slide : SlideInfo
        The slide.
    bundle : Bundle
        The detector.
    config : DetectConfig
        As it was asked for.
    detections : Detections
        All candidates above the bundle's floor after suppression, with the scores of the stage, descending;
        they carry what was searched.
    threshold : float
        A candidate above it counts as found.
    threshold_source : str
        Who set it: ``--threshold`` or the bundle's operating point.
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
    timings : Timings
        Where the time went.
    versions : dict of str to str
        Software that made the result.
    notes : tuple of str
        What a reader of the result should know; one line each.
    ledger : Path
        The file that records the run.
    stage : {"proposals", "verified"}
        Whose scores the detections have.
    point : OperatingPoint, optional
        That of the bundle whose threshold it is.
    correction : Correction, optional
        Where the scores were corrected for the share of figures on the slide.
    """

    slide: SlideInfo
    bundle: Bundle
    config: DetectConfig
    detections: Detections
    threshold: float
    threshold_source: str
    region_px0: BoxPx0
    tissue: TissueMask
    tissue_mm2: float
    gaps: tuple[BoxPx0, ...]
    gap_mm2: float
    status: Status
    timings: Timings
    versions: dict[str, str]
    notes: tuple[str, ...]
    ledger: Path
    stage: Stage = "proposals"
    point: OperatingPoint | None = None
    correction: Correction | None = None

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

    @property
    def scores_are_probabilities(self) -> bool:
        """Whether the scores are those of a stage that was calibrated."""
        return self.bundle.manifest.gives_probabilities(from_proposals=self.stage == "proposals")

    @property
    def subtype(self) -> Subtype | None:
        """What told kinds of figures apart; None where nothing did."""
        return self.bundle.manifest.subtype if self.config.subtype else None

    @property
    def figures(self) -> Detections:
        """The candidates above the threshold."""
        return self.detections.above(self.threshold)

    @property
    def floor(self) -> float:
        """What no score of the candidates lies below."""
        manifest = self.bundle.manifest
        floor = manifest.proposal_floor if self.stage == "proposals" else manifest.lowest_score
        return floor if self.correction is None else float(self.correction.shift(floor))


def software(slide: SlideInfo | None = None) -> dict[str, str]:
    """Return the versions of what a result depends on: with the reader, where a slide is given."""
    versions = {
        "mitoscope": version("mitoscope"),
        "python": platform.python_version(),
        "numpy": version("numpy"),
        "onnxruntime": ort.__version__,
    }
    return versions if slide is None else {**versions, "reader": slide.reader}
