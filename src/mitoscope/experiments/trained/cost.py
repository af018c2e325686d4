"""What the networks of an experiment cost: on a CPU by measured steps, on a GPU by counted operations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from mitoscope.experiments.trained.declaration import Arm, Declaration

GPU: Final = "NVIDIA A100"
TFLOPS: Final = 20.0
"""Assumed of it, an eighth of its TF32 peak: what training may reach with a loader that keeps up."""
BASIS: Final = (
    f"floating-point operations of a step as torch counts them, at {TFLOPS:g} TFLOP/s of an {GPU}; "
    "an estimate, not timed there, without detection on the test slides"
)
CPU_BASIS: Final = (
    "processor time of a step on one thread of an AMD EPYC, measured by benchmarks/training_steps.py, times "
    "the steps; n threads take about an n-th of it, without detection on the test slides"
)
_BYTES_KEPT: Final = 28
"""For each weight on disk: checkpoint (weights, two moments, the best), weights and graph of the bundle."""
_BYTES_HELD: Final = 16
"""For each weight while training: weight, gradient, two moments."""


@dataclass(frozen=True, slots=True)
class _Network:
    """On windows of a side: operations, processor seconds and what is kept for a window; weights."""

    side_px: int
    gflop: float
    cpu_s: float
    kept_mb: float
    weights_m: float


_NETWORKS: Final[Mapping[str, _Network]] = {
    "retinanet-resnet18": _Network(512, 62.4, 0.820, 120.2, 12.3),
    "faster-rcnn-resnet50": _Network(256, 116.1, 2.236, 159.1, 41.4),
    "resnet50": _Network(250, 31.5, 0.551, 110.5, 23.5),
    "resnet18": _Network(128, 3.48, 0.053, 7.3, 11.2),
    "fcn-resnet12": _Network(128, 2.1, 0.027, 5.3, 1.0),
}


@dataclass(frozen=True, slots=True)
class Cost:
    """What all networks of an experiment cost at full size.

    Parameters
    ----------
    networks, steps : int
        Trained, each once however many rows or experiments share it.
    hours : float
        On one GPU, see `BASIS`.
    cpu_hours : float
        On one thread, see `CPU_BASIS`.
    disk_gb : float
        Of networks, without slides.
    memory_gb : float
        Of the GPU, of the largest network with its batch.
    """

    networks: int
    steps: int
    hours: float
    cpu_hours: float
    disk_gb: float
    memory_gb: float


def cost_of(declared: Declaration, recipes: Path, *, networks_an_arm: int) -> Cost:
    """Return what an experiment costs.

    Parameters
    ----------
    declared : Declaration
    recipes : Path
        Folder of the recipes.
    networks_an_arm : int
        Folds times repeats.

    Raises
    ------
    ConfigError
        If a recipe is missing.
    """
    from mitoscope.train.settings import read_settings, with_change

    trained: dict[str, Arm] = {}
    for arm in declared.arms:
        if arm.trained and not arm.missing:
            # Rows that differ in what they test share a network.
            own = arm.model_copy(update={"name": "", "tests": (), "threshold": "own", "thresholds": ()})
            trained.setdefault(own.fingerprint(), arm)
    count = steps = 0
    gflop = seconds = disk = memory = 0.0
    for arm in trained.values():
        values = read_settings(recipes / arm.recipe)
        for change in arm.changes:
            values = with_change(values, change)
        parts = [values[name] for name in ("detector", "verifier") if name in values] or [values]
        for part in parts:
            own_steps, one = sum(phase["steps"] for phase in part["phases"]), _part(part)
            count, steps = count + networks_an_arm, steps + networks_an_arm * own_steps
            gflop += networks_an_arm * own_steps * one.gflop
            seconds += networks_an_arm * own_steps * one.cpu_s
            disk += networks_an_arm * one.weights_m * 1e6 * _BYTES_KEPT / 1e9
            memory = max(memory, (one.kept_mb + one.weights_m * _BYTES_HELD) / 1e3)
    return Cost(count, steps, gflop / (TFLOPS * 1e3) / 3600, seconds / 3600, disk, memory)


def _part(recipe: Mapping[str, Any]) -> _Network:
    """Return what a batch of a recipe costs."""
    model, sampling = recipe["model"], recipe["data"]["sampling"]
    name = model["architecture"]
    if name in ("classifier", "regressor"):
        name = str(model["backbone"]).partition(".")[0]
    known = _NETWORKS[name]
    batch = sampling.get("batch") or sum(sampling[key] for key in ("foreground", "bg_hard", "bg_random"))
    windows = batch * (sampling["window_px"] / known.side_px) ** 2
    return _Network(
        sampling["window_px"],
        known.gflop * windows,
        known.cpu_s * windows,
        known.kept_mb * windows,
        known.weights_m,
    )
