"""Where a run computes: devices and processes, by Lightning Fabric."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import torch
from lightning_fabric import Fabric
from lightning_fabric.strategies.ddp import DDPStrategy

from mitoscope.data.target import Batch
from mitoscope.errors import ConfigError

if TYPE_CHECKING:
    from mitoscope.train.recipe import RunRecipe


def leads() -> bool:
    """Say whether this process is the first of a run, which speaks for all."""
    return os.environ.get("LOCAL_RANK", "0") == "0"


def launch(run: RunRecipe) -> Fabric:
    """Start the processes of a run, one a device, and return what joins them.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none, or more of them than there are.
    """
    check_devices(run)
    torch.set_num_threads(run.threads)
    strategy = DDPStrategy(find_unused_parameters=True) if run.devices > 1 else "auto"
    fabric = Fabric(accelerator=run.device, devices=run.devices, strategy=strategy)
    fabric.launch()
    return fabric


def check_devices(run: RunRecipe) -> None:
    """Refuse what this machine does not have.

    Raises
    ------
    ConfigError
        If a GPU is asked for and there is none, or more of them than there are.
    """
    if run.device == "cpu":
        return
    if not torch.cuda.is_available():
        raise ConfigError(
            "no GPU that torch can use",
            where="--device cuda",
            mend="take --device cpu, or see mitoscope doctor",
        )
    if (found := torch.cuda.device_count()) < run.devices:
        raise ConfigError(f"{run.devices} GPUs asked for, {found} found", where="run.devices")


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Return a batch on a device."""
    return Batch(
        rgb=batch.rgb.to(device),
        boxes=tuple(boxes.to(device) for boxes in batch.boxes),
        classes=tuple(classes.to(device) for classes in batch.classes),
        weights=tuple(weights.to(device) for weights in batch.weights),
        score=batch.score.to(device),
        cells=None if batch.cells is None else batch.cells.to(device),
    )
