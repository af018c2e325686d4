"""The resolution that the size of nuclei suggests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.slide import open_slide
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.tissue import nuclei_scale


def test_the_same_tissue_suggests_twice_the_pixel_at_half_the_resolution(tmp_path: Path) -> None:
    write_slide(
        tmp_path / "full.tiff", SyntheticSlideConfig.of(width=1152, height=960, seed=5, tissue_fraction=0.8)
    )
    with open_slide(tmp_path / "full.tiff") as slide:
        assert slide.info.mpp.mean == pytest.approx(0.25)
        full = nuclei_scale(slide)
        picture = Image.fromarray(slide.thumbnail(1152))
    picture.resize((576, 480), Image.Resampling.LANCZOS).save(tmp_path / "half.png")
    with open_slide(tmp_path / "half.png", mpp=1.0) as slide:
        half = nuclei_scale(slide)
    assert full is not None
    assert half is not None
    assert full.low < 0.25 < full.high
    assert half.low < 0.5 < half.high
    assert half.low / full.low == pytest.approx(2, rel=0.2)
    Image.fromarray(np.full((640, 768, 3), 240, np.uint8)).save(tmp_path / "glass.png")
    with open_slide(tmp_path / "glass.png", mpp=1.0) as slide:
        assert nuclei_scale(slide) is None
