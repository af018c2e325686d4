"""One known picture, written in every way (`ways`): the same pixels in the same places, or a typed refusal.

The full matrix takes half an hour: ``python -m tests.slide.ways``. Here go those ways that hold every pair
of choices.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from mitoscope.geometry import BoxPx
from mitoscope.slide import OpenSlideReader

from .ways import RGB, Outcome, Way, covering, every_way, judge, picture, write


@pytest.fixture(scope="module")
def chosen() -> list[Way]:
    return covering(list(every_way()))


def test_every_way_is_read_right_or_refused(tmp_path: Path, chosen: list[Way]) -> None:
    counts: Counter[tuple[str, Outcome]] = Counter()
    wrong = []
    for number, way in enumerate(chosen):
        path = write(way, tmp_path / f"{number}.tiff")
        for reader, (outcome, why) in judge(way, path).items():
            counts[reader, outcome] += 1
            if outcome is Outcome.WRONG:
                wrong.append(f"{reader}: {way}: {why}")
        path.unlink()
    assert wrong == []
    assert counts["open_slide", Outcome.EQUAL] >= 60
    assert counts["as stored", Outcome.EQUAL] >= 30
    assert counts["OpenSlide", Outcome.EQUAL] >= 3


def test_the_chosen_ways_hold_every_pair(chosen: list[Way]) -> None:
    def pairs(ways: list[Way]) -> set[tuple[str, str, str, str]]:
        return {
            (one, str(getattr(way, one)), other, str(getattr(way, other)))
            for way in ways
            for one, other in (("compression", "orientation"), ("colours", "pyramid"), ("depth", "striped"))
        }

    assert pairs(chosen) == pairs(list(every_way()))
    assert len(chosen) < 250


@pytest.mark.parametrize(
    "way",
    [
        Way(compression="zlib", orientation=3),
        Way(depth="12"),
        Way(compression="jpeg", colours="ycbcr 420", swapped=True),
    ],
    ids=str,
)
def test_control_a_reader_that_believes_each_tag_is_wrong(tmp_path: Path, way: Way) -> None:
    path = write(way, tmp_path / "slide.tiff")
    with OpenSlideReader(path) as slide:
        found = slide.read(BoxPx(0, 0, RGB.shape[1], RGB.shape[0])).rgb
    assert np.abs(found.astype(int) - picture(way)).mean() > 10
    assert judge(way, path)["open_slide"][0] is Outcome.EQUAL


def test_control_pillow_turns_strips(tmp_path: Path) -> None:
    way = Way(striped=True, orientation=6)
    path = write(way, tmp_path / "field.tiff")
    assert openslide.OpenSlide.detect_format(path) is None
    with Image.open(path) as image:
        assert np.asarray(image).shape != RGB.shape
    assert judge(way, path)["open_slide"][0] is Outcome.EQUAL
