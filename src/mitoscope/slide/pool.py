"""Slides shared within a process.

Opening a slide costs milliseconds to seconds, so a worker opens each slide once. A handle must not cross a
fork: parent and child would share one file position and read each other's bytes (promise 4). The pool is
keyed by process, path, modification time and size, and a child starts with an empty one.
"""

from __future__ import annotations

import os
import threading
from collections import OrderedDict
from pathlib import Path

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx
from mitoscope.slide.opening import open_slide
from mitoscope.slide.pixels import Pixels
from mitoscope.slide.slide import Slide

CAPACITY = 8
"""Slides kept open in a process; the one used longest ago goes first."""

_Key = tuple[str, int, int, float | None, bool]


class SharedSlide(Slide):
    """A slide of the pool. Closing it does nothing: others may be reading it."""

    def __init__(self, slide: Slide) -> None:
        self._slide = slide
        self.info = slide.info
        self.reductions = slide.reductions

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:
        return self._slide.read(box, level=level)

    def _read_reduced_inside(self, box: BoxPx, level: int, reduction: int) -> Pixels:
        return self._slide.read_reduced(box, reduction=reduction, level=level)

    def close(self) -> None:
        """Do nothing: the pool closes its slides."""


class Pool:
    """Slides open in this process."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._start()

    def _start(self) -> None:
        self._pid = os.getpid()
        self._lock = threading.Lock()
        self._slides: OrderedDict[_Key, SharedSlide] = OrderedDict()

    def acquire(self, path: Path, mpp: float | None = None, *, mpp_override: bool = False) -> Slide:
        """Return the slide, opening it if this process has not yet."""
        if self._pid != os.getpid():
            # The parent's slides are kept and never touched, not even to close them: their locks may be
            # held by threads that do not exist here.
            self._inherited = self._slides
            self._start()
        key = _key(path, mpp, mpp_override=mpp_override)
        with self._lock:
            slide = self._slides.get(key)
            if slide is None:
                opened = open_slide(path, mpp=mpp, mpp_override=mpp_override, probe=False)
                slide = self._slides[key] = SharedSlide(opened)
                while len(self._slides) > self._capacity:
                    self._slides.popitem(last=False)  # closes once its last reader lets go
            self._slides.move_to_end(key)
            return slide

    def clear(self) -> None:
        """Let go of all slides."""
        with self._lock:
            self._slides.clear()

    def __len__(self) -> int:
        return len(self._slides)


def _key(path: Path, mpp: float | None, *, mpp_override: bool) -> _Key:
    try:
        status = path.stat()
    except OSError as error:
        raise SlideFormatError(f"cannot be read ({error.strerror})", where=path) from None
    return str(path.absolute()), status.st_mtime_ns, status.st_size, mpp, mpp_override


_POOL = Pool()


def acquire(path: Path | str, mpp: float | None = None, *, mpp_override: bool = False) -> Slide:
    """Return a slide shared by all users in this process.

    The file is not probed: probe it once, with `open_slide`, before workers acquire it.

    Parameters
    ----------
    path : Path or str
        The slide.
    mpp : float, optional
        Resolution, if the file states none.
    mpp_override : bool
        Let it replace also what the file states.

    Raises
    ------
    SlideFormatError, ScaleError
        As `open_slide`.
    """
    return _POOL.acquire(Path(path), mpp, mpp_override=mpp_override)
