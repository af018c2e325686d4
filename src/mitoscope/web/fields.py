"""Fields for a screening: partially overlapping views that together show all tissue (CCMCT, CMC).

SlideRunner's guided screening: views advance in steps of 0.9 of their size, first to the right, then down,
and those without tissue that no earlier view has shown are left out (FACTS A4).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import ConfigError
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.store.screening import Field
from mitoscope.tissue import TissueMask

FIELD_UM = (480.0, 270.0)
"""Width and height by default: a screen of 1,920 × 1,080 px at 40x (0.25 µm/px)."""
STEP = 0.9
"""Step between fields in parts of their size: neighbours overlap by a tenth."""
MAX_FIELDS = 20_000


def propose_fields(
    tissue: TissueMask, *, mpp: Mpp, field_um: tuple[float, float] = FIELD_UM, step: float = STEP
) -> list[Field]:
    """Return the fields of a slide in the order in which they are gone through.

    Parameters
    ----------
    tissue : TissueMask
        Of the slide.
    mpp : Mpp
        Its resolution.
    field_um : tuple of float
        Width and height of a field in µm.
    step : float
        In (0, 1].

    Returns
    -------
    list of Field
        Row by row. Every tissue pixel of the mask lies in one of them; none is without new tissue.

    Raises
    ------
    ConfigError
        If the fields are too small for the slide, or the step is not in (0, 1].
    """
    if not (0 < step <= 1 and min(field_um) > 0):
        raise ConfigError(f"fields of {field_um[0]:g} × {field_um[1]:g} µm at steps of {step:g}")
    width, height = field_um[0] / mpp.x, field_um[1] / mpp.y
    size = tissue.slide_size
    lefts, tops = (_starts(size.width, width, step), _starts(size.height, height, step))
    if len(lefts) * len(tops) > 4 * MAX_FIELDS * 10:
        raise ConfigError("too many fields", where="field", mend="make the fields larger")
    left_of, top_of = tissue.mask.copy(), float(np.count_nonzero(tissue.mask))
    fields = []
    for top in tops:
        rows = _pixels(top, height, tissue.px0_per_pixel[1], left_of.shape[0])
        if not left_of[rows].any():
            continue
        for left in lefts:
            columns = _pixels(left, width, tissue.px0_per_pixel[0], left_of.shape[1])
            new = np.count_nonzero(left_of[rows, columns])
            if new:
                left_of[rows, columns] = False
                fields.append(Field(BoxPx0(left, top, width, height), new / top_of))
    if len(fields) > MAX_FIELDS:
        what = f"{len(fields)} fields"
        raise ConfigError(what, where="field", mend=f"make them larger: {MAX_FIELDS} at most")
    return fields


def _starts(size: int, extent: float, step: float) -> list[float]:
    """Return where fields begin along an axis; the last ends at the slide's edge."""
    if extent >= size:
        return [(size - extent) / 2]
    count = int(np.ceil((size - extent) / (extent * step))) + 1
    return [float(one) for one in np.linspace(0.0, size - extent, count)]


def _pixels(start: float, extent: float, scale: float, length: int) -> slice:
    """Return the mask pixels that lie wholly in a span, and those that the slide's edges cut off."""
    first = 0 if start <= 0 else int(np.ceil(start / scale - 1e-9))
    last = int(np.floor((start + extent) / scale + 1e-9))
    if start + extent >= length * scale - scale:
        last = length
    return slice(min(first, length), max(min(last, length), min(first, length)))


def coverage(fields: list[Field], tissue: TissueMask) -> NDArray[np.bool_]:
    """Return which pixels of a mask some field shows wholly, shape (h, w)."""
    shown = np.zeros(tissue.mask.shape, dtype=np.bool_)
    for one in fields:
        rows = _pixels(one.box_px0.y, one.box_px0.height, tissue.px0_per_pixel[1], shown.shape[0])
        columns = _pixels(one.box_px0.x, one.box_px0.width, tissue.px0_per_pixel[0], shown.shape[1])
        shown[rows, columns] = True
    return shown
