"""For everybody: names, roles and contrast in both themes, the order of focus, and all keys told."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from .gallery import Exhibit, exhibits
from .making import Clinic, settle
from .sheets import SIZES, open_exhibit, size_to, wear

ROOT = Path(__file__).parents[2]
AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
CHECK = """async () => {
  const { violations } = await axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21aa'] });
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, any }) => `${id}: ${target}: ${any.map((one) => one.message).join('; ')}`));
}"""
_FOCUSED = """() => {
  const element = document.activeElement;
  const style = getComputedStyle(element);
  if (element === document.body) return null;
  const name = element.getAttribute('aria-label') ?? element.textContent.trim();
  return { name, visible: style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2 };
}"""
LOOKS = {"laptop": ("light", "dark"), "phone": ("contrast",)}
"""What every place is looked at in: the themes at each size."""
Keys = set[tuple[tuple[str, ...], str]]


@pytest.fixture(scope="module")
def gallery(served: Clinic, slides: Path) -> Iterator[list[Exhibit]]:
    """Return all places of the page, with work in them."""
    yield exhibits(served, slides)
    served.close()


def _told(page: Page) -> Keys:
    """Return the keys of the help, as they are shown, with what they do."""
    page.keyboard.press("?")
    lines: list[Any] = page.locator(".help .line").evaluate_all(
        """lines => lines.map(line => [
          [...line.querySelectorAll('.chord')].map(
            chord => [...chord.querySelectorAll('kbd')].map(cap => cap.textContent).join(' ')),
          line.querySelector('dd').textContent])"""
    )
    page.keyboard.press("Escape")
    return {(tuple(keys), title) for keys, title in lines if not title.startswith(("Class: ", "Class of "))}


def _written() -> Keys:
    """Return the keys of docs/pathologists/keys.md."""
    text = (ROOT / "docs" / "pathologists" / "keys.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| (`.+`) \| (.+) \|$", text, flags=re.MULTILINE)
    return {(tuple(re.findall(r"`([^`]+)`", keys)), title) for keys, title in rows if "…" not in keys}


def test_a_text_without_contrast_would_be_told(served: Clinic) -> None:
    page = served.context().new_page()
    page.set_content("<p style='color: #888; background: #777; font-size: 14px'>A pale line of text.</p>")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert any(one.startswith("color-contrast") for one in page.evaluate(CHECK))


@pytest.mark.timeout(1500)  # a minute on a machine with nothing else to do
def test_every_place_is_named_and_readable_in_all_themes_and_on_a_phone_and_its_keys_are_told(
    served: Clinic, gallery: list[Exhibit]
) -> None:
    assert AXE.is_file(), "python frontend/build.py"
    axe = AXE.read_text(encoding="utf-8")
    pages: dict[int, Page] = {}
    found: list[str] = []
    keys: Keys = set()
    for exhibit in gallery:
        page = open_exhibit(served, pages, exhibit)
        if not page.evaluate("() => 'axe' in window"):
            page.evaluate(axe)
        if page.get_by_role("dialog").count() == 0:  # it would be closed, and not be looked at
            keys |= _told(page)
        for size, themes in LOOKS.items():
            size_to(page, SIZES[size])
            for theme in themes:
                wear(page, theme)
                found += [f"{exhibit.name}, {size}, {theme}: {one}" for one in page.evaluate(CHECK)]
            wide = page.evaluate("document.documentElement.scrollWidth")
            assert wide <= SIZES[size][0], (exhibit.name, size, wide)
        wear(page, "light")
        size_to(page, SIZES["laptop"])
    assert not found, "\n".join(found)
    assert keys == _written()


def test_focus_goes_from_the_bar_over_the_view_to_the_panel_and_is_seen(
    served: Clinic, gallery: list[Exhibit]
) -> None:
    (case,) = [one for one in gallery if one.name == "case"]
    page = served.page(case.person, case.where)
    expect(page.locator(case.awaited).first).to_be_visible()
    settle(page)
    seen: list[str] = []
    for _ in range(120):  # far more than there are
        page.keyboard.press("Tab")
        focused = page.evaluate(_FOCUSED)
        if focused is None:
            break  # past the last one
        assert focused["visible"], focused
        seen.append(focused["name"])
    order = ["mitoscope", "Light or dark", "Fit", "Snapshot", "Find the hot spot", "Next N"]
    places = [seen.index(name) for name in order]
    assert places == sorted(places)
    assert any(name.startswith("Sign ") for name in seen)
    page.keyboard.press("?")
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_have_count(0)
