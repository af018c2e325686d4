"""What a crowd, or a group of experts, made of the tiles of a round: boxes and shares of yes, in files too.

The answers of the qualified become one: overlapping boxes one box at their mean coordinates with its
agreement, yes and no a share of yes. A tile that too few have answered says nothing.
"""

from __future__ import annotations

import csv
import io
import json
import sqlite3
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mitoscope.curation.crowd import MINIMUM_OVERLAPPING_BOXES, CrowdBoxes, merge_crowd_boxes
from mitoscope.errors import ConfigError, NotFoundError
from mitoscope.exchange import inert
from mitoscope.fsio import atomic_write
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.store import (
    MINIMUM_REVIEWERS,
    CellEvent,
    CrowdWork,
    Geometry,
    MadeCell,
    Rater,
    RaterKind,
    RoundKind,
    RoundRow,
    Shape,
    Store,
    TaskTile,
    TileAnswer,
    cells_made,
    corners_of,
    intern_labels,
    intern_raters,
    intersection_areas,
    read_crowd_work,
    read_raters,
    read_round_rows,
    read_slides,
    record,
)

BoxRule = Literal["two", "majority"]
"""How many must have drawn a box: two of the reviewers, as of the crowd, or more than half, as of experts."""
CROWD_RATER = Rater("crowd", RaterKind.CROWD)
MAJORITY_RATER = Rater("majority of experts", RaterKind.CONSENSUS)
"""In whose name boxes stand that more than half of the experts drew: they are settled."""
TILE_ROUNDS = (RoundKind.CROWD_BOXES, RoundKind.CROWD_TILES)
COLUMNS = (
    "round",
    "asked",
    "slide",
    "case",
    "x_px0",
    "y_px0",
    "side_px0",
    "is_gold",
    "reviewers",
    "positive",
    "score",
    "holds_figure",
)


@dataclass(frozen=True, eq=False)
class TileResult:
    """What a tile came to.

    Parameters
    ----------
    tile : TaskTile
        The tile.
    reviewers : int
        Of the qualified, how many answered.
    positive : int
        How many of them said yes, or drew a box.
    boxes : CrowdBoxes or None
        The merged boxes; None where too few answered, and of yes and no.
    score : float or None
        Share of yes, or the sum of the boxes' agreement; None where too few answered.
    holds_figure : bool or None
        Whether there is a figure on it: more than half said yes, or a box was merged.
    """

    tile: TaskTile
    reviewers: int
    positive: int
    boxes: CrowdBoxes | None
    score: float | None
    holds_figure: bool | None


def says_figure(content: Mapping[str, Any]) -> bool:
    """Return whether an answer to a tile says that there is a figure: yes, or a box."""
    return bool(content.get("answer") or content.get("boxes"))


def least_boxes(rule: BoxRule, reviewers: int, needed: int) -> int:
    """Return how many of some reviewers must have drawn a box that counts, where so many were needed."""
    return reviewers // 2 + 1 if rule == "majority" else min(MINIMUM_OVERLAPPING_BOXES, needed)


def tile_result(row: RoundRow, tile: TaskTile, answers: Sequence[TileAnswer]) -> TileResult:
    """Return what the answers of the qualified to a tile of a round come to.

    The round's settings name ``minimum_reviewers`` and the ``box_rule``.
    """
    settings = row.terms.settings
    needed = int(settings.get("minimum_reviewers", MINIMUM_REVIEWERS))
    positive = sum(says_figure(answer.content) for answer in answers)
    if row.kind is RoundKind.CROWD_TILES:
        share = positive / len(answers) if answers else None
        is_known = len(answers) >= needed
        return TileResult(
            tile, len(answers), positive, None, share, 2 * positive > len(answers) if is_known else None
        )
    drawn = [(box, answer.rater_id) for answer in answers for box in answer.content.get("boxes", [])]
    rule: BoxRule = "majority" if settings.get("box_rule") == "majority" else "two"
    boxes = merge_crowd_boxes(
        corners_of([box for box, _ in drawn]),
        [who for _, who in drawn],
        reviewers=len(answers),
        minimum_reviewers=needed,
        minimum_overlapping_boxes=least_boxes(rule, len(answers), needed),
    )
    if boxes is None:
        return TileResult(tile, len(answers), positive, None, None, None)
    return TileResult(tile, len(answers), positive, boxes, boxes.score, bool(len(boxes.agreement)))


def tile_results(row: RoundRow, work: CrowdWork) -> list[TileResult]:
    """Return what each tile of a round came to, in order of the tiles."""
    by_tile: dict[int, list[TileAnswer]] = defaultdict(list)
    for answer in work.counting:
        by_tile[answer.tile_id].append(answer)
    return [tile_result(row, tile, by_tile[tile.id]) for tile in work.tiles]


@dataclass(frozen=True, slots=True)
class BoxesConcluded:
    """Cells made of merged boxes now, with another agreement than before, and no longer merged."""

    made: int
    changed: int
    withdrawn: int


