"""A case as it is counted: candidates of models, corrected by hand, inside of the regions drawn on the slide.

What is counted, where, and over which window is decided by :func:`mitoscope.count.mitotic_count`, as for
every other count. Here stands only what a study knows beside the detections: who has called a cell what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import FIELD_ASPECT, TEN_HPF_MM2, MitoticCount, mitotic_count, window_size
from mitoscope.detections import Detections, Searched
from mitoscope.geometry import Aspect, BoxPx0, SizePx
from mitoscope.labels import ATYPICAL_FIGURE, LOOK_ALIKE, MITOTIC_FIGURE, Label, is_figure
from mitoscope.region import SlideRegions
from mitoscope.slide import SlideInfo
from mitoscope.store import DrawnRegion, SeenCells, Terms
from mitoscope.tissue import TissueMask


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
    """What a round counts over: an area, its aspect, and a threshold where the round states one."""

    area_mm2: float
    aspect: Aspect
    threshold: float | None

    @classmethod
    def of(cls, terms: Terms) -> CaseRule:
        """Return the rule of a round: ten high-power fields at 4:3 unless it states something else."""
        stated = terms.settings.get("aspect")
        threshold = terms.settings.get("threshold")
        return cls(
            float(terms.settings.get("area_mm2", TEN_HPF_MM2)),
            FIELD_ASPECT if stated is None else Aspect.parse(str(stated)),
            None if threshold is None else float(threshold),
        )

    @property
    def aspect_text(self) -> str:
        """Width to height as in ``4:3``."""
        return f"{self.aspect.width:g}:{self.aspect.height:g}"

    def window(self, info: SlideInfo) -> SizePx:
        """Return the size of the window on a slide, in level-0 pixels."""
        size = window_size(self.area_mm2, aspect=self.aspect, mpp=info.mpp)
        return SizePx(min(size.width, info.size.width), min(size.height, info.size.height))


@dataclass(frozen=True, eq=False)
class CaseOnSlide:
    """What a case is counted from, at one state of the study."""

    info: SlideInfo
    cells: SeenCells
    case: CaseCells
    rule: CaseRule
    drawn: list[DrawnRegion]
    regions: SlideRegions
    labels: list[int]

    def atypical(self, counted: MitoticCount) -> int | None:
        """Return how many figures in the window are atypical; None where no cell of the case is called so."""
        if not self.case.is_atypical.any():
            return None
        in_window = counted.holds(self.case.found.points_px0)
        return int((counted.counted & in_window & self.case.is_atypical).sum())

    def count(
        self, rule: CaseRule, tissue: TissueMask | None, *, corner: tuple[float, float] | None = None
    ) -> MitoticCount:
        """Count by a rule, in the hot spot or in a window whose upper left corner is given in level-0 px.

        Raises
        ------
        IncompleteRunError
            If the window touches what could not be read.
        RegionError
            If the window lies beside the slide.
        """
        info, found = self.info, self.case.found
        size = rule.window(info)
        searched = replace(found.searched, mpp=info.mpp, size=info.size)
        if tissue is not None:
            searched = replace(searched, colour_doubt=tissue.colour_doubt)
        return mitotic_count(
            found.with_searched(searched),
            area_mm2=rule.area_mm2,
            aspect=rule.aspect,
            threshold=rule.threshold,
            tissue=tissue,
            regions=self.regions,
            verdicts=self.case.verdict,
            window=None if corner is None else BoxPx0(*corner, size.width, size.height),
            splits=0,  # the slider is not to wait; the hot spot is a proposal here
            force=True,  # the pathologist looks at the slide; the note stands beside the number
        )
