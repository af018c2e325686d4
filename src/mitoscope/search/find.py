"""From windows to points: what a network says of each, and what of it counts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Border
from mitoscope.tiles import Tile, TileGrid, owned

Find = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""A network as a function: windows uint8 (n, h, w, 3) to points (n, k, 3) with x, y in window px and score;
unused slots have the score 0."""
Look = Callable[[Sequence[NDArray[np.uint8]], Sequence[Tile]], Sequence[NDArray[np.floating]]]
"""Runs a network over windows of any number and shape, in batches; points (k, 3) for each window."""


@dataclass(frozen=True, slots=True)
class Detector:
    """A network that finds points, and what it expects of its windows.

    Parameters
    ----------
    network : callable
    mpp : float
        Resolution at which it works, µm/px.
    border : {"mirror", "white"}
        What a window shows beyond the source.
    """

    network: Find
    mpp: float
    border: Border = "mirror"

    def mirror_px(self, reach_px: int) -> int:
        """Return how deep windows are mirrored whose cores lie so far from their borders."""
        return reach_px if self.border == "mirror" else 0


# Points are kept on a grid of 1/64 px and 1e-6 of score: far below what matters, far above the last bits in
# which two processors, batch sizes or thread counts may differ.
_STEPS_PER_PX = 64
_SCORE_DECIMALS = 6


@dataclass(frozen=True, eq=False)
class Found:
    """What was found in some tiles.

    Parameters
    ----------
    points : tuple of ndarray of float64, shape (n, 3)
        For each tile x, y in px of the source, and score; not yet merged.
    saturated : int
        Parts in which every slot of the output was used and which could not be divided further, so that
        points may be missing.
    """

    points: tuple[NDArray[np.float64], ...]
    saturated: int

    def together(self) -> NDArray[np.float64]:
        """Return the points of all tiles, shape (n, 3)."""
        return np.concatenate([np.empty((0, 3)), *self.points])


def find(
    tiles: Sequence[Tile],
    windows: Sequence[NDArray[np.uint8]],
    look: Look,
    *,
    grid: TileGrid,
    floor: float,
    divide: bool = True,
) -> Found:
    """Run a network over the windows of tiles and keep what each tile owns.

    Parameters
    ----------
    tiles : sequence of Tile
    windows : sequence of ndarray of uint8, shape (h, w, 3)
        Of the tiles.
    look : callable
    grid : TileGrid
        Whose tiles they are, for the sizes of parts.
    floor : float
        Points with a score above it count.
    divide : bool
        Look again in parts at a tile for which the network uses all its slots, since it may have had more to
        say. Not for a network in training, which may fill its slots everywhere.
    """
    slots = look(windows, tiles)
    kept: list[NDArray[np.float64]] = []
    saturated = 0
    for tile, shown, answer in zip(tiles, windows, slots, strict=True):
        full = bool((answer[:, 2] > floor).all())
        parts = _divided(grid, tile, shown) if full and divide else []
        if parts:
            again = find([part for part, _ in parts], [w for _, w in parts], look, grid=grid, floor=floor)
            kept.append(again.together())
            saturated += again.saturated
        else:
            kept.append(_owned_points(tile, answer, floor=floor))
            saturated += full
    return Found(tuple(kept), saturated)


def in_batches(network: Find, *, batch_px: int) -> Look:
    """Return what looks at neighbouring windows of one shape together.

    Parameters
    ----------
    network : callable
    batch_px : int
        Pixels of a batch at most; a single window may have more.
    """

    def look(windows: Sequence[NDArray[np.uint8]], tiles: Sequence[Tile]) -> list[NDArray[np.floating]]:
        del tiles
        return [points for batch in _alike(windows, batch_px) for points in network(np.stack(batch))]

    return look


def _alike(windows: Iterable[NDArray[np.uint8]], batch_px: int) -> Iterator[list[NDArray[np.uint8]]]:
    batch: list[NDArray[np.uint8]] = []
    for shown in windows:
        height, width = shown.shape[:2]
        if batch and (batch[0].shape != shown.shape or (len(batch) + 1) * height * width > batch_px):
            yield batch
            batch = []
        batch.append(shown)
    if batch:
        yield batch


def _divided(grid: TileGrid, tile: Tile, shown: NDArray[np.uint8]) -> list[tuple[Tile, NDArray[np.uint8]]]:
    """Divide a tile into about four with their windows; nothing where the network needs a larger one."""
    half = -(-max(tile.core.width, tile.core.height) // 2)
    finer = replace(grid, region=tile.core, tile_px=-(-half // grid.stride_px) * grid.stride_px)
    parts = list(finer)
    if len(parts) == 1 or any(part.window.intersection(tile.window) != part.window for part in parts):
        return []
    x, y = tile.window.x, tile.window.y
    return [
        (part, shown[part.window.y - y : part.window.bottom - y, part.window.x - x : part.window.right - x])
        for part in parts
    ]


def _owned_points(tile: Tile, answer: NDArray[np.floating], *, floor: float) -> NDArray[np.float64]:
    slots = answer.astype(np.float64)
    score = np.round(slots[:, 2], _SCORE_DECIMALS)
    used = score > floor
    place = np.round(slots[used, :2] * _STEPS_PER_PX) / _STEPS_PER_PX + (tile.window.x, tile.window.y)
    mine = owned(place, tile)
    return np.column_stack([place[mine], score[used][mine]])
