"""A case as it is counted: candidates of models, corrected by hand, inside of the regions drawn on the slide.

What is counted, where, and over which window is decided by :func:`mitoscope.count.mitotic_count`, as for
every other count. Here stands only what a study knows beside the detections: who has called a cell what, and
what of the window was looked at.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import shapely
from numpy.typing import NDArray

from mitoscope.count import (
    FIELD_ASPECT,
    TEN_HPF_MM2,
    GradingRule,
    MicroscopeField,
    MitoticCount,
    WindowShape,
    find_scheme,
    mitotic_count,
    window_size,
)
from mitoscope.detections import Detections, Searched
from mitoscope.errors import RegionError
from mitoscope.geometry import Aspect, BoxPx0, SizePx
from mitoscope.labels import ATYPICAL_FIGURE, LOOK_ALIKE, MITOTIC_FIGURE, Label, is_figure
from mitoscope.region import SlideRegions
from mitoscope.slide import SlideInfo
from mitoscope.store import CaseWork, DrawnRegion, ModelSearch, SeenCells, Terms
from mitoscope.tissue import TissueMask
from mitoscope.wording import say_area

SQUARE_UM = 128.0
"""Side of the squares in which it is kept what was seen: a window of ten high-power fields has some 150."""
NO_WORK = CaseWork()
_EDGE_PX0 = 1e-6
"""By so much a window may reach over the edge: sums of coordinates are rounded."""


@dataclass(frozen=True, eq=False)
class CaseCells:
    """The cells of a case as they are counted, one detection a cell.

    A cell that no model found scores 0 and is no figure. Its verdict is 1 where it was called a mitotic
    figure, -1 where something else, 0 where nothing was said. Whether it is atypical says the verdict, else
    the model that found it; all columns have shape (n,).
    """

    found: Detections
    has_score: NDArray[np.bool_]
    verdict: NDArray[np.int64]
    is_atypical: NDArray[np.bool_]

    @property
    def floor(self) -> float | None:
        """Lowest score of a candidate; None where there is none."""
        scores = self.found.score[self.has_score]
        return float(scores.min()) if len(scores) else None


def figure_labels(labels: Mapping[int, Label]) -> list[int]:
    """Return the labels of a study that are mitotic figures, atypical ones too."""
    return [id_ for id_, label in labels.items() if is_figure(label.name)]


def atypical_label(labels: Mapping[int, Label]) -> int | None:
    """Return the label of atypical figures; None where the study has none."""
    return next((id_ for id_, label in labels.items() if label.name == ATYPICAL_FIGURE.name), None)


def case_cells(
    cells: SeenCells,
    labels: Mapping[int, Label],
    searched: Searched,
    *,
    is_verdict: NDArray[np.bool_] | None = None,
) -> CaseCells:
    """Return the cells of a case as the pathologist sees them; labels of others are no verdict.

    `is_verdict`, shape (n,), says whose label counts: by default the pathologist's own of this round.
    """
    own = cells.is_mine if is_verdict is None else is_verdict
    called = np.where(np.isin(cells.label_id, figure_labels(labels)), 1, -1)
    has_score = ~np.isnan(cells.score)
    bounds = cells.bounds_px0
    n = len(cells.cell_id)
    found = Detections(
        (bounds[:, 0] + bounds[:, 2]) / 2,
        (bounds[:, 1] + bounds[:, 3]) / 2,
        np.nan_to_num(cells.score, nan=0.0),
        np.where(has_score, MITOTIC_FIGURE.name, LOOK_ALIKE.name),
        np.full(n, searched.origin),
        searched,
    )
    verdict = np.where(own & (cells.label_id > 0), called, 0)
    atypical = [id_ for id_, label in labels.items() if label.name == ATYPICAL_FIGURE.name]
    kind = np.where(verdict != 0, cells.label_id, cells.model_label)
    return CaseCells(found, has_score, verdict, np.isin(kind, atypical))


@dataclass(frozen=True, slots=True)
class CaseRule:
    """What is counted over: an area, its shape, a threshold where one is stated, and a grading scheme.

    Parameters
    ----------
    area_mm2 : float
        Of the window.
    aspect : Aspect
        Width to height of a rectangle; a circle has none.
    threshold : float or None
        Only scores strictly above it count; None where nobody states one.
    shape : WindowShape
        A rectangle, or a circle.
    grading : GradingRule or None
        The scheme that the round has chosen.
    fields : tuple of int and float, optional
        The number of microscope fields that make up the area, and the diameter of one in mm.
    """

    area_mm2: float
    aspect: Aspect
    threshold: float | None
    shape: WindowShape = WindowShape.RECTANGLE
    grading: GradingRule | None = None
    fields: tuple[int, float] | None = None

    @classmethod
    def of(cls, terms: Terms) -> CaseRule:
        """Return the rule of a round: the area of its scheme, else ten high-power fields, at 4:3.

        Raises
        ------
        ConfigError
            If the scheme of the round is not known, or is not stated for its field.
        """
        stated = terms.settings
        threshold, aspect = stated.get("threshold"), stated.get("aspect")
        grading, fields = grading_of(stated.get("scheme"), stated.get("field_diameter_mm"))
        area = TEN_HPF_MM2 if grading is None else grading.area_mm2
        if "area_mm2" in stated:
            area, fields = float(stated["area_mm2"]), None
        return cls(
            area,
            FIELD_ASPECT if aspect is None else Aspect.parse(str(aspect)),
            None if threshold is None else float(threshold),
            WindowShape(stated.get("shape", WindowShape.RECTANGLE)),
            grading,
            fields,
        )

    @property
    def aspect_text(self) -> str:
        """Width to height as in ``4:3``."""
        return f"{self.aspect.width:g}:{self.aspect.height:g}"

    @property
    def not_graded(self) -> str:
        """Why the scheme of the round says nothing of this window; empty where it does, or there is none."""
        if self.grading is None or self.area_mm2 == self.grading.area_mm2:
            return ""
        scheme, area = self.grading.scheme.name, self.grading.area_mm2
        return f"{scheme} counts over {say_area(area)}, not over {say_area(self.area_mm2)}"

    def window(self, info: SlideInfo) -> SizePx:
        """Return the size of the window in level-0 pixels; a rectangle is no larger than the slide."""
        size = window_size(self.area_mm2, aspect=self.aspect, mpp=info.mpp, shape=self.shape)
        if self.shape is WindowShape.CIRCLE:
            return size
        return SizePx(min(size.width, info.size.width), min(size.height, info.size.height))


def grading_of(
    scheme: str | None, field_diameter_mm: float | None
) -> tuple[GradingRule | None, tuple[int, float] | None]:
    """Return a scheme on its area, and the fields that make that up, where it goes by fields.

    Raises
    ------
    ConfigError
        If there is no scheme of that name, or it is not stated for that field.
    """
    if not scheme:
        return None, None
    field = None if field_diameter_mm is None else MicroscopeField(field_diameter_mm)
    rule = find_scheme(scheme).rule(field)
    return rule, None if field is None else (round(field.fields_in(rule.area_mm2)), field.diameter_mm)


@dataclass(frozen=True, slots=True)
class Looked:
    """What of a window was looked at.

    Parameters
    ----------
    candidates : int
        Candidates in the window that count, or were judged.
    looked : int
        Of these, how many were judged, or shown one by one.
    unsure : int
        Of these, how many were left undecided.
    added : int
        Figures in the window that no model proposed.
    seen_mm2 : float
        Area of the window that was shown at a magnification at which figures can be told.
    """

    candidates: int
    looked: int
    unsure: int
    added: int
    seen_mm2: float


@dataclass(frozen=True, slots=True)
class SeenGrid:
    """The squares of a slide by which it is kept what was seen, numbered in rows from the upper left."""

    info: SlideInfo

    @property
    def side_px0(self) -> tuple[float, float]:
        """Width and height of a square in level-0 pixels."""
        return SQUARE_UM / self.info.mpp.x, SQUARE_UM / self.info.mpp.y

    @property
    def columns(self) -> int:
        """Squares in a row."""
        return int(np.ceil(self.info.size.width / self.side_px0[0]))

    def area_in(self, seen: frozenset[int], window: MitoticCount) -> float:
        """Return how much of a window lies in squares, in mm²."""
        if not seen:
            return 0.0
        width, height = self.side_px0
        row, column = np.divmod(np.array(sorted(seen), dtype=np.int64), self.columns)
        squares = shapely.box(column * width, row * height, (column + 1) * width, (row + 1) * height)
        inside = shapely.area(shapely.intersection(squares, window.window.region.shape))
        return min(float(inside.sum()) * self.info.mpp.pixel_area_mm2, window.area_mm2)


@dataclass(frozen=True, eq=False)
class CaseOnSlide:
    """What a case is counted from, at one state of the study.

    `search` is the last search of a model on the slide, None where none is stated.
    """

    info: SlideInfo
    cells: SeenCells
    case: CaseCells
    rule: CaseRule
    drawn: list[DrawnRegion]
    regions: SlideRegions
    labels: list[int]
    search: ModelSearch | None = None
    work: CaseWork = NO_WORK

    @property
    def is_searched(self) -> bool:
        """Whether a model has searched the slide: one says so, or there are its candidates."""
        return self.search is not None or bool(self.case.has_score.any())

    @cached_property
    def _is_looked_at(self) -> NDArray[np.bool_]:
        looked = np.isin(self.cells.public_id, list(self.work.looked))
        return np.asarray((self.case.verdict != 0) | looked)

    @property
    def is_unsure(self) -> NDArray[np.bool_]:
        """Which cells the rater has looked at and left undecided, shape (n,)."""
        unsure = np.isin(self.cells.public_id, list(self.work.unsure))
        return np.asarray(unsure & (self.case.verdict == 0))

    def atypical(self, counted: MitoticCount) -> int | None:
        """Return how many figures in the window are atypical; None where no cell of the case is called so."""
        if not self.case.is_atypical.any():
            return None
        return int((self.counted_in(counted) & self.case.is_atypical).sum())

    def counted_in(self, counted: MitoticCount) -> NDArray[np.bool_]:
        """Say of each cell whether it counts in the window, shape (n,)."""
        return np.asarray(counted.counted & counted.holds(self.case.found.points_px0))

    def looked(self, counted: MitoticCount) -> Looked:
        """Return what of a window was looked at."""
        in_window = counted.holds(self.case.found.points_px0)
        is_judged = self.case.verdict != 0
        candidate = in_window & self.case.has_score & (counted.counted | is_judged)
        return Looked(
            candidates=int(candidate.sum()),
            looked=int((candidate & self._is_looked_at).sum()),
            unsure=int((candidate & self.is_unsure).sum()),
            added=int((self.counted_in(counted) & ~self.case.has_score).sum()),
            seen_mm2=SeenGrid(self.info).area_in(self.work.seen, counted),
        )

    def count(
        self, rule: CaseRule, tissue: TissueMask | None, *, corner: tuple[float, float] | None = None
    ) -> MitoticCount:
        """Count by a rule, in the hot spot or in a window whose upper left corner is given in level-0 px.

        Raises
        ------
        IncompleteRunError
            If the window touches what could not be read.
        RegionError
            If the window is not wholly on the slide.
        """
        info, found = self.info, self.case.found
        window = None if corner is None else self._window(rule, corner)
        searched = replace(found.searched, mpp=info.mpp, size=info.size)
        if tissue is not None:
            searched = replace(searched, colour_doubt=tissue.colour_doubt)
        is_graded = rule.grading is not None and not rule.not_graded
        return mitotic_count(
            found.with_searched(searched),
            area_mm2=None if is_graded else rule.area_mm2,
            aspect=rule.aspect,
            shape=rule.shape,
            rule=rule.grading if is_graded else None,
            threshold=rule.threshold,
            tissue=tissue,
            regions=self.regions,
            verdicts=self.case.verdict,
            window=window,
            splits=0,  # the slider is not to wait; the hot spot is a proposal here
            force=True,  # the pathologist looks at the slide; the note stands beside the number
        )

    def _window(self, rule: CaseRule, corner: tuple[float, float]) -> BoxPx0:
        """Return the window at a corner.

        Raises
        ------
        RegionError
            If it is not wholly on the slide.
        """
        size, slide = rule.window(self.info), self.info.size
        box = BoxPx0(*corner, size.width, size.height)
        over = (-box.x, -box.y, box.right - slide.width, box.bottom - slide.height)
        if max(over) > _EDGE_PX0:
            far = box.intersection(BoxPx0(0, 0, slide.width, slide.height)) is None
            raise RegionError(
                f"the window at {box.x:.0f}, {box.y:.0f} px is {'' if far else 'partly '}outside the slide",
                mend="move it onto the slide",
            )
        return box
