from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.errors import ScaleError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide import Plane, open_slide, read_thumbnail
from mitoscope.slide.jpeg_tile_reader import READER

pytestmark = pytest.mark.realdata


def test_aperio_jpeg(real_slides: Path) -> None:
    with open_slide(real_slides / "cmu-1-small-region.svs") as slide:
        info = slide.info
        assert (info.size, len(info.levels)) == (SizePx(2220, 2967), 1)
        assert (info.mpp, info.mpp_source) == (Mpp(0.499, 0.499), "openslide.mpp-x")
        assert (info.vendor, info.objective_power, info.bounds) == ("aperio", 20.0, None)
        assert info.levels[0].tile == SizePx(240, 240)
        assert (info.reader, info.reader_reason) == (READER, None)
        whole = slide.read(BoxPx(0, 0, 2220, 2967))
        assert whole.valid.all()
        assert whole.damaged == ()
        small = read_thumbnail(slide, 600)
    assert small.rgb.shape == (600, 449, 3)
    assert np.abs(small.rgb.mean(axis=(0, 1)) - whole.rgb.mean(axis=(0, 1))).max() < 1


def test_aperio_jpeg_2000(real_slides: Path) -> None:
    path = real_slides / "tcga-cr-7395-01a-01-ts1.svs"
    with pytest.raises(ScaleError, match=r"tcga.*no openslide\.mpp-x.*--mpp"):
        open_slide(path)
    with open_slide(path, mpp=0.25) as slide:
        assert [level.size for level in slide.info.levels] == [SizePx(4443, 3567), SizePx(2221, 1783)]
        assert slide.info.levels[1].downsample_x == 2.0
        assert slide.info.reader.startswith("openslide")
        assert slide.info.reader_reason == "level 0 is not JPEG (compression 33005)"
        assert slide.info.has_icc_profile
        coarse = slide.read(BoxPx(2000, 1100, 128, 128), level=1).rgb
        off = {}
        for shift in (-1, 0, 1):  # far from the origin, where 2 and 4443 / 2221 are a pixel apart
            fine = slide.read(BoxPx(4000 + shift, 2200 + shift, 256, 256)).rgb
            halved = fine.reshape(128, 2, 128, 2, 3).mean(axis=(1, 3))
            off[shift] = float(np.abs(halved - coarse).mean())
    assert off[0] < 8
    assert off[0] < 0.7 * min(off[-1], off[1]), off


def test_windows_of_a_plane_agree_bit_for_bit(real_slides: Path) -> None:
    with open_slide(real_slides / "cmu-1-small-region.svs") as slide:
        plane = Plane(slide, 0.25)
        assert plane.mpp == pytest.approx((0.25, 0.25), rel=1e-3)
        whole = plane.read(BoxPx(900, 1500, 700, 600))
        part = plane.read(BoxPx(1111, 1613, 201, 333))
        assert (part.rgb == whole.rgb[113:446, 211:412]).all()


def test_cells_keep_their_place_where_the_decoder_reduces(real_slides: Path) -> None:
    """Half scale against bicubic, which has no shift: no other place of the window fits better."""
    with open_slide(real_slides / "cmu-1-small-region.svs") as slide:
        reduced = Plane(slide, 1.0).read(BoxPx(300, 400, 400, 400)).rgb.astype(int)
        assert Plane(slide, 1.0).reduction == 2
        smooth = Image.fromarray(slide.read(BoxPx(600, 800, 800, 800)).rgb).resize(
            (400, 400), Image.Resampling.BICUBIC
        )
    expected = np.asarray(smooth).astype(int)
    off = {
        (x, y): np.abs(np.roll(reduced, (y, x), (0, 1)) - expected)[4:-4, 4:-4].mean()
        for x in (-1, 0, 1)
        for y in (-1, 0, 1)
    }
    assert off[0, 0] < 3
    assert off[0, 0] < 0.5 * min(value for shift, value in off.items() if shift != (0, 0)), off
