"""Training windows: where they are cut, before anything random happens to their pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Border
from mitoscope.data.field import Field, Labels
from mitoscope.geometry import BoxPx
from mitoscope.search import mirrored

CROP_PX: Final = 128
"""Side of the published crops, which background windows imitate."""
_SQUARE_PX: Final = 8
"""The examined area is known to a patch in squares of this side."""


@dataclass(frozen=True, slots=True)
class Window:
    """One training window.

    Parameters
    ----------
    picture : int
        Index into the training pictures.
    x, y : float
        Where the centre of the window falls, px of the picture.
    like_crop : bool
        Cut a 128 px crop first and mirror it outwards, so that mirrored borders say nothing about the class.
    paste_on : tuple of (int, float, float), optional
        Picture and place (centre) of a background to which the figure is transplanted.
    paste_radius_px : float
        Radius of the transplanted disc.
    score : float
        What the whole window is, for classifiers and regressors.
    shown : tuple of 4 float, optional
        Left, top, right, bottom of the part of the picture that is shown; beyond it the window is white, and
        its labels do not count.
    """

    picture: int
    x: float
    y: float
    like_crop: bool = False
    paste_on: tuple[int, float, float] | None = None
    paste_radius_px: float = 0.0
    score: float = 0.0
    shown: tuple[float, float, float, float] | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """The pixels for one window with its labels, in px of the patch.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (side, side, 3)
    figures : ndarray of float64, shape (n, 2)
        Mitotic figures.
    cells : Labels
        All labelled cells, figures included.
    score : float
        Of the window.
    valid : tuple of float
        Left, top, right, bottom of the part whose labels are trusted.
    transplant : tuple, optional
        Background patch, centre x, centre y and radius of the disc that is kept of `rgb`.
    unexamined : ndarray of bool, shape (k, k), optional
        Squares of 8 px of the patch where nobody looked; they are white, so that no figure there can be
        taught as background.
    """

    rgb: NDArray[np.uint8]
    figures: NDArray[np.float64]
    cells: Labels
    score: float
    valid: tuple[float, float, float, float]
    transplant: tuple[NDArray[np.uint8], float, float, float] | None = None
    unexamined: NDArray[np.bool_] | None = None

    def hides(self, x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which places of the patch lie where nobody looked, shape (n,)."""
        if self.unexamined is None:
            return np.zeros(len(x), dtype=np.bool_)
        row, column = (
            np.clip(place // _SQUARE_PX, 0, len(self.unexamined) - 1).astype(np.intp) for place in (y, x)
        )
        return np.asarray(self.unexamined[row, column])


def cut_patch(window: Window, fields: tuple[Field, ...], *, side: int, border: Border = "mirror") -> Patch:
    """Cut the patch of a window, the window's centre in its middle, on whole px.

    Parameters
    ----------
    window : Window
    fields : tuple of Field
    side : int
        Of the patch.
    border : {"mirror", "white"}
        What lies beyond a field, as the network will see it when it is asked. A field that is an excerpt,
        of which the mirror image may serve as background, is mirrored all the same: its border is none.
    """
    field = fields[window.picture]
    box = _box(window.x, window.y, side)
    rgb = _shown(field, box, border)
    is_mirrored = _depth(field, border) is None
    cells = mirrored_cells(field, left=box.x, top=box.y, side=side) if is_mirrored else _moved(field, box)
    figures = field.figures - (box.x, box.y)
    if window.like_crop and side > CROP_PX:
        around = (side - CROP_PX) // 2
        folded, _ = mirrored(-around, side - around, size=side - 2 * around, depth=None)
        rgb = rgb[around + folded].take(around + folded, axis=1)
    unexamined = _unexamined(field, box)
    if unexamined is not None:
        rgb = _whitened(rgb, unexamined)
    margin, left, top = field.mirror_px, box.x, box.y
    valid = (
        max(-margin - left, 0.0),
        max(-margin - top, 0.0),
        min(field.width + margin - left, float(side)),
        min(field.height + margin - top, float(side)),
    )
    if window.shown is not None:
        rgb, valid = _framed(rgb, valid, window.shown, left=left, top=top)
    if window.shown is not None or not is_mirrored:
        figures = figures[_within(figures, valid)]
    if window.paste_on is None:
        return Patch(rgb, figures, cells, window.score, valid, unexamined=unexamined)
    index, x, y = window.paste_on
    background = _shown(fields[index], _box(x, y, side), border)
    figure = figures[0]  # only crops are transplanted; their own figure comes first
    near = figures[np.hypot(*(figures - figure).T) < window.paste_radius_px]
    whole = (0.0, 0.0, float(side), float(side))
    disc = (background, float(figure[0]), float(figure[1]), window.paste_radius_px)
    return Patch(rgb, near, Labels.figures(near), window.score, whole, disc)


def _framed(
    rgb: NDArray[np.uint8], valid: tuple[float, ...], shown: tuple[float, ...], *, left: int, top: int
) -> tuple[NDArray[np.uint8], tuple[float, float, float, float]]:
    """Whiten a patch beyond the part that is shown, and trust its labels there alone."""
    x1, y1, x2, y2 = (round(edge - start) for edge, start in zip(shown, (left, top) * 2, strict=True))
    side = len(rgb)
    frame = (slice(max(y1, 0), max(y2, 0)), slice(max(x1, 0), max(x2, 0)))
    white = np.full_like(rgb, 255)
    white[frame] = rgb[frame]
    edges = (max(x1, valid[0]), max(y1, valid[1]), min(x2, valid[2], side), min(y2, valid[3], side))
    return white, edges


def _within(points: NDArray[np.float64], edges: tuple[float, ...]) -> NDArray[np.bool_]:
    left, top, right, bottom = edges
    return np.asarray(((points >= (left, top)) & (points <= (right, bottom))).all(axis=1))


def _box(x: float, y: float, side: int) -> BoxPx:
    return BoxPx(round(x) - side // 2, round(y) - side // 2, side, side)


def _shown(field: Field, box: BoxPx, border: Border) -> NDArray[np.uint8]:
    return field.window(box, mirror_px=_depth(field, border))


def _depth(field: Field, border: Border) -> int | None:
    return None if border == "mirror" or field.mirror_px else 0


def _unexamined(field: Field, box: BoxPx) -> NDArray[np.bool_] | None:
    """Tell which squares of a patch nobody looked at; None where all of it was examined."""
    x, y = (np.arange(start, start + box.width, _SQUARE_PX) + _SQUARE_PX / 2 for start in (box.x, box.y))
    columns, rows = np.meshgrid(x, y)
    examined = field.examined(np.column_stack([columns.ravel(), rows.ravel()]))
    return None if examined.all() else ~examined.reshape(len(y), len(x))


def _whitened(rgb: NDArray[np.uint8], squares: NDArray[np.bool_]) -> NDArray[np.uint8]:
    hidden = squares.repeat(_SQUARE_PX, axis=0).repeat(_SQUARE_PX, axis=1)[: rgb.shape[0], : rgb.shape[1]]
    return np.where(hidden[..., np.newaxis], np.uint8(255), rgb)


def _moved(field: Field, box: BoxPx) -> Labels:
    return field.labels.moved(field.labels.points - (box.x, box.y))


def mirrored_cells(field: Field, *, left: int, top: int, side: int) -> Labels:
    """Return the labelled cells on a patch, in px of the patch; beyond the field their mirror images.

    The mirror image of a mitotic figure looks like one, so it has to be labelled like one.
    """
    labels = field.labels
    parts = [
        labels.moved(np.stack([x - left, y - top], axis=1))
        for x in _images(labels.points[:, 0], field.width, left, side)
        for y in _images(labels.points[:, 1], field.height, top, side)
    ]
    return Labels.joined(*parts)


def _images(places: NDArray[np.float64], length: int, start: int, side: int) -> list[NDArray[np.float64]]:
    """Return places along an axis, and where they come again beyond its ends (see `search.mirrored`)."""
    before = [-places] if start < 0 else []
    beyond = [2 * length - places] if start + side > length else []
    return [places, *before, *beyond]
