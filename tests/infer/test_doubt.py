"""Which candidates the second stage looks at again: from the lower to the upper score, both included."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mitoscope.infer.verify import SecondStage

SCORES = (0.0, 0.2, 0.25, 0.3, 0.5, 0.75, 0.8, 1.0)


@dataclass
class Looks:
    """An engine that gives each crop the score painted into it, and notes which crops it was shown."""

    shift: float = 0.0
    seen: list[float] = field(default_factory=list)

    def score(self, crops: list[float], places: list[Any]) -> list[np.ndarray]:
        self.seen.extend(crops)
        return [np.array([[crop + self.shift, 0.0]], dtype=np.float64) for crop in crops]


def stage(doubt: tuple[float, float]) -> tuple[SecondStage, Looks, Looks]:
    first, further = Looks(), Looks(shift=-0.125)
    return SecondStage(first, further, doubt, column=0), first, further  # type: ignore[arg-type]


def scores_of(second: SecondStage) -> list[float]:
    read = SimpleNamespace(crops=list(SCORES), places=[(0, 0)] * len(SCORES))
    scores: list[float] = second.score(read).tolist()  # type: ignore[arg-type]
    return scores


@pytest.mark.parametrize(
    ("doubt", "again"),
    [
        ((0.25, 0.75), [0.25, 0.3, 0.5, 0.75]),  # both ends belong to it
        ((0.26, 0.74), [0.3, 0.5]),
        ((0.5, 0.5), [0.5]),
        ((0.0, 1.0), list(SCORES)),
        ((0.9, 0.95), []),
    ],
)
def test_both_ends_of_doubt_are_looked_at_again(doubt: tuple[float, float], again: list[float]) -> None:
    second, first, further = stage(doubt)
    found = scores_of(second)
    assert first.seen == list(SCORES)
    assert further.seen == again
    # Of one first and one further look the mean counts; elsewhere the first look does.
    assert found == [score - 0.0625 if score in again else score for score in SCORES]


def test_without_further_looks_nobody_is_looked_at_again() -> None:
    second, first, _ = stage((0.25, 0.75))
    alone = SecondStage(second.first, None, second.doubt, second.column)
    assert scores_of(alone) == list(SCORES)
    assert first.seen == list(SCORES)
