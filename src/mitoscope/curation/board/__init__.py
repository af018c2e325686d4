"""The similarity board (CODAEL): crops laid out so that alike cells are neighbours, and what stands out."""

from __future__ import annotations

from mitoscope.curation.board.coordinates import project
from mitoscope.curation.board.layout import Grid, Layout, Method, lay_out, on_grid
from mitoscope.curation.board.neighbours import Quality, Suspicion, nearest, quality, suspicion

__all__ = [
    "Grid",
    "Layout",
    "Method",
    "Quality",
    "Suspicion",
    "lay_out",
    "nearest",
    "on_grid",
    "project",
    "quality",
    "suspicion",
]
