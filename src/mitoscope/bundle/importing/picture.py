"""The picture of the self-test: a real field of H&E, and where mitotic figures are in it."""

from __future__ import annotations

import io
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from mitoscope.bundle.load import Bundle, load_bundle
from mitoscope.bundle.network import open_network
from mitoscope.bundle.verify import points_above
from mitoscope.errors import BundleError
from mitoscope.fsio import open_regular

_JUDGE: Final = "semi-fcn"
"""The shipped detector that looks for figures in a picture, and whose own self-test shows one."""
_SIDE_MAX_PX: Final = 8192
REACH_UM: Final = 7.5
"""A point nearer than this to a figure is that figure (the radius of MIDOG)."""


@dataclass(frozen=True, eq=False)
class Field:
    """A field of H&E.

    Parameters
    ----------
    rgb : ndarray of uint8, shape (h, w, 3)
    figures : ndarray of float64, shape (n, 2)
        x, y of the mitotic figures in it, px.
    mpp : float
        µm in a px.
    """

    rgb: NDArray[np.uint8]
    figures: NDArray[np.float64]
    mpp: float

    def crop(self, side: int) -> Field:
        """Return a square around the first figure, or in the middle; the field is mirrored where it ends."""
        height, width = self.rgb.shape[:2]
        x, y = self.figures[0] if len(self.figures) else (width / 2, height / 2)
        columns, rows = _span(x, side, width), _span(y, side, height)
        rgb = np.ascontiguousarray(self.rgb[rows][:, columns])
        places = [
            (column + 0.5, row + 0.5)
            for x, y in self.figures
            for row in np.flatnonzero(rows == int(y))
            for column in np.flatnonzero(columns == int(x))
        ]
        return Field(rgb, np.array(places, dtype=np.float64).reshape(-1, 2), self.mpp)


def _span(middle: float, side: int, size: int) -> NDArray[np.intp]:
    """Return the pixel that each place of a crop shows along an axis."""
    start = int(np.clip(round(middle - side / 2), 0, max(size - side, 0)))
    if size < side:
        start = (size - side) // 2
    folded = np.arange(start, start + side) % (2 * size)
    return np.where(folded < size, folded, 2 * size - 1 - folded)


def read_field(path: Path | None, *, mpp: float, stated_mpp: float | None = None) -> Field:
    """Return a field at a resolution.

    Parameters
    ----------
    path : Path or None
        A picture; None: the shipped one, 32 µm of breast carcinoma around a metaphase.
    mpp : float
        Wanted, µm/px.
    stated_mpp : float, optional
        Of the picture; by default the wanted one.

    Raises
    ------
    BundleError
        If the picture cannot be read or is too large.
    """
    judge = _judge()
    if path is None:
        rgb, own = _decoded(judge.read(judge.manifest.self_test.image), where=_JUDGE), judge.manifest.mpp
    else:
        try:
            with open_regular(path) as stream:
                rgb = _decoded(stream.read(), where=str(path))
        except OSError as error:
            raise BundleError(f"cannot be read ({error.strerror})", where=path) from None
        own = mpp if stated_mpp is None else stated_mpp
    figures = _figures(judge, rgb, own) * (own / mpp)
    return Field(_resampled(rgb, own / mpp), figures, mpp)


@cache
def _judge() -> Bundle:
    return load_bundle(_JUDGE)


def _figures(judge: Bundle, rgb: NDArray[np.uint8], mpp: float) -> NDArray[np.float64]:
    """Return where the shipped detector sees figures, px of the picture."""
    manifest = judge.manifest
    factor = mpp / manifest.mpp
    seen = _resampled(rgb, factor)
    height, width = (size - size % manifest.stride_px for size in seen.shape[:2])
    if min(height, width) < 2 * manifest.aligned_halo_px // 2:
        return np.empty((0, 2))
    points = points_above(
        open_network(judge.onnx, where=_JUDGE),
        np.ascontiguousarray(seen[:height, :width]),
        floor=manifest.default_threshold,
        where=_JUDGE,
    )
    kept: list[NDArray[np.float64]] = []
    for place in points[:, :2]:
        if all(np.hypot(*(place - other)) * manifest.mpp > REACH_UM for other in kept):
            kept.append(place)
    return np.array(kept, dtype=np.float64).reshape(-1, 2) / factor


def _resampled(rgb: NDArray[np.uint8], factor: float) -> NDArray[np.uint8]:
    if abs(factor - 1) < 1e-6:
        return rgb
    height, width = (max(round(size * factor), 1) for size in rgb.shape[:2])
    if max(height, width) > _SIDE_MAX_PX:
        raise BundleError(f"a self-test picture of {width} × {height} px is too large")
    return np.asarray(Image.fromarray(rgb).resize((width, height), Image.Resampling.LANCZOS), dtype=np.uint8)


def _decoded(content: bytes, *, where: str) -> NDArray[np.uint8]:
    try:
        with Image.open(io.BytesIO(content)) as image:
            if max(image.size) > _SIDE_MAX_PX:
                raise BundleError(f"a side longer than {_SIDE_MAX_PX} px", where=where, mend="crop it")
            return np.asarray(image.convert("RGB"), dtype=np.uint8)
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise BundleError(f"no picture ({error})", where=where) from None
