"""The checkpoint of a run: whole or absent, without a NaN, and nothing in it is ever executed."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torch import Tensor

from mitoscope.data.sampling import HardPool
from mitoscope.errors import NonFiniteError, TrainingDataError
from mitoscope.fsio import atomic_write, open_regular
from mitoscope.resume import refuse_changed
from mitoscope.train.state import Arrays, State, put_weights, weights_of
from mitoscope.written import claim

CHECKPOINT_NAME: Final = "checkpoint.npz"
_MAY_BE_INFINITE: Final = "best_score"


def save(state: State, path: Path, *, run: str, architecture: str) -> None:
    """Write the state atomically.

    Parameters
    ----------
    state : State
    path : Path
    run : str
        Fingerprint of recipe and data; resuming asks for the same.
    architecture : str
        Of the network, so that a checkpoint of another one is named.

    Raises
    ------
    NonFiniteError
        If a weight is NaN or infinite; nothing is written then (promise 18).
    OutputError
        If it cannot be written; an earlier checkpoint stays as it was.
    """
    arrays = _arrays(state) | {"run": np.array(run), "architecture": np.array(architecture)}
    for name, value in arrays.items():
        if name != _MAY_BE_INFINITE and value.dtype.kind == "f" and not np.isfinite(value).all():
            raise NonFiniteError(f"NaN or infinity in {name}", where=f"step {state.step}")
    with atomic_write(claim(path)) as stream:
        np.savez(stream, **arrays)  # type: ignore[arg-type]


def load(state: State, path: Path, *, run: str, architecture: str) -> None:
    """Put a checkpoint's content into a fresh state.

    Raises
    ------
    LedgerMismatchError
        If the checkpoint belongs to another architecture, another recipe or other data.
    TrainingDataError
        If it is missing, damaged or not a checkpoint.
    """
    arrays = read(path)
    _check_origin(arrays, path, run=run, architecture=architecture)
    put_weights(state.network, part(arrays, "network/"))
    if state.average is not None:
        put_weights(state.average, part(arrays, "average/"))
    slots: dict[int, dict[str, Tensor]] = {}
    for name, value in part(arrays, "optimiser/").items():
        index, key = name.split("/")
        slots.setdefault(int(index), {})[key] = torch.from_numpy(value)
    groups = state.optimiser.state_dict()["param_groups"]
    state.optimiser.load_state_dict({"state": slots, "param_groups": groups})
    state.step = int(arrays["step"])
    state.hard = HardPool(**part(arrays, "hard/"))
    state.best_score, state.best_step = float(arrays["best_score"]), int(arrays["best_step"])
    state.best = part(arrays, "best/")


def read(path: Path) -> Arrays:
    """Read all arrays of a checkpoint, without pickle.

    Raises
    ------
    TrainingDataError
        If it is missing, damaged or not a checkpoint.
    """
    try:
        # Opened here: numpy leaves the file open when the archive is damaged.
        with open_regular(path) as stream, np.load(stream, allow_pickle=False) as archive:
            arrays: Arrays = {name: archive[name] for name in archive.files}
    except FileNotFoundError:
        raise TrainingDataError("no checkpoint here", where=path, mend="start without --resume") from None
    except (OSError, ValueError, EOFError, KeyError, AttributeError, zipfile.BadZipFile) as error:
        raise TrainingDataError(
            f"not a whole checkpoint ({error})", where=path, mend="start again without --resume"
        ) from None
    if missing := sorted({"run", "architecture", "step", "best_score", "best_step"} - arrays.keys()):
        raise TrainingDataError(f"not a checkpoint of mitoscope: no {missing[0]!r}", where=path)
    return arrays


def part(arrays: Mapping[str, np.ndarray], prefix: str) -> Arrays:
    """Return the arrays whose names begin with a prefix, without it."""
    return {name.removeprefix(prefix): v for name, v in arrays.items() if name.startswith(prefix)}


def _arrays(state: State) -> Arrays:
    arrays: Arrays = {
        "step": np.array(state.step),
        "best_score": np.array(state.best_score),
        "best_step": np.array(state.best_step),
    }
    arrays |= {f"hard/{f.name}": getattr(state.hard, f.name) for f in fields(HardPool)}
    arrays |= {f"network/{n}": v for n, v in weights_of(state.network).items()}
    if state.average is not None:
        arrays |= {f"average/{n}": v for n, v in weights_of(state.average).items()}
    arrays |= {f"best/{n}": v for n, v in state.best.items()}
    for index, slot in state.optimiser.state_dict()["state"].items():
        known = {n: v for n, v in slot.items() if v is not None}
        arrays |= {f"optimiser/{index}/{n}": torch.as_tensor(v).cpu().numpy() for n, v in known.items()}
    return arrays


def _check_origin(arrays: Arrays, path: Path, *, run: str, architecture: str) -> None:
    refuse_changed(
        {"architecture": str(arrays["architecture"]), "recipe or other data": str(arrays["run"])},
        {"architecture": architecture, "recipe or other data": run},
        where=path,
        mend="use the recipe of that run, or start anew in another folder",
        causes=("architecture",),
    )
