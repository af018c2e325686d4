"""An evaluation as JSON and as text: the same numbers."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import typer

from mitoscope.cli.tables import print_table, shown
from mitoscope.evaluate import Comparison, Difference, Evaluation, GroupBy, GroupScore, group_of, group_scores
from mitoscope.statistics import Interval, Score

_NAMES_MAX = 20
_PROBABILITIES = {
    True: "; the detector's scores are calibrated to be probabilities",
    False: "; the detector's scores are not calibrated",
    None: "",
}


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

    @classmethod
    def of(cls, judged: Evaluation, by: GroupBy) -> Self:
        """Gather the images of an evaluation."""
        scores = group_scores(judged, group_of(judged.truth, by))
        return cls(by, tuple(sorted(scores, key=lambda group: group.name)))


def as_dict(judged: Evaluation, other: Comparee | None, groups: Groups | None) -> dict[str, Any]:
    """Return everything for JSON."""
    result = judged.as_dict()
    if groups is not None:
        result["by"] = {
            "group": groups.by,
            "scores": {
                group.name: {
                    **group.score.as_dict(),
                    "f1_interval_95": None if group.interval is None else group.interval.as_list(),
                    "images": group.images,
                }
                for group in groups.scores
            },
        }
    if other is not None:
        result["compared_with"] = {
            "threshold": other.evaluation.threshold,
            "threshold_source": other.evaluation.threshold_source,
            **other.evaluation.score.as_dict(),
            "average_precision": other.evaluation.average_precision,
        }
        result["comparison"] = judged.compare(other.evaluation).as_dict()
    return result


def print_evaluation(judged: Evaluation, other: Comparee | None, groups: Groups | None) -> None:
    """Print what a reader needs; the JSON has more."""
    for line in (*_headline(judged), *_shares(judged), *_further(judged), *_notes(judged)):
        typer.echo(shown(line))
    if other is not None:
        for line in _comparison(judged.compare(other.evaluation), other):
            typer.echo(shown(line))
    if groups is not None:
        typer.echo("")
        columns = (groups.by, "images", "TP", "FP", "missed", "precision", "recall", "F1", "95 %")
        print_table(f"by {groups.by}", columns, [_group_row(group) for group in groups.scores])


def _headline(judged: Evaluation) -> list[str]:
    score, images, cases = judged.score, len(judged.images), len(judged.case_scores)
    sizes = f"{images} image{'' if images == 1 else 's'}"
    if cases != images:
        sizes += f" of {cases} case{'' if cases == 1 else 's'}"
    return [
        f"protocol {judged.protocol.name} ({judged.radius}), {sizes}",
        f"{judged.threshold_text} ({judged.threshold_source})",
        f"true positives {score.tp}, false positives {score.fp}, missed {score.fn}",
    ]


def _shares(judged: Evaluation) -> list[str]:
    score, intervals = judged.score, judged.intervals
    named = (
        ("precision", score.precision, intervals.precision),
        ("recall", score.recall, intervals.recall),
        ("F1", score.f1, intervals.f1),
        ("AP", judged.average_precision, judged.average_precision_interval),
    )
    return [_share(name, value, interval) for name, value, interval in named]


def _share(name: str, value: float | None, interval: Interval | None) -> str:
    if value is None:
        return f"{name:<10}undefined (0/0)"
    bounds = "" if interval is None else f"  [{interval.low:.3f}, {interval.high:.3f}] 95 % by case"
    return f"{name:<10}{value:.3f}{bounds}"


def _further(judged: Evaluation) -> list[str]:
    mean = judged.mean_over_images.f1
    left_out = f", {mean.undefined} with nothing left out" if mean.undefined else ""
    lines = [f"F1, mean over images {mean}{left_out} (above: pooled over all)"]
    if len(judged.case_scores) != len(judged.images):
        lines.append(f"F1, mean over cases {judged.mean_over_cases.f1}")
    error = judged.reliability().ece
    if error is not None:
        stated = _PROBABILITIES[judged.probabilities]
        lines.append(f"expected calibration error {error:.3f} over all candidates{stated}")
    found = judged.look_alikes
    if found is not None and found.precision_among_look_alikes is not None:
        lines.append(f"look-alikes called mitotic: {found.look_alikes} of {found.look_alikes_shown}")
    return lines


def _notes(judged: Evaluation) -> list[str]:
    lines = [f"ground truth: {note}" for note in judged.truth.notes]
    if judged.duplicates:
        lines.append(f"detections exactly on another, each judged: {judged.duplicates}")
    lines += [
        f"examined: {source} ({images} of {len(judged.images)})" for source, images in judged.examined.items()
    ]
    if judged.detections_outside or judged.figures_outside:
        lines.append(
            f"not judged, outside of the examined area: {judged.detections_outside} detections,"
            f" {judged.figures_outside} true figures"
        )
    if judged.figures_not_searched:
        lines.append(
            f"of these lie outside of the part searched (--roi): {judged.figures_not_searched} true figures"
        )
    if judged.figures_in_gaps:
        lines.append(f"missed where the slide could not be read: {judged.figures_in_gaps} true figures")
    if judged.without_predictions:
        lines.append(f"without predictions, all missed: {_listed(judged.without_predictions)}")
    if judged.without_truth:
        lines.append(f"no ground truth, not judged: {_listed(judged.without_truth)}")
    return lines


def _listed(names: tuple[str, ...]) -> str:
    more = len(names) - _NAMES_MAX
    return ", ".join(names[:_NAMES_MAX]) + (f" and {more} more" if more > 0 else "")


def _comparison(compared: Comparison, other: Comparee) -> list[str]:
    score = other.evaluation.score
    lines = [
        f"compared with {other.path} ({other.evaluation.threshold_text}: {_counts(score)}),"
        f" paired over {compared.cases} cases:"
    ]
    named = (
        ("precision", compared.precision),
        ("recall", compared.recall),
        ("F1", compared.f1),
        ("AP", compared.average_precision),
    )
    return [*lines, *(_difference(name, value) for name, value in named)]


def _counts(score: Score) -> str:
    f1 = "undefined" if score.f1 is None else f"{score.f1:.3f}"
    return f"{score.tp} true, {score.fp} false, {score.fn} missed, F1 {f1}"


def _difference(name: str, difference: Difference) -> str:
    if difference.value is None:
        return f"  {name:<10}undefined (0/0)"
    line = f"  {name:<10}{difference.value:+.3f}"
    if difference.interval is None or difference.p is None:
        return line
    low, high = difference.interval.low, difference.interval.high
    return f"{line}  [{low:+.3f}, {high:+.3f}] 95 %, p {difference.p:.3g}"


def _group_row(group: GroupScore) -> list[object]:
    score = group.score
    interval = "" if group.interval is None else f"{group.interval.low:.2f} to {group.interval.high:.2f}"
    shares = [_or_undefined(one) for one in (score.precision, score.recall, score.f1)]
    return [group.name, group.images, score.tp, score.fp, score.fn, *shares, interval]


def _or_undefined(share: float | None) -> object:
    return "0/0" if share is None else share
