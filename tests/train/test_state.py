from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from mitoscope.data.sampling import HardPool
from mitoscope.errors import LedgerMismatchError, NonFiniteError, TrainingDataError
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.train.state import State, load, save, weights_hash, weights_of

pytestmark = pytest.mark.train


def _state(seed: int = 0, widths: tuple[int, int, int] = (3, 4, 5)) -> State:
    torch.manual_seed(seed)
    network, average = FcnResnet12(widths), FcnResnet12(widths)
    optimiser = torch.optim.AdamW(network.parameters(), lr=0.01)
    network(torch.zeros(2, 64, 64, 3, dtype=torch.uint8)).sum().backward()
    optimiser.step()
    return State(network, average, optimiser, step=seed)


def test_a_checkpoint_brings_everything_back(tmp_path: Path) -> None:
    state = _state(5)
    state.hard = HardPool(np.array([1, 2]), np.array([3.0, 4.0]), np.array([5.0, 6.0]), np.array([0.5, 0.5]))
    state.best, state.best_f1, state.best_step = weights_of(state.average), 0.5, 4
    save(state, tmp_path / "c.npz", run="r")
    other = _state(1)
    load(other, tmp_path / "c.npz", run="r")
    assert weights_hash(other.network) == weights_hash(state.network)
    assert weights_hash(other.average) == weights_hash(state.average)
    assert (other.step, other.best_f1, other.best_step) == (5, 0.5, 4)
    assert other.hard.x.tolist() == [3.0, 4.0]
    mine, theirs = state.optimiser.state_dict()["state"], other.optimiser.state_dict()["state"]
    assert all(torch.equal(mine[i][k], theirs[i][k]) for i in mine for k in mine[i])


def test_no_non_finite_checkpoint_reaches_the_disk(tmp_path: Path) -> None:
    state = _state()
    with torch.no_grad():
        dict(state.average.named_parameters())["classifier.bias"].fill_(float("nan"))
    with pytest.raises(NonFiniteError, match=r"average/classifier\.bias"):
        save(state, tmp_path / "c.npz", run="r")
    assert not list(tmp_path.iterdir())


def test_another_run_is_refused(tmp_path: Path) -> None:
    save(_state(), tmp_path / "c.npz", run="r")
    with pytest.raises(LedgerMismatchError, match="another recipe or other data"):
        load(_state(), tmp_path / "c.npz", run="s")
    with pytest.raises(LedgerMismatchError, match="another network"):
        load(_state(widths=(3, 4, 6)), tmp_path / "c.npz", run="r")


@pytest.mark.parametrize("damage", ["cut", "text", "pickle"])
def test_a_damaged_checkpoint_is_a_typed_error(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "c.npz"
    save(_state(), path, run="r")
    if damage == "cut":
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif damage == "text":
        path.write_text("hello")
    else:
        np.savez(path, run=np.array([{"code": 1}], dtype=object))
    with pytest.raises(TrainingDataError, match="not a whole checkpoint"):
        load(_state(), path, run="r")
