"""What a search found becomes candidates of a study, with the score that the model gave each.

A search is of one model on one slide. A cell of the study that the model found again gets the model's score
beside what was said of it, so that threshold and scores are always those of one model; what is new becomes a
cell. A review may be opened over the candidates later.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.curation.candidates import BINS, RADIUS_PX0, label_of_model, open_bins, paired
from mitoscope.detections import Detections, Searched
from mitoscope.errors import NotFoundError
from mitoscope.labels import LabelSet
from mitoscope.store import (
    CellEvent,
    Geometry,
    Rater,
    RaterKind,
    Round,
    RoundKind,
    Store,
    add_review,
    centres_on,
    id_of,
    intern_labels,
    intern_raters,
    intern_rounds,
    last_model,
    listed_in_reviews,
    read_search,
    read_slides,
    record,
    searched_cells,
    write_search,
)
from mitoscope.tiles import suppress

SEARCHES: Final = Round("searches", RoundKind.UNSTATED)
"""The round in which models speak of what they found when they were asked in the application."""
PART: Final = 25
"""Candidates of a transaction: some hundredths of a second."""
PAUSE_S: Final = 0.002
"""Between transactions, in which whoever waits for the store gets it."""


@dataclass(frozen=True, slots=True)
class KeptSearch:
    """What became of the candidates of a search.

    Parameters
    ----------
    new, known : int
        Cells that were made, and cells of the study that were found again.
    gone : int
        Candidates of an earlier search by the same model that this one did not find.
    """

    new: int
    known: int
    gone: int


def keep_search(
    store: Store, slide: str, found: Detections, *, model: str, radius_px0: float = RADIUS_PX0
) -> KeptSearch:
    """Write what a model found on a slide into the study.

    Candidates are written in small parts, so that somebody who labels meanwhile waits for none of them, and
    the search last. What is stopped in between is completed by the same call.

    Parameters
    ----------
    store : Store
        Open for writing.
    slide : str
        Name of the slide.
    found : Detections
        All candidates, those below the threshold too, with what was searched.
    model : str
        Name of the model. An earlier search of it on the slide is replaced.
    radius_px0 : float
        A detection within this distance of a cell is that cell, the surest first, one to one.

    Raises
    ------
    StoreError
        If there is no such slide, or the model's name is a person's.
    FormatError
        If a candidate is outside of the slide.
    """
    ordered = suppress(found.sort(), radius_px0=radius_px0)
    with store.writing() as connection:
        slide_id = id_of(connection, "slide", slide)
        (rater_id,) = intern_raters(connection, [Rater(model, RaterKind.MODEL)]).tolist()
        (round_id,) = intern_rounds(connection, [SEARCHES]).tolist()
        names = np.unique(ordered.stated_label).tolist()
        speaker = _Speaker(connection, slide_id, int(rater_id), int(round_id), names=names)
        ids, centres_px0 = centres_on(connection, slide_id)
        cells = paired(ordered.points_px0, ids, centres_px0, radius_px0)
    # By place, not by score: numbers of cells must not tell a rater how sure the model was.
    rows = np.lexsort((ordered.x_px0, ordered.y_px0)).tolist()
    for first in range(0, len(rows), PART):
        with store.writing() as connection:
            for row in rows[first : first + PART]:
                speaker.say(connection, int(cells[row]), ordered, row)
        time.sleep(PAUSE_S)
    gone = _lacking(speaker.said, cells, ids, centres_px0, found.searched)
    with store.writing() as connection:
        for cell in sorted(gone):
            speaker.take_back(connection, cell)
        write_search(connection, slide_id, int(rater_id), found.searched)
    known = int((cells > 0).sum())
    return KeptSearch(len(cells) - known, known, len(gone))


def _lacking(
    said: Collection[int],
    cells: NDArray[np.int64],
    ids: NDArray[np.int64],
    centres_px0: NDArray[np.float64],
    searched: Searched,
) -> set[int]:
    """Return the earlier candidates of a model that a search lacks, where it says what it looked at."""
    if searched.size is None:
        return set()  # a table alone may be of a part of the slide
    again = np.isin(ids, np.array(sorted(said), dtype=np.int64)) & ~np.isin(ids, cells)
    if searched.region is not None:
        again &= searched.region.contains(centres_px0)
    return set(ids[again].tolist())


class _Speaker:
    """A model that says something of cells of one slide."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        slide_id: int,
        rater_id: int,
        round_id: int,
        *,
        names: Collection[str],
    ) -> None:
        self._slide_id, self._rater_id, self._round_id = slide_id, rater_id, round_id
        self.said = searched_cells(connection, slide_id, rater_id)
        labels = tuple(dict.fromkeys(map(label_of_model, names)))
        ids = intern_labels(connection, LabelSet(labels)).tolist()
        self._label_ids = {label.name: int(id_) for label, id_ in zip(labels, ids, strict=True)}

    def say(self, connection: sqlite3.Connection, cell: int, found: Detections, row: int) -> None:
        """Give a cell, or a new one where it is 0, the score of a detection."""
        if not cell:
            place = Geometry.spot(float(found.x_px0[row]), float(found.y_px0[row]))
            cell = self._record(connection, "create", 0, geometry=place)
        label = label_of_model(str(found.stated_label[row]))
        label_id, score = self._label_ids[label.name], float(found.score[row])
        known = self.said.get(cell)
        if known is None or (known.label_id, known.score) != (label_id, score):
            self._record(connection, "label", cell, label_id=label_id, score=score)

    def take_back(self, connection: sqlite3.Connection, cell: int) -> None:
        """Take back what the model said of a cell; one that nobody else spoke of goes."""
        self._record(connection, "label", cell)
        if not self.said[cell].is_labelled:
            self._record(connection, "delete", cell)

    def _record(
        self,
        connection: sqlite3.Connection,
        kind: str,
        cell: int,
        *,
        geometry: Geometry | None = None,
        label_id: int | None = None,
        score: float | None = None,
    ) -> int:
        event = CellEvent(
            kind, cell, self._rater_id, self._round_id, label_id=label_id, score=score, geometry=geometry
        )
        return record(connection, event, slide_id=self._slide_id if kind == "create" else None).cell_id


