"""The result of judging a detector: scores, intervals, averages, curves, and all of it as JSON values."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate.comparison import Comparison, compare
from mitoscope.evaluate.curves import (
    FALSE_PER_IMAGE,
    FALSE_PER_MM2,
    average_precision,
    draw_average_precision,
    draw_recall_at_rates,
    free_response,
    froc,
    midog_froc_auc,
)
from mitoscope.evaluate.judged_image import JudgedImage, LookAlikeScore
from mitoscope.evaluate.kinds import KindScore
from mitoscope.evaluate.protocols import Protocol
from mitoscope.evaluate.sweep import Steps
from mitoscope.evaluate.thresholds import ChosenThreshold, choose_threshold
from mitoscope.geometry import Mpp
from mitoscope.statistics import (
    ConfusionMatrix,
    Interval,
    Intervals,
    MeanScore,
    Outcomes,
    Reliability,
    Score,
    bootstrap,
    percentiles,
    reliability,
    sum_by,
)
from mitoscope.truth import GroundTruth, repeated_rows
from mitoscope.wording import say_number

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes


@dataclass(frozen=True, slots=True)
class RecallAtRate:
    """Recall where no more than so many detections per mm² are false.

    Attributes
    ----------
    rate : float
        False positives per mm².
    value : float
        The greatest recall at any threshold that keeps to the rate.
    interval : Interval or None
        95 % by case; None for a single case.
    """

    rate: float
    value: float
    interval: Interval | None


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Scores over all images, and those of each; what is not asked for is not computed.

    Attributes
    ----------
    protocol : Protocol
        The matching rule.
    judged_images : dict of str to JudgedImage
        Detections and true figures of each image of the ground truth, matched; by the stem of its name.
    truth : GroundTruth
        What they are judged against.
    chosen_threshold : float, ChosenThreshold or None
        Detections with a score strictly above it are judged; None for what the result of each image states.
    without_truth : tuple of str
        Images that the ground truth does not name: they are not judged.
    repeats, seed : int
        Of the bootstrap.
    """

    protocol: Protocol
    judged_images: dict[str, JudgedImage]
    truth: GroundTruth
    chosen_threshold: float | ChosenThreshold | None
    without_truth: tuple[str, ...]
    repeats: int
    seed: int

    def at(self, threshold: float | ChosenThreshold | None) -> Evaluation:
        """Return the same detections judged at another threshold, without matching them again.

        Raises
        ------
        ConfigError
            If the threshold is not in [0, 1].
        """
        check_threshold(threshold)
        return replace(self, chosen_threshold=threshold)

    def on(self, images: Collection[str]) -> Evaluation:
        """Return the same detections judged on some of the images alone, without matching them again.

        Parameters
        ----------
        images : collection of str
            Stems of their names.

        Raises
        ------
        FormatError
            If none of them is judged.
        """
        kept = {name: image for name, image in self.judged_images.items() if name in images}
        if not kept:
            raise FormatError("none of the images is judged", where="evaluation")
        return replace(self, judged_images=kept)

    @cached_property
    def thresholds(self) -> dict[str, float]:
        """Threshold of each image."""
        chosen = self.chosen_threshold
        if chosen is not None:
            value = chosen.value if isinstance(chosen, ChosenThreshold) else chosen
            return dict.fromkeys(self.judged_images, value)
        return {name: image.stated_threshold or 0.0 for name, image in self.judged_images.items()}

    @property
    def threshold(self) -> float | None:
        """Threshold of all images that have predictions; None where they have different ones."""
        silent = self.without_predictions
        values = {value for name, value in self.thresholds.items() if name not in silent}
        if len(values) > 1:
            return None
        return values.pop() if values else next(iter(self.thresholds.values()))

    @property
    def threshold_text(self) -> str:
        """The threshold, or those of all images, in words."""
        if self.threshold is not None:
            return f"threshold {self.threshold:.4g}"
        silent = self.without_predictions
        values = {value for name, value in self.thresholds.items() if name not in silent}
        return f"thresholds {', '.join(f'{value:.4g}' for value in sorted(values))}"

    @property
    def threshold_source(self) -> str:
        """Where the threshold comes from, in words."""
        if isinstance(self.chosen_threshold, ChosenThreshold):
            return self.chosen_threshold.describe()
        if self.chosen_threshold is not None:
            return "given"
        stated = [
            image.stated_threshold is not None
            for image in self.judged_images.values()
            if image.has_predictions
        ]
        if not any(stated):
            return "default: the results state none"
        return "stated by the results" + ("" if all(stated) else ", 0 where they state none")

    @cached_property
    def scales(self) -> dict[str, Mpp | None]:
        """Resolution of each image; None where distances are in pixels."""
        return {name: image.mpp for name, image in self.judged_images.items()}

    @property
    def radius(self) -> str:
        """The distance that was used, in words."""
        known = [image.mpp for image in self.judged_images.values() if image.has_predictions]
        return self.protocol.say_radius(next((mpp for mpp in known if mpp is not None), None))

    @property
    def cases(self) -> dict[str, str]:
        """Case of each image."""
        return {name: image.case for name, image in self.judged_images.items()}

    @property
    def without_predictions(self) -> tuple[str, ...]:
        """Images for which there are no predictions at all: all of their figures are missed."""
        return tuple(name for name, image in self.judged_images.items() if not image.has_predictions)

    @cached_property
    def images(self) -> dict[str, Score]:
        """Score of each image."""
        return {
            name: image.sweep.steps.at(self.thresholds[name]) for name, image in self.judged_images.items()
        }

    @cached_property
    def score(self) -> Score:
        """Sum over the images: the micro average."""
        return Score.total(self.images.values())

    def __repr__(self) -> str:
        shares = ", ".join(
            f"{name} {'undefined' if value is None else format(value, '.3f')}"
            for name, value in (("F1", self.f1), ("precision", self.precision), ("recall", self.recall))
        )
        return f"<Evaluation by {self.protocol.name}: {shares}, {say_number(len(self.images), 'image')}>"

    @property
    def f1(self) -> float | None:
        """F1 of all images together; None where it is undefined (nothing true and nothing found)."""
        return self.score.f1

    @property
    def precision(self) -> float | None:
        """Share of the judged detections that are true; None without any."""
        return self.score.precision

    @property
    def recall(self) -> float | None:
        """Share of the true figures that were found; None without any."""
        return self.score.recall

    @cached_property
    def judged(self) -> dict[str, Detections]:
        """Detections of each image above the threshold, in the examined area."""
        return {
            name: image.candidates.above(self.thresholds[name]) for name, image in self.judged_images.items()
        }

    @cached_property
    def intervals(self) -> Intervals:
        """95 % bootstrap intervals over the cases."""
        return bootstrap(list(self.case_scores.values()), repeats=self.repeats, seed=self.seed)

    @cached_property
    def look_alikes(self) -> LookAlikeScore | None:
        """How well it tells figures from look-alikes; None where no look-alikes are known."""
        if not any(len(image.cells.look_alikes_px0) for image in self.judged_images.values()):
            return None
        total = LookAlikeScore()
        for name, image in self.judged_images.items():
            total += image.look_alikes(self.protocol, self.thresholds[name])
        return total

    @cached_property
    def kinds(self) -> KindScore | None:
        """How well atypical figures are told from others; None where truth or results have none."""
        parts: dict[str, ConfusionMatrix] = {}
        for name, image in self.judged_images.items():
            own = image.kinds(self.thresholds[name])
            parts[image.case] = parts[image.case] + own if image.case in parts else own
        return KindScore.of(parts, repeats=self.repeats, seed=self.seed)

    @cached_property
    def duplicates(self) -> int:
        """Judged detections at exactly the place of another one."""
        return sum(int(repeated_rows(found.points_px0).sum()) for found in self.judged.values())

    @property
    def detections_outside(self) -> int:
        """Detections above the threshold outside of the examined area: they are not judged."""
        return sum(
            len(image.outside.above(self.thresholds[name])) for name, image in self.judged_images.items()
        )

    @property
    def figures_outside(self) -> int:
        """True figures outside of the examined area: they are not judged."""
        return sum(image.figures_outside for image in self.judged_images.values())

    @property
    def figures_not_searched(self) -> int:
        """Those of them that lie outside of the parts that the user let the detector search."""
        return sum(image.figures_not_searched for image in self.judged_images.values())

    @property
    def figures_in_gaps(self) -> int:
        """True figures where slides could not be read: they are judged, and missed."""
        return sum(image.figures_in_gaps for image in self.judged_images.values())

    @cached_property
    def examined(self) -> dict[str, int]:
        """How it is known what was looked at → number of images."""
        sources = [image.examined.source for image in self.judged_images.values()]
        return {source: sources.count(source) for source in dict.fromkeys(sources)}

    @property
    def examined_mm2(self) -> float | None:
        """What was looked at on all images; None where it is not known of some."""
        areas = [image.examined_mm2 for image in self.judged_images.values()]
        return None if None in areas else sum(area for area in areas if area is not None)

    @property
    def no_area(self) -> str | None:
        """Why nothing can be said per mm²; None where the examined area of all images is known."""
        for name, image in self.judged_images.items():
            if image.mpp is None:
                return f"the resolution of {name} is not known (--mpp)"
            if image.examined_mm2 is None:
                return f"neither results nor ground truth state the size of {name}"
        return None if self.examined_mm2 else "nothing was examined"

    @cached_property
    def case_areas_mm2(self) -> dict[str, float]:
        """What was examined of each case, in mm²; of images with an unknown area nothing is added."""
        areas = dict.fromkeys(self.case_scores, 0.0)
        for image in self.judged_images.values():
            areas[image.case] += image.examined_mm2 or 0.0
        return areas

    @cached_property
    def recall_at_rates(self) -> tuple[RecallAtRate, ...]:
        """Recall at 1, 2 and 5 false positives per mm²; none without a true figure or a known area."""
        if self.no_area is not None or not self.total_steps.figures:
            return ()
        curve = free_response(self.total_steps, area_mm2=self.examined_mm2 or 0.0)
        cases = [(steps, self.case_areas_mm2[case]) for case, steps in self.case_steps.items()]
        ends: list[Interval | None] = [None] * len(FALSE_PER_MM2)
        if len(cases) > 1:
            drawn = draw_recall_at_rates(cases, repeats=self.repeats, seed=self.seed)
            ends = [percentiles(column) for column in drawn.T]
        return tuple(
            RecallAtRate(rate, curve.recall_at(rate), interval)
            for rate, interval in zip(FALSE_PER_MM2, ends, strict=True)
        )

    @property
    def probabilities(self) -> bool | None:
        """Whether scores are probabilities, as the results state; None where they do not, or differ."""
        stated = {
            image.candidates.searched.calibrated
            for image in self.judged_images.values()
            if image.has_predictions
        }
        return stated.pop() if len(stated) == 1 else None

    @cached_property
    def total_steps(self) -> Steps:
        """Scores at all thresholds, pooled over the images."""
        return Steps.total(image.sweep.steps for image in self.judged_images.values())

    @cached_property
    def case_scores(self) -> dict[str, Score]:
        """Score of each case."""
        return sum_by(self.images, self.cases)

    @cached_property
    def case_steps(self) -> dict[str, Steps]:
        """Scores of each case at all thresholds."""
        parts: dict[str, list[Steps]] = {}
        for image in self.judged_images.values():
            parts.setdefault(image.case, []).append(image.sweep.steps)
        return {case: Steps.total(steps) for case, steps in parts.items()}

    @cached_property
    def average_precision(self) -> float | None:
        """Average precision over all detections, whatever the threshold, at 101 recalls (COCO)."""
        return average_precision(self.total_steps)

    @cached_property
    def average_precision_interval(self) -> Interval | None:
        """95 % bootstrap interval by case."""
        return None if len(self.case_steps) < 2 else percentiles(self._drawn_average_precision)

    @cached_property
    def _drawn_average_precision(self) -> NDArray[np.float64]:
        """Average precision of each draw of the cases, shape (repeats,)."""
        return draw_average_precision(self.case_steps, repeats=self.repeats, seed=self.seed)

    @property
    def mean_over_images(self) -> MeanScore:
        """Macro average over images."""
        return MeanScore.of(self.images.values())

    @property
    def mean_over_cases(self) -> MeanScore:
        """Macro average over cases."""
        return MeanScore.of(self.case_scores.values())

    def outcomes(self) -> dict[str, Outcomes]:
        """Return for each case the scores of its detections, whatever the threshold, and which are true.

        Those that the protocol thins are left out.
        """
        parts: dict[str, list[Outcomes]] = {}
        for image in self.judged_images.values():
            kept = image.sweep.matching.judged
            outcome = image.sweep.scores[kept], image.sweep.matching.truth_of[kept] >= 0
            parts.setdefault(image.case, []).append(outcome)
        return {
            case: (np.concatenate([score for score, _ in each]), np.concatenate([true for _, true in each]))
            for case, each in parts.items()
        }

    def reliability(self) -> Reliability:
        """Return the calibration of all detections, whatever the threshold; thinned ones are left out."""
        outcomes = self.outcomes().values()
        return reliability(
            np.concatenate([score for score, _ in outcomes]), np.concatenate([true for _, true in outcomes])
        )

    def by(self, group_of: Mapping[str, str]) -> dict[str, Score]:
        """Return the score of each group of images (case, tumour type, scanner, ...).

        Raises
        ------
        FormatError
            If an image has no group.
        """
        self._check_groups(group_of)
        return sum_by(self.images, group_of)

    def intervals_by(self, group_of: Mapping[str, str]) -> dict[str, Intervals]:
        """Return the intervals of each group of images, by drawing its cases; errors as for `by`."""
        self._check_groups(group_of)
        members: dict[str, dict[str, Score]] = {}
        for image, score in self.images.items():
            members.setdefault(group_of[image], {})[image] = score
        return {
            group: bootstrap(list(sum_by(scores, self.cases).values()), repeats=self.repeats, seed=self.seed)
            for group, scores in members.items()
        }

    def _check_groups(self, group_of: Mapping[str, str]) -> None:
        for image in self.images:
            if image not in group_of:
                raise FormatError(f"the image {image!r} has no group", where="evaluation")

    def compare(self, other: Evaluation) -> Comparison:
        """Compare with another detector on the same cases: paired bootstrap, this one minus the other.

        Raises
        ------
        FormatError
            If the protocols or the cases differ.
        """
        if self.protocol.name != other.protocol.name:
            raise FormatError(
                f"protocols {self.protocol.name} and {other.protocol.name} are not comparable",
                where="comparison",
                mend="judge both under one protocol",
            )
        odd = sorted(self.judged_images.keys() ^ other.judged_images.keys())
        if odd:
            raise FormatError(
                "an image that only one of the detectors was judged on", where=odd[0], mend="judge both on it"
            )
        sides = (
            {case: (side.case_scores[case], side.case_steps[case]) for case in side.case_scores}
            for side in (self, other)
        )
        drawn = None
        if len(self.case_steps) > 1:
            drawn = self._drawn_average_precision, other._drawn_average_precision
        return compare(*sides, repeats=self.repeats, seed=self.seed, drawn=drawn)

    def to_pandas(self) -> pd.DataFrame:
        """Return a frame with a row an image: case, scores, threshold, resolution, examined area.

        Raises
        ------
        ConfigError
            If pandas is not installed (``mitoscope[notebook]``).
        """
        from mitoscope.frames import library

        pandas = library("pandas", extra="notebook")
        rows = [{"image": name, "case": self.cases[name], **self._of_image(name)} for name in self.images]
        frame: pd.DataFrame = pandas.DataFrame(rows)
        frame.attrs.update(protocol=self.protocol.name, radius=self.radius)
        return frame

    def plot(self, kind: str = "precision-recall", ax: Axes | None = None, *, name: str = "detector") -> Axes:
        """Draw a curve.

        Parameters
        ----------
        kind : str
            ``precision-recall``, ``froc`` (recall over false positives per image), ``thresholds`` or
            ``calibration``.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure.
        name : str
            What the detector is called in the legend.

        Raises
        ------
        ConfigError
            If there is no such kind.
        """
        from mitoscope.evaluate.plots import plot_curve

        return plot_curve(self, kind, ax, name=name)

    def _repr_html_(self) -> str:
        from mitoscope.evaluate.call import evaluation_html

        return evaluation_html(self)

    def as_dict(self) -> dict[str, Any]:
        """Return everything that is stated, for JSON; what is undefined (0/0) is null."""
        return {
            "protocol": self.protocol.name,
            "source": self.protocol.source,
            "radius": self.radius,
            "threshold": self.threshold,
            "threshold_source": self.threshold_source,
            "mpp": _common({name: _mpp(scale) for name, scale in self.scales.items()}),
            **self.score.as_dict(),
            "average": "micro: pooled over all images",
            "images": len(self.images),
            "cases": len(self.case_scores),
            "intervals_95": {
                "precision": _ends(self.intervals.precision),
                "recall": _ends(self.intervals.recall),
                "f1": _ends(self.intervals.f1),
                "average_precision": _ends(self.average_precision_interval),
                "by": "case",
                "repeats": self.repeats,
            },
            "mean_over_images": asdict(self.mean_over_images),
            "mean_over_cases": asdict(self.mean_over_cases),
            "average_precision": self.average_precision,
            "average_precision_interpolation": "101 recalls (COCO)",
            "best_f1": _best_f1(self.total_steps),
            "froc": _froc(self.total_steps, len(self.images)),
            "free_response": _free_response(self),
            "calibration": _calibration(self.reliability()),
            "look_alikes": None if self.look_alikes is None else self.look_alikes.as_dict(),
            "atypical": None if self.kinds is None else self.kinds.as_dict(),
            "duplicates": self.duplicates,
            "probabilities": self.probabilities,
            "ground_truth": {
                "source": self.truth.source,
                "policy": None if self.truth.policy is None else str(self.truth.policy),
                "labels": dict(self.truth.label_names),
                "notes": list(self.truth.notes),
            },
            "examined": {"images": self.examined, "area_mm2": self.examined_mm2},
            "not_judged": {
                "detections": self.detections_outside,
                "figures": self.figures_outside,
                "figures_not_searched": self.figures_not_searched,
            },
            "figures_in_gaps": self.figures_in_gaps,
            "without_predictions": list(self.without_predictions),
            "without_truth": list(self.without_truth),
            "per_image": {name: self._of_image(name) for name in self.images},
        }

    def _of_image(self, name: str) -> dict[str, Any]:
        image = self.judged_images[name]
        return {
            **self.images[name].as_dict(),
            "threshold": self.thresholds[name],
            "mpp": _mpp(image.mpp),
            "examined": image.examined.source,
            "examined_mm2": image.examined_mm2,
        }


