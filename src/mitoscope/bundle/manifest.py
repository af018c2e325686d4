"""The manifest of a model bundle: what its author states, and what the writer adds."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, model_validator

from mitoscope.bundle.entries import (
    F1,
    NOT_STATED,
    FileName,
    ManifestEntry,
    Metric,
    Name,
    OperatingPoint,
    Scale,
    Score,
    ScoreCalibration,
    Sha256,
    StainRange,
    Subtype,
    Text,
    Verifier,
    Version,
)
from mitoscope.bundle.origin import Origin
from mitoscope.errors import ConfigError
from mitoscope.labels import MITOTIC_FIGURE

Border = Literal["mirror", "white"]

FORMAT: Final = "mitoscope-bundle/1"
"""Name and version of the format; a reader refuses any other."""

NMS_RADIUS_UM = 7.5
"""Default suppression radius: 30 px at 0.25 µm/px, the radius of the TUPAC rule, also that of MIDOG."""


class Normalisation(ManifestEntry):
    """How the graph turns uint8 into its input; documentation, since it is part of the graph.

    Parameters
    ----------
    description : str
        For example ``"(rgb / 255 - mean) / std"``.
    mean, std : tuple of 3 float
        Red, green, blue.
    """

    description: Text
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    inside_graph: Literal[True] = True


class TrainingSource(ManifestEntry):
    """One data set that the weights have seen.

    Parameters
    ----------
    name, licence, attribution : str
        As the publisher states them.
    sha256 : tuple of str
        Hashes of the files or of the list of files; none where an imported network's authors state none.
    url : str, optional
        Where it is published.
    labels : str, optional
        The ground truth: a version of a study, a study under a policy, or a file; then `sha256` is its hash.
    policy : str, optional
        By which the labels of several raters became one.
    """

    name: Text
    licence: Text
    attribution: Text
    sha256: tuple[Sha256, ...]
    url: Text | None = None
    labels: Text | None = None
    policy: Text | None = None


class ModelDescription(ManifestEntry):
    """What the author of a bundle states; `write_bundle` adds the files and the self-test.

    Parameters
    ----------
    kind : {"points", "scores"}
        Whether its graph finds points in windows, or scores whole crops or tiles.
    name, version : str
        Lower-case name (``semi-fcn``) and semantic version (``1.0.0``).
    architecture : str
        Name of the network, for example ``"fcn-resnet12"``.
    precision : {"float32", "int8"}
        Of what the graphs multiply; int8 as QDQ, so that float32 gives the same where a processor cannot.
    summary : str
        One sentence for listings.
    licence : str
        Licence of the weights (SPDX).
    labels : tuple of str
        Canonical names of the classes that the network tells apart, in the order of its outputs.
    detects : str
        The label that every point carries; one of `labels`.
    mpp : float
        Resolution that the network expects, µm/px.
    mpp_tolerance : float
        Relative difference up to which a slide is not resampled.
    mpp_min, mpp_max : float
        Finest and coarsest slide (µm/px) for which detection makes sense.
    normalisation : Normalisation
        Documented although it is inside the graph.
    stride_px : int
        Windows must begin, and end, on multiples of it.
    window_px : int
        Side of the default window in plane px, a multiple of `stride_px`.
    halo_px : int
        Half the receptive field, rounded up: what a point depends on beyond its own place.
    border : {"mirror", "white"}
        What a window shows beyond the slide: its mirror image, or the white of bare glass, as in training.
    top_k : int
        Slots of a window in the output (K).
    nms_radius_um : float
        Radius of the non-maximum suppression over the slide.
    margin_um : float
        What lies nearer to the border of the slide is a cell that the border cuts, and is left out.
    score_floor : float
        Candidates with a score above it are kept.
    points : tuple of OperatingPoint
        Thresholds of the last stage by their names; of a single stage none below the floor.
    default_point : str
        The point that detection takes when none is named.
    verifier : Verifier, optional
        The second stage.
    subtype : Subtype, optional
        Tells kinds of mitotic figures apart, after all stages.
    calibration : ScoreCalibration, optional
        Makes the scores of the last stage probabilities; the points are on what it gives.
    stain : StainRange, optional
        How densely the training data were stained; results note a slide outside of this range.
    training : tuple of TrainingSource
        All data that the weights have seen.
    metrics : tuple of Metric
        With 95 % confidence intervals.
    origin : Origin, optional
        Where an imported network comes from, and what was stated of it.
    """

    kind: Literal["points", "scores"] = "points"
    name: Name
    version: Version
    architecture: Name
    precision: Literal["float32", "int8"] = "float32"
    summary: Text
    licence: Text
    labels: Annotated[tuple[Text, ...], Field(min_length=1)] = (MITOTIC_FIGURE.name,)
    detects: Text = MITOTIC_FIGURE.name
    mpp: Scale
    mpp_tolerance: Annotated[float, Field(ge=0, le=0.25)] = 0.10
    mpp_min: Scale
    mpp_max: Scale
    normalisation: Normalisation
    stride_px: Annotated[int, Field(ge=1, le=256)]
    window_px: Annotated[int, Field(ge=32, le=8192)]
    halo_px: Annotated[int, Field(ge=0, le=2048)]
    border: Border = "mirror"
    top_k: Annotated[int, Field(ge=1, le=65536)]
    nms_radius_um: Annotated[float, Field(gt=0, le=100)] = NMS_RADIUS_UM
    margin_um: Annotated[float, Field(ge=0, le=50)] = 0.0
    score_floor: Score
    points: Annotated[tuple[OperatingPoint, ...], Field(min_length=1)]
    default_point: Name = F1
    verifier: Verifier | None = None
    subtype: Subtype | None = None
    calibration: ScoreCalibration | None = None
    stain: StainRange | None = None
    training: Annotated[tuple[TrainingSource, ...], Field(min_length=1)]
    metrics: tuple[Metric, ...] = ()
    origin: Origin | None = None

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        if len(set(self.labels)) != len(self.labels) or self.detects not in self.labels:
            raise ValueError(f"labels must be distinct and contain detects ({self.detects!r})")
        if not self.mpp_min <= self.mpp <= self.mpp_max:
            raise ValueError("mpp must lie in [mpp_min, mpp_max]")
        if self.window_px % self.stride_px:
            raise ValueError("window_px must be a multiple of stride_px")
        if self.window_px <= 2 * self.aligned_halo_px:
            raise ValueError("window_px is too small: nothing remains between the halos")
        names = [point.name for point in self.points]
        if len(set(names)) != len(names) or self.default_point not in names:
            raise ValueError("points need distinct names, and default_point must be one of them")
        if min(self.proposal_thresholds) < self.proposal_floor:
            raise ValueError("a threshold lies below score_floor")
        if self.verifier and (self.kind != "points" or self.detects not in self.verifier.labels):
            raise ValueError(f"a verifier needs a detector, and the label {self.detects!r} among its own")
        if self.subtype and (self.kind != "points" or self.detects not in self.subtype.labels):
            raise ValueError(f"a subtype needs a detector, and the label {self.detects!r} among its own")
        return self

    @property
    def lowest_score(self) -> float:
        """What no score that the bundle gives out lies below: 0 after a second stage, else the floor."""
        return 0.0 if self.verifier is not None else self.proposal_floor

    @property
    def proposal_floor(self) -> float:
        """What no score of the first stage lies below; calibrated where it is the only one."""
        if self.verifier is not None or self.calibration is None:
            return self.score_floor
        return float(self.calibration(self.score_floor))

    @property
    def proposal_thresholds(self) -> tuple[float, ...]:
        """The operating points of the scores to which the floor belongs."""
        return (
            (self.verifier.proposal_threshold,)
            if self.verifier
            else tuple(point.threshold for point in self.points)
        )

    @property
    def further_graphs(self) -> tuple[str, ...]:
        """Files of the graphs beside the detector's: those of the verifier, and that of the subtype."""
        second = self.verifier.files if self.verifier else ()
        return (*second, self.subtype.file) if self.subtype else second

    @property
    def aligned_halo_px(self) -> int:
        """The halo rounded up to a multiple of the stride."""
        return -(-self.halo_px // self.stride_px) * self.stride_px

    def gives_probabilities(self, *, from_proposals: bool = False) -> bool:
        """Return whether scores are probabilities: those of the last stage, where it was calibrated.

        Parameters
        ----------
        from_proposals : bool
            Whether the scores are those of the first stage, which may be the only one.
        """
        return self.calibration is not None and not (from_proposals and self.verifier is not None)

    def describe_scores(self, *, from_proposals: bool = False) -> str:
        """Say in a sentence what a score means; parameters as for `gives_probabilities`."""
        if self.calibration is None or not self.gives_probabilities(from_proposals=from_proposals):
            return "Scores rank candidates; they are not probabilities."
        measured = [
            f"{metric.value:.3f} [{metric.ci_low:.3f}, {metric.ci_high:.3f}] on {metric.dataset}"
            for metric in self.metrics
            if metric.name.casefold() == "ece"
        ]
        error = f"expected calibration error {'; '.join(measured)}" if measured else "error not measured"
        return (
            f"Scores are probabilities of being a {self.detects}, calibrated on {self.calibration.fitted_on} "
            f"({error})."
        )

    def point(self, name: str | None = None) -> OperatingPoint:
        """Return the operating point of a name, by default the one that detection takes.

        Raises
        ------
        ConfigError
            Naming the points that there are.
        """
        wanted = self.default_point if name is None else name
        for point in self.points:
            if point.name == wanted:
                return point
        raise ConfigError(
            f"{self.name} {self.version} has no operating point {wanted!r}",
            where="--point",
            mend=f"one of: {', '.join(point.name for point in self.points)}",
        )

    @property
    def default_threshold(self) -> float:
        """The threshold of the default point."""
        return self.point().threshold

    @property
    def default_protocol(self) -> str:
        """The matching rule of the default point."""
        return self.point().protocol


class FileEntry(ManifestEntry):
    """Size and hash of one file of the bundle."""

    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class SelfTest(ManifestEntry):
    """A picture and the points that the detector finds in it.

    Parameters
    ----------
    image : str
        PNG file in the bundle.
    points : tuple of (x, y, score)
        All points above the score floor, in px of the image; of a detector.
    scores : tuple of float
        The row of scores; of a classifier or a regressor.
    verifier_scores : tuple of tuple of float
        The row of each graph of the verifier for the crop in the middle of the picture.
    subtype_scores : tuple of float
        The row of the subtype's graph for the crop in the middle of the picture.
    tolerance_px, tolerance_score : float
        How far a run on another processor may differ.
    """

    image: FileName
    points: tuple[tuple[float, float, Score], ...] = ()
    scores: tuple[Score, ...] = ()
    verifier_scores: tuple[tuple[Score, ...], ...] = ()
    subtype_scores: tuple[Score, ...] = ()
    tolerance_px: Annotated[float, Field(gt=0, le=4)] = 0.5
    tolerance_score: Annotated[float, Field(gt=0, le=0.1)] = 0.005


class Manifest(ModelDescription):
    """The content of ``manifest.json``: the description, the files with their hashes and the self-test."""

    format: Literal["mitoscope-bundle/1"] = FORMAT
    detector: FileName
    self_test: SelfTest
    files: Annotated[dict[FileName, FileEntry], Field(min_length=2, max_length=64)]

    @model_validator(mode="after")
    def _files_are_listed(self) -> Self:
        second = self.verifier.files if self.verifier else ()
        for name in (self.detector, self.self_test.image, *self.further_graphs):
            if name not in self.files:
                raise ValueError(f"{name!r} is not listed in files")
        if len({self.detector, *self.further_graphs}) <= len(self.further_graphs):
            raise ValueError("a graph has two tasks: the detector cannot verify itself")
        test = self.self_test
        if not (test.points if self.kind == "points" else test.scores):
            raise ValueError("the self-test states no expected result")
        if len(test.verifier_scores) != len(second):
            raise ValueError("the self-test does not expect a row of each graph of the verifier")
        if bool(test.subtype_scores) != (self.subtype is not None):
            raise ValueError("the self-test does not expect a row of the subtype's graph")
        return self

    @property
    def source(self) -> str:
        """Name and version, the source of the detections that the bundle makes."""
        return f"{self.name} {self.version}"


_CHOSEN_HERE: Final = re.compile(r"(.+?) \(.*threshold chosen here\)")
"""What metrics call the data on which the threshold was chosen."""


def read_manifest(content: bytes) -> Manifest:
    """Read ``manifest.json``, also of a bundle that stated a threshold for each protocol and no points.

    Raises
    ------
    ValidationError
        If a statement is missing, unknown or contradicts another one.
    """
    try:
        stated = json.loads(content)
    except (ValueError, RecursionError):
        stated = None  # what is wrong with it is said below
    if isinstance(stated, dict) and isinstance(stated.get("thresholds"), dict) and "points" not in stated:
        content = json.dumps(_with_points(stated)).encode()
    return Manifest.model_validate_json(content)


def _with_points(stated: Mapping[str, Any]) -> dict[str, Any]:
    """Return the statements with a point for each protocol: the default one is called as points are today."""
    default = stated.get("default_protocol")
    points = [
        {
            "name": F1 if protocol == default else f"{F1}-{protocol}",
            "protocol": protocol,
            "threshold": threshold,
            **_choice(stated, protocol, threshold),
        }
        for protocol, threshold in stated["thresholds"].items()
    ]
    kept = {key: value for key, value in stated.items() if key not in ("thresholds", "default_protocol")}
    return {**kept, "points": points, "default_point": F1}


def _choice(stated: Mapping[str, Any], protocol: str, threshold: Any) -> dict[str, Any]:
    """Return on what a threshold was chosen, as the metrics say."""
    metrics = stated.get("metrics")
    for metric in metrics if isinstance(metrics, list) else ():
        if not isinstance(metric, dict) or metric.get("threshold") != threshold:
            continue
        if metric.get("protocol") == protocol and (
            named := _CHOSEN_HERE.fullmatch(str(metric.get("dataset")))
        ):
            return {"chosen_on": named[1], "cases": metric.get("images")}
    return {"chosen_on": NOT_STATED}
