"""What the outputs of one slide state: the run, its mitotic count, and which candidate is what."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import FIELD_ASPECT, Density, GradingRule, MitoticCount, density, mitotic_count
from mitoscope.detections import Detections
from mitoscope.errors import ColourError, IncompleteRunError
from mitoscope.geometry import Aspect, BoxPx0
from mitoscope.infer import SlideFindings
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.region import Region, SlideRegions
from mitoscope.slide import SlideInfo


@dataclass(frozen=True, eq=False)
class Findings:
    """The findings on one slide. Use `gather`.

    Parameters
    ----------
    run : SlideFindings
        What was found.
    hot_spot : MitoticCount
        The window with most figures, gaps or not. Its number is stated only through `count`.
    refusal : str
        Why there is no count; empty where there is one.
    regions : SlideRegions or None
        Tumour and exclusions, if figures were not counted on all tissue.
    """

    run: SlideFindings
    hot_spot: MitoticCount
    refusal: str
    regions: SlideRegions | None

    @property
    def info(self) -> SlideInfo:
        """The slide."""
        return self.run.slide

    @property
    def count(self) -> int | None:
        """The mitotic count, None where it is refused."""
        return None if self.refusal else self.hot_spot.count

    @property
    def window(self) -> BoxPx0 | None:
        """The hot spot, None where there is no tissue that could hold one."""
        return None if self.run.tissue_mm2 == 0 else self.hot_spot.box_px0

    @property
    def region(self) -> BoxPx0 | None:
        """The part that was searched, None where it is the whole slide."""
        return None if self.run.detections.searched.region is None else self.run.region_px0

    @property
    def counted_on(self) -> Region | None:
        """Where outlines let figures be counted, None where there are none."""
        return None if self.regions is None else self.regions.counted_on(self.info.size)

    @cached_property
    def candidates(self) -> Detections:
        """All candidates above the detector's floor, by descending score: the rows of the CSV."""
        return self.run.detections.sort()

    @property
    def counted(self) -> NDArray[np.bool_]:
        """Whether each candidate counts as a mitotic figure, shape (n,)."""
        return self.hot_spot.counted

    @cached_property
    def not_counted(self) -> NDArray[np.bool_]:
        """Whether each candidate would count, were the threshold lower, shape (n,)."""
        return np.asarray(self.hot_spot.eligible & ~self.hot_spot.counted)

    @cached_property
    def in_window(self) -> NDArray[np.bool_]:
        """Whether each candidate lies in the hot spot, shape (n,)."""
        return self.hot_spot.holds(self.candidates.points_px0)

    @property
    def window_is_slide(self) -> bool:
        """Whether the slide is so small that the hot spot covers all of it."""
        box, size = self.hot_spot.box_px0, self.info.size
        return (box.width, box.height) == (size.width, size.height)

    @property
    def n_figures(self) -> int:
        """Number of mitotic figures on the slide."""
        return int(np.count_nonzero(self.counted))

    @property
    def n_figures_uncorrected(self) -> int | None:
        """Number of mitotic figures without the correction for the share of figures; None without one."""
        correction = self.run.correction
        if correction is None:
            return None
        return int(np.count_nonzero(self.hot_spot.eligible & (correction.before > self.run.threshold)))

    @cached_property
    def of_kind(self) -> NDArray[np.bool_]:
        """Whether each candidate counts and is of the kind that the subtype finds, shape (n,)."""
        subtype = self.run.subtype
        finds = "" if subtype is None else subtype.finds
        return np.asarray(self.counted & (self.candidates.label == finds))

    @property
    def kind_name(self) -> str:
        """The kind that the subtype finds, in a word: what its name adds to mitotic figure."""
        subtype = self.run.subtype
        return "" if subtype is None else subtype.finds.removesuffix(MITOTIC_FIGURE.name).strip()

    @cached_property
    def density(self) -> Density:
        """Mitotic figures per mm² in a window like the hot spot, moved over the slide."""
        spot, mpp = self.hot_spot, self.info.mpp
        return density(
            self.candidates.points_px0[self.counted],
            mpp=mpp,
            slide_size=self.info.size,
            area_mm2=spot.area_mm2,
            aspect=Aspect(spot.box_px0.width * mpp.x, spot.box_px0.height * mpp.y),
        )


def gather(
    run: SlideFindings,
    *,
    area_mm2: float | None = None,
    aspect: Aspect = FIELD_ASPECT,
    rule: GradingRule | None = None,
    regions: SlideRegions | None = None,
    force: bool = False,
) -> Findings:
    """Count the figures of a run and say which candidate is what.

    Parameters
    ----------
    run : SlideFindings
        What was found.
    area_mm2, aspect, rule
        The window that is counted over, and a grading scheme, which decides the area.
    regions : SlideRegions, optional
        Tumour and exclusions; by default figures are counted wherever was searched.
    force : bool
        Count also where the colours of the slide are in doubt.

    Raises
    ------
    ConfigError
        If an area is given beside a rule that counts over another one.
    RegionError
        If the area or the aspect is not positive.

    Notes
    -----
    A count that touches a gap, or of a slide whose colours are in doubt, is refused, not raised: the other
    results stand (promise 2).
    """

    def count(gaps: tuple[BoxPx0, ...], *, force: bool) -> MitoticCount:
        return mitotic_count(
            run.detections.sort(),
            area_mm2=area_mm2,
            aspect=aspect,
            rule=rule,
            tissue=run.tissue,
            regions=regions,
            gaps=gaps,
            force=force,
        )

    try:
        return Findings(run, count(run.gaps, force=force), "", regions)
    except (IncompleteRunError, ColourError) as error:
        return Findings(run, count((), force=True), error.what, regions)
