"""What tells a mitotic figure from its look-alikes must be in the sprites."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import ndimage

from mitoscope.slide.synthetic.bank import Bank, build_bank
from mitoscope.slide.synthetic.config import StainDomain
from mitoscope.slide.synthetic.nuclei import KIND_SHARES, KINDS, PHASE_SHARES, PHASES
from mitoscope.slide.synthetic.sprite import Sprite


@pytest.fixture(scope="module")
def bank() -> Bank:
    return build_bank(StainDomain(), 0.25)


def _roughness(sprite: Sprite) -> float:
    """Perimeter of the chromatin over that of a disc of the same area."""
    dark = sprite.haematoxylin > 0.4
    edge = dark & ~ndimage.binary_erosion(dark)
    return float(edge.sum() / np.sqrt(4 * np.pi * max(dark.sum(), 1)))


def _bodies(sprite: Sprite) -> int:
    numbers, count = ndimage.label(sprite.haematoxylin > 0.45)
    return int((np.bincount(numbers.ravel())[1:] > 25).sum()) if count else 0


def test_shares_name_what_exists_and_add_up_to_one() -> None:
    assert set(PHASE_SHARES) == set(PHASES)
    assert set(KIND_SHARES) == set(KINDS)
    assert sum(PHASE_SHARES.values()) == pytest.approx(1)
    assert sum(KIND_SHARES.values()) == pytest.approx(1)


@pytest.mark.parametrize("name", [*PHASES, *KINDS])
def test_a_sprite_fades_out_before_its_border_and_has_a_box(bank: Bank, name: str) -> None:
    for sprite in bank.sprites[name]:
        rim = np.concatenate([sprite.haematoxylin[0], sprite.haematoxylin[-1], sprite.haematoxylin[:, 0]])
        assert np.abs(rim).max() < 0.02
        assert min(sprite.size_px) + 4 >= 8
        assert max(sprite.size_px) <= sprite.side
        assert max(map(abs, sprite.centre_px)) < 14


@pytest.mark.parametrize("name", PHASES)
def test_chromatin_of_a_mitotic_figure_is_darker_than_any_interphase_nucleus(bank: Bank, name: str) -> None:
    interphase = np.median([np.quantile(s.haematoxylin, 0.97) for s in bank.sprites["tumour nucleus"]])
    for sprite in bank.sprites[name]:
        assert sprite.haematoxylin.max() > 1.2 * interphase


def test_outlines_of_mitoses_are_rougher_than_those_of_look_alikes(bank: Bank) -> None:
    rough = np.median([_roughness(s) for n in ("prometaphase", "metaphase") for s in bank.sprites[n]])
    smooth = np.median([_roughness(s) for n in ("pyknotic nucleus", "lymphocyte") for s in bank.sprites[n]])
    assert rough > 1.25 * smooth


@pytest.mark.parametrize("name", ["anaphase", "telophase"])
def test_late_phases_have_two_bodies(bank: Bank, name: str) -> None:
    counts = [_bodies(sprite) for sprite in bank.sprites[name]]
    assert np.mean(np.array(counts) == 2) > 0.8


def test_a_metaphase_is_a_bar(bank: Bank) -> None:
    for sprite in bank.sprites["metaphase"]:
        rows, columns = np.nonzero(sprite.haematoxylin > 0.45)
        spread = np.linalg.eigvalsh(np.cov(np.stack([rows, columns])))
        assert np.sqrt(spread[1] / spread[0]) > 1.7


def test_an_apoptotic_cell_is_pinker_than_a_mitotic_one(bank: Bank) -> None:
    def cytoplasm(name: str) -> float:
        means = [s.eosin[(s.cover > 0.8) & (s.haematoxylin < 0.2)].mean() for s in bank.sprites[name]]
        return float(np.median(means))

    assert cytoplasm("apoptotic body") > 1.5 * cytoplasm("metaphase")


def test_turns_move_the_centre_with_the_pixels(bank: Bank) -> None:
    sprite = bank.sprites["apoptotic body"][1]
    for way in range(8):
        turned = sprite.turned(way)
        dark = turned.haematoxylin > 0.45
        rows, columns = (np.flatnonzero(dark.any(axis=axis)) for axis in (1, 0))
        middle = turned.side / 2
        assert (columns[0] + columns[-1] + 1) / 2 - middle == pytest.approx(turned.centre_px[0], abs=1.6)
        assert (rows[0] + rows[-1] + 1) / 2 - middle == pytest.approx(turned.centre_px[1], abs=1.6)
        assert columns[-1] - columns[0] + 1 == pytest.approx(turned.size_px[0], abs=3.1)
