"""Training recipes: strict, frozen, read from TOML; every number of a run stands in one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import Field, model_validator

from mitoscope.bundle import Border
from mitoscope.config import Config
from mitoscope.data.augment import AugmentConfig
from mitoscope.data.sampling import CrowdConfig, SamplingConfig
from mitoscope.data.sources import SourceConfig
from mitoscope.data.split import SplitConfig
from mitoscope.evaluate import PROTOCOLS
from mitoscope.models.config import DenseConfig, LiteFcnConfig, ModelConfig
from mitoscope.models.fcn import STRIDE_PX
from mitoscope.models.fcn_lite import COARSE_STRIDE_PX
from mitoscope.train.optimiser import OptimiserRecipe
from mitoscope.train.phases import Phase, Positive, Share, total_steps
from mitoscope.train.settings import read_settings, with_change

Count = Annotated[int, Field(ge=0)]
AtLeastOne = Annotated[int, Field(ge=1)]
RECIPE_NAME: Final = "recipe.toml"
"""File of a run's folder."""
Measure = Literal[
    "f1", "average-precision", "auc", "accuracy", "balanced-accuracy", "correlation", "rmse", "loss"
]
"""Validation scores by name; of rmse and loss the lowest is the best, of all others the highest."""
_OF_DETECTORS: Final = ("semi", "ccmct", "midogpp", "crowd")
_SCHEMES: Final[dict[str, tuple[str, ...]]] = {
    "classifier": ("crops", "candidates", "crowd (as_classes)"),
    "regressor": ("crowd",),
}
"""What gives windows the targets that a network learns from."""


class BundleRecipe(Config):
    """The bundle that a run becomes.

    Parameters
    ----------
    name, version, summary, licence : str
        See `ModelDescription`.
    mpp_min, mpp_max : float
        Finest and coarsest slide (µm/px) for which detection makes sense.
    weights : bool
        Add the weights by name, so that others can continue training from the bundle.
    """

    name: str = "unnamed"
    version: str = "0.1.0"
    summary: str = "Detector of mitotic figures"
    licence: str = "Apache-2.0"
    mpp_min: Positive = 0.1
    mpp_max: Positive = 0.6
    weights: bool = True


class DataRecipe(Config):
    """Where fields come from, which are held out, and how windows are drawn from the others."""

    source: SourceConfig
    split: SplitConfig
    sampling: SamplingConfig


class MiningRecipe(Config):
    """Rounds of hard-negative mining over all training fields (Akram et al. 2018).

    Parameters
    ----------
    at : tuple of float
        When, as shares of the run; none by default.
    floor : float
        Score above which a place is a hard negative.
    distance_px : float
        Nearer to a figure it is none.
    nms_radius_px : float
        Of two places that are nearer the lesser is left out; 0 keeps all.
    crops : int
        Crops that are searched in a round, drawn anew.
    """

    at: tuple[Share, ...] = ()
    floor: Share = 0.08
    distance_px: Positive = 30.0
    nms_radius_px: Annotated[float, Field(ge=0)] = 0.0
    crops: Count = 1500


class ValidationRecipe(Config):
    """How the held-out cases judge.

    Parameters
    ----------
    metric : str
        The score that chooses the best weights.
    protocol : str
        Matching rule for points.
    every : int
        Steps between two validations.
    patience : int
        Steps without a better score after which the run ends; 0 goes on.
    tiles : int
        Tiles of the held-out fields that are searched, always the same; 0 searches all.
    batches : int
        Batches that are drawn from the held-out cases, always the same, for the loss and for crops and
        tiles with one score.
    """

    metric: Measure = "f1"
    protocol: str = "tupac"
    every: AtLeastOne = 500
    patience: Count = 0
    tiles: Count = 0
    batches: AtLeastOne = 16

    @model_validator(mode="after")
    def _protocol_is_known(self) -> Self:
        if self.protocol not in PROTOCOLS:
            raise ValueError(f"protocol {self.protocol!r} is not one of {', '.join(PROTOCOLS)}")
        return self


class RunRecipe(Config):
    """Seed, repetitions and machine of a run.

    Parameters
    ----------
    seed : int
    repeats : int
        Runs with seeds seed, seed + 1, ...; their scores are averaged.
    folds : int
        Runs with another part of the cases held out each; 0 holds out as the split says.
    precision : {"32-true", "bf16-mixed"}
    device : {"cpu", "cuda"}
    devices : int
        Processes, one a device, each drawing batches of its own (DDP).
    threads : int
        Of the network, on the CPU.
    ahead : int
        Batches that are drawn ahead, each on a thread of its own.
    checkpoint_every : int
        Steps.
    tensorboard : bool
        Write event files for TensorBoard.
    """

    seed: Count = 2018
    repeats: AtLeastOne = 1
    folds: Count = 0
    precision: Literal["32-true", "bf16-mixed"] = "32-true"
    device: Literal["cpu", "cuda"] = "cpu"
    devices: AtLeastOne = 1
    threads: AtLeastOne = 1
    ahead: AtLeastOne = 1
    checkpoint_every: AtLeastOne = 500
    tensorboard: bool = True


