"""What does not change during a training run: recipe, data, batches, devices."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
from lightning_fabric import Fabric

from mitoscope.data.batches import Batches, make_batches
from mitoscope.data.picture import Picture
from mitoscope.data.reading import read_brecahad, read_crops, read_negative_fields
from mitoscope.data.sampling import plan_batches
from mitoscope.data.split import Split, split_by_case
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.models.receptive_field import ReceptiveField, receptive_field
from mitoscope.train.recipe import Recipe


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One training run, as far as it is fixed.

    Parameters
    ----------
    recipe : Recipe
    data, out : Path
        Folders of the data and of the run.
    split : Split
    batches : Batches
    field : ReceptiveField
    fabric : Fabric
        Devices and precision.
    fingerprint : str
        Of the recipe and of the training pictures with their labels.
    """

    recipe: Recipe
    data: Path
    out: Path
    split: Split
    batches: Batches
    field: ReceptiveField
    fabric: Fabric
    fingerprint: str

    @property
    def bfloat16(self) -> bool:
        """Whether the network runs in bfloat16 where that is safe."""
        return self.recipe.run.precision == "bf16-mixed"


def read_pictures(data: Path) -> list[Picture]:
    """Read all permitted sources.

    Raises
    ------
    TrainingDataError
        If a file is missing or damaged.
    """
    return [*read_crops(data), *read_brecahad(data), *read_negative_fields(data)]


def setup(recipe: Recipe, pictures: list[Picture], data: Path, *, out: Path) -> Job:
    """Split the pictures and set up batches and devices.

    Raises
    ------
    TrainingDataError
        If a case is on both sides of the split, does not exist, or a class is missing.
    """
    torch.set_num_threads(recipe.run.threads)
    split = split_by_case(
        pictures,
        held_out=recipe.split.held_out,
        every_nth_slide=recipe.split.every_nth_slide,
        every_nth_field=recipe.split.every_nth_field,
    )
    field = receptive_field(FcnResnet12(recipe.model.widths))
    plan = plan_batches(
        split.training,
        n_foreground=recipe.batch.foreground,
        n_hard=recipe.batch.bg_hard,
        n_random=recipe.batch.bg_random,
        field_share=recipe.batch.field_share,
        paste_share=recipe.batch.paste_share,
    )
    batches = make_batches(
        split.training,
        plan,
        recipe.augment,
        window_px=recipe.batch.window_px,
        stride_px=field.stride_px,
        figure_radius_px=recipe.batch.figure_radius_px,
        ignore_radius_px=recipe.batch.ignore_radius_px,
        seed=recipe.run.seed,
    )
    fabric = Fabric(accelerator="cpu", devices=1, precision=recipe.run.precision)
    return Job(recipe, data, out, split, batches, field, fabric, _fingerprint(recipe, split))


def _fingerprint(recipe: Recipe, split: Split) -> str:
    digest = hashlib.sha256(recipe.fingerprint().encode())
    for picture in split.training:
        digest.update(f"\n{picture.source}/{picture.name} {picture.case}".encode())
        for array in (picture.rgb, picture.figures, picture.look_alikes):
            digest.update(array.tobytes())
    return digest.hexdigest()
