r"""mitoscope finds, counts and curates mitotic figures in H&E slides.

What the command line does, a notebook does with the names below: ``detect``, ``count``, ``evaluate`` and
``train`` are the verbs of the shell; `Store` is a study in its file, `GroundTruth` what counts as true,
`Detections` what was found. Paths are text or `pathlib.Path`. The names are loaded on first use, so
that importing the package stays fast and never needs more than the base install (``train`` needs
``mitoscope[train]``).

A slide is read and searched:

>>> import numpy as np, mitoscope
>>> from mitoscope import Detections, MemorySlide, Mpp
>>> slide = MemorySlide(np.full((300, 400, 3), 255, np.uint8), mpp=Mpp.square(0.25), name="glass")
>>> slide.read(mitoscope.BoxPx(0, 0, 8, 4)).rgb.shape
(4, 8, 3)
>>> mitoscope.find_tissue(slide).area_mm2
0.0
>>> mitoscope.load_bundle().manifest.labels[0]  # the detector of mitoscope.detect("slide.svs")
'mitotic figure'

What was found is counted, and judged against the ground truth; a study or a version of it
(``study.mito@MEL``) is ground truth as well:

>>> from pathlib import Path
>>> _ = Path("truth.csv").write_text("image,x,y,label\nglass,100,90,Mitose\nglass,300,50,hard negative\n")
>>> truth = mitoscope.read_ground_truth("truth.csv", mpp=Mpp.square(0.25))
>>> found = Detections.of([(101, 91), (299, 52)], [0.9, 0.8], source="another program")
>>> evaluation = mitoscope.evaluate({"glass": found}, truth, protocol="midog", threshold=0.5)
>>> evaluation.precision, evaluation.recall
(0.5, 1.0)
>>> [(name, counted.count) for name, counted in mitoscope.count("truth.csv", mpp=0.25)]
[('glass', 1)]
>>> mitoscope.Aspect.parse("4:3")
Aspect(width=4.0, height=3.0)
"""

from __future__ import annotations

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mitoscope.bundle import Bundle, load_bundle, shipped, verify_bundle
    from mitoscope.count import MitoticCount, mitotic_count
    from mitoscope.count.counts import Counts, count
    from mitoscope.detections import Detections
    from mitoscope.errors import InputError, MitoscopeError, RunError
    from mitoscope.evaluate import PROTOCOLS, Evaluation, find_protocol
    from mitoscope.evaluate import evaluate_any as evaluate
    from mitoscope.exchange import read_ground_truth, read_results, read_study, write_study
    from mitoscope.geometry import Aspect, BoxPx, BoxPx0, Mpp, PointPx0
    from mitoscope.infer import DetectConfig, SlideRun
    from mitoscope.labels import LabelMapping, LabelSet
    from mitoscope.region import Region, SlideRegions
    from mitoscope.report import DetectionResult, detect, write_outputs
    from mitoscope.report.comparison import compare
    from mitoscope.results import ImportSettings, JoinSettings, import_findings, join_results
    from mitoscope.slide import MemorySlide, Slide, open_slide
    from mitoscope.store import Store, Study
    from mitoscope.tissue import TissueMask, find_tissue
    from mitoscope.train import train
    from mitoscope.truth import GroundTruth, Policy

__version__ = "0.2.0"

# Nothing leaves the machine. Libraries that report on their use read these when they are first imported, and
# whatever imports one of them here has imported this package before.
os.environ.update(ORT_DISABLE_TELEMETRY="1", RAY_USAGE_STATS_ENABLED="0", HF_HUB_DISABLE_TELEMETRY="1")

_HOME = {
    "Aspect": "geometry",
    "BoxPx": "geometry",
    "BoxPx0": "geometry",
    "Bundle": "bundle",
    "Counts": "count.counts",
    "DetectConfig": "infer",
    "DetectionResult": "report",
    "Detections": "detections",
    "Evaluation": "evaluate",
    "GroundTruth": "truth",
    "ImportSettings": "results",
    "InputError": "errors",
    "JoinSettings": "results",
    "LabelMapping": "labels",
    "LabelSet": "labels",
    "MemorySlide": "slide",
    "MitoscopeError": "errors",
    "MitoticCount": "count",
    "Mpp": "geometry",
    "PROTOCOLS": "evaluate",
    "PointPx0": "geometry",
    "Policy": "truth",
    "Region": "region",
    "RunError": "errors",
    "Slide": "slide",
    "SlideRegions": "region",
    "SlideRun": "infer",
    "Store": "store",
    "Study": "store",
    "TissueMask": "tissue",
    "compare": "report.comparison",
    "detect": "report",
    "find_protocol": "evaluate",
    "find_tissue": "tissue",
    "import_findings": "results",
    "join_results": "results",
    "load_bundle": "bundle",
    "mitotic_count": "count",
    "open_slide": "slide",
    "read_ground_truth": "exchange",
    "read_results": "exchange",
    "read_study": "exchange",
    "shipped": "bundle",
    "verify_bundle": "bundle",
    "write_outputs": "report",
    "write_study": "exchange",
}
_VERBS = ("count", "evaluate", "train")
"""Packages that are called like the verb of the command line; see their ``__call__``."""

__all__ = [
    "PROTOCOLS",
    "Aspect",
    "BoxPx",
    "BoxPx0",
    "Bundle",
    "Counts",
    "DetectConfig",
    "DetectionResult",
    "Detections",
    "Evaluation",
    "GroundTruth",
    "ImportSettings",
    "InputError",
    "JoinSettings",
    "LabelMapping",
    "LabelSet",
    "MemorySlide",
    "MitoscopeError",
    "MitoticCount",
    "Mpp",
    "PointPx0",
    "Policy",
    "Region",
    "RunError",
    "Slide",
    "SlideRegions",
    "SlideRun",
    "Store",
    "Study",
    "TissueMask",
    "__version__",
    "compare",
    "count",
    "detect",
    "evaluate",
    "find_protocol",
    "find_tissue",
    "import_findings",
    "join_results",
    "load_bundle",
    "mitotic_count",
    "open_slide",
    "read_ground_truth",
    "read_results",
    "read_study",
    "shipped",
    "train",
    "verify_bundle",
    "write_outputs",
    "write_study",
]


def __getattr__(name: str) -> Any:
    if name in _VERBS:
        return import_module(f"mitoscope.{name}")
    if name not in _HOME:
        raise AttributeError(f"module 'mitoscope' has no attribute {name!r}")
    return getattr(import_module(f"mitoscope.{_HOME[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
