"""How well counts of a detector agree with those of the ground truth, and whether it finds the hot spot."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import TEN_HPF_MM2, MitoticCount, mitotic_count
from mitoscope.detections import Detections, Searched
from mitoscope.errors import ColourError, IncompleteRunError, RegionError, ScaleError
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.judged_image import JudgedImage
from mitoscope.geometry import BoxPx0, SizePx
from mitoscope.image_names import stem
from mitoscope.statistics import (
    BlandAltman,
    Estimate,
    bland_altman,
    divide,
    estimate,
    intraclass_correlation,
)
from mitoscope.tissue import TissueMask
from mitoscope.truth import SlideTruth

_REFUSALS = (IncompleteRunError, ColourError, ScaleError, RegionError)


@dataclass(frozen=True, slots=True)
class ImageCount:
    """The hot spot of a detector and that of the ground truth on one image.

    Attributes
    ----------
    case : str
    found, true : int
        Figures in the detector's hot spot, and in that of the ground truth.
    box_px0, true_box_px0 : BoxPx0
        Both windows in level-0 pixels.
    overlap : float or None
        Intersection over union of the windows; None where either holds no figure, or is the whole image.
    share : float or None
        True figures in the detector's window over those in the fullest one; None where `overlap` is.
    """

    case: str
    found: int
    true: int
    box_px0: BoxPx0
    true_box_px0: BoxPx0
    overlap: float | None
    share: float | None


@dataclass(frozen=True, eq=False)
class CountAgreement:
    """The counts of one detector over many images.

    Attributes
    ----------
    area_mm2 : float
        Of the window.
    images : dict of str to ImageCount
        By the stem of the image's name.
    refused : dict of str to str
        Image → why nothing was counted on it.
    repeats, seed : int
        Of the bootstrap.
    """

    area_mm2: float
    images: dict[str, ImageCount]
    refused: dict[str, str]
    repeats: int
    seed: int

    @property
    def counts(self) -> NDArray[np.int64]:
        """Found and true figures of each image, shape (n, 2)."""
        rows = [(image.found, image.true) for image in self.images.values()]
        return np.array(rows, np.int64).reshape(-1, 2)

    @property
    def cases(self) -> list[str]:
        """Case of each image."""
        return [image.case for image in self.images.values()]

    @cached_property
    def bland_altman(self) -> BlandAltman | None:
        """Found minus true; None without an image."""
        if not self.images:
            return None
        found, true = self.counts.T
        return bland_altman(found, true, self.cases, repeats=self.repeats, seed=self.seed)

    @cached_property
    def icc(self) -> Estimate | None:
        """Intraclass correlation of absolute agreement, found and true counts; None without an image."""
        if not self.images:
            return None
        return intraclass_correlation(self.counts, self.cases, repeats=self.repeats, seed=self.seed)

    @cached_property
    def hot_spot_overlap(self) -> Estimate | None:
        """Mean intersection over union of both hot spots; None where no image is larger than the window."""
        return self._mean([image.overlap for image in self.images.values()])

    @cached_property
    def hot_spot_share(self) -> Estimate | None:
        """Mean share of the fullest window's figures that the chosen one holds; None as the overlap."""
        return self._mean([image.share for image in self.images.values()])

    @property
    def hot_spots(self) -> int:
        """Images on which the two hot spots can be compared."""
        return sum(image.overlap is not None for image in self.images.values())

    def _mean(self, values: list[float | None]) -> Estimate | None:
        known = [(value, case) for value, case in zip(values, self.cases, strict=True) if value is not None]
        if not known:
            return None
        parts = np.array([(value, 1.0) for value, _ in known])
        owner = np.unique([case for _, case in known], return_inverse=True)[1].astype(np.int64)
        return estimate(
            parts,
            owner,
            lambda sums: divide(sums[..., 0], sums[..., 1]),
            repeats=self.repeats,
            seed=self.seed,
        )


def count_agreement(
    judged: Evaluation,
    *,
    tissue: Mapping[str, TissueMask] | None = None,
    area_mm2: float = TEN_HPF_MM2,
) -> CountAgreement:
    """Count figures in the hot spot of every image, as found and as true, in the judged area alone.

    Parameters
    ----------
    judged : Evaluation
        Detections above its thresholds count.
    tissue : mapping of str to TissueMask, optional
        By the stem of the image's name: what is found elsewhere does not count.
    area_mm2 : float
        Of the window.
    """
    slides = {stem(slide.name): slide for slide in judged.truth}
    images: dict[str, ImageCount] = {}
    refused: dict[str, str] = {}
    for name, image in judged.judged_images.items():
        try:
            images[name] = _count(
                image,
                slides[name],
                threshold=judged.thresholds[name],
                tissue=(tissue or {}).get(name),
                area_mm2=area_mm2,
            )
        except _REFUSALS as error:
            refused[name] = error.what
    return CountAgreement(area_mm2, images, refused, judged.repeats, judged.seed)


def _count(
    image: JudgedImage,
    slide: SlideTruth,
    *,
    threshold: float,
    tissue: TissueMask | None,
    area_mm2: float,
) -> ImageCount:
    searched = image.candidates.searched
    size = searched.size or slide.size
    figures = image.cells.figures_px0
    known = Searched(mpp=image.mpp, size=size, threshold=0.0, calibrated=True, region=searched.region)
    true = mitotic_count(
        Detections.of(figures, np.ones(len(figures)), searched=known),
        area_mm2=area_mm2,
        regions=slide.regions,
        splits=0,
    )
    detected = mitotic_count(
        image.candidates,
        mpp=image.mpp,
        slide_size=size,
        threshold=threshold,
        area_mm2=area_mm2,
        tissue=tissue,
        regions=slide.regions,
        splits=0,
    )
    overlap = share = None
    if detected.count and true.count and not _is_whole(true, size):
        overlap = overlap_of(detected.box_px0, true.box_px0)
        share = int(detected.holds(figures).sum()) / true.count
    return ImageCount(image.case, detected.count, true.count, detected.box_px0, true.box_px0, overlap, share)


def _is_whole(counted: MitoticCount, size: SizePx | None) -> bool:
    """Return whether the window is all of the image, so that there is nothing to choose."""
    box = counted.box_px0
    return size is None or (box.width, box.height) == (size.width, size.height)


def overlap_of(first: BoxPx0, second: BoxPx0) -> float:
    """Return the intersection over union of two boxes."""
    common = first.intersection(second)
    inside = 0.0 if common is None else common.width * common.height
    return inside / (first.width * first.height + second.width * second.height - inside)
