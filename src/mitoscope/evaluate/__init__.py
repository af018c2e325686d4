"""Scores of detections against the truth, each under a named protocol."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mitoscope.evaluate.bundle_calibration import Calibrated, calibrate
from mitoscope.evaluate.comparison import Comparison, Difference, compare
from mitoscope.evaluate.curves import average_precision, froc, midog_froc_auc, precision_recall
from mitoscope.evaluate.evaluate import evaluate
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.judged_image import JudgedImage, LookAlikeScore
from mitoscope.evaluate.judging import FileJudge, GroupBy, GroupScore, group_of, group_scores, parse_group
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.plots import NamedEvaluation, draw_evaluation
from mitoscope.evaluate.protocols import PROTOCOLS, Protocol, find_protocol, iou_protocol
from mitoscope.evaluate.sweep import Steps, Sweep
from mitoscope.evaluate.thresholds import (
    CASES_ENOUGH,
    FIGURES_ENOUGH,
    ChosenThreshold,
    FittedPoint,
    choose_threshold,
    fit_point,
)

__all__ = [
    "CASES_ENOUGH",
    "FIGURES_ENOUGH",
    "PROTOCOLS",
    "Calibrated",
    "ChosenThreshold",
    "Comparison",
    "Difference",
    "Evaluation",
    "FileJudge",
    "FittedPoint",
    "GroupBy",
    "GroupScore",
    "JudgedImage",
    "LookAlikeScore",
    "Matching",
    "NamedEvaluation",
    "Protocol",
    "Steps",
    "Sweep",
    "average_precision",
    "calibrate",
    "choose_threshold",
    "compare",
    "draw_evaluation",
    "evaluate",
    "find_protocol",
    "fit_point",
    "froc",
    "group_of",
    "group_scores",
    "iou_protocol",
    "midog_froc_auc",
    "parse_group",
    "precision_recall",
]


class _EvaluatePackage(ModuleType):
    """The package as the verb of the command line: ``mitoscope.evaluate(…)`` is `evaluate`.

    A module and a function cannot both have the name; which of them it stood for would depend on what was
    imported before.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `evaluate`."""
        return evaluate(*args, **kwargs)


sys.modules[__name__].__class__ = _EvaluatePackage
