"""Running a detector over whole fields, as inference will do it: tiles with halos, each point once.

What it takes for a figure where none is are the hard negatives (*BG-Hard*, Akram et al. 2018).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from mitoscope.bundle import Border, Bundle
from mitoscope.bundle.network import find_points, open_network, takes_any_window
from mitoscope.data.field import Field, Labels
from mitoscope.data.sampling import PROPOSAL, Candidates, HardPool, is_crop
from mitoscope.data.window import Window
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx
from mitoscope.models.family import Family, Layout
from mitoscope.search import Find, find, in_batches
from mitoscope.slide.pixels import reduced_rgb
from mitoscope.tiles import Tile, TileGrid, merge
from mitoscope.train.job import Job
from mitoscope.train.journal import say
from mitoscope.train.recipe import MiningRecipe
from mitoscope.train.state import State

Points = NDArray[np.float64]

_BATCH_PX: Final = 4_000_000
_TILE_PX: Final = 1024
_GLASS_STEP_PX: Final = 64
"""Between the places where a tile is looked at for tissue."""


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


@contextmanager
def evaluating(job: Job, family: Family) -> Iterator[Find]:
    """Yield the weights in evaluation mode as a function of arrays; their mode is put back afterwards."""
    was_training = family.training
    network = family.eval().exportable().eval()

    def find(windows: NDArray[np.uint8]) -> NDArray[np.floating]:
        with torch.inference_mode(), job.autocast():
            out: torch.Tensor = network(torch.from_numpy(windows).to(job.fabric.device))
        return out.float().cpu().numpy()

    try:
        yield find
    finally:
        family.train(was_training)


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
    without_glass: bool = False,
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
    without_glass : bool
        Search no tile that shows neither tissue nor a labelled figure.
    """
    grids = [_grid(field, layout, halo_px) for field in fields]
    places = [
        (index, tile)
        for index, grid in enumerate(grids)
        for tile in grid
        if not without_glass or _shows_tissue(fields[index], tile.core)
    ]
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


def _shows_tissue(field: Field, core: BoxPx) -> bool:
    """Return whether a part of a field has tissue, by places on it, or a labelled figure."""
    if len(field.figures) and _inside(field.figures, core).any():
        return True
    x, y = (
        np.arange(first + step / 2, last, step)
        for first, last, step in (
            (core.x, core.right, min(_GLASS_STEP_PX, core.width)),
            (core.y, core.bottom, min(_GLASS_STEP_PX, core.height)),
        )
    )
    places = np.stack(np.meshgrid(x, y), axis=-1).reshape(-1, 2)
    return bool(field.may_be_background(places).any())


def _inside(places: Points, core: BoxPx) -> NDArray[np.bool_]:
    x, y = places[:, 0], places[:, 1]
    return (x >= core.x) & (x < core.right) & (y >= core.y) & (y < core.bottom)


_SCORE_MAX: Final = 0.7
_WEIGHT_MIN: Final = 0.1
"""Weight of a place: its score, cut off above so that a figure which nobody labelled is not drawn for ever,
plus a little, so that the mild ones come up as well."""
_BORDER_PX: Final = 8.0
_WINDOWS: Final = 16
"""So few at a time fit into the cache of a processor: twice as fast as 128."""


def mine_hard_negatives(job: Job, state: State) -> None:
    """Replace the hard negatives by what the judged weights take for figures now.

    Whole fields are searched, and some crops, drawn anew each time, without surroundings. A network that
    scores windows looks at the proposals that its scheme has.
    """
    if isinstance(job.batches.scheme, Candidates):
        state.hard = _looked_at(job, state.judged, job.batches.scheme)
        return
    family, recipe, fields = state.judged, job.recipe.mining, job.split.training
    random = np.random.default_rng((job.recipe.run.seed, state.step, 1))
    with evaluating(job, family) as find:
        crops = np.array([i for i, field in enumerate(fields) if is_crop(field)], dtype=np.int64)
        whole = [i for i, field in enumerate(fields) if not is_crop(field)]
        drawn = np.sort(random.permutation(crops)[: recipe.crops]).tolist()
        rows: list[tuple[int, float, float, float]] = []
        for index, halo in ((whole, None), (drawn, 0)):
            some = [fields[i] for i in index]
            found = search(find, some, family.layout(), halo_px=halo, border=job.recipe.border)
            for i, one in zip(index, found, strict=True):
                points = false_ones(one.points, fields[i], recipe, bare=halo == 0)
                rows.extend((i, x, y, score) for x, y, score in points.tolist())
    state.hard = pool_of(rows)
    if job.leads:
        say(f"step {state.step}: {len(state.hard)} hard negatives mined")


