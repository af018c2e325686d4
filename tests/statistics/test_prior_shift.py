"""Prior shift: a known share is found without labels, few candidates stay where they were, order is kept."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit
from scipy.stats import norm

from mitoscope.errors import ConfigError, FormatError
from mitoscope.statistics import PriorShift, estimate_shift

Floats = NDArray[np.float64]
CALIBRATED = 0.2


def _candidates(
    n: int, share: float, *, seed: int = 0, apart: float = 2.0
) -> tuple[Floats, NDArray[np.bool_]]:
    """Draw candidates of a share and return what is exact for `CALIBRATED`, and which are true.

    The evidence is normal, of variance 1, around 0 for false ones and `apart` for true ones.
    """
    rng = np.random.default_rng(seed)
    true = rng.random(n) < share
    seen = rng.normal(apart * true)
    figures, others = CALIBRATED * norm.pdf(seen, apart), (1 - CALIBRATED) * norm.pdf(seen)
    return figures / (figures + others), true


def _em(p: Floats, steps: int, *, figures: float = 0.0, candidates: float = 0.0) -> float:
    """Return the share by the iteration as it was published, with candidates known besides."""
    share = CALIBRATED
    for _ in range(steps):
        true = p * share / CALIBRATED
        expected = true / (true + (1 - p) * (1 - share) / (1 - CALIBRATED))
        share = float((expected.sum() + figures) / (len(p) + candidates))
    return share


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5, 0.9])
def test_a_known_share_is_found_again(share: float) -> None:
    p, true = _candidates(40_000, share)
    shift = estimate_shift(p, calibrated=CALIBRATED)
    assert shift.estimated == pytest.approx(true.mean(), rel=0.12)
    assert shift.alone == pytest.approx(true.mean(), rel=0.12)
    assert abs(p.mean() - true.mean()) > 0.05 or share == CALIBRATED, "the shift does not matter"
    assert shift(p).mean() == pytest.approx(true.mean(), rel=0.12)
    bins = np.digitize(shift(p), [0.1, 0.3, 0.5, 0.7, 0.9])
    for place in range(6):
        if (bins == place).sum() > 400:
            assert shift(p)[bins == place].mean() == pytest.approx(true[bins == place].mean(), abs=0.05)


@pytest.mark.parametrize("apart", [1.0, 3.0])
def test_it_is_where_em_ends(apart: float) -> None:
    p, _ = _candidates(300, 0.07, seed=3, apart=apart)
    shift = estimate_shift(p, calibrated=CALIBRATED, prior_figures=3)
    assert shift.alone == pytest.approx(_em(p, 20_000), rel=1e-6)
    known = {"figures": 3.0, "candidates": 3.0 / CALIBRATED}
    assert shift.estimated == pytest.approx(_em(p, 20_000, **known), rel=1e-6)

    # No share near it is likelier.
    def likelihood(share: float) -> float:
        return float(np.log(p * share / CALIBRATED + (1 - p) * (1 - share) / (1 - CALIBRATED)).sum())

    assert shift.alone is not None
    assert likelihood(shift.alone) > max(likelihood(shift.alone * by) for by in (0.99, 1.01))


def test_few_candidates_stay_where_they_are_assumed_to_be() -> None:
    none = estimate_shift([], calibrated=0.2, assumed=0.1)
    assert none.estimated == pytest.approx(0.1)
    assert (none.alone, none.candidates) == (None, 0)
    shares = [
        estimate_shift(np.full(n, 0.01), calibrated=0.2, prior_figures=2).estimated
        for n in (1, 10, 100, 1000)
    ]
    assert shares[0] > 0.18
    assert shares == sorted(shares, reverse=True)
    assert shares[-1] < 0.01
    weak, strong = (
        estimate_shift(np.full(20, 0.01), calibrated=0.2, prior_figures=weight).estimated
        for weight in (0.5, 50.0)
    )
    assert weak < strong < 0.2


def test_a_small_calibration_is_not_trusted_for_many_candidates() -> None:
    p, _ = _candidates(20_000, 0.02)
    full, half, little = (
        estimate_shift(p, calibrated=CALIBRATED, calibrated_on=n).estimated for n in (None, 20_000, 100)
    )
    assert full == pytest.approx(0.02, rel=0.1)
    assert full < half < little < CALIBRATED
    # In the limit all candidates count as the hundred do.
    alike = estimate_shift(p[:100], calibrated=CALIBRATED).estimated
    assert little == pytest.approx(alike, rel=0.5)


@pytest.mark.parametrize(("p", "alone"), [(0.0, 0.0), (1.0, 1.0), (CALIBRATED, None)])
def test_ends_and_what_says_nothing(p: float, alone: float | None) -> None:
    shift = estimate_shift(np.full(50, p), calibrated=CALIBRATED)
    assert 0 < shift.estimated < 1
    if alone is None:  # every share is as likely as any other
        assert shift.estimated == pytest.approx(CALIBRATED, rel=1e-6)
    else:
        assert shift.alone == alone
        assert shift.estimated == pytest.approx((50 * alone + 2) / (50 + 2 / CALIBRATED))
    np.testing.assert_array_equal(shift([0.0, 1.0]), [0.0, 1.0])


@given(
    p=st.lists(st.floats(0, 1), max_size=30),
    calibrated=st.floats(1e-4, 0.9999),
    assumed=st.floats(1e-4, 0.9999),
    on=st.none() | st.integers(1, 10_000),
)
def test_it_converges_keeps_the_order_and_can_be_undone(
    p: list[float], calibrated: float, assumed: float, on: int | None
) -> None:
    shift = estimate_shift(p, calibrated=calibrated, assumed=assumed, calibrated_on=on)
    assert 0 < shift.estimated < 1
    ends = [assumed, assumed if shift.alone is None else shift.alone]
    assert min(ends) - 1e-9 <= shift.estimated <= max(ends) + 1e-9
    ordered = np.sort(np.array(p, dtype=np.float64))
    corrected = shift(ordered)
    assert ((corrected >= 0) & (corrected <= 1)).all()
    assert (np.diff(corrected) >= 0).all()
    inner = (ordered > 1e-6) & (ordered < 1 - 1e-6)
    np.testing.assert_allclose(shift.undo(corrected)[inner], ordered[inner], rtol=1e-6)


def test_the_log_odds_move_by_one_step() -> None:
    shift = PriorShift(calibrated=0.5, assumed=0.5, alone=0.1, estimated=expit(-2.0), candidates=9)
    assert shift.log_odds == pytest.approx(-2)
    assert shift(0.5) == pytest.approx(expit(-2.0))


@pytest.mark.parametrize("p", [[0.5, 1.1], [-0.1], [np.nan]])
def test_what_is_no_probability_is_refused(p: list[float]) -> None:
    with pytest.raises(FormatError, match="a probability outside"):
        estimate_shift(p, calibrated=0.2)


@pytest.mark.parametrize(
    "wrong",
    [
        {"calibrated": 0.0},
        {"calibrated": 1.0},
        {"calibrated": 0.2, "assumed": 0.0},
        {"calibrated": 0.2, "prior_figures": 0.0},
        {"calibrated": 0.2, "prior_figures": np.nan},
        {"calibrated": 0.2, "calibrated_on": 0},
    ],
)
def test_shares_and_weights_that_mean_nothing_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ConfigError, match="prior shift"):
        estimate_shift([0.5], **wrong)  # type: ignore[arg-type]
