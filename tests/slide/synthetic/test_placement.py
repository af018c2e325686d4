from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mitoscope.geometry import Mpp
from mitoscope.slide.synthetic import SyntheticSlideConfig
from mitoscope.slide.synthetic.anatomy import Anatomy
from mitoscope.slide.synthetic.nuclei import PHASES
from mitoscope.slide.synthetic.placement import BORDER_UM, CLEARANCE_UM, FigurePlacement, place_figures


@pytest.fixture(scope="module")
def config() -> SyntheticSlideConfig:
    return SyntheticSlideConfig.of(
        width=14_000,
        height=10_000,
        seed=3,
        mitoses_per_mm2=20,
        hot_spot_mitoses_per_mm2=90,
        look_alikes_per_mm2=40,
    )


@pytest.fixture(scope="module")
def anatomy(config: SyntheticSlideConfig) -> Anatomy:
    return Anatomy(config)


@pytest.fixture(scope="module")
def placement(anatomy: Anatomy) -> FigurePlacement:
    return place_figures(anatomy)


def _places(placement: FigurePlacement) -> NDArray[np.float64]:
    return np.array([(f.x_px0, f.y_px0) for f in placement.figures], dtype=np.float64).reshape(-1, 2)


def test_all_figures_lie_whole_in_living_carcinoma(anatomy: Anatomy, placement: FigurePlacement) -> None:
    places, config = _places(placement), anatomy.config
    border = BORDER_UM / config.mpp
    assert len(places) > 80
    assert anatomy.viable_tumour(anatomy.at(places[:, 0], places[:, 1])).all()
    assert (places > border).all()
    assert (places < np.array([config.width, config.height]) - border).all()


def test_no_two_figures_touch(placement: FigurePlacement, config: SyntheticSlideConfig) -> None:
    distances = np.asarray(cKDTree(_places(placement)).query(_places(placement), k=2)[0])
    assert distances[:, 1].min() >= CLEARANCE_UM / config.mpp


def test_the_hot_spot_is_as_dense_as_configured(anatomy: Anatomy, placement: FigurePlacement) -> None:
    config, box = anatomy.config, placement.hot_spot
    assert box is not None
    assert box.area_mm2(Mpp.square(config.mpp)) == pytest.approx(2.1875, rel=0.03)  # a quarter of the slide
    places = np.array([(f.x_px0, f.y_px0) for f in placement.figures if f.name in PHASES], dtype=np.float64)
    inside = (
        (places[:, 0] >= box.x)
        & (places[:, 0] < box.right)
        & (places[:, 1] >= box.y)
        & (places[:, 1] < box.bottom)
    )
    y, x = np.mgrid[0 : config.height : 20, 0 : config.width : 20].astype(np.float64)
    tissue = anatomy.at(x, y).tissue > 0
    hot = (x >= box.x) & (x < box.right) & (y >= box.y) & (y < box.bottom)
    hot_mm2, cold_mm2 = ((tissue & part).sum() * (20 * config.mpp * 1e-3) ** 2 for part in (hot, ~hot))
    # Poisson counts: within four standard deviations of what was asked for.
    assert inside.sum() == pytest.approx(90 * hot_mm2, abs=4 * np.sqrt(90 * hot_mm2))
    assert (~inside).sum() == pytest.approx(20 * cold_mm2, abs=4 * np.sqrt(20 * cold_mm2))
    assert inside.sum() / hot_mm2 > 2.5 * (~inside).sum() / cold_mm2


@pytest.mark.parametrize(("key", "value"), [("tissue_fraction", 0.0), ("tumour_fraction", 0.0)])
def test_without_carcinoma_there_are_no_figures_and_no_hot_spot(key: str, value: float) -> None:
    placement = place_figures(Anatomy(SyntheticSlideConfig.of(width=2000, height=2000, **{key: value})))
    assert placement == FigurePlacement((), None, 0.0)


def test_an_impossible_density_fills_the_carcinoma_and_ends() -> None:
    config = SyntheticSlideConfig.of(
        width=1500,
        height=1500,
        tissue_fraction=1,
        hot_spot_mitoses_per_mm2=300,
        mitoses_per_mm2=300,
        look_alikes_per_mm2=300,
    )
    placement = place_figures(Anatomy(config))
    assert 10 < len(placement.figures) < 600 * 0.375**2 * 1.5


@settings(max_examples=15, deadline=None)
@example(width=353, height=417, mpp=0.1, seed=2, tissue_fraction=0.01)  # two points of tissue
@given(
    width=st.integers(1, 4000),
    height=st.integers(1, 4000),
    mpp=st.sampled_from([0.1, 0.243, 1.0]),
    seed=st.integers(0, 1000),
    tissue_fraction=st.sampled_from([0.0, 0.01, 0.5, 0.97, 1.0]),
)
def test_any_slide_can_be_planned(
    width: int, height: int, mpp: float, seed: int, tissue_fraction: float
) -> None:
    config = SyntheticSlideConfig.of(
        width=width, height=height, mpp=mpp, seed=seed, tissue_fraction=tissue_fraction
    )
    placement = place_figures(Anatomy(config))
    if placement.hot_spot is not None:
        assert 0 <= placement.hot_spot.x < placement.hot_spot.right <= width
        assert 0 <= placement.hot_spot.y < placement.hot_spot.bottom <= height
    assert all(0 < f.x_px0 < width and 0 < f.y_px0 < height for f in placement.figures)
