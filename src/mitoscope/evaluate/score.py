"""Counts of hits and misses that add up, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Score:
    """True positives, false positives and false negatives.

    Scores of images, slides or processes are added; precision, recall and F1 of the sum are the micro
    average. A share of nothing (0/0) is None: it is stated, not invented.
    """

    tp: int = 0
    fp: int = 0
    fn: int = 0

    def __add__(self, other: Score) -> Score:
        return Score(self.tp + other.tp, self.fp + other.fp, self.fn + other.fn)

    @property
    def precision(self) -> float | None:
        """Share of detections that are true; None without a detection."""
        return _share(self.tp, self.tp + self.fp)

    @property
    def recall(self) -> float | None:
        """Share of true figures that were found; None without a true figure."""
        return _share(self.tp, self.tp + self.fn)

    @property
    def f1(self) -> float | None:
        """2 TP / (2 TP + FP + FN); None without a detection and without a true figure."""
        return _share(2 * self.tp, 2 * self.tp + self.fp + self.fn)


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None
