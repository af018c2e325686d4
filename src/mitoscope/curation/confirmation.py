"""Experts confirm what a crowd drew: on some random tiles each box is accepted or rejected, others are added.

Ji et al. had 500 tiles looked at again, and about 85 % of the boxes confirmed.
"""

from __future__ import annotations

import sqlite3
from collections import defaultdict
from dataclasses import dataclass, replace

import numpy as np

from mitoscope.curation.tiles import CROWD_RATER, MAJORITY_RATER, box_rows, tile_results
from mitoscope.errors import StoreError
from mitoscope.labels import is_figure
from mitoscope.store import (
    MadeCell,
    Round,
    RoundKind,
    RoundRow,
    TaskTile,
    Terms,
    cells_made,
    intern_rounds,
    labels_in_round,
    list_cells,
    listed_cells,
    read_crowd_work,
    read_labels,
    read_raters,
    read_round_rows,
    write_terms,
)

CONFIRMED_TILES = 500
"""Tiles whose boxes experts confirm or reject, to tell how good a crowd is (Ji et al.)."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """A round in which experts confirm the boxes of a crowd.

    Parameters
    ----------
    round_id : int
        Its id.
    name : str
        Its name.
    cells : int
        Boxes on its tiles.
    read, confirmed : int
        Of these, how many were read, and how many of them more than half of their readers called a figure.
    added : int
        Cells that the experts added.
    """

    round_id: int
    name: str
    cells: int
    read: int
    confirmed: int
    added: int


def ask_confirmation(
    connection: sqlite3.Connection, row: RoundRow, name: str, *, tiles: int = CONFIRMED_TILES, seed: int = 0
) -> int:
    """Put the boxes on some random tiles before experts, who may add what is missing; return the round.

    Raises
    ------
    StoreError
        If no box was made a cell yet.
    """
    results = [
        result for result in tile_results(row, read_crowd_work(connection, row.id)) if box_rows(result.boxes)
    ]
    drawn = np.random.default_rng(seed).permutation(len(results))[:tiles].tolist()
    chosen = [results[at].tile for at in drawn]
    cells = [cell.id for cell in _boxes_made(connection, row) if any(_lies_on(cell, tile) for tile in chosen)]
    if not cells:
        raise StoreError(
            "no box of the crowd is a cell yet",
            where=f"round {row.name!r}",
            mend="merge the boxes into cells first",
        )
    asked = Round(name, RoundKind.CANDIDATE_REVIEW)
    (round_id,) = intern_rounds(connection, [asked], is_listed=True).tolist()
    list_cells(connection, round_id, cells)
    settings = {"may_add": True, "confirms": row.id}
    write_terms(connection, round_id, replace(Terms.of_kind(asked.kind), settings=settings))
    return int(round_id)


def read_confirmations(connection: sqlite3.Connection, row: RoundRow) -> list[Confirmation]:
    """Return how far the rounds are in which experts confirm the boxes of a round of tiles."""
    figures = {id_ for id_, label in read_labels(connection).items() if is_figure(label.name)}
    found = []
    for asked in read_round_rows(connection).values():
        if asked.terms.settings.get("confirms") != row.id:
            continue
        listed = set(listed_cells(connection, [asked.id])) & {
            cell.id for cell in _boxes_made(connection, row)
        }
        said: dict[int, list[bool]] = defaultdict(list)
        added = set()
        for cell, _, label, _ in labels_in_round(connection, asked.id):
            if cell in listed:
                said[cell].append(label in figures)
            else:
                added.add(cell)
        confirmed = sum(2 * sum(votes) > len(votes) for votes in said.values())
        found.append(Confirmation(asked.id, asked.name, len(listed), len(said), confirmed, len(added)))
    return found


def _boxes_made(connection: sqlite3.Connection, row: RoundRow) -> list[MadeCell]:
    known = (CROWD_RATER.name, MAJORITY_RATER.name)
    raters = [id_ for id_, rater in read_raters(connection).items() if rater.name in known]
    return [
        cell for rater in raters for cell in cells_made(connection, row.id, rater) if cell.score is not None
    ]


def _lies_on(cell: MadeCell, tile: TaskTile) -> bool:
    x, y = (cell.corners_px0[0] + cell.corners_px0[2]) / 2, (cell.corners_px0[1] + cell.corners_px0[3]) / 2
    return (
        cell.slide_id == tile.slide_id
        and 0 <= x - tile.x_px0 < tile.side_px0
        and 0 <= y - tile.y_px0 < tile.side_px0
    )
