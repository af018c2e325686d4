"""Training recipes: strict, frozen, read from TOML; every number of a run stands in one file."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mitoscope.config import Config
from mitoscope.data.batches import AugmentConfig
from mitoscope.models.fcn_resnet import STRIDE_PX

Share = Annotated[float, Field(ge=0, le=1)]
Positive = Annotated[float, Field(gt=0)]
Count = Annotated[int, Field(ge=0)]


class ModelRecipe(Config):
    """The network, and the name and version of the bundle it becomes."""

    name: str = "semi-fcn"
    version: str = "0.1.0"
    architecture: Literal["fcn-resnet12"] = "fcn-resnet12"
    widths: tuple[int, int, int] = (32, 64, 128)
    dropout: Share = 0.0


class SplitRecipe(Config):
    """What is held out for validation: cases by name, every n-th MIDOG slide, every n-th negative field."""

    held_out: tuple[str, ...] = ("BreCaHAD/Case_10",)
    every_nth_slide: Count = 9
    every_nth_field: Count = 9


class BatchRecipe(Config):
    """What a batch is made of, and what counts as a figure.

    Parameters
    ----------
    window_px : int
        Side of a window.
    foreground, bg_hard, bg_random : int
        Windows with a mitotic figure, at hard negatives, at random places.
    field_share, paste_share : float
        Of the foreground: from whole fields; of the crops: transplanted into another laboratory.
    figure_radius_px, ignore_radius_px : float
        Cells within the first radius of a figure are figure, beyond the second background.
    """

    window_px: Annotated[int, Field(ge=32, le=512, multiple_of=STRIDE_PX)] = 128
    foreground: Annotated[int, Field(ge=1)] = 28
    bg_hard: Count = 14
    bg_random: Count = 22
    field_share: Share = 0.16
    paste_share: Share = 0.3
    figure_radius_px: Positive = 9.0
    ignore_radius_px: Positive = 22.0


class OptimiserRecipe(Config):
    """AdamW, one warm-up and a cosine, focal loss, moving average of the weights.

    Parameters
    ----------
    steps : int
        Length of the run.
    learning_rate, weight_decay : float
        Peak of the schedule; decay of the kernels (not of norms and biases).
    warm_up : float
        Share of the run in which the learning rate rises.
    focal_gamma : float
        Exponent of the focal loss (Lin et al. 2017).
    figure_weight : float
        Weight of figures against background, 0.5 is even.
    average : float
        Decay of the moving average of the weights, a step.
    clip : float
        Largest norm of the gradient.
    """

    steps: Annotated[int, Field(ge=1)] = 5000
    learning_rate: Positive = 2e-3
    weight_decay: Annotated[float, Field(ge=0)] = 0.02
    warm_up: Share = 0.05
    focal_gamma: Annotated[float, Field(ge=0)] = 2.0
    figure_weight: Share = 0.5
    average: Annotated[float, Field(ge=0, lt=1)] = 0.998
    clip: Positive = 5.0


class MiningRecipe(Config):
    """Rounds of hard-negative mining over all training pictures.

    Parameters
    ----------
    at : tuple of float
        When, as shares of the run.
    floor : float
        Score above which a place is a hard negative.
    distance_px : float
        Nearer to a figure it is none.
    crops : int
        Crops that are searched in a round, drawn anew.
    """

    at: tuple[Share, ...] = (0.15, 0.35, 0.55, 0.75)
    floor: Share = 0.08
    distance_px: Positive = 30.0
    crops: Count = 1500


class RunRecipe(Config):
    """Seed, precision, threads of the network, and when to validate and to write a checkpoint (in steps)."""

    seed: Count = 2018
    precision: Literal["32-true", "bf16-mixed"] = "bf16-mixed"
    threads: Annotated[int, Field(ge=1)] = 1
    validate_every: Annotated[int, Field(ge=1)] = 500
    checkpoint_every: Annotated[int, Field(ge=1)] = 250
    patience: Count = 0


class CalibrationRecipe(Config):
    """Where the operating point comes from: the held-out cases, or a set that only evaluates."""

    dataset: Literal["validation", "midesec"] = "validation"
    nms_radius_px: Positive = 30.0
    score_floor: Share = 0.05


class Recipe(Config):
    """Everything that determines a training run except for the data."""

    model: ModelRecipe = ModelRecipe()
    split: SplitRecipe = SplitRecipe()
    batch: BatchRecipe = BatchRecipe()
    augment: AugmentConfig = AugmentConfig()
    optimiser: OptimiserRecipe = OptimiserRecipe()
    mining: MiningRecipe = MiningRecipe()
    run: RunRecipe = RunRecipe()
    calibration: CalibrationRecipe = CalibrationRecipe()

    @model_validator(mode="after")
    def _radii_are_ordered(self) -> Self:
        if self.batch.ignore_radius_px < self.batch.figure_radius_px:
            raise ValueError("batch.ignore_radius_px lies below batch.figure_radius_px")
        if self.augment.scale_min > self.augment.scale_max:
            raise ValueError("augment.scale_min lies above augment.scale_max")
        return self
