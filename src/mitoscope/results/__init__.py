"""Results that no bundle gave: findings of other programs taken in, and several results joined as one.

They are `mitoscope.infer.SlideFindings`, as the runs of a bundle are, so that counts, reports and the files
of a result are made from them alike.
"""

from mitoscope.results.calibration import Calibration, Detector, calibrate_results
from mitoscope.results.given import GivenFindings
from mitoscope.results.importing import import_findings
from mitoscope.results.joining import Fused, fuse, join_results, names_to_join
from mitoscope.results.settings import AXES, MIRRORS, SCORES, ImportSettings, JoinSettings

__all__ = [
    "AXES",
    "MIRRORS",
    "SCORES",
    "Calibration",
    "Detector",
    "Fused",
    "GivenFindings",
    "ImportSettings",
    "JoinSettings",
    "calibrate_results",
    "fuse",
    "import_findings",
    "join_results",
    "names_to_join",
]
