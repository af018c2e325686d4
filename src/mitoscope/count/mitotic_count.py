"""The mitotic count of one slide, with everything one has to know to believe it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.count.hot_spot import find_hot_spot, window_size
from mitoscope.count.region import Region
from mitoscope.detections import Detections
from mitoscope.errors import IncompleteRunError
from mitoscope.geometry import HPF_AREA_MM2, Aspect, BoxPx0, Mpp, SizePx
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.tissue import TissueMask

TEN_HPF_MM2 = 10 * HPF_AREA_MM2
"""Area over which mitotic figures are counted: ten high-power fields, 2.37 mm² (CCMCT and CMC papers)."""
FIELD_ASPECT = Aspect(4, 3)
"""Width to height of that area (CCMCT and CMC papers)."""
COVERED_MIN = 0.95
"""Share of the window that must be tissue for the window to be said to fit."""


@dataclass(frozen=True, slots=True)
class MitoticCount:
    """The most mitotic figures in a window of fixed size.

    Attributes
    ----------
    count : int
        Mitotic figures in the window.
    box_px0 : BoxPx0
        The window, [x, x + width) × [y, y + height) in level-0 pixels.
    area_mm2 : float
        Area of the window as it lies on the slide.
    requested_mm2 : float
        Area that was asked for; the window is smaller by the rounding to whole pixels, and where the slide
        is smaller than the window.
    aspect : Aspect
        Width to height that was asked for.
    covered_mm2 : float
        Area of tissue (inside the tumour, where one is outlined) in the window; the whole window where
        neither is known.
    fits : bool
        Whether at least 95 % of the requested area is covered.
    figures : int
        Mitotic figures considered: above the threshold, on tissue, inside the tumour.
    note : str
        What must be said beside the number; empty if nothing.
    """

    count: int
    box_px0: BoxPx0
    area_mm2: float
    requested_mm2: float
    aspect: Aspect
    covered_mm2: float
    fits: bool
    figures: int
    note: str

    @property
    def per_mm2(self) -> float | None:
        """Figures per mm² of covered area; None where nothing is covered."""
        return self.count / self.covered_mm2 if self.covered_mm2 > 0 else None

    def holds(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Say of each point, shape (n, 2), whether it lies in the window."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        box = self.box_px0
        in_columns = (points[:, 0] >= box.x) & (points[:, 0] < box.right)
        return np.asarray(in_columns & (points[:, 1] >= box.y) & (points[:, 1] < box.bottom))


def mitotic_count(
    detections: Detections,
    *,
    mpp: Mpp,
    slide_size: SizePx,
    area_mm2: float = TEN_HPF_MM2,
    aspect: Aspect = FIELD_ASPECT,
    threshold: float | None = None,
    tissue: TissueMask | None = None,
    tumour: Region | None = None,
    gaps: Sequence[BoxPx0] = (),
) -> MitoticCount:
    """Count mitotic figures in the hot spot.

    Parameters
    ----------
    detections : Detections
        Of one slide; only those labelled mitotic figure are counted.
    mpp : Mpp
        Resolution of level 0.
    slide_size : SizePx
        Size of level 0.
    area_mm2 : float, default 2.37
        Area of the window.
    aspect : Aspect, default 4:3
        Width to height of the window.
    threshold : float, optional
        Only scores strictly above it are counted; without it, all are.
    tissue : TissueMask, optional
        Only figures on tissue are counted.
    tumour : Region, optional
        Only figures inside it are counted.
    gaps : sequence of BoxPx0
        Parts of the slide that could not be examined.

    Raises
    ------
    IncompleteRunError
        If the hot spot touches a gap: the number would be too low by an unknown amount (promise 2).
    RegionError
        If the area or the aspect is not positive.
    """
    window = window_size(area_mm2, aspect=aspect, mpp=mpp)
    figures = detections.labelled(MITOTIC_FIGURE.name)
    figures = figures if threshold is None else figures.above(threshold)
    points = figures.points_px0
    on_slide = ((points >= 0) & (points < [slide_size.width, slide_size.height])).all(axis=1)
    counted = points[on_slide & _inside(points, tissue, tumour)]
    domain = _domain(tissue, tumour, mpp=mpp, slide_size=slide_size)
    found = find_hot_spot(counted, window=window, slide_size=slide_size, tissue=domain)
    _refuse_gaps(found.box_px0, gaps, mpp)
    area = found.box_px0.area_mm2(mpp)
    covered = area if domain is None else min(domain.area_in(found.box_px0), area)
    fits = covered >= COVERED_MIN * window.area * mpp.pixel_area_mm2
    sentences = [
        *_place_notes(covered, area, area_mm2, fits=fits, within=_domain_name(tissue, tumour)),
        *_figure_notes(len(counted), len(points) - int(on_slide.sum())),
    ]
    return MitoticCount(
        count=found.count,
        box_px0=found.box_px0,
        area_mm2=area,
        requested_mm2=area_mm2,
        aspect=aspect,
        covered_mm2=covered,
        fits=fits,
        figures=len(counted),
        note=" ".join(sentences),
    )


def _inside(
    points: NDArray[np.float64], tissue: TissueMask | None, tumour: Region | None
) -> NDArray[np.bool_]:
    inside = np.ones(len(points), np.bool_)
    if tissue is not None:
        inside &= tissue.contains(points)
    if tumour is not None:
        inside &= tumour.contains(points)
    return inside


def _domain(
    tissue: TissueMask | None, tumour: Region | None, *, mpp: Mpp, slide_size: SizePx
) -> TissueMask | None:
    if tumour is None:
        return tissue
    return tumour.mask(mpp=mpp, slide_size=slide_size) if tissue is None else tumour.restrict(tissue)


def _domain_name(tissue: TissueMask | None, tumour: Region | None) -> str:
    if tumour is None:
        return "tissue" if tissue is not None else "slide"
    return tumour.name if tissue is None else f"{tumour.name} tissue"


def _refuse_gaps(box: BoxPx0, gaps: Sequence[BoxPx0], mpp: Mpp) -> None:
    touched = [common for gap in gaps if (common := box.intersection(gap)) is not None]
    if touched:
        area = sum(common.area_mm2(mpp) for common in touched)
        raise IncompleteRunError(
            f"no count: {area:.3g} mm² of the hot spot could not be examined",
            where=f"hot spot at {box.x:.0f}, {box.y:.0f} px",
            mend="repair or rescan the slide, or outline a part without gaps with --tumour",
        )


def _place_notes(covered: float, area: float, requested: float, *, fits: bool, within: str) -> list[str]:
    if fits:
        return []
    if area < COVERED_MIN * requested and within == "slide":
        return [
            f"The slide is smaller than the window: {area:.3g} of {requested:.3g} mm² were counted over, so "
            "the number is not comparable with counts over the full area."
        ]
    return [
        f"The window does not fit in the {within}: {covered:.3g} of {requested:.3g} mm² are {within}, so the "
        "number is not comparable with counts over the full area."
    ]


def _figure_notes(figures: int, outside: int) -> list[str]:
    notes = []
    if outside:
        notes.append(f"{outside} mitotic figures lie outside of the slide and are not counted.")
    if figures == 0:
        notes.append("There is no mitotic figure; the window lies where there is most tissue.")
    return notes
