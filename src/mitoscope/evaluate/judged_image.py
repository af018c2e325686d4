"""One image put to judgement: at which resolution, inside which area, and matched once."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import ScaleError
from mitoscope.evaluate.kinds import KINDS
from mitoscope.evaluate.matching import UNMATCHED, Matching
from mitoscope.evaluate.protocols import Protocol
from mitoscope.evaluate.sweep import Sweep
from mitoscope.geometry import Mpp
from mitoscope.labels import is_figure
from mitoscope.region import Region
from mitoscope.statistics import ConfusionMatrix
from mitoscope.truth import ExaminedArea, SlideTruth, TrueCells


@dataclass(frozen=True, slots=True)
class LookAlikeScore:
    """Where the detections fall; scores add up.

    Attributes
    ----------
    figures : int
        Mitotic figures found.
    look_alikes : int
        Look-alikes taken for mitotic figures.
    elsewhere : int
        False detections on cells that nobody labelled.
    look_alikes_shown : int
        Look-alikes that there are.
    """

    figures: int = 0
    look_alikes: int = 0
    elsewhere: int = 0
    look_alikes_shown: int = 0

    def __add__(self, other: LookAlikeScore) -> LookAlikeScore:
        return LookAlikeScore(
            self.figures + other.figures,
            self.look_alikes + other.look_alikes,
            self.elsewhere + other.elsewhere,
            self.look_alikes_shown + other.look_alikes_shown,
        )

    @property
    def precision_among_look_alikes(self) -> float | None:
        """Of the detections on a labelled cell, the share on mitotic figures; None without any."""
        on_labelled = self.figures + self.look_alikes
        return self.figures / on_labelled if on_labelled else None

    @property
    def share_mistaken(self) -> float | None:
        """Share of the look-alikes that were taken for mitotic figures; None without any."""
        return self.look_alikes / self.look_alikes_shown if self.look_alikes_shown else None

    def as_dict(self) -> dict[str, Any]:
        """Return everything for JSON."""
        return {
            **asdict(self),
            "precision_among_look_alikes": self.precision_among_look_alikes,
            "share_mistaken": self.share_mistaken,
        }


def judge_look_alikes(
    points_px0: NDArray[np.float64],
    scores: NDArray[np.float64],
    *,
    matching: Matching,
    look_alikes_px0: NDArray[np.float64],
    protocol: Protocol,
    mpp: Mpp | None = None,
) -> LookAlikeScore:
    """Say of the false detections of one image which fell on look-alikes, by the same protocol.

    Detections, shapes (n, 2) and (n,), are those above the threshold, the matching theirs with the mitotic
    figures; points are in level-0 px.
    """
    false = matching.truth_of == UNMATCHED
    mistaken = protocol.match(points_px0[false], scores[false], look_alikes_px0, mpp=mpp)
    on_look_alike = int(np.count_nonzero(mistaken.truth_of >= 0))
    return LookAlikeScore(
        figures=matching.score.tp,
        look_alikes=mistaken.score.tp,
        elsewhere=int(false.sum()) - on_look_alike,
        look_alikes_shown=len(look_alikes_px0),
    )


@dataclass(frozen=True, eq=False)
class JudgedImage:
    """The detections of one image and its true figures, matched.

    Attributes
    ----------
    case : str
        The patient or animal.
    has_predictions : bool
        Whether results name the image; without any, all of its figures are missed.
    candidates : Detections
        Figures inside of the judged area, whatever their score.
    outside : Detections
        Figures outside of it: they are not judged.
    cells : TrueCells
        Labelled cells inside of the judged area; those that are figures are in the order of the matching.
    figures_outside : int
        True figures outside of it: they are not judged either.
    figures_not_searched : int
        Those of them that were examined, but lie outside of the part that the user let the detector search.
    figures_in_gaps : int
        True figures that are judged although they lie where the slide could not be read: they are missed.
    mpp : Mpp or None
        Resolution; None where distances are in pixels.
    examined : ExaminedArea
        The judged area: what was looked at, and was to be searched.
    examined_mm2 : float or None
        Its area, where it is known.
    sweep : Sweep
        How candidates and figures match.
    """

    case: str
    has_predictions: bool
    candidates: Detections
    outside: Detections
    cells: TrueCells
    figures_outside: int
    figures_not_searched: int
    figures_in_gaps: int
    mpp: Mpp | None
    examined: ExaminedArea
    examined_mm2: float | None
    sweep: Sweep

    @property
    def stated_threshold(self) -> float | None:
        """The threshold of the results, where they state one."""
        return self.candidates.searched.threshold

    def look_alikes(self, protocol: Protocol, threshold: float) -> LookAlikeScore:
        """Say of the detections above a threshold which are false, and which of these fell on look-alikes."""
        found = self.candidates.above(threshold)
        return judge_look_alikes(
            found.points_px0,
            found.score,
            matching=self.sweep.at(threshold),
            look_alikes_px0=self.cells.look_alikes_px0,
            protocol=protocol,
            mpp=self.mpp,
        )

    def kinds(self, threshold: float) -> ConfusionMatrix:
        """Say of the true figures that detections above a threshold found what they are and are called.

        Detections that their own search did not take for figures have no kind: they say nothing.
        """
        found, figures = self.candidates.above(threshold), self.cells.label[self.cells.is_figure]
        finder = self.sweep.at(threshold).detection_of
        true, called = figures[finder >= 0], found.take(finder[finder >= 0])
        is_called = called.score > (-1.0 if self.stated_threshold is None else self.stated_threshold)
        return ConfusionMatrix.of(true[is_called].tolist(), called.label[is_called].tolist(), labels=KINDS)


def scale_of(
    found: Detections, slide: SlideTruth, *, mpp: Mpp | None = None, override: bool = False
) -> Mpp | None:
    """Return the resolution of an image: what its result or its ground truth states.

    `mpp` is that of images of which neither states it; `override` lets it replace what they state.

    Raises
    ------
    ScaleError
        If result and ground truth state resolutions that differ by more than 2 %.
    """
    of_result, of_truth = found.searched.mpp, slide.mpp
    if mpp is not None and override:
        return mpp
    if of_result is None or of_truth is None:
        return of_result or of_truth or mpp
    if of_result.differs_from(of_truth):
        raise ScaleError(
            f"the result states {of_result.mean:.4g} µm/px, the ground truth {of_truth.mean:.4g}",
            where=slide.name,
            mend="correct the one that is wrong, or replace both with --mpp F --mpp-override",
        )
    return of_result


def judge_image(
    found: Detections | None, slide: SlideTruth, *, protocol: Protocol, mpp: Mpp | None
) -> JudgedImage:
    """Match what was found on an image, None where results do not name it, with what is true there.

    Raises
    ------
    NotExaminedError
        If nothing is stated of what was looked at on a whole slide.
    """
    everything = found or Detections.empty()
    size = slide.size or everything.searched.size
    examined = slide.stated_examined or ExaminedArea.whole("nothing was found on it")
    if found is not None:
        examined = replace(slide, size=size, mpp=slide.mpp or mpp).examined
    cells, searched = slide.cells, everything.searched
    looked_at = examined.contains(cells.points_px0)
    examined = examined.within(searched.region)
    names = everything.label.tolist()
    known = {name: is_figure(name) for name in set(names)}
    figures = everything.take(np.array([known[name] for name in names], dtype=np.bool_))
    inside = examined.contains(figures.points_px0)
    true_inside = examined.contains(cells.points_px0)
    judged, candidates = cells.take(true_inside), figures.take(inside)
    in_gap = np.zeros(len(judged), np.bool_)
    for gap in searched.gaps:
        in_gap |= Region.of_box(gap).contains(judged.points_px0)
    return JudgedImage(
        case=slide.case,
        has_predictions=found is not None,
        candidates=candidates,
        outside=figures.take(~inside),
        cells=judged,
        figures_outside=int((cells.is_figure & ~true_inside).sum()),
        figures_not_searched=int((cells.is_figure & looked_at & ~true_inside).sum()),
        figures_in_gaps=int((judged.is_figure & in_gap).sum()),
        mpp=mpp,
        examined=examined,
        examined_mm2=None if mpp is None else examined.area_mm2(mpp, size),
        sweep=protocol.sweep(candidates.points_px0, candidates.score, judged.figures_px0, mpp=mpp),
    )
