"""A similarity board as one job: coordinates, layout, suspicious cells, crops and the picture."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from mitoscope.cluster import Executor
from mitoscope.curation.board import (
    Grid,
    Layout,
    Method,
    Quality,
    Suspicion,
    lay_out,
    project,
    quality,
    suspicion,
)
from mitoscope.curation.board.coordinates import CellPoints, made_from, read_points, write_points
from mitoscope.curation.review import open_board
from mitoscope.errors import FormatError, StoreError
from mitoscope.exchange import dump_rows, inert, shortest
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.loops.board_image import write_board
from mitoscope.loops.crops import MPP, CropPlace, Progress, gather_crops
from mitoscope.store import (
    BoardPlace,
    Policy,
    Store,
    add_board,
    board_of_round,
    centres_of,
    id_of,
    read_labels,
    read_places,
)

NO_CLASS = "no agreed class"
NO_CLASS_COLOUR = "#868e96"
TABLE_COLUMNS = ("cell", "slide", "x", "y", "label", "column", "row", "disagreement", "neighbours say")
TABLE, PICTURE, SUMMARY, COORDINATES = "board.csv", "board.tiff", "board.json", "coordinates.npz"


@dataclass(frozen=True, eq=False)
class BoardCells:
    """The cells of a board: their ids, places on the slides, present classes and the colours of these."""

    cell_id: tuple[int, ...]
    place: tuple[CropPlace, ...]
    label: tuple[str, ...]
    colour: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class BoardResult:
    """What a board came to; ``picture`` is None where no slides were given."""

    layout: Layout
    quality: Quality
    suspicion: Suspicion
    cells: BoardCells
    folder: Path
    picture: Path | None

    def most_suspicious(self, n: int) -> tuple[int, ...]:
        """Return the ids of the n cells whose neighbours speak most against their class."""
        rows = self.suspicion.order[:n].tolist()
        return tuple(self.cells.cell_id[row] for row in rows if self.suspicion.disagreement[row] > 0)


def board_cells(store: Store, cell_ids: Sequence[int], policy: Policy) -> BoardCells:
    """Return what a board needs to know of its cells.

    Raises
    ------
    FormatError
        If a cell is not in the store, or deleted: the embeddings are of another state of it.
    """
    view = store.agreed(policy)
    label_of = dict(zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True))
    gone = [cell for cell in cell_ids if cell not in label_of]
    if gone:
        what = f"{len(gone)} cells are not in the store, the first is {gone[0]}"
        raise FormatError(what, where="embeddings", mend="compute them again from this study")
    slides = {slide.name: slide for slide in store.slides().values()}
    labels = store.labels()
    with store.reading() as connection:
        centres = centres_of(connection, cell_ids)
    places = {id_: CropPlace.on(slides[slide], x, y) for id_, (slide, x, y) in centres.items()}
    known = [labels.get(label_of[cell]) for cell in cell_ids]
    return BoardCells(
        tuple(cell_ids),
        tuple(places[cell] for cell in cell_ids),
        tuple(NO_CLASS if label is None else label.name for label in known),
        tuple(NO_CLASS_COLOUR if label is None else label.colour for label in known),
    )


def make_board(
    cells: BoardCells,
    embeddings: CellPoints,
    folder: Path,
    *,
    grid: Grid,
    coordinates: CellPoints | None = None,
    slides: Mapping[str, Path] | None = None,
    method: Method | None = None,
    mpp: float = MPP,
    seed: int = 0,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> BoardResult:
    """Make a board in a folder: ``board.csv``, ``board.json`` and, given slides, ``board.tiff``.

    A repeated call does not compute again what is there: coordinates of the same embeddings and seed, and the
    crops of slides that were finished.

    Parameters
    ----------
    cells : BoardCells
        From :func:`board_cells`, in the order of the embeddings.
    embeddings : CellPoints
        One row a cell.
    folder : Path
        For the results.
    grid : Grid
        The board.
    coordinates : CellPoints, optional
        In two dimensions, of the same cells; by default made by UMAP.
    slides : mapping of str to Path, optional
        Slide name → file.
    method : str, optional
        Of the layout.
    mpp : float
        Of the crops, in µm/px.
    seed : int
        Of UMAP.
    progress : callable, optional
        Called with crops done, then tiles done, and their number.
    executor : Executor, optional
        What cuts crops; by default this process.
    """
    make_directory(folder)
    placed = _coordinates(embeddings, folder / COORDINATES, seed) if coordinates is None else coordinates
    if not np.array_equal(placed.cell_id, embeddings.cell_id):
        raise FormatError("the coordinates are of other cells than the embeddings", where="board")
    layout = lay_out(placed.points, grid, method=method)
    neighbours = min(15, (len(cells.cell_id) - 1) // 2)
    kept = quality(embeddings.points, layout.points, neighbours=neighbours)
    doubt = suspicion(embeddings.points, cells.label, neighbours=neighbours)
    picture = None
    if slides is not None:
        picture = folder / PICTURE
        crops = gather_crops(
            cells.place,
            slides,
            folder,
            side_px=grid.cell_px,
            mpp=mpp,
            progress=progress,
            executor=executor,
        )
        write_board(picture, layout, crops, cells.colour, mpp=mpp, progress=progress)
    result = BoardResult(layout, kept, doubt, cells, folder, picture)
    _write_table(folder / TABLE, result)
    _write_summary(folder / SUMMARY, result, embeddings)
    return result


def _coordinates(embeddings: CellPoints, path: Path, seed: int) -> CellPoints:
    origin = f"UMAP, seed {seed}, of {embeddings.fingerprint()}"
    if made_from(path) == origin:
        return read_points(path)
    placed = CellPoints(embeddings.cell_id, project(embeddings.points, seed=seed))
    write_points(path, placed, made_from=origin)
    return placed


def _write_table(path: Path, result: BoardResult) -> None:
    rows: list[Sequence[object]] = [TABLE_COLUMNS]
    for row in result.suspicion.order.tolist():
        place, layout = result.cells.place[row], result.layout
        rows.append(
            (
                result.cells.cell_id[row],
                inert(place.slide),
                shortest(place.x_px0),
                shortest(place.y_px0),
                inert(result.cells.label[row]),
                int(layout.column[row]),
                int(layout.row[row]),
                f"{result.suspicion.disagreement[row]:.4f}",
                inert(result.suspicion.expected[row]),
            )
        )
    with atomic_write(path) as stream:
        stream.write(dump_rows(rows))


def _write_summary(path: Path, result: BoardResult, embeddings: CellPoints) -> None:
    grid = result.layout.grid
    summary = {
        "crops": len(result.cells.cell_id),
        "embeddings_sha256": embeddings.fingerprint(),
        "columns": grid.columns,
        "rows": grid.rows,
        "cell_px": grid.cell_px,
        "method": result.layout.method,
        "mean_shift_places": float(result.layout.shift.mean()),
        "quality": asdict(result.quality),
        "picture": None if result.picture is None else result.picture.name,
    }
    with atomic_write(path) as stream:
        stream.write((json.dumps(summary, indent=1) + "\n").encode())


def keep_board(store: Store, name: str, result: BoardResult, *, suspicious: int | None = None) -> int:
    """Open the review of a board and keep the board in the store, for the labelling application.

    The classes of now stand beside the places: what is later labelled otherwise is relabelled. A repeated
    call adds cells to the review and leaves the board as it is.

    Parameters
    ----------
    store : Store
        Open for writing.
    name : str
        Of the review.
    result : BoardResult
    suspicious : int, optional
        Only the so many most suspicious cells are to be reviewed; by default all.

    Returns
    -------
    int
        Cells that are new in the review.
    """
    cells = result.cells.cell_id
    new = open_board(store, name, cells if suspicious is None else result.most_suspicious(suspicious))
    grid, layout = result.layout.grid, result.layout
    with store.writing() as connection:
        round_id = id_of(connection, "round", name)
        if board_of_round(connection, round_id) is not None:
            return new
        label_ids = {label.name: id_ for id_, label in read_labels(connection).items()}
        rows = zip(cells, layout.column.tolist(), layout.row.tolist(), result.cells.label, strict=True)
        places = [BoardPlace(cell, column, row, label_ids.get(label)) for cell, column, row, label in rows]
        add_board(connection, round_id, places, columns=grid.columns, rows=grid.rows, cell_px=grid.cell_px)
    return new


def labels_before(store: Store, name: str) -> dict[int, int]:
    """Return the classes that the cells of a review's board had when it was kept, as label ids by cell.

    Raises
    ------
    StoreError
        If there is no round of that name, or it has no board.
    """
    with store.reading() as connection:
        round_id = id_of(connection, "round", name)
        board_id = board_of_round(connection, round_id)
        if board_id is None:
            mend = "open it with 'mitoscope curate board --review'"
            raise StoreError("has no board", where=f"review {name!r}", mend=mend)
        places = read_places(connection, board_id)
    return {place.cell_id: place.before_label_id for place in places if place.before_label_id is not None}
