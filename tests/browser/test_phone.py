"""On a phone the slide has the screen: the panel is drawn up, tools and bar fold into a button each."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from .making import Clinic, settle, until
from .sheets import SIZES, size_to


def _share(page: Page, place: Locator) -> float:
    box = place.bounding_box()
    whole = page.locator(".work").bounding_box()
    assert box is not None
    assert whole is not None
    assert box["width"] == whole["width"]
    return box["height"] / whole["height"]


def test_the_panel_is_drawn_up_and_folded_and_a_cell_is_labelled_above_it(clinic: Clinic) -> None:
    anna = clinic.person("Anna")
    round_ = clinic.round("phone", "unstated", anna)
    slide = clinic.slide["id"]
    page = clinic.page(anna, f"/round/{round_}/slide/{slide}")
    size_to(page, SIZES["phone"])
    panel, grip = page.get_by_label("Work", exact=True), page.get_by_role("button", name="Panel")
    assert _share(page, panel) < 0.45
    grip.click()
    until(lambda: _share(page, panel) < 0.2)
    assert _share(page, page.locator(".glass")) > 0.8
    page.reload()
    expect(grip).to_have_attribute("aria-expanded", "false")  # remembered

    before = len(anna.cells(round_, slide)["cell"])

    def is_labelled() -> bool:
        page.mouse.click(195, 300)  # before the slide is open a click does nothing; on the cell it selects
        settle(page)
        return len(anna.cells(round_, slide)["cell"]) == before + 1

    until(is_labelled)
    box = grip.bounding_box()
    assert box is not None
    page.mouse.move(195, box["y"] + 8)
    page.mouse.down()
    page.mouse.move(195, 130, steps=4)
    page.mouse.up()
    until(lambda: _share(page, panel) > 0.8)
    grip.press("ArrowDown")
    until(lambda: _share(page, panel) < 0.45)


def test_tools_and_bar_fold_into_a_button_each(clinic: Clinic) -> None:
    anna = clinic.person("Anna")
    round_ = clinic.round("phone", "unstated", anna)
    page = clinic.page(anna, f"/round/{round_}/slide/{clinic.slide['id']}")
    size_to(page, SIZES["phone"])
    tools = page.get_by_role("button", name="View and tools")
    expect(page.get_by_role("button", name="High-power field")).to_be_hidden()
    tools.click()
    expect(page.get_by_role("button", name="20×")).to_be_visible()
    page.get_by_role("button", name="High-power field").click()
    expect(page.get_by_role("region", name="High-power field")).to_be_visible()
    expect(tools).to_have_attribute("aria-expanded", "false")
    expect(page.get_by_role("button", name="20×")).to_be_hidden()
    menu = page.get_by_role("button", name="Menu")
    menu.click()
    page.get_by_role("button", name="High contrast").click()
    expect(page.locator("html")).to_have_attribute("data-contrast", "more")
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-contrast", "more")
    menu.click()
    expect(page.get_by_role("button", name="High contrast")).to_be_visible()
    until(lambda: _is_put_away(page))


def _is_put_away(page: Page) -> bool:
    """Press Escape, which first ends a tool that is open, and say whether the menu has gone."""
    page.keyboard.press("Escape")
    return not page.get_by_role("button", name="High contrast").is_visible()
