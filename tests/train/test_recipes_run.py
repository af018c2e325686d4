"""Every published recipe runs: a few steps of small windows on painted slides, to a bundle."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.bundle import verify_bundle
from mitoscope.data.sources import read_fields
from mitoscope.errors import TrainingDataError
from mitoscope.train import Recipe, train
from mitoscope.train.job import setup
from mitoscope.train.recipe import read_recipe
from mitoscope.train.repeats import Member
from mitoscope.train.run import main
from mitoscope.train.settings import read_settings

pytestmark = pytest.mark.train

RECIPES = Path(__file__).parents[2] / "recipes"
SOURCE = 'data.source={kind="annotated-slides", labels="labels.csv", slides="slides", slide_mpp=0.25}'
COLOURS = {
    "mitotic figure": (50, 20, 90),
    "look-alike": (120, 40, 60),
    "tumour cell": (140, 110, 180),
    "granulocyte": (200, 60, 60),
    "atypical mitotic figure": (20, 60, 90),
}
BATCH = "data.sampling.batch=2"
SMALL = {
    "fcn-resnet12": (
        "model.widths=[16, 16, 16]",
        "data.sampling.foreground=2",
        "data.sampling.bg_hard=1",
        "data.sampling.bg_random=1",
        "data.split.held_out=[]",
        "mining.crops=2",
        "calibration.dataset=validation",
    ),
    "fcn-lite0": (
        "model.head=16",
        "data.sampling.window_px=96",
        "data.sampling.foreground=2",
        "data.sampling.bg_hard=1",
        "data.sampling.bg_random=1",
        "data.split.held_out=[]",
        "mining.crops=2",
    ),
    "retinanet-resnet18": ("model.channels=16", "model.patch_px=96", "data.sampling.window_px=96", BATCH),
    "faster-rcnn-resnet50": (
        "model.patch_px=128",
        "model.regions=16",
        "data.sampling.window_px=128",
        BATCH,
    ),
    "classifier": ("model.backbone=resnet18", "model.patch_px=64", "data.sampling.window_px=64", BATCH),
    "regressor": (
        "model.backbone=resnet18",
        "model.patch_px=64",
        "data.sampling.window_px=64",
        BATCH,
        "validation.metric=loss",  # four windows may all be alike, which leaves a correlation undefined
    ),
}
SECOND_LOOK = (
    "model.input_px=64",
    "model.patch_px=48",
    "data.sampling.window_px=48",
    "data.sampling.figures=2",
    "data.sampling.others=2",
    "data.split.held_out=[]",
)
"""Of a classifier that learns from candidates."""
NOT_EXPORTED = {"crowd-det", "crowd-det-ns", "crowd-det-wl"}
"""What is exported of them is that of crowd-det-ns-wl; they differ in what is drawn and how it is weighed."""
SHORT = (
    "data.split.halves=false",
    "data.split.every_nth=2",
    "validation.every=2",
    "validation.tiles=2",
    "calibration.tiles=2",
    "validation.batches=1",
    "run.checkpoint_every=2",
    "run.tensorboard=false",
)


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with four slides of 320 px and cells of five classes on each."""
    data = tmp_path_factory.mktemp("painted")
    (data / "slides").mkdir()
    rows, random = ["image,x,y,label"], np.random.default_rng(0)
    y, x = np.mgrid[:320, :320]
    for slide in range(4):
        rgb = np.clip(random.normal((215, 160, 200), 8, (320, 320, 3)), 0, 255).astype(np.uint8)
        for place, (label, colour) in enumerate(COLOURS.items()):
            cx, cy = 60 + 50 * place, 60 + 60 * slide
            rgb[np.hypot(x - cx, y - cy) < 12] = colour
            rows.append(f"{slide}.png,{cx},{cy},{label}")
        Image.fromarray(rgb).save(data / "slides" / f"{slide}.png")
    (data / "labels.csv").write_text("\n".join(rows) + "\n")
    return data


def changes(path: Path) -> list[str]:
    values = read_settings(path)
    dual = "detector" in values
    found: list[str] = []
    for part in ("detector", "verifier") if dual else ("",):
        recipe = values[part] if dual else values
        scheme, architecture = recipe["data"]["sampling"]["kind"], recipe["model"]["architecture"]
        small = SECOND_LOOK if scheme == "candidates" else SMALL[architecture]
        if path.stem == "atypical-lite0":
            small = (
                *small,
                "validation.metric=loss",
            )  # a curve needs both kinds held out
        if "weights" in recipe["model"]:  # they fit the network that the recipe names, and no other
            small = tuple(one for one in small if not one.startswith("model.backbone="))
        own = (SOURCE, *SHORT, *small)
        phases = [f"phases.{i}.steps=2" for i in range(len(recipe["phases"]))]
        cycles = [f"phases.{i}.cycles=1" for i in range(len(recipe["phases"]))]
        found += [f"{part}.{one}" if part else one for one in (*own, *phases, *cycles)]
        if not dual and "run" in recipe:
            found.append("run.folds=0")
    return found


@pytest.mark.parametrize(
    "path",
    sorted(RECIPES.glob("*.toml")),
    ids=lambda path: path.stem,
)
def test_a_recipe_runs(path: Path, painted: Path, tmp_path: Path) -> None:
    if path.stem in NOT_EXPORTED:
        recipe = read_recipe(path, changes(path))
        assert isinstance(recipe, Recipe)
        fields = read_fields(recipe.data.source, painted, mpp=recipe.model.mpp)
        job = setup(recipe, fields, painted, out=tmp_path / "run", member=Member("", recipe.run.seed, None))
        assert main(job, resume=False).step == recipe.steps
        return
    try:
        bundle = train(path, painted, tmp_path / "run", changes=changes(path))
    except TrainingDataError as error:  # so short a run may find nothing yet; its weights are kept
        assert "train longer" in str(error)  # noqa: PT017 - not the whole of the test
    else:
        assert verify_bundle(bundle) >= 1
    assert list((tmp_path / "run").rglob("metrics.csv"))
    assert list((tmp_path / "run").rglob("checkpoint.npz"))
