"""The crowd: a test on gold tiles, boxes, yes and no."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .making import Clinic, all_sent, settle, shoot, until
from .rates import pace


def _draw(page: Page, x: float, y: float, side: float = 60) -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x + side, box["y"] + y + side, steps=5)
    page.mouse.up()


def test_boxes_are_drawn_after_a_test_on_gold_tiles(clinic: Clinic) -> None:
    worker = clinic.person("Worker", kind="crowd")
    round_ = clinic.round(
        "boxes", "crowd boxes", worker, settings={"gold_needed": 1, "pass_mark": 0.5, "minimum_reviewers": 1}
    )
    slide = clinic.slide["id"]
    gold = [{"slide": slide, "x": 0, "y": 0, "boxes": []}]
    tiles = [{"slide": slide, "x": 400, "y": 400}, {"slide": slide, "x": 700, "y": 500}]
    clinic.lead.post(f"/api/rounds/{round_}/tiles", tiles=tiles, gold=gold, side=400)
    page = clinic.page(worker, f"/round/{round_}")
    expect(page.get_by_text("Test: 0 of 1")).to_be_visible()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Qualified.")).to_be_visible()
    settle(page)
    _draw(page, 400, 300)
    _draw(page, 600, 200)
    expect(page.get_by_text("2 boxes")).to_be_visible()
    shoot(page, "crowd-boxes")
    page.keyboard.press("Delete")
    expect(page.get_by_text("1 box")).to_be_visible()
    with pace("crowd, box drawn and tile done", 1):
        _draw(page, 600, 320)
        page.keyboard.press("Delete")
        page.keyboard.press("Enter")
        expect(page.locator(".progress")).to_contain_text("2 of 3")
    page.keyboard.press("Enter")
    expect(page.get_by_text("You have answered all tiles.")).to_be_visible()
    all_sent(page)
    listing = clinic.lead.get(f"/api/rounds/{round_}/tiles")
    assert sorted(len(tile["boxes"]) for tile in listing["tiles"]) == [0, 0, 1]


def test_tiles_are_answered_by_yes_and_no(clinic: Clinic) -> None:
    worker = clinic.person("Worker", kind="crowd")
    round_ = clinic.round("yes or no", "crowd tiles", worker)
    clinic.lead.post(f"/api/rounds/{round_}/tiles", propose={"slide": clinic.slide["id"], "n": 3}, side=250)
    page = clinic.page(worker, f"/round/{round_}")
    expect(page.locator(".progress")).to_contain_text("0 of")
    settle(page)
    shoot(page, "crowd-yes-no")
    total = int(page.locator(".progress").inner_text().split(" of ")[1].split()[0])
    with pace("crowd, yes or no, tiles", total) as done:
        for at in range(total):
            expect(page.locator(".progress")).to_contain_text(f"{at} of")
            page.keyboard.press("yn"[at % 2])
        expect(page.get_by_text("You have answered all tiles.")).to_be_visible()
    assert done.per_minute > 10
    until(
        lambda: all(
            tile["reviewers"] == 1 for tile in clinic.lead.get(f"/api/rounds/{round_}/tiles")["tiles"]
        )
    )
