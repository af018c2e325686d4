"""The mitotic count: figures per area, the hot spot and how much tissue it holds."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mitoscope.count.hot_spot import (
    FIELD_ASPECT,
    TEN_HPF_MM2,
    Density,
    HotSpot,
    density,
    find_hot_spot,
    window_size,
)
from mitoscope.count.mitotic_count import (
    COVERED_MIN,
    MitoticCount,
    mitotic_count,
    refuse_colours,
    true_figures,
)

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
    "refuse_colours",
    "true_figures",
    "window_size",
]


class _CountPackage(ModuleType):
    """The package as the verb of the command line: ``mitoscope.count(…)`` is `count_slides`.

    A module and a function cannot both have the name; which of them it stood for would depend on what was
    imported before.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `count_slides`."""
        from mitoscope.count.slides import count_slides  # reads files of all formats

        return count_slides(*args, **kwargs)


sys.modules[__name__].__class__ = _CountPackage
