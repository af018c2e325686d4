"""Scores of detections against the truth, each under a named protocol."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mitoscope.evaluate.alone import FoundAlone, Place, found_alone, missed_by_all
from mitoscope.evaluate.bundle_calibration import Calibrated, Chosen, Known, calibrate, choose_points
from mitoscope.evaluate.call import evaluate_any
from mitoscope.evaluate.common_slides import Missing, SameSlides, same_slides
from mitoscope.evaluate.comparison import Comparison, Difference, compare
from mitoscope.evaluate.contest import (
    COUNT_ERROR,
    LOWER_IS_BETTER,
    RANKABLE,
    Contest,
    Cost,
    Entry,
    Pair,
    Strata,
    check_rank,
    judge_entry,
    strata_of_images,
)
from mitoscope.evaluate.counts import CountAgreement, ImageCount, count_agreement
from mitoscope.evaluate.curves import (
    FALSE_PER_MM2,
    average_precision,
    free_response,
    froc,
    midog_froc_auc,
    precision_recall,
)
from mitoscope.evaluate.errors_by_kind import (
    ELSEWHERE,
    ErrorTable,
    FalseKind,
    MissedKind,
    count_errors,
    kinds_of_false,
)
from mitoscope.evaluate.evaluate import evaluate
from mitoscope.evaluate.evaluation import Evaluation, RecallAtRate
from mitoscope.evaluate.judged_image import JudgedImage, LookAlikeScore
from mitoscope.evaluate.judging import (
    FileJudge,
    GroupBy,
    GroupScore,
    Stratification,
    group_of,
    group_scores,
    parse_group,
)
from mitoscope.evaluate.laboratory import expect_share
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.plots import NamedEvaluation, draw_evaluation
from mitoscope.evaluate.protocols import PROTOCOLS, Protocol, find_protocol, iou_protocol
from mitoscope.evaluate.scoreboard import (
    EntryScores,
    PairedDifference,
    PairScores,
    Scoreboard,
    Value,
    scoreboard_of,
)
from mitoscope.evaluate.scorecard import MEASURES, Measure, Scorecard, StratumScore, score_strata
from mitoscope.evaluate.strata import stated_strata, strata_of_fields
from mitoscope.evaluate.sweep import Steps, Sweep
from mitoscope.evaluate.thresholds import (
    BEST_F1,
    CASES_ENOUGH,
    FIGURES_ENOUGH,
    PRIOR_FIGURES,
    ChosenThreshold,
    Criterion,
    FittedPoint,
    Prior,
    choose_threshold,
    fit_point,
)

__all__ = [
    "BEST_F1",
    "CASES_ENOUGH",
    "COUNT_ERROR",
    "ELSEWHERE",
    "FALSE_PER_MM2",
    "FIGURES_ENOUGH",
    "LOWER_IS_BETTER",
    "MEASURES",
    "PRIOR_FIGURES",
    "PROTOCOLS",
    "RANKABLE",
    "Calibrated",
    "Chosen",
    "ChosenThreshold",
    "Comparison",
    "Contest",
    "Cost",
    "CountAgreement",
    "Criterion",
    "Difference",
    "Entry",
    "EntryScores",
    "ErrorTable",
    "Evaluation",
    "FalseKind",
    "FileJudge",
    "FittedPoint",
    "FoundAlone",
    "GroupBy",
    "GroupScore",
    "ImageCount",
    "JudgedImage",
    "Known",
    "LookAlikeScore",
    "Matching",
    "Measure",
    "MissedKind",
    "Missing",
    "NamedEvaluation",
    "Pair",
    "PairScores",
    "PairedDifference",
    "Place",
    "Prior",
    "Protocol",
    "RecallAtRate",
    "SameSlides",
    "Scoreboard",
    "Scorecard",
    "Steps",
    "Strata",
    "Stratification",
    "StratumScore",
    "Sweep",
    "Value",
    "average_precision",
    "calibrate",
    "check_rank",
    "choose_points",
    "choose_threshold",
    "compare",
    "count_agreement",
    "count_errors",
    "draw_evaluation",
    "evaluate",
    "evaluate_any",
    "expect_share",
    "find_protocol",
    "fit_point",
    "found_alone",
    "free_response",
    "froc",
    "group_of",
    "group_scores",
    "iou_protocol",
    "judge_entry",
    "kinds_of_false",
    "midog_froc_auc",
    "missed_by_all",
    "parse_group",
    "precision_recall",
    "same_slides",
    "score_strata",
    "scoreboard_of",
    "stated_strata",
    "strata_of_fields",
    "strata_of_images",
]


class _EvaluatePackage(ModuleType):
    """The package as the verb of the command line: ``mitoscope.evaluate(…)`` is `evaluate_any`.

    A module and a function cannot both have the name; which of them it stood for would depend on what was
    imported before.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `evaluate_any`."""
        return evaluate_any(*args, **kwargs)


sys.modules[__name__].__class__ = _EvaluatePackage
