"""A slide: its description and one way to read it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from types import TracebackType
from typing import Self

from mitoscope.errors import RegionError, SlideReadError
from mitoscope.geometry import BoxPx
from mitoscope.slide.info import SlideInfo
from mitoscope.slide.pixels import Pixels

MAX_READ_PX = 1 << 28
"""Most pixels one read may ask for: 16,384 × 16,384, 800 MB of colours."""


class Slide(ABC):
    """A slide that can be read. A context manager that closes it at the end.

    Attributes
    ----------
    info : SlideInfo
        What is known about the slide.
    """

    info: SlideInfo

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
        if box.width * box.height > MAX_READ_PX:
            raise RegionError(
                f"a region of {box.width} × {box.height} px is too large to read at once",
                where=self.info.name,
                mend="read it in parts or at a higher level",
            )
        inside = box.intersection(BoxPx(0, 0, size.width, size.height))
        if inside is None:
            return Pixels.nothing(box.width, box.height)
        pixels = self._read_inside(inside, level)
        if inside == box:
            return pixels
        whole = Pixels.nothing(box.width, box.height)
        rows = slice(inside.y - box.y, inside.bottom - box.y)
        columns = slice(inside.x - box.x, inside.right - box.x)
        whole.rgb[rows, columns] = pixels.rgb
        whole.valid[rows, columns] = pixels.valid
        return Pixels(whole.rgb, whole.valid, pixels.damaged)

    @abstractmethod
    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        """Read a box that lies within the level."""

    def thumbnail(self, max_side_px: int) -> Pixels:
        """Return the whole slide, reduced so that its longer side has at most `max_side_px` pixels.

        A slide that is smaller than that is returned as it is.
        """
        from mitoscope.slide.resample import read_thumbnail  # that module reads slides

        return read_thumbnail(self, max_side_px)

    @abstractmethod
    def close(self) -> None:
        """Let go of the file. Closing twice does nothing."""

    def _closed_error(self) -> SlideReadError:
        return SlideReadError("the slide is closed", where=self.info.path or self.info.name)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
