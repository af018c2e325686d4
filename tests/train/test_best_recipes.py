"""The recipes for those who have the pixels: from a raw data set to a detector that is judged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import load_bundle
from mitoscope.cli.app import app

pytestmark = pytest.mark.train

RECIPES = Path(__file__).parents[2] / "recipes"
SIDE = 320
COLOURS = {1: (50, 20, 90), 2: (150, 40, 60)}
SMALL = (
    "detector.phases.0.steps=24",
    "detector.data.sampling.window_px=96",
    "detector.data.sampling.foreground=3",
    "detector.data.sampling.bg_hard=1",
    "detector.data.sampling.bg_random=2",
    "verifier.phases.0.steps=12",
    "verifier.data.sampling.figures=4",
    "verifier.data.sampling.others=4",
    "data.split.every_nth=4",
    "mining.at=[]",
    "validation.every=12",
    "validation.batches=1",
    "run.tensorboard=false",
)


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with images/ as those of MIDOG++, and what is true on them in both formats."""
    data = tmp_path_factory.mktemp("raw")
    (data / "images").mkdir()
    random = np.random.default_rng(0)
    y, x = np.mgrid[:SIDE, :SIDE]
    rows = ["image,x,y,label"]
    pictures: list[dict[str, Any]] = []
    cells: list[dict[str, Any]] = []
    for number in range(8):
        name = f"{number:03d}.tiff"
        rgb = random.normal((215, 160, 200), 8, (SIDE, SIDE, 3)).clip(0, 255).astype(np.uint8)
        for place, kind in enumerate((1, 2, 1, 2)):
            dx, dy = random.integers(-12, 13, 2).tolist()
            cx, cy = 90 + 140 * (place % 2) + dx, 90 + 140 * (place // 2) + dy
            rgb[np.hypot((x - cx) / 1.6, y - cy) < 9] = COLOURS[kind]
            cells.append({
                "id": len(cells), "image_id": number, "category_id": kind,
                "bbox": [cx - 25, cy - 25, cx + 25, cy + 25], "labels": [kind],
            })  # fmt: skip
            rows.append(f"{name},{cx},{cy},{'mitotic figure' if kind == 1 else 'hard negative'}")
        pictures.append(
            {"id": number, "file_name": name, "tumor_type": "tumour", "width": SIDE, "height": SIDE}
        )
        Image.fromarray(rgb).save(data / "images" / name)
    classes = [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}]
    (data / "MIDOG++.json").write_text(
        json.dumps(
            {"images": pictures, "annotations": cells, "categories": classes, "info": {}, "licenses": []}
        )
    )
    table = ["Slide;Dataset;Tumor;Scanner;Origin;Species", *(f"{n};train;tumour;A;B;Human" for n in range(8))]
    (data / "datasets_xvalidation.csv").write_text("\n".join(table) + "\n")
    (data / "images" / "labels.csv").write_text("\n".join(rows) + "\n")
    return data


def test_from_the_raw_layout_to_a_detector_that_is_judged(images: Path, tmp_path: Path) -> None:
    run, whole, small = tmp_path / "run", tmp_path / "whole", tmp_path / "small"
    scale = "data.source.slide_mpp=0.25"
    sets = [word for change in (*SMALL, scale) for word in ("--set", change)]
    _do("train", RECIPES / "best-midogpp.toml", "--data", images, "--out", run, *sets)
    assert load_bundle(run / "bundle").manifest.verifier is not None
    _do(
        "bundle", "join", run / "bundle", run / "verifier" / "bundle", "semi-fcn",
        "--floor", "0.1", "--crop", "96", "--blend", "1,0.5,1", "--flips", "--margin", "2.5", "--out", whole,
    )  # fmt: skip
    slides = sorted((images / "images").glob("*.tiff"))
    _do("bundle", "quantise", whole, *slides[:3], "--mpp", "0.25", "--out", small)
    found = tmp_path / "found"
    _do("detect", *slides[4:], "--model", small, "--mpp", "0.25", "--out", found, "--formats", "csv")
    told = _do(
        "evaluate", "--pred", found, "--truth", images / "images" / "labels.csv", "--mpp", "0.25", "--json"
    )
    print(told)
    assert json.loads(told)["tp"] > 0


def _do(*words: object) -> str:
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == 0, f"{words}: {done.output} {done.exception}"
    return done.stdout
