"""Studies made for the tests."""

from __future__ import annotations

import numpy as np

from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import SlideRecord
from tests.curation.simulated import KnownCells

SIDE_PX0 = 4_000


def scattered_truth(cells: int, *, slides: int, figures: float = 0.5) -> dict[SlideRecord, KnownCells]:
    """Return true cells on a grid of each slide, 100 px and more apart, a share of them figures."""
    columns = 30
    if cells > columns * columns:
        raise ValueError(f"{cells} cells do not fit")
    truth = {}
    for number in range(slides):
        places = np.random.default_rng(number).permutation(columns * columns)[:cells]
        grid = np.column_stack([places % columns, places // columns])
        points = np.asarray(grid * 120.0 + 100.5, dtype=np.float64)
        labels = [MITOTIC_FIGURE.name] * round(cells * figures)
        labels += [LOOK_ALIKE.name] * (cells - len(labels))
        slide = SlideRecord(
            f"slide {number}.svs", SizePx(SIDE_PX0, SIDE_PX0), Mpp.square(0.25), case=f"case {number}"
        )
        truth[slide] = KnownCells(points, tuple(labels))
    return truth
