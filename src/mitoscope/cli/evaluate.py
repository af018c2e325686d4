"""``mitoscope evaluate``: detections against the truth, under a named protocol."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import (
    BoxesOption,
    ExaminedOption,
    LabelOption,
    MppOption,
    MppOverrideOption,
    PolicyOption,
    parse_boxes,
    parse_mpp,
    parse_policy,
    parse_threshold,
)
from mitoscope.errors import ConfigError

if TYPE_CHECKING:
    from mitoscope.cli.evaluation_text import Comparee, Groups
    from mitoscope.evaluate import Evaluation


def evaluate(
    pred: Annotated[
        Path, typer.Option("--pred", metavar="FILE|DIR", help="Results of detect, or any format.")
    ],
    truth: Annotated[
        str,
        typer.Option(
            "--truth",
            metavar="FILE|STUDY[@VERSION]",
            help="CSV image,x,y,label[,w,h], any format, or a study.",
        ),
    ],
    protocol: Annotated[
        str, typer.Option("--protocol", help="mitoscope, midog, cmc, tupac, amida, mitos2012 or iou@0.5.")
    ] = "mitoscope",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", metavar="T", help="Scores above it count; default: that of the results, else 0."
        ),
    ] = None,
    validation_pred: Annotated[
        Path | None,
        typer.Option(
            "--validation-pred", metavar="FILE|DIR", help="Choose the threshold of greatest F1 on these."
        ),
    ] = None,
    validation_truth: Annotated[
        str | None, typer.Option("--validation-truth", metavar="FILE", help="Their ground truth.")
    ] = None,
    choose_on_test: Annotated[
        bool,
        typer.Option("--choose-on-test", help="Choose the threshold on the test images (optimistic)."),
    ] = False,
    policy: PolicyOption = None,
    label: LabelOption = None,
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="SIDE", help="Judge one side of the split: train, val or test."),
    ] = None,
    examined: ExaminedOption = None,
    boxes: BoxesOption = None,
    mpp: MppOption = None,
    mpp_override: MppOverrideOption = False,
    by: Annotated[
        str | None,
        typer.Option(
            "--by", metavar="GROUP", help="Also by slide, case, domain, scanner, species or laboratory."
        ),
    ] = None,
    domains: Annotated[
        Path | None,
        typer.Option("--domains", metavar="FILE", help="Table of domains (datasets_xvalidation.csv)."),
    ] = None,
    compare: Annotated[
        Path | None,
        typer.Option("--compare", metavar="OTHER", help="Results of another detector, compared in pairs."),
    ] = None,
    compare_threshold: Annotated[
        float | None,
        typer.Option("--compare-threshold", metavar="T", help="Its threshold; default as for --threshold."),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE", help="Draw it as .png or .svg.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare detections with ground truth: precision, recall, F1 with 95 % intervals by case."""
    from mitoscope.cli.evaluation_text import Comparee, Groups, as_dict, print_evaluation
    from mitoscope.evaluate import FileJudge, find_protocol, parse_group
    from mitoscope.figure import parse_encoding
    from mitoscope.geometry import Mpp
    from mitoscope.labels import LabelMapping

    value, grouping = parse_mpp(mpp), None if by is None else parse_group(by)
    cut, other_cut = parse_threshold(threshold), parse_threshold(compare_threshold)
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
        mpp=None if value is None else Mpp.square(value),
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
    if plot is not None:
        _draw(plot, pred, judged, other=other, groups=groups)
    if as_json:
        typer.echo(json.dumps(as_dict(judged, other, groups), indent=2))
    else:
        print_evaluation(judged, other, groups)


def _draw(
    target: Path, pred: Path, judged: Evaluation, *, other: Comparee | None, groups: Groups | None
) -> None:
    from mitoscope.evaluate import NamedEvaluation, draw_evaluation
    from mitoscope.figure import write_figure

    second = None if other is None else NamedEvaluation(_name(other.path), other.evaluation)
    figure = draw_evaluation(
        NamedEvaluation(_name(pred), judged),
        other=second,
        groups=() if groups is None else groups.scores,
        by="" if groups is None else groups.by,
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
