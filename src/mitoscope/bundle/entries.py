"""Entries of a manifest that do something: stages, kinds of figures, calibration, operating points, stain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from pydantic import BaseModel, ConfigDict, Field, model_validator

from mitoscope.geometry import MPP_MAX, MPP_MIN
from mitoscope.labels import is_figure
from mitoscope.statistics import LABORATORY_FIGURES, PRIOR_FIGURES, PriorShift, ScoreLine, estimate_shift

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9._-]{0,63}$")]
FileName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$")]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Version = Annotated[str, Field(pattern=r"^[0-9]+\.[0-9]+\.[0-9]+([.-][0-9A-Za-z.-]+)?$")]
Text = Annotated[str, Field(min_length=1, max_length=4000)]
Score = Annotated[float, Field(ge=0, le=1)]
Scale = Annotated[float, Field(ge=MPP_MIN, le=MPP_MAX)]
Side = Annotated[int, Field(ge=16, le=1024)]
Density = tuple[float, float, float]

F1: Final = "f1"
"""Name of the operating point that most bundles have."""
ROBUST: Final = "robust"
"""Name of the operating point for slides that look unlike the training data."""
GREATEST_F1: Final = "greatest F1"
NOT_STATED: Final = "data that the bundle does not name"

_ENDS: Final = (0.01, 0.99)
"""Quantiles of the cases: a few odd ones do not make the range."""
_COLOURS: Final = ("red", "green", "blue")
BALANCED_ACCURACY: Final = "balanced-accuracy"
"""Name of the metric: the mean of the shares of both kinds that are told right."""
KIND_RECALLS: Final = ("recall of atypical figures", "recall of other figures")
"""Names of both shares."""


class ManifestEntry(BaseModel):
    """A table of a manifest: frozen; unknown keys, other types and what is not finite are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)


class Blend(ManifestEntry):
    """A weighted mean of log-odds: how several looks at a candidate, and the first stage, become one score.

    Parameters
    ----------
    weights : tuple of float
        Of each graph of the second stage; its mirror images share it.
    proposal : float
        Of the score of the first stage.
    """

    weights: Annotated[tuple[Annotated[float, Field(gt=0, le=100)], ...], Field(min_length=1)]
    proposal: Annotated[float, Field(ge=0, le=100)] = 0.0


class Verifier(ManifestEntry):
    """A second stage: classifiers whose probability of a mitotic figure replaces the score of a candidate.

    Parameters
    ----------
    files : tuple of str
        Graphs in the bundle, ``uint8 (N, H, W, 3)`` to probabilities ``float32 (N, classes)``; of several the
        mean counts (an ensemble), unless `blend` says otherwise.
    crop_px : int
        Side of the crop around a candidate, at `mpp`.
    crops_px : tuple of int, optional
        Of each graph, the side of the middle of that crop which it sees; without it all see the whole.
    mpp : float
        Resolution that all expect, µm/px.
    labels : tuple of str
        Their classes, in the order of the outputs.
    rule : {"replaces"}
        What their probability does to the score of the first stage; with `blend` that is a part of it.
    blend : Blend, optional
        Weights of the looks.
    flips : bool
        Average over the four mirror images (test-time augmentation).
    doubt : tuple of float, optional
        Where the first look, the first graph on the crop as it is, scores from the first of these to the
        second, the other looks are taken as well and the mean counts; elsewhere the first look does. Without
        it every candidate is looked at in all ways.
    proposal_threshold : float
        Operating point of the first stage alone; those of both stages are the bundle's `thresholds`.
    """

    files: Annotated[tuple[FileName, ...], Field(min_length=1, max_length=16)]
    crop_px: Side
    crops_px: tuple[Side, ...] | None = None
    mpp: Scale
    labels: Annotated[tuple[Text, ...], Field(min_length=2)]
    rule: Literal["replaces"] = "replaces"
    blend: Blend | None = None
    flips: bool = False
    doubt: tuple[Score, Score] | None = None
    proposal_threshold: Score

    @model_validator(mode="after")
    def _fields_agree(self) -> Self:
        for names in (self.files, self.labels):
            if len(set(names)) != len(names):
                raise ValueError("a file or a label of the verifier is named twice")
        count = len(self.files)
        if self.blend is not None and len(self.blend.weights) != count:
            raise ValueError(f"{len(self.blend.weights)} weights of {count} graphs")
        sides = self.sides_px
        if len(sides) != count or max(sides) != self.crop_px or any((self.crop_px - s) % 2 for s in sides):
            raise ValueError("crops_px: a side for each graph, the longest crop_px, all even or all odd")
        if self.doubt and (self.doubt[0] > self.doubt[1] or self.looks == 1):
            raise ValueError("doubt goes from a lower score to a higher one, and needs looks to resolve it")
        return self

    @property
    def sides_px(self) -> tuple[int, ...]:
        """Side of what each graph sees."""
        return self.crops_px or (self.crop_px,) * len(self.files)

    @property
    def views(self) -> int:
        """How many mirror images each graph sees."""
        return 4 if self.flips else 1

    @property
    def looks(self) -> int:
        """How many ways there are to look at a crop."""
        return len(self.files) * self.views

    def column(self, label: str) -> int:
        """Return the output of a label."""
        return self.labels.index(label)


