"""Regions with their area, drawn, edited, subtracted and brought back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import tifffile
from playwright.sync_api import Page, expect

from .making import Clinic, settle, shoot


def _corners(page: Page, *places: tuple[float, float]) -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    for x, y in places:
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(80)


def test_tumour_less_an_exclusion_has_its_area(clinic: Clinic) -> None:
    slide = clinic.slide
    page = clinic.page(clinic.lead, f"/regions/{slide['id']}")
    settle(page)
    page.keyboard.press("t")
    _corners(page, (0.25, 0.2), (0.7, 0.2), (0.7, 0.8), (0.25, 0.8))
    expect(page.get_by_text("mm² in this polygon")).to_be_visible()
    shoot(page, "region-drawing")
    page.keyboard.press("Enter")
    expect(page.locator(".swatch.tumour")).to_have_count(1)
    listing = f"/api/slides/{slide['id']}/regions"
    tumour = clinic.lead.get(listing)["area_mm2"]
    page.keyboard.press("e")
    _corners(page, (0.4, 0.35), (0.55, 0.35), (0.55, 0.6), (0.4, 0.6))
    page.keyboard.press("Enter")
    expect(page.locator(".swatch.exclusion")).to_have_count(1)
    net = clinic.lead.get(listing)["area_mm2"]
    assert 0 < net < tumour
    expect(page.locator(".figure").first).to_contain_text(f"{net:.2f}")
    settle(page)
    shoot(page, "regions")
    page.get_by_label("Delete exclusion").click()
    expect(page.locator(".swatch.exclusion")).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.locator(".swatch.exclusion")).to_have_count(1)
    for name in ("exclusion", "tumour"):
        page.get_by_label(f"Delete {name}").click()
    expect(page.get_by_text(re.compile("Nothing is drawn yet"))).to_be_visible()


def test_a_region_of_interest_is_placed_and_comes_as_a_tiff_with_its_resolution(
    frail: Clinic, tmp_path: Path
) -> None:
    slide = frail.slides["large.tiff"]
    page = frail.page(frail.lead, f"/regions/{slide['id']}")
    settle(page)
    page.get_by_role("button", name="Place").click()
    settle(page)
    shoot(page, "interest")
    page.get_by_role("button", name="Save", exact=True).click()
    link = page.get_by_role("link", name="TIFF")
    with page.expect_download() as download:
        link.click()
    path = tmp_path / "interest.tiff"
    download.value.save_as(path)
    assert download.value.suggested_filename.startswith("large_")
    with tifffile.TiffFile(path) as file:
        tags, shape = file.pages.first.tags, file.pages.first.shape
        assert shape[0] * shape[1] / 1e6 == pytest.approx(2.0, rel=0.002)  # at 1 µm/px, in mm²
        assert shape[1] / shape[0] == pytest.approx(4 / 3, rel=0.002)
        assert tags["ResolutionUnit"].value == tifffile.RESUNIT.CENTIMETER
        for name in ("XResolution", "YResolution"):
            above, below = tags[name].value
            assert above / below == pytest.approx(10_000)
    page.get_by_label("Delete this region of interest").click()
    expect(link).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(page.locator(".toast").last).to_contain_text("Undone: region of interest deleted.")
    expect(link).to_have_count(1)
    page.keyboard.press("Control+z")
    expect(page.locator(".toast").last).to_contain_text("Undone: region of interest placed.")
    expect(link).to_have_count(0)


def test_all_that_is_done_to_regions_is_undone_and_said(clinic: Clinic) -> None:
    slide = clinic.slides["breast-03.tiff"]
    page = clinic.page(clinic.lead, f"/regions/{slide['id']}")
    settle(page)
    said, drawn, saved = (
        page.locator(".toast").last,
        page.locator(".figure", has_text="in this polygon"),
        page.locator(".swatch"),
    )

    def area() -> float | None:
        found: float | None = clinic.lead.get(f"/api/slides/{slide['id']}/regions")["area_mm2"]
        return found

    page.keyboard.press("t")
    _corners(page, (0.3, 0.2), (0.7, 0.2), (0.7, 0.6), (0.3, 0.6))
    square = drawn.inner_text()
    page.keyboard.press("Control+z")
    expect(drawn).not_to_have_text(square)
    page.keyboard.press("Control+y")
    expect(drawn).to_have_text(square)
    page.keyboard.press("Escape")
    expect(drawn).to_have_count(0)
    page.keyboard.press("Control+z")
    expect(said).to_contain_text("Undone: drawing dropped.")
    expect(drawn).to_have_text(square)
    page.keyboard.press("Enter")
    expect(saved).to_have_count(1)
    first = area()

    page.locator(".panel .entry").first.get_by_role("button").first.click()
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 0.3 * box["width"], box["y"] + 0.2 * box["height"])
    page.mouse.down()
    page.mouse.move(box["x"] + 0.4 * box["width"], box["y"] + 0.3 * box["height"], steps=5)
    page.mouse.up()
    expect(drawn).not_to_have_text(square)
    page.keyboard.press("Enter")
    expect(drawn).to_have_count(0)
    second = area()
    assert second is not None
    assert first is not None
    assert second < first

    page.get_by_label("Delete tumour").click()
    expect(saved).to_have_count(0)
    for title, wanted in (("tumour deleted", second), ("tumour changed", first)):
        page.keyboard.press("Control+z")
        expect(said).to_contain_text(f"Undone: {title}.")
        assert area() == pytest.approx(wanted)
    page.keyboard.press("Control+z")
    expect(said).to_contain_text("Undone: tumour drawn.")
    expect(saved).to_have_count(0)
    for title, wanted in (("tumour drawn", first), ("tumour changed", second)):
        page.keyboard.press("Control+Shift+Z")
        expect(said).to_contain_text(f"Done again: {title}.")
        assert area() == pytest.approx(wanted)
    page.get_by_label("Delete tumour").click()
    expect(saved).to_have_count(0)
