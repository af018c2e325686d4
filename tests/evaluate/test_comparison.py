from __future__ import annotations

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.evaluate import PROTOCOLS, Comparison, Steps, compare
from mitoscope.statistics import Score
from tests.evaluate.made import Made, make, swept

Cases = dict[str, tuple[Score, Steps]]
PROTOCOL = PROTOCOLS["mitoscope"]


def cases(made: Made) -> Cases:
    return {name: (steps.at(0.5), steps) for name, steps in swept(made, PROTOCOL).items()}


def run(first: Cases, second: Cases, repeats: int = 400) -> Comparison:
    return compare(first, second, repeats=repeats, seed=1)


def test_a_detector_does_not_differ_from_itself() -> None:
    same = cases(make(10))
    found = run(same, same)
    assert found.f1.value == 0
    assert found.f1.interval is not None
    assert (found.f1.interval.low, found.f1.interval.high) == (0, 0)
    assert found.f1.p == 1.0


def test_pairing_finds_what_separate_intervals_hide() -> None:
    # The cases differ a lot, the detectors a little, but always in the same direction.
    generator = np.random.default_rng(0)
    easy: Cases = {}
    hard: Cases = {}
    for n in range(30):
        hits = int(generator.integers(5, 90))
        easy[str(n)] = (Score(hits, 10, 100 - hits), Steps.none())
        hard[str(n)] = (Score(hits - 3, 10, 103 - hits), Steps.none())
    found = run(easy, hard)
    assert found.f1.value is not None
    assert found.f1.value > 0
    assert found.f1.interval is not None
    assert found.f1.interval.low > 0
    assert found.f1.p == 1 / 400
    assert found.average_precision.value is None  # no figures in the steps


def test_equals_drawing_one_by_one() -> None:
    first, second = cases(make(7, seed=2, better=0.1)), cases(make(7, seed=2))
    names = sorted(first)
    generator = np.random.default_rng(1)
    values = []
    for drawn in generator.integers(7, size=(100, 7)).tolist():
        sums = [sum((side[names[n]][0] for n in drawn), Score()).f1 for side in (first, second)]
        assert sums[0] is not None
        assert sums[1] is not None
        values.append(sums[0] - sums[1])
    found = run(first, second, 100)
    assert found.f1.interval is not None
    expected = np.quantile(values, [0.025, 0.975]).tolist()
    assert [found.f1.interval.low, found.f1.interval.high] == pytest.approx(expected)
    assert found.cases == 7


def test_one_case_has_no_interval_and_other_cases_no_pairs() -> None:
    alone = dict(list(cases(make(3)).items())[:1])
    assert run(alone, alone).f1.interval is None
    assert run(alone, alone).as_dict()["f1"]["p"] is None
    with pytest.raises(FormatError, match="image 1: a case that only one of the detectors has"):
        run(alone, dict(list(cases(make(3)).items())[:2]))
