import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.statistics import Score

SCORES = st.builds(Score, st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))


def test_shares() -> None:
    score = Score(tp=6, fp=2, fn=4)
    assert (score.precision, score.recall) == (0.75, 0.6)
    assert score.f1 == pytest.approx(2 * 0.75 * 0.6 / (0.75 + 0.6))


@pytest.mark.parametrize(
    ("score", "shares"),
    [
        (Score(), (None, None, None)),
        (Score(fp=3), (0, None, 0)),
        (Score(fn=3), (None, 0, 0)),
        (Score(fp=1, fn=1), (0, 0, 0)),
        (Score(tp=2), (1, 1, 1)),
    ],
)
def test_a_share_of_nothing_is_stated(score: Score, shares: tuple[float | None, ...]) -> None:
    assert (score.precision, score.recall, score.f1) == shares


@settings(deadline=None)
@given(a=SCORES, b=SCORES, c=SCORES)
def test_scores_add_up(a: Score, b: Score, c: Score) -> None:
    assert a + b == b + a
    assert (a + b) + c == a + (b + c)
    assert a + Score() == a
    assert (a + b).tp == a.tp + b.tp


@settings(deadline=None)
@given(SCORES)
def test_f1_is_the_harmonic_mean(score: Score) -> None:
    if score.precision and score.recall:
        harmonic = 2 / (1 / score.precision + 1 / score.recall)
        assert score.f1 == pytest.approx(harmonic)
