from __future__ import annotations

import numpy as np

from mitoscope.slide.synthetic import SyntheticSlideConfig, field_config, render_field


def test_a_field_is_tissue_with_figures_and_depends_on_its_seed() -> None:
    rgb, truth = render_field(field_config(640), seed=5)
    again, same = render_field(field_config(640), seed=5)
    other, _ = render_field(field_config(640), seed=6)
    assert rgb.shape == (640, 640, 3)
    assert rgb.dtype == np.uint8
    np.testing.assert_array_equal(rgb, again)
    assert truth == same
    assert (rgb != other).mean() > 0.5
    assert len(truth.points()) >= 2
    assert truth.config.seed == 5
    assert truth.tissue_area_mm2 == 640**2 * 0.25**2 * 1e-6


def test_boxes_of_the_truth_hold_the_chromatin() -> None:
    """The box of a mitotic figure is dark; a frame of the same width round it is not."""
    rgb, truth = render_field(field_config(1024), seed=1)
    brightness = rgb.mean(axis=2)
    assert len(truth.points()) >= 4
    for figure in truth.figures:
        if figure.label != "mitotic figure":
            continue
        half_w, half_h = figure.width_px0 / 2, figure.height_px0 / 2
        rows = slice(int(figure.y_px0 - half_h), int(np.ceil(figure.y_px0 + half_h)))
        columns = slice(int(figure.x_px0 - half_w), int(np.ceil(figure.x_px0 + half_w)))
        box = brightness[rows, columns]
        around = brightness[rows.start - 6 : rows.stop + 6, columns.start - 6 : columns.stop + 6].copy()
        around[6:-6, 6:-6] = 255
        assert (box < 95).sum() > 40
        assert (around < 95).sum() <= 4


def test_an_empty_field_is_glass() -> None:
    rgb, truth = render_field(SyntheticSlideConfig.of(width=300, height=200, tissue_fraction=0, dust=False))
    assert rgb.mean() > 235
    assert truth.figures == ()
    assert truth.hot_spot is None
    assert truth.tissue_area_mm2 == 0


def test_a_field_of_one_pixel_can_be_painted() -> None:
    rgb, truth = render_field(SyntheticSlideConfig.of(width=1, height=1, tissue_fraction=1))
    assert rgb.shape == (1, 1, 3)
    assert truth.figures == ()
