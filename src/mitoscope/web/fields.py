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
MAX_PLACES = 800_000
"""Fields with and without tissue that are looked at."""


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
    lefts, tops = _starts(size.width, width, step), _starts(size.height, height, step)
    if len(lefts) * len(tops) > MAX_PLACES:
        raise ConfigError("too many fields", where="field", mend="make the fields larger")
    unseen, total = tissue.mask.copy(), int(np.count_nonzero(tissue.mask))
    fields = []
    for top in tops:
        rows = _rows(tissue, top, height)
        if not unseen[rows].any():
            continue
        for left in lefts:
            columns = _columns(tissue, left, width)
            new = np.count_nonzero(unseen[rows, columns])
            if new:
                unseen[rows, columns] = False
                fields.append(Field(BoxPx0(left, top, width, height), int(new) / total))
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


def _pixels(start: float, extent: float, scale: float, *, length: int, size: int) -> slice:
    """Return the mask pixels whose centre lies in a span; at the slide's edges all that are left."""
    first = 0 if start <= 0 else int(np.ceil(start / scale - 0.5))
    last = length if start + extent >= size - 1e-6 else int(np.ceil((start + extent) / scale - 0.5))
    return slice(min(first, length), min(last, length))


def _columns(tissue: TissueMask, left: float, width: float) -> slice:
    length, size = tissue.mask.shape[1], tissue.slide_size.width
    return _pixels(left, width, tissue.px0_per_pixel[0], length=length, size=size)


def _rows(tissue: TissueMask, top: float, height: float) -> slice:
    length, size = tissue.mask.shape[0], tissue.slide_size.height
    return _pixels(top, height, tissue.px0_per_pixel[1], length=length, size=size)


def coverage(fields: list[Field], tissue: TissueMask) -> NDArray[np.bool_]:
    """Return which pixels of a mask some field shows, shape (h, w): by their centres."""
    shown = np.zeros(tissue.mask.shape, dtype=np.bool_)
    for one in fields:
        rows = _rows(tissue, one.box_px0.y, one.box_px0.height)
        columns = _columns(tissue, one.box_px0.x, one.box_px0.width)
        shown[rows, columns] = True
    return shown
