"""The mitotic count: figures per area, the hot spot and how much tissue it holds."""

from mitoscope.count.density import Density, density
from mitoscope.count.hot_spot import HotSpot, find_hot_spot, window_size
from mitoscope.count.mitotic_count import FIELD_ASPECT, TEN_HPF_MM2, MitoticCount, mitotic_count
from mitoscope.count.region import Polygon, Region

__all__ = [
    "FIELD_ASPECT",
    "TEN_HPF_MM2",
    "Density",
    "HotSpot",
    "MitoticCount",
    "Polygon",
    "Region",
    "density",
    "find_hot_spot",
    "mitotic_count",
    "window_size",
]
