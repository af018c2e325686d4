"""What to label next, and what can be said about all tiles from those that were labelled."""

from __future__ import annotations

from mitoscope.curation.select.choice import (
    Choice,
    choose_above,
    choose_slides,
    choose_top,
    read_choice,
    write_choice,
)
from mitoscope.curation.select.estimates import Total, horvitz_thompson, slide_total
from mitoscope.curation.select.tiles import ScoredTiles, score_tiles

__all__ = [
    "Choice",
    "ScoredTiles",
    "Total",
    "choose_above",
    "choose_slides",
    "choose_top",
    "horvitz_thompson",
    "read_choice",
    "score_tiles",
    "slide_total",
    "write_choice",
]
