"""Running a detector over slides: engine, ledger, resume, a second stage."""

from mitoscope.infer.cascade import Networks, corrected, open_networks, rescored
from mitoscope.infer.cohort import AT_ONCE, CohortState, Order, SlideDone, ordered, parse_order, run_cohort
from mitoscope.infer.config import DetectConfig
from mitoscope.infer.crew import Crew, Threads
from mitoscope.infer.detect import SlideOutcome, check_asked, detect_opened, detect_slide, detect_slides
from mitoscope.infer.engine import Engine, check_provider, open_bundle_network, open_detector
from mitoscope.infer.ledger import Ledger
from mitoscope.infer.slide_list import (
    ListedSlide,
    find_slides,
    place_results,
    read_slide_list,
    refuse_same_names,
    slides_among,
)
from mitoscope.infer.slide_run import Correction, Finder, SlideFindings, SlideRun, Timings, software
from mitoscope.infer.slides_here import SlidesHere
from mitoscope.infer.survey import region_of

__all__ = [
    "AT_ONCE",
    "CohortState",
    "Correction",
    "Crew",
    "DetectConfig",
    "Engine",
    "Finder",
    "Ledger",
    "ListedSlide",
    "Networks",
    "Order",
    "SlideDone",
    "SlideFindings",
    "SlideOutcome",
    "SlideRun",
    "SlidesHere",
    "Threads",
    "Timings",
    "check_asked",
    "check_provider",
    "corrected",
    "detect_opened",
    "detect_slide",
    "detect_slides",
    "find_slides",
    "open_bundle_network",
    "open_detector",
    "open_networks",
    "ordered",
    "parse_order",
    "place_results",
    "read_slide_list",
    "refuse_same_names",
    "region_of",
    "rescored",
    "run_cohort",
    "slides_among",
    "software",
]
