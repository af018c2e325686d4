"""What does not change during a training run: recipe, data, batches, devices, precision."""

from __future__ import annotations

import copy
import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

import numpy as np
import torch
from lightning_fabric import Fabric

from mitoscope.data.augment import AugmentConfig
from mitoscope.data.batches import Batches, make_batches
from mitoscope.data.field import Field
from mitoscope.data.sampling import anywhere
from mitoscope.data.sources import Provenance
from mitoscope.data.split import Split, split_by_case, split_by_fold
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx
from mitoscope.models.build import build
from mitoscope.models.config import DenseConfig, RetinaNetConfig
from mitoscope.models.family import Family
from mitoscope.train.device import launch
from mitoscope.train.optimiser import make_optimiser
from mitoscope.train.recipe import Recipe
from mitoscope.train.repeats import Member
from mitoscope.train.state import State
from mitoscope.train.transfer import Origin, begin_with, read_origin

_VALIDATION_SEED: Final = 20_000


@dataclass(frozen=True, eq=False)
class Job:
    """One training run, as far as it is fixed.

    Parameters
    ----------
    recipe : Recipe
    data, out : Path
        Folders of the data and of the run.
    split : Split
    batches : Batches
    fabric : Fabric
        Devices.
    origin : Origin, optional
        Weights that the run begins with.
    fingerprint : str
        Of the recipe, of the fields with their labels and of the weights to begin with.
    further : tuple of Provenance
        Sources of the fields besides the one that the recipe names.
    sources : tuple of Provenance, optional
        Instead of the one that the recipe names.
    """

    recipe: Recipe
    data: Path
    out: Path
    split: Split
    batches: Batches
    fabric: Fabric
    origin: Origin | None
    fingerprint: str
    further: tuple[Provenance, ...] = ()
    sources: tuple[Provenance, ...] | None = None

    @property
    def leads(self) -> bool:
        """Whether this process speaks and writes for all."""
        return bool(self.fabric.global_rank == 0)

    def autocast(self) -> AbstractContextManager[object]:
        """Return what a network runs in: bfloat16 where that is safe, if the recipe says so.

        Notes
        -----
        Fabric is told nothing of the precision: on one device it does not reach the methods of a module other
        than ``forward``, and on several it converts the batch as well, boxes included.
        """
        mixed = self.recipe.run.precision == "bf16-mixed"
        return torch.autocast(self.fabric.device.type, torch.bfloat16, enabled=mixed)

    @property
    def mining_steps(self) -> frozenset[int]:
        """Steps before which hard negatives are mined."""
        return frozenset(int(share * self.recipe.steps) for share in self.recipe.mining.at) - {0}

    @cached_property
    def held_out(self) -> Batches:
        """Batches of the held-out cases, without augmentation."""
        return _batches(
            self.split.validation,
            self.recipe,
            AugmentConfig.nothing(self.recipe.augment.normalise),
            stride_px=self.batches.target.stride_px,
            seed=_VALIDATION_SEED,
        )


def setup(
    recipe: Recipe,
    fields: Sequence[Field],
    data: Path,
    *,
    out: Path,
    member: Member,
    further: tuple[Provenance, ...] = (),
    sources: tuple[Provenance, ...] | None = None,
) -> Job:
    """Split the fields and set up batches and devices.

    Parameters
    ----------
    recipe : Recipe
    fields : sequence of Field
    data, out : Path
    member : Member
        Which of several runs of the recipe this is.
    further : tuple of Provenance
        Sources of the fields besides the one that the recipe names.
    sources : tuple of Provenance, optional
        Instead of the one that the recipe names.

    Raises
    ------
    TrainingDataError
        If a case is on both sides of the split, does not exist, or a class is missing.
    ConfigError
        If the machine lacks a device that the recipe asks for.
    """
    _check_calibration(recipe, data)
    recipe = recipe.model_copy(update={"run": recipe.run.model_copy(update={"seed": member.seed})})
    if member.fold is None:
        split = split_by_case(fields, recipe.data.split)
    else:
        split = split_by_fold(fields, fold=member.fold, folds=recipe.run.folds, seed=recipe.run.seed)
    recipe = with_statistics(recipe, split.training)
    fabric = launch(recipe.run)
    layout = build(recipe.model, seed=recipe.run.seed).layout()
    origin = None if recipe.start_from is None else read_origin(recipe.start_from)
    batches = _batches(
        split.training, recipe, recipe.augment, stride_px=layout.training_cell_px, seed=recipe.run.seed
    )
    return Job(
        recipe,
        data,
        out,
        split,
        batches,
        fabric,
        origin,
        _fingerprint(recipe, split, origin),
        further,
        sources,
    )


