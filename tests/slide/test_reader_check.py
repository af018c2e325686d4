from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.slide import JpegTileReader, OpenSlideReader, open_slide, opening
from mitoscope.slide import jpeg_tile_reader as module
from mitoscope.slide.jpeg_stream import decode_tile
from mitoscope.slide.reader_check import find_disagreement
from mitoscope.slide.tile_cache import TileCache

from .jpeg_tiff import write_tiff


def check(path: Path) -> str | None:
    with OpenSlideReader(path) as reference:
        return find_disagreement(JpegTileReader(reference, cache=TileCache()), reference)


def decode_otherwise(monkeypatch: pytest.MonkeyPatch, change: Callable[[np.ndarray], np.ndarray]) -> None:
    decode = decode_tile
    monkeypatch.setattr(module, "decode_tile", lambda *rest, **more: change(decode(*rest, **more)))


def test_a_good_slide(pyramid: Any) -> None:
    assert check(pyramid.path) is None


@pytest.mark.parametrize(("off", "agrees"), [(1, True), (2, True), (3, False), (90, False)])
def test_two_grey_levels_are_allowed(
    pyramid: Any, monkeypatch: pytest.MonkeyPatch, off: int, agrees: bool
) -> None:
    def darker(rgb: np.ndarray) -> np.ndarray:
        rgb = rgb.copy()
        rgb[20, 30, 1] -= off  # one sample of each tile
        return rgb

    decode_otherwise(monkeypatch, darker)
    wrong = check(pyramid.path)
    assert wrong is None if agrees else wrong == f"decodes tile 0 of level 0 {off} grey levels apart"


@pytest.mark.parametrize(
    "change",
    [
        lambda rgb: rgb[..., ::-1].copy(),
        lambda rgb: np.roll(rgb, 1, axis=0),
        lambda rgb: rgb.transpose(1, 0, 2).copy(),
    ],
    ids=["colours swapped", "a row too low", "rows for columns"],
)
def test_control_a_decoder_that_errs_is_found(
    pyramid: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[np.ndarray], np.ndarray]
) -> None:
    decode_otherwise(monkeypatch, change)
    assert "grey levels apart" in (check(pyramid.path) or "")


def test_a_damaged_tile_proves_nothing(broken: Path) -> None:
    assert check(broken) is None


def test_a_decoder_that_can_do_nothing_is_found(pyramid: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_: np.ndarray) -> np.ndarray:
        raise ValueError("odd")

    decode_otherwise(monkeypatch, fail)
    assert check(pyramid.path) == "decodes none of 5 tiles of level 0"


def test_levels_that_openslide_shifts_by_fractions(
    tmp_path: Path, make_tissue: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """1000 / 334 px: OpenSlide interpolates by up to a sixth of a pixel; the check knows by how much."""
    rgb = np.random.default_rng(0).integers(0, 256, (1000, 1000, 3), np.uint8)  # no neighbours alike
    made = write_tiff(tmp_path / "uneven.tiff", rgb, reductions=(1, 3))
    assert check(made.path) is None
    with OpenSlideReader(made.path) as reference:
        fast = JpegTileReader(reference, cache=TileCache())
        table = fast.table(1)
        last = table.across * table.down - 1
        box = table.box(last - table.across - 1)
        ours, theirs = fast.tile(1, last - table.across - 1), reference.read(box, level=1)
        assert ours is not None
        assert np.abs(ours.astype(int) - theirs.rgb).max() > 2  # control: the bare comparison would refuse
    decode_otherwise(monkeypatch, lambda tile: np.roll(tile, 1, axis=1))
    assert "grey levels apart" in (check(made.path) or "")


def test_a_slide_is_compared_once_until_its_file_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compared = []

    def find_and_note(fast: JpegTileReader, reference: OpenSlideReader) -> str | None:
        compared.append(reference.info.name)
        return find_disagreement(fast, reference)

    monkeypatch.setattr(opening, "find_disagreement", find_and_note)
    path = tmp_path / "a.tiff"
    write_tiff(path, np.random.default_rng(0).integers(0, 255, (300, 400, 3), dtype=np.uint8))
    for _ in range(3):
        with open_slide(path, mpp=0.25, probe=False) as slide:
            assert slide.info.reader.startswith("simplejpeg")
    assert len(compared) == 1
    os.utime(path, ns=(1, 1))
    open_slide(path, mpp=0.25, probe=False).close()
    assert len(compared) == 2
