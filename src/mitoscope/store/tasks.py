"""Tiles of the crowd: what is asked about each, who answered what, and who is qualified (Ji et al.).

Gold tiles have a known answer. Who begins is asked about these first, among others that look alike; who
agrees with enough of them is qualified, and only the answers of the qualified count.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, NamedTuple

import numpy as np

from mitoscope.store.encoding import found, insert, well_formed
from mitoscope.store.present import shuffles


@dataclass(frozen=True, slots=True)
class TaskTile:
    """A tile to be looked at.

    Parameters
    ----------
    id, round_id, slide_id : int
        Ids.
    x_px0, y_px0, side_px0 : float
        Upper left corner and side.
    gold : object
        The known answer as JSON values, or None: ``{"boxes": [[x, y, w, h], …]}`` or ``{"answer": true}``.
    """

    id: int
    round_id: int
    slide_id: int
    x_px0: float
    y_px0: float
    side_px0: float
    gold: Any = None


class TileAnswer(NamedTuple):
    """What a rater last said of a tile, and what the rater said of it first."""

    tile_id: int
    rater_id: int
    seconds: float | None
    content: Any
    first: Any


_TILE_SQL = "SELECT id, round_id, slide_id, x_px0, y_px0, side_px0, gold FROM task_tile_now"


def _tile(row: tuple[Any, ...]) -> TaskTile:
    id_, round_id, slide_id, x, y, side, gold = row
    return TaskTile(id_, round_id, slide_id, x, y, side, None if gold is None else json.loads(gold))


@well_formed()
def read_tiles(connection: sqlite3.Connection, round_id: int) -> list[TaskTile]:
    """Return the tiles of a round."""
    return [
        _tile(row) for row in connection.execute(f"{_TILE_SQL} WHERE round_id = ? ORDER BY id", (round_id,))
    ]


@well_formed()
def read_gold_tiles(connection: sqlite3.Connection, round_id: int) -> list[TaskTile]:
    """Return the gold tiles of a round."""
    sql = f"{_TILE_SQL} WHERE round_id = ? AND gold IS NOT NULL ORDER BY id"
    return [_tile(row) for row in connection.execute(sql, (round_id,))]


def tile_ids(connection: sqlite3.Connection, round_id: int) -> list[int]:
    """Return the ids of the tiles of a round."""
    return [id_ for (id_,) in connection.execute("SELECT id FROM task_tile WHERE round_id = ?", (round_id,))]


@well_formed()
def read_tile(connection: sqlite3.Connection, round_id: int, tile_id: int) -> TaskTile:
    """Return a tile of a round.

    Raises
    ------
    NotFoundError
        If there is none of that id in the round.
    """
    sql = f"{_TILE_SQL} WHERE (id, round_id) = (?, ?)"
    row = connection.execute(sql, (tile_id, round_id)).fetchone()
    return _tile(found(row, "such tile", mend="ask for the next tile"))


def add_tiles(connection: sqlite3.Connection, tiles: Sequence[TaskTile]) -> int:
    """Add tiles to their rounds and return how many are new; one that is there gets the gold stated."""
    new = 0
    for tile in tiles:
        where = (tile.round_id, tile.slide_id, tile.x_px0, tile.y_px0, tile.side_px0)
        sql = f"{_TILE_SQL} WHERE (round_id, slide_id, x_px0, y_px0, side_px0) = (?, ?, ?, ?, ?)"
        known = connection.execute(sql, where).fetchone()
        if known is None:
            new += 1
            connection.execute(
                "INSERT INTO task_tile (round_id, slide_id, x_px0, y_px0, side_px0, gold) "
                "VALUES (?, ?, ?, ?, ?, ?)",
                (*where, _gold_text(tile.gold)),
            )
        elif tile.gold is not None:
            set_gold(connection, known[0], tile.gold)
    return new


def _gold_text(gold: Any) -> str | None:
    return None if gold is None else json.dumps(gold, allow_nan=False)


def set_gold(connection: sqlite3.Connection, tile_id: int, gold: Any) -> None:
    """State the known answer of a tile, or by None that there is none; earlier ones stay in the history."""
    (before,) = connection.execute("SELECT gold FROM task_tile_now WHERE id = ?", (tile_id,)).fetchone()
    text = _gold_text(gold)
    if text != before:
        insert(connection, "tile_gold", tile_id=tile_id, gold=text, time_s=time.time())


def answer_tile(
    connection: sqlite3.Connection,
    tile_id: int,
    rater_id: int,
    content: Any,
    *,
    seconds: float | None,
) -> int:
    """Keep an answer and return its number; an earlier one stays in the history."""
    text = json.dumps(content, allow_nan=False)
    whose = {"tile_id": tile_id, "rater_id": rater_id}
    return insert(connection, "tile_answer", **whose, time_s=time.time(), seconds=seconds, content=text)


_ANSWERS_SQL = """
SELECT n.tile_id, n.rater_id, a.seconds, a.content, f.content
FROM tile_answer_now AS n JOIN tile_answer AS a ON a.seq = n.seq JOIN tile_answer AS f ON f.seq = n.first_seq
JOIN task_tile AS t ON t.id = n.tile_id
WHERE t.round_id = ?1 AND (?2 IS NULL OR n.rater_id = ?2) ORDER BY n.first_seq
"""


@well_formed()
def read_answers(
    connection: sqlite3.Connection, round_id: int, rater_id: int | None = None
) -> list[TileAnswer]:
    """Return what raters last said of the tiles of a round, in the order in which they came to them."""
    read = cache(json.loads)  # few say something else than yes, no or no box, and most say it once
    return [
        TileAnswer(tile, rater, seconds, read(content), read(first))
        for tile, rater, seconds, content, first in connection.execute(_ANSWERS_SQL, (round_id, rater_id))
    ]


_STATE_SQL = """
SELECT count(DISTINCT t.id), count(a.seq), max(a.seq),
       (SELECT max(g.seq) FROM tile_gold AS g JOIN task_tile AS k ON k.id = g.tile_id WHERE k.round_id = ?1)
