"""The outcome of labels, against a plain loop."""

from __future__ import annotations

import math

import numpy as np
from hypothesis import given, settings

from mitoscope.exchange.losses import EVERYTHING, Aspect, left_out
from mitoscope.exchange.outcome import outcome
from mitoscope.store import RaterKind, Study

from .studies import studies


def looped(study: Study, cell: int) -> tuple[int, float]:
    """As written in the docstring, one label after the other."""
    rows = [row for row in range(len(study.events)) if study.events.cell[row] == cell]
    consensus = [row for row in rows if study.raters[study.events.rater[row]].kind is RaterKind.CONSENSUS]
    last: dict[int, int] = {}
    for row in rows:
        last[int(study.events.rater[row])] = int(study.events.label[row])
    if consensus:
        label = int(study.events.label[consensus[-1]])
    else:
        said = {one for one in last.values() if one >= 0}
        label = said.pop() if len(said) == 1 else -1
    scores = [float(study.events.score[row]) for row in rows if study.events.label[row] == label]
    return label, max((one for one in scores if not math.isnan(one)), default=math.nan)


@settings(max_examples=60, deadline=None)
@given(studies())
def test_outcome_equals_the_loop(study: Study) -> None:
    labels, scores = outcome(study)
    expected = [looped(study, cell) for cell in range(len(study.cells))]
    assert labels.tolist() == [label for label, _ in expected]
    assert np.array_equal(scores, [score for _, score in expected], equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(studies())
def test_losses_name_what_a_format_does_not_hold(study: Study) -> None:
    assert left_out(study, EVERYTHING) == ()
    lines = left_out(study, EVERYTHING - {Aspect.REGIONS})
    assert lines == ((f"not held by the format: regions ({len(study.regions)})",) if study.regions else ())