class FigureShare(ManifestEntry):
    """How many of the candidates that a detector gives on some images are figures.

    Parameters
    ----------
    share : float
        In (0, 1).
    candidates, images : int
        On how many it was counted, or estimated.
    """

    share: Annotated[float, Field(gt=0, lt=1)]
    candidates: Annotated[int, Field(ge=1)]
    images: Annotated[int, Field(ge=1)]


class Metric(ManifestEntry):
    """A score on data that the weights have not seen, with its 95 % confidence interval.

    Parameters
    ----------
    name : str
        For example ``"f1"``.
    dataset, protocol : str
        What was judged, and by which matching protocol.
    value, ci_low, ci_high : float
        The estimate and the ends of the interval.
    threshold : float, optional
        The score above which detections counted.
    images : int
        How many images, or cases of several images, the bootstrap drew from.
    """

    name: Text
    dataset: Text
    protocol: Text
    value: float
    ci_low: float
    ci_high: float
    images: Annotated[int, Field(ge=1)]
    threshold: Score | None = None

    @model_validator(mode="after")
    def _interval_is_ordered(self) -> Self:
        if not self.ci_low <= self.value <= self.ci_high:
            raise ValueError(f"{self.name}: value {self.value:g} outside of its confidence interval")
        return self


class Subtype(ManifestEntry):
    """A last look at mitotic figures: a classifier that tells two kinds of them apart. Both count as figures.

    Parameters
    ----------
    file : str
        Graph in the bundle, ``uint8 (N, H, W, 3)`` to probabilities ``float32 (N, 2)``.
    crop_px : int
        Side of the crop around a figure, at `mpp`.
    mpp : float
        Resolution that it expects, µm/px.
    labels : tuple of str
        The two kinds in the order of its outputs: the one that it finds, and what figures are otherwise.
    threshold : float
        Figures whose probability of the first kind is strictly above it are of that kind.
    flips : bool
        Average over the four mirror images (test-time augmentation).
    metrics : tuple of Metric
        How well it tells them apart, among true figures.
    """

    file: FileName
    crop_px: Annotated[int, Field(ge=16, le=1024)]
    mpp: Scale
    labels: tuple[Text, Text]
    threshold: Score
    flips: bool = False
    metrics: tuple[Metric, ...] = ()

    @model_validator(mode="after")
    def _labels_are_figures(self) -> Self:
        if self.labels[0] == self.labels[1] or not all(map(is_figure, self.labels)):
            raise ValueError("a subtype distinguishes two kinds of mitotic figures")
        return self

    @property
    def finds(self) -> str:
        """The kind that it finds."""
        return self.labels[0]

    def describe(self) -> str:
        """Say in a sentence how far its classes can be trusted."""
        shown = [metric for metric in self.metrics if metric.name in (BALANCED_ACCURACY, *KIND_RECALLS)]
        shares = ", ".join(
            f"{metric.name.replace('-', ' ')} {metric.value:.2f} [{metric.ci_low:.2f}, {metric.ci_high:.2f}]"
            for metric in shown
        )
        measured = f"{shares} on {shown[0].dataset}" if shown else "accuracy not measured"
        return f"Whether a figure is an {self.finds} is an aid, to be checked by eye ({measured})."


