from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mitoscope.data.sampling import HardPool
from mitoscope.errors import LedgerMismatchError, NonFiniteError, TrainingDataError
from mitoscope.models.build import build
from mitoscope.models.config import FcnConfig
from mitoscope.models.family import Family
from mitoscope.train.checkpoint import load, save
from mitoscope.train.state import State, weights_of

from .weights import weights_hash

pytestmark = pytest.mark.train


RUN = {"run": "r", "architecture": "fcn-resnet12"}


def _network(seed: int, widths: tuple[int, int, int]) -> Family:
    return build(FcnConfig(architecture="fcn-resnet12", widths=widths), seed=seed)


def _state(seed: int = 0, widths: tuple[int, int, int] = (16, 16, 16)) -> State:
    network, average = _network(seed, widths), _network(seed, widths)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    network.exportable().network(torch.zeros(2, 64, 64, 3, dtype=torch.uint8)).sum().backward()  # type: ignore[operator]
    optimiser.step()
    return State(network, average, optimiser, step=seed)


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    state = _state(5)
    state.hard = HardPool(np.array([1, 2]), np.array([3.0, 4.0]), np.array([5.0, 6.0]), np.array([0.5, 0.5]))
    state.best, state.best_score, state.best_step = weights_of(state.judged), 0.5, 4
    save(state, tmp_path / "c.npz", **RUN)
    other = _state(1)
    load(other, tmp_path / "c.npz", **RUN)
    assert weights_hash(other.network) == weights_hash(state.network)
    assert weights_hash(other.judged) == weights_hash(state.judged)
    assert (other.step, other.best_score, other.best_step) == (5, 0.5, 4)
    assert other.hard.x.tolist() == [3.0, 4.0]
    mine, theirs = state.optimiser.state_dict()["state"], other.optimiser.state_dict()["state"]
    assert all(torch.equal(mine[i][k], theirs[i][k]) for i in mine for k in mine[i])


def test_no_non_finite_checkpoint_reaches_the_disk(tmp_path: Path) -> None:
    state = _state()
    with torch.no_grad():
        dict(state.judged.named_parameters())["network.classifier.bias"].fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"average/network\.classifier\.bias"):
        save(state, tmp_path / "c.npz", **RUN)
    assert not list(tmp_path.iterdir())


def test_another_run_is_refused(tmp_path: Path) -> None:
    save(_state(), tmp_path / "c.npz", **RUN)
    with pytest.raises(LedgerMismatchError, match="another recipe or other data"):
        load(_state(), tmp_path / "c.npz", run="s", architecture="fcn-resnet12")
    with pytest.raises(LedgerMismatchError, match="another network"):
        load(_state(widths=(16, 16, 24)), tmp_path / "c.npz", **RUN)
    with pytest.raises(LedgerMismatchError, match=r"another architecture \(fcn-resnet12, now classifier\)"):
        load(_state(), tmp_path / "c.npz", run="r", architecture="classifier")


@pytest.mark.parametrize("damage", ["cut", "text", "pickle"])
def test_a_damaged_checkpoint_is_a_typed_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "c.npz"
    save(_state(), path, **RUN)
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "text":
        path.write_text("hello")
    else:
        np.savez(path, run=np.array([{"code": 1}], dtype=object))
    with pytest.raises(TrainingDataError, match="not a whole checkpoint"):
        load(_state(), path, **RUN)