FROM task_tile AS t LEFT JOIN tile_answer AS a ON a.tile_id = t.id WHERE t.round_id = ?1
"""


def state_of_tiles(connection: sqlite3.Connection, round_id: int) -> tuple[int, ...]:
    """Return numbers that are others once a tile of a round is added, answered or known to be gold."""
    return tuple(number or 0 for number in connection.execute(_STATE_SQL, (round_id,)).fetchone())


def tile_progress(connection: sqlite3.Connection, round_id: int, rater_id: int) -> tuple[int, int]:
    """Return how many tiles of a round a rater has answered, of how many."""
    answered, tiles = connection.execute(
        "SELECT count(n.tile_id), count(*) FROM task_tile AS t "
        "LEFT JOIN tile_answer_now AS n ON n.tile_id = t.id AND n.rater_id = ?2 WHERE t.round_id = ?1",
        (round_id, rater_id),
    ).fetchone()
    return answered, tiles


def next_tile(
    tiles: Collection[int],
    answered: Collection[int],
    *,
    seed: int,
    first: Collection[int] = (),
    skip: Collection[int] = (),
) -> int | None:
    """Return the id of the tile that a rater sees next, or None when there is none left.

    The order is random and the rater's own; some come first while the rater is tested, and nothing in what is
    shown tells them from others.

    Parameters
    ----------
    tiles : collection of int
        Ids of the tiles of the round.
    answered : collection of int
        Ids of those that the rater has answered.
    seed : int
        Of the rater's order.
    first : collection of int
        Ids of those that come first, the gold ones of a test.
    skip : collection of int
        Ids of tiles passed over for now.
    """
    open_ = np.array(sorted(set(tiles) - set(answered) - set(skip)), dtype=np.int64)
    if not len(open_):
        return None
    comes_later = ~np.isin(open_, np.array(sorted(first), dtype=np.int64))
    return int(open_[np.lexsort((shuffles(open_, seed), comes_later))[0]])
