"""What to label next, each tile with the probability of being chosen."""

from __future__ import annotations

from mitoscope.curation.select.choice import (
    Choice,
    choose_above,
    choose_slides,
    choose_top,
    write_choice,
)
from mitoscope.curation.select.tiles import ScoredTiles, score_tiles

__all__ = [
    "Choice",
    "ScoredTiles",
    "choose_above",
    "choose_slides",
    "choose_top",
    "score_tiles",
    "write_choice",
]
