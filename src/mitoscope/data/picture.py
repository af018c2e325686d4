"""A labelled picture in memory."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.field import Labels
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.labels import AMBIGUOUS, MITOTIC_FIGURE
from mitoscope.search import window
from mitoscope.slide import Pixels

GLASS_RGB: Final = 230.0
"""What is lighter on the mean of all channels is glass (Akram et al. 2018: windows above 230 are skipped)."""
_GLASS_PX: Final = 64
_AMBIGUOUS_PX: Final = 20.0


def no_points() -> NDArray[np.float64]:
    """Return an empty array of points, shape (0, 2)."""
    return np.empty((0, 2), dtype=np.float64)


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """Pixels of one case with what is known about them; a `Field` in memory.

    Parameters
    ----------
    name : str
        File name inside its source.
    source : str
        Name of the source in the catalogue.
    case : str
        What may not be on both sides of a split: a slide, a patient, or the picture itself.
    rgb : ndarray of uint8, shape (h, w, 3)
        About 0.25 µm/px.
    figures : ndarray of float64, shape (n, 2)
        x and y of the centres of mitotic figures, px of `rgb`; they may lie outside of it.
    look_alikes : ndarray of float64, shape (m, 2)
        The same for labelled look-alikes.
    look_alike_kinds : ndarray of str, shape (m,)
        What each of them is; one empty text where nobody said. It teaches nothing and is not in the digest.
    mirror_px : int
        How far beyond the picture its mirror image may serve as background. A figure's mirror image would
        be background by its label, so this must end before the nearest one.
    others : Labels
        Further labelled cells, and the agreement where it is stated. Nobody could say what an ambiguous one
        is: there the picture counts as not examined.
    figure_label : str
        Class of the figures, where it is known that they are atypical.
    """

    name: str
    source: str
    case: str
    rgb: NDArray[np.uint8]
    figures: NDArray[np.float64] = field(default_factory=no_points)
    look_alikes: NDArray[np.float64] = field(default_factory=no_points)
    look_alike_kinds: NDArray[np.str_] = field(default_factory=lambda: np.array("", dtype=np.str_))
    mirror_px: int = 0
    others: Labels = field(default_factory=Labels.none)
    figure_label: str = MITOTIC_FIGURE.name

    @property
    def domain(self) -> str:
        """The source: pictures of one source are alike."""
        return self.source

    @property
    def labels(self) -> Labels:
        """All labelled cells."""
        look_alikes = Labels.look_alikes(self.look_alikes, kind=self.look_alike_kinds)
        return Labels.joined(Labels.of(self.figures, self.figure_label), look_alikes, self.others)

    @property
    def size(self) -> SizePx:
        """Columns and rows of `rgb`."""
        return SizePx(self.width, self.height)

    def read(self, box: BoxPx) -> Pixels:
        """Return the pixels of a box inside."""
        rgb = self.rgb[box.y : box.bottom, box.x : box.right]
        return Pixels(rgb, np.broadcast_to(np.True_, rgb.shape[:2]))

    def with_cells(self, more: Labels) -> Picture:
        """Return the picture with further labelled cells; see `Field`."""
        return replace(self, others=Labels.joined(self.others, more))

    def window(self, box: BoxPx, *, mirror_px: int | None = None) -> NDArray[np.uint8]:
        """Return what a network is shown of a box; see `Field`."""
        return window(self, box, mirror_px=mirror_px)

    def examined(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Everywhere but at ambiguous cells: a picture is a field that was looked at as a whole."""
        unclear = self.others.places_of(AMBIGUOUS.name)
        apart = np.hypot(*(points[:, np.newaxis] - unclear).transpose(2, 0, 1))
        return np.asarray((apart > _AMBIGUOUS_PX).all(axis=1))

    def may_be_background(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell where it was examined and there is no glass: see `Field`."""
        glass = np.array([self._is_glass(round(x), round(y)) for x, y in points.tolist()], dtype=np.bool_)
        return self.examined(points) & ~glass

    def _is_glass(self, x: int, y: int) -> bool:
        half = _GLASS_PX // 2
        around = self.rgb[max(y - half, 0) : y + half + 1, max(x - half, 0) : x + half + 1]
        return bool(around.size) and float(around.mean()) > GLASS_RGB

    @property
    def side(self) -> None:
        """None: pictures in memory have no split of their own."""
        return None

    def pixels_sha256(self) -> str:
        """Return the SHA-256 of the pixels."""
        content = hashlib.sha256(f"{self.rgb.shape}".encode())
        content.update(np.ascontiguousarray(self.rgb).data)
        return content.hexdigest()

    def digest(self) -> str:
        """Return the SHA-256 of pixels and labels."""
        content = hashlib.sha256(f"{self.source}/{self.name} {self.case}\n".encode())
        for array in (self.rgb, self.figures, self.look_alikes, self.others.points, self.others.agreement):
            content.update(np.ascontiguousarray(array).tobytes())
        content.update("\n".join(self.others.label.tolist()).encode())
        if self.figure_label != MITOTIC_FIGURE.name:
            content.update(self.figure_label.encode())
        return content.hexdigest()

    @property
    def height(self) -> int:
        """Rows of `rgb`."""
        return int(self.rgb.shape[0])

    @property
    def width(self) -> int:
        """Columns of `rgb`."""
        return int(self.rgb.shape[1])
