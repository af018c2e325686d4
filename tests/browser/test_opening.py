"""From a folder without slides to a slide on the page: send, state a resolution, choose."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from .making import ARTEFACTS, SIZE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder without slides."""
    folder = tmp_path / "my slides"
    folder.mkdir()
    return folder


@pytest.fixture
def page(folder: Path, browser: Browser) -> Iterator[Page]:
    """Return the page that ``mitoscope open`` opens on the folder."""
    command = [sys.executable, "-m", "mitoscope", "open", "--no-browser", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    link = next(line for line in process.stdout if line.startswith("open ")).split()[1]
    context = browser.new_context(viewport=SIZE, locale="en-GB")  # type: ignore[arg-type]
    page = context.new_page()
    page.goto(link)
    yield page
    context.close()
    process.send_signal(signal.SIGINT)
    process.stdout.read()
    process.stdout.close()
    assert process.wait(60) == 0


def test_a_slide_is_sent_asked_about_and_shown(
    page: Page, folder: Path, tmp_path: Path, slides: Path
) -> None:
    expect(page.get_by_text("Drop slides here")).to_be_visible()
    page.screenshot(path=ARTEFACTS / "opening-first.png")
    Image.effect_noise((900, 700), 60).convert("RGB").save(tmp_path / "photo.png")
    (tmp_path / "notes.tiff").write_text("no slide")
    page.locator("input[type=file]").set_input_files(
        [slides / "breast-01.tiff", tmp_path / "photo.png", tmp_path / "notes.tiff"]
    )
    expect(page.get_by_role("link", name=re.compile("breast-01.tiff"))).to_be_visible()
    expect(page.get_by_text("how large is a pixel?")).to_be_visible()
    refused = page.get_by_label("Files that are no slides")
    expect(refused).to_be_visible()
    expect(refused).to_contain_text("notes.tiff")
    assert (folder / "breast-01.tiff").read_bytes() == (slides / "breast-01.tiff").read_bytes()
    page.screenshot(path=ARTEFACTS / "opening-sent.png", full_page=True)
    page.get_by_label("µm per pixel").fill("0.5")
    page.get_by_role("button", name="Set").click()
    card = page.get_by_role("listitem").filter(has=page.get_by_role("link", name=re.compile("photo.png")))
    expect(card).to_contain_text("0.500 µm/px")
    page.set_viewport_size({"width": 390, "height": 844})
    box = page.locator(".add-slides").bounding_box()
    assert box is not None
    assert box["x"] + box["width"] <= 390, "it fits a phone"
    page.screenshot(path=ARTEFACTS / "opening-phone.png")


def test_files_that_lie_there_are_chosen(page: Page, folder: Path, slides: Path) -> None:
    for name in ("breast-01.tiff", "breast-02.tiff"):
        (folder / name).write_bytes((slides / name).read_bytes())
    page.get_by_role("button", name="Choose in the folder of the slides").click()
    page.get_by_role("checkbox", name=re.compile("breast-02.tiff")).check()
    page.screenshot(path=ARTEFACTS / "opening-choose.png")
    page.get_by_role("button", name="Add 1").click()
    expect(page.get_by_role("link", name=re.compile("breast-02.tiff"))).to_be_visible()
    expect(page.get_by_role("link", name=re.compile("breast-01.tiff"))).to_have_count(0)
