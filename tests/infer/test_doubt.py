"""Which candidates the second stage looks at again: from the lower to the upper score, both included."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from mitoscope.bundle import Blend, Verifier
from mitoscope.infer.verify import SecondStage, joined

SCORES = (0.0, 0.2, 0.25, 0.3, 0.5, 0.75, 0.8, 1.0)


@dataclass
class Looks:
    """An engine that gives each crop the score painted into it, and notes which crops it was shown."""

    shift: float = 0.0
    seen: list[float] = field(default_factory=list)

    def score(self, crops: list[float], places: list[Any]) -> list[np.ndarray]:
        self.seen.extend(crops)
        return [np.array([[crop + self.shift, 0.0]], dtype=np.float64) for crop in crops]


def verifier(**changes: object) -> Verifier:
    values = {
        "files": ("a.onnx", "b.onnx"), "crop_px": 32, "mpp": 0.25, "labels": ("mitotic figure", "other"),
        "proposal_threshold": 0.3,
    }  # fmt: skip
    return Verifier.model_validate(values | changes)


def stage(doubt: tuple[float, float]) -> tuple[SecondStage, Looks, Looks]:
    first, further = Looks(), Looks(shift=-0.125)
    return SecondStage(first, further, verifier(doubt=doubt), column=0), first, further  # type: ignore[arg-type]


def scores_of(second: SecondStage) -> list[float]:
    read = SimpleNamespace(
        crops=list(SCORES), proposed=np.full(len(SCORES), 0.5), places=[(0, 0)] * len(SCORES)
    )
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
    alone = SecondStage(second.first, None, second.verifier, second.column)
    assert scores_of(alone) == list(SCORES)
    assert first.seen == list(SCORES)


def test_a_blend_weighs_log_odds_of_graphs_and_of_the_first_stage() -> None:
    own = verifier(blend=Blend(weights=(2.0, 1.0), proposal=0.5), flips=True)
    looks = np.array([[0.9, 0.8, 0.7, 0.6, 0.2, 0.2, 0.2, 0.2]])
    odds = np.log(looks / (1 - looks))[0]
    mean = (2 * odds[:4].mean() + 1 * odds[4:].mean() + 0.5 * np.log(0.3 / 0.7)) / 3.5
    assert joined(looks, np.array([0.3]), own) == pytest.approx([1 / (1 + np.exp(-mean))])
    # Of the first look alone: its graph and the first stage, one view having a quarter of the weight.
    alone = (0.5 * odds[0] + 0.5 * np.log(0.3 / 0.7)) / 1.0
    assert joined(looks[:, :1], np.array([0.3]), own) == pytest.approx([1 / (1 + np.exp(-alone))])


def test_no_look_outvotes_all_others() -> None:
    own = verifier(blend=Blend(weights=(1.0, 1.0)))
    sure = joined(np.array([[0.0, 0.9], [1e-4, 0.9]]), np.array([0.5, 0.5]), own)
    assert sure[0] == pytest.approx(sure[1])


@pytest.mark.parametrize(
    "changes",
    [
        {"blend": Blend(weights=(1.0,))},
        {"crops_px": (32,)},
        {"crops_px": (32, 48)},
        {"crops_px": (32, 31)},
    ],
)
def test_sides_and_weights_fit_the_graphs(changes: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"weights of|crops_px"):
        verifier(**changes)
