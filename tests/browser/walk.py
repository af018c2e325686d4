"""From a slide in a clean folder to the signed count: clicks, keys and seconds, with a picture of each step.

Run as ``python -m tests.browser.walk SLIDE FOLDER [--size WIDTHxHEIGHT]``; the slide is copied, opened as
``mitoscope open`` does, searched, looked through, counted, signed and reported. The script waits only for
what a person would wait for, and thinks about nothing: seconds are those of the program alone.
"""

from __future__ import annotations

import argparse
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Locator, Page, expect, sync_playwright

from .conftest import ARGUMENTS, CHROMIUM
from .making import settle

_COUNTED = """
const count = name => sessionStorage.setItem(name, Number(sessionStorage.getItem(name) ?? 0) + 1);
addEventListener('pointerdown', () => count('clicks'), true);
addEventListener('keydown', event => {
  if (!['Control', 'Shift', 'Alt'].includes(event.key)) count('keys');
}, true);
"""
_PATIENCE_MS = 1_800_000


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the walk: what it took of a person and of the program."""

    name: str
    clicks: int
    keys: int
    seconds: float


class Walk:
    """A person at the page, whose clicks and keys are counted."""

    def __init__(self, page: Page, folder: Path) -> None:
        self.page, self.steps, self._folder = page, list[Step](), folder

    def _done(self, what: str) -> int:
        return int(self.page.evaluate("name => Number(sessionStorage.getItem(name) ?? 0)", what))

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Count what is done meanwhile, and keep a picture of what it leads to."""
        clicks, keys, start = self._done("clicks"), self._done("keys"), time.perf_counter()
        yield
        took = time.perf_counter() - start
        self.steps.append(Step(name, self._done("clicks") - clicks, self._done("keys") - keys, took))
        self.page.wait_for_load_state("networkidle")
        self.page.screenshot(path=self._folder / f"{len(self.steps)} {name}.png")

    def table(self) -> str:
        """Return the steps as a table."""
        total = Step(
            "all",
            sum(one.clicks for one in self.steps),
            sum(one.keys for one in self.steps),
            sum(one.seconds for one in self.steps),
        )
        rows = [
            f"| {one.name} | {one.clicks} | {one.keys} | {one.seconds:.1f} |" for one in [*self.steps, total]
        ]
        return "\n".join(["| Step | clicks | keys | seconds |", "|---|---|---|---|", *rows])


def walk(page: Page, slide: str, folder: Path) -> Walk:
    """Go from the first page to the report of a signed count."""
    done = Walk(page, folder)
    looked, count = page.locator(".looked"), page.locator(".count")
    asked = page.get_by_label("µm per pixel")
    if asked.count() > 0:
        with done.step("state the resolution"):
            asked.fill("0.25")
            page.get_by_role("button", name="Set").click()
            expect(page.locator(".slide-card a.whole img")).to_be_visible()
    with done.step("open the slide"):
        with page.expect_response("**/tiles/**"):
            page.locator(".slide-card", has_text=slide).locator("a.whole").click()
        page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    expect(page.get_by_role("button", name="Search this slide")).to_be_visible()
    with done.step("search"):
        page.get_by_role("button", name="Search this slide").click()
        expect(page.get_by_role("slider", name="Threshold")).to_be_visible(timeout=_PATIENCE_MS)
    proposed = int(looked.inner_text().split()[2])
    with done.step("look through the candidates"):
        page.keyboard.press("n")
        for at in range(proposed):
            expect(looked).to_have_text(f"{at + 1} of {proposed} looked at")
            page.keyboard.press("a" if at % 2 == 0 else "r")
        _all_sent(page)
    with done.step("add a missed figure"):
        before = int(count.inner_text())
        page.keyboard.press("f")
        _click(page.locator(".glass"), 0.62, 0.66)
        expect(looked).to_contain_text("1 added")
        expect(count).to_have_text(str(before + 1))
        page.keyboard.press("Escape")
    with done.step("show the window"):
        page.keyboard.press("w")
    settle(page, seconds=1)
    with done.step("move the window"):
        _drag(page, page.locator(".glass"), (0.5, 0.5), (0.4, 0.6))
        _all_sent(page)
    with done.step("sign"):
        page.get_by_role("button", name=re.compile("^Sign")).click()
        asked = page.get_by_role("dialog")
        expect(asked).to_be_visible()
        unseen = asked.get_by_role("checkbox")
        if unseen.count() > 0:
            unseen.check()
        asked.get_by_role("button", name="Sign").click()
        expect(page.locator(".signed")).to_have_count(1)
    with done.step("report"), page.context.expect_page() as opened:
        page.get_by_role("link", name="Report").click()
    report = opened.value
    report.wait_for_load_state("networkidle")
    report.screenshot(path=folder / f"{len(done.steps)} report.png", full_page=True)
    return done


def _all_sent(page: Page) -> None:
    """Wait until everything is on disk: keys are pressed faster here than by a person."""
    expect(page.locator(".unsent")).to_have_count(0, timeout=_PATIENCE_MS)


def _click(view: Locator, across: float, down: float) -> None:
    box = view.bounding_box()
    assert box is not None
    view.page.mouse.click(box["x"] + across * box["width"], box["y"] + down * box["height"])


def _drag(page: Page, view: Locator, start: tuple[float, float], end: tuple[float, float]) -> None:
    box = view.bounding_box()
    assert box is not None
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=5)
    page.mouse.up()


def main() -> None:
    """Walk, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("slide", type=Path)
    parser.add_argument("folder", type=Path, help="for the pictures")
    parser.add_argument("--size", default="1366x768")
    asked = parser.parse_args()
    width, height = map(int, asked.size.split("x"))
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        slide = Path(shutil.copy(asked.slide, scratch))
        command = [sys.executable, "-m", "mitoscope", "open", "--no-browser", str(slide)]
        start = time.perf_counter()
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        assert process.stdout is not None
        try:
            link = next(line for line in process.stdout if line.startswith("open ")).split()[1]
            browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
            page = browser.new_page(viewport={"width": width, "height": height}, locale="en-GB")
            page.add_init_script(_COUNTED)
            page.goto(link)
            expect(page.locator(".slide-card")).to_be_visible()
            started = time.perf_counter() - start
            page.wait_for_load_state("networkidle")
            page.screenshot(path=asked.folder / "0 first page.png")
            done = walk(page, slide.name, asked.folder)
            browser.close()
        finally:
            process.send_signal(signal.SIGINT)
            process.communicate()
    print(f"{slide.name}: {started:.1f} s from the command to the first page\n\n{done.table()}")


if __name__ == "__main__":
    main()
