"""Curves of the networks of an experiment: precision over recall, and the error while they were trained."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mitoscope.bundle import Bundle
from mitoscope.experiments.chart import Curves
from mitoscope.experiments.experiment import Result
from mitoscope.experiments.trained.declaration import Declaration

_RUNS: Final = ("run", "detector")
"""Folders of a training beside its bundle: of one network, of the first of two stages."""


def error_while_training(bundle: Bundle) -> list[list[float]]:
    """Return step and error of each validation of a network that finds points.

    Returns
    -------
    list of pairs
        The error is 1 − F1 on the cases that judge, at the threshold of greatest F1; validations without F1
        are left out.
    """
    from mitoscope.train.journal import read_metrics

    folder = bundle.folder.parent
    rows = next((found for name in _RUNS if (found := read_metrics(folder / name))), [])
    return [
        [float(step), round(1 - float(f1), 5)]
        for step, f1 in ((row["step"], row.get("f1")) for row in rows)
        if step is not None and f1 is not None
    ]


def training_chart(own: Declaration, results: Mapping[str, Result]) -> Curves:
    """Return the error of each arm over the steps."""
    lines = {name: tuple((x, y) for x, y in one["training"]) for name, one in results.items()}
    known = {name: points for name, points in lines.items() if points}
    title, error = f"{own.paper} {own.shows}", "error: 1 − F1 on the cases that judge"
    return Curves(title, "training steps", error, known, shares="y")


def precision_recall_chart(own: Declaration, results: Mapping[str, Result]) -> Curves:
    """Return precision over recall of each arm, for the stage and group of the first column."""
    curve = own.columns[0].score.rpartition("/")[0]
    lines = {name: tuple((x, y) for x, y in one["curves"].get(curve, ())) for name, one in results.items()}
    known = {name: points for name, points in lines.items() if points}
    return Curves(f"{own.paper} {own.shows}", "recall", "precision", known, shares="xy")
