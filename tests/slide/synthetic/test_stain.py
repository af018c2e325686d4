from __future__ import annotations

import numpy as np
import pytest

from mitoscope.slide.synthetic import DOMAINS, SyntheticSlideConfig
from mitoscope.slide.synthetic.stain import Stain, expose


def test_twice_the_stain_transmits_the_square() -> None:
    stain = Stain.of(SyntheticSlideConfig())
    amount = np.full((1, 1), 0.3, dtype=np.float32)
    none = np.zeros_like(amount)
    once = stain.transmit(amount, none)[:, 0, 0] / stain.white
    twice = stain.transmit(2 * amount, none)[:, 0, 0] / stain.white
    np.testing.assert_allclose(twice, once**2, rtol=1e-5)
    np.testing.assert_allclose(once, 10 ** (-0.3 * stain.haematoxylin), rtol=1e-5)


@pytest.mark.parametrize("name", DOMAINS)
def test_haematoxylin_is_blue_and_eosin_is_pink(name: str) -> None:
    stain = Stain.of(SyntheticSlideConfig.of(domain=DOMAINS[name]))
    amount, none = np.full((1, 1), 0.5, dtype=np.float32), np.zeros((1, 1), dtype=np.float32)
    blue, pink = stain.transmit(amount, none)[:, 0, 0], stain.transmit(none, amount)[:, 0, 0]
    assert blue[2] > blue[0] > 0
    assert pink[0] > pink[2] > pink[1]


def test_the_seed_varies_the_stain() -> None:
    first, second = (Stain.of(SyntheticSlideConfig.of(seed=seed)) for seed in (1, 2))
    assert not np.allclose(first.eosin, second.eosin, rtol=1e-3)


def test_exposure_clips_and_rounds() -> None:
    grey = np.array([-5.0, 0.4, 0.6, 254.7, 300.0], dtype=np.float32)
    rgb = expose(np.broadcast_to(grey, (3, 1, 5)).copy(), np.zeros((1, 5), dtype=np.float32))
    assert rgb[0, :, 1].tolist() == [0, 0, 1, 255, 255]
