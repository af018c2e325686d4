"""Colours that cannot be those of H&E are doubted; no real picture is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from mitoscope.geometry import BoxPx, Mpp
from mitoscope.slide import MemorySlide, open_slide
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.slide.synthetic.config import DOMAINS
from mitoscope.tissue import find_tissue
from mitoscope.tissue.colour import optical_density
from tests.conftest import DATA

Picture = NDArray[np.uint8]
SIDE = 2048
HAEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)


def as_ycbcr(rgb: Picture) -> Picture:
    return np.asarray(Image.fromarray(rgb).convert("YCbCr"))


def from_ycbcr(rgb: Picture) -> Picture:
    height, width = rgb.shape[:2]
    return np.asarray(Image.frombytes("YCbCr", (width, height), rgb.tobytes()).convert("RGB"))


def grey(rgb: Picture) -> Picture:
    return np.repeat(np.asarray(Image.fromarray(rgb).convert("L"))[..., None], 3, axis=-1)


def immunohistochemistry(rgb: Picture) -> Picture:
    """Return the picture with DAB in place of eosin (colour deconvolution, Ruifrok and Johnston 2001)."""
    stains = np.array([HAEMATOXYLIN, EOSIN])
    stains = np.stack([*stains, np.cross(*stains)])
    amounts = optical_density(rgb).reshape(-1, 3) @ np.linalg.inv(stains)
    density = amounts[:, :2].clip(0) @ np.array([HAEMATOXYLIN, DAB])
    return np.asarray((256 * 10**-density - 1).clip(0, 255).round(), np.uint8).reshape(rgb.shape)


def fluorescence(rgb: Picture) -> Picture:
    density = optical_density(rgb)
    nuclei = (255 * density[..., 0]).clip(0, 255)
    return np.stack([nuclei / 12, nuclei / 4, nuclei], axis=-1).astype(np.uint8)


def permuted(*order: int) -> Callable[[Picture], Picture]:
    return lambda rgb: np.ascontiguousarray(rgb[..., order])


FALSE: dict[str, Callable[[Picture], Picture]] = {
    "red and blue swapped": permuted(2, 1, 0),
    "red and green swapped": permuted(1, 0, 2),
    "green and blue swapped": permuted(0, 2, 1),
    "rotated": permuted(1, 2, 0),
    "rotated back": permuted(2, 0, 1),
    "YCbCr read as RGB": as_ycbcr,
    "RGB read as YCbCr": from_ycbcr,
    "inverted": lambda rgb: np.asarray(255 - rgb, np.uint8),
    "grey": grey,
    "immunohistochemistry": immunohistochemistry,
    "fluorescence": fluorescence,
    "12 of 16 bits": lambda rgb: np.asarray(rgb // 16, np.uint8),
    "half as bright": lambda rgb: np.asarray(rgb // 2, np.uint8),
}


def doubt(rgb: Picture) -> str:
    return find_tissue(MemorySlide(rgb, mpp=Mpp.square(0.25))).colour_doubt


@pytest.fixture(scope="module", params=sorted(DOMAINS))
def slide(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Picture:
    """Return the pixels of a synthetic slide."""
    path = tmp_path_factory.mktemp("slide") / "slide.tiff"
    write_slide(path, SyntheticSlideConfig(width=SIDE, height=SIDE, domain=DOMAINS[request.param]))
    with open_slide(path) as opened:
        return opened.read(BoxPx(0, 0, SIDE, SIDE)).rgb


def test_a_slide_is_not_doubted(slide: Picture) -> None:
    assert doubt(slide) == ""


@pytest.mark.parametrize("change", FALSE)
def test_false_colours_are_doubted(slide: Picture, change: str) -> None:
    middle = slide[SIDE // 4 : -SIDE // 4, SIDE // 4 : -SIDE // 4]
    assert doubt(FALSE[change](middle)).startswith("the colours are not those of H&E: ")


def test_bare_glass_is_not_doubted() -> None:
    assert doubt(np.full((600, 600, 3), 243, np.uint8)) == ""


def test_a_picture_too_small_to_be_judged_is_not_doubted(slide: Picture) -> None:
    assert doubt(as_ycbcr(slide[:128, :128])) == ""


@pytest.mark.parametrize("ink", [(20, 120, 60), (30, 60, 170), (25, 25, 28), (205, 25, 40)])
def test_ink_over_a_quarter_of_a_slide_is_no_doubt(slide: Picture, ink: tuple[int, int, int]) -> None:
    marked = slide.copy()
    quarter = (SIDE // 4, SIDE, 3)
    marked[: SIDE // 4] = np.clip(np.array(ink) + np.random.default_rng(0).normal(0, 2, quarter), 0, 255)
    assert doubt(marked) == ""


FIELDS = ("brecahad", "negative_fields", "unsorted_fields", "midesec")


@pytest.mark.realdata
@pytest.mark.parametrize("folder", FIELDS)
def test_no_real_field_is_doubted(folder: str) -> None:
    found = {path.name: doubt(_field(path)) for path in sorted((DATA / folder).glob("**/*.webp"))}
    assert found
    assert {name: why for name, why in found.items() if why} == {}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["bcss_7", "bcss_30", "bcss_34", "tnbc_2", "tnbc_3"])
def test_fields_of_much_eosin_are_doubted_as_ycbcr_too(name: str) -> None:
    """Their green and blue vary enough, but go against each other."""
    rgb = _field(DATA / "negative_fields" / f"{name}.webp")
    assert "YCbCr" in doubt(as_ycbcr(rgb))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["nucls_1", "oscc_1", "oscc_22"])
def test_red_and_blue_swapped_show_in_how_much_they_vary(name: str) -> None:
    """Their nuclei and cytoplasm have nearly one hue."""
    rgb = _field(DATA / "negative_fields" / f"{name}.webp")
    assert "red and blue are swapped" in doubt(permuted(2, 1, 0)(rgb))


@pytest.mark.realdata
def test_crops_of_one_dark_slide_side_by_side_are_not_doubted() -> None:
    """What is denser there absorbs no more green, by a little."""
    folder = DATA / "mitosis_crops"
    rows = (line.split(",") for line in (folder / "crops.csv").read_text().splitlines())
    crops = [_field(folder / row[0]) for row in rows if row[1:3] == ["MIDOG21", "027.tiff"]][:16]
    assert doubt(np.vstack([np.hstack(crops[start : start + 4]) for start in range(0, 16, 4)])) == ""


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["cmu-1-small-region.svs", "tcga-cr-7395-01a-01-ts1.svs"])
def test_real_slides_are_believed_and_their_false_colours_doubted(name: str) -> None:
    with open_slide(DATA / "slides" / name, mpp=0.25) as opened:
        assert find_tissue(opened).colour_doubt == ""
        size = opened.info.size  # a part of it: thirteen changes of all pixels take long
        rgb = opened.read(BoxPx(size.width // 4, size.height // 4, size.width // 2, size.height // 2)).rgb
    believed = {change for change, alter in FALSE.items() if not doubt(alter(rgb))}
    assert believed <= {"inverted"}  # one of them is red and dense, which inverted is pale cyan


def _field(path: Path) -> Picture:
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))
