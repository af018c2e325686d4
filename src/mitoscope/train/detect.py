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
from mitoscope.search import Find, find, in_batches
from mitoscope.slide.pixels import reduced_rgb
from mitoscope.tiles import Tile, TileGrid, merge

Points = NDArray[np.float64]

_BATCH_PX: Final = 4_000_000
_TILE_PX: Final = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Searched:
    """What was found on a field, and where it was looked for.

    Parameters
    ----------
    points : ndarray of float64, shape (n, 3)
        x, y in px of the field and score; those in the examined area.
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

    def network_on(windows: NDArray[np.uint8]) -> NDArray[np.floating]:
        with torch.inference_mode(), autocast():
            out: torch.Tensor = network(torch.from_numpy(windows).to(device))
        return out.float().cpu().numpy()

    return network_on


def search(
    network: Find,
    fields: Sequence[Field],
    layout: Layout,
    *,
    floor: float = 0.0,
    tiles_max: int = 0,
    seed: int = 0,
    halo_px: int | None = None,
    border: Border = "mirror",
) -> list[Searched]:
    """Search fields for points, by the rules by which slides are searched.

    Parameters
    ----------
    network : callable
    fields : sequence of Field
    layout : Layout
        Stride, halo and windows of the network; windows are reduced to its resolution.
    floor : float
        Points with a score above it count.
    tiles_max : int
        Search so many tiles at most, drawn by the seed, always the same; 0 searches all.
    halo_px : int, optional
        Instead of that of the layout.
    border : {"mirror", "white"}
        What a window shows beyond a field.
    """
    grids = [_grid(field, layout, halo_px) for field in fields]
    places = [(index, tile) for index, grid in enumerate(grids) for tile in grid]
    if 0 < tiles_max < len(places):
        drawn = np.random.default_rng(seed).permutation(len(places))[:tiles_max]
        places = [places[place] for place in sorted(drawn.tolist())]
    look = in_batches(_reducing(network, layout.reduction), batch_px=_BATCH_PX)
    points: list[list[Points]] = [[] for _ in fields]
    cores: list[list[BoxPx]] = [[] for _ in fields]
    for group in _groups(places):
        tiles = [tile for _, tile in group]
        windows = [
            fields[index].window(tile.window, mirror_px=grids[index].margin_px if border == "mirror" else 0)
            for index, tile in group
        ]
        found = find(tiles, windows, look, grid=grids[group[0][0]], floor=floor, divide=False)
        for (index, tile), own in zip(group, found.points, strict=True):
            # Where nobody looked, what is found is neither right nor wrong.
            points[index].append(own[fields[index].examined(own[:, :2])])
            cores[index].append(tile.core)
    none = np.empty((0, 3))
    return [Searched(np.concatenate([none, *p]), tuple(c)) for p, c in zip(points, cores, strict=True)]


def _reducing(network: Find, reduction: int) -> Find:
    """Return a network that is shown windows at its own resolution and answers in px of the fields."""
    if reduction == 1:
        return network

    def find_reduced(windows: NDArray[np.uint8]) -> NDArray[np.floating]:
        found = network(reduced(windows, reduction)).astype(np.float64)
        found[..., :2] *= reduction
        return found

    return find_reduced


def reduced(windows: NDArray[np.uint8], reduction: int) -> NDArray[np.uint8]:
    """Return the means of squares of `reduction` px of windows (n, h, w, 3), rounded."""
    if reduction == 1:
        return windows
    return np.stack([reduced_rgb(window, reduction) for window in windows])


def suppressed(points: Points, *, radius_px: float, floor: float) -> Detections:
    """Turn points into detections above the floor, the lesser of two near ones left out."""
    points = points[points[:, 2] > floor]
    score = np.clip(points[:, 2], 0.0, 1.0)
    return merge([Detections.of(points[:, :2], score)], radius_px0=radius_px)


def _grid(field: Field, layout: Layout, halo_px: int | None) -> TileGrid:
    stride = layout.training_stride_px
    halo = layout.reduction * layout.halo_px if halo_px is None else halo_px
    margin = -(-halo // stride) * stride
    fixed = 0 if layout.any_window else layout.reduction * layout.window_px
    tile = (fixed - 2 * margin if fixed else _TILE_PX) // stride * stride
    return TileGrid(BoxPx(0, 0, field.width, field.height), tile, halo, stride, least_px=fixed)


def _groups(places: Sequence[tuple[int, Tile]]) -> Iterator[list[tuple[int, Tile]]]:
    """Yield neighbours together whose windows may be in memory at once."""
    group: list[tuple[int, Tile]] = []
    size = 0
    for index, tile in places:
        own = tile.window.width * tile.window.height
        if group and size + own > _BATCH_PX:
            yield group
            group, size = [], 0
        group.append((index, tile))
        size += own
    if group:
        yield group


def _inside(places: Points, core: BoxPx) -> NDArray[np.bool_]:
    x, y = places[:, 0], places[:, 1]
    return (x >= core.x) & (x < core.right) & (y >= core.y) & (y < core.bottom)
