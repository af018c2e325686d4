"""The search of one chunk: from pixels to candidates in level-0 px."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0
from mitoscope.infer.engine import Engine
from mitoscope.infer.survey import Chunk, Survey
from mitoscope.search import Block, find, read_windows
from mitoscope.tiles import Tile

if TYPE_CHECKING:
    from mitoscope.infer.cascade import Networks


@dataclass(frozen=True, eq=False)
class ChunkResult:
    """What was found in a chunk.

    Parameters
    ----------
    points_px0 : ndarray, shape (n, 2)
        Candidates before suppression, in level-0 px.
    score : ndarray, shape (n,)
        Above the bundle's floor.
    gaps_px0 : tuple of BoxPx0
        Parts that could not be decoded.
    saturated_tiles : int
        Parts in which every slot of the output was used and which could not be divided further, so that
        candidates may be missing.
    read_s, network_s : float
        Seconds spent.
    suspects_px0 : tuple of BoxPx0
        Stored tiles that look damaged though they could be decoded.
    """

    points_px0: NDArray[np.float64]
    score: NDArray[np.float64]
    gaps_px0: tuple[BoxPx0, ...] = ()
    saturated_tiles: int = 0
    read_s: float = 0.0
    network_s: float = 0.0
    suspects_px0: tuple[BoxPx0, ...] = ()


@dataclass(frozen=True, eq=False)
class ReadChunk:
    """A chunk whose pixels are there."""

    chunk: Chunk
    block: Block
    read_s: float


def read_chunk(survey: Survey, chunk: Chunk) -> ReadChunk:
    """Read the pixels of a chunk."""
    start = time.perf_counter()
    block = read_windows(survey.plane, [tile.window for tile in chunk.tiles], mirror_px=survey.mirror_px)
    return ReadChunk(chunk, block, time.perf_counter() - start)


def search_chunk(survey: Survey, read: ReadChunk, engine: Engine, *, floor: float) -> ChunkResult:
    """Run the network over a chunk and keep what its tiles own.

    Raises
    ------
    NonFiniteError, OutOfMemoryError, RunError
        As `Engine.find`; the error names the tile.
    """

    def look(windows: Sequence[NDArray[np.uint8]], tiles: Sequence[Tile]) -> list[NDArray[np.float32]]:
        return engine.find(windows, places=[_place(survey, tile) for tile in tiles])

    start = time.perf_counter()
    found = find(read.chunk.tiles, read.block.windows, look, grid=survey.grid, floor=floor)
    network_s = time.perf_counter() - start
    points = found.together()
    points = points[read.block.valid_at(points)]
    places = survey.plane.to_px0(points[:, :2])
    wanted = survey.contains(places)
    return ChunkResult(
        places[wanted],
        points[wanted, 2],
        _gaps(survey, read),
        found.saturated,
        read.read_s,
        network_s,
        _suspects(survey, read.chunk),
    )


@dataclass(frozen=True, slots=True)
class ChunkSearch:
    """The search of a slide's chunks, wherever they are searched.

    Parameters
    ----------
    survey : Survey
    batch : int
        Windows in one call of the network.
    floor : float
        The bundle's.
    """

    survey: Survey
    batch: int
    floor: float

    def begin(self, networks: Networks) -> Callable[[Chunk], ChunkResult]:
        """Return what searches a chunk."""
        engine = Engine(networks.detector, batch=self.batch)
        return lambda chunk: search_chunk(
            self.survey, read_chunk(self.survey, chunk), engine, floor=self.floor
        )


def _place(survey: Survey, tile: Tile) -> str:
    x, y = survey.plane.to_px0(np.array([[tile.core.x, tile.core.y]]))[0]
    return f"tile {tile.index} at ({x:.0f}, {y:.0f}) px0"


def _suspects(survey: Survey, chunk: Chunk) -> tuple[BoxPx0, ...]:
    suspected = survey.plane.suspected()
    if not suspected:
        return ()
    cores = [core for tile in chunk.tiles if (core := survey.core_px0(tile.core)) is not None]
    return tuple(box for box in suspected if any(core.intersection(box) is not None for core in cores))


def _gaps(survey: Survey, read: ReadChunk) -> tuple[BoxPx0, ...]:
    parts = (lost.intersection(tile.core) for tile in read.chunk.tiles for lost in read.block.damaged)
    boxes = (survey.core_px0(part) for part in parts if part is not None)
    return tuple(sorted((box for box in boxes if box is not None), key=lambda box: (box.y, box.x)))
