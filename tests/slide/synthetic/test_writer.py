from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import openslide
import pytest
import simplejpeg
import tifffile

from mitoscope.errors import OutputError
from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic import (
    PaintedTruth,
    SyntheticSlideConfig,
    field_config,
    render_field,
    truth_paths,
    write_slide,
)
from mitoscope.slide.synthetic.painter import Painter

TINY = {"width": 700, "height": 500, "tile_px": 256, "tissue_fraction": 0.5}


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _region(
    slide: openslide.OpenSlide, box: BoxPx, level: int
) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    scale = slide.level_downsamples[level]
    origin = (round(box.x * scale), round(box.y * scale))
    return np.asarray(slide.read_region(origin, level, (box.width, box.height)).convert("RGB"))


def test_openslide_finds_levels_and_scale(written: tuple[Path, PaintedTruth]) -> None:
    with openslide.OpenSlide(written[0]) as slide:
        assert slide.properties["openslide.vendor"] == "generic-tiff"
        assert float(slide.properties["openslide.mpp-x"]) == 0.25
        assert float(slide.properties["openslide.mpp-y"]) == 0.25
        assert slide.level_dimensions == ((2200, 1700), (550, 425), (138, 107))
        assert slide.properties["openslide.level[0].tile-width"] == "256"
        assert "Synthetic" in slide.properties["tiff.ImageDescription"]


def test_every_tile_that_openslide_decodes_is_the_stored_jpeg(written: tuple[Path, PaintedTruth]) -> None:
    with tifffile.TiffFile(written[0]) as tiff, openslide.OpenSlide(written[0]) as slide:
        for level, page in enumerate(tiff.pages):
            assert isinstance(page, tifffile.TiffPage)
            assert page.compression == tifffile.COMPRESSION.JPEG
            assert page.photometric == tifffile.PHOTOMETRIC.YCBCR
            assert page.tags["YCbCrSubSampling"].value == (2, 2)
            across = -(-page.imagewidth // 256)
            for index in range(0, len(page.dataoffsets), 7 if level == 0 else 1):
                tiff.filehandle.seek(page.dataoffsets[index])
                stored = simplejpeg.decode_jpeg(tiff.filehandle.read(page.databytecounts[index]))
                x, y = index % across * 256, index // across * 256
                width, height = min(256, page.imagewidth - x), min(256, page.imagelength - y)
                if level == 0:
                    seen = _region(slide, BoxPx(x, y, width, height), level)
                    np.testing.assert_array_equal(seen, stored[:height, :width])


def test_pixels_are_those_of_the_painter(written: tuple[Path, PaintedTruth], painter: Painter) -> None:
    box = BoxPx(1280, 1024, 256, 256)
    with openslide.OpenSlide(written[0]) as slide:
        stored = _region(slide, box, 0).astype(int)
    difference = np.abs(stored - painter.paint(box).rgb)
    assert difference.mean() < 4
    assert np.quantile(difference, 0.99) < 24


def test_higher_levels_are_the_means_of_level_0(written: tuple[Path, PaintedTruth]) -> None:
    with openslide.OpenSlide(written[0]) as slide:
        whole = _region(slide, BoxPx(0, 0, 2200, 1700), 0).astype(float)
        for level, factor in ((1, 4), (2, 16)):
            height, width = 1700 // factor, 2200 // factor
            means = whole[: height * factor, : width * factor]
            means = means.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))
            size = slide.level_dimensions[level]
            seen = np.asarray(slide.read_region((0, 0), level, size).convert("RGB")).astype(float)
            difference = seen[:height, :width] - means
            # Both levels went through JPEG: single pixels differ, their mean does not.
            assert abs(difference.mean()) < 0.4
            assert np.abs(difference).mean() < 5
            assert np.corrcoef(seen[:height, :width].ravel(), means.ravel())[0, 1] > 0.98


def test_truth_files_lie_beside_the_slide_and_agree(written: tuple[Path, PaintedTruth]) -> None:
    path, truth = written
    table, summary = truth_paths(path)
    values = json.loads(summary.read_text())
    assert table.read_text() == truth.to_csv()
    assert values["image"] == path.name
    assert values["counts"]["mitotic figure"] == len(truth.points()) > 10
    assert values["counts"]["look-alike"] == len(truth.points("look-alike")) > 10
    assert truth.tissue_area_mm2 == pytest.approx(0.6 * 2200 * 1700 * 0.0625e-6, rel=0.12)
    assert 0 < truth.tumour_area_mm2 < truth.tissue_area_mm2


