"""All that changes during a run, in one visible object, and its checkpoint: whole or absent."""

from __future__ import annotations

import hashlib
import math
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import Optimizer

from mitoscope.data.sampling import HardPool
from mitoscope.errors import LedgerMismatchError, NonFiniteError, TrainingDataError
from mitoscope.fsio import atomic_write

CHECKPOINT_NAME: Final = "checkpoint.npz"
Arrays = dict[str, NDArray[Any]]


@dataclass(slots=True, eq=False)
class State:
    """The mutable state of a run.

    Parameters
    ----------
    network, average : Module
        The weights under training and their moving average.
    optimiser : Optimizer
    step : int
        Steps done.
    hard : HardPool
        The hard negatives of the last round of mining.
    best_f1 : float
        Best validation score so far; -inf before the first.
    best_step : int
        When it was reached.
    best : dict
        The averaged weights of that moment.
    """

    network: nn.Module
    average: nn.Module
    optimiser: Optimizer
    step: int = 0
    hard: HardPool = field(default_factory=HardPool.empty)
    best_f1: float = -math.inf
    best_step: int = 0
    best: Arrays = field(default_factory=dict)


def weights_of(module: nn.Module) -> Arrays:
    """Return a copy of all weights and statistics by name."""
    return {name: value.detach().numpy().copy() for name, value in module.state_dict().items()}


def put_weights(module: nn.Module, weights: Mapping[str, NDArray[Any]]) -> None:
    """Set all weights and statistics by name; layouts in memory stay as they are."""
    own = module.state_dict()
    if own.keys() != weights.keys() or any(tuple(own[n].shape) != w.shape for n, w in weights.items()):
        raise LedgerMismatchError(
            "the weights are of another network", where="checkpoint", mend="start anew without --resume"
        )
    with torch.no_grad():
        for name, value in own.items():
            value.copy_(torch.from_numpy(np.array(weights[name])))


def weights_hash(module: nn.Module) -> str:
    """Return the SHA-256 of all weights in order of their names."""
    digest = hashlib.sha256()
    for name, value in sorted(weights_of(module).items()):
        digest.update(name.encode())
        digest.update(np.ascontiguousarray(value).tobytes())
    return digest.hexdigest()


def save(state: State, path: Path, *, run: str) -> None:
    """Write the state atomically.

    Parameters
    ----------
    state : State
    path : Path
    run : str
        Fingerprint of recipe and data; resuming asks for the same.

    Raises
    ------
    NonFiniteError
        If a weight is NaN or infinite; nothing is written then (promise 18).
    """
    arrays: Arrays = {
        "run": np.array(run),
        "step": np.array(state.step),
        "best_f1": np.array(state.best_f1),
        "best_step": np.array(state.best_step),
    }
    arrays |= {f"hard/{n}": getattr(state.hard, n) for n in ("picture", "x", "y", "weight")}
    arrays |= {f"network/{n}": v for n, v in weights_of(state.network).items()}
    arrays |= {f"average/{n}": v for n, v in weights_of(state.average).items()}
    arrays |= {f"best/{n}": v for n, v in state.best.items()}
    for index, slot in state.optimiser.state_dict()["state"].items():
        arrays |= {f"optimiser/{index}/{n}": torch.as_tensor(v).numpy() for n, v in slot.items()}
    for name, value in arrays.items():
        if name != "best_f1" and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise NonFiniteError(f"NaN or infinity in {name}", where=f"step {state.step}")
    with atomic_write(path) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def load(state: State, path: Path, *, run: str) -> None:
    """Put a checkpoint's content into a fresh state.

    Raises
    ------
    LedgerMismatchError
        If the checkpoint belongs to another recipe or other data.
    TrainingDataError
        If it is damaged or not a checkpoint; nothing in it is ever executed (no pickle).
    """
    arrays = _read(path)
    if str(arrays.get("run")) != run:
        raise LedgerMismatchError(
            "the checkpoint belongs to another recipe or other data",
            where=path,
            mend="use the recipe and data of that run, or start anew in another folder",
        )
    put_weights(state.network, _part(arrays, "network/"))
    put_weights(state.average, _part(arrays, "average/"))
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in _part(arrays, "optimiser/").items():
        index, key = name.split("/")
        slots.setdefault(int(index), {})[key] = torch.from_numpy(value)
    groups = state.optimiser.state_dict()["param_groups"]
    state.optimiser.load_state_dict({"state": slots, "param_groups": groups})
    state.step = int(arrays["step"])
    state.hard = HardPool(**_part(arrays, "hard/"))
    state.best_f1, state.best_step = float(arrays["best_f1"]), int(arrays["best_step"])
    state.best = _part(arrays, "best/")


def _read(path: Path) -> Arrays:
    try:
        # Opened here: numpy leaves the file open when the archive is damaged.
        with path.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise TrainingDataError(
            f"not a whole checkpoint ({error})", where=path, mend="start anew without --resume"
        ) from None


def _part(arrays: Mapping[str, NDArray[Any]], prefix: str) -> Arrays:
    return {name.removeprefix(prefix): v for name, v in arrays.items() if name.startswith(prefix)}
