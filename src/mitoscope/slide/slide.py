"""A slide: its description and one way to read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import TYPE_CHECKING, Self

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import LevelError, RegionError, SlideReadError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.slide.info import SlideInfo
from mitoscope.slide.pixels import Pixels, reduced_size

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_READ_PX = 1 << 28
"""Most pixels one read may ask for: 16,384 × 16,384, 800 MB of colours."""


class Slide(ABC):
    """A slide that can be read. A context manager that closes it at the end.

    Attributes
    ----------
    info : SlideInfo
        What is known about the slide.
    reductions : tuple of int
        Whole factors by which `read_reduced` reads; there are some where that costs less than a whole read.
    """

    info: SlideInfo
    reductions: tuple[int, ...] = ()

    def read(self, box: BoxPx, *, level: int = 0) -> Pixels:
        """Read a box.

        Parameters
        ----------
        box : BoxPx
            In pixels of the level; it may reach beyond the slide.
        level : int
            Level of the pyramid.

        Returns
        -------
        Pixels
            Outside of the slide, where the scanner left the slide out, and where data are damaged, the
            pixels are white and invalid; damaged parts are also listed.

        Raises
        ------
        LevelError
            If the slide has no such level.
        RegionError
            If the box holds more than `MAX_READ_PX` pixels.
        SlideReadError
            If the slide is closed or its file can no longer be opened.
        """
        size = self.info.level(level).size
        return self._read_framed(box, size, lambda inside: self._read_inside(inside, level))

    def read_reduced(self, box: BoxPx, *, reduction: int, level: int = 0) -> Pixels:
        """Read a box of a level that is reduced while it is decoded.

        Parameters
        ----------
        box : BoxPx
            In reduced pixels: the one in column 0 shows the columns [0, reduction) of the level.
        reduction : int
            One of `reductions`.
        level : int
            Level of the pyramid.

        Returns
        -------
        Pixels
            As `read`; a pixel is valid where at least half of what it shows is. Windows agree bit for bit
            where they overlap.

        Raises
        ------
        LevelError
            If the slide has no such level, or cannot be read reduced by that factor.
        RegionError, SlideReadError
            As `read`.
        """
        size = reduced_size(self.info.level(level).size, reduction)
        if reduction not in self.reductions:
            raise LevelError(f"cannot be read reduced by {reduction}", where=self.info.path or self.info.name)
        return self._read_framed(
            box, size, lambda inside: self._read_reduced_inside(inside, level, reduction)
        )

    def _read_framed(self, box: BoxPx, size: SizePx, read: Callable[[BoxPx], Pixels]) -> Pixels:
        """Read what lies inside of a level and lay white, invalid pixels around it."""
        if box.width * box.height > MAX_READ_PX:
            raise RegionError(
                f"a region of {box.width} × {box.height} px is too large to read at once",
                where=self.info.name,
                mend="read it in parts or at a higher level",
            )
        inside = box.intersection(BoxPx(0, 0, size.width, size.height))
        if inside is None:
            return Pixels.nothing(box.width, box.height)
        pixels = read(inside)
        if inside == box:
            return pixels
        whole = Pixels.nothing(box.width, box.height)
        here = box.slices_of(inside)
        whole.rgb[here], whole.valid[here] = pixels.rgb, pixels.valid
        return Pixels(whole.rgb, whole.valid, pixels.damaged)

    @abstractmethod
    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        """Read a box that lies within the level."""

    def _read_reduced_inside(self, box: BoxPx, level: int, reduction: int) -> Pixels:
        """Read a box that lies within the reduced level; for slides that have `reductions`."""
        raise NotImplementedError

    def thumbnail(self, max_side_px: int = 1024) -> NDArray[np.uint8]:
        """Return the whole slide as colours, shape (h, w, 3), with a longer side of at most `max_side_px`.

        Raises
        ------
        RegionError, SlideReadError
            As `read`.
        """
        from mitoscope.slide.plane import read_thumbnail

        return read_thumbnail(self, max_side_px).rgb

    def plot(self, ax: Axes | None = None) -> Axes:
        """Draw the whole slide with a scale bar.

        Parameters
        ----------
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. Its coordinates are level-0 pixels.
        """
        from mitoscope.slide.showing import plot_slide

        return plot_slide(self, ax)

    def _repr_html_(self) -> str:
        from mitoscope.slide.showing import slide_html

        return slide_html(self)

    def suspected(self) -> tuple[tuple[int, BoxPx], ...]:
        """Return level and place of the tiles read so far that look damaged though they could be decoded."""
        return ()

    @abstractmethod
    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""

    def __reduce__(self) -> tuple[object, ...]:
        # A slide travels as its address: it is opened again where it arrives, and has to be the same there.
        from mitoscope.slide.opening import reopen_slide  # the readers stand above their base

        return reopen_slide, (self.info,)

    def _closed_error(self) -> SlideReadError:
        return SlideReadError("the slide is closed", where=self.info.path or self.info.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
