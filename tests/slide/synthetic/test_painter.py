from __future__ import annotations

import numpy as np
import pytest

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic import DOMAINS, SyntheticSlideConfig
from mitoscope.slide.synthetic.painter import Painter, Stain, expose


@pytest.mark.parametrize(
    "part", [BoxPx(0, 0, 256, 256), BoxPx(211, 97, 300, 181), BoxPx(399, 399, 1, 1), BoxPx(64, 8, 333, 391)]
)
def test_a_part_painted_alone_equals_the_part_of_the_whole(painter: Painter, part: BoxPx) -> None:
    x, y = 900, 700
    whole = painter.paint(BoxPx(x, y, 400, 400)).rgb
    visible = part.intersection(BoxPx(0, 0, 400, 400))
    assert visible is not None
    alone = painter.paint(BoxPx(x + visible.x, y + visible.y, visible.width, visible.height)).rgb
    np.testing.assert_array_equal(alone, whole[visible.y : visible.bottom, visible.x : visible.right])


def test_what_is_called_glass_is_painted_as_glass(painter: Painter) -> None:
    side, seen = 128, 0
    for y in range(0, painter.config.height - side, side):
        for x in range(0, painter.config.width - side, side):
            box = BoxPx(x, y, side, side)
            if painter.is_glass(box):
                seen += 1
                np.testing.assert_array_equal(painter.paint(box).rgb, painter.glass(box))
            if seen > 25:
                return
    assert seen > 5


def test_the_number_of_tissue_pixels_adds_up_and_stops_at_the_border() -> None:
    config = SyntheticSlideConfig.of(width=900, height=700, seed=2, tissue_fraction=0.6, fat=False)
    painter = Painter(config)
    whole = painter.paint(BoxPx(0, 0, 900, 700)).tissue_px
    beyond = painter.paint(BoxPx(-100, -100, 1200, 1100)).tissue_px
    halves = [painter.paint(BoxPx(x, 0, 450, 700)).tissue_px for x in (0, 450)]
    assert whole == sum(halves) == beyond
    assert whole == pytest.approx(0.6 * 900 * 700, rel=0.25)


def test_no_neighbour_is_painted_over_a_figure(painter: Painter) -> None:
    """A figure's chromatin looks the same with and without the cells round it."""
    config = painter.config
    bare = Painter(config)
    bare._layers = ()
    for figure in painter.placement.figures[:12]:
        sprite = figure.sprite(painter.bank)
        dark = (sprite.haematoxylin > 0.6) & (sprite.cover > 0.9)
        half = sprite.side // 2
        box = BoxPx(figure.x_px0 - half, figure.y_px0 - half, sprite.side, sprite.side)
        difference = np.abs(painter.paint(box).rgb.astype(int) - bare.paint(box).rgb)
        assert difference[dark].max(initial=0) <= 12


def test_ink_is_of_the_chosen_colour(small_config: SyntheticSlideConfig) -> None:
    seen = []
    for colour in ("blue", "green", "black"):
        config = SyntheticSlideConfig.of(**(dict(small_config) | {"ink_colour": colour}))
        painter = Painter(config)
        values, step = painter.anatomy._ink_map.values, painter.anatomy._ink_map.step_px0
        row, column = np.unravel_index(int(values.argmax()), values.shape)
        box = BoxPx(int(column * step) - 8, int(row * step) - 8, 16, 16)
        seen.append(painter.paint(box).rgb.reshape(-1, 3).mean(axis=0))
    blue, green, black = seen
    assert blue.argmax() == 2
    assert green.argmax() == 1
    assert np.ptp(black) < 45
    assert black.max() < 60


def test_without_the_extras_there_are_none(small_config: SyntheticSlideConfig) -> None:
    off = dict.fromkeys(("ink", "fat", "necrosis", "dust", "out_of_focus"), False)
    anatomy = Painter(SyntheticSlideConfig.of(**(dict(small_config) | off))).anatomy
    y, x = np.mgrid[0:1700:20, 0:2200:20].astype(np.float64)
    fields = anatomy.at(x, y)
    for name in ("ink", "fat", "necrosis", "out_of_focus"):
        assert getattr(fields, name).max() < -1000


def test_colours_lie_where_real_slides_have_them(painter: Painter) -> None:
    """Mean and spread of optical density of carcinoma; real fields of five sources span these ranges."""
    config = SyntheticSlideConfig.of(
        width=1024, height=1024, seed=2, tissue_fraction=1, ink=False, fat=False, necrosis=False
    )
    rgb = Painter(config).paint(BoxPx(0, 0, 1024, 1024)).rgb.astype(np.float64)
    density = -np.log10((rgb + 1) / 256).reshape(-1, 3)
    red, green, blue = density.mean(axis=0)
    assert 0.09 < red < 0.25
    assert 0.20 < green < 0.55
    assert 0.09 < blue < 0.22
    assert 0.06 < density[:, 0].std() < 0.17
    assert 3.3 < np.abs(np.diff(rgb.mean(axis=2), axis=1)).mean() < 8.6


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
