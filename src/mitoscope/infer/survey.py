"""The survey: which part of a slide is searched, in which tiles and chunks."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, Manifest
from mitoscope.errors import ConfigError, RegionError, ScaleError
from mitoscope.geometry import BoxPx, BoxPx0
from mitoscope.infer.config import DetectConfig
from mitoscope.slide import Plane, Slide, SlideInfo
from mitoscope.tiles import Tile, TileGrid
from mitoscope.tissue import TissueMask

_ONE_TILE_UP_TO = 1.25


@dataclass(frozen=True, slots=True)
class Chunk:
    """Neighbouring tiles that are read and recorded together.

    Parameters
    ----------
    index : int
        Place in the order of work.
    tiles : tuple of Tile
        Those that have tissue.
    tissue_mm2 : float
        Tissue in their cores.
    """

    index: int
    tiles: tuple[Tile, ...]
    tissue_mm2: float


@dataclass(frozen=True, eq=False)
class Survey:
    """What is searched.

    Parameters
    ----------
    plane : Plane
        The slide at the detector's resolution.
    tissue : TissueMask
        Of the whole slide.
    region_px0 : BoxPx0
        The part that was asked for, cut to the slide.
    grid : TileGrid
        Over that part, in plane px.
    chunks : tuple of Chunk
        In the order of work.
    mirror_px : int
        How deep windows are mirrored at the slide's border, in plane px; beyond that they are white.
    """

    plane: Plane
    tissue: TissueMask
    region_px0: BoxPx0
    grid: TileGrid
    chunks: tuple[Chunk, ...]
    mirror_px: int

    @property
    def tissue_mm2(self) -> float:
        """Tissue in the region."""
        return self.tissue.area_in(self.region_px0)

    def core_px0(self, core: BoxPx) -> BoxPx0 | None:
        """Return the part of a box in plane px that lies in the region, in level-0 px."""
        return box_px0(self.plane, core).intersection(self.region_px0)

    def contains(self, points_px0: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell which points (n, 2) lie in the region, on tissue or where tissue could not be judged.

        Tiles without tissue are not searched, so what a tile finds beside its tissue is dropped: otherwise
        the result would depend on the size of the tiles (promise 16).
        """
        wanted = self.tissue.contains(points_px0)
        for box in self.tissue.unread_px0:
            wanted |= _inside(points_px0, box)
        return wanted & _inside(points_px0, self.region_px0)

    def layout(self) -> dict[str, object]:
        """Return what must be alike for two runs to share chunks."""
        region, grid = self.grid.region, self.grid
        tiles = np.array([tile.index for chunk in self.chunks for tile in chunk.tiles], dtype="<i8")
        ends = np.cumsum([len(chunk.tiles) for chunk in self.chunks], dtype="<i8")
        return {
            "region": [region.x, region.y, region.width, region.height],
            "tile_px": grid.tile_px,
            "halo_px": grid.halo_px,
            "stride_px": grid.stride_px,
            "chunks": len(self.chunks),
            "tiles": hashlib.sha256(tiles.tobytes() + b"/" + ends.tobytes()).hexdigest(),
            "tissue": hashlib.sha256(np.packbits(self.tissue.mask).tobytes()).hexdigest(),
        }


def box_px0(plane: Plane, box: BoxPx) -> BoxPx0:
    """Return a box in plane px in level-0 px."""
    x, y = plane.scale
    return BoxPx0(box.x * x, box.y * y, box.width * x, box.height * y)


def _inside(points: NDArray[np.float64], box: BoxPx0) -> NDArray[np.bool_]:
    x, y = points[:, 0], points[:, 1]
    return np.asarray((x >= box.x) & (x < box.right) & (y >= box.y) & (y < box.bottom))


def check_scale(info: SlideInfo, manifest: Manifest) -> None:
    """Refuse a slide that is too fine or too coarse for a detector.

    Raises
    ------
    ScaleError
        Naming the resolution, who stated it, and the accepted range.
    """
    if not manifest.mpp_min <= info.mpp.mean <= manifest.mpp_max:
        raise ScaleError(
            f"{info.mpp.mean:.3g} µm/px ({info.mpp_source}) is not in the range of the bundle "
            f"{manifest.source}, {manifest.mpp_min:g} to {manifest.mpp_max:g}",
            where=info.path or info.name,
            mend="give the true value with --mpp, or take a bundle for this resolution",
        )


def region_of(
    info: SlideInfo, roi: tuple[float, float, float, float] | None, *, where: str = "roi"
) -> BoxPx0:
    """Return the region of interest, cut to the slide; `where` names who states it, for errors.

    Raises
    ------
    RegionError
        If it is empty, begins at negative coordinates or is outside the slide.
    """
    slide = BoxPx0(0.0, 0.0, float(info.size.width), float(info.size.height))
    if roi is None:
        return slide
    x, y, width, height = roi
    mend = f"give X,Y,W,H in level-0 px of the slide, which has {info.size.width} × {info.size.height}"
    if min(x, y) < 0 or min(width, height) <= 0:
        raise RegionError(f"a region of interest of {x:g},{y:g},{width:g},{height:g}", where=where, mend=mend)
    region = BoxPx0(x, y, width, height).intersection(slide)
    if region is None:
        raise RegionError(f"{x:g},{y:g},{width:g},{height:g} is outside the slide", where=where, mend=mend)
    return region


