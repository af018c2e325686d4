"""A file read at stated places."""

from __future__ import annotations

import os
from pathlib import Path

from mitoscope.errors import SlideFormatError


class PositionalFile:
    """A file that is read at stated places, by any number of threads and processes at once.

    There is no file position that they could move under each other: a child of a fork reads through the
    same descriptor (promise 4). The descriptor is given back when the last user lets go, never under a read
    in progress, whose bytes would then come from whatever file takes its number.

    Parameters
    ----------
    path : Path
        The file.

    Raises
    ------
    SlideFormatError
        If it cannot be opened.
    """

    _descriptor = -1

    def __init__(self, path: Path) -> None:
        try:
            self._descriptor = os.open(path, os.O_RDONLY)
        except OSError as error:
            raise SlideFormatError(f"cannot be read ({error.strerror})", where=path) from None

    def read(self, offset: int, count: int) -> bytes:
        """Return `count` bytes from an offset; fewer where the file ends.

        Raises
        ------
        OSError
            If the disk or the network fails.
        """
        return os.pread(self._descriptor, count, offset)

    def __del__(self) -> None:
        if self._descriptor >= 0:
            os.close(self._descriptor)
