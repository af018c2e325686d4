from __future__ import annotations

import numpy as np
import pytest

from mitoscope.data.picture import Picture
from mitoscope.data.window import Window, cut_patch
from tests.data.made import tissue, with_spot

pytestmark = pytest.mark.train
SIDE = 192


def test_figures_move_with_the_patch(pictures: tuple[Picture, ...]) -> None:
    patch = cut_patch(Window(4, 110.4, 130.0), pictures, side=SIDE)
    # The patch begins at (110 - 96, 130 - 96) = (14, 34).
    assert patch.figures.tolist() == [[86.0, 86.0]]
    assert patch.rgb[86, 86].tolist() == [60, 30, 90]
    assert patch.cells.label.tolist() == ["mitotic figure", "look-alike"]
    assert patch.cells.points.tolist() == [[86.0, 86.0], [206.0, 166.0]]


@pytest.mark.parametrize("place", [(5, 5), (315, 5), (5, 295), (315, 295), (160, 150)])
def test_the_mirror_image_of_a_cell_is_labelled_too(place: tuple[float, float]) -> None:
    cells, rgb = (
        np.array([[35.0, 52.0], [280.5, 40.0], [45.0, 262.0], [290.0, 250.5], [170, 160]]),
        tissue(300, 320),
    )
    for x, y in cells:
        rgb = with_spot(rgb, x, y)
    field = Picture("a", "lab", "a", rgb, cells[:3], cells[3:])
    patch = cut_patch(Window(0, *place), (field,), side=SIDE)
    rows, columns = np.mgrid[:SIDE, :SIDE]
    dark = (patch.rgb == (60, 30, 90)).all(axis=2)
    explained = np.zeros_like(dark)
    for x, y in patch.cells.points:
        disc = np.hypot(columns + 0.5 - x, rows + 0.5 - y) < 9
        assert dark[disc].all()
        explained |= disc
    assert dark.any()
    assert np.array_equal(dark, explained)


def test_beyond_the_white_border_of_a_field_there_is_no_cell() -> None:
    field = Picture("a", "lab", "a", tissue(300, 320), np.array([[20.0, 30.0]]))
    excerpt = Picture("b", "lab", "b", field.rgb, field.figures, mirror_px=40)
    window = Window(0, 10.0, 150.0)
    white = cut_patch(window, (field,), side=SIDE, border="white")
    assert (white.rgb[:, :86] == 255).all()  # the picture begins at column 86
    assert white.cells.points.tolist() == [[106.0, -24.0]]
    kept = cut_patch(window, (excerpt,), side=SIDE, border="white")
    assert np.array_equal(kept.rgb, cut_patch(window, (excerpt,), side=SIDE).rgb)


def test_beyond_the_frame_of_a_window_all_is_white_and_no_label_counts(
    pictures: tuple[Picture, ...],
) -> None:
    plain = cut_patch(Window(4, 110.0, 130.0), pictures, side=SIDE, border="white")  # begins at (14, 34)
    shown = (84.0, 90.0, 150.0, 170.0)
    framed = cut_patch(Window(4, 110.0, 130.0, shown=shown), pictures, side=SIDE, border="white")
    assert np.array_equal(framed.valid, (70, 56, 136, 136))
    assert np.array_equal(framed.rgb[56:136, 70:136], plain.rgb[56:136, 70:136])
    framed.rgb[56:136, 70:136] = 255
    assert (framed.rgb == 255).all()
    assert framed.figures.tolist() == [[86.0, 86.0]]
    without = Window(4, 110.0, 130.0, shown=(104.0, 90.0, 150.0, 170.0))
    assert len(cut_patch(without, pictures, side=SIDE, border="white").figures) == 0


def test_a_figure_beyond_the_white_border_of_a_crop_is_not_on_the_window() -> None:
    figures = np.array([[64.0, 64.0], [140.0, 64.0]])
    mirrored = Picture("a", "lab", "a", tissue(128, 128), figures, mirror_px=40)
    white = Picture("b", "lab", "b", mirrored.rgb, figures)
    window = Window(0, 64.0, 64.0)
    assert len(cut_patch(window, (mirrored,), side=SIDE, border="white").figures) == 2
    kept = cut_patch(window, (white,), side=SIDE, border="white")
    assert kept.figures.tolist() == [[96.0, 96.0]]
    assert np.array_equal(kept.valid, (32, 32, 160, 160))


def test_labels_are_trusted_only_where_the_mirror_image_has_no_figure(pictures: tuple[Picture, ...]) -> None:
    whole = cut_patch(Window(4, 10.0, 150.0), pictures, side=SIDE)
    assert np.array_equal(whole.valid, (86, 0, SIDE, SIDE))  # the picture begins at column 86
    crop = cut_patch(Window(0, 64.0, 20.0), pictures, side=SIDE)
    assert np.array_equal(crop.valid, (0, 36, SIDE, SIDE))  # 76 rows are mirrored, 40 of them trusted


def test_a_background_window_can_imitate_the_mirrored_border_of_a_crop(pictures: tuple[Picture, ...]) -> None:
    rgb = cut_patch(Window(5, 128.0, 128.0, like_crop=True), pictures, side=SIDE).rgb
    assert np.array_equal(rgb[31], rgb[32])
    assert np.array_equal(rgb[:, 31], rgb[:, 32])
    assert np.array_equal(rgb[160], rgb[159])
    plain = cut_patch(Window(5, 128.0, 128.0), pictures, side=SIDE).rgb
    assert np.array_equal(rgb[32:160, 32:160], plain[32:160, 32:160])


def test_a_transplanted_figure_keeps_its_disc(pictures: tuple[Picture, ...]) -> None:
    window = Window(0, 80.0, 60.0, paste_on=(5, 128.0, 128.0), paste_radius_px=40.0)
    patch = cut_patch(window, pictures, side=SIDE)
    assert patch.transplant is not None
    background, x, y, radius = patch.transplant
    assert (x, y, radius) == (80.0, 100.0, 40.0)
    assert background.shape == (SIDE, SIDE, 3)
    assert patch.figures.tolist() == [[80.0, 100.0]]
    assert patch.cells.points.tolist() == [[80.0, 100.0]]
