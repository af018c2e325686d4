"""The grid of tiles: which window is read for which core, and who owns a point."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx


@dataclass(frozen=True, slots=True)
class Tile:
    """One window of a grid and the part of the plane that it answers for.

    Parameters
    ----------
    index : int
        Row by row from the upper left.
    window : BoxPx
        What is read, in plane px; may reach beyond the slide.
    core : BoxPx
        What it owns, in plane px: [x, right) × [y, bottom).
    """

    index: int
    window: BoxPx
    core: BoxPx


@dataclass(frozen=True, slots=True)
class TileGrid:
    """Square tiles over a region whose cores cover it without gap or overlap.

    Parameters
    ----------
    region : BoxPx
        In plane px.
    tile_px : int
        Side of a core; a multiple of `stride_px`. Cores at the region's edges are cut to it.
    halo_px : int
        What a window reaches beyond its core at least: half the receptive field or more.
    stride_px : int
        Stride of the network. Windows begin on multiples of it in the plane, wherever the region begins, so
        that a place has the same phase in every window that sees it.

    Raises
    ------
    ConfigError
        If `tile_px` is not a positive multiple of `stride_px`, or the halo is negative.
    """

    region: BoxPx
    tile_px: int
    halo_px: int
    stride_px: int
    least_px: int = 0

    def __post_init__(self) -> None:
        if self.stride_px < 1 or self.tile_px < self.stride_px or self.tile_px % self.stride_px:
            raise ConfigError(
                f"a tile of {self.tile_px} px is no positive multiple of the stride of {self.stride_px} px",
                where="tile size",
                mend=f"take {max(round(self.tile_px / max(self.stride_px, 1)), 1) * self.stride_px}",
            )
        if self.halo_px < 0:
            raise ConfigError(f"a halo of {self.halo_px} px is negative", where="halo")

    @property
    def margin_px(self) -> int:
        """The halo rounded up to a multiple of the stride."""
        return -(-self.halo_px // self.stride_px) * self.stride_px

    @property
    def window_px(self) -> int:
        """Side of the largest windows."""
        return self.tile_px + 2 * self.margin_px

    @property
    def origin(self) -> tuple[int, int]:
        """Upper left corner of the lattice: the region's, moved to a multiple of the stride."""
        stride = self.stride_px
        return self.region.x // stride * stride, self.region.y // stride * stride

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns."""
        x, y = self.origin
        return -(-(self.region.bottom - y) // self.tile_px), -(-(self.region.right - x) // self.tile_px)

    def __len__(self) -> int:
        rows, columns = self.shape
        return rows * columns

    def __getitem__(self, index: int) -> Tile:
        if not 0 <= index < len(self):
            raise IndexError(index)
        row, column = divmod(index, self.shape[1])
        x, y = self.origin
        cell = BoxPx(x + column * self.tile_px, y + row * self.tile_px, self.tile_px, self.tile_px)
        core = cell.intersection(self.region)
        assert core is not None  # rows and columns end at the last cell
        width, height = self._side(core.right - cell.x), self._side(core.bottom - cell.y)
        margin = self.margin_px
        return Tile(index, BoxPx(cell.x - margin, cell.y - margin, width, height), core)

    def narrowed(self, tile: Tile, wanted: BoxPx) -> Tile | None:
        """Return a tile with a core cut down to what is wanted of it; None where that is nothing.

        What is found there stays what it was: the window keeps its halo and its place on the lattice.
        """
        core = tile.core.intersection(wanted)
        if core is None:
            return None
        stride, margin = self.stride_px, self.margin_px
        left, top = core.x // stride * stride, core.y // stride * stride
        width, height = self._side(core.right - left), self._side(core.bottom - top)
        return Tile(tile.index, BoxPx(left - margin, top - margin, width, height), core)

    def _side(self, wanted_px: int) -> int:
        whole = -(-wanted_px // self.stride_px) * self.stride_px + 2 * self.margin_px
        return max(whole, self.least_px)

    def __iter__(self) -> Iterator[Tile]:
        return (self[index] for index in range(len(self)))


def owned(points: NDArray[np.float64], tile: Tile) -> NDArray[np.bool_]:
    """Tell which points a tile owns.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        x and y in plane px.
    tile : Tile
        Its core is half-open, so that every point of the region has exactly one owner.

    Returns
    -------
    ndarray of bool, shape (n,)
    """
    core = tile.core
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x >= core.x) & (x < core.right) & (y >= core.y) & (y < core.bottom))
