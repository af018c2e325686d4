"""``mitoscope evaluate``: detections against the truth, under a named protocol."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from mitoscope.cli.options import (
    BoxesOption,
    DomainsOption,
    ExaminedOption,
    JsonOption,
    LabelOption,
    MppOption,
    MppOverrideOption,
    PolicyOption,
    ProtocolOption,
    SplitOption,
    TruthOption,
    as_score,
    parse_boxes,
    parse_mpp,
    parse_policy,
)
from mitoscope.cli.terminal import grouped, print_table, shown, table_width
from mitoscope.errors import ConfigError
from mitoscope.wording import say_number

if TYPE_CHECKING:
    from mitoscope.evaluate import (
        Comparison,
        Difference,
        ErrorTable,
        Evaluation,
        FileJudge,
        GroupBy,
        GroupScore,
        Measure,
        Scorecard,
    )
    from mitoscope.statistics import Interval, Score


def evaluate(
    pred: Annotated[
        Path, typer.Option("--pred", metavar="FILE|DIR", help="Results of detect, or any format.")
    ],
    truth: TruthOption,
    protocol: ProtocolOption = "mitoscope",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold",
            metavar="T",
            callback=as_score,
            help="Scores above it count; default: that of the results, else 0.",
        ),
    ] = None,
    validation_pred: Annotated[
        Path | None,
        typer.Option(
            "--validation-pred", metavar="FILE|DIR", help="Choose the threshold of greatest F1 on these."
        ),
    ] = None,
    validation_truth: Annotated[
        str | None,
        typer.Option("--validation-truth", metavar="FILE", help="Ground truth of --validation-pred."),
    ] = None,
    choose_on_test: Annotated[
        bool,
        typer.Option("--choose-on-test", help="Choose the threshold on the test images (optimistic)."),
    ] = False,
    policy: PolicyOption = None,
    label: LabelOption = None,
    split: SplitOption = None,
    examined: ExaminedOption = None,
    boxes: BoxesOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by",
            metavar="GROUP",
            help="Also report by slide, case, domain, scanner, species or laboratory.",
        ),
    ] = None,
    strata: Annotated[
        str | None,
        typer.Option(
            "--strata",
            metavar="FILE|COLUMN",
            help="A scorecard for each stratum: CSV of image and stratum, or a column of the ground truth.",
        ),
    ] = None,
    kinds: Annotated[
        Path | None,
        typer.Option(
            "--kinds",
            metavar="FILE",
            help="Count false positives by kind: CSV of image, x, y and kind of look-alikes.",
        ),
    ] = None,
    domains: DomainsOption = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="OTHER", help="Results of another detector, compared in pairs."),
    ] = None,
    compare_threshold: Annotated[
        float | None,
        typer.Option(
            "--compare-threshold",
            metavar="T",
            callback=as_score,
            help="Threshold of --compare; default as for --threshold.",
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Write a figure as .png or .svg.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Compare detections with ground truth: precision, recall, F1 with 95 % intervals by case."""
    from mitoscope.evaluate import FileJudge, count_errors, find_protocol, parse_group
    from mitoscope.figure import parse_encoding
    from mitoscope.labels import LabelMapping

    grouping = None if by is None else parse_group(by)
    cut, other_cut = threshold, compare_threshold
    _check_options(cut, validation_pred, validation_truth, choose_on_test=choose_on_test, compare=compare)
    if plot is not None:
        parse_encoding(plot)
    judge = FileJudge(
        truth,
        find_protocol(protocol),
        policy=parse_policy(policy),
        mapping=LabelMapping.parse(label or ()),
        domains=domains,
        side=split,
        examined=examined,
        boxes=parse_boxes(boxes),
        mpp=parse_mpp(mpp),
        mpp_override=mpp_override,
    )
    if validation_pred is not None and validation_truth is not None:
        judged = judge.judge_as_on(
            pred, validation_pred, replace(judge, reference=validation_truth, side=None)
        )
    elif choose_on_test:
        judged = judge.judge_at_best(pred)
    else:
        judged = judge.judge(pred, threshold=cut)
    other = None
    if compare is not None:
        own = cut if other_cut is None else other_cut
        other = Comparee(compare, judge.judge(compare, threshold=own))
    groups = None if grouping is None else Groups.of(judged, grouping)
    cards = [] if strata is None else _scorecards(judge, judged, strata)
    errors = count_errors(judged, None if kinds is None else judge.read_kinds(kinds))
    if plot is not None:
        _draw(plot, pred, judged, other=other, groups=groups, cards=cards)
    if as_json:
        typer.echo(json.dumps(as_dict(judged, errors, other, groups, cards), indent=2))
    else:
        print_evaluation(judged, errors, other, groups, cards)


