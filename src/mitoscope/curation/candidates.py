"""Candidates of a detector for review (ODAEL): what is new, in bins by score, written into the store."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.spatial import cKDTree

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.labels import ATYPICAL_FIGURE, CANDIDATE, MITOTIC_FIGURE, Label, LabelSet
from mitoscope.store import (
    CellEvent,
    Geometry,
    Rater,
    RaterKind,
    Review,
    ReviewPart,
    RoundKind,
    Store,
    add_review,
    centres_on,
    find_review,
    has_key,
    id_of,
    intern_labels,
    intern_raters,
    list_cells,
    listed_cells,
    open_part,
    record,
    scores_in,
    unasked_on,
    write_search,
)
from mitoscope.tiles import suppress

RADIUS_PX0 = 25.0
"""A detection within this distance of a cell, centre to centre, is that cell (CCMCT, CMC: 25 px)."""
BINS = 10
"""Candidates are shown in ten groups by score (CCMCT, section ODAEL)."""


def candidates(
    found: Detections, known_px0: ArrayLike, *, radius_px0: float = RADIUS_PX0, threshold: float = 0.0
) -> Detections:
    """Return the detections that are no known cell, by descending score.

    Of detections within the radius of each other the one of the highest score stays: no rater is asked twice.

    Parameters
    ----------
    found : Detections
        Of one slide.
    known_px0 : array_like, shape (k, 2)
        Centres of its known cells in level-0 pixels.
    radius_px0 : float
        Distance within which (inclusive) two points are one cell.
    threshold : float
        Scores not above it are left out; low, so that few figures are lost.

    Raises
    ------
    ConfigError
        If the radius is not positive.
    """
    if not radius_px0 > 0:
        raise ConfigError(f"a radius of {radius_px0:g} px", mend="write e.g. --radius 25")
    ordered = found.above(threshold).sort()
    known = np.asarray(known_px0, dtype=np.float64).reshape(-1, 2)
    if len(known) and len(ordered):
        distance, _ = cKDTree(known).query(ordered.points_px0)
        ordered = ordered.take(np.asarray(distance) > radius_px0)
    return suppress(ordered, radius_px0=radius_px0)


def paired(
    points_px0: NDArray[np.float64],
    ids: NDArray[np.int64],
    centres_px0: NDArray[np.float64],
    radius_px0: float,
) -> NDArray[np.int64]:
    """Return the cell of each point, shape (n,), 0 where none is near that no earlier point has taken."""
    cells, free = np.zeros(len(points_px0), np.int64), np.ones(len(ids), np.bool_)
    if not len(ids):
        return cells
    tree = cKDTree(centres_px0)
    for row, point in enumerate(points_px0):
        open_ = [place for place in tree.query_ball_point(point, radius_px0) if free[place]]
        if open_:
            distance = np.linalg.norm(centres_px0[open_] - points_px0[row], axis=1)
            place = open_[int(distance.argmin())]
            cells[row], free[place] = ids[place], False
    return cells


def threshold_of(found: Detections) -> float:
    """Return above which score the search of a slide calls a candidate a mitotic figure.

    Where nobody states it all candidates are above it: 0.
    """
    return found.with_candidates_as_figures().searched.threshold or 0.0


def bin_of(score: ArrayLike, *, bins: int = BINS) -> NDArray[np.int64]:
    """Return the bin of each score, from 1: bin 1 of ten holds scores above 0.9, bin 10 those up to 0.1.

    Raises
    ------
    ConfigError
        If there is no bin.
    """
    if bins < 1:
        raise ConfigError(f"{bins} bins", mend="at least 1")
    # Rounded before it is cut: 0.3 · 10 is 3.0000000000000004 in some sums that lead to 0.3.
    place = np.ceil(np.round(np.asarray(score, dtype=np.float64) * bins, 9)).astype(np.int64)
    return bins + 1 - np.clip(place, 1, bins)


@dataclass(frozen=True, slots=True)
class Proposal:
    """What was proposed.

    Parameters
    ----------
    name : str
        Of the review.
    cells : tuple of int
        Ids of the new cells.
    found, below, known : int
        Detections in all, those not above the threshold, and the others that are no new candidate: at a known
        cell, or beside a better one.
    bins : mapping of int to int
        Bin → candidates; bins without one have no round.
    is_repeated : bool
        Whether it stood in the store already.
    """

    name: str
    cells: tuple[int, ...]
    found: int
    below: int
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
    threshold: float | None = 0.0,
) -> Proposal:
    """Open a review over the candidates among detections, in one transaction.

    The store as it is now decides what is known, not the one on which the detector was run; a cell that a
    model proposed and that nobody was asked about is not yet known. A cell's score is
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
    radius_px0 : float
        See :func:`mitoscope.curation.candidates.candidates`.
    threshold : float, optional
        The same; None: raters are asked about what lies above the threshold of the search of each slide
        (:func:`threshold_of`), and what lies below is kept for counts.

    Raises
    ------
    ConflictError
        If there is another review or a round of that name.
    StoreError
        If there is no slide of a name, or the model's name is a person's.
    FormatError
        If a candidate is outside of its slide.
    """
    mark = _mark(name, found, model=model, bins=bins, radius_px0=radius_px0, threshold=threshold)
    total = sum(map(len, found.values()))
    floors = {slide: threshold_of(part) if threshold is None else threshold for slide, part in found.items()}
    below = sum(len(part) - len(part.above(floors[slide])) for slide, part in found.items())
    with store.writing() as connection:
        review = find_review(connection, name)
        if review is not None:
            return _repeated(connection, review, mark, total, below, bins)
        writer = _Writer(connection, name, mark, model)
        for slide, detections in found.items():
            slide_id = id_of(connection, "slide", slide)
            ids, centres = centres_on(connection, slide_id)
            unasked = np.isin(ids, unasked_on(connection, slide_id))
            # A count goes by all candidates of a search, also those that no rater is asked about.
            kept = 0.0 if threshold is None else threshold
            known = centres[~unasked]
            part = candidates(detections, known, radius_px0=radius_px0, threshold=kept)
            cells = paired(part.points_px0, ids[unasked], centres[unasked], radius_px0)
            writer.create(slide, slide_id, part, cells, floor=floors[slide])
            writer.note_search(slide_id, detections, floor=threshold)
        return writer.open(bins, total, below)


_LABELS: Final = {label.name: label for label in (CANDIDATE, ATYPICAL_FIGURE)}
"""What a model may call a candidate beside a mitotic figure."""


def label_of_model(name: str) -> Label:
    """Return the label of what a model calls a candidate: a mitotic figure, unless it says something else."""
    return _LABELS.get(name, MITOTIC_FIGURE)


def open_bins(
    connection: sqlite3.Connection, review: Review, score_of: Mapping[int, float], *, bins: int
) -> list[int]:
    """Open the rounds of a first reading by score and return them, high scores first.

    Parameters
    ----------
    score_of : mapping of int to float
        Cell id → score.
    bins : int
        1 gives one round in random order, which leads nobody.
    """
    cells, place = np.array(list(score_of), dtype=np.int64), bin_of(list(score_of.values()), bins=bins)
    rounds = []
    # One round also where nothing was found: that too is an outcome.
    for number in sorted(set(place.tolist())) or [bins]:
        title = review.name if bins == 1 else f"{review.name}, bin {number} of {bins}"
        rounds.append(open_part(connection, review, ReviewPart.FIRST, name=title))
        list_cells(connection, rounds[-1], cells[place == number].tolist())
    return rounds


class _Writer:
    """Cells of one proposal, in the transaction of the caller."""

    def __init__(self, connection: sqlite3.Connection, name: str, mark: str, model: str) -> None:
        self._connection, self._mark = connection, mark
        self._review = add_review(connection, name, RoundKind.CANDIDATE_REVIEW)
        (self._rater,) = intern_raters(connection, [Rater(model, RaterKind.MODEL)]).tolist()
        self._label_ids: dict[str, int] = {}
        self._round = open_part(connection, self._review, ReviewPart.PROPOSALS)
        self._made = 0
        self.score_of: dict[int, float] = {}

    def create(
        self, slide: str, slide_id: int, part: Detections, cells: NDArray[np.int64], *, floor: float
    ) -> None:
        # By place, not by score: numbers of cells must not tell a rater how sure the model was.
        order = np.lexsort((part.x_px0, part.y_px0))
        part, cells = part.take(order), cells[order]
        # What lies below the threshold of the search is a candidate to everybody, here as in its files.
        rows = zip(part.points_px0.tolist(), part.score.tolist(), part.stated_label.tolist(), strict=True)
        for ((x, y), score, name), known in zip(rows, cells.tolist(), strict=True):
            cell = known or self._new_cell(slide, slide_id, x, y)
            label_id = self._label_id(label_of_model(name))
            label = CellEvent(
                "label", cell, self._rater, self._round, label_id=label_id, score=score, key=self._next_key()
            )
            record(self._connection, label)
            self._made += 1
            if score > floor:
                self.score_of[cell] = score

    def _new_cell(self, slide: str, slide_id: int, x: float, y: float) -> int:
        action = CellEvent("create", 0, self._rater, self._round, geometry=Geometry.spot(x, y))
        try:
            return record(self._connection, action, slide_id=slide_id).cell_id
        except FormatError as error:
            mend = "detections and study must use level-0 pixels of the same slide"
            raise FormatError(error.what, where=f"candidate on {slide!r}", mend=mend) from None

    def _label_id(self, label: Label) -> int:
        if label.name not in self._label_ids:
            (self._label_ids[label.name],) = intern_labels(self._connection, LabelSet((label,))).tolist()
        return self._label_ids[label.name]

    def note_search(self, slide_id: int, found: Detections, *, floor: float | None) -> None:
        """Keep what was searched; where it states no threshold, it is the one by which it is reviewed."""
        searched = found.with_candidates_as_figures().searched
        if searched.threshold is None and floor:
            searched = replace(searched, threshold=floor)
        write_search(self._connection, slide_id, self._rater, searched)

    def _next_key(self) -> str:
        return f"{self._mark}/{self._made}"

    def open(self, bins: int, total: int, below: int) -> Proposal:
        open_bins(self._connection, self._review, self.score_of, bins=bins)
        return _proposal(self._review.name, self.score_of, bins, total, below, is_repeated=False)


def _proposal(
    name: str, score_of: Mapping[int, float], bins: int, total: int, below: int, *, is_repeated: bool
) -> Proposal:
    place = bin_of(list(score_of.values()), bins=bins)
    counts = {number: int((place == number).sum()) for number in sorted(set(place.tolist()))}
    known = total - below - len(score_of)
    return Proposal(name, tuple(score_of), total, below, known, counts, is_repeated)


def _repeated(
    connection: sqlite3.Connection, review: Review, mark: str, total: int, below: int, bins: int
) -> Proposal:
    cells = _scores(connection, review)
    is_same = review.proposals is not None and (not cells or has_key(connection, f"{mark}/0"))
    if not is_same:
        add_review(connection, review.name, review.kind)  # refuses it
    return _proposal(review.name, cells, bins, total, below, is_repeated=True)


def _scores(connection: sqlite3.Connection, review: Review) -> dict[int, float]:
    score_of = {} if review.proposals is None else scores_in(connection, review.proposals)
    listed = listed_cells(connection, review.first)
    return {cell: float(score_of[cell]) for cell in listed if cell in score_of}


def _mark(name: str, found: Mapping[str, Detections], **settings: object) -> str:
    """Return the fingerprint of a proposal; it stands in the keys of its events."""
    digest = hashlib.sha256(repr((name, sorted(settings.items()))).encode())
    for slide, part in found.items():
        digest.update(slide.encode())
        digest.update(np.ascontiguousarray(np.column_stack([part.points_px0, part.score])).tobytes())
    return f"proposal {digest.hexdigest()[:32]}"
