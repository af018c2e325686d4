"""Images that are unusual but sound, and slides without tissue, end in a stated result."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Run


def test_a_slide_of_glass_has_no_tissue_and_no_error(mitoscope: Run, tmp_path: Path) -> None:
    glass = np.random.default_rng(0).normal(243, 1.5, (900, 1100, 3)).clip(0, 255).astype(np.uint8)
    Image.fromarray(glass).save(tmp_path / "glass.png")
    done = mitoscope("detect", tmp_path / "glass.png", "--mpp", "0.25", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "0 mitotic figures in 0 mm² of tissue" in done.stdout
    manifest = json.loads((tmp_path / "out" / "glass.json").read_text(encoding="utf-8"))
    assert manifest["search"]["tissue_mm2"] == 0
    assert (tmp_path / "out" / "glass.csv").read_text(encoding="utf-8").splitlines() == ["x,y,score,label"]


@pytest.mark.parametrize("mode", ["RGBA", "P"])
def test_colour_modes_are_read_alike(mitoscope: Run, field: Path, tmp_path: Path, mode: str) -> None:
    path = tmp_path / "odd.png"
    with Image.open(field) as image:
        image.convert(mode).save(path)
    done = mitoscope("detect", path, "--mpp", "0.25", "--out", tmp_path / "out", "--formats", "csv")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "odd.json").read_text(encoding="utf-8"))
    assert manifest["search"]["tissue_mm2"] > 0.02


@pytest.mark.parametrize("mode", ["L", "CMYK"])
def test_what_is_not_rgb_is_refused_with_the_mend(
    mitoscope: Run, field: Path, tmp_path: Path, mode: str
) -> None:
    with Image.open(field) as image:
        image.convert(mode).save(tmp_path / "odd.tif")
    done = mitoscope("detect", tmp_path / "odd.tif", "--mpp", "0.25", "--out", tmp_path / "out")
    assert done.returncode == 2
    assert "odd.tif" in done.stderr
    assert ";" in done.stderr.splitlines()[-1]


def test_one_pixel_is_a_slide_without_tissue_or_refused(mitoscope: Run, tmp_path: Path) -> None:
    Image.fromarray(np.full((1, 1, 3), 250, np.uint8)).save(tmp_path / "one.png")
    done = mitoscope("detect", tmp_path / "one.png", "--mpp", "0.25", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert "0 mitotic figures" in done.stdout


def test_sixteen_bits_are_a_stated_result(mitoscope: Run, field: Path, tmp_path: Path) -> None:
    import tifffile

    with Image.open(field) as image:
        rgb = np.asarray(image.convert("RGB")).astype(np.uint16) * 257
    tifffile.imwrite(tmp_path / "deep.tif", rgb, photometric="rgb")
    done = mitoscope("detect", tmp_path / "deep.tif", "--mpp", "0.25", "--out", tmp_path / "out")
    if done.returncode:
        assert done.returncode == 2
        assert "deep.tif" in done.stderr
        assert "16" in done.stderr
    else:
        assert (tmp_path / "out" / "deep.json").exists()


def test_a_bad_slide_is_reported_and_the_rest_go_on(mitoscope: Run, field: Path, tmp_path: Path) -> None:
    bad = tmp_path / "bad.svs"
    bad.write_bytes(b"II*\x00" + bytes(60))
    done = mitoscope("detect", bad, field, "--mpp", "0.25", "--out", tmp_path / "out", "--formats", "csv")
    assert done.returncode == 1
    assert "bad.svs" in done.stderr
    assert (tmp_path / "out" / "field.csv").exists()
    assert not (tmp_path / "out" / "bad.csv").exists()


def test_an_image_of_another_resolution_is_resampled(mitoscope: Run, field: Path, tmp_path: Path) -> None:
    with Image.open(field) as image:
        image.resize((image.width // 2, image.height // 2), Image.Resampling.BOX).save(tmp_path / "half.png")
    done = mitoscope("detect", tmp_path / "half.png", "--mpp", "0.5", "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    manifest = json.loads((tmp_path / "out" / "half.json").read_text(encoding="utf-8"))
    assert manifest["slide"]["mpp"] == [0.5, 0.5]
    assert manifest["slide"]["mpp_source"] == "--mpp"
