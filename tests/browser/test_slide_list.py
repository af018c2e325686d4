"""The list of slides: found by name, tag and status, page by page, also where there are thousands."""

from __future__ import annotations

import json
import re
from typing import Any

from playwright.sync_api import Route, expect

from .making import Clinic, shoot

MANY = 10_000


def test_ten_thousand_slides_are_searched_and_paged(clinic: Clinic) -> None:
    def multiply(route: Route) -> None:
        me = route.fetch().json()
        known = me["slides"][0]
        me["slides"] = [{**known, "id": at + 1, "name": f"slide {at + 1}.svs"} for at in range(MANY)]
        me["slides"][41].update(state="missing", reason="the file of this slide was not found", mpp=None)
        route.fulfill(body=json.dumps(me), content_type="application/json")

    def list_(route: Route) -> None:
        rows: list[dict[str, Any]] = [
            {"id": at + 1, "tags": [], "labelled": 0, "cells": 0, "count": None} for at in range(MANY)
        ]
        rows[8999].update(tags=["pilot"], labelled=3, cells=12, count=17)
        route.fulfill(body=json.dumps({"slides": rows}), content_type="application/json")

    clinic.foresee("404", "failed to load")  # slides that are none have no tiles
    page = clinic.page(clinic.lead)
    page.route("**/api/me", multiply)
    page.route("**/api/slides", list_)
    page.reload()
    cards = page.locator(".slide-card")
    expect(page.locator(".pager")).to_contain_text("1 to 48 of 10,000")
    expect(cards).to_have_count(48)
    expect(cards.nth(9)).to_contain_text("slide 10.svs")
    page.get_by_label("Next page").click()
    expect(cards.first).to_contain_text("slide 49.svs")
    page.get_by_label("Find slides").fill("slide 9000")
    expect(cards).to_have_count(1)
    expect(cards).to_contain_text("3 of 12 labelled")
    expect(cards).to_contain_text("Count 17, signed")
    page.get_by_label("Find slides").fill("")
    page.get_by_label("Status of slides").select_option("missing or unreadable")
    expect(cards).to_have_text(["missingslide 42.svsthe file of this slide was not found"])
    page.get_by_label("Status of slides").select_option("Status: any")
    page.get_by_label("Tag", exact=True).select_option("pilot")
    expect(cards).to_have_count(1)
    shoot(page, "slides-found")
    page.keyboard.press("Alt+h")
    page.get_by_role("banner").get_by_role("link", name="Study", exact=True).click()
    page.go_back()
    expect(cards).to_have_count(1)  # what was looked for is still there

    page.get_by_label("Find slides").focus()
    page.keyboard.press("Control+k")
    found = page.get_by_role("listbox", name="Found").get_by_role("option")
    page.keyboard.type("high contr")
    expect(found).to_have_text([re.compile("High contrast, on or off")])
    page.keyboard.press("Enter")
    expect(page.locator("html")).to_have_attribute("data-contrast", "more")
    expect(page.get_by_role("dialog")).to_have_count(0)
    page.keyboard.press("Control+k")
    page.keyboard.type("slide 900")
    expect(found).to_have_count(20)
    expect(found.nth(1)).to_contain_text("slide 9000.svs")
    page.keyboard.press("ArrowDown")
    expect(found.nth(1)).to_have_attribute("aria-selected", "true")
    shoot(page, "palette")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(r"#/regions/9000"))


def test_the_lead_tags_slides_and_raters_see_it(clinic: Clinic) -> None:
    page = clinic.page(clinic.lead)
    page.get_by_role("button", name="Tags of breast-02.tiff").click()
    page.get_by_label("Tags, separated by commas").fill("pilot, grade 2")
    page.keyboard.press("Enter")
    card = page.locator(".slide-card", has_text="breast-02.tiff")
    expect(card.locator(".tag")).to_have_text(["grade 2", "pilot"])
    anna = clinic.person("Anna")
    clinic.round("own", "unstated", anna)
    other = clinic.page(anna)
    expect(other.locator(".slide-card", has_text="breast-02.tiff").locator(".tag")).to_have_count(2)
    expect(other.get_by_role("button", name="Tags of breast-02.tiff")).to_have_count(0)
    card.get_by_role("button", name="pilot").click()
    expect(page.locator(".slide-card")).to_have_count(1)