class ScoreCalibration(ManifestEntry):
    """A line over the logit of the score (Platt 1999), which keeps the order of the candidates.

    Parameters
    ----------
    slope, intercept : float
        The score becomes ``1 / (1 + exp(-(slope * logit(score) + intercept)))``.
    fitted_on : str
        The fields on which it was fitted.
    figures : FigureShare, optional
        Of the candidates there, for which the probabilities hold; slides with another share are corrected
        for it. Without it nothing is.
    laboratory : FigureShare, optional
        Of a laboratory's slides, estimated without labels: what is expected of a further one of its slides.
    """

    slope: Annotated[float, Field(gt=0)]
    intercept: float
    fitted_on: Text
    figures: FigureShare | None = None
    laboratory: FigureShare | None = None

    @model_validator(mode="after")
    def _laboratory_differs_from_something(self) -> Self:
        if self.laboratory is not None and self.figures is None:
            raise ValueError("the share of a laboratory needs that of the calibration")
        return self

    def __call__(self, scores: ArrayLike) -> NDArray[np.float64]:
        """Return the probabilities for scores in [0, 1]."""
        return ScoreLine(self.slope, self.intercept)(scores)

    def prior_shift(self, probabilities: ArrayLike, *, expect_laboratory: bool = True) -> PriorShift | None:
        """Return how the share of figures differs on a slide, or on several; None where none was stated.

        Parameters
        ----------
        probabilities : array_like, shape (n,)
            Of all candidates, as the calibration gives them.
        expect_laboratory : bool
            Expect the share of the laboratory, where it is stated.
        """
        if self.figures is None:
            return None
        expected, weight = self.figures, PRIOR_FIGURES
        if expect_laboratory and self.laboratory is not None:
            expected, weight = self.laboratory, self.prior_figures
        return estimate_shift(
            probabilities,
            calibrated=self.figures.share,
            calibrated_on=self.figures.candidates,
            assumed=expected.share,
            prior_figures=weight,
        )

    @property
    def prior_figures(self) -> float:
        """For how many figures the share that is expected of a slide counts."""
        return PRIOR_FIGURES if self.laboratory is None else LABORATORY_FIGURES

    def after(self, earlier: Self | None) -> Self:
        """Return both in one: this one, fitted to what the earlier one gave out."""
        if earlier is None:
            return self
        changes = {
            "slope": self.slope * earlier.slope,
            "intercept": self.slope * earlier.intercept + self.intercept,
        }
        return self.model_copy(update=changes)


class Shrinkage(ManifestEntry):
    """How far a threshold was drawn from that of few fields towards one that was there before.

    Parameters
    ----------
    towards : float
        The earlier threshold.
    source : str
        The bundle that stated it.
    weight : float
        How many figures it counted for.
    alone : float
        The threshold that the fields alone would have given.
    """

    towards: Score
    source: Text
    weight: Annotated[float, Field(gt=0)]
    alone: Score


class OperatingPoint(ManifestEntry):
    """A threshold with its name, what it is for, and the data on which it was chosen.

    Parameters
    ----------
    name : str
        ``f1``, ``unbiased-count``, ``recall-at-2-per-mm2``, ``robust``, or another; one point a name.
    protocol : str
        The matching rule under which it was chosen.
    threshold : float
        Scores of the last stage strictly above it count.
    criterion : str
        What it was chosen for, in words.
    chosen_on : str
        The data set.
    interval : tuple of 2 float, optional
        95 % of the thresholds that as many other cases would have given.
    cases, figures : int, optional
        How many there were.
    shrinkage : Shrinkage, optional
        Where it is not that of the data alone.
    """

    name: Name
    protocol: Name
    threshold: Score
    criterion: Text = GREATEST_F1
    chosen_on: Text
    interval: tuple[Score, Score] | None = None
    cases: Annotated[int, Field(ge=1)] | None = None
    figures: Annotated[int, Field(ge=1)] | None = None
    shrinkage: Shrinkage | None = None

    def describe(self) -> str:
        """Say in words which point it is and on what it was chosen."""
        return f"point {self.name}, {self.criterion} on {self.chosen_on}"


class StainRange(ManifestEntry):
    """Median optical density of stained tissue at 8 µm/px, over the cases of the training data.

    Parameters
    ----------
    low, high : tuple of 3 float
        In red, green and blue: the first and the last hundredth of the cases.
    cases : int
        From how many cases.
    """

    low: Density
    high: Density
    cases: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ends_are_ordered(self) -> Self:
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("the low end of a stain range lies above the high end")
        return self

    @classmethod
    def of(cls, densities: Sequence[Density]) -> Self:
        """Return the range of some cases, at least one."""
        values = np.array(densities, dtype=np.float64)
        low, high = np.quantile(values, _ENDS, axis=0)
        return cls(low=tuple(low.round(4).tolist()), high=tuple(high.round(4).tolist()), cases=len(values))

    def complaint(self, density: Density) -> str | None:
        """Return in words what lies outside of the range; None where nothing does."""
        found = [
            f"{colour} {own:.2f} (seen: {low:.2f} to {high:.2f})"
            for colour, own, low, high in zip(_COLOURS, density, self.low, self.high, strict=True)
            if not low <= own <= high
        ]
        return ", ".join(found) or None
