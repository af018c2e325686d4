"""Running a detector over whole fields, as inference will do it: tiles with halos, each point once."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from mitoscope.bundle import Border
from mitoscope.data.field import Field
from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx
from mitoscope.models.family import Layout
from mitoscope.slide.pixels import reduced_rgb
from mitoscope.tiles.grid import Tile, TileGrid, owned
from mitoscope.tiles.merge import suppress

Points = NDArray[np.float64]
Find = Callable[[NDArray[np.uint8]], NDArray[np.floating]]
"""Windows uint8 (n, h, w, 3) to points (n, k, 3): x, y in window px and score; unused slots have score 0."""

_BATCH_PX: Final = 4_000_000
_TILE_PX: Final = 1024
_WHITE: Final = np.uint8(255)


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What was found on a field, and where it was looked for.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
        x, y in px of the field and score.
    cores : tuple of BoxPx
        The searched parts; together the whole field unless only some tiles were asked for.
    """

    points: Points
    cores: tuple[BoxPx, ...]

    def among(self, places: Points) -> Points:
        """Return the places, (m, 2), that lie where was searched."""
        inside = [_inside(places, core) for core in self.cores]
        return places[np.any(inside, axis=0)] if inside else places[:0]


def finder(
    network: nn.Module, *, device: torch.device, autocast: Callable[[], AbstractContextManager[object]]
) -> Find:
    """Return a network in evaluation mode as a function of arrays."""

    def find(windows: NDArray[np.uint8]) -> NDArray[np.floating]:
        with torch.inference_mode(), autocast():
            out: torch.Tensor = network(torch.from_numpy(windows).to(device))
        return out.float().cpu().numpy()

    return find


def search(
    find: Find,
    fields: Sequence[Field],
    layout: Layout,
    *,
    tiles_max: int = 0,
    seed: int = 0,
    halo_px: int | None = None,
    border: Border = "mirror",
) -> list[Searched]:
    """Search fields for points.

    Parameters
    ----------
    find : callable
    fields : sequence of Field
    layout : Layout
        Stride, halo and windows of the network; windows are reduced to its resolution.
    tiles_max : int
        Search so many tiles at most, drawn by the seed, always the same; 0 searches all.
    halo_px : int, optional
        Instead of that of the layout.
    border : {"mirror", "white"}
        What a window shows beyond a field.
    """
    tiles = [(index, tile) for index, field in enumerate(fields) for tile in _grid(field, layout, halo_px)]
    if 0 < tiles_max < len(tiles):
        drawn = np.random.default_rng(seed).permutation(len(tiles))[:tiles_max]
        tiles = [tiles[place] for place in sorted(drawn.tolist())]
    points: list[list[Points]] = [[] for _ in fields]
    cores: list[list[BoxPx]] = [[] for _ in fields]
    for group in _groups(tiles):
        windows = np.stack([_cut(fields[index], tile.window, border) for index, tile in group])
        found = find(reduced(windows, layout.reduction)).astype(np.float64)
        found[..., :2] *= layout.reduction
        for (index, tile), own in zip(group, found, strict=True):
            own = own[own[:, 2] > 0] + (tile.window.x, tile.window.y, 0)
            points[index].append(own[owned(own, tile)])
            cores[index].append(tile.core)
    none = np.empty((0, 3))
    return [Searched(np.concatenate([none, *p]), tuple(c)) for p, c in zip(points, cores, strict=True)]


def reduced(windows: NDArray[np.uint8], reduction: int) -> NDArray[np.uint8]:
    """Return the means of squares of `reduction` px of windows (n, h, w, 3), rounded."""
    if reduction == 1:
        return windows
    return np.stack([reduced_rgb(window, reduction) for window in windows])


def suppressed(points: Points, *, radius_px: float, floor: float) -> Detections:
    """Turn points into detections above the floor, the lesser of two near ones left out."""
    points = points[points[:, 2] > floor]
    score = np.clip(points[:, 2], 0.0, 1.0)
    return suppress(Detections.of(points[:, :2], score).sort(), radius_px0=radius_px)


def _grid(field: Field, layout: Layout, halo_px: int | None) -> TileGrid:
    stride = layout.training_stride_px
    halo = layout.reduction * layout.halo_px if halo_px is None else halo_px
    margin = -(-halo // stride) * stride
    fixed = 0 if layout.any_window else layout.reduction * layout.window_px
    tile = (fixed - 2 * margin if fixed else _TILE_PX) // stride * stride
    return TileGrid(BoxPx(0, 0, field.width, field.height), tile, halo, stride, least_px=fixed)


def _cut(field: Field, window: BoxPx, border: Border) -> NDArray[np.uint8]:
    side = max(window.width, window.height)
    rgb = field.cut(window.x, window.y, side)[: window.height, : window.width]
    if border == "mirror" or window.intersection(BoxPx(0, 0, field.width, field.height)) == window:
        return rgb
    y, x = np.arange(window.y, window.bottom), np.arange(window.x, window.right)
    known = ((y >= 0) & (y < field.height))[:, np.newaxis] & (x >= 0) & (x < field.width)
    return np.where(known[..., np.newaxis], rgb, _WHITE)


def _groups(tiles: Sequence[tuple[int, Tile]]) -> Iterator[list[tuple[int, Tile]]]:
    """Neighbours of one size together, as many as a batch may have."""
    group: list[tuple[int, Tile]] = []
    for index, tile in tiles:
        shape = (tile.window.width, tile.window.height)
        fits = group and (group[0][1].window.width, group[0][1].window.height) == shape
        if group and (not fits or (len(group) + 1) * shape[0] * shape[1] > _BATCH_PX):
            yield group
            group = []
        group.append((index, tile))
    if group:
        yield group


def _inside(places: Points, core: BoxPx) -> NDArray[np.bool_]:
    x, y = places[:, 0], places[:, 1]
    return (x >= core.x) & (x < core.right) & (y >= core.y) & (y < core.bottom)