def test_truth_lies_on_tissue_of_the_file(written: tuple[Path, PaintedTruth]) -> None:
    path, truth = written
    with openslide.OpenSlide(path) as slide:
        for figure in truth.figures:
            assert figure.width_px0 / 2 < figure.x_px0 < 2200 - figure.width_px0 / 2
            assert figure.height_px0 / 2 < figure.y_px0 < 1700 - figure.height_px0 / 2
            box = BoxPx(round(figure.x_px0) - 32, round(figure.y_px0) - 32, 64, 64)
            grey = _region(slide, box, 0).mean(axis=2)
            assert (grey < 225).mean() > 0.7
            assert grey[16:48, 16:48].min() < 120


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path: Path) -> None:
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        (tmp_path / name).mkdir()
        write_slide(tmp_path / name / "slide.tiff", SyntheticSlideConfig.of(**TINY, seed=seed))
    hashes = {name: _sha256(tmp_path / name / "slide.tiff") for name in "abc"}
    tables = {name: _sha256(tmp_path / name / "slide.truth.json") for name in "abc"}
    assert hashes["a"] == hashes["b"] != hashes["c"]
    assert tables["a"] == tables["b"] != tables["c"]


def test_another_process_writes_the_same_bytes(tmp_path: Path) -> None:
    config = SyntheticSlideConfig.of(**TINY, seed=3)
    config.to_toml(tmp_path / "slide.toml")
    write_slide(tmp_path / "here.tiff", config)
    code = (
        "import sys; from pathlib import Path; from mitoscope.slide.synthetic import *\n"
        "write_slide(Path(sys.argv[2]), SyntheticSlideConfig.from_toml(Path(sys.argv[1])))"
    )
    there = tmp_path / "there.tiff"
    subprocess.run([sys.executable, "-c", code, tmp_path / "slide.toml", there], check=True, timeout=120)
    assert _sha256(tmp_path / "here.tiff") == _sha256(there)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (256, 256), (257, 256), (1025, 300)])
def test_small_and_odd_sizes(tmp_path: Path, width: int, height: int) -> None:
    write_slide(tmp_path / "a.tif", SyntheticSlideConfig.of(width=width, height=height, tile_px=256))
    with openslide.OpenSlide(tmp_path / "a.tif") as slide:
        assert slide.dimensions == (width, height)


def test_progress_counts_every_tile(tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []

    def note(done: int, total: int) -> None:
        seen.append((done, total))

    write_slide(tmp_path / "a.tiff", SyntheticSlideConfig.of(**TINY), progress=note)
    assert seen == [(done, 6) for done in range(1, 7)]


@pytest.mark.parametrize("stop", [KeyboardInterrupt, RuntimeError])
def test_a_stop_leaves_nothing_and_keeps_the_earlier_slide(tmp_path: Path, stop: type[BaseException]) -> None:
    path = tmp_path / "a.tiff"
    path.write_bytes(b"an earlier slide")

    def interrupt(done: int, total: int) -> None:
        if done == 4:
            raise stop

    with pytest.raises(stop):
        write_slide(path, SyntheticSlideConfig.of(**TINY), progress=interrupt)
    assert path.read_bytes() == b"an earlier slide"
    assert [entry.name for entry in tmp_path.iterdir()] == ["a.tiff"]


def test_a_name_that_is_no_tiff_and_a_folder_that_is_none_are_refused(tmp_path: Path) -> None:
    config = SyntheticSlideConfig.of(**TINY)
    with pytest.raises(OutputError, match=r"name it \.tif"):
        write_slide(tmp_path / "a.svs", config)
    with pytest.raises(OutputError, match="no such folder"):
        write_slide(tmp_path / "missing" / "a.tiff", config)
    (tmp_path / "taken.tiff").mkdir()
    with pytest.raises(OutputError, match=r"taken\.tiff"):
        write_slide(tmp_path / "taken.tiff", config)
    assert [entry.name for entry in tmp_path.iterdir()] == ["taken.tiff"]


FULL_DISK = """
import resource, sys
from pathlib import Path
from mitoscope.errors import OutputError
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
config = SyntheticSlideConfig.of(width=1500, height=1500, tissue_fraction=1.0, tile_px=256)
try:
    write_slide(Path(sys.argv[1]) / "a.tiff", config)
except OutputError as error:
    print(error)
"""


def test_a_full_disk_is_an_error_of_one_line_and_leaves_nothing(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, tmp_path], capture_output=True, text=True, timeout=120, check=True
    )
    assert "a.tiff: cannot be written (File too large)" in done.stdout
    assert done.stderr == ""
    assert list(tmp_path.iterdir()) == []


