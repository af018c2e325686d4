"""Contact sheets: the candidates with the highest scores and those on either side of the threshold."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.report.findings import Findings
from mitoscope.report.page import Crop, Sheet
from mitoscope.report.pictures import PagePicture, picture
from mitoscope.slide import Plane, Slide
from mitoscope.wording import plural, say_score, say_threshold

CROP_SIDE_PX = 128
"""Side of a crop in plane px."""
CROP_MPP = 0.25
"""Resolution of a crop in µm/px: that of a 40x scan."""
_READABLE_SHARE_MIN = 0.25
TOP_MAX = 24
"""Crops of the sheet with the highest scores: three rows of eight."""
BORDERLINE_MAX = 8
"""Crops on each side of the threshold: one row."""


def read_crop(slide: Slide, point_px0: NDArray[np.float64]) -> PagePicture | None:
    """Return the surroundings of a point, shape (2,), in level-0 px; what is outside of the slide is white.

    None where damage to the file leaves less than a quarter of it.
    """
    plane = Plane(slide, CROP_MPP)
    x, y = plane.from_px0(point_px0.reshape(1, 2))[0].tolist()
    corner = (math.floor(x + 0.5) - CROP_SIDE_PX // 2, math.floor(y + 0.5) - CROP_SIDE_PX // 2)
    pixels = plane.read(BoxPx(*corner, CROP_SIDE_PX, CROP_SIDE_PX))
    if pixels.damaged and float(pixels.valid.mean()) < _READABLE_SHARE_MIN:
        return None
    return picture(pixels.rgb, quality=88)


def crop_side_um(slide: Slide) -> float:
    """Return the side of a crop in µm: a scan near `CROP_MPP` is not resampled."""
    return CROP_SIDE_PX * Plane(slide, CROP_MPP).mpp[0]


def top_rows(findings: Findings) -> NDArray[np.intp]:
    """Return the rows of the mitotic figures with the highest scores, best first."""
    return np.flatnonzero(findings.counted)[:TOP_MAX]


def borderline_rows(findings: Findings) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Return the rows nearest to the threshold, just above and just below it, nearest first.

    Those that the first sheet shows already are left out.
    """
    above = np.flatnonzero(findings.counted)[TOP_MAX:][::-1][:BORDERLINE_MAX]
    below = np.flatnonzero(findings.not_counted)[:BORDERLINE_MAX]
    return above, below


def top_sheet(slide: Slide, findings: Findings) -> Sheet:
    """Read the sheet with the highest scores."""
    n = findings.n_figures
    figures = f"mitotic {plural(n, 'figure')} above the threshold"
    shown = f"All {n} {figures}" if n <= TOP_MAX else f"The first {TOP_MAX} of {n:,} {figures}"
    about = (
        f"{shown}, by score. Each crop is {crop_side_um(slide):.0f} µm wide; below it stand score, rank, "
        "and x and y in pixels; the ticks point at the candidate. A blue frame marks figures of the hot "
        "spot."
    )
    return _sheet(slide, findings, top_rows(findings), title="", about=about, none=_none_above(findings))


def borderline_sheets(slide: Slide, findings: Findings) -> tuple[Sheet, Sheet]:
    """Read the two sheets on either side of the threshold."""
    above, below = borderline_rows(findings)
    threshold = say_threshold(findings.run.threshold)
    shown = "All of them are shown under “Highest scores”."
    return (
        _sheet(
            slide,
            findings,
            above,
            title=f"Just above {threshold}: counted",
            none=shown if findings.counted.any() else _none_above(findings),
        ),
        _sheet(
            slide,
            findings,
            below,
            title=f"Just below {threshold}: not counted",
            none=f"No candidate has a score of {threshold} or less.",
        ),
    )


def _none_above(findings: Findings) -> str:
    return f"No candidate has a score above {say_threshold(findings.run.threshold)}."


def _sheet(
    slide: Slide, findings: Findings, rows: NDArray[np.intp], *, title: str, none: str, about: str = ""
) -> Sheet:
    return Sheet(title, about, tuple(_crop(slide, findings, row) for row in rows.tolist()), none)


def _crop(slide: Slide, findings: Findings, row: int) -> Crop:
    point = findings.candidates.points_px0[row]
    return Crop(
        rank=row + 1,
        score=say_score(float(findings.candidates.score[row])),
        x=f"{point[0]:.0f}",
        y=f"{point[1]:.0f}",
        in_hot_spot=bool(findings.counted[row] and findings.in_window[row]),
        picture=read_crop(slide, point),
        kind=findings.kind_name if findings.of_kind[row] else "",
    )