def conclude_boxes(connection: sqlite3.Connection, row: RoundRow) -> BoxesConcluded:
    """Make cells of the merged boxes of a round, with the agreement on them as their score.

    May be repeated while answers come in: a merged box is the cell that was made of it before, which keeps
    its place, and whose agreement follows; one that too few see by now loses its label.
    """
    speaker = MAJORITY_RATER if row.terms.settings.get("box_rule") == "majority" else CROWD_RATER
    (rater,) = intern_raters(connection, [speaker]).tolist()
    (label,) = intern_labels(connection, LabelSet((MITOTIC_FIGURE,))).tolist()
    known: dict[int, list[MadeCell]] = defaultdict(list)
    for cell in cells_made(connection, row.id, rater):
        known[cell.slide_id].append(cell)
    made = changed = 0
    kept: set[int] = set()
    for result in tile_results(row, read_crowd_work(connection, row.id)):
        for x, y, width, height, agreement in box_rows(result.boxes):
            corners = (x, y, x + width, y + height)
            before = _same_cell(corners, known[result.tile.slide_id], kept)
            if before is None:
                geometry = Geometry(Shape.BOX, corners)
                event = CellEvent("create", 0, rater, row.id, geometry=geometry)
                cell_id = record(connection, event, slide_id=result.tile.slide_id).cell_id
                made += 1
            else:
                cell_id = before.id
                kept.add(cell_id)
                if before.score == agreement:
                    continue
                changed += 1
            record(connection, CellEvent("label", cell_id, rater, row.id, label_id=label, score=agreement))
    gone = [
        cell for cells in known.values() for cell in cells if cell.id not in kept and cell.score is not None
    ]
    for one in gone:
        record(connection, CellEvent("label", one.id, rater, row.id, label_id=None))
    return BoxesConcluded(made, changed, len(gone))


def _same_cell(
    corners: tuple[float, float, float, float], cells: Sequence[MadeCell], taken: Collection[int]
) -> MadeCell | None:
    """Return the cell that a box overlaps most, of those that no other box stands for."""
    free = [cell for cell in cells if cell.id not in taken]
    common = intersection_areas(
        np.array([corners]), np.array([tile.corners_px0 for tile in free]).reshape(-1, 4)
    )
    return free[int(common.argmax())] if common.size and common.max() > 0 else None


def find_tile_rounds(store: Store, name: str | None = None) -> list[RoundRow]:
    """Return the rounds of tiles of a study, or the one of a name.

    Raises
    ------
    NotFoundError
        If there is none, or none of the name.
    """
    with store.reading() as connection:
        rows = [row for row in read_round_rows(connection).values() if row.kind in TILE_ROUNDS]
    found = [row for row in rows if name is None or row.name == name]
    if not found:
        known = ", ".join(repr(row.name) for row in rows) or "none yet"
        what = "the study has no round of tiles" if name is None else f"no round of tiles {name!r}"
        raise NotFoundError(what, where=store.path, mend=f"rounds of tiles are {known}")
    return found


def describe_tiles(store: Store, name: str | None = None) -> list[dict[str, Any]]:
    """Return what the tiles of a round, or of all, came to, as JSON values: the columns, boxes and answers.

    Boxes are x, y, width, height in level-0 px and their agreement. Of each answer stand the rater, whether
    it counts, the seconds that the page took, and the boxes or the answer.

    Raises
    ------
    NotFoundError
        If there is no such round.
    """
    rows = find_tile_rounds(store, name)
    found = []
    with store.reading() as connection:
        slides = {id_: (slide.name, slide.case) for id_, slide in read_slides(connection).items()}
        names = {id_: rater.name for id_, rater in read_raters(connection).items()}
        for row in rows:
            work = read_crowd_work(connection, row.id)
            answers: dict[int, list[dict[str, Any]]] = defaultdict(list)
            for answer in work.answers:
                counts = work.standing[answer.rater_id].state == "qualified"
                said = {"rater": names[answer.rater_id], "counts": counts, "seconds": answer.seconds}
                answers[answer.tile_id].append(said | dict(answer.content))
            for result in tile_results(row, work):
                slide, case = slides[result.tile.slide_id]
                found.append(
                    {
                        "round": row.name,
                        "asked": str(row.kind),
                        "slide": slide,
                        "case": case,
                        "x_px0": result.tile.x_px0,
                        "y_px0": result.tile.y_px0,
                        "side_px0": result.tile.side_px0,
                        "is_gold": result.tile.gold is not None,
                        "reviewers": result.reviewers,
                        "positive": result.positive,
                        "score": result.score,
                        "holds_figure": result.holds_figure,
                        "boxes": box_rows(result.boxes),
                        "answers": answers[result.tile.id],
                    }
                )
    return found


def box_rows(boxes: CrowdBoxes | None) -> list[list[float]]:
    """Return merged boxes as x, y, width, height and agreement."""
    if boxes is None:
        return []
    size = boxes.boxes_px0[:, 2:] - boxes.boxes_px0[:, :2]
    rows: list[list[float]] = (
        np.column_stack([boxes.boxes_px0[:, :2], size, boxes.agreement]).round(6).tolist()
    )
    return rows


def tiles_text(tiles: Sequence[Mapping[str, Any]], suffix: str) -> str:
    """Return described tiles as the text of a CSV, without boxes and answers, or of a JSON file, with them.

    Raises
    ------
    ConfigError
        If the suffix is neither ``.csv`` nor ``.json``.
    """
    if suffix == ".json":
        return json.dumps({"tiles": list(tiles)}, ensure_ascii=False, indent=1) + "\n"
    if suffix != ".csv":
        raise ConfigError(
            f"tiles are not written as {suffix!r}", where="out", mend="name a .csv or .json file"
        )
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for tile in tiles:
        writer.writerow([_cell(tile[column]) for column in COLUMNS])
    return text.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, bool):
        return int(value)
    return "" if value is None else inert(value) if isinstance(value, str) else value


def write_tiles(store: Store, path: Path, *, name: str | None = None) -> int:
    """Write the tiles of a round, or of all, to a CSV or JSON file; return how many.

    Raises
    ------
    ConfigError, NotFoundError, OutputError
        As `tiles_text` and `describe_tiles`, and if the file cannot be written.
    """
    tiles = describe_tiles(store, name)
    text = tiles_text(tiles, path.suffix.casefold())
    with atomic_write(path) as stream:
        stream.write(text.encode())
    return len(tiles)
