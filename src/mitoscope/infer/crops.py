"""Crops around the candidates of a slide, in parts that are read and recorded together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.search import crop_at, read_windows
from mitoscope.slide import Plane

PART: Final = 64
"""Candidates of a part: a second or two of a ResNet-18 on one core, which a killed run loses."""
_NEIGHBOURHOOD_PX0: Final = 2048


@dataclass(frozen=True, slots=True)
class Part:
    """Neighbouring candidates that are verified and recorded together.

    Parameters
    ----------
    index : int
        Place in the order of work.
    candidates : tuple of int
        Their places among all candidates.
    """

    index: int
    candidates: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class ReadPart:
    """A part whose pixels are there.

    Parameters
    ----------
    part : Part
    crops : tuple of ndarray of uint8, shape (side, side, 3)
        One for each candidate.
    places : tuple of str
        What each is called in an error.
    damaged_crops : int
        Crops of which some pixels could not be decoded; they are white there.
    read_s : float
        Seconds spent.
    """

    part: Part
    crops: tuple[NDArray[np.uint8], ...]
    places: tuple[str, ...]
    damaged_crops: int
    read_s: float


def plan_parts(points_px0: NDArray[np.float64]) -> tuple[Part, ...]:
    """Divide candidates, shape (n, 2), into parts; neighbours together, since they share tiles of the file.

    The parts are a function of the candidates alone.
    """
    column, row = np.floor(points_px0 / _NEIGHBOURHOOD_PX0).T
    order = np.lexsort((points_px0[:, 0], points_px0[:, 1], column, row)).tolist()
    return tuple(
        Part(index, tuple(order[start : start + PART]))
        for index, start in enumerate(range(0, len(order), PART))
    )


def read_part(
    plane: Plane, part: Part, points_px0: NDArray[np.float64], *, crop_px: int, mirror_px: int
) -> ReadPart:
    """Read the crops of a part.

    Parameters
    ----------
    plane : Plane
        The slide at the verifier's resolution.
    part : Part
    points_px0 : ndarray, shape (n, 2)
        All candidates, in level-0 px.
    crop_px : int
        Side of a crop in plane px. Its middle is at most half a pixel from the candidate.
    mirror_px : int
        How deep a crop is mirrored at the slide's border; beyond that it is white.

    Raises
    ------
    SlideReadError
        If the slide's file can no longer be opened.
    """
    start = time.perf_counter()
    own = points_px0[list(part.candidates)]
    crops = [crop_at(x, y, crop_px) for x, y in plane.from_px0(own).tolist()]
    blocks = [read_windows(plane, [crop], mirror_px=mirror_px) for crop in crops]
    return ReadPart(
        part,
        tuple(block.windows[0] for block in blocks),
        tuple(f"candidate at ({x:.0f}, {y:.0f}) px0" for x, y in own.tolist()),
        sum(bool(block.damaged) for block in blocks),
        time.perf_counter() - start,
    )
