"""Running a detector over slides: engine, ledger, resume, a second stage."""

from mitoscope.infer.cascade import Networks, open_networks
from mitoscope.infer.config import DetectConfig
from mitoscope.infer.detect import SlideOutcome, detect_slide, detect_slides
from mitoscope.infer.engine import Engine, check_provider, open_bundle_network, open_detector
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.slide_list import ListedSlide, read_slide_list
from mitoscope.infer.slide_run import Correction, SlideRun, Timings

__all__ = [
    "Correction",
    "DetectConfig",
    "Engine",
    "Ledger",
    "ListedSlide",
    "Networks",
    "SlideOutcome",
    "SlideRun",
    "Timings",
    "check_provider",
    "detect_slide",
    "detect_slides",
    "open_bundle_network",
    "open_detector",
    "open_networks",
    "read_slide_list",
]
