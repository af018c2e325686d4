"""A rater at work: labels, new cells, corrections, and the next cell, in one round."""

from __future__ import annotations

from collections.abc import Collection

from mitoscope.store import Acknowledgement, Geometry, Store, queue
from mitoscope.store.actions import CellEvent, record
from mitoscope.store.queue import Progress
from mitoscope.store.sight import last_visible


class Session:
    """A rater in a round of a store.

    Every action is one transaction and on disk when it returns. A ``key``, chosen by the client for each
    action, makes a repeated request harmless; ``expected``, the last event of the cell that the client has
    seen (:meth:`last_visible`), makes sure that nothing is overwritten unseen.

    Parameters
    ----------
    store : Store
        Open for writing.
    rater_id, round_id : int
        Who, and in which round.
    """

    def __init__(self, store: Store, rater_id: int, round_id: int) -> None:
        self._store = store
        self.rater_id = rater_id
        self.round_id = round_id

    def _record(self, action: CellEvent, *, slide_id: int | None = None) -> Acknowledgement:
        with self._store.writing() as connection:
            return record(connection, action, slide_id=slide_id)

    def label(
        self,
        cell_id: int,
        label_id: int | None,
        *,
        score: float | None = None,
        seconds: float | None = None,
        key: str | None = None,
        expected: int | None = None,
    ) -> Acknowledgement:
        """Label a cell; None is "unknown", or takes the label back.

        Raises
        ------
        ConflictError
            If the cell has changed since it was seen, is deleted, or the key was used for something else.
        """
        action = CellEvent(
            "label",
            cell_id,
            self.rater_id,
            self.round_id,
            label_id=label_id,
            score=score,
            seconds=seconds,
            key=key,
            expected=expected,
        )
        return self._record(action)

    def create(self, slide_id: int, geometry: Geometry, *, key: str | None = None) -> Acknowledgement:
        """Add a cell to a slide.

        Raises
        ------
        FormatError
            If it is not on the slide.
        """
        action = CellEvent("create", 0, self.rater_id, self.round_id, geometry=geometry, key=key)
        return self._record(action, slide_id=slide_id)

    def move(
        self, cell_id: int, geometry: Geometry, *, key: str | None = None, expected: int | None = None
    ) -> Acknowledgement:
        """Give a cell another geometry."""
        action = CellEvent(
            "move", cell_id, self.rater_id, self.round_id, geometry=geometry, key=key, expected=expected
        )
        return self._record(action)

    def delete(self, cell_id: int, *, key: str | None = None, expected: int | None = None) -> Acknowledgement:
        """Take a cell out of the study; its history stays."""
        return self._record(
            CellEvent("delete", cell_id, self.rater_id, self.round_id, key=key, expected=expected)
        )

    def restore(
        self, cell_id: int, *, key: str | None = None, expected: int | None = None
    ) -> Acknowledgement:
        """Take a deletion back."""
        return self._record(
            CellEvent("restore", cell_id, self.rater_id, self.round_id, key=key, expected=expected)
        )

    def last_visible(self, cell_id: int) -> int:
        """Return the last event of a cell that the rater sees; see :mod:`mitoscope.store.sight`."""
        with self._store.reading() as connection:
            return last_visible(connection, cell_id, rater_id=self.rater_id, round_id=self.round_id)

    def own_labels(self, cell_ids: Collection[int]) -> dict[int, int | None]:
        """Return the rater's own labels in this round by cell; cells without one are left out."""
        sql = "SELECT label_id FROM label_now WHERE (cell_id, rater_id, round_id) = (?, ?, ?)"
        found: dict[int, int | None] = {}
        with self._store.reading() as connection:
            for cell_id in cell_ids:
                row = connection.execute(sql, (cell_id, self.rater_id, self.round_id)).fetchone()
                if row is not None:
                    found[cell_id] = row[0]
        return found

    def next_unlabelled(self, *, slide_id: int | None = None, skip: Collection[int] = ()) -> int | None:
        """Return the next cell without a label of this rater in this round, or None when all are done."""
        with self._store.reading() as connection:
            slides = None if slide_id is None else [slide_id]
            found = queue.next_cells(connection, self.rater_id, self.round_id, n=1, slides=slides, skip=skip)
        return found[0] if found else None

    def progress(self) -> dict[int, Progress]:
        """Return how far the rater is, by slide."""
        with self._store.reading() as connection:
            return queue.read_progress(connection, self.rater_id, self.round_id)
