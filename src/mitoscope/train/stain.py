"""How densely the cases of the training data are stained."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle import StainRange
from mitoscope.data.field import Field
from mitoscope.geometry import BoxPx
from mitoscope.tissue import stain_density

_BLOCK_PX: Final = 32
"""Pixels of a field that become one: 8 µm at 0.25 µm/px, as of the overview in which tissue is found."""
_SQUARE_PX: Final = 512
_CASE_PX: Final = 200
"""Blocks that a case must have, 0.013 mm²: the median of a crop around one cell is that of the cell."""
_SQUARES_MAX: Final = 16
"""So much is looked at of a field, spread over it; a case of pictures is looked at wholly."""


def stain_range(fields: Sequence[Field]) -> StainRange | None:
    """Return the range of the cases' stain densities; None where no case shows enough stained tissue.

    Parameters
    ----------
    fields : sequence of Field
        Of the training data, at about 0.25 µm/px.
    """
    cases: dict[str, list[NDArray[np.uint8]]] = defaultdict(list)
    for field in fields:
        cases[f"{field.domain}/{field.case}"] += [part.reshape(1, -1, 3) for part in _looked_at(field)]
    wholes = (np.concatenate(parts, axis=1) for parts in cases.values() if parts)
    found = [stain_density(rgb) for rgb in wholes if rgb.size >= 3 * _CASE_PX]
    densities = [one for one in found if one is not None]
    return StainRange.of(densities) if densities else None


def _looked_at(field: Field) -> Iterator[NDArray[np.uint8]]:
    """Yield squares of a field, their blocks averaged to 8 µm a pixel."""
    side = min(_SQUARE_PX, field.width, field.height) // _BLOCK_PX * _BLOCK_PX
    if not side:
        return
    corners = [(x, y) for y in _starts(field.height, side) for x in _starts(field.width, side)]
    step = -(-len(corners) // _SQUARES_MAX)
    for x, y in corners[::step]:
        square = np.ascontiguousarray(field.window(BoxPx(x, y, side, side)))
        yield np.asarray(Image.fromarray(square).reduce(_BLOCK_PX))


def _starts(length: int, side: int) -> range:
    return range(0, length - side + 1, side)
