"""Crops are what stands at their places, and gathering them goes on where it stopped."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from mitoscope.curation.board import Grid
from mitoscope.errors import FormatError, ScaleError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.loops import crops as module
from mitoscope.loops.crops import MPP, CropPlace, gather_crops
from mitoscope.slide import open_slide
from mitoscope.store import SlideRecord

from .making import SIDE, Posted, made_board

GRID = Grid(12, 12, SIDE)


class StoppedHereError(Exception):
    """A stop in the middle."""


@pytest.fixture
def slides(tmp_path: Path) -> dict[str, Path]:
    """Return two slides that are boards of 40 crops."""
    for name in ("a.tiff", "b.tiff"):
        made_board(tmp_path / name, GRID, 40)
    return {name: tmp_path / name for name in ("a.tiff", "b.tiff")}


def test_a_crop_is_centred_on_its_cell(slides: dict[str, Path], tmp_path: Path) -> None:
    layout, expected = made_board(tmp_path / "again.tiff", GRID, 40)
    centres = (layout.points + 0.5) * SIDE
    places = [CropPlace("ab"[n % 2] + ".tiff", *centre) for n, centre in enumerate(centres.tolist())]
    found = gather_crops(places, slides, tmp_path / "out", side_px=SIDE)
    inner = np.s_[:, 16:-16, 16:-16]  # where the frame does not reach through the blocks of JPEG
    assert np.abs(found[inner].astype(int) - expected[inner].astype(int)).max() < 12
    outside = gather_crops([CropPlace("a.tiff", -200, -200)], slides, tmp_path / "white", side_px=SIDE)
    assert outside.min() == 255


def test_a_stop_costs_only_the_slide_at_work(
    slides: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [CropPlace(name, 100, 100 + n) for n in range(3) for name in slides]
    opened: list[str] = []

    def open_and_note(path: Path, **options: Any) -> object:
        opened.append(path.name)
        return original(path, **options)

    original = open_slide
    monkeypatch.setattr(module, "open_slide", open_and_note)

    def stop(done: float, total: float) -> None:
        raise StoppedHereError

    with pytest.raises(StoppedHereError):
        gather_crops(places, slides, tmp_path / "out", side_px=SIDE, progress=stop)
    whole = np.array(gather_crops(places, slides, tmp_path / "out", side_px=SIDE))
    assert opened == ["a.tiff", "b.tiff"]
    assert np.array_equal(whole, gather_crops(places, slides, tmp_path / "anew", side_px=SIDE))
    # In parts that travel, come back in any order and are written by one process, it is the same.
    monkeypatch.setattr(module, "_PART", 2)
    seen: list[float] = []
    posted = gather_crops(
        places,
        slides,
        tmp_path / "posted",
        side_px=SIDE,
        executor=Posted(),
        progress=lambda n, _: seen.append(n),
    )
    assert np.array_equal(whole, posted)
    assert seen == [1, 3, 4, 6]
    # Other places are another job: nothing of the first is taken for it.
    gather_crops(places[:2], slides, tmp_path / "out", side_px=SIDE)
    assert opened[-2:] == ["a.tiff", "b.tiff"]


def test_a_slide_without_a_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match=r"no file of the slide 'x\.svs'"):
        gather_crops([CropPlace("x.svs", 1, 1)], {}, tmp_path)


def test_a_picture_without_a_resolution_is_cut_at_that_of_the_study(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 255, (128, 128, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "a.png")
    record = SlideRecord("a.png", SizePx(128, 128), Mpp.square(MPP))
    (crop,) = gather_crops(
        [CropPlace.on(record, 64, 64)], {"a.png": tmp_path / "a.png"}, tmp_path / "out", side_px=SIDE
    )
    half = SIDE // 2
    assert np.array_equal(crop, rgb[64 - half : 64 + half, 64 - half : 64 + half])
    unknown = SlideRecord("a.png", SizePx(128, 128))
    with pytest.raises(ScaleError, match="states no resolution"):
        gather_crops([CropPlace.on(unknown, 64, 64)], {"a.png": tmp_path / "a.png"}, tmp_path / "no")


def test_the_stated_resolution_replaces_that_of_the_file_where_it_is_to(
    slides: dict[str, Path], tmp_path: Path
) -> None:
    places = [CropPlace("a.tiff", 100, 100, 0.5)]
    as_filed = gather_crops(places, slides, tmp_path / "filed", side_px=SIDE)
    replaced = gather_crops(places, slides, tmp_path / "replaced", side_px=SIDE, mpp_override=True)
    assert np.array_equal(as_filed, gather_crops(places[:1], slides, tmp_path / "again", side_px=SIDE))
    assert not np.array_equal(as_filed, replaced)
