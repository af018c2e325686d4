"""Slides and their tissue."""

from __future__ import annotations

from typing import Literal

from typing_extensions import TypedDict

from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.places import Pair

SlideState = Literal["ok", "missing", "rejected"]


@exact
class Slide(TypedDict):
    """A slide: size in level-0 px, mpp in µm a px, tiles in px; null where nobody has said it."""

    id: int
    name: str
    case: str | None
    width: int | None
    height: int | None
    mpp: float | None
    mpp_x: float | None
    mpp_y: float | None
    tile_size: int
    max_level: int | None
    state: SlideState
    reason: str | None
    mend: str | None


@exact
class Tissue(TypedDict):
    """Where a slide has tissue: its area in mm², a mask, and the level-0 px a pixel of it in x and y.

    The rows of the mask are packed bits, each row a whole number of bytes, in base64.
    """

    mm2: float
    width: int
    height: int
    px0_per_pixel: Pair
    rows: str