class CalibrationRecipe(Config):
    """Where the operating point comes from.

    Parameters
    ----------
    dataset : {"validation", "training-and-validation", "midesec"}
        The held-out cases; these and those of training, as CCMCT and CMC did; or a set that only evaluates.
    tiles : int
        Tiles of it that are searched when the training ends; 0 searches all, as detection will.
    nms_radius_px : float
    score_floor : float
    """

    dataset: Literal["validation", "training-and-validation", "midesec"] = "validation"
    tiles: Count = 0
    nms_radius_px: Positive = 30.0
    score_floor: Share = 0.05


class Recipe(Config):
    """Everything that determines a training run except for the data.

    Parameters
    ----------
    start_from : str, optional
        Bundle or folder of a run whose weights it begins with.
    phases : tuple of Phase
        One after the other.
    """

    bundle: BundleRecipe = BundleRecipe()
    model: ModelConfig
    start_from: str | None = None
    data: DataRecipe
    augment: AugmentConfig = AugmentConfig()
    phases: Annotated[tuple[Phase, ...], Field(min_length=1)]
    optimiser: OptimiserRecipe = OptimiserRecipe()
    mining: MiningRecipe = MiningRecipe()
    validation: ValidationRecipe = ValidationRecipe()
    run: RunRecipe = RunRecipe()
    calibration: CalibrationRecipe = CalibrationRecipe()

    @model_validator(mode="after")
    def _scheme_fits_the_network(self) -> Self:
        sampling, model = self.data.sampling, self.model
        of_classes = isinstance(sampling, CrowdConfig) and sampling.as_classes
        kind = f"{sampling.kind} (as_classes)" if of_classes else sampling.kind
        if kind not in (known := _SCHEMES.get(model.architecture, _OF_DETECTORS)):
            raise ValueError(f"{model.architecture} learns from {' or '.join(known)}, not from {kind}")
        if isinstance(model, DenseConfig):
            lite = isinstance(model, LiteFcnConfig)
            stride_px = COARSE_STRIDE_PX * model.reduction if lite else STRIDE_PX
            if sampling.window_px % stride_px:
                raise ValueError(f"data.sampling.window_px is no multiple of {stride_px}")
        elif sampling.window_px != model.patch_px:
            raise ValueError(f"data.sampling.window_px is not model.patch_px ({model.patch_px})")
        return self

    @property
    def border(self) -> Border:
        """What lies beyond a picture: white, where training has shown white edges, else its mirror image."""
        return "white" if self.augment.slide_edge > 0 else "mirror"

    @property
    def steps(self) -> int:
        """Length of the run."""
        return total_steps(self.phases)

    @property
    def architecture(self) -> str:
        """Name of the network's architecture."""
        return str(self.model.architecture)


class DualRecipe(Config):
    """A detector, and a classifier of cells that gives its candidates their final score.

    Parameters
    ----------
    bundle : BundleRecipe
        The one bundle of both.
    detector, verifier : Recipe
        Trained one after the other.
    """

    bundle: BundleRecipe = BundleRecipe()
    detector: Recipe
    verifier: Recipe

    @property
    def parts(self) -> dict[str, Recipe]:
        """Both recipes by name, in the order in which they are trained."""
        return {"detector": self.detector, "verifier": self.verifier}


def read_recipe(path: Path, changes: Sequence[str] = ()) -> Recipe | DualRecipe:
    """Read a recipe, its bases resolved, with changes from the command line.

    Parameters
    ----------
    path : Path
        TOML file; with the tables ``detector`` and ``verifier`` it is a dual recipe.
    changes : sequence of str
        ``key=value`` each, the key dotted. In a dual recipe, a key that begins with none of its tables
        belongs to both parts.

    Raises
    ------
    ConfigError
        If the file is missing or not TOML, or a key or value does not fit.
    """
    values = read_settings(path)
    kind = DualRecipe if "detector" in values else Recipe
    for change in changes:
        shared = kind is DualRecipe and change.split(".")[0] not in DualRecipe.model_fields
        for prefix in ("detector.", "verifier.") if shared else ("",):
            values = with_change(values, prefix + change)
    return kind.parse(values, where=path)
