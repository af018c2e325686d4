"""Scores of detections against the truth, each under a named protocol."""

from mitoscope.evaluate.evaluate import Evaluation, evaluate
from mitoscope.evaluate.interval import Interval, bootstrap
from mitoscope.evaluate.matching import Matching
from mitoscope.evaluate.protocols import PROTOCOLS, Protocol, find_protocol
from mitoscope.evaluate.score import Score

__all__ = [
    "PROTOCOLS",
    "Evaluation",
    "Interval",
    "Matching",
    "Protocol",
    "Score",
    "bootstrap",
    "evaluate",
    "find_protocol",
]
