"""Fields that are read by region, straight from slides and images on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import openslide
import pytest
from PIL import Image

from mitoscope.data.field import Labels
from mitoscope.data.open_data import read_rgb
from mitoscope.data.picture import Picture
from mitoscope.data.slide_field import SlideField, open_field, with_labels
from mitoscope.errors import ScaleError, SlideFormatError, TrainingDataError
from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.truth import PaintedTruth

pytestmark = pytest.mark.train


@pytest.fixture
def slide(painted_slides: tuple[Path, list[PaintedTruth]]) -> tuple[Path, PaintedTruth]:
    folder, truths = painted_slides
    return folder / truths[0].image, truths[0]


def _open(path: Path, mpp: float = 0.25, stated: float | None = None) -> SlideField:
    return open_field(path, source="s", case="c", domain="d", mpp=mpp, stated_mpp=stated)


@pytest.mark.parametrize("corner", [(300, 200), (-70, -40), (580, 10), (600, 500), (-200, 400)])
def test_a_patch_is_what_openslide_reads_there_mirrored_beyond(
    slide: tuple[Path, PaintedTruth], corner: tuple[int, int]
) -> None:
    with openslide.OpenSlide(str(slide[0])) as own:
        whole = np.asarray(own.read_region((0, 0), 0, own.dimensions).convert("RGB"))
    field = _open(slide[0])
    assert (field.width, field.height) == (700, 600)
    box = BoxPx(*corner, 256, 256)
    wanted = Picture("w", "s", "c", whole).window(box)
    assert np.abs(field.window(box).astype(int) - wanted).max() <= 2


def test_labels_and_pixels_meet_at_another_resolution(slide: tuple[Path, PaintedTruth]) -> None:
    path, truth = slide
    points = np.concatenate([truth.points(), truth.points("look-alike")])
    assert len(points) > 8
    fine, coarse = (
        with_labels(_open(path, mpp), points, Labels.figures(np.zeros_like(points))) for mpp in (0.25, 0.5)
    )
    assert (coarse.width, coarse.height) == (350, 300)
    assert coarse.figures == pytest.approx(points / 2)
    for field, reach in ((fine, 8), (coarse, 4)):
        dark = []
        for x, y in field.figures.astype(int):
            patch = (
                field.window(BoxPx(x - 8 * reach, y - 8 * reach, 16 * reach, 16 * reach))
                .astype(float)
                .mean(axis=2)
            )
            middle = patch[7 * reach : 9 * reach, 7 * reach : 9 * reach]
            dark.append(middle.min() < np.percentile(patch, 10))
        assert np.mean(dark) > 0.8


def test_a_level_within_a_tenth_is_taken_whole(slide: tuple[Path, PaintedTruth]) -> None:
    field = _open(slide[0], 0.25, stated=0.2300)
    assert (field.width, field.height) == (700, 600)


def test_labels_outside_of_the_slide_are_counted_and_placed(slide: tuple[Path, PaintedTruth]) -> None:
    points = np.array([[5.0, 5.0], [700.5, 20.0], [-1.0, 3.0]])
    with pytest.raises(TrainingDataError, match=r"s0\.tiff: 2 of 3 labels lie outside, the first at 700, 20"):
        with_labels(_open(slide[0]), points, Labels.figures(points))


def test_what_cannot_be_opened_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(SlideFormatError, match=r"none\.tiff"):
        _open(tmp_path / "none.tiff")
    Image.fromarray(np.zeros((40, 40, 3), np.uint8)).save(tmp_path / "plain.png")
    with pytest.raises(ScaleError, match=r"plain\.png"):
        _open(tmp_path / "plain.png")
    assert _open(tmp_path / "plain.png", stated=0.25).width == 40


def test_the_digest_knows_pixels_and_labels(slide: tuple[Path, PaintedTruth]) -> None:
    field, points = _open(slide[0]), np.array([[5.0, 5.0]])
    labelled = with_labels(field, points, Labels.figures(points))
    moved = with_labels(field, points + 1, Labels.figures(points))
    other = with_labels(field, points, Labels.look_alikes(points))
    assert len({one.digest() for one in (field, labelled, moved, other)}) == 4
    assert _open(slide[0]).digest() == field.digest()


@pytest.mark.realdata
def test_images_of_a_challenge_are_read_by_region(data: Path) -> None:
    path = sorted((data / "midesec" / "images").iterdir())[0]
    field, whole = _open(path, stated=0.25), read_rgb(path)
    assert (field.height, field.width) == whole.shape[:2]
    for left, top in ((100, 50), (-30, -60), (field.width - 100, field.height - 90)):
        box = BoxPx(left, top, 200, 200)
        assert np.array_equal(field.window(box), Picture("w", "s", "c", whole).window(box))
