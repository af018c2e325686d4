"""How densely tissue is stained: what was painted is measured, and little says nothing."""

from __future__ import annotations

import numpy as np
import pytest

from mitoscope.tissue import stain_density


def _painted(density: tuple[float, float, float], side: int = 20) -> np.ndarray:
    light = 256 * 10.0 ** -np.array(density) - 1
    return np.broadcast_to(light.round().astype(np.uint8), (side, side, 3)).copy()


def test_the_density_that_was_painted_is_measured_beside_glass() -> None:
    rgb = np.concatenate([_painted((0.15, 0.40, 0.18)), np.full((20, 60, 3), 243, np.uint8)], axis=1)
    assert stain_density(rgb) == pytest.approx((0.15, 0.40, 0.18), abs=0.005)


def test_only_where_it_is_asked_for() -> None:
    rgb = np.concatenate([_painted((0.15, 0.40, 0.18)), _painted((0.30, 0.60, 0.25))], axis=1)
    where = np.zeros(rgb.shape[:2], np.bool_)
    where[:, 20:] = True
    assert stain_density(rgb, where) == pytest.approx((0.30, 0.60, 0.25), abs=0.01)


def test_glass_and_single_pixels_say_nothing() -> None:
    assert stain_density(np.full((30, 30, 3), 243, np.uint8)) is None
    assert stain_density(_painted((0.15, 0.40, 0.18), side=3)) is None
