"""The mitotic count: figures per area, the hot spot, how sure the number is and what a scheme makes of it."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import Any

from mitoscope.count.grading import (
    AID,
    HPF_FIELDS,
    GradingRule,
    MicroscopeField,
    Scheme,
    find_scheme,
    schemes,
)
from mitoscope.count.hot_spot import Density, HotSpot, density, find_hot_spot
from mitoscope.count.mitotic_count import (
    MitoticCount,
    mitotic_count,
    refuse_colours,
    true_figures,
)
from mitoscope.count.uncertainty import COVERS, SPLITS, Expected, Graded, WholeDensity
from mitoscope.count.window import (
    COVERED_MIN,
    FIELD_ASPECT,
    TEN_HPF_MM2,
    Window,
    WindowShape,
    window_size,
)

__all__ = [
    "AID",
    "COVERED_MIN",
    "COVERS",
    "FIELD_ASPECT",
    "HPF_FIELDS",
    "SPLITS",
    "TEN_HPF_MM2",
    "Density",
    "Expected",
    "Graded",
    "GradingRule",
    "HotSpot",
    "MicroscopeField",
    "MitoticCount",
    "Scheme",
    "WholeDensity",
    "Window",
    "WindowShape",
    "density",
    "find_hot_spot",
    "find_scheme",
    "mitotic_count",
    "refuse_colours",
    "schemes",
    "true_figures",
    "window_size",
]


class _CountPackage(ModuleType):
    """The package as the verb of the command line: ``mitoscope.count(…)`` is `counts.count`.

    A module and a function cannot both have the name; which of them it stood for would depend on what was
    imported before.
    """

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """See `counts.count`."""
        from mitoscope.count.counts import count  # reads files of all formats

        return count(*args, **kwargs)


sys.modules[__name__].__class__ = _CountPackage