def check_threshold(threshold: float | ChosenThreshold | None) -> None:
    """Refuse a threshold that no score can be above.

    Raises
    ------
    ConfigError
        If it is not in [0, 1].
    """
    if isinstance(threshold, float | int) and not 0 <= threshold <= 1:
        raise ConfigError(f"a threshold of {threshold:g} is not in [0, 1]", where="--threshold")


def _mpp(scale: Mpp | None) -> float | None:
    return None if scale is None else scale.mean


def _common(values: Mapping[str, float | None]) -> float | None:
    """Return the value that all have; None where they differ, as the rows of the images then tell."""
    known = set(values.values())
    return known.pop() if len(known) == 1 else None


def _ends(interval: Interval | None) -> list[float] | None:
    return None if interval is None else interval.as_list()


def _best_f1(pooled: Steps) -> dict[str, Any] | None:
    if not len(pooled.score):
        return None
    best = choose_threshold(pooled, chosen_on="test set")
    note = "greatest F1 over all thresholds on the judged images themselves: an upper bound"
    return {"f1": best.score.f1, "threshold": best.value, "note": note}


def _froc(pooled: Steps, images: int) -> dict[str, Any] | None:
    if pooled.figures == 0:
        return None
    return {
        "mean_recall": froc(pooled, images=images).mean_recall(),
        "at_false_positives_per_image": list(FALSE_PER_IMAGE),
        "midog25_auc": midog_froc_auc(pooled, images=images),
        "midog25_auc_of": 8,
    }


def _free_response(judged: Evaluation) -> dict[str, Any]:
    """Return recall over false positives per mm²; where nothing can be said of it, why."""
    candidates = judged.total_steps.at(-np.inf)
    area = None if judged.no_area else judged.examined_mm2
    return {
        "area_mm2": area,
        "recall_at_false_per_mm2": {
            f"{one.rate:g}": {"recall": one.value, "interval_95": _ends(one.interval)}
            for one in judged.recall_at_rates
        },
        "all_candidates": {
            "recall": candidates.recall,
            "false_per_mm2": None if area is None else candidates.fp / area,
        },
        "absent_because": judged.no_area or (None if judged.recall_at_rates else "no true figure"),
    }


def _calibration(curve: Reliability) -> dict[str, Any]:
    columns = (curve.edges[:-1], curve.edges[1:], curve.n, curve.mean_score, curve.true_share)
    names = ("from", "to", "n", "mean_score", "true_share")
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        "of": "all candidates, whatever the threshold",
        "ece": curve.ece,
        "largest_gap": curve.largest_gap,
        "bins": [{name: _null(value) for name, value in zip(names, row, strict=True)} for row in rows],
    }


def _null(value: float) -> float | None:
    return None if np.isnan(value) else value
