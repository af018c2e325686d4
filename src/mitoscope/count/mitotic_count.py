"""The mitotic count of one slide, with everything one has to know to believe it.

This is the one rule by which figures are counted: for the command, the report, the page, the signed result
and the experiments.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from mitoscope.count.circle import check_fits
from mitoscope.count.grading import GradingRule
from mitoscope.count.hot_spot import HotSpot, find_hot_spot
from mitoscope.count.notes import colour_notes, figure_notes, gap_notes, place_notes, search_notes
from mitoscope.count.uncertainty import (
    COVERS,
    SPLITS,
    Expected,
    Graded,
    WholeDensity,
    corrected_count,
    why_no_interval,
)
from mitoscope.count.window import (
    COVERED_MIN,
    FIELD_ASPECT,
    TEN_HPF_MM2,
    Window,
    WindowShape,
    window_size,
)
from mitoscope.detections import Detections, Searched
from mitoscope.errors import ColourError, ConfigError, IncompleteRunError, RegionError, ScaleError
from mitoscope.geometry import Aspect, BoxPx0, Mpp, SizePx
from mitoscope.labels import is_candidate, is_figure
from mitoscope.region import WITHOUT_EXCLUSIONS, Region, SlideRegions
from mitoscope.statistics import CountDistribution
from mitoscope.tissue import TissueMask
from mitoscope.truth import SlideTruth
from mitoscope.wording import say_area, say_part

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from mitoscope.slide import Slide

CORRECTED_MOST = 100_000
"""Of more figures, which no tissue has, the count is not corrected: all those searches would take minutes."""
Points = NDArray[np.float64]


def _none() -> NDArray[np.bool_]:
    return np.empty(0, np.bool_)


@dataclass(frozen=True, slots=True)
class MitoticCount:
    """The most mitotic figures in a window of fixed size, or those in a window that was chosen.

    Attributes
    ----------
    count : int
        Mitotic figures in the window.
    box_px0 : BoxPx0
        The window, [x, x + width) × [y, y + height) in level-0 pixels; of a circle the box around it.
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
    threshold : float or None
        Scores strictly above it were counted; None where all were.
    counted : ndarray of bool, shape (n,)
        Whether each of the detections counts as a mitotic figure, in the window or not.
    eligible : ndarray of bool, shape (n,)
        Whether each of them would, were the threshold low enough.
    label_names : mapping of str to str
        Class names of the source → classes, as they were mapped; ``ignore`` where cells were left out.
    expected : Expected or None
        Figures that the candidates in the window stand for; None where scores are no probabilities.
    no_interval : str
        Why there is no expected number; empty where there is one.
    corrected : float or None
        The count of the hot spot without the bias of choosing it; None where the window was chosen by hand,
        or no correction was asked for.
    whole : WholeDensity or None
        Figures per mm² of all that was searched.
    graded : Graded or None
        What a grading scheme says of the count, where one was asked for.
    shape : WindowShape
        A rectangle, or a circle.
    left_out : int
        What would count in the window by score or verdict, but lies outside of tissue or tumour, or in an
        exclusion.
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
    threshold: float | None = None
    counted: NDArray[np.bool_] = field(default_factory=_none, compare=False, repr=False)
    eligible: NDArray[np.bool_] = field(default_factory=_none, compare=False, repr=False)
    label_names: Mapping[str, str] = field(default_factory=dict, hash=False)
    expected: Expected | None = None
    no_interval: str = ""
    corrected: float | None = None
    whole: WholeDensity | None = None
    graded: Graded | None = field(default=None, hash=False)
    shape: WindowShape = WindowShape.RECTANGLE
    left_out: int = 0

    @property
    def window(self) -> Window:
        """Where it was counted."""
        return Window(self.box_px0, self.shape)

    @property
    def per_mm2(self) -> float | None:
        """Figures per mm² of covered area; None where nothing is covered."""
        return self.count / self.covered_mm2 if self.covered_mm2 > 0 else None

    def holds(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Say of each point, shape (n, 2), whether it lies in the window."""
        return self.window.holds(points_px0)

    def plot(self, slide: Slide | str | Path, ax: Axes | None = None) -> Axes:
        """Draw where on the slide was counted.

        Parameters
        ----------
        slide : Slide, str or Path
            The slide, or its file.
        ax : matplotlib Axes, optional
            Where to draw; by default a new figure. Its coordinates are level-0 pixels.
        """
        from mitoscope.slide.showing import plot_detections

        return plot_detections(Detections.empty(), slide, ax, hot_spot=self.box_px0)

    def _repr_html_(self) -> str:
        from mitoscope.count.counts import count_html

        return count_html(self)

    def as_dict(self) -> dict[str, Any]:
        """Return the values for JSON, without those of single detections."""
        box = self.box_px0
        return {
            "count": self.count,
            "box_px0": {"x": box.x, "y": box.y, "width": box.width, "height": box.height},
            "shape": str(self.shape),
            "area_mm2": self.area_mm2,
            "requested_mm2": self.requested_mm2,
            "aspect": {"width": self.aspect.width, "height": self.aspect.height},
            "covered_mm2": self.covered_mm2,
            "fits": self.fits,
            "figures": self.figures,
            "left_out": self.left_out,
            "threshold": self.threshold,
            "label_names": dict(self.label_names),
            "note": self.note,
            **self.certainty(),
        }

    def certainty(self) -> dict[str, Any]:
        """Return for JSON how sure the count is: the part that command, manifest and page share."""
        expected, graded = self.expected, self.graded
        unknown = {"expected": None, "interval": None, "detector_interval": None}
        return {
            **(unknown if expected is None else expected.as_dict()),
            "no_interval": self.no_interval or None,
            "covers": COVERS,
            "corrected": self.corrected,
            "density": None if self.whole is None else self.whole.as_dict(),
            "grades": None if graded is None or graded.grades is None else dict(graded.grades),
            "scheme": None if graded is None else graded.as_dict(),
        }


def mitotic_count(
    detections: Detections,
    *,
    mpp: Mpp | None = None,
    slide_size: SizePx | None = None,
    area_mm2: float | None = None,
    aspect: Aspect = FIELD_ASPECT,
    shape: WindowShape = WindowShape.RECTANGLE,
    rule: GradingRule | None = None,
    threshold: float | None = None,
    tissue: TissueMask | None = None,
    regions: SlideRegions | None = None,
    gaps: Sequence[BoxPx0] | None = None,
    verdicts: ArrayLike | None = None,
    window: BoxPx0 | None = None,
    splits: int = SPLITS,
    force: bool = False,
) -> MitoticCount:
    """Count mitotic figures in the hot spot, or in a window.

    Parameters
    ----------
    detections : Detections
        Of one slide; mitotic figures, atypical ones and candidates are counted.
    mpp : Mpp, optional
        Resolution of level 0; by default that which the detections carry.
    slide_size : SizePx, optional
        Size of level 0; by default that which the detections carry. Where neither says, the slide is taken
        to end behind the last detection, and the note says so.
    area_mm2 : float, optional
        Area of the window; by default that of the rule, else 2.37.
    aspect : Aspect, default 4:3
        Width to height of the window; a circle has none.
    shape : WindowShape, default rectangle
        A rectangle, or a circle.
    rule : GradingRule, optional
        A grading scheme, which decides the area and says what the count means.
    threshold : float, optional
        Only scores strictly above it are counted; by default the threshold that the detections carry. Without
        either, all that are called mitotic figures are counted, candidates are not, and the note says so.
    tissue : TissueMask, optional
        Only figures on tissue are counted, and those where it could not be told.
    regions : SlideRegions, optional
        Only figures inside the tumour and outside of exclusions are counted.
    gaps : sequence of BoxPx0, optional
        Parts of the slide that could not be examined; by default those that the detections carry.
    verdicts : array_like of int, shape (n,), optional
        What a person said of each detection: 1 counts whatever its score, class and tissue, -1 does not, 0
        leaves it to the threshold.
    window : BoxPx0, optional
        Count in this window, or the circle in it, in place of the hot spot. A rectangle is cut off at the
        slide; a circle has to lie on it.
    splits : int, default 4
        Random splits by which the count of the hot spot is corrected; 0: it is not. Each takes four further
        searches for a hot spot. Of more than 100,000 figures it is not.
    force : bool
        Count also where the colours of the slide are in doubt; the note says so.

    Raises
    ------
    ColourError
        If the colours of the slide cannot be those of H&E: what a detector found there means nothing.
    ConfigError
        If an area is given beside a rule that counts over another one.
    IncompleteRunError
        If the window touches a gap: the number would be too low by an unknown amount (promise 2).
    RegionError
        If the area or the aspect is not positive, the window is outside the slide, or a circle is not
        wholly on it.
    ScaleError
        If nobody states the resolution.
    """
    searched = detections.searched
    if not force:
        refuse_colours(searched)
    scale = mpp or searched.mpp
    if scale is None:
        raise ScaleError(
            "no resolution is stated",
            where=searched.origin or None,
            mend="give it with --mpp, e.g. --mpp 0.25",
        )
    requested = _requested_mm2(area_mm2, rule)
    wanted = window_size(requested, aspect=aspect, mpp=scale, shape=shape)
    cut = searched.threshold if threshold is None else threshold
    size = slide_size or searched.size
    extent = size or _extent_of(detections, wanted)
    where = _counted_region(regions, searched, extent)
    domain = _domain(tissue, where, mpp=scale, slide_size=extent)

    could_count, counts = _figures(detections, cut, verdicts)
    points = detections.points_px0
    on_slide = ((points >= 0) & (points < [extent.width, extent.height])).all(axis=1)
    in_area = on_slide & _inside(points, tissue, where, verdicts)
    counted = counts & in_area
    inside = points[counted]
    if window is None:
        hot_spot = find_hot_spot(inside, window=wanted, slide_size=extent, tissue=domain, shape=shape)
    else:
        hot_spot = _in_window(inside, Window(window, shape), extent)
    placed = hot_spot.window
    unread = [gap for gap in (searched.gaps if gaps is None else gaps) if _counts_in(gap, where)]
    _refuse_gaps(placed, unread, where, scale, searched.origin)
    area = placed.area_mm2(scale)
    covered = min(_covered_mm2(placed, tissue, where, scale), area)
    full = Window(BoxPx0(0, 0, wanted.width, wanted.height), shape).area_mm2(scale)
    fits = covered >= COVERED_MIN * full
    within = _domain_name(tissue, where)
    sentences = [
        *colour_notes(searched.colour_doubt),
        *place_notes(covered, area, requested, fits=fits, within=within),
        *search_notes(cut, size, detections),
        *(gap_notes(inside, hot_spot, unread, scale) if window is None else []),
        *figure_notes(len(inside), int((counts & ~on_slide).sum())),
    ]
    if window is None and splits and len(inside) > CORRECTED_MOST:
        splits = 0
        sentences.append(f"With over {CORRECTED_MOST:,} figures the count is not corrected.")
    eligible = could_count & in_area
    reason = why_no_interval(searched.calibrated)
    probability = None if reason else _probabilities(detections, verdicts)
    is_in_window = placed.holds(points)
    in_window = _distribution(probability, eligible & is_in_window)
    on_all = _distribution(probability, eligible)
    corrected = None
    if window is None and splits:
        corrected = _corrected(inside, wanted, extent, domain, splits=splits, shape=shape)
    graded = None
    if rule is not None:
        too_small = "" if fits else f"the window holds {say_part(covered, requested)}"
        graded = Graded.of(rule, hot_spot.count, in_window, too_small=too_small, reason=reason)
    return MitoticCount(
        count=hot_spot.count,
        box_px0=placed.box_px0,
        shape=shape,
        left_out=int(np.count_nonzero(counts & ~in_area & is_in_window)),
        area_mm2=area,
        requested_mm2=requested,
        aspect=aspect,
        covered_mm2=covered,
        fits=fits,
        figures=len(inside),
        note=" ".join(sentences),
        threshold=cut,
        counted=counted,
        eligible=eligible,
        expected=None if in_window is None else Expected.of(in_window),
        no_interval=reason,
        corrected=corrected,
        whole=WholeDensity(
            len(inside),
            _searched_mm2(tissue, where, unread, size, scale),
            within,
            None if on_all is None else Expected.of(on_all),
        ),
        graded=graded,
    )


def _requested_mm2(area_mm2: float | None, rule: GradingRule | None) -> float:
    if rule is None:
        return TEN_HPF_MM2 if area_mm2 is None else area_mm2
    if area_mm2 is not None and area_mm2 != rule.area_mm2:
        raise ConfigError(
            f"{rule.scheme.name} counts over {rule.area_mm2:.3g} mm², not over {area_mm2:g}",
            where="--area",
            mend="leave it out, or leave out the scheme",
        )
    return rule.area_mm2


def _probabilities(detections: Detections, verdicts: ArrayLike | None) -> Points:
    """Return the probability of each detection to be a figure: its score, unless a person said so."""
    if verdicts is None:
        return detections.score
    said = np.asarray(verdicts)
    return np.where(said == 0, detections.score, said > 0)


def _distribution(probability: Points | None, rows: NDArray[np.bool_]) -> CountDistribution | None:
    return None if probability is None else CountDistribution.of(probability[rows])


def _corrected(
    figures: Points,
    window: SizePx,
    slide_size: SizePx,
    domain: TissueMask | None,
    *,
    splits: int,
    shape: WindowShape,
) -> float:
    def count_other(chosen: Points, other: Points) -> int:
        spot = find_hot_spot(chosen, window=window, slide_size=slide_size, tissue=domain, shape=shape)
        return int(np.count_nonzero(spot.window.holds(other)))

    return corrected_count(figures, count_other, splits=splits)


def _searched_mm2(
    tissue: TissueMask | None, where: Region | None, gaps: Sequence[BoxPx0], size: SizePx | None, mpp: Mpp
) -> float | None:
    """Return the area in which figures count and could be found; None where nobody knows it."""
    if tissue is not None and where is None and not gaps:
        return tissue.area_mm2
    if where is None and size is None:
        return None
    part = where
    if part is None and size is not None:
        part = Region.of_box(BoxPx0(0, 0, size.width, size.height), "slide")
    assert part is not None
    if gaps:
        shapes = [shapely.box(gap.x, gap.y, gap.right, gap.bottom) for gap in gaps]
        part = part.difference(Region(shapely.union_all(shapes)))
    if tissue is None or part.is_empty:
        return part.area_mm2(mpp)
    return tissue.area_inside(part, part.bounds_px0)


def true_figures(slide: SlideTruth) -> Detections:
    """Return the true cells of a slide as detections that are counted without a threshold of scores.

    Every cell scores 1, a certainty; which of them are figures is left to their class.
    """
    cells = slide.cells
    points = cells.points_px0
    searched = Searched(mpp=slide.mpp, size=slide.size, threshold=0.0, calibrated=True, origin=slide.name)
    source = np.full(len(cells), "ground truth")
    return Detections(points[:, 0], points[:, 1], np.ones(len(cells)), cells.label, source, searched)


def _figures(
    detections: Detections, threshold: float | None, verdicts: ArrayLike | None
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return of each detection whether it could count at some threshold, and whether it does at this one."""
    names = np.unique(detections.label).tolist()
    counts_as = {name: is_figure(name) or (threshold is not None and is_candidate(name)) for name in names}
    could = np.array([counts_as[name] for name in detections.label.tolist()], dtype=np.bool_)
    does = could if threshold is None else could & (detections.score > threshold)
    if verdicts is None:
        return could, does
    said = np.asarray(verdicts)
    return (said > 0) | ((said == 0) & could), (said > 0) | ((said == 0) & does)


def _extent_of(detections: Detections, window: SizePx) -> SizePx:
    """Return a size behind the last detection, and not below the window's."""
    last = np.floor(detections.points_px0.max(axis=0, initial=0.0)) + 1
    return SizePx(max(window.width, int(last[0])), max(window.height, int(last[1])))


def _counted_region(regions: SlideRegions | None, searched: Searched, size: SizePx) -> Region | None:
    drawn = None if regions is None else regions.counted_on(size)
    part = None if searched.region is None else searched.region.within(size)
    if drawn is None or part is None:
        return part if drawn is None else drawn
    return drawn.intersection(part)


def _inside(
    points: Points, tissue: TissueMask | None, where: Region | None, verdicts: ArrayLike | None
) -> NDArray[np.bool_]:
    inside = np.ones(len(points), np.bool_)
    if tissue is not None:
        inside &= tissue.contains(points)
        for box in tissue.unread_px0:
            inside |= _in_box(points, box)
        if verdicts is not None:
            inside |= np.asarray(verdicts) > 0
    if where is not None:
        inside &= where.contains(points)
    return inside


def _in_box(points: Points, box: BoxPx0) -> NDArray[np.bool_]:
    return Window(box).holds(points)


def _in_window(points: Points, window: Window, size: SizePx) -> HotSpot:
    wanted, slide = window.box_px0, BoxPx0(0, 0, size.width, size.height)
    box = wanted.intersection(slide)
    if box is None:
        raise RegionError(
            f"the window at {wanted.x:.0f}, {wanted.y:.0f} px is outside the slide",
            mend="move it onto the slide",
        )
    if window.shape is WindowShape.CIRCLE:
        _check_on_slide(wanted, size)
        box = wanted
    placed = Window(box, window.shape)
    return HotSpot(int(np.count_nonzero(placed.holds(points))), box, window.shape)


def _check_on_slide(circle: BoxPx0, size: SizePx) -> None:
    """Refuse a circle that reaches over the edge by more than sums of coordinates are rounded."""
    check_fits(SizePx(round(circle.width), round(circle.height)), size)
    if max(-circle.x, -circle.y, circle.right - size.width, circle.bottom - size.height) > 1e-6:
        raise RegionError(
            f"the circle at {circle.x:.0f}, {circle.y:.0f} px is partly outside the slide",
            mend="move it onto the slide",
        )


def _domain(
    tissue: TissueMask | None, where: Region | None, *, mpp: Mpp, slide_size: SizePx
) -> TissueMask | None:
    if where is None:
        return tissue
    return (
        TissueMask.of_region(where, mpp=mpp, slide_size=slide_size)
        if tissue is None
        else tissue.within(where)
    )


def _covered_mm2(window: Window, tissue: TissueMask | None, where: Region | None, mpp: Mpp) -> float:
    if tissue is None:
        return window.area_mm2(mpp) if where is None else where.intersection(window.region).area_mm2(mpp)
    if window.shape is WindowShape.RECTANGLE:
        box = window.box_px0
        return tissue.area_in(box) if where is None else tissue.area_inside(where, box)
    part = window.region if where is None else window.region.intersection(where)
    return 0.0 if part.is_empty else tissue.area_inside(part, part.bounds_px0)


def _domain_name(tissue: TissueMask | None, where: Region | None) -> str:
    if where is None:
        return "tissue" if tissue is not None else "slide"
    if tissue is None:
        return where.name
    return "tissue without exclusions" if where.name == WITHOUT_EXCLUSIONS else f"{where.name} tissue"


def _counts_in(box: BoxPx0, where: Region | None) -> bool:
    """Return whether a figure in a box would count."""
    if where is None:
        return True
    return bool(where.shape.intersection(shapely.box(box.x, box.y, box.right, box.bottom)).area > 0)


def _refuse_gaps(window: Window, gaps: Sequence[BoxPx0], where: Region | None, mpp: Mpp, origin: str) -> None:
    region = window.region
    common = [region.intersection(Region.of_box(gap)) for gap in gaps]
    if where is not None:
        common = [part.intersection(where) for part in common]
    area = sum(part.area_mm2(mpp) for part in common)
    if area:
        box = window.box_px0
        raise IncompleteRunError(
            f"no count: {say_area(area)} of the hot spot could not be examined",
            where=f"{origin and f'{origin}: '}hot spot at {box.x:.0f}, {box.y:.0f} px",
            mend="repair or rescan the slide, or outline a part without gaps with --tumour",
        )


def refuse_colours(searched: Searched) -> None:
    """Refuse a count of what was found in colours that cannot be those of H&E.

    Raises
    ------
    ColourError
        If what was searched says so.
    """
    if searched.colour_doubt:
        raise ColourError(
            f"no count: {searched.colour_doubt}",
            where=searched.origin or None,
            mend="look at the slide; --force counts all the same",
        )
