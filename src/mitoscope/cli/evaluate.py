"""``mitoscope evaluate``: detections against the truth, under a named protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from mitoscope.cli.options import MppOption, parse_mpp, parse_threshold


def evaluate(
    pred: Annotated[
        Path, typer.Option("--pred", metavar="FILE|DIR", help="Results of detect, or any format.")
    ],
    truth: Annotated[
        Path, typer.Option("--truth", metavar="FILE", help="CSV image,x,y,label[,w,h] or any format.")
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
        Path | None, typer.Option("--validation-truth", metavar="FILE", help="Their truth.")
    ] = None,
    choose_on_test: Annotated[
        bool,
        typer.Option("--choose-on-test", help="Choose it on the judged images: too good, and said so."),
    ] = False,
    mpp: MppOption = None,
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
    """Judge detections: true and false ones, precision, recall, F1 with 95 % intervals by case."""
    from mitoscope.cli.evaluation_task import Comparee, Task, check_options
    from mitoscope.cli.evaluation_text import as_dict, print_evaluation
    from mitoscope.evaluate import find_protocol
    from mitoscope.exchange.image_groups import parse_group
    from mitoscope.figure import parse_encoding
    from mitoscope.geometry import Mpp

    value, grouping = parse_mpp(mpp), None if by is None else parse_group(by)
    cut, other_cut = parse_threshold(threshold), parse_threshold(compare_threshold)
    check_options(cut, validation_pred, validation_truth, choose_on_test=choose_on_test, compare=compare)
    if plot is not None:
        parse_encoding(plot)
    task = Task(find_protocol(protocol), truth, None if value is None else Mpp.square(value))
    if validation_pred is not None and validation_truth is not None:
        judged = task.judge_as_on(pred, validation_pred, validation_truth)
    elif choose_on_test:
        judged = task.judge_at_best(pred)
    else:
        judged = task.judge(pred, cut)
    other = None
    if compare is not None:
        other = Comparee(compare, task.judge(compare, cut if other_cut is None else other_cut))
    groups = None if grouping is None else task.group(judged, grouping, domains)
    if plot is not None:
        task.draw(plot, pred, judged, other=other, groups=groups)
    if as_json:
        typer.echo(json.dumps(as_dict(judged, other, groups), indent=2))
    else:
        print_evaluation(judged, other, groups)
