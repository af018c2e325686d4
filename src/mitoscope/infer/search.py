"""The search of one chunk: from pixels to candidates in level-0 px."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0
from mitoscope.infer.engine import Engine
from mitoscope.infer.survey import Chunk, Survey
from mitoscope.infer.windows import Block, read_block
from mitoscope.tiles import Tile, TileGrid, owned

# Candidates are kept on a grid of 1/64 plane px and 1e-6 of score: far below what matters, far above the
# last bits in which two processors, batch sizes or thread counts may differ.
_STEPS_PER_PX = 64
_SCORE_DECIMALS = 6


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
    """

    points_px0: NDArray[np.float64]
    score: NDArray[np.float64]
    gaps_px0: tuple[BoxPx0, ...] = ()
    saturated_tiles: int = 0
    read_s: float = 0.0
    network_s: float = 0.0


@dataclass(frozen=True, eq=False)
class ReadChunk:
    """A chunk whose pixels are there."""

    chunk: Chunk
    block: Block
    read_s: float


def read_chunk(survey: Survey, chunk: Chunk) -> ReadChunk:
    """Read the pixels of a chunk."""
    start = time.perf_counter()
    block = read_block(survey.plane, chunk.tiles, margin_px=survey.margin_px)
    return ReadChunk(chunk, block, time.perf_counter() - start)


def search_chunk(survey: Survey, read: ReadChunk, engine: Engine, *, floor: float) -> ChunkResult:
    """Run the network over a chunk and keep what its tiles own.

    Raises
    ------
    NonFiniteError, OutOfMemoryError, RunError
        As `Engine.find`; the error names the tile.
    """
    start = time.perf_counter()
    seen_by = list(zip(read.chunk.tiles, read.block.windows, strict=True))
    output, saturated = _run(survey, seen_by, engine, floor=floor)
    network_s = time.perf_counter() - start
    points, score = _candidates(output, floor=floor)
    seen = read.block.valid_at(points)
    points, score = survey.plane.to_px0(points[seen]), score[seen]
    wanted = survey.contains(points)
    return ChunkResult(
        points[wanted],
        score[wanted],
        _gaps(survey, read),
        saturated,
        read.read_s,
        network_s,
    )


def _run(
    survey: Survey, windows: Sequence[tuple[Tile, NDArray[np.uint8]]], engine: Engine, *, floor: float
) -> tuple[list[tuple[Tile, NDArray[np.float32]]], int]:
    """Run the network; where it uses all its slots, look again in parts, since it may have had more to say.

    Returns each tile or part with its slots, and how many could not be divided further.
    """
    places = [_place(survey, tile) for tile, _ in windows]
    found: list[tuple[Tile, NDArray[np.float32]]] = []
    saturated = 0
    for (tile, window), slots in zip(
        windows, engine.find([window for _, window in windows], places=places), strict=True
    ):
        full = bool((slots[:, 2] > floor).all())
        parts = _divided(survey.grid, tile, window) if full else []
        if parts:
            more, still = _run(survey, parts, engine, floor=floor)
            found += more
            saturated += still
        else:
            found.append((tile, slots))
            saturated += full
    return found, saturated


def _divided(grid: TileGrid, tile: Tile, window: NDArray[np.uint8]) -> list[tuple[Tile, NDArray[np.uint8]]]:
    """Divide a tile into about four with their windows; nothing where the network needs a larger one."""
    half = -(-max(tile.core.width, tile.core.height) // 2)
    finer = replace(grid, region=tile.core, tile_px=-(-half // grid.stride_px) * grid.stride_px)
    parts = list(finer)
    if len(parts) == 1 or any(part.window.intersection(tile.window) != part.window for part in parts):
        return []
    x, y = tile.window.x, tile.window.y
    return [
        (part, window[part.window.y - y : part.window.bottom - y, part.window.x - x : part.window.right - x])
        for part in parts
    ]


def _place(survey: Survey, tile: Tile) -> str:
    x, y = survey.plane.to_px0(np.array([[tile.core.x, tile.core.y]]))[0]
    return f"tile {tile.index} at ({x:.0f}, {y:.0f}) px0"


def _candidates(
    output: Sequence[tuple[Tile, NDArray[np.float32]]], *, floor: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    points, scores = [np.empty((0, 2))], [np.empty(0)]
    for tile, raw in output:
        slots = raw.astype(np.float64)
        score = np.round(slots[:, 2], _SCORE_DECIMALS)
        used = score > floor
        place = np.round(slots[used, :2] * _STEPS_PER_PX) / _STEPS_PER_PX + (tile.window.x, tile.window.y)
        mine = owned(place, tile)
        points.append(place[mine])
        scores.append(score[used][mine])
    return np.concatenate(points), np.concatenate(scores)


def _gaps(survey: Survey, read: ReadChunk) -> tuple[BoxPx0, ...]:
    parts = (lost.intersection(tile.core) for tile in read.chunk.tiles for lost in read.block.damaged)
    boxes = (survey.core_px0(part) for part in parts if part is not None)
    return tuple(sorted((box for box in boxes if box is not None), key=lambda box: (box.y, box.x)))
