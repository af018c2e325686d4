"""Small pictures with blobs for figures, and a data folder in the layout of the real one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch

from mitoscope.data.picture import Picture
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.slide.synthetic.truth import PaintedTruth
from tests.data.made import crop, empty_field, tissue, with_spot


@pytest.fixture
def pictures() -> tuple[Picture, ...]:
    """Return four crops, a field with one figure and one look-alike, and two empty fields."""
    rgb = with_spot(tissue(300, 320, seed=9), 100, 120)
    whole = Picture(
        "whole", "brecahad", "BreCaHAD/1", rgb, np.array([[100.0, 120.0]]), np.array([[220.0, 200.0]])
    )
    crops = [crop(f"c{i}", seed=i) for i in range(4)]
    return (*crops, whole, empty_field("f0", seed=20), empty_field("f1", seed=21))


@pytest.fixture(autouse=True)
def one_thread() -> Iterator[None]:
    """Let torch use one thread, as the drawing of batches does."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def labelled_fields() -> tuple[Picture, ...]:
    """Return five fields with two to six figures and one to five look-alikes, and an empty one."""
    random = np.random.default_rng(3)
    fields = []
    for index in range(5):
        figures = random.uniform(30, 330, (2 + index, 2))
        look_alikes = random.uniform(30, 330, (1 + index, 2))
        rgb = tissue(360, 400, seed=30 + index)
        for x, y in (*figures, *look_alikes):
            rgb = with_spot(rgb, x, y)
        fields.append(Picture(f"l{index}", "lab", f"case{index}", rgb, figures, look_alikes))
    return (*fields, Picture("none", "lab", "case9", tissue(360, 400, seed=50)))


@pytest.fixture(scope="session")
def painted_slides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[PaintedTruth]]:
    """Return a folder with two synthetic slides of 700 × 600 px, and their truth."""
    folder = tmp_path_factory.mktemp("slides")
    dense = {
        "tissue_fraction": 1.0,
        "tumour_fraction": 1.0,
        "mitoses_per_mm2": 250,
        "look_alikes_per_mm2": 250,
    }
    truths = [
        write_slide(
            folder / f"s{seed}.tiff", SyntheticSlideConfig.of(width=700, height=600, seed=seed, **dense)
        )
        for seed in range(2)
    ]
    return folder, truths