def _looked_at(job: Job, family: Family, scheme: Candidates) -> HardPool:
    """Return the proposals of a scheme with chances by what the network says of each."""
    pool = scheme.proposals
    windows = [Window(*place) for place in zip(pool.picture.tolist(), pool.x, pool.y, strict=True)]
    score = [np.empty(0)]
    with evaluating(job, family) as find:
        for start in range(0, len(windows), _WINDOWS):
            looked = find(job.batches.plain(windows[start : start + _WINDOWS]))
            score.append(looked[:, 0].astype(np.float64))
    return scheme.weighed(np.concatenate(score))


def propose(fields: Sequence[Field], bundle: Bundle, *, floor: float, mpp: float) -> list[Field]:
    """Return fields with what the first stage of a bundle proposes on them as labelled cells.

    Parameters
    ----------
    fields : sequence of Field
        Crops stay as they are.
    bundle : Bundle
        A detector; a second stage is not asked.
    floor : float
        Proposals with a score above it count; each carries its score as its agreement.
    mpp : float
        Resolution of the fields, µm/px.

    Raises
    ------
    ConfigError
        If the bundle finds no points, or works at no multiple of the resolution.
    """
    own = bundle.manifest
    reduction = max(round(own.mpp / mpp), 1)
    if own.kind != "points" or abs(own.mpp / (reduction * mpp) - 1) > own.mpp_tolerance:
        raise ConfigError(
            f"{own.source} proposes nothing at {mpp:g} µm/px",
            where="data.sampling.first_stage",
            mend="take a detector whose resolution is that of model.mpp or a multiple of it",
        )
    session = open_network(bundle.onnx, where=str(bundle.folder))
    layout = Layout(
        mpp=own.mpp,
        stride_px=own.stride_px,
        halo_px=own.halo_px,
        window_px=own.window_px,
        any_window=takes_any_window(session),
        top_k=own.top_k,
        reduction=reduction,
    )

    def look(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_points(session, windows)

    whole = [index for index, field in enumerate(fields) if not is_crop(field)]
    found = search(look, [fields[index] for index in whole], layout, floor=floor, border=own.border)
    out = list(fields)
    for index, one in zip(whole, found, strict=True):
        proposals = suppressed(one.points, radius_px=own.nms_radius_um / mpp, floor=floor)
        cells = Labels.of(proposals.points_px0, PROPOSAL, proposals.score)
        out[index] = fields[index].with_cells(cells)
    return out


def false_ones(points: Points, field: Field, recipe: MiningRecipe, *, bare: bool) -> Points:
    """Return the points above the floor that are far from every figure, shape (n, 3).

    Parameters
    ----------
    points : ndarray, shape (n, 3)
    field : Field
    recipe : MiningRecipe
    bare : bool
        Searched without surroundings, where the border says little.
    """
    points = points[points[:, 2] > recipe.floor]
    if recipe.nms_radius_px and len(points):
        best = suppressed(points, radius_px=recipe.nms_radius_px, floor=recipe.floor)
        points = np.column_stack([best.points_px0, best.score])
    if len(field.figures):
        distance = np.hypot(*(points[:, None, :2] - field.figures).transpose(2, 0, 1))
        points = points[distance.min(axis=1) > recipe.distance_px]
    if bare:
        size = (field.width, field.height)
        to_border = np.minimum(points[:, :2], size - points[:, :2]).min(axis=1)
        points = points[to_border > _BORDER_PX]
    return points


def pool_of(rows: list[tuple[int, float, float, float]]) -> HardPool:
    """Return places (field, x, y, score) with their chances of being drawn."""
    if not rows:
        return HardPool.empty()
    index, x, y, score = (np.array(column) for column in zip(*rows, strict=True))
    weight = np.minimum(score, _SCORE_MAX) + _WEIGHT_MIN
    return HardPool(index.astype(np.int64), x, y, weight / weight.sum())
