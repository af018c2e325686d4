"""Tiles with and without a figure: the sub-tiles of each labelled tile, scored by any network (Ji et al.)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.bundle import Bundle
from mitoscope.bundle.network import open_network
from mitoscope.curation.crowd import SUB_TILE_STEP_PX, TILE_PX
from mitoscope.errors import TrainingDataError
from mitoscope.experiments.trained.judging import ALL, Bench, Scores, scored_windows
from mitoscope.experiments.trained.slides import SlideSet, domain_of, mpp_of
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.infer import detect_slide
from mitoscope.statistics import rates_at, roc_auc
from mitoscope.truth import SlideTruth

SUB_TILE_PX: Final = 250
"""Side of a sub-tile at 40x: 49 of them a tile (Ji et al., Section 3.2)."""
_INSIDE_MIN: Final = 0.99
"""Share of a tile that was labelled, from which on the tile was."""
Points = NDArray[np.float64]


def judge_tile_rates(
    bundle: Bundle, sets: Sequence[SlideSet], bench: Bench, *, thresholds: Sequence[float]
) -> Scores:
    """Judge sub-tiles by whether they hold the centre of a figure: detectors by their best candidate in one.

    Returns
    -------
    dict
        ``group/auc``, ``group/sub-tiles``, ``group/positive`` and, at each threshold, ``group/tpr@T``,
        ``group/fpr@T``, ``group/precision@T``, ``group/f1@T``.
    """
    found: dict[str, list[tuple[Points, NDArray[np.bool_]]]] = {}
    for slide_set in sets:
        for slide in slide_set.slides(testing=True):
            pair = _sub_tiles(bundle, slide_set, slide, bench)
            for group in dict.fromkeys((ALL, slide_set.name, domain_of(slide, slide_set.name))):
                found.setdefault(group, []).append(pair)
    scores: Scores = {}
    for group, pairs in found.items():
        score, truth = (np.concatenate([pair[side] for pair in pairs]) for side in (0, 1))
        scores[f"{group}/sub-tiles"] = float(len(truth))
        scores[f"{group}/positive"] = float(truth.sum())
        scores[f"{group}/auc"] = roc_auc(score, truth)
        if not thresholds:
            continue
        rates = rates_at(score, truth, thresholds=thresholds)
        columns = (rates.recall, rates.false_positive_rate, rates.precision, np.nan_to_num(rates.f1))
        for name, values in zip(("tpr", "fpr", "precision", "f1"), columns, strict=True):
            for threshold, value in zip(thresholds, values.tolist(), strict=True):
                scores[f"{group}/{name}@{threshold:g}"] = None if np.isnan(value) else value
    return scores


def _sub_tiles(
    bundle: Bundle, slide_set: SlideSet, slide: SlideTruth, bench: Bench
) -> tuple[Points, NDArray[np.bool_]]:
    """Return score and truth of each sub-tile of a slide."""
    manifest = bundle.manifest
    field = slide_set.field(slide, mpp=manifest.mpp)
    size = SizePx(field.width, field.height)
    scale = 1.0 if slide.mpp is None else slide.mpp.mean / manifest.mpp
    tiles = labelled_tiles(slide, size, scale=scale)
    if manifest.kind == "points":
        config = bench.config(bundle, "verified", mpp_of(slide))
        run = detect_slide(slide_set.files[slide.name], bundle, bench.folder / slide_set.name, config=config)
        found = run.detections
        side = min(SUB_TILE_PX, manifest.window_px)
        corners = sub_tile_corners(tiles, side)
        held = best_inside(corners, side, found.points_px0 * scale, found.score)
    else:
        side = manifest.window_px
        corners = sub_tile_corners(tiles, side)
        session = open_network(bundle.onnx, where=str(bundle.folder), threads=bench.threads)
        held = _scores(session, field, corners.astype(int).tolist(), side)
    figures = field.figures
    return held, best_inside(corners, side, figures, np.ones(len(figures))) > 0


def _scores(session: Any, field: Any, corners: list[list[int]], side: int) -> Points:
    windows = [field.window(BoxPx(x, y, side, side)) for x, y in corners]
    if not windows:
        return np.empty(0)
    of_figure = scored_windows(session, windows)
    return of_figure[:, 0].astype(np.float64)


def labelled_tiles(slide: SlideTruth, size: SizePx, *, scale: float = 1.0) -> Points:
    """Return the tiles of 1,000 px that were labelled, all of them inside of the slide.

    Parameters
    ----------
    slide : SlideTruth
        Where nothing else is stated, all of it was.
    size : SizePx
        Of the slide at the resolution of the network; a smaller slide is one tile.
    scale : float
        Px of the network to a level-0 px.

    Returns
    -------
    ndarray of float64, shape (k, 4)
        x_min, y_min, x_max, y_max in px of the network.

    Raises
    ------
    TrainingDataError
        If no whole tile was labelled.
    """
    side = min(TILE_PX, size.width, size.height)
    x, y = (np.arange(0, length - side + 1, side, dtype=np.float64) for length in (size.width, size.height))
    corners = np.stack(np.meshgrid(x, y), -1).reshape(-1, 2)
    boxes = np.concatenate([corners, corners + side], axis=1)
    region = slide.examined.region
    if region is None:
        return boxes
    drawn = shapely.box(*(boxes / scale).T)
    inside = shapely.area(shapely.intersection(drawn, region.shape)) >= _INSIDE_MIN * shapely.area(drawn)
    if not inside.any():
        raise TrainingDataError(
            f"no tile of {TILE_PX:,} px was labelled as a whole",
            where=slide.name,
            mend="review tiles of the grid of curate select, or give the tiles as images",
        )
    return np.asarray(boxes[inside])


def sub_tile_corners(tiles: Points, side: int) -> Points:
    """Return the upper left corners of the sub-tiles of each tile, half a sub-tile apart, shape (n, 2)."""
    step = SUB_TILE_STEP_PX * side // SUB_TILE_PX
    corners = [
        (x, y)
        for x_min, y_min, x_max, y_max in tiles.tolist()
        for y in np.arange(y_min, y_max - side + 1, step).tolist()
        for x in np.arange(x_min, x_max - side + 1, step).tolist()
    ]
    return np.array(corners, dtype=np.float64).reshape(-1, 2)


def best_inside(corners: Points, side: int, points: Points, score: Points) -> Points:
    """Return the highest score of a point in each square, shape (n,); 0 where there is none."""
    best = np.zeros(len(corners))
    order = np.argsort(points[:, 0], kind="stable")
    x, y, own = points[order, 0], points[order, 1], score[order]
    first = np.searchsorted(x, corners[:, 0], side="left")
    last = np.searchsorted(x, corners[:, 0] + side, side="left")
    for row, (start, end) in enumerate(zip(first.tolist(), last.tolist(), strict=True)):
        inside = (y[start:end] >= corners[row, 1]) & (y[start:end] < corners[row, 1] + side)
        best[row] = own[start:end][inside].max(initial=0.0)
    return best
