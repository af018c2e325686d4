"""``mitoscope evaluate``: detections against the truth, under a named protocol."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import MppOption, parse_threshold

if TYPE_CHECKING:
    from mitoscope.evaluate import Evaluation, Interval


def evaluate(
    pred: Annotated[
        Path, typer.Option("--pred", metavar="FILE|DIR", help="Results of detect, or any format.")
    ],
    truth: Annotated[
        Path, typer.Option("--truth", metavar="FILE", help="CSV image,x,y,label[,w,h] or any format.")
    ],
    protocol: Annotated[str, typer.Option("--protocol", help="Matching rule.")] = "tupac",
    threshold: Annotated[
        float | None,
        typer.Option(
            "--threshold", metavar="T", help="Scores above it count; default: that of the results, else 0."
        ),
    ] = None,
    mpp: MppOption = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Judge detections: true and false ones, precision, recall, F1 with 95 % intervals by image."""
    from mitoscope.evaluate import evaluate as judge
    from mitoscope.evaluate import find_protocol
    from mitoscope.exchange.evaluation_input import read_any_predictions, read_any_truth
    from mitoscope.geometry import Mpp
    from mitoscope.labels import MITOTIC_FIGURE

    rule = find_protocol(protocol)
    cut = parse_threshold(threshold)
    scale = None if mpp is None else Mpp.square(mpp)
    found = read_any_predictions(pred, mpp=scale)
    true = {
        image: cells.labelled(MITOTIC_FIGURE.name)
        for image, cells in read_any_truth(truth, mpp=scale).items()
    }
    evaluation = judge(
        found,
        true,
        protocol=rule,
        threshold=_stated_threshold(pred) if cut is None else cut,
        mpp=scale,
    )
    if as_json:
        typer.echo(json.dumps(evaluation.as_dict(), indent=2))
    else:
        for line in _lines(evaluation):
            typer.echo(line)


def _stated_threshold(pred: Path) -> float:
    """Return the threshold that the manifests of a folder of results state; 0 where there are none."""
    from mitoscope.errors import ConfigError
    from mitoscope.report.result import find_manifests, read_manifest

    manifests = find_manifests(pred) if pred.is_dir() else []
    stated = {read_manifest(path)["threshold"]["value"] for path in manifests}
    if len(stated) > 1:
        raise ConfigError(
            f"results with different thresholds ({', '.join(f'{value:g}' for value in sorted(stated))})",
            where=pred,
            mend="choose one with --threshold",
        )
    return float(stated.pop()) if stated else 0.0


def _lines(evaluation: Evaluation) -> list[str]:
    score, intervals = evaluation.score, evaluation.intervals
    lines = [
        f"protocol {evaluation.protocol.name}, threshold {evaluation.threshold:g},"
        f" {len(evaluation.images)} images",
        f"true positives {score.tp}, false positives {score.fp}, missed {score.fn}",
    ]
    named: list[tuple[str, float | None, Interval | None]] = [
        ("precision", score.precision, intervals.precision),
        ("recall", score.recall, intervals.recall),
        ("F1", score.f1, intervals.f1),
    ]
    for name, value, interval in named:
        if value is None:
            lines.append(f"{name:<10}undefined (0/0)")
        else:
            ends = "" if interval is None else f"  [{interval.low:.3f}, {interval.high:.3f}] 95 % by image"
            lines.append(f"{name:<10}{value:.3f}{ends}")
    if evaluation.without_predictions:
        lines.append(f"without predictions, all missed: {', '.join(evaluation.without_predictions)}")
    if evaluation.without_truth:
        lines.append(f"without truth, all detections false: {', '.join(evaluation.without_truth)}")
    return lines
