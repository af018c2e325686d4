"""The crowd: a test on gold tiles, boxes, yes and no."""

from __future__ import annotations

from playwright.sync_api import Page, expect

from .making import Clinic, all_sent, settle, shoot, until
from .rates import pace
from .test_access import AXE, CHECK


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


def test_the_lead_makes_tiles_gold_and_rules_and_sees_who_is_right(clinic: Clinic) -> None:
    workers = [clinic.person(f"Worker {one}", kind="crowd") for one in range(2)]
    expert = clinic.person("Expert")
    round_ = clinic.round("on the page", "crowd boxes", *workers, slides=[clinic.slide["id"]])
    path = f"/api/rounds/{round_}/tiles"
    page = clinic.page(clinic.lead, "/study/rounds")
    name = next(one["name"] for one in clinic.lead.get("/api/rounds")["rounds"] if one["id"] == round_)
    row = page.get_by_role("region", name=name, exact=True)
    row.get_by_role("button", name="Tiles").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Side, px").first.fill("200")
    dialog.get_by_label("Tiles", exact=True).fill("6")
    dialog.get_by_role("button", name="Add", exact=True).click()
    expect(dialog.get_by_text("6 tiles, 0 of them gold")).to_be_visible()
    dialog.get_by_label("Answers a tile").fill("2")
    dialog.get_by_label("Gold in the test").fill("1")
    dialog.get_by_label("A box counts where").select_option("majority")
    dialog.get_by_role("button", name="Save").click()
    expect(page.get_by_text("The rules hold from now on")).to_be_visible()
    # A gold tile is made by answering it: nothing is to be seen on the first, a box is drawn on the second.
    dialog.get_by_role("button", name="Answer tiles as gold").click()
    expect(page.locator(".progress")).to_contain_text("0 of 6")
    page.get_by_role("button", name="Nothing here, next").click()
    expect(page.locator(".progress")).to_contain_text("1 of 6")
    page.get_by_role("button", name="Another tile").click()
    settle(page)
    shoot(page, "crowd-gold")
    page.get_by_role("link", name="Back to the rounds").click()
    gold = [one for one in clinic.lead.get(path)["tiles"] if one["is_gold"]]
    assert [one["gold_has_figure"] for one in gold] == [False]
    # Both see a figure on the first of the others, one on the second.
    plain = sorted(one["id"] for one in clinic.lead.get(path)["tiles"] if not one["is_gold"])
    for number, worker in enumerate(workers):
        while tile := worker.get(f"{path}/next")["tile"]:
            place = plain.index(tile["id"]) if tile["id"] in plain else 9
            boxes = [[tile["x"] + 50, tile["y"] + 50, 50, 50]] if place < 2 - number else []
            worker.post(f"{path}/{tile['id']}/answer", boxes=boxes)
    row.get_by_role("button", name="Tiles").click()
    expect(dialog.get_by_text("6 of them by enough: 1 with a figure")).to_be_visible()
    dialog.get_by_role("button", name="Merge the boxes into cells").click()
    expect(page.get_by_text("1 new cell is in the study")).to_be_visible()
    with page.expect_download() as download:
        dialog.get_by_role("link", name="Tiles as CSV").click()
    assert len(download.value.path().read_text().splitlines()) == 7
    shoot(page, "crowd-lead")
    page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(CHECK) == []
    dialog.get_by_role("checkbox", name=expert.name).check()
    dialog.get_by_role("button", name="Ask the experts").click()
    expect(dialog.get_by_text("0 of 1 boxes read")).to_be_visible()
    dialog.get_by_role("heading", name="Confirmed by experts").scroll_into_view_if_needed()
    shoot(page, "crowd-lead-confirm")
    page.goto(f"{clinic.server.address}/#/study/agreement")
    table = page.get_by_role("row").filter(has_text=workers[0].name)
    expect(table).to_contain_text("100 %")
    page.get_by_text("Raters as CSV").scroll_into_view_if_needed()
    shoot(page, "raters-at-work")
