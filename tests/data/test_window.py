from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.window import PATCH_PX, Window, cut_patch

pytestmark = pytest.mark.train


def test_figures_move_with_the_patch(pictures: tuple[Picture, ...]) -> None:
    patch = cut_patch(Window(4, 110.4, 130.0), pictures)
    # The patch begins at (110 - 96, 130 - 96) = (14, 34).
    assert np.allclose(patch.centre, (96.4, 96.0))
    assert patch.figures.tolist() == [[86.0, 86.0]]
    dark = patch.rgb[86, 86]
    assert dark.tolist() == [60, 30, 90]


def test_labels_are_trusted_only_where_the_mirror_image_has_no_figure(pictures: tuple[Picture, ...]) -> None:
    whole = cut_patch(Window(4, 10.0, 150.0), pictures)
    assert np.array_equal(whole.valid, (86, 0, PATCH_PX, PATCH_PX))  # the picture begins at column 86
    crop = cut_patch(Window(0, 64.0, 20.0), pictures)
    assert np.array_equal(crop.valid, (0, 36, PATCH_PX, PATCH_PX))  # 76 rows are mirrored, 40 of them trusted


def test_a_background_window_can_imitate_the_mirrored_border_of_a_crop(pictures: tuple[Picture, ...]) -> None:
    rgb = cut_patch(Window(5, 128.0, 128.0, like_crop=True), pictures).rgb
    assert np.array_equal(rgb[31], rgb[33])
    assert np.array_equal(rgb[:, 31], rgb[:, 33])
    plain = cut_patch(Window(5, 128.0, 128.0), pictures).rgb
    assert np.array_equal(rgb[32:160, 32:160], plain[32:160, 32:160])


def test_a_transplanted_figure_keeps_its_disc(pictures: tuple[Picture, ...]) -> None:
    window = Window(0, 80.0, 60.0, paste_on=(5, 128.0, 128.0), paste_radius_px=40.0)
    patch = cut_patch(window, pictures)
    assert patch.transplant is not None
    background, x, y, radius = patch.transplant
    assert (x, y, radius) == (80.0, 100.0, 40.0)
    assert background.shape == (PATCH_PX, PATCH_PX, 3)
    assert patch.figures.tolist() == [[80.0, 100.0]]
