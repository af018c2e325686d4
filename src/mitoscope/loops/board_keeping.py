"""A board in the store: its review, its places, and the classes its cells had before."""

from __future__ import annotations

from mitoscope.curation.review import open_board
from mitoscope.errors import StoreError
from mitoscope.loops.board import BoardResult
from mitoscope.store import Store
from mitoscope.store.board import BoardPlace, add_board, read_places
from mitoscope.store.vocabulary import id_of, read_labels


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
        if connection.execute("SELECT 1 FROM board WHERE round_id = ?", (round_id,)).fetchone() is not None:
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
        row = connection.execute("SELECT id FROM board WHERE round_id = ?", (round_id,)).fetchone()
        if row is None:
            mend = "open it with 'mitoscope curate board --review'"
            raise StoreError("has no board", where=f"review {name!r}", mend=mend)
        places = read_places(connection, row[0])
    return {one.cell_id: one.before_label_id for one in places if one.before_label_id is not None}
