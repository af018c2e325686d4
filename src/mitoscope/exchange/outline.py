"""Outlines that cross themselves: what is inside of them depends on who looks."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from mitoscope.exchange.json_text import dump_json
from mitoscope.store.quarantine import CROSSES_ITSELF, REASONS, move_out
from mitoscope.store.records import QuarantineEntry, Region, Study

AREA_TOLERANCE = 0.01
"""A tumour outline drawn by hand has tiny loops where the line meets itself; it is taken as long as the area
does not depend on them by more than this part."""

_RASTER_PX = 2048
_EDGES_AT_ONCE = 1 << 20
_MAX_VERTICES = 20_000
_MAX_PX0 = 1e12


def set_aside_crossed(study: Study, *, source: str) -> Study:
    """Return the study with polygons that cross themselves moved to its quarantine.

    Cells are moved when two of their edges cross, regions when that leaves their area in doubt.
    """
    crossed = [row for row, vertices in study.cells.vertices_px0.items() if crosses_itself(vertices)]
    if crossed:
        codes = np.zeros(len(study.cells), dtype=np.uint8)
        codes[crossed] = REASONS.index(CROSSES_ITSELF)
        study = move_out(study, codes, source=source)
    doubtful = [place for place, one in enumerate(study.regions) if area_is_doubtful(one.vertices_px0)]
    entries = [_entry(study, place, source) for place in doubtful]
    regions = tuple(one for place, one in enumerate(study.regions) if place not in set(doubtful))
    return replace(study, regions=regions, quarantine=(*study.quarantine, *entries))


def _entry(study: Study, place: int, source: str) -> QuarantineEntry:
    region: Region = study.regions[place]
    what = {"kind": region.kind.value, "name": region.name, "vertices_px0": region.vertices_px0.tolist()}
    slide = study.slides[region.slide].name
    return QuarantineEntry(
        f"{source}: region {place}", CROSSES_ITSELF, dump_json(what).decode().strip(), slide
    )


def crosses_itself(vertices: NDArray[np.float64]) -> bool:
    """Return whether two edges of a closed polygon cross in their inside; touching is not crossing.

    An outline of more than 20,000 vertices, or with NaN, is not judged and counts as crossing nothing.
    """
    n = len(vertices)
    if n < 4 or n > _MAX_VERTICES or not (np.abs(vertices) < _MAX_PX0).all():
        return False
    first, second = vertices, np.roll(vertices, -1, axis=0)
    step = max(1, _EDGES_AT_ONCE // n)
    return any(_any_crossing(first, second, slice(low, low + step)) for low in range(0, n, step))


def _any_crossing(first: NDArray[np.float64], second: NDArray[np.float64], rows: slice) -> bool:
    a, b = first[rows, np.newaxis], second[rows, np.newaxis]
    c, d = first[np.newaxis], second[np.newaxis]
    apart = (_side(a, b, c) * _side(a, b, d) < 0) & (_side(c, d, a) * _side(c, d, b) < 0)
    return bool(apart.any())


def _side(
    start: NDArray[np.float64], end: NDArray[np.float64], point: NDArray[np.float64]
) -> NDArray[np.float64]:
    cross = (end - start)[..., 0] * (point - start)[..., 1] - (end - start)[..., 1] * (point - start)[..., 0]
    return np.sign(cross)


def area_is_doubtful(vertices: NDArray[np.float64]) -> bool:
    """Return whether an outline crosses itself so that its area depends on the rule of filling."""
    if not crosses_itself(vertices):
        return False
    x, y = (vertices - vertices.min(axis=0)).T
    signed = abs(float(np.dot(x, np.roll(y, -1)) - np.dot(y, np.roll(x, -1)))) / 2
    scale = _RASTER_PX / max(x.max(), y.max())
    image = Image.new("1", (_RASTER_PX + 1, _RASTER_PX + 1))
    ImageDraw.Draw(image).polygon([(px * scale, py * scale) for px, py in zip(x, y, strict=True)], fill=1)
    even_odd = float(np.asarray(image).sum()) / scale**2
    length = float(np.hypot(x - np.roll(x, -1), y - np.roll(y, -1)).sum())
    margin = AREA_TOLERANCE * max(signed, even_odd) + length / scale  # the raster takes the border in
    return bool(abs(even_odd - signed) > margin)
