"""What must be said beside a mitotic count, in sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from mitoscope.count.hot_spot import HotSpot
from mitoscope.count.sweep import most_in_window
from mitoscope.count.window import COVERED_MIN, Window
from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import is_candidate
from mitoscope.wording import say_area, say_number, say_part

FIGURE_SIDE_UM = 12.5
"""No two figures lie closer than the side of the box that labels one (50 px at 0.25 µm/px; CCMCT, CMC,
MIDOG): that bounds how many an unread part may hold."""

Points = NDArray[np.float64]


def colour_notes(doubt: str) -> list[str]:
    """Say why the colours are in doubt, where a count was asked for all the same."""
    return [f"{doubt[0].upper()}{doubt[1:]}. The figures were counted all the same."] if doubt else []


def place_notes(covered: float, area: float, requested: float, *, fits: bool, within: str) -> list[str]:
    """Say how much of the window counts, in mm², where it does not fit."""
    if fits:
        return []
    if area < COVERED_MIN * requested and within == "slide":
        return [
            f"The slide is smaller than the window: {say_part(area, requested)} were counted over, so "
            "the number is not comparable with counts over the full area."
        ]
    return [
        f"The window does not fit in the {within}: {say_part(covered, requested)} are {within}, so the "
        "number is not comparable with counts over the full area."
    ]


def search_notes(threshold: float | None, size: SizePx | None, detections: Detections) -> list[str]:
    """Say what nobody states of the search: its threshold, the size of the slide."""
    notes = []
    if threshold is None:
        left_out = sum(is_candidate(name) for name in detections.label.tolist())
        besides = f" Not counted: {say_number(left_out, 'candidate')}." if left_out else ""
        notes.append(f"No threshold is known: all that is called a mitotic figure is counted.{besides}")
    if size is None:
        notes.append("The size of the slide is not known: it is taken to end behind the last detection.")
    return notes


def gap_notes(points: Points, found: HotSpot, gaps: Sequence[BoxPx0], mpp: Mpp) -> list[str]:
    """Say that the true hot spot may lie in a gap, unless no window there can hold more figures."""
    if not any(_may_exceed(gap, points, found, gaps, mpp) for gap in gaps):
        return []
    area = sum(gap.area_mm2(mpp) for gap in gaps)
    return [
        f"{say_area(area)} outside of the window could not be examined; the true hot spot may lie there, "
        "so the count may be too low."
    ]


def _may_exceed(gap: BoxPx0, points: Points, found: HotSpot, gaps: Sequence[BoxPx0], mpp: Mpp) -> bool:
    """Return whether a window that touches a gap may hold more figures, known and unread, than were found."""
    box = found.box_px0
    around = BoxPx0(
        gap.x - box.width, gap.y - box.height, gap.width + 2 * box.width, gap.height + 2 * box.height
    )
    unread_mm2 = 0.0
    for other in gaps:
        part = other.intersection(around)
        if part is not None:
            held = BoxPx0(0, 0, min(part.width, box.width), min(part.height, box.height))
            unread_mm2 += held.area_mm2(mpp)
    unread = min(unread_mm2, box.area_mm2(mpp)) / (FIGURE_SIDE_UM * 1e-3) ** 2
    near = points[Window(around).holds(points)]
    if unread > found.count or len(near) + unread <= found.count:
        return unread > found.count
    return most_in_window(near, width=box.width, height=box.height)[0] + unread > found.count


def figure_notes(figures: int, outside: int) -> list[str]:
    """Say where there is nothing to count, and what is outside the slide."""
    notes = []
    if outside:
        notes.append(f"{outside} mitotic figures lie outside of the slide and are not counted.")
    if figures == 0:
        notes.append("There is no mitotic figure; the window lies where there is most tissue.")
    return notes
