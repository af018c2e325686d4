"""Scores of detections against the truth, each under a named protocol."""

from mitoscope.evaluate.average_precision import average_precision
from mitoscope.evaluate.calibration import Reliability, reliability
from mitoscope.evaluate.comparison import Comparison, compare
from mitoscope.evaluate.curves import ChosenThreshold, choose_threshold, precision_recall
from mitoscope.evaluate.evaluate import evaluate
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.froc import froc, midog_froc_auc
from mitoscope.evaluate.interval import Interval, bootstrap
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.protocol import Protocol
from mitoscope.evaluate.protocols import PROTOCOLS, find_protocol, iou_protocol
from mitoscope.evaluate.score import Score
from mitoscope.evaluate.steps import Steps

__all__ = [
    "PROTOCOLS",
    "ChosenThreshold",
    "Comparison",
    "Evaluation",
    "Interval",
    "Matching",
    "Protocol",
    "Reliability",
    "Score",
    "Steps",
    "average_precision",
    "bootstrap",
    "choose_threshold",
    "compare",
    "evaluate",
    "find_protocol",
    "froc",
    "iou_protocol",
    "midog_froc_auc",
    "precision_recall",
    "reliability",
]
