"""What to label next (Ji et al.): the best tiles for experts; all above a threshold plus some for a crowd.

Each choice keeps the probability with which every tile could have come into it. Where that is above zero for
all tiles, totals over all of them can be estimated without bias (Horvitz and Thompson 1952).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.crowd import TILE_PX
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.exchange import inert, plain
from mitoscope.fsio import atomic_write
from mitoscope.geometry import SizePx
from mitoscope.tissue import TissueMask

TOP_TILES = 800
"""Tiles a slide for the experts (Ji et al.: 800 of each of 5 slides)."""
THRESHOLD = 0.2
"""Tiles whose score is above it all go to the crowd (Ji et al.)."""
SHARE_BELOW = 0.1
"""Share of the other tiles that goes to the crowd at random (Ji et al.)."""
TISSUE_MIN = 0.5
"""Tiles with a smaller share of tissue are glass for the most part, and dropped (Ji et al.)."""
COLUMNS = ("slide", "x_px0", "y_px0", "width_px0", "height_px0", "score", "probability", "stratum", "chosen")
_HEAD = "# mitoscope choice 1 "


@dataclass(frozen=True, eq=False)
class ScoredTiles:
    """Tiles of some slides.

    Parameters
    ----------
    slides : tuple of str
        Names.
    slide : ndarray of int64, shape (n,)
        Index into ``slides``.
    boxes_px0 : ndarray of float64, shape (n, 4)
        x_min, y_min, x_max, y_max in level-0 pixels; cut off at the slide's border.
    score : ndarray of float64, shape (n,)
        In [0, 1].
    """

    slides: tuple[str, ...]
    slide: NDArray[np.int64]
    boxes_px0: NDArray[np.float64]
    score: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.slide)

    def take(self, rows: NDArray[np.bool_]) -> ScoredTiles:
        """Return some of the tiles, of the same slides."""
        return ScoredTiles(self.slides, self.slide[rows], self.boxes_px0[rows], self.score[rows])

    def is_whole(self, tile_px: float) -> NDArray[np.bool_]:
        """Return which tiles the border of their slide does not cut, shape (n,)."""
        return np.asarray((self.boxes_px0[:, 2:] - self.boxes_px0[:, :2] == tile_px).all(axis=1))

    def rows_of(self, slide: str) -> NDArray[np.intp]:
        """Return the rows of the tiles of a slide, in order; none where it is not there."""
        index = self.slides.index(slide) if slide in self.slides else -1
        return np.flatnonzero(self.slide == index)


def score_tiles(
    sizes: Mapping[str, SizePx], found: Mapping[str, Detections], *, tile_px: int = TILE_PX
) -> ScoredTiles:
    """Cut slides into tiles and give each the highest score of a detection whose centre it holds, else 0.

    Parameters
    ----------
    sizes : mapping of str to SizePx
        Slide name → level-0 size.
    found : mapping of str to Detections
        Slide name → detections; a slide without an entry has none.
    tile_px : int
        Side of a tile in level-0 pixels (Ji et al.: 1,000).

    Raises
    ------
    FormatError
        If the tile has no side, a slide of the detections is not among the sizes, or a detection is outside
        of its slide.
    """
    if tile_px < 1:
        raise FormatError(f"tiles of {tile_px} px", where="tiles", mend="write e.g. --tile 1000")
    odd = sorted(set(found) - set(sizes))
    if odd:
        raise FormatError("detections of a slide that is not known", where=odd[0], mend="add it to the study")
    parts = [
        _tiles_of(size, found.get(name, Detections.empty()), tile_px, name) for name, size in sizes.items()
    ]
    counts = [len(score) for _, score in parts]
    return ScoredTiles(
        tuple(sizes),
        np.repeat(np.arange(len(parts), dtype=np.int64), counts),
        np.concatenate([boxes for boxes, _ in parts] or [np.empty((0, 4))]),
        np.concatenate([score for _, score in parts] or [np.empty(0)]),
    )


def _tiles_of(
    size: SizePx, found: Detections, tile_px: int, name: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    columns, rows = -(-size.width // tile_px), -(-size.height // tile_px)
    column, row = (
        np.floor(coordinate / tile_px).astype(np.int64) for coordinate in (found.x_px0, found.y_px0)
    )
    # A centre on the far border belongs to the last tile: coordinates are continuous up to the size.
    column[found.x_px0 == size.width] = columns - 1
    row[found.y_px0 == size.height] = rows - 1
    outside = (column < 0) | (column >= columns) | (row < 0) | (row >= rows)
    outside |= (found.x_px0 > size.width) | (found.y_px0 > size.height)
    if outside.any():
        x, y = found.points_px0[outside][0].tolist()
        raise FormatError(
            f"({x:g}, {y:g}) is outside the slide ({size.width} × {size.height} px)", where=name
        )
    score = np.zeros(rows * columns)
    np.maximum.at(score, row * columns + column, found.score)
    return _boxes(size, columns, rows, tile_px), score


def _boxes(size: SizePx, columns: int, rows: int, tile_px: int) -> NDArray[np.float64]:
    y, x = (coordinate.ravel() * float(tile_px) for coordinate in np.mgrid[:rows, :columns])
    right, bottom = np.minimum(x + tile_px, size.width), np.minimum(y + tile_px, size.height)
    return np.column_stack([x, y, right, bottom])


def drop_glass(
    tiles: ScoredTiles, tissue: Mapping[str, TissueMask], *, share: float = TISSUE_MIN
) -> ScoredTiles:
    """Return the tiles that are tissue for the most part (Ji et al. drop those that are background).

    Parameters
    ----------
    tiles : ScoredTiles
    tissue : mapping of str to TissueMask
        Slide name → its tissue, in level-0 pixels.
    share : float
        Smallest share of a tile that is tissue.
    """
    kept = np.zeros(len(tiles), dtype=np.bool_)
    size = tiles.boxes_px0[:, 2:] - tiles.boxes_px0[:, :2]
    for name, mask in tissue.items():
        rows = tiles.rows_of(name)
        for width, height in np.unique(size[rows], axis=0).tolist():  # whole tiles, and those that are cut
            alike = rows[(size[rows] == (width, height)).all(axis=1)]
            found = mask.areas_in(tiles.boxes_px0[alike, :2], width_px0=width, height_px0=height)
            kept[alike] = found >= share * width * height * mask.mpp.pixel_area_mm2
    return tiles.take(kept)


def chosen_slides(tiles: ScoredTiles, slides: Sequence[str]) -> NDArray[np.bool_]:
    """Return which tiles are on some slides, shape (n,); all where no slide is named.

    Raises
    ------
    FormatError
        If a slide is not there.
    """
    odd = [slide for slide in slides if slide not in tiles.slides]
    if odd:
        raise FormatError(f"no slide {odd[0]!r}", where="tiles", mend=f"known: {', '.join(tiles.slides[:5])}")
    if not slides:
        return np.ones(len(tiles), dtype=np.bool_)
    return np.isin(tiles.slide, [tiles.slides.index(slide) for slide in slides])


@dataclass(frozen=True, eq=False)
class Choice:
    """Tiles chosen to be labelled.

    Parameters
    ----------
    tiles : ScoredTiles
        All that could have been chosen.
    chosen : ndarray of bool, shape (n,)
        Those that are.
    probability : ndarray of float64, shape (n,)
        With which each comes into the choice; 0 for tiles that never could.
    stratum : ndarray of int64, shape (n,)
        Tiles of one number were drawn together, without replacement, all with the same probability.
    rule : str
        How it was made, in words.
    seed : int or None
        Of the drawing; None where nothing was drawn.
    """

    tiles: ScoredTiles
    chosen: NDArray[np.bool_]
    probability: NDArray[np.float64]
    stratum: NDArray[np.int64]
    rule: str
    seed: int | None = None


def choose_top(tiles: ScoredTiles, n: int = TOP_TILES, *, slides: Sequence[str] = ()) -> Choice:
    """Choose the n best tiles of each slide, for experts; of equal ones the first.

    Nothing is drawn: the others have probability 0, and nothing can be said about them.

    Raises
    ------
    ConfigError
        If n is not positive.
    FormatError
        If a slide is not there.
    """
    if n < 1:
        raise ConfigError(f"the best {n} tiles", mend="write e.g. --top 800")
    allowed = chosen_slides(tiles, slides)
    chosen = np.zeros(len(tiles), dtype=np.bool_)
    for slide in range(len(tiles.slides)):
        rows = np.flatnonzero(allowed & (tiles.slide == slide))
        chosen[rows[np.argsort(-tiles.score[rows], kind="stable")][:n]] = True
    where = f" of {', '.join(slides)}" if slides else " of each slide"
    stratum = np.where(chosen, 0, 1)
    return Choice(tiles, chosen, chosen.astype(np.float64), stratum, f"the best {n} tiles{where}")


def choose_above(
    tiles: ScoredTiles,
    threshold: float = THRESHOLD,
    share_below: float = SHARE_BELOW,
    *,
    slides: Sequence[str] = (),
    seed: int = 0,
) -> Choice:
    """Choose all tiles above a threshold and a random share of the others, slide by slide, for a crowd.

    Parameters
    ----------
    tiles : ScoredTiles
    threshold : float
        Scores strictly above it are all chosen.
    share_below : float
        Share of the others; at least two tiles a slide, so that their variance can be told, unless it is 0.
    slides : sequence of str
        Only these; all by default.
    seed : int
        The same seed draws the same tiles.

    Raises
    ------
    ConfigError
        If the threshold or the share is not in [0, 1].
    FormatError
        If a slide is not there.
    """
    for what, value in (("threshold", threshold), ("share", share_below)):
        if not 0 <= value <= 1:
            raise ConfigError(f"a {what} of {value:g} is not in [0, 1]")
    allowed = chosen_slides(tiles, slides)
    above = allowed & (tiles.score > threshold)
    chosen, probability = above.copy(), above.astype(np.float64)
    stratum = np.where(above, 2 * tiles.slide, 2 * tiles.slide + 1)
    rng = np.random.default_rng(seed)
    for slide in range(len(tiles.slides)):
        rows = np.flatnonzero(allowed & ~above & (tiles.slide == slide))
        n = _number(len(rows), share_below)
        chosen[rng.permutation(rows)[:n]] = True
        probability[rows] = n / len(rows) if len(rows) else 0.0
    rule = f"all tiles above {threshold:g} and a random {share_below:.0%} of the others"
    return Choice(tiles, chosen, probability, stratum, rule, seed)


def _number(tiles: int, share: float) -> int:
    return 0 if share == 0 else min(tiles, max(2, round(share * tiles)))


def choose_slides(tiles: ScoredTiles, n: int, *, seed: int = 0) -> Choice:
    """Choose n whole slides at random, all their tiles.

    Raises
    ------
    ConfigError
        If there are not so many slides.
    """
    if not 1 <= n <= len(tiles.slides):
        raise ConfigError(f"{n} of {len(tiles.slides)} slides", mend="choose fewer slides")
    drawn = np.random.default_rng(seed).permutation(len(tiles.slides))[:n]
    probability = np.full(len(tiles), n / len(tiles.slides))
    stratum = np.zeros(len(tiles), dtype=np.int64)
    return Choice(
        tiles, np.isin(tiles.slide, drawn), probability, stratum, f"{n} whole slides at random", seed
    )


def write_choice(path: Path, choice: Choice) -> None:
    """Write a choice as CSV, all tiles in order; its rule and seed stand in the first line.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    text = io.StringIO()
    head = {"rule": choice.rule, "seed": choice.seed, "slides": list(choice.tiles.slides)}
    text.write(_HEAD + json.dumps(head, ensure_ascii=False) + "\n")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    tiles = choice.tiles
    for row, (x, y, right, bottom) in enumerate(tiles.boxes_px0.tolist()):
        numbers = (x, y, right - x, bottom - y, float(tiles.score[row]), float(choice.probability[row]))
        stratum, chosen = int(choice.stratum[row]), int(choice.chosen[row])
        writer.writerow([inert(tiles.slides[tiles.slide[row]]), *map(repr, numbers), stratum, chosen])
    with atomic_write(path) as stream:
        stream.write(text.getvalue().encode())


def read_choice(text: str, *, where: str = "choice") -> list[tuple[str, float, float, float]]:
    """Return slide, x, y and side of the chosen tiles of a file that `write_choice` wrote, but for cut ones.

    Raises
    ------
    FormatError
        If it is no such file, with the line.
    """
    head, _, table = text.removeprefix("\ufeff").partition("\n")
    if not head.startswith(_HEAD):
        mend = "write it by 'mitoscope curate select'"
        raise FormatError("not a choice of tiles", where=where, mend=mend)
    found = []
    for line, row in enumerate(csv.DictReader(io.StringIO(table)), start=3):
        try:
            x, y, width, height = (float(row[name]) for name in COLUMNS[1:5])
            slide, is_chosen = plain(row["slide"]), row["chosen"] == "1"
        except (KeyError, TypeError, ValueError):
            raise FormatError(f"line {line} is not a tile", where=where) from None
        if not np.isfinite([x, y, width, height]).all():
            raise FormatError(f"line {line} is not a tile", where=where)
        if is_chosen and width == height:
            found.append((slide, x, y, width))
    return found
