"""Promise 16: the tiling changes nothing, and the points are the right ones."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import ndimage

from mitoscope.bundle import Bundle, write_bundle
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.infer import DetectConfig, Engine, detect_slide, open_bundle_network
from mitoscope.infer.search import read_chunk, search_chunk
from mitoscope.infer.survey import make_survey
from mitoscope.search import read_windows
from mitoscope.slide import MemorySlide, Plane, open_slide
from mitoscope.tiles import TileGrid, merge
from mitoscope.tissue import find_tissue

_SOURCE = "tiny 1.0.0"


def _reference(rgb: NDArray[np.uint8], floor: float) -> Detections:
    """What the tiny detector finds on the mirrored whole, in numpy and SciPy, without tiles."""
    pad = 8
    dark = 255.0 - np.pad(rgb, ((pad, pad), (pad, pad), (0, 0)), mode="symmetric").astype(np.float64)
    line = np.array([1, 2, 3, 2, 1], dtype=np.float64)
    kernel = np.outer(line, line)
    sums = ndimage.correlate(dark.sum(axis=2), kernel, mode="constant")[::2, ::2]
    score_map = np.minimum(sums.astype(np.float32) / np.float32(kernel.sum() * 3 * 255), np.float32(1))
    peak = score_map == ndimage.maximum_filter(score_map, size=3, mode="constant")
    row, column = np.nonzero(peak)
    points = np.column_stack([column, row]) * 2 + 0.5 - pad
    score = np.round(score_map[peak].astype(np.float64), 6)
    height, width = rgb.shape[:2]
    keep = (score > floor) & (points >= 0).all(axis=1) & (points < (width, height)).all(axis=1)
    return Detections.of(points[keep], score[keep], source=_SOURCE)


def _detect(rgb: NDArray[np.uint8], bundle: Bundle, config: DetectConfig) -> Detections:
    slide = MemorySlide(rgb, mpp=Mpp.square(0.25))
    survey = make_survey(slide, bundle, config, tissue=find_tissue(slide))
    engine = Engine(open_bundle_network(bundle, threads=1), batch=config.batch)
    results = [
        search_chunk(survey, read_chunk(survey, chunk), engine, floor=bundle.manifest.score_floor)
        for chunk in survey.chunks
    ]
    assert sum(result.saturated_tiles for result in results) == 0
    parts = [Detections.of(result.points_px0, result.score, source=_SOURCE) for result in results]
    return merge(parts, radius_px0=bundle.manifest.nms_radius_um / 0.25)


@pytest.fixture(scope="module")
def expected(picture: NDArray[np.uint8], tiny: ModuleType) -> Detections:
    found = merge([_reference(picture, tiny.FLOOR)], radius_px0=1.5 / 0.25)
    assert len(found) > 40
    return found


configs = st.builds(
    DetectConfig,
    window_px=st.sampled_from([32, 34, 46, 64, 90, 128]),
    halo_px=st.integers(5, 9),
    chunk_px=st.sampled_from([1, 60, 150, 4096]),
    batch=st.integers(1, 7),
)


@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(configs)
def test_points_are_those_of_the_whole_for_any_tiling(
    picture: NDArray[np.uint8], tiny_bundle: Bundle, expected: Detections, config: DetectConfig
) -> None:
    assert _detect(picture, tiny_bundle, config) == expected


@pytest.mark.parametrize("threads", [1, 2, 9])
def test_a_run_gives_them_for_any_number_of_workers(
    field: Path, tiny_bundle: Bundle, expected: Detections, tmp_path: Path, threads: int
) -> None:
    config = DetectConfig(mpp=0.25, threads=threads, chunk_px=100, batch=3)
    run = detect_slide(field, tiny_bundle, tmp_path, config=config)
    assert run.detections == expected
    assert run.status == "complete"


@pytest.mark.parametrize("window_px", [96, 160, 400])
def test_nothing_is_lost_where_the_slots_of_a_window_do_not_suffice(
    picture: NDArray[np.uint8], tiny: ModuleType, tmp_path: Path, window_px: int
) -> None:
    """With the floor in the noise a window has several times more points than the network has slots."""
    bundle = write_bundle(
        tmp_path / "dense",
        description=tiny.tiny_description(score_floor=0.2),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    expected = merge([_reference(picture, 0.2)], radius_px0=6)
    windows = picture.shape[0] * picture.shape[1] / (window_px - 12) ** 2
    assert len(_reference(picture, 0.2)) / windows > tiny.TOP_K
    assert _detect(picture, bundle, DetectConfig(window_px=window_px)) == expected


def test_a_network_of_one_window_gives_them(
    field: Path, tiny: ModuleType, expected: Detections, tmp_path: Path
) -> None:
    bundle = write_bundle(
        tmp_path / "fixed",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx(window=tiny.WINDOW_PX)},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    assert not bundle.any_window
    assert detect_slide(field, bundle, tmp_path, config=DetectConfig(mpp=0.25)).detections == expected
    with pytest.raises(ConfigError, match="windows of 64 px alone"):
        detect_slide(field, bundle, tmp_path, config=DetectConfig(mpp=0.25, window_px=128))


@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.integers(0, 250), st.integers(0, 180), st.integers(20, 200), st.integers(20, 200))
def test_a_region_gives_its_part_of_the_whole(
    picture: NDArray[np.uint8], tiny_bundle: Bundle, tiny: ModuleType, x: int, y: int, width: int, height: int
) -> None:
    config = DetectConfig(roi=(x, y, width, height), window_px=48)
    whole = _reference(picture, tiny.FLOOR)
    points = whole.points_px0
    inside = ((points >= (x, y)) & (points < (x + width, y + height))).all(axis=1)
    assert _detect(picture, tiny_bundle, config) == merge([whole.take(np.asarray(inside))], radius_px0=6)


def _naive(rgb: NDArray[np.uint8], bundle: Bundle, *, side: int) -> Detections:
    """Tiles side by side without halo, ownership or mirror, as in published scripts."""
    network = open_bundle_network(bundle, threads=1)
    slide = MemorySlide(rgb, mpp=Mpp.square(0.25))
    parts = []
    for tile in TileGrid(BoxPx(0, 0, slide.info.size.width, slide.info.size.height), side, 0, 2, side):
        slots = network(slide.read(tile.window).rgb[None])[0].astype(np.float64)
        slots = slots[slots[:, 2] > bundle.manifest.score_floor]
        points = slots[:, :2] + (tile.window.x, tile.window.y)
        parts.append(Detections.of(points, np.round(slots[:, 2], 6), source=_SOURCE))
    return merge(parts, radius_px0=6)


def test_control_tiles_without_halo_change_the_points(
    picture: NDArray[np.uint8], tiny_bundle: Bundle, expected: Detections
) -> None:
    assert _naive(picture, tiny_bundle, side=48) != expected
    assert _naive(picture, tiny_bundle, side=48) != _naive(picture, tiny_bundle, side=64)


def test_another_resolution_changes_scale_and_not_the_tiling(
    picture: NDArray[np.uint8], tiny_bundle: Bundle
) -> None:
    """At 0.4 µm/px the slide is resampled to 0.25: windows still agree."""
    fine, coarse = (
        DetectConfig(window_px=window, chunk_px=chunk) for window, chunk in ((48, 50), (128, 999))
    )
    slides = MemorySlide(picture, mpp=Mpp.square(0.4))
    found = []
    for config in (fine, coarse):
        survey = make_survey(slides, tiny_bundle, config, tissue=find_tissue(slides))
        engine = Engine(open_bundle_network(tiny_bundle, threads=1), batch=4)
        results = [
            search_chunk(survey, read_chunk(survey, chunk), engine, floor=0.3) for chunk in survey.chunks
        ]
        parts = [Detections.of(result.points_px0, result.score) for result in results]
        found.append(merge(parts, radius_px0=1.5 / 0.4))
    assert found[0] == found[1]
    assert len(found[0]) > 20
    assert found[0].x_px0.max() <= picture.shape[1]


def test_what_does_not_decode_is_listed(damaged_slide: Path, picture: NDArray[np.uint8]) -> None:
    with open_slide(damaged_slide, mpp=0.25, probe=False) as slide:
        plane = Plane(slide, 0.25)
        block = read_windows(plane, [BoxPx(-8, -8, 416, 416)], mirror_px=8)
    assert block.damaged == (BoxPx(128, 64, 64, 64),)
    height, width = picture.shape[:2]
    seen = block.windows[0][8 : 8 + height, 8 : 8 + width]
    assert (seen[64:128, 128:192] == 255).all()
    rest = np.ones((height, width), dtype=np.bool_)
    rest[64:128, 128:192] = False
    np.testing.assert_array_equal(seen[rest], picture[rest])
    assert not block.valid[64:128, 128:192].any()
