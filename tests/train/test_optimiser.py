from __future__ import annotations

import pytest
import torch
from torch import nn

from mitoscope.train.optimiser import OptimiserRecipe, follow, make_optimiser, set_rates, thaw
from mitoscope.train.phases import Phase, phase_at

pytestmark = pytest.mark.train


class ThreeStages(nn.Module):
    """Three layers, of which the last is the head."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(2, 2) for _ in range(3)])

    def stages(self) -> list[list[nn.Parameter]]:
        """Return the parameters of each layer."""
        return [list(layer.parameters()) for layer in self.layers]


def _phases() -> list[Phase]:
    head = Phase(steps=2, train="head", learning_rate=0.5, schedule="constant")
    return [head, Phase(steps=2, learning_rate=0.4, schedule="constant", discriminative=4)]


def _run(kind: str, steps: int) -> tuple[ThreeStages, list[torch.Tensor]]:
    torch.manual_seed(0)
    family, phases = ThreeStages(), _phases()
    before = [parameter.detach().clone() for parameter in family.parameters()]
    recipe = OptimiserRecipe.parse({"kind": kind, "weight_decay": 0.1}, where="test")
    optimiser = make_optimiser(family, recipe)  # type: ignore[arg-type]
    for step in range(steps):
        now = phase_at(step, phases)
        thaw(family.stages(), now)
        set_rates(optimiser, now, recipe, stages=3)
        planes = torch.ones(4, 2)
        for layer in family.layers:
            planes = layer(planes)
        planes.square().sum().backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        optimiser.zero_grad(set_to_none=True)
    return family, before


@pytest.mark.parametrize("kind", ["adamw", "adam", "sgd"])
def test_in_the_warm_up_only_the_head_moves_then_all_do(kind: str) -> None:
    family, before = _run(kind, 2)
    moved = [not torch.equal(a, b) for a, b in zip(family.parameters(), before, strict=True)]
    assert moved == [False] * 4 + [True] * 2
    family, before = _run(kind, 3)
    assert all(not torch.equal(a, b) for a, b in zip(family.parameters(), before, strict=True))


def test_groups_have_the_rates_of_their_stages_and_norms_no_decay() -> None:
    family = ThreeStages()
    recipe = OptimiserRecipe(weight_decay=0.1)
    optimiser = make_optimiser(family, recipe)  # type: ignore[arg-type]
    assert set_rates(optimiser, phase_at(3, _phases()), recipe, stages=3) == pytest.approx(0.4)
    rates = [(group["stage"], group["lr"]) for group in optimiser.param_groups]
    assert rates == [
        (s, pytest.approx(r)) for s, r in ((0, 0.1), (0, 0.1), (1, 0.2), (1, 0.2), (2, 0.4), (2, 0.4))
    ]
    for group in optimiser.param_groups:
        assert all((p.ndim > 1) is (group["weight_decay"] > 0) for p in group["params"])
    held = [p for group in optimiser.param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in family.parameters()}
    assert len(held) == 6


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_momentum_follows_the_cycle_and_returns_to_the_recipe(kind: str) -> None:
    recipe = OptimiserRecipe.parse({"kind": kind, "momentum": 0.8}, where="test")
    optimiser = make_optimiser(ThreeStages(), recipe)  # type: ignore[arg-type]
    cycle = Phase(steps=10, learning_rate=0.1, schedule="one-cycle", warm_up=0.5)
    plain = Phase(steps=10, learning_rate=0.1)

    def momentum(step: int) -> float:
        set_rates(optimiser, phase_at(step, [cycle, plain]), recipe, stages=3)
        group = optimiser.param_groups[0]
        return float(group["momentum"] if kind == "sgd" else group["betas"][0])

    assert momentum(0) == pytest.approx(0.95)
    assert momentum(5) == pytest.approx(0.85)
    assert momentum(10) == 0.8


def test_early_on_it_follows_fast_later_by_the_decay() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    with torch.no_grad():
        average.weight.fill_(0.0)
        network.weight.fill_(1.0)
    follow(average, network, step=0, decay=0.9)
    assert average.weight.item() == pytest.approx(0.9)  # a tenth is kept
    with torch.no_grad():
        average.weight.fill_(0.0)
    follow(average, network, step=10_000, decay=0.9)
    assert average.weight.item() == pytest.approx(0.1)


def test_counters_are_copied() -> None:
    average, network = nn.BatchNorm1d(1), nn.BatchNorm1d(1)
    torch.as_tensor(network.num_batches_tracked).fill_(7)
    follow(average, network, step=0, decay=0.9)
    assert int(torch.as_tensor(average.num_batches_tracked)) == 7