def _scorecards(judge: FileJudge, judged: Evaluation, strata: str) -> list[Scorecard]:
    from mitoscope.evaluate import score_strata

    return [score_strata(judged, one.stratum_of, by=one.by) for one in judge.read_strata(strata)]


def _draw(
    target: Path,
    pred: Path,
    judged: Evaluation,
    *,
    other: Comparee | None,
    groups: Groups | None,
    cards: Sequence[Scorecard],
) -> None:
    from mitoscope.evaluate import NamedEvaluation, draw_evaluation
    from mitoscope.figure import write_figure

    second = None if other is None else NamedEvaluation(_name(other.path), other.evaluation)
    figure = draw_evaluation(
        NamedEvaluation(_name(pred), judged),
        other=second,
        groups=() if groups is None else groups.scores,
        by="" if groups is None else groups.by,
        cards=cards,
    )
    write_figure(figure, target)


def _name(path: Path) -> str:
    return path.stem if path.suffix else path.name


def _check_options(
    threshold: float | None,
    validation_pred: Path | None,
    validation_truth: str | None,
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
            "a validation set needs detections and ground truth",
            mend="give both --validation-pred and --validation-truth",
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
        from mitoscope.evaluate import group_of, group_scores

        scores = group_scores(judged, group_of(judged.truth, by))
        return cls(by, tuple(sorted(scores, key=lambda group: group.name)))


def as_dict(
    judged: Evaluation,
    errors: ErrorTable,
    other: Comparee | None,
    groups: Groups | None,
    cards: Sequence[Scorecard],
) -> dict[str, Any]:
    """Return everything for JSON."""
    result = judged.as_dict()
    result["errors_by_kind"] = errors.as_dict()
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
    if cards:
        result["scorecards"] = [card.as_dict() for card in cards]
    if other is not None:
        result["compared_with"] = {
            "threshold": other.evaluation.threshold,
            "threshold_source": other.evaluation.threshold_source,
            **other.evaluation.score.as_dict(),
            "average_precision": other.evaluation.average_precision,
        }
        result["comparison"] = judged.compare(other.evaluation).as_dict()
    return result


def print_evaluation(
    judged: Evaluation,
    errors: ErrorTable,
    other: Comparee | None,
    groups: Groups | None,
    cards: Sequence[Scorecard],
) -> None:
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
    _print_errors(errors)
    for card in cards:
        typer.echo("")
        _print_scorecard(card)


def _print_errors(errors: ErrorTable) -> None:
    """Print what is known of the kinds of errors; a single kind says nothing that the totals do not."""
    if sum(row.cells is not None for row in errors.false) > 1:
        typer.echo("")
        rows = [[row.kind, row.false, "" if row.cells is None else row.cells] for row in errors.false]
        print_table("false positives by kind", ("kind", "false", "cells"), rows)
    for title, missed in (("class", errors.missed_by_class), ("size", errors.missed_by_size)):
        if len(missed) > 1:
            typer.echo("")
            columns = (title, "figures", "found", "recall", "below threshold", "no candidate")
            print_table(
                f"figures by {title}",
                columns,
                [
                    [row.kind, row.figures, row.found, row.recall, row.below_threshold, row.no_candidate]
                    for row in missed
                ],
            )


def _print_scorecard(card: Scorecard) -> None:
    """Print the measures of strata side by side, as many strata at once as the terminal is wide."""
    from mitoscope.evaluate import MEASURES

    columns = [card.overall, *card.strata]
    at_once = max(1, (table_width() - _MEASURE_WIDTH) // _STRATUM_WIDTH)
    for start in range(0, len(columns), at_once):
        part = columns[start : start + at_once]
        rows: list[list[object]] = [
            [title, *(_number(getattr(stratum, name)) for stratum in part)]
            for name, title in (
                ("images", "images"),
                ("cases", "cases"),
                ("area_mm2", "examined, mm²"),
                ("figures", "true figures"),
            )
        ]
        rows += [
            [title, *(_measured(stratum.measures[name]) for stratum in part)]
            for name, title in MEASURES.items()
            if any(stratum.measures[name].value is not None for stratum in columns)
        ]
        print_table(f"by {card.by}", ("", *(stratum.name for stratum in part)), rows)
    for line in _about(card):
        typer.echo(shown(line))


_MEASURE_WIDTH, _STRATUM_WIDTH = 36, 24
"""Columns of a terminal that the names of measures and each stratum take."""


def _number(value: float | None) -> str:
    return "–" if value is None else grouped(value) if isinstance(value, int) else f"{value:.2f}"


def _measured(measure: Measure) -> str:
    if measure.value is None:
        return "0/0" if measure.absent_because == "0/0" else "–"
    ends = measure.interval
    return f"{measure.value:.2f}" + ("" if ends is None else f" [{ends.low:.2f}, {ends.high:.2f}]")


def _about(card: Scorecard) -> list[str]:
    lines = ["in brackets: 95 % intervals by case"]
    if card.common_per_mm2 is not None:
        lines.append(
            f"at common prevalence: as if every stratum had {card.common_per_mm2:.2f} figures per mm²,"
            " with its own recall and false positives per mm²"
        )
    # What is not known of a stratum is not known of all images either.
    absent = {measure.absent_because for measure in card.overall.measures.values()} - {None, "0/0"}
    return [*lines, *(f"left out or –: {reason}" for reason in sorted(map(str, absent)))]


def _headline(judged: Evaluation) -> list[str]:
    score, images, cases = judged.score, len(judged.images), len(judged.case_scores)
    sizes = say_number(images, "image")
    if cases != images:
        sizes += f" of {say_number(cases, 'case')}"
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
    rates = judged.recall_at_rates
    lines = []
    if rates:
        told = ", ".join(f"{one.value:.3f} at {one.rate:g}" for one in rates)
        lines.append(f"recall {told} false positives per mm² (best threshold for each)")
    mean = judged.mean_over_images.f1
    left_out = f", {mean.undefined} with nothing left out" if mean.undefined else ""
    lines.append(f"F1, mean over images {mean}{left_out} (above: pooled over all)")
    if len(judged.case_scores) != len(judged.images):
        lines.append(f"F1, mean over cases {judged.mean_over_cases.f1}")
    error = judged.reliability().ece
    if error is not None:
        stated = _PROBABILITIES[judged.probabilities]
        lines.append(f"expected calibration error {error:.3f} over all candidates{stated}")
    look_alikes = judged.look_alikes
    if look_alikes is not None and look_alikes.precision_among_look_alikes is not None:
        lines.append(
            f"look-alikes called mitotic: {look_alikes.look_alikes} of {look_alikes.look_alikes_shown}"
        )
    if judged.kinds is not None:
        (right, missed), (wrong, others) = judged.kinds.matrix.counts.tolist()
        lines += [
            f"atypical figures among those found: {right} of {right + missed} called so, and {wrong} of "
            f"{wrong + others} others",
            _share("balanced", judged.kinds.balanced_accuracy, judged.kinds.interval),
        ]
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
            f"not judged, outside of the examined area: {say_number(judged.detections_outside, 'detection')},"
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
        f" paired over {say_number(compared.cases, 'case')}:"
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
