"""Simulated experts have the faults that they are given."""

from __future__ import annotations

import pytest

from mitoscope.curation import agreement
from mitoscope.errors import ConfigError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Policy, Round, RoundKind, Store
from tests.curation.simulated import SimulatedExpert, SimulatedStudy, confusion_for

CELLS = [f"cell {n}" for n in range(20_000)]


def test_two_experts_differ_as_often_as_published() -> None:
    assert confusion_for(0.2) == pytest.approx(0.1127, abs=1e-4)
    one, other = SimulatedExpert("1"), SimulatedExpert("2")
    said = [[e.says(cell, MITOTIC_FIGURE.name, round_="r") for cell in CELLS] for e in (one, other)]
    assert sum(a != b for a, b in zip(*said, strict=True)) / len(CELLS) == pytest.approx(0.2, abs=0.01)
    found = sum(one.finds(cell, MITOTIC_FIGURE.name) for cell in CELLS)
    assert found / len(CELLS) == pytest.approx(0.94, abs=0.006)


def test_hard_cells_are_hard_for_all_and_the_average_stays() -> None:
    experts = [SimulatedExpert(name, difficulty=0.9) for name in ("1", "2")]
    wrong = [[e.says(c, LOOK_ALIKE.name, round_="r") != LOOK_ALIKE.name for c in CELLS] for e in experts]
    for each in wrong:
        assert sum(each) / len(CELLS) == pytest.approx(experts[0].confusion, abs=0.01)
    both = sum(a and b for a, b in zip(*wrong, strict=True)) / len(CELLS)
    assert both > 2 * experts[0].confusion ** 2


def test_a_place_without_a_cell_is_rarely_taken_for_a_figure() -> None:
    expert = SimulatedExpert("1", background=0.02)
    said = [expert.says(cell, LOOK_ALIKE.name, round_="r", is_cell=False) for cell in CELLS]
    assert said.count(MITOTIC_FIGURE.name) / len(CELLS) == pytest.approx(0.02, abs=0.004)


def test_the_same_look_gives_the_same_answer_and_another_round_another_look() -> None:
    expert = SimulatedExpert("1", confusion=0.5)
    first = [expert.says(cell, LOOK_ALIKE.name, round_="a") for cell in CELLS[:200]]
    assert first == [expert.says(cell, LOOK_ALIKE.name, round_="a") for cell in CELLS[:200]]
    assert first != [expert.says(cell, LOOK_ALIKE.name, round_="b") for cell in CELLS[:200]]


def test_screening_and_second_read_go_through_the_store(store: Store, study: SimulatedStudy) -> None:
    first = SimulatedExpert("expert 1", miss={MITOTIC_FIGURE.name: 0.2, LOOK_ALIKE.name: 0.5})
    made = study.screen(first, Round("screening", RoundKind.SCREENING))
    missed = study.missed_figures(store.agreed(Policy.UNANIMOUS).cell_id.tolist())
    assert 0 < len(missed) < 15
    assert made < 60 - len(missed)
    store.open_round(Round("second read", RoundKind.SECOND_READ))
    assert study.read(SimulatedExpert("expert 2"), "second read", stop_after=3) == 3
    assert study.read(SimulatedExpert("expert 2"), "second read") == made - 3
    whole = agreement(store.export_study(), repeats=10)[-1]
    assert whole.cells == made
    assert 0.02 < whole.disagreement.value < 0.4
    store.verify()


def test_shares_outside_of_0_and_1_are_refused() -> None:
    with pytest.raises(ConfigError, match="expert 'x': confusion"):
        SimulatedExpert("x", confusion=1.5)
    with pytest.raises(ConfigError, match=r"not in \[0, 0.5\]"):
        confusion_for(0.6)
