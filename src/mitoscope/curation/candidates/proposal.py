"""Writing candidates into a store: cells of a model, in rounds for several experts who read independently."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.candidates.candidates import BINS, RADIUS_PX0, bin_of, candidates
from mitoscope.curation.review.rounds import bin_name, find_rounds, listed_cells
from mitoscope.detections import Detections
from mitoscope.errors import ConflictError, FormatError
from mitoscope.labels import MITOTIC_FIGURE, LabelSet
from mitoscope.store.actions import Action, Geometry, record
from mitoscope.store.kinds import RaterKind, RoundKind
from mitoscope.store.lists import list_cells
from mitoscope.store.records import Rater, Round
from mitoscope.store.store import Store
from mitoscope.store.vocabulary import id_of, intern_labels, intern_raters, intern_rounds

_KNOWN_SQL = """
SELECT x_min_px0 / 2 + x_max_px0 / 2, y_min_px0 / 2 + y_max_px0 / 2 FROM cell
WHERE slide_id = ? AND is_deleted = 0
"""


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was proposed.

    Parameters
    ----------
    name : str
        Of the review.
    cells : tuple of int
        Ids of the new cells.
    found, known : int
        Detections in all, and those that are no new candidate: at a known cell, or beside a better one.
    bins : mapping of int to int
        Bin → candidates; bins without one have no round.
    is_repeated : bool
        Whether it stood in the store already.
    """

    name: str
    cells: tuple[int, ...]
    found: int
    known: int
    bins: Mapping[int, int]
    is_repeated: bool = False


def propose(
    store: Store,
    name: str,
    found: Mapping[str, Detections],
    *,
    model: str,
    bins: int = BINS,
    radius_px0: float = RADIUS_PX0,
    threshold: float = 0.0,
) -> Proposal:
    """Open a review over the candidates among detections, in one transaction.

    The store as it is now decides what is known, not the one on which the detector was run. A cell's score is
    kept as a label of the model, which no expert of the review sees and no policy counts. The same proposal
    made again, after a stop, does nothing.

    Parameters
    ----------
    store : Store
        Open for writing.
    name : str
        Of the review.
    found : mapping of str to Detections
        Slide name → what was found on it.
    model : str
        Who found it.
    bins : int
        Rounds by score, high scores first; 1 gives one round in random order, which leads nobody.
    radius_px0, threshold : float
        See :func:`mitoscope.curation.candidates.candidates`.

    Raises
    ------
    ConflictError
        If there is another review of that name.
    StoreError
        If there is no slide of a name, or the model's name is a person's.
    FormatError
        If a candidate is outside of its slide.
    """
    mark = _mark(name, found, model=model, bins=bins, radius_px0=radius_px0, threshold=threshold)
    total = sum(map(len, found.values()))
    with store.writing() as connection:
        if find_rounds(connection, name) is not None:
            return _repeated(connection, name, mark, total, bins)
        writer = _Writer(connection, name, mark, model)
        for slide, detections in found.items():
            slide_id = id_of(connection, "slide", slide)
            known = connection.execute(_KNOWN_SQL, (slide_id,)).fetchall()
            part = candidates(detections, known, radius_px0=radius_px0, threshold=threshold)
            writer.create(slide, slide_id, part)
        return writer.open(bins, total)


class _Writer:
    """Cells of one proposal, in the transaction of the caller."""

    def __init__(self, connection: sqlite3.Connection, name: str, mark: str, model: str) -> None:
        self._connection, self._name, self._mark = connection, name, mark
        (self._rater,) = intern_raters(connection, [Rater(model, RaterKind.MODEL)]).tolist()
        (self._label,) = intern_labels(connection, LabelSet((MITOTIC_FIGURE,))).tolist()
        round_ = Round(f"{name}, proposals", RoundKind.UNSTATED)
        (self._round,) = intern_rounds(connection, [round_]).tolist()
        self.cells: list[int] = []
        self.scores: list[float] = []

    def create(self, slide: str, slide_id: int, part: Detections) -> None:
        # By place, not by score: numbers of cells must not tell a rater how sure the model was.
        part = part.take(np.lexsort((part.x_px0, part.y_px0)))
        for (x, y), score in zip(part.points_px0.tolist(), part.score.tolist(), strict=True):
            action = Action(
                "create", 0, self._rater, self._round, geometry=Geometry.spot(x, y), key=self._next_key()
            )
            try:
                cell = record(self._connection, action, slide_id=slide_id).cell_id
            except FormatError as error:
                mend = "detections and study must use level-0 pixels of the same slide"
                raise FormatError(error.what, where=f"candidate on {slide!r}", mend=mend) from None
            label = Action("label", cell, self._rater, self._round, label_id=self._label, score=score)
            record(self._connection, label)
            self.cells.append(cell)
            self.scores.append(score)

    def _next_key(self) -> str:
        return f"{self._mark}/{len(self.cells)}"

    def open(self, bins: int, total: int) -> Proposal:
        cells, place = np.array(self.cells, dtype=np.int64), bin_of(self.scores, bins=bins)
        for number in _numbers(place, bins):
            round_ = Round(bin_name(self._name, number, bins), RoundKind.CANDIDATE_REVIEW)
            (id_,) = intern_rounds(self._connection, [round_], is_blinded=True, is_listed=True).tolist()
            list_cells(self._connection, id_, cells[place == number].tolist())
        return _proposal(self._name, cells, place, total, is_repeated=False)


def _numbers(place: NDArray[np.int64], bins: int) -> list[int]:
    # One round also where nothing was found: that too is an outcome.
    return sorted(set(place.tolist())) or [bins]


def _proposal(
    name: str, cells: NDArray[np.int64], place: NDArray[np.int64], total: int, *, is_repeated: bool
) -> Proposal:
    counts = {number: int((place == number).sum()) for number in sorted(set(place.tolist()))}
    return Proposal(name, tuple(cells.tolist()), total, total - len(cells), counts, is_repeated)


def _repeated(connection: sqlite3.Connection, name: str, mark: str, total: int, bins: int) -> Proposal:
    cells = proposed_scores(connection, name)
    same = connection.execute("SELECT 1 FROM event WHERE key = ?", (f"{mark}/0",)).fetchone()
    if same is None and cells:
        mend = "choose another name"
        raise ConflictError("there is another review of that name", where=f"review {name!r}", mend=mend)
    ids = np.array(list(cells), dtype=np.int64)
    return _proposal(name, ids, bin_of(list(cells.values()), bins=bins), total, is_repeated=True)


def proposed_scores(connection: sqlite3.Connection, name: str) -> dict[int, float]:
    """Return the scores under which the live cells of a review were proposed; empty where none was."""
    rounds = find_rounds(connection, name)
    listed = listed_cells(connection, rounds.first) if rounds else []
    sql = (
        "SELECT n.cell_id, n.score FROM label_now AS n JOIN round AS r ON r.id = n.round_id "
        "WHERE r.name = ? AND n.score IS NOT NULL"
    )
    score_of = dict(connection.execute(sql, (f"{name}, proposals",)).fetchall())
    return {cell: float(score_of[cell]) for cell in listed if cell in score_of}


def _mark(name: str, found: Mapping[str, Detections], **settings: object) -> str:
    """Return the fingerprint of a proposal; it stands in the keys of its events."""
    digest = hashlib.sha256(repr((name, sorted(settings.items()))).encode())
    for slide, part in found.items():
        digest.update(slide.encode())
        digest.update(np.ascontiguousarray(np.column_stack([part.points_px0, part.score])).tobytes())
    return f"proposal {digest.hexdigest()[:32]}"
