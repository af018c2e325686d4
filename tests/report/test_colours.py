"""The density scale is even in lightness; marks differ without colour vision."""

import numpy as np

from mitoscope.report import colours
from mitoscope.report.colours import density_colours, density_gradient, lightness, rgb


def test_lightness_falls_evenly_from_paper_to_ink() -> None:
    level = lightness(density_colours())
    steps = -np.diff(level)
    assert level[0] > 95
    assert level[-1] < 12
    assert (steps > 0).all()
    # Even within half of the mean step once smoothed over the rounding of 8 bits.
    smooth = np.convolve(steps, np.ones(24) / 24, mode="valid")
    assert smooth.min() > 0.5 * steps.mean()
    assert smooth.max() < 1.5 * steps.mean()


def test_gradient_of_the_page_is_the_scale_of_the_picture() -> None:
    table = density_colours()
    for offset, colour in density_gradient():
        assert np.abs(table[round(offset * 255)].astype(int) - rgb(colour)).max() <= 2


def test_marks_differ_in_lightness_from_their_casing() -> None:
    def level(colour: str) -> float:
        return float(lightness(np.array([rgb(colour)], dtype=np.uint8))[0])

    assert level(colours.FIGURE) - level(colours.INK) > 60
    assert 100 - level(colours.HOT_SPOT) > 45
    assert level(colours.NOT_COUNTED) - level(colours.COUNTED) > 40
