"""One written slide and one painter, shared by the tests of synthetic slides."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.slide.synthetic import PaintedTruth, SyntheticSlideConfig, write_slide
from mitoscope.slide.synthetic.painter import Painter


@pytest.fixture(scope="session")
def small_config() -> SyntheticSlideConfig:
    """A slide of 2200 × 1700 px with all kinds of content; its sides are no multiples of a tile."""
    return SyntheticSlideConfig.of(
        width=2200,
        height=1700,
        seed=7,
        tissue_fraction=0.6,
        mitoses_per_mm2=80.0,
        hot_spot_mitoses_per_mm2=250.0,
        look_alikes_per_mm2=120.0,
        tile_px=256,
    )


@pytest.fixture(scope="session")
def written(
    tmp_path_factory: pytest.TempPathFactory, small_config: SyntheticSlideConfig
) -> tuple[Path, PaintedTruth]:
    """The small slide as a file, with the truth that the writer returned."""
    path = tmp_path_factory.mktemp("synthetic") / "slide.tiff"
    return path, write_slide(path, small_config)


@pytest.fixture(scope="session")
def painter(small_config: SyntheticSlideConfig) -> Painter:
    """The painter of the small slide."""
    return Painter(small_config)
