"""The real command, run as a user runs it."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def mitoscope() -> Run:
    """Return a function that runs ``mitoscope`` with arguments and gives back what it printed."""

    def run(*arguments: str | Path, timeout: float = 240) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "mitoscope", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)

    return run


@pytest.fixture(scope="session")
def field(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a synthetic field of view as a PNG file of 768 × 640 px."""
    from PIL import Image

    from mitoscope.slide.synthetic import SyntheticSlideConfig, render_field

    config = SyntheticSlideConfig.of(
        width=768, height=640, seed=5, tissue_fraction=1.0, mitoses_per_mm2=120.0
    )
    rgb, _ = render_field(config)
    path = tmp_path_factory.mktemp("field") / "field.png"
    Image.fromarray(rgb).save(path)
    return path
