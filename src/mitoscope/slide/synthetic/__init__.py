"""Synthetic H&E whole slides with known truth: for demo, tests and benchmarks, never for training."""

from mitoscope.slide.synthetic.config import (
    DOMAINS,
    SIDE_MAX_PX,
    StainDomain,
    SyntheticSlideConfig,
    domain_named,
)
from mitoscope.slide.synthetic.truth import PaintedFigure, PaintedTruth, truth_paths
from mitoscope.slide.synthetic.writer import field_config, render_field, write_slide

__all__ = [
    "DOMAINS",
    "SIDE_MAX_PX",
    "PaintedFigure",
    "PaintedTruth",
    "StainDomain",
    "SyntheticSlideConfig",
    "domain_named",
    "field_config",
    "render_field",
    "truth_paths",
    "write_slide",
]
