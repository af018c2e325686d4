"""Contact sheets of the page: every place in five sizes and three themes, and the pictures of the documents.

Run as ``python -m tests.browser.sheets FOLDER [--size phone] [--theme dark] [--only case]``, or with
``--documents`` to write ``docs/images`` anew. A sheet shows one size in one theme, each place with its name.
"""

from __future__ import annotations

import argparse
import math
import tempfile
from io import BytesIO
from pathlib import Path

from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect, sync_playwright

from .conftest import ARGUMENTS, CHROMIUM, write_slides
from .gallery import Exhibit, exhibits
from .making import Clinic, serving, settle

SIZES = {
    "phone": (390, 844),
    "tablet": (820, 1180),
    "laptop": (1366, 768),
    "desktop": (1920, 1080),
    "4k": (3840, 2160),
}
"""CSS pixels of the windows that the page is made for."""
THEMES = ("light", "dark", "contrast")
DOCUMENTS = Path(__file__).parents[2] / "docs" / "images"
_DOCUMENT_WIDTH = 1000
_SHEET_WIDTH = 2000


def open_exhibit(clinic: Clinic, pages: dict[int, Page], exhibit: Exhibit) -> Page:
    """Return the page of an exhibit's person with the exhibit on it, as it is used."""
    page = pages.get(exhibit.person.id)
    if page is None:
        page = pages[exhibit.person.id] = clinic.page(exhibit.person)
    page.goto(f"{clinic.server.address}/#{exhibit.where}")
    expect(page.locator(exhibit.awaited).first).to_be_visible()
    settle(page, seconds=0.2)
    if exhibit.click:
        page.locator(exhibit.click).click()
    for key in exhibit.keys:
        page.keyboard.press(key)
    if exhibit.corners:
        view = page.locator(".stage").bounding_box()
        assert view is not None
        for x, y in exhibit.corners:
            page.mouse.click(view["x"] + x * view["width"], view["y"] + y * view["height"])
    return page


def wear(page: Page, theme: str) -> None:
    """Put a theme on, ``contrast`` being light with high contrast, with colours that are not on their way."""
    page.evaluate(
        """theme => {
          const choose = (key, newValue) => // as if in another tab
            dispatchEvent(new StorageEvent('storage', { key: `mitoscope.${key}`, newValue }));
          choose('theme', theme === 'dark' ? 'dark' : 'light');
          choose('contrast', theme === 'contrast' ? 'more' : 'normal');
          document.body.offsetWidth; // begins the fading of colours
          // That of an element which goes meanwhile would never be finished by itself.
          for (const one of document.getAnimations())
            if (one.effect.getComputedTiming().endTime !== Infinity) one.finish();
        }""",
        theme,
    )


def size_to(page: Page, size: tuple[int, int]) -> None:
    """Give the window a size and wait until the slide is drawn anew."""
    width, height = size
    page.set_viewport_size({"width": width, "height": height})
    # With the second frame the page has heard of it: on a phone one tool is open at a time.
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    settle(page, seconds=0.4)


