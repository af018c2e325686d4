"""What the tests of the page share: Chromium, a synthetic slide, and a served study on it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import tifffile
from playwright.sync_api import Browser, sync_playwright

from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide

from .making import Clinic, serving

CHROMIUM = shutil.which("chromium") or "/usr/bin/chromium"

ARGUMENTS = ["--no-sandbox", "--disable-3d-apis"]
"""Of every browser of the tests: they have no WebGL, which not every workplace has."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Leave out what needs a browser where there is none, and say so.

    A test that fails is run once more, and the summary counts it: a browser is a program of its own, and one
    click of several thousand that it loses on a busy machine says nothing of the page; its faults fail twice.
    """
    for item in items:
        if "tests/browser" in str(item.path):
            item.add_marker(pytest.mark.flaky(reruns=1))
            if not Path(CHROMIUM).exists():
                reason = f"no browser at {CHROMIUM}; apt-get install chromium"
                item.add_marker(pytest.mark.skip(reason=reason))


def write_slides(folder: Path) -> None:
    """Write a synthetic slide of 1280 × 960 px, and the same under four other names."""
    config = SyntheticSlideConfig.of(
        width=1280,
        height=960,
        seed=3,
        tissue_fraction=0.8,
        mitoses_per_mm2=180.0,
        look_alikes_per_mm2=220.0,
        ink=False,
    )
    write_slide(folder / "breast-01.tiff", config)
    content = (folder / "breast-01.tiff").read_bytes()
    for number in (2, 3, 4, 5):
        (folder / f"breast-0{number}.tiff").write_bytes(content + bytes(number))


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Return Chromium, without WebGL."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a synthetic slide of 1280 × 960 px, and the same under four other names."""
    folder = tmp_path_factory.mktemp("slides")
    write_slides(folder)
    return folder


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, slides: Path, browser: Browser) -> Iterator[Clinic]:
    """Return a served study for the tests of one module; each works in rounds and with people of its own."""
    with serving(tmp_path_factory.mktemp("study") / "study.mito", slides, browser) as clinic:
        yield clinic


@pytest.fixture
def clinic(served: Clinic) -> Iterator[Clinic]:
    """Return the served study; after each test its browsers and rounds are closed.

    A browser must not have complained. A lead with blinded work left would not be told what others said.
    """
    yield served
    served.close()
    served.close_rounds()


@pytest.fixture(scope="module")
def frail_slides(tmp_path_factory: pytest.TempPathFactory, slides: Path) -> Path:
    """Return a folder with slides that may go, one of 2.5 mm², and one with a long name."""
    folder = tmp_path_factory.mktemp("frail")
    for name in ("breast-01.tiff", "breast-02.tiff", "breast-03.tiff"):
        shutil.copy(slides / name, folder)
    shutil.copy(slides / "breast-03.tiff", folder / f"{'section ' * 24}.tiff")
    pixels = np.random.default_rng(1).integers(120, 250, (1400, 1800, 3), dtype=np.uint8)
    tifffile.imwrite(
        folder / "large.tiff",
        pixels,
        tile=(256, 256),
        photometric="rgb",
        resolution=(10_000, 10_000),
        resolutionunit="CENTIMETER",
    )
    return folder


@pytest.fixture(scope="module")
def frail_served(
    tmp_path_factory: pytest.TempPathFactory, frail_slides: Path, browser: Browser
) -> Iterator[Clinic]:
    """Return a served study for one module, whose server may be killed and whose slides may go."""
    with serving(tmp_path_factory.mktemp("frail-study") / "study.mito", frail_slides, browser) as clinic:
        yield clinic


@pytest.fixture
def frail(frail_served: Clinic, frail_slides: Path) -> Iterator[Clinic]:
    """Return the study whose server may be killed and whose slides may go; the next test has both back."""
    if not frail_served.server.is_up:
        frail_served.server.start()
    contents = {path: path.read_bytes() for path in frail_slides.iterdir()}
    yield frail_served
    frail_served.close()
    for path, content in contents.items():
        if not path.exists() or path.read_bytes() != content:
            frail_served.server.kill()  # it has seen the slide gone
            path.write_bytes(content)
