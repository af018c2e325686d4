"""The mitotic count: figures per area, the hot spot and how much tissue it holds."""

from mitoscope.count.hot_spot import (
    FIELD_ASPECT,
    TEN_HPF_MM2,
    Density,
    HotSpot,
    density,
    find_hot_spot,
    window_size,
)
from mitoscope.count.mitotic_count import COVERED_MIN, MitoticCount, mitotic_count, true_figures

__all__ = [
    "COVERED_MIN",
    "FIELD_ASPECT",
    "TEN_HPF_MM2",
    "Density",
    "HotSpot",
    "MitoticCount",
    "density",
    "find_hot_spot",
    "mitotic_count",
    "true_figures",
    "window_size",
]