MEMORY = """
import sys
from pathlib import Path
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
side = int(sys.argv[2])
config = SyntheticSlideConfig.of(width=side, height=side, tissue_fraction=0.002, seed=1)
truth = write_slide(Path(sys.argv[1]), config)
peak = next(line for line in open("/proc/self/status") if line.startswith("VmHWM"))
print(int(peak.split()[1]) // 1024)
"""


def test_a_large_slide_is_written_in_bounded_memory(tmp_path: Path) -> None:
    """20,000 × 20,000 px are 1.2 GB of pixels; the rows of tiles in memory are 15 MB."""
    path = tmp_path / "large.tiff"
    done = subprocess.run(
        [sys.executable, "-c", MEMORY, path, "20000"], capture_output=True, text=True, timeout=120, check=True
    )
    assert int(done.stdout) < 500
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (20_000, 20_000)
        assert slide.level_count == 4
    truth = json.loads(truth_paths(path)[1].read_text())
    assert truth["tissue_area_mm2"] == pytest.approx(0.002 * 25, rel=0.5)


def test_a_slide_beyond_two_gigapixels_is_a_bigtiff(tmp_path: Path) -> None:
    path = tmp_path / "long.tiff"
    config = SyntheticSlideConfig.of(width=100_000, height=20_001, tissue_fraction=0, dust=False)
    write_slide(path, config)
    with tifffile.TiffFile(path) as tiff:
        assert tiff.is_bigtiff
    with openslide.OpenSlide(path) as slide:
        assert slide.dimensions == (100_000, 20_001)
        assert _region(slide, BoxPx(99_000, 20_000, 10, 1), 0).min() > 220


def test_a_field_is_tissue_with_figures_and_depends_on_its_seed() -> None:
    rgb, truth = render_field(field_config(640), seed=5)
    again, same = render_field(field_config(640), seed=5)
    other, _ = render_field(field_config(640), seed=6)
    assert rgb.shape == (640, 640, 3)
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, again)
    assert truth == same
    assert (rgb != other).mean() > 0.5
    assert len(truth.points()) >= 2
    assert truth.config.seed == 5
    assert truth.tissue_area_mm2 == 640**2 * 0.25**2 * 1e-6


def test_boxes_of_the_truth_hold_the_chromatin() -> None:
    """The box of a mitotic figure is dark; a frame of the same width round it is not."""
    rgb, truth = render_field(field_config(1024), seed=1)
    brightness = rgb.mean(axis=2)
    assert len(truth.points()) >= 4
    for figure in truth.figures:
        if figure.label != "mitotic figure":
            continue
        half_w, half_h = figure.width_px0 / 2, figure.height_px0 / 2
        rows = slice(int(figure.y_px0 - half_h), int(np.ceil(figure.y_px0 + half_h)))
        columns = slice(int(figure.x_px0 - half_w), int(np.ceil(figure.x_px0 + half_w)))
        box = brightness[rows, columns]
        around = brightness[rows.start - 6 : rows.stop + 6, columns.start - 6 : columns.stop + 6].copy()
        around[6:-6, 6:-6] = 255
        assert (box < 95).sum() > 40
        assert (around < 95).sum() <= 4


def test_an_empty_field_is_glass() -> None:
    rgb, truth = render_field(SyntheticSlideConfig.of(width=300, height=200, tissue_fraction=0, dust=False))
    assert rgb.mean() > 235
    assert truth.figures == ()
    assert truth.hot_spot is None
    assert truth.tissue_area_mm2 == 0


def test_a_field_of_one_pixel_can_be_painted() -> None:
    rgb, truth = render_field(SyntheticSlideConfig.of(width=1, height=1, tissue_fraction=1))
    assert rgb.shape == (1, 1, 3)
    assert truth.figures == ()
