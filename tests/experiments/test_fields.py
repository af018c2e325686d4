"""A part of a slide is what the whole shows there, with the cells inside."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from mitoscope.data.field import Labels
from mitoscope.data.slide_field import PartField, SlideField, open_field, with_labels
from mitoscope.errors import RegionError
from mitoscope.experiments.trained.fields import part_of
from mitoscope.geometry import BoxPx

pytestmark = pytest.mark.train


@pytest.fixture
def whole(tmp_path: Path) -> SlideField:
    pixels = np.random.default_rng(0).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "slide.png")
    opened = open_field(tmp_path / "slide.png", source="own", case="a", domain="b", mpp=5.0, stated_mpp=5.0)
    points = np.array([[50.0, 40.0], [60.0, 45.0], [300.0, 200.0]])
    return with_labels(opened, points, Labels.of(points, ["mitotic figure", "look-alike", "mitotic figure"]))


def test_a_part_has_the_cells_inside_and_shows_what_lies_around(whole: SlideField) -> None:
    part = PartField.of(whole, BoxPx(40, 30, 60, 50))
    assert (part.width, part.height, part.case, part.source) == (60, 50, "a", "own")
    assert part.figures.tolist() == [[10.0, 10.0]]
    assert part.look_alikes.tolist() == [[20.0, 15.0]]
    shown = part.window(BoxPx(-8, 40, 32, 32))
    assert np.array_equal(shown, whole.window(BoxPx(32, 70, 32, 32)))
    assert part.pixels_sha256() == whole.pixels_sha256()
    assert len({whole.digest(), part.digest(), PartField.of(whole, BoxPx(41, 30, 60, 50)).digest()}) == 3
    places = np.array([[0.0, 0.0], [59.0, 49.0]])
    assert (
        part.may_be_background(places).tolist()
        == whole.may_be_background(places + np.array([40, 30])).tolist()
    )


def test_the_part_of_is_where_the_figures_are(whole: SlideField) -> None:
    # A high-power field is 112 × 84 px at 5 µm/px; none holds both figures.
    part = part_of(whole, hpf=1)
    assert (part.width, part.height) == (112, 84)
    assert len(part.figures) == 1
    with pytest.raises(RegionError, match="at least 1"):
        part_of(whole, hpf=0)


def test_a_part_lies_around_the_centre_that_an_expert_chose(whole: SlideField) -> None:
    part = part_of(whole, hpf=1, centre=(200.0, 100.0))
    assert isinstance(part, PartField)
    assert part.box == BoxPx(144, 58, 112, 84)
    assert part_of(whole, hpf=1, centre=(310.0, 5.0)).box == BoxPx(208, 0, 112, 84)  # type: ignore[attr-defined]
