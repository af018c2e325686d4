"""Simulated experts at work on a study of known truth: what curation and the loops are proved with.

Experts are made of chance: how often they overlook a figure, and how often they take one cell for another.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray
from scipy.spatial import cKDTree

from mitoscope.errors import ConfigError, FormatError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Geometry, Rater, RaterKind, Round, SlideRecord, Store
from mitoscope.store.vocabulary import id_of
from tests.store.session import Session

MISS = 0.06
"""Figures that the first expert overlooked at screening (CMC Table 1: +6.06 % by the algorithm)."""
DISAGREEMENT = 0.20
"""Cells on which two experts differ (MIDOG++ Table 3: 19.98 %)."""
SAME_CELL_PX0 = 25.0
"""A cell of the store this near to a true one is that cell (CCMCT, CMC)."""


def confusion_for(disagreement: float) -> float:
    """Return how often each of two independent experts must err so that they differ on such a share of cells.

    Two classes: 2 e (1 − e) = disagreement, the smaller solution.

    Raises
    ------
    ConfigError
        If the share is not in [0, 0.5]: independent experts of two classes cannot differ more often.
    """
    if not 0 <= disagreement <= 0.5:
        raise ConfigError(f"a disagreement of {disagreement:g} is not in [0, 0.5]")
    return (1 - math.sqrt(1 - 2 * disagreement)) / 2


@dataclass(frozen=True)
class SimulatedExpert:
    """An expert of known faults; the same cell in the same round gets the same answer.

    Parameters
    ----------
    name : str
        Of the rater.
    miss : mapping of str to float
        True label → share of cells overlooked when screening.
    confusion : float
        Share of cells taken for the other class, on average over the cells.
    background : float
        Share of places without any cell of either class that are taken for a figure.
    difficulty : float
        0: all cells are equally hard, experts err independently. Up to 1: errors gather on a few hard cells
        that are hard for every expert, as real disagreement does; the average stays.
    seed : int
        Of all answers.
    """

    name: str
    miss: Mapping[str, float] = field(
        default_factory=lambda: {MITOTIC_FIGURE.name: MISS, LOOK_ALIKE.name: 0.2}
    )
    confusion: float = confusion_for(DISAGREEMENT)
    background: float = 0.01
    difficulty: float = 0.0
    seed: int = 0

    def __post_init__(self) -> None:
        shares = {"confusion": self.confusion, "background": self.background}
        shares |= {"difficulty": self.difficulty, **self.miss}
        for what, share in shares.items():
            if not 0 <= share <= 1:
                raise ConfigError(f"{what} {share:g} is not in [0, 1]", where=f"expert {self.name!r}")

    def finds(self, cell: str, truth: str) -> bool:
        """Whether the expert finds a cell when screening.

        Parameters
        ----------
        cell : str
            Whatever names the cell: its slide and place.
        truth : str
            Its true label.
        """
        return chance(self.seed, self.name, "screening", cell) >= self.miss.get(truth, 0.0)

    def says(self, cell: str, truth: str, *, round_: str, is_cell: bool = True) -> str:
        """Return the label that the expert gives in a round; a second look in another round is a new one.

        Parameters
        ----------
        cell, truth : str
            See :meth:`finds`.
        round_ : str
            Name of the round.
        is_cell : bool
            False for a place where there is no cell of either class, which is easy to see.
        """
        error = self._error(cell) if is_cell else self.background
        wrong = chance(self.seed, self.name, round_, cell) < error
        if not wrong:
            return truth
        return LOOK_ALIKE.name if truth == MITOTIC_FIGURE.name else MITOTIC_FIGURE.name

    def _error(self, cell: str) -> float:
        """Return the chance to err on a cell: hard cells are hard for all experts of one seed."""
        if not self.difficulty:
            return self.confusion
        hard = 1 - self.difficulty * (1 - 2 * self.confusion)  # the share of hard cells, on which one guesses
        if chance(self.seed, "difficulty", cell) < hard:
            return min(0.5, self.confusion / hard)
        return max(0.0, (self.confusion - hard * min(0.5, self.confusion / hard)) / (1 - hard))


def chance(seed: int, *names: str) -> float:
    """Return a number in [0, 1) that depends on the seed and the names and on nothing else."""
    digest = hashlib.blake2b("\x1f".join((str(seed), *names)).encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") / 2**64


@dataclass(frozen=True, eq=False)
class KnownCells:
    """The true cells of one slide.

    Parameters
    ----------
    points_px0 : ndarray of float64, shape (n, 2)
        Centres in level-0 pixels.
    label : tuple of str
        Mitotic figure or look-alike.
    """

    points_px0: NDArray[np.float64]
    label: tuple[str, ...]

    def __post_init__(self) -> None:
        if self.points_px0.shape != (len(self.label), 2):
            what = f"{len(self.label)} labels for points of shape {self.points_px0.shape}"
            raise FormatError(what, where="true cells")

    @cached_property
    def _tree(self) -> cKDTree:
        return cKDTree(self.points_px0)

    def truth_at(self, x_px0: float, y_px0: float) -> str:
        """Return the true label of the nearest cell; far from all it is no figure but a look-alike."""
        row = self._row_at(x_px0, y_px0)
        return LOOK_ALIKE.name if row is None else self.label[row]

    def is_cell_at(self, x_px0: float, y_px0: float) -> bool:
        """Whether there is a cell of either class."""
        return self._row_at(x_px0, y_px0) is not None

    def _row_at(self, x_px0: float, y_px0: float) -> int | None:
        if not self.label:
            return None
        distance, row = self._tree.query((x_px0, y_px0))
        return int(row) if distance <= SAME_CELL_PX0 else None


class SimulatedStudy:
    """Experts at work on a store whose truth is known to them in part.

    Parameters
    ----------
    store : Store
        Open for writing; slides that it lacks are added.
    truth : mapping of SlideRecord to KnownCells
        True cells of each slide.
    """

    def __init__(self, store: Store, truth: Mapping[SlideRecord, KnownCells]) -> None:
        self.store, self.truth = store, dict(truth)
        self._truth = {store.add_slide(slide): (slide.name, cells) for slide, cells in truth.items()}
        self._true_cells = dict(self._truth.values())
        self._label_ids = {label.name: id_ for id_, label in store.labels().items()}

    def screen(self, expert: SimulatedExpert, round_: Round) -> int:
        """Let an expert screen all slides: create and label what he finds. Return the number of cells."""
        session = self._session(expert, round_)
        made = 0
        for slide_id, (name, cells) in self._truth.items():
            for (x, y), truth in zip(cells.points_px0.tolist(), cells.label, strict=True):
                if not expert.finds(_cell(name, x, y), truth):
                    continue
                cell_id = session.create(slide_id, Geometry.spot(x, y)).cell_id
                self._say(session, expert, round_.name, cell_id, (name, x, y), truth)
                made += 1
        return made

    def read(self, expert: SimulatedExpert, round_name: str, *, stop_after: int | None = None) -> int:
        """Let an expert read what the store shows him of a round, to its end or so many cells.

        Raises
        ------
        StoreError
            If there is no round of that name.
        """
        with self.store.reading() as connection:
            round_id = id_of(connection, "round", round_name)
        session = Session(self.store, self._rater(expert), round_id)
        done = 0
        for cell_id in self._queue(session):
            if done == stop_after:
                break
            place = self.place_of(cell_id)
            self._say(session, expert, round_name, cell_id, place, self.truth_of(cell_id))
            done += 1
        return done

    def truth_of(self, cell_id: int) -> str:
        """Return the true label of a cell of the store."""
        name, x, y = self.place_of(cell_id)
        return self._true_cells[name].truth_at(x, y)

    def place_of(self, cell_id: int) -> tuple[str, float, float]:
        """Return the slide and centre of a cell of the store, in level-0 pixels."""
        sql = (
            "SELECT slide_id, x_min_px0 / 2 + x_max_px0 / 2, y_min_px0 / 2 + y_max_px0 / 2 "
            "FROM cell WHERE id = ?"
        )
        with self.store.reading() as connection:
            slide_id, x, y = connection.execute(sql, (cell_id,)).fetchone()
        return self._truth[slide_id][0], x, y

    def wrong(self, label_of: Mapping[int, str]) -> int:
        """Return how many labels differ from the truth: wrong classes, missed figures.

        Parameters
        ----------
        label_of : mapping of int to str
            Cell id → label, e.g. of a frozen version.
        """
        errors = sum(self.truth_of(cell) != label for cell, label in label_of.items())
        return errors + len(self.missed_figures(label_of))

    def missed_figures(self, cells: Mapping[int, str] | Sequence[int]) -> list[tuple[str, float, float]]:
        """Return the true figures that none of some cells marks, as slide and centre."""
        places: dict[str, list[tuple[float, float]]] = {}
        for cell in cells:
            name, x, y = self.place_of(cell)
            places.setdefault(name, []).append((x, y))
        missed = []
        for name, true in self._truth.values():
            tree = cKDTree(np.array(places[name])) if name in places else None
            for (x, y), label in zip(true.points_px0.tolist(), true.label, strict=True):
                near = tree is not None and tree.query((x, y))[0] <= SAME_CELL_PX0
                if label == MITOTIC_FIGURE.name and not near:
                    missed.append((name, x, y))
        return missed

    def _rater(self, expert: SimulatedExpert) -> int:
        return self.store.add_rater(Rater(expert.name, RaterKind.EXPERT))

    def _session(self, expert: SimulatedExpert, round_: Round) -> Session:
        return Session(self.store, self._rater(expert), self.store.open_round(round_))

    def _queue(self, session: Session) -> Iterator[int]:
        while (cell_id := session.next_unlabelled()) is not None:
            yield cell_id

    def _say(
        self,
        session: Session,
        expert: SimulatedExpert,
        round_name: str,
        cell_id: int,
        place: tuple[str, float, float],
        truth: str,
    ) -> None:
        name, x, y = place
        is_cell = self._true_cells[name].is_cell_at(x, y)
        said = expert.says(_cell(*place), truth, round_=round_name, is_cell=is_cell)
        session.label(cell_id, self._label_ids[said])


def _cell(slide: str, x_px0: float, y_px0: float) -> str:
    return f"{slide} {x_px0:.1f} {y_px0:.1f}"