def sheet(pictures: list[tuple[str, Image.Image]]) -> Image.Image:
    """Return pictures of one size on one sheet, each with its name."""
    wide = pictures[0][1].width > pictures[0][1].height
    columns = min(4 if wide else 8, len(pictures))
    width = _SHEET_WIDTH // columns
    height = round(width * pictures[0][1].height / pictures[0][1].width)
    rows = math.ceil(len(pictures) / columns)
    made = Image.new("RGB", (width * columns, (height + 18) * rows), "#808890")
    draw = ImageDraw.Draw(made)
    for at, (name, picture) in enumerate(pictures):
        x, y = width * (at % columns), (height + 18) * (at // columns)
        draw.text((x + 4, y + 3), name, fill="white")
        made.paste(picture.resize((width - 6, height - 6), Image.Resampling.LANCZOS), (x + 3, y + 18))
    return made


def _picture(page: Page) -> Image.Image:
    return Image.open(BytesIO(page.screenshot())).convert("RGB")


def _write_sheets(folder: Path, clinic: Clinic, shown: list[Exhibit], asked: argparse.Namespace) -> None:
    pages: dict[int, Page] = {}
    kept: dict[tuple[str, str], list[tuple[str, Image.Image]]] = {}
    for exhibit in shown:
        page = open_exhibit(clinic, pages, exhibit)
        for size in asked.size or SIZES:
            size_to(page, SIZES[size])
            for theme in asked.theme or THEMES:
                wear(page, theme)
                picture = _picture(page)
                picture.save(folder / f"{exhibit.name}-{size}-{theme}.png")
                picture.thumbnail((1366, 1366))
                kept.setdefault((size, theme), []).append((exhibit.name, picture))
        wear(page, "light")
        size_to(page, SIZES["laptop"])
    for (size, theme), pictures in kept.items():
        sheet(pictures).save(folder / f"sheet-{size}-{theme}.png")


_PATHOLOGISTS = {
    "home": "labelling-home",
    "add-slides": "labelling-open",
    "case": "labelling-case",
    "screening": "labelling-screening",
    "contact-sheet": "labelling-sheet",
    "board": "labelling-board",
    "crowd-boxes": "labelling-crowd",
    "regions": "labelling-regions",
    "tools": "labelling-tools",
    "keys": "labelling-keys",
    "progress": "labelling-progress",
    "agreement": "labelling-agreement",
}
"""Which place stands in ``docs/pathologists/`` under which name; every page has one."""
_SYSTEM = {
    "home": ("light", ("laptop", "tablet", "phone")),
    "case": ("dark", ("desktop", "phone")),
    "people": ("contrast", ("laptop", "phone")),
    "tools": ("light", ("laptop",)),
}
"""Which places ``docs/design-system.md`` shows, in which theme and sizes."""


def _write_documents(clinic: Clinic, shown: list[Exhibit]) -> None:
    pages: dict[int, Page] = {}
    for exhibit in shown:
        if exhibit.name not in _PATHOLOGISTS and exhibit.name not in _SYSTEM:
            continue
        page = open_exhibit(clinic, pages, exhibit)
        if exhibit.name in _PATHOLOGISTS:
            _save(_picture(page), _PATHOLOGISTS[exhibit.name])
        if exhibit.name in _SYSTEM:
            theme, sizes = _SYSTEM[exhibit.name]
            wear(page, theme)
            pictures = []
            for size in sizes:
                size_to(page, SIZES[size])
                pictures.append(_picture(page))
            _save(_beside(pictures), f"design-{exhibit.name}-{theme}")
            wear(page, "light")
        size_to(page, SIZES["laptop"])


def _beside(pictures: list[Image.Image], height: int = 560, gap: int = 16) -> Image.Image:
    scaled = [
        picture.resize((round(picture.width * height / picture.height), height), Image.Resampling.LANCZOS)
        for picture in pictures
    ]
    row = Image.new("RGB", (sum(picture.width + gap for picture in scaled) - gap, height), "white")
    x = 0
    for picture in scaled:
        row.paste(picture, (x, 0))
        x += picture.width + gap
    return row


def _save(picture: Image.Image, name: str) -> None:
    picture.thumbnail((_DOCUMENT_WIDTH, _DOCUMENT_WIDTH), Image.Resampling.LANCZOS)
    picture.save(DOCUMENTS / f"{name}.webp", quality=72, method=6)


def main() -> None:
    """Write the sheets that are asked for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("folder", type=Path, nargs="?", default=Path(__file__).parent / "artefacts")
    parser.add_argument("--size", action="append", choices=SIZES)
    parser.add_argument("--theme", action="append", choices=THEMES)
    parser.add_argument("--only", action="append", help="name of a place; can be given again")
    parser.add_argument(
        "--documents", action="store_true", help="write the pictures of the documents instead"
    )
    asked = parser.parse_args()
    asked.folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, sync_playwright() as playwright:
        slides = Path(scratch) / "slides"
        slides.mkdir()
        write_slides(slides)
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        with serving(Path(scratch) / "study.mito", slides, browser) as clinic:
            clinic.is_shared = not asked.documents
            shown = [
                exhibit
                for exhibit in exhibits(clinic, slides)
                if not asked.only or exhibit.name in asked.only
            ]
            if asked.documents:
                _write_documents(clinic, shown)
            else:
                _write_sheets(asked.folder, clinic, shown, asked)
            clinic.close()
        browser.close()


if __name__ == "__main__":
    main()
