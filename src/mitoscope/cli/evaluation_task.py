"""What ``mitoscope evaluate`` does: read both sides once, judge, group, draw."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from mitoscope.errors import ConfigError
from mitoscope.evaluate import Evaluation, Protocol, choose_threshold, evaluate
from mitoscope.exchange.evaluation_input import read_any_predictions, read_any_truth
from mitoscope.exchange.image_groups import GroupBy, group_images
from mitoscope.exchange.result import find_manifests, read_manifest
from mitoscope.exchange.truth_csv import Truth
from mitoscope.figure import write_figure
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.report.evaluation_plots import GroupScore, Judged, draw_evaluation, group_scores


@dataclass(frozen=True)
class Comparee:
    """The other detector."""

    path: Path
    evaluation: Evaluation


@dataclass(frozen=True)
class Groups:
    """The images of an evaluation by case, domain, ..."""

    by: str
    scores: tuple[GroupScore, ...]


@dataclass(frozen=True)
class Task:
    """A truth, and the rule by which detections are judged against it."""

    protocol: Protocol
    truth_path: Path
    mpp: Mpp | None

    @cached_property
    def truth(self) -> dict[str, Truth]:
        """True cells of each image."""
        return read_any_truth(self.truth_path, mpp=self.mpp)

    def judge(self, pred: Path, threshold: float | None) -> Evaluation:
        """Judge results at a threshold; without one at that which they state, else 0."""
        if threshold is not None:
            return self._judge(pred, threshold)
        stated = stated_threshold(pred)
        source = "default: the results state none" if stated is None else "stated by the results"
        return replace(self._judge(pred, stated or 0.0), threshold_source=source)

    def judge_at_best(self, pred: Path) -> Evaluation:
        """Judge results at the threshold that suits them best on the same images; the result says so."""
        judged = self._judge(pred, 0.0)
        return judged.at(choose_threshold(judged.total_steps, chosen_on="test set"))

    def judge_as_on(self, pred: Path, validation_pred: Path, validation_truth: Path) -> Evaluation:
        """Judge results at the threshold of greatest F1 on a validation set."""
        validation = Task(self.protocol, validation_truth, self.mpp)
        chosen = choose_threshold(validation._judge(validation_pred, 0.0).total_steps)
        return self._judge(pred, 0.0).at(chosen)

    def _judge(self, pred: Path, threshold: float) -> Evaluation:
        found = read_any_predictions(pred, mpp=self.mpp)
        look_alikes = {image: cells.labelled(LOOK_ALIKE.name) for image, cells in self.truth.items()}
        images = sorted({*found, *self.truth})
        return evaluate(
            found,
            {image: cells.labelled(MITOTIC_FIGURE.name) for image, cells in self.truth.items()},
            protocol=self.protocol,
            threshold=threshold,
            mpp=self.mpp,
            cases=group_images(images, "case", truth=self.truth_path, mpp=self.mpp),
            look_alikes=look_alikes if any(len(points) for points in look_alikes.values()) else None,
        )

    def group(self, judged: Evaluation, by: GroupBy, domains: Path | None) -> Groups:
        """Gather the images of an evaluation."""
        group_of = group_images(judged.images, by, truth=self.truth_path, domains=domains, mpp=self.mpp)
        scores = group_scores(judged, group_of)
        return Groups(by, tuple(sorted(scores, key=lambda group: group.name)))

    def draw(
        self,
        target: Path,
        pred: Path,
        judged: Evaluation,
        *,
        other: Comparee | None,
        groups: Groups | None,
    ) -> None:
        """Write the figure."""
        second = None if other is None else Judged(_name(other.path), other.evaluation)
        figure = draw_evaluation(
            Judged(_name(pred), judged),
            other=second,
            groups=() if groups is None else groups.scores,
            by="" if groups is None else groups.by,
        )
        write_figure(figure, target)


def _name(path: Path) -> str:
    return path.stem if path.suffix else path.name


def stated_threshold(pred: Path) -> float | None:
    """Return the threshold that the manifests of a folder of results state; None where there are none.

    Raises
    ------
    ConfigError
        If they state different ones.
    """
    manifests = find_manifests(pred) if pred.is_dir() else []
    stated = {read_manifest(path)["threshold"]["value"] for path in manifests}
    if len(stated) > 1:
        raise ConfigError(
            f"results with different thresholds ({', '.join(f'{value:g}' for value in sorted(stated))})",
            where=pred,
            mend="choose one with --threshold",
        )
    return float(stated.pop()) if stated else None


def check_options(
    threshold: float | None,
    validation_pred: Path | None,
    validation_truth: Path | None,
    *,
    choose_on_test: bool,
    compare: Path | None,
) -> None:
    """Refuse ways to set the threshold that contradict each other.

    Raises
    ------
    ConfigError
        Naming the options.
    """
    if (validation_pred is None) != (validation_truth is None):
        raise ConfigError(
            "a validation set has two sides", mend="give both --validation-pred and --validation-truth"
        )
    ways = {
        "--threshold": threshold is not None,
        "--validation-pred": validation_pred is not None,
        "--choose-on-test": choose_on_test,
    }
    given = [name for name, is_given in ways.items() if is_given]
    if len(given) > 1:
        raise ConfigError(f"{' and '.join(given)} both set the threshold", mend="give one of them")
    if compare is not None and given and given != ["--threshold"]:
        raise ConfigError(
            f"{given[0]} chooses a threshold for one detector only",
            where="--compare",
            mend="give --threshold and --compare-threshold",
        )
