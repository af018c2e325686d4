"""A painted slide, a detector's description and a run over it."""

from __future__ import annotations

from pathlib import Path

import pytest

from .runs import paint_slide


@pytest.fixture(scope="session")
def slide_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a slide of 800 × 600 px with an island of tissue on glass."""
    return paint_slide(tmp_path_factory.mktemp("slides") / "island.png")