@dataclass(frozen=True, slots=True)
class OpenedReview:
    """A review over the candidates of searches.

    Parameters
    ----------
    rounds : tuple of int
        Its rounds, high scores first.
    cells : int
        Candidates in it.
    below : int
        Candidates that were left out as their score is not above the threshold.
    known : int
        Candidates above it that were left out: somebody has labelled them, or another review asks of them.
    """

    rounds: tuple[int, ...]
    cells: int
    below: int
    known: int


def review_searched(
    connection: sqlite3.Connection,
    name: str,
    floors: Mapping[int, float | None],
    *,
    bins: int = BINS,
) -> OpenedReview:
    """Open a review over what searches found on some slides, inside of the caller's transaction.

    On each slide it asks of the candidates of the model that searched it last.

    Parameters
    ----------
    name : str
        Of the review.
    floors : mapping of int to float or None
        Id of each slide → scores not above this are left out; None for the threshold of its search.
    bins : int
        Rounds by score; 1 gives one in random order.

    Raises
    ------
    ConflictError
        If there is another review or a round of that name.
    NotFoundError
        If none of the slides was searched.
    """
    whose = {slide: last_model(connection, slide) for slide in floors}
    asked = listed_in_reviews(connection)
    chosen: dict[int, float] = {}
    below = known = 0
    for slide_id, rater_id in whose.items():
        if rater_id is None:
            continue
        floor = floors[slide_id]
        if floor is None:
            floor = read_search(connection, slide_id).threshold or 0.0
        for cell, said in searched_cells(connection, slide_id, rater_id).items():
            if said.score <= floor:
                below += 1
            elif said.is_labelled or cell in asked:
                known += 1
            else:
                chosen[cell] = said.score
    if not any(whose.values()):
        raise NotFoundError("none of these slides was searched", mend="search them first")
    review = add_review(connection, name, RoundKind.CANDIDATE_REVIEW)
    return OpenedReview(tuple(open_bins(connection, review, chosen, bins=bins)), len(chosen), below, known)


def scores_of_searches(store: Store) -> dict[int, float]:
    """Return the score that a slide's last search gave each cell that a rater has labelled, by cell."""
    with store.reading() as connection:
        models = {slide: last_model(connection, slide) for slide in read_slides(connection)}
        return {
            cell: said.score
            for slide, model in models.items()
            if model is not None
            for cell, said in searched_cells(connection, slide, model).items()
            if said.is_labelled
        }
