"""``mitoscope bundle classify``: labelled cells by a classifier, with confusion matrix and ROC AUC."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import JsonOption, LabelOption, MppOption, PolicyOption, parse_mpp, parse_policy
from mitoscope.cli.terminal import print_json, print_table

if TYPE_CHECKING:
    from mitoscope.loops.classify import Classified


def classify(
    bundle: Annotated[
        str, typer.Argument(metavar="BUNDLE", help="A classifier, or a detector with a second stage.")
    ],
    study: Annotated[
        str, typer.Argument(metavar="STUDY[@VERSION]", help="Labelled cells: a study, or any file of labels.")
    ],
    slides: Annotated[Path, typer.Option("--slides", metavar="DIR", help="Folder of its slides.")],
    split: Annotated[
        str | None,
        typer.Option("--split", metavar="SIDE", help="Only one side of the split: train, val or test."),
    ] = None,
    policy: PolicyOption = None,
    label: LabelOption = None,
    mpp: MppOption = None,
    as_json: JsonOption = False,
) -> None:
    """Classify labelled cells: confusion matrix, precision, recall and ROC AUC of each class."""
    from mitoscope.bundle import load_bundle
    from mitoscope.exchange import read_ground_truth
    from mitoscope.labels import LabelMapping
    from mitoscope.loops.classify import CellClassifier, classify_cells
    from mitoscope.loops.crops import find_slides

    classifier, scale = CellClassifier.of(load_bundle(bundle)), parse_mpp(mpp)
    truth = read_ground_truth(
        study, policy=parse_policy(policy), mapping=LabelMapping.parse(label or ()), mpp=scale
    ).need_cells()
    if split is not None:
        truth = truth.on(split)
    files = find_slides(slides, [slide.name for slide in truth if len(slide.cells)])
    found = classify_cells(classifier, truth, files, mpp=scale)
    if as_json:
        print_json({"bundle": bundle, "truth": study, **found.as_dict()})
        return
    _print(found)


def _print(found: Classified) -> None:
    matrix = found.matrix
    rows: list[list[object]] = []
    for place, name in enumerate(matrix.labels):
        own = matrix.one_against_all(name)
        shares = (own.precision, own.recall, own.f1, found.auc[name])
        told = ["–" if share is None else f"{share:.3f}" for share in shares]
        rows.append([name, *matrix.counts[place].tolist(), *told])
    taken = [f"taken for {name}" for name in matrix.labels]
    print_table(
        f"{int(matrix.counts.sum()):,} cells", ("class", *taken, "precision", "recall", "F1", "ROC AUC"), rows
    )
    accuracy, balanced = matrix.accuracy, matrix.balanced_accuracy
    typer.echo(
        f"accuracy {accuracy:.3f}" + ("" if balanced is None else f", balanced accuracy {balanced:.3f}")
    )
    if found.left_out:
        named = ", ".join(f"{name} ({count})" for name, count in found.left_out.items())
        typer.echo(f"left out, of classes that it does not know: {named}")