def _check_calibration(recipe: Recipe, data: Path) -> None:
    """Refuse, before the first step, a threshold that is to be chosen on a set that is not there."""
    if recipe.calibration.dataset == "midesec" and not (data / "midesec" / "labels.csv").is_file():
        raise TrainingDataError(
            "the recipe chooses its threshold on MiDeSeC, which is not there",
            where=data / "midesec",
            mend="choose it on the held-out cases: --set calibration.dataset=validation",
        )


_PARTS: Final = 32
_PART_PX: Final = 128


def with_statistics(recipe: Recipe, fields: Sequence[Field]) -> Recipe:
    """Return the recipe with mean and deviation of the tissue it learns from, if its model asks for them.

    Parameters
    ----------
    recipe : Recipe
    fields : sequence of Field
        All alike, however large: of each 32 parts of 128 px with tissue in their middle.
    """
    model = recipe.model
    if not isinstance(model, RetinaNetConfig) or model.normalise != "training":
        return recipe
    sums = np.zeros((2, 3))
    for index, field in enumerate(fields):
        random = np.random.default_rng((_VALIDATION_SEED, index))
        for _ in range(_PARTS):
            place = anywhere([field], random)
            corner = int(place.x) - _PART_PX // 2, int(place.y) - _PART_PX // 2
            part = field.window(BoxPx(*corner, _PART_PX, _PART_PX)).reshape(-1, 3).astype(np.float64)
            sums += part.mean(0), (part**2).mean(0)
    mean, square = sums / (_PARTS * len(fields))
    levels = {"mean": tuple(mean.tolist()), "deviation": tuple(np.sqrt(square - mean**2).clip(1).tolist())}
    return recipe.model_copy(update={"model": model.model_copy(update=levels)})


def new_state(job: Job) -> State:
    """Return the state at step 0, a function of the seed and of the weights to begin with."""
    recipe = job.recipe
    network = build(recipe.model, seed=recipe.run.seed)
    if job.origin is not None:
        begin_with(network, job.origin, architecture=recipe.architecture)
    network.to(job.fabric.device)
    # Faster in bfloat16 on the CPU, measured 1.2 times.
    network.to(memory_format=torch.channels_last)
    average: Family | None = copy.deepcopy(network).eval() if recipe.optimiser.average else None
    return State(network, average, make_optimiser(network, recipe.optimiser))


def _batches(
    fields: tuple[Field, ...], recipe: Recipe, augment: AugmentConfig, *, stride_px: int, seed: int
) -> Batches:
    return make_batches(
        fields,
        recipe.data.sampling,
        augment,
        labels=recipe.model.labels,
        mpp=recipe.model.mpp,
        stride_px=stride_px,
        seed=seed,
        dense=isinstance(recipe.model, DenseConfig),
        border=recipe.border,
    )


def _fingerprint(recipe: Recipe, split: Split, origin: Origin | None) -> str:
    digest = hashlib.sha256(recipe.fingerprint().encode())
    for side in (split.training, split.validation):
        for field in side:
            digest.update(f"\n{field.digest()}".encode())
    digest.update(b"" if origin is None else origin.sha256.encode())
    return digest.hexdigest()
