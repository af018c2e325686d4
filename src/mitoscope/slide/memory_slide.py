"""A slide whose pixels are an array in memory."""

from __future__ import annotations

import hashlib

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import SlideFormatError
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.slide.info import Level, SlideInfo
from mitoscope.slide.pixels import WHITE, Pixels
from mitoscope.slide.slide import Slide


class MemorySlide(Slide):
    """A slide of one level in memory.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (H, W, 3)
        Colours. Not copied: do not change them afterwards.
    mpp : Mpp
        Resolution.
    name : str
        Name of the slide.
    valid : ndarray of bool, shape (H, W), optional
        Where the slide was scanned; everywhere if not given.
    info : SlideInfo, optional
        The description, for readers that decode a file at once; by default made from the rest.

    Raises
    ------
    SlideFormatError
        If the array does not hold colours of 8 bits or is empty.
    """

    def __init__(
        self,
        rgb: NDArray[np.uint8],
        *,
        mpp: Mpp,
        name: str = "memory",
        valid: NDArray[np.bool_] | None = None,
        info: SlideInfo | None = None,
    ) -> None:
        if rgb.ndim != 3 or rgb.shape[2] != 3 or rgb.dtype != np.uint8 or rgb.size == 0:
            raise SlideFormatError(
                f"expected uint8 (H, W, 3), got {rgb.dtype} {rgb.shape}", where=info.path if info else name
            )
        if valid is not None and valid.shape != rgb.shape[:2]:
            raise SlideFormatError(
                f"valid has shape {valid.shape}, the colours {rgb.shape[:2]}",
                where=info.path if info else name,
            )
        self._rgb: NDArray[np.uint8] | None = rgb
        self._valid = valid
        self.info = info or _describe(rgb, mpp=mpp, name=name)

    def _read_inside(self, box: BoxPx, level: int) -> Pixels:  # noqa: ARG002 (there is one level)
        if self._rgb is None:
            raise self._closed_error()
        rows, columns = slice(box.y, box.bottom), slice(box.x, box.right)
        rgb = self._rgb[rows, columns].copy()
        if self._valid is None:
            return Pixels(rgb, np.ones(rgb.shape[:2], np.bool_))
        valid = self._valid[rows, columns].copy()
        rgb[~valid] = WHITE
        return Pixels(rgb, valid)

    def __reduce__(self) -> tuple[object, ...]:
        if self.info.path is not None:  # an image that was decoded at once
            return super().__reduce__()
        return _rebuild, (self._rgb, self._valid, self.info)

    def close(self) -> None:
        """Let go of the array."""
        self._rgb = self._valid = None


def _rebuild(rgb: NDArray[np.uint8], valid: NDArray[np.bool_] | None, info: SlideInfo) -> MemorySlide:
    return MemorySlide(rgb, mpp=info.mpp, valid=valid, info=info)


def _describe(rgb: NDArray[np.uint8], *, mpp: Mpp, name: str) -> SlideInfo:
    size = SizePx(rgb.shape[1], rgb.shape[0])
    digest = hashlib.sha256(f"{size.width}x{size.height}".encode())
    digest.update(np.ascontiguousarray(rgb).data)
    return SlideInfo(
        path=None,
        name=name,
        reader="memory",
        size=size,
        levels=(Level(size, 1.0, 1.0),),
        mpp=mpp,
        mpp_source="memory",
        objective_power=None,
        bounds=None,
        vendor=None,
        fingerprint=f"sha256:{digest.hexdigest()}",
    )
