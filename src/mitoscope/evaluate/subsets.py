"""Parts of a study: halves of a slide, an expert's fields, some of the slides (CMC, CCMCT)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.count import find_hot_spot, window_size
from mitoscope.errors import RegionError, TrainingDataError
from mitoscope.geometry import HPF_AREA_MM2, Aspect, BoxPx0, Mpp, SizePx

FIELD_ASPECT = Aspect(4, 3)
"""Width to height of an area of fields (CCMCT and CMC papers)."""
CCMCT_FIELDS = (5, 10, 50)
"""High-power fields an expert would label, compared with the whole slide (CCMCT paper, ablation by area)."""
CCMCT_SLIDES = (3, 6, 12)
"""Training slides of the ablation by number of slides; all are 21."""
CCMCT_LEFT_OUT = (13, 8, 4, 7, 17, 22, 28, 26, 23, 24, 36, 29, 15, 14, 19, 32, 25, 12)
"""Slides (uid) that the published ablation leaves out, all of them for 3 slides, fewer for more."""


def in_upper_half(points_px0: ArrayLike, slide_size: SizePx) -> NDArray[np.bool_]:
    """Say of each point, shape (n, 2), whether it is in the upper half of the slide: y < height / 2.

    CMC and CCMCT train on the upper half of a training slide and validate on the lower one.
    """
    points = np.asarray(points_px0, np.float64).reshape(-1, 2)
    return np.asarray(points[:, 1] < slide_size.height / 2)


def field_area(
    figures_px0: ArrayLike,
    *,
    fields: int,
    mpp: Mpp,
    slide_size: SizePx,
    chosen_px0: tuple[float, float] | None = None,
) -> BoxPx0:
    """Return the area of some high-power fields on a slide, 4:3.

    Parameters
    ----------
    figures_px0 : array_like, shape (n, 2)
        Mitotic figures; without a choice the area lies where there are most, as an expert would lay it.
    fields : int
        High-power fields of 0.237 mm².
    mpp : Mpp
        Resolution of level 0.
    slide_size : SizePx
        Size of level 0.
    chosen_px0 : tuple of float, optional
        Centre that an expert chose; the area is moved so far that it lies on the slide.

    Raises
    ------
    RegionError
        If there is not at least one field.
    """
    if fields < 1:
        raise RegionError(f"{fields} high-power fields", mend="at least 1")
    window = window_size(fields * HPF_AREA_MM2, aspect=FIELD_ASPECT, mpp=mpp)
    if chosen_px0 is None:
        points = np.asarray(figures_px0, np.float64).reshape(-1, 2)
        on_slide = ((points >= 0) & (points < [slide_size.width, slide_size.height])).all(axis=1)
        return find_hot_spot(points[on_slide], window=window, slide_size=slide_size).box_px0
    width, height = min(window.width, slide_size.width), min(window.height, slide_size.height)
    x = min(max(chosen_px0[0] - width / 2, 0.0), slide_size.width - width)
    y = min(max(chosen_px0[1] - height / 2, 0.0), slide_size.height - height)
    return BoxPx0(x, y, width, height)


def in_area(points_px0: ArrayLike, area: BoxPx0) -> NDArray[np.bool_]:
    """Say of each point, shape (n, 2), whether it lies in the area, [x, right) × [y, bottom)."""
    points = np.asarray(points_px0, np.float64).reshape(-1, 2)
    low, high = np.array([area.x, area.y]), np.array([area.right, area.bottom])
    return np.asarray(((points >= low) & (points < high)).all(axis=1))


def ccmct_slides(uids: Sequence[int], *, slides: int) -> tuple[int, ...]:
    """Return the training slides of the published ablation by number of slides.

    Parameters
    ----------
    uids : sequence of int
        The 21 training slides of CCMCT by their uid in its database.
    slides : {3, 6, 12, 21}
        How many to keep.

    Raises
    ------
    TrainingDataError
        If the ablation has no such number, or a slide that it leaves out is not there.
    """
    if slides not in (*CCMCT_SLIDES, len(uids)):
        raise TrainingDataError(f"no published subset of {slides} slides", mend="3, 6, 12 or all")
    left_out = CCMCT_LEFT_OUT[: len(uids) - slides]
    missing = sorted(set(left_out) - set(uids))
    if missing or len(uids) - len(left_out) != slides:
        raise TrainingDataError(f"not the training slides of CCMCT: {len(uids)} slides", where="uids")
    return tuple(uid for uid in uids if uid not in left_out)


def nested_subsets(
    slides: Sequence[str], sizes: Sequence[int], *, seed: int = 0
) -> dict[int, tuple[str, ...]]:
    """Return subsets of some sizes of which each holds all smaller ones, in the order of the slides.

    Raises
    ------
    TrainingDataError
        If a size is not between 1 and the number of slides.
    """
    drawn = np.random.default_rng(seed).permutation(sorted(slides)).tolist()
    for size in sizes:
        if not 1 <= size <= len(slides):
            raise TrainingDataError(f"a subset of {size} of {len(slides)} slides")
    return {size: tuple(slide for slide in slides if slide in set(drawn[:size])) for size in sizes}
