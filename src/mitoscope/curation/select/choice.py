"""What to label next (Ji et al.): the best tiles for experts; all above a threshold plus some for a crowd.

Each choice keeps the probability with which every tile could have come into it. Where that is above zero for
all tiles, totals over all of them can be estimated without bias (Horvitz and Thompson 1952).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.select.tiles import ScoredTiles, chosen_slides
from mitoscope.errors import ConfigError
from mitoscope.exchange import inert
from mitoscope.fsio import atomic_write

TOP_TILES = 800
"""Tiles a slide for the experts (Ji et al.: 800 of each of 5 slides)."""
THRESHOLD = 0.2
"""Tiles whose score is above it all go to the crowd (Ji et al.)."""
SHARE_BELOW = 0.1
"""Share of the other tiles that goes to the crowd at random (Ji et al.)."""
COLUMNS = ("slide", "x_px0", "y_px0", "width_px0", "height_px0", "score", "probability", "stratum", "chosen")
_HEAD = "# mitoscope choice 1 "


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

    @property
    def rows(self) -> NDArray[np.intp]:
        """Rows of the chosen tiles, best first; ties in their order."""
        rows = np.flatnonzero(self.chosen)
        return rows[np.argsort(-self.tiles.score[rows], kind="stable")]


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
