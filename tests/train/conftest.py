"""A data folder in the layout of the real one, with painted pictures, and a recipe of a few steps."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.data.sources import read_fields
from mitoscope.train.job import Job, setup
from mitoscope.train.recipe import Recipe
from mitoscope.train.repeats import Member


def _tissue(side: int, seed: int) -> NDArray[np.uint8]:
    random = np.random.default_rng(seed)
    base = np.array([215, 160, 200]) + random.normal(0, 12, (side, side, 1))
    return np.clip(base + random.normal(0, 4, (side, side, 3)), 0, 255).astype(np.uint8)


def _write(path: Path, rgb: NDArray[np.uint8], spots: list[tuple[float, float]]) -> None:
    rows, columns = np.mgrid[: rgb.shape[0], : rgb.shape[1]]
    for x, y in spots:
        rgb[np.hypot(columns + 0.5 - x, rows + 0.5 - y) < 9] = (60, 30, 90)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(rgb).save(path, lossless=True)


def _table(path: Path, columns: str, rows: list[tuple[object, ...]]) -> None:
    with path.open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerows([columns.split(","), *rows])


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with 6 crops, 2 BreCaHAD fields and 3 negative fields."""
    data = tmp_path_factory.mktemp("data")
    crops = data / "mitosis_crops"
    for i in range(6):
        _write(crops / "midog21" / f"{i}.webp", _tissue(128, i), [(64, 64)])
    _table(
        crops / "crops.csv",
        "file,source,slide,x,y,atypical",
        [(f"midog21/{i}.webp", "MIDOG21", f"{i:03}.tiff", 500, 500, 0) for i in range(6)],
    )
    labels: list[tuple[object, ...]] = []
    for i, case in enumerate(("Case_10", "Case_13")):
        _write(data / "brecahad" / "images" / f"{i}.webp", _tissue(192, 20 + i), [(60, 80)])
        labels += [(f"{i}.webp", case, "Mitosis", 60, 80, 20, 20)]
        labels += [(f"{i}.webp", case, "Apoptosis", 140, 120, 20, 20)]
    _table(data / "brecahad" / "labels.csv", "image,case,label,x,y,w,h", labels)
    for i in range(3):
        _write(data / "negative_fields" / f"{i}.webp", _tissue(192, 40 + i), [])
    _table(
        data / "negative_fields" / "fields.csv",
        "file,source,organ,species,mpp,licence,attribution,origin",
        [(f"{i}.webp", "noise", "none", "none", 0.25, "CC0-1.0", "nobody", "") for i in range(3)],
    )
    annotations = {
        "images": [{"id": i, "file_name": f"{i:03}.tiff"} for i in range(6)],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}],
        "annotations": [{"image_id": i, "category_id": 1, "bbox": [475, 475, 525, 525]} for i in range(6)],
    }
    (data / "annotations").mkdir()
    (data / "annotations" / "MIDOG++.json").write_text(json.dumps(annotations))
    return data


def _recipe(seed: int) -> Recipe:
    values: dict[str, object] = {
        "bundle": {"name": "tiny"},
        "model": {"architecture": "fcn-resnet12", "widths": (16, 16, 16), "dropout": 0.1},
        "data": {
            "source": {"kind": "open-data"},
            "split": {"held_out": ("BreCaHAD/Case_10",), "every_nth": 6},
            "sampling": {"kind": "semi", "window_px": 64, "foreground": 3, "bg_hard": 1, "bg_random": 2},
        },
        "phases": [{"steps": 6, "learning_rate": 0.01, "warm_up": 0.05}],
        "optimiser": {"average": 0.998, "clip": 5.0},
        "mining": {"at": (0.5,), "floor": 0.0, "crops": 2},
        "validation": {"every": 3},
        "run": {"checkpoint_every": 2, "seed": seed, "tensorboard": False},
        "calibration": {"score_floor": 0.0},
    }
    return Recipe.parse(values, where="test")


@pytest.fixture
def recipe() -> Recipe:
    """Return a recipe of six steps of a tiny network in float32."""
    return _recipe(2018)


@pytest.fixture
def other_recipe() -> Recipe:
    """Return the same with another seed."""
    return _recipe(3)


@pytest.fixture
def job(recipe: Recipe, tiny_data: Path, tmp_path: Path) -> Job:
    """Return the job of that recipe on the tiny data."""
    return job_of(recipe, tiny_data, tmp_path)


def job_of(recipe: Recipe, data: Path, out: Path) -> Job:
    """Return the job of a recipe."""
    fields = read_fields(recipe.data.source, data, mpp=recipe.model.mpp)
    return setup(recipe, fields, data, out=out, member=Member("", recipe.run.seed, None))