def make_survey(slide: Slide, bundle: Bundle, config: DetectConfig, *, tissue: TissueMask) -> Survey:
    """Plan the search of a slide.

    Raises
    ------
    ScaleError
        If the slide's resolution is not one for the bundle.
    RegionError
        If the region of interest is not on the slide.
    ConfigError
        If the window or the halo does not fit the bundle.
    """
    manifest = bundle.manifest
    check_scale(slide.info, manifest)
    region_px0 = region_of(slide.info, config.roi)
    plane = Plane(slide, manifest.mpp, tolerance=manifest.mpp_tolerance)
    grid = _grid(_plane_box(plane, region_px0), bundle, config)
    narrow = bundle.any_window
    chunks = _chunks(grid, plane, tissue, region_px0, chunk_px=config.chunk_px, narrow=narrow)
    mirror_px = grid.margin_px if manifest.border == "mirror" else 0
    return Survey(plane, tissue, region_px0, grid, chunks, mirror_px)


def _plane_box(plane: Plane, region: BoxPx0) -> BoxPx:
    corners = plane.from_px0(np.array([[region.x, region.y], [region.right, region.bottom]]))
    x, y = (max(math.floor(value), 0) for value in corners[0])
    right, bottom = math.ceil(corners[1, 0]), math.ceil(corners[1, 1])
    return BoxPx(x, y, min(right, plane.size.width) - x, min(bottom, plane.size.height) - y)


def _grid(region: BoxPx, bundle: Bundle, config: DetectConfig) -> TileGrid:
    manifest = bundle.manifest
    window = config.window_px or manifest.window_px
    halo = manifest.halo_px if config.halo_px is None else config.halo_px
    stride = manifest.stride_px
    if halo < manifest.halo_px:
        raise ConfigError(
            f"a halo of {halo} px is less than the receptive field of {manifest.source} needs",
            where="halo_px",
            mend=f"take {manifest.halo_px} or more",
        )
    tile = window - 2 * (-(-halo // stride) * stride)
    if tile < stride or window % stride:
        raise ConfigError(
            f"a window of {window} px with a halo of {halo} px does not fit the stride of {stride} px",
            where="window_px",
            mend=f"take a multiple of {stride}, for example {manifest.window_px}",
        )
    if not bundle.any_window:
        if window != manifest.window_px:
            raise ConfigError(
                f"the network of {manifest.source} takes windows of {manifest.window_px} px alone",
                where="window_px",
                mend="leave it out",
            )
        return TileGrid(region, tile, halo, stride, least_px=window)
    if config.window_px is None:
        tile = _fitted(tile, max(region.width, region.height), stride)
    # A window has a cell for each slot of the output at least.
    return TileGrid(region, tile, halo, stride, least_px=stride * math.ceil(math.sqrt(manifest.top_k)))


def _fitted(tile_px: int, side_px: int, stride_px: int) -> int:
    """Return the tile for a region: one tile if the whole is hardly larger, since halos cost time."""
    whole = -(-side_px // stride_px) * stride_px + stride_px
    return whole if whole <= _ONE_TILE_UP_TO * tile_px else tile_px


def _chunks(
    grid: TileGrid, plane: Plane, tissue: TissueMask, region: BoxPx0, *, chunk_px: int, narrow: bool
) -> tuple[Chunk, ...]:
    side = max(1, chunk_px // grid.tile_px)
    columns = grid.shape[1]
    members: dict[tuple[int, int], list[Tile]] = {}
    for tile in grid:
        wanted = _searched(tile.core, plane, tissue, region)
        if wanted is None:
            continue
        own = grid.narrowed(tile, wanted) if narrow else tile
        assert own is not None  # `wanted` lies in the core
        row, column = divmod(tile.index, columns)
        members.setdefault((row // side, column // side), []).append(own)
    return tuple(
        Chunk(number, tuple(tiles), sum(_tissue_in(tile.core, plane, tissue, region) for tile in tiles))
        for number, (_, tiles) in enumerate(sorted(members.items()))
    )


def _searched(core: BoxPx, plane: Plane, tissue: TissueMask, region: BoxPx0) -> BoxPx | None:
    """Return the smallest part of a core, in plane px, that holds all of its tissue.

    Where the overview could not be read nobody knows whether there is tissue: it is searched.
    """
    box = box_px0(plane, core).intersection(region)
    if box is None:
        return None
    parts = [tissue.bounds_in(box), *(lost.intersection(box) for lost in tissue.unread_px0)]
    known = [part for part in parts if part is not None]
    if not known:
        return None
    x, y = min(part.x for part in known), min(part.y for part in known)
    right, bottom = max(part.right for part in known), max(part.bottom for part in known)
    return _plane_box(plane, BoxPx0(x, y, right - x, bottom - y)).intersection(core)


def _tissue_in(core: BoxPx, plane: Plane, tissue: TissueMask, region: BoxPx0) -> float:
    box = box_px0(plane, core).intersection(region)
    return 0.0 if box is None else tissue.area_in(box)
