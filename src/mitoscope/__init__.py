"""mitoscope finds, counts and curates mitotic figures in H&E slides.

The public names below are loaded on first use, so that importing the package stays fast and never needs more
than the base install.

>>> import mitoscope
>>> mitoscope.Aspect.parse("4:3")
Aspect(width=4.0, height=3.0)
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitoscope.bundle import Bundle, load_bundle, shipped
    from mitoscope.count import MitoticCount, mitotic_count
    from mitoscope.detections import Detections
    from mitoscope.errors import InputError, MitoscopeError, RunError
    from mitoscope.evaluate import PROTOCOLS
    from mitoscope.geometry import Aspect, BoxPx, BoxPx0, Mpp, PointPx0
    from mitoscope.infer import DetectConfig, SlideRun, detect_slide
    from mitoscope.labels import LabelSet
    from mitoscope.report import write_outputs
    from mitoscope.slide import MemorySlide, Slide, open_slide
    from mitoscope.tissue import TissueMask, find_tissue

__version__ = "0.1.0"

_HOME = {
    "Aspect": "geometry",
    "BoxPx": "geometry",
    "BoxPx0": "geometry",
    "Bundle": "bundle",
    "DetectConfig": "infer",
    "Detections": "detections",
    "InputError": "errors",
    "LabelSet": "labels",
    "MemorySlide": "slide",
    "MitoscopeError": "errors",
    "MitoticCount": "count",
    "Mpp": "geometry",
    "PROTOCOLS": "evaluate",
    "PointPx0": "geometry",
    "RunError": "errors",
    "Slide": "slide",
    "SlideRun": "infer",
    "TissueMask": "tissue",
    "detect_slide": "infer",
    "find_tissue": "tissue",
    "load_bundle": "bundle",
    "mitotic_count": "count",
    "open_slide": "slide",
    "shipped": "bundle",
    "write_outputs": "report",
}

__all__ = [
    "PROTOCOLS",
    "Aspect",
    "BoxPx",
    "BoxPx0",
    "Bundle",
    "DetectConfig",
    "Detections",
    "InputError",
    "LabelSet",
    "MemorySlide",
    "MitoscopeError",
    "MitoticCount",
    "Mpp",
    "PointPx0",
    "RunError",
    "Slide",
    "SlideRun",
    "TissueMask",
    "__version__",
    "detect_slide",
    "find_tissue",
    "load_bundle",
    "mitotic_count",
    "open_slide",
    "shipped",
    "write_outputs",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module 'mitoscope' has no attribute {name!r}")
    return getattr(import_module(f"mitoscope.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
