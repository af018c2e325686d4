from __future__ import annotations

import numpy as np
import pytest

from mitoscope.bundle import Bundle
from mitoscope.errors import ConfigError, RegionError, ScaleError
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.infer import DetectConfig
from mitoscope.infer.survey import Survey, make_survey, region_of
from mitoscope.slide import MemorySlide
from mitoscope.tissue import TissueMask


def _slide(mpp: float = 0.25) -> MemorySlide:
    return MemorySlide(np.zeros((400, 600, 3), dtype=np.uint8), mpp=Mpp.square(mpp))


def _tissue(*boxes: tuple[int, int, int, int], unread: tuple[BoxPx0, ...] = ()) -> TissueMask:
    mask = np.zeros((40, 60), dtype=np.bool_)
    for x, y, width, height in boxes:
        mask[y : y + height, x : x + width] = True
    return TissueMask(mask, (10.0, 10.0), Mpp.square(0.25), SizePx(600, 400), unread)


def _survey(bundle: Bundle, tissue: TissueMask, **config: object) -> Survey:
    return make_survey(_slide(), bundle, DetectConfig.model_validate(config), tissue=tissue)


def test_all_tissue_is_covered_once_and_the_rest_is_left_out(tiny_bundle: Bundle) -> None:
    tissue = _tissue((3, 3, 10, 10), (50, 30, 4, 4))
    survey = _survey(tiny_bundle, tissue, chunk_px=120)
    tiles = [tile for chunk in survey.chunks for tile in chunk.tiles]
    assert len({tile.index for tile in tiles}) == len(tiles) < len(survey.grid) / 2
    covered = np.zeros((400, 600), dtype=np.int64)
    for tile in tiles:
        covered[tile.core.y : tile.core.bottom, tile.core.x : tile.core.right] += 1
    assert covered.max() == 1
    assert covered[np.kron(tissue.mask, np.ones((10, 10), dtype=np.bool_))].all()
    assert sum(chunk.tissue_mm2 for chunk in survey.chunks) == pytest.approx(tissue.area_mm2)
    assert [chunk.index for chunk in survey.chunks] == list(range(len(survey.chunks)))


def test_a_region_hardly_larger_than_a_tile_is_one_tile(tiny_bundle: Bundle) -> None:
    tissue = _tissue((0, 0, 60, 40))
    tile = 52  # the window of 64 px without its halos
    assert len(_survey(tiny_bundle, tissue, roi=(11, 20, 60, 60)).grid) == 1
    assert len(_survey(tiny_bundle, tissue, roi=(11, 20, tile * 1.3, 60)).grid) == 4
    assert len(_survey(tiny_bundle, tissue, roi=(11, 20, 60, 60), window_px=64).grid) == 4


def test_no_tissue_no_chunks(tiny_bundle: Bundle) -> None:
    survey = _survey(tiny_bundle, _tissue())
    assert survey.chunks == ()
    assert survey.tissue_mm2 == 0


def test_where_tissue_could_not_be_judged_it_is_searched(tiny_bundle: Bundle) -> None:
    unread = BoxPx0(100.0, 100.0, 50.0, 50.0)
    survey = _survey(tiny_bundle, _tissue(unread=(unread,)))
    boxes = [survey.core_px0(tile.core) for chunk in survey.chunks for tile in chunk.tiles]
    covered = sum(
        part.width * part.height for box in boxes if box is not None and (part := box.intersection(unread))
    )
    assert covered == 2500
    assert survey.contains(np.array([[120.0, 120.0], [20.0, 20.0]])).tolist() == [True, False]


def test_points_beside_tissue_or_region_are_not_kept(tiny_bundle: Bundle) -> None:
    survey = _survey(tiny_bundle, _tissue((0, 0, 30, 40)), roi=(100, 50, 100, 100))
    points = np.array([[100.0, 50.0], [200.0, 60.0], [199.9, 149.9], [99.9, 60.0], [350.0, 60.0]])
    assert survey.contains(points).tolist() == [True, False, True, False, False]
    assert survey.tissue_mm2 == pytest.approx(100 * 100 * 0.0625e-6)


@pytest.mark.parametrize(
    "roi", [(-1, 0, 10, 10), (0, -5, 10, 10), (0, 0, 0, 10), (0, 0, 10, -1), (600, 0, 10, 10), (0, 4e9, 1, 1)]
)
def test_a_region_that_is_not_on_the_slide_is_refused(roi: tuple[float, float, float, float]) -> None:
    with pytest.raises(RegionError, match="600 × 400"):
        region_of(_slide().info, roi)


def test_a_region_is_cut_to_the_slide() -> None:
    assert region_of(_slide().info, (500, 300, 1e6, 1e6)) == BoxPx0(500, 300, 100, 100)


@pytest.mark.parametrize("mpp", [0.09, 0.51, 2.0])
def test_a_slide_too_fine_or_too_coarse_is_refused(tiny_bundle: Bundle, mpp: float) -> None:
    with pytest.raises(
        ScaleError, match=r"not in the range of the bundle tiny 1\.0\.0, 0\.1 to 0\.5; .*--mpp"
    ):
        make_survey(_slide(mpp), tiny_bundle, DetectConfig(), tissue=_tissue())


@pytest.mark.parametrize(
    "config", [{"halo_px": 4}, {"window_px": 63}, {"window_px": 12}, {"halo_px": 32}, {"window_px": 2}]
)
def test_windows_that_do_not_fit_the_bundle_are_refused(tiny_bundle: Bundle, config: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="take"):
        _survey(tiny_bundle, _tissue(), **config)


@pytest.mark.parametrize(
    "config", [{"threshold": 1.01}, {"threshold": -0.1}, {"batch": 0}, {"chunk_px": 9000}, {"rio": 1}]
)
def test_a_configuration_out_of_range_is_refused(config: dict[str, object]) -> None:
    with pytest.raises(ConfigError):
        DetectConfig.parse(config, where="command line")


def test_what_does_not_change_the_result_is_not_in_the_result_fields() -> None:
    one = DetectConfig(batch=1, threads=1, threshold=0.9, resume=False)
    assert one.result_fields() == DetectConfig().result_fields()
    assert DetectConfig(mpp=0.3).result_fields() != DetectConfig().result_fields()
