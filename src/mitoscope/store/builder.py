"""Building a study row by row, by names: what most readers of a format need."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import InputError
from mitoscope.labels import Label, LabelSet
from mitoscope.store.columns import Cells, LabelEvents, Shape
from mitoscope.store.records import (
    UNSTATED_ROUND,
    DatasetVersion,
    ModelSearch,
    QuarantineEntry,
    Rater,
    Region,
    Round,
    SlideRecord,
    Study,
)

_WHAT_MAX = 2000
"""Characters of an item that cannot be read."""


class StudyBuilder:
    """Collects the rows of a study.

    ``slide``, ``rater``, ``round`` and ``label`` return an index and may be called again with an equal
    record; ``cell`` returns its row. Two different records of one name are an error when the study is built.
    """

    def __init__(self, labels: LabelSet | None = None) -> None:
        self._slides: dict[SlideRecord, int] = {}
        self._raters: dict[Rater, int] = {}
        self._rounds: dict[Round, int] = {UNSTATED_ROUND: 0}
        self._labels: dict[Label, int] = {
            label: index for index, label in enumerate(labels.labels if labels is not None else ())
        }
        self._cell_rows: list[tuple[int, int, float, float, float, float, int, bool]] = []
        self._ids: list[tuple[str | None, str | None]] = []
        self._vertices: dict[int, NDArray[np.float64]] = {}
        self._cell_attributes: dict[int, Mapping[str, Any]] = {}
        self._event_rows: list[tuple[int, int, int, int, float, float, float]] = []
        self._event_attributes: dict[int, Mapping[str, Any]] = {}
        self.regions: list[Region] = []
        self.versions: list[DatasetVersion] = []
        self.quarantine: list[QuarantineEntry] = []
        self.searches: list[ModelSearch] = []

    def slide(self, slide: SlideRecord) -> int:
        """Return the index of a slide."""
        return self._slides.setdefault(slide, len(self._slides))

    def rater(self, rater: Rater) -> int:
        """Return the index of a rater."""
        return self._raters.setdefault(rater, len(self._raters))

    def round(self, round_: Round) -> int:
        """Return the index of a round; index 0 is the unstated round."""
        return self._rounds.setdefault(round_, len(self._rounds))

    def label(self, label: Label) -> int:
        """Return the index of a label."""
        return self._labels.setdefault(label, len(self._labels))

    def cell(
        self,
        slide: int,
        bounds_px0: Sequence[float],
        *,
        shape: Shape = Shape.SPOT,
        vertices_px0: ArrayLike | None = None,
        z: int = 0,
        deleted: bool = False,
        guid: str | None = None,
        external_id: str | None = None,
        attributes: Mapping[str, Any] | None = None,
    ) -> int:
        """Add a cell and return its row.

        Parameters
        ----------
        slide : int
            Index of the slide.
        bounds_px0 : sequence of float
            x_min, y_min, x_max, y_max, or x, y of a spot, in level-0 pixels.
        shape : Shape
            Spot, box, circle or polygon.
        vertices_px0 : array_like, shape (k, 2), optional
            Of a polygon, not closed.
        z, deleted, guid, external_id, attributes
            See :class:`~mitoscope.store.columns.Cells`.
        """
        row = len(self._cell_rows)
        x_min, y_min, x_max, y_max = (*bounds_px0, *bounds_px0)[:4] if len(bounds_px0) == 2 else bounds_px0
        self._cell_rows.append((slide, int(shape), x_min, y_min, x_max, y_max, z, deleted))
        self._ids.append((guid, external_id))
        if vertices_px0 is not None:
            self._vertices[row] = np.asarray(vertices_px0, dtype=np.float64).reshape(-1, 2)
        if attributes:
            self._cell_attributes[row] = attributes
        return row

    def polygon(self, slide: int, vertices_px0: ArrayLike, **columns: Any) -> int:
        """Add a polygon cell, its bounds taken from its vertices, and return its row."""
        vertices = np.asarray(vertices_px0, dtype=np.float64).reshape(-1, 2)
        bounds = (*vertices.min(axis=0).tolist(), *vertices.max(axis=0).tolist())
        return self.cell(slide, bounds, shape=Shape.POLYGON, vertices_px0=vertices, **columns)

    def event(
        self,
        cell: int,
        rater: int,
        label: int,
        *,
        round_: int = 0,
        time_s: float = math.nan,
        score: float = math.nan,
        seconds: float = math.nan,
        attributes: Mapping[str, Any] | None = None,
    ) -> None:
        """Add a label event; see :class:`~mitoscope.store.columns.LabelEvents`."""
        if attributes:
            self._event_attributes[len(self._event_rows)] = attributes
        self._event_rows.append((cell, rater, label, round_, time_s, score, seconds))

    @contextmanager
    def aside(self, item: object, *, where: str = "", slide: str | None = None) -> Iterator[None]:
        """Add what one item of a file says, or nothing of it but an entry in quarantine.

        Parameters
        ----------
        item : object
            Kept as text where it cannot be read.
        where : str
            Its place, where the error does not say it.
        slide : str, optional
            Name of the slide that it is on.
        """
        cells, events, regions = len(self._cell_rows), len(self._event_rows), len(self.regions)
        try:
            yield
        except InputError as error:
            del self._cell_rows[cells:], self._ids[cells:], self._event_rows[events:], self.regions[regions:]
            for rows, first in (
                (self._vertices, cells),
                (self._cell_attributes, cells),
                (self._event_attributes, events),
            ):
                for row in [row for row in rows if row >= first]:
                    del rows[row]
            self.set_aside(error, item, where=where, slide=slide)

    def set_aside(
        self, error: InputError, item: object, *, where: str = "", slide: str | None = None
    ) -> None:
        """Put an item of a file of which nothing was added into quarantine; see `aside`."""
        # What stands there instead differs from item to item and is kept with it.
        why = error.what.partition(", got ")[0]
        self.quarantine.append(QuarantineEntry(error.where or where, why, str(item)[:_WHAT_MAX], slide))

    def build(self) -> Study:
        """Return the study.

        Raises
        ------
        FormatError
            If a name is not unique or an index does not exist.
        """
        cells = np.array(self._cell_rows, dtype=np.float64).reshape(-1, 8)
        guid, external = zip(*self._ids, strict=True) if self._ids else ((), ())
        events = np.array(self._event_rows, dtype=np.float64).reshape(-1, 7)
        return Study(
            slides=tuple(self._slides),
            labels=LabelSet(tuple(self._labels)),
            raters=tuple(self._raters),
            rounds=tuple(self._rounds),
            cells=Cells.of(
                cells[:, 0],
                cells[:, 2:6],
                shape=cells[:, 1],
                z=cells[:, 6],
                deleted=cells[:, 7],
                guid=guid,
                external_id=external,
                vertices_px0=self._vertices,
                attributes=self._cell_attributes,
            ),
            events=LabelEvents.of(
                events[:, 0],
                events[:, 1],
                events[:, 2],
                round=events[:, 3],
                time_s=events[:, 4],
                score=events[:, 5],
                seconds=events[:, 6],
                attributes=self._event_attributes,
            ),
            regions=tuple(self.regions),
            versions=tuple(self.versions),
            quarantine=tuple(self.quarantine),
            searches=tuple(self.searches),
        )
