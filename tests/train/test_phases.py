from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from mitoscope.train.phases import Phase, phase_at, total_steps

pytestmark = pytest.mark.train


def test_one_cycle_rises_and_falls_and_momentum_goes_the_other_way() -> None:
    phase = Phase(steps=100, learning_rate=1.0, schedule="one-cycle", warm_up=0.3)
    rates = [phase.rates_at(step, 1)[0] for step in range(100)]
    assert rates[0] == pytest.approx(1 / 25)
    assert rates.index(max(rates)) == 30
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.01
    assert phase.momentum_at(0) == pytest.approx(0.95)
    assert phase.momentum_at(30) == pytest.approx(0.85)


def test_the_one_cycle_is_that_of_torch() -> None:
    import torch

    weight = torch.nn.Parameter(torch.zeros(1))
    theirs = torch.optim.lr_scheduler.OneCycleLR(
        torch.optim.SGD([weight], lr=1.0, momentum=0.9),
        max_lr=0.4,
        total_steps=51,
        pct_start=0.3,
        div_factor=25,
        final_div_factor=1e4,
    )
    phase = Phase(steps=50, learning_rate=0.4, schedule="one-cycle", warm_up=0.3)
    for step in range(50):
        rate = phase.rates_at(step, 1)[0]
        # torch reaches the peak one step earlier and ends on the last step, not after it.
        assert rate == pytest.approx(float(theirs.get_last_lr()[0]), abs=0.03)
        theirs.optimizer.step()
        theirs.step()


def test_cycles_repeat_the_schedule() -> None:
    phase = Phase(steps=30, cycles=3, learning_rate=0.1, schedule="one-cycle", warm_up=0.5)
    rates = [phase.rates_at(step, 1)[0] for step in range(30)]
    assert rates[:10] == pytest.approx(rates[10:20])
    assert rates[:10] == pytest.approx(rates[20:])


def test_steps_fall_by_the_factor_at_the_drops() -> None:
    phase = Phase(steps=10, learning_rate=1.0, schedule="step", drops=(0.5, 0.8), factor=0.1)
    rates = [phase.rates_at(step, 1)[0] for step in range(10)]
    assert rates == pytest.approx([1] * 5 + [0.1] * 3 + [0.01] * 2)


def test_the_cosine_rises_linearly_and_falls_to_a_hundredth() -> None:
    phase = Phase(steps=100, learning_rate=1.0, warm_up=0.1)
    rates = [phase.rates_at(step, 1)[0] for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates.index(max(rates)) == 9
    assert rates[-1] < 0.02


def test_the_head_alone_or_all_with_slower_first_stages() -> None:
    head = Phase(steps=5, learning_rate=1.0, train="head", schedule="constant")
    assert head.rates_at(0, 3) == (0.0, 0.0, 1.0)
    all_of_them = Phase(steps=5, learning_rate=1.0, schedule="constant", discriminative=100)
    assert all_of_them.rates_at(0, 3) == pytest.approx((0.01, 0.1, 1.0))
    assert all_of_them.rates_at(0, 1) == (1.0,)


@given(st.lists(st.integers(1, 50), min_size=1, max_size=5), st.data())
def test_every_step_belongs_to_one_phase(lengths: list[int], data: st.DataObject) -> None:
    phases = [Phase(steps=length, learning_rate=0.1) for length in lengths]
    step = data.draw(st.integers(0, total_steps(phases) - 1))
    now = phase_at(step, phases)
    assert sum(lengths[: now.index]) + now.step == step
    assert now.step < now.phase.steps


@pytest.mark.parametrize(
    "values",
    [
        {"schedule": "one-cycle"},
        {"schedule": "cosine", "drops": (0.5,)},
        {"cycles": 11},
        {"discriminative": 0.5},
    ],
)
def test_keys_that_do_not_fit_are_refused(values: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Phase.model_validate({"steps": 10, "learning_rate": 0.1} | values)


def test_the_body_learns_at_a_share_of_the_rate_of_the_head() -> None:
    phase = Phase(steps=10, learning_rate=0.8, schedule="constant", body=0.25)
    assert phase.rates_at(3, 3) == pytest.approx((0.2, 0.2, 0.8))
    both = Phase(steps=10, learning_rate=0.8, schedule="constant", body=0.25, discriminative=4.0)
    assert both.rates_at(3, 3) == pytest.approx((0.05, 0.1, 0.8))
    assert phase.rates_at(3, 1) == pytest.approx((0.8,))
