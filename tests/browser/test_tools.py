"""The tools of the view: what they show, and that they leave the work on the slide alone."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import Page, Route, expect

from .making import Clinic, Person, all_sent, settle, until


def _open(clinic: Clinic, person: Person, *, name: str = "tools") -> tuple[Page, int]:
    """Open a slide for free labelling, at 20×."""
    round_ = clinic.round(name, "unstated", person)
    page = clinic.page(person, f"/round/{round_}/slide/{clinic.slide['id']}")
    settle(page)
    page.get_by_role("button", name="20×").click()
    expect(page.get_by_role("button", name="20×")).to_have_attribute("aria-pressed", "true")
    settle(page)
    return page, round_


def _drag(page: Page, *places: tuple[float, float]) -> None:
    """Drag from place to place, in CSS pixels of the view."""
    box = page.locator(".slide").first.bounding_box()
    assert box is not None
    for at, (x, y) in enumerate(places):
        page.mouse.move(box["x"] + x, box["y"] + y)
        if at == 0:
            page.mouse.down()
    page.mouse.up()


def test_lengths_and_areas_are_measured_in_units(clinic: Clinic) -> None:
    page, round_ = _open(clinic, clinic.lead)
    known = clinic.lead.cells(round_, clinic.slide["id"])["cell"]
    page.keyboard.press("Shift+L")
    face = page.get_by_role("region", name="Measure a length")
    _drag(page, (400, 300), (500, 300), (600, 300))  # 20×: half a µm a CSS pixel
    expect(face.get_by_role("listitem")).to_have_text(["100 µm"])
    for x, y in ((400, 400), (430, 440)):
        _drag(page, (x, y))
    expect(face.get_by_role("listitem")).to_have_text(["100 µm", "25.0 µm"])
    page.keyboard.press("Shift+A")
    expect(face).to_have_count(0)
    face = page.get_by_role("region", name="Measure an area")
    for x, y in ((400, 300), (500, 300), (500, 400)):
        _drag(page, (x, y))
        page.wait_for_timeout(350)  # two clicks at once are a double click
    page.keyboard.press("Enter")
    expect(face.get_by_role("listitem").last).to_have_text("0.00125 mm², perimeter 171 µm")
    page.keyboard.press("Shift+G")
    page.keyboard.press("Shift+F")
    page.get_by_label("Field number").fill("22")
    expect(page.get_by_role("region", name="High-power field")).to_contain_text("0.238 mm²")
    face.get_by_role("button", name="Clear").click()
    expect(face.get_by_role("listitem")).to_have_count(0)
    page.keyboard.press("Escape")
    expect(face).to_have_count(0)
    assert clinic.lead.cells(round_, clinic.slide["id"])["cell"] == known, "a measure made a cell"


def test_without_a_resolution_nothing_is_measured(clinic: Clinic) -> None:
    def forget(route: Route) -> None:
        me = route.fetch().json()
        for slide in me["slides"]:
            slide.update(mpp=None, mpp_x=None, mpp_y=None)
        route.fulfill(body=json.dumps(me), content_type="application/json")

    round_ = clinic.round("tools", "unstated", clinic.lead)
    page = clinic.page(clinic.lead)
    page.route("**/api/me", forget)
    page.goto(f"{clinic.server.address}/#/round/{round_}/slide/{clinic.slide['id']}")
    page.reload()
    settle(page)
    for key in ("Shift+L", "Shift+A", "Shift+G", "Shift+F"):
        page.keyboard.press(key)
        expect(page.get_by_role("status")).to_contain_text("Nobody has said how large a pixel")
        page.get_by_role("button", name="Dismiss").click()
    expect(page.locator(".face")).to_have_count(0)


def _pink(page: Page) -> float:
    """Return by how much the view is more red than green, on average."""
    with Image.open(io.BytesIO(page.locator(".slide").screenshot())) as shot:
        red, green, _ = np.asarray(shot.convert("RGB"), np.float64).mean(axis=(0, 1))
    return float(red - green)


def test_looks_change_what_is_seen_and_ask_for_no_tile_again(clinic: Clinic) -> None:
    page, _ = _open(clinic, clinic.lead)
    stained = _pink(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.keyboard.press("Shift+H")
    expect(page.get_by_role("button", name="Haematoxylin only", exact=True)).to_have_attribute(
        "aria-pressed", "true"
    )
    settle(page)
    assert _pink(page) < 0.5 * stained
    page.keyboard.press("Shift+B")
    page.get_by_label("Brightness").last.fill("0.9")
    settle(page)
    assert abs(_pink(page)) < 0.15 * stained, "it is not all white"
    assert [url for url in asked if "/tiles/" in url] == []
    page.reload()
    settle(page)
    assert abs(_pink(page)) < 0.15 * stained, "the look was forgotten"
    page.get_by_role("button", name="Haematoxylin only, adjusted").click()
    expect(page.locator(".look")).to_have_count(0)
    settle(page)
    page.keyboard.press("Shift+M")
    box = page.locator(".slide").bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 400, box["y"] + 300)
    page.mouse.move(box["x"] + 402, box["y"] + 300)
    expect(page.locator(".loupe canvas").first).to_be_visible()
    page.keyboard.press("Shift+M")
    expect(page.locator(".loupe")).to_have_count(0)


def test_cells_are_listed_gone_to_and_remarked_on(clinic: Clinic, slides: Path) -> None:
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    round_ = clinic.round("list", "unstated", anna, bert)
    slide = clinic.slide["id"]
    places = ((407, 303, clinic.figure), (907, 703, clinic.look_alike), (707, 203, clinic.figure))
    made = [
        anna.act(round_, kind="create", slide=slide, x=x, y=y, label=label)["cell"] for x, y, label in places
    ]
    page = clinic.page(anna, f"/round/{round_}/slide/{slide}")
    settle(page)
    page.keyboard.press("Shift+C")
    rows = page.locator(".cell-row")
    page.get_by_label("Search the cells").fill(anna.name)
    expect(rows).to_have_count(3)
    page.get_by_label("Search the cells").fill(f"mitotic {anna.name}")
    expect(rows).to_have_count(2)
    page.get_by_label("Search the cells").fill(anna.name)
    rows.last.click()  # by place: the look-alike lies lowest
    expect(page.get_by_role("button", name="40×")).to_have_attribute("aria-pressed", "true")
    page.mouse.move(2, 2)
    expect(page.locator(".corner .place")).to_contain_text("907, 703")
    page.keyboard.press("Shift+T")
    page.get_by_label("Your comment").fill("pyknotic, next to the vessel")
    page.keyboard.press("Enter")
    page.get_by_label("with a comment").check()
    expect(rows).to_have_text(["look-alikepyknotic, next to the vessel"])
    all_sent(page)
    page.get_by_label("with a comment").uncheck()
    page.get_by_role("checkbox", name="look-alike").uncheck()
    expect(rows).to_have_count(2)

    # A second reader sees neither the comment nor a class, nor a list out of the reading order.
    reading = clinic.round("second", "second read", bert, cells=made)
    other = clinic.page(bert, f"/round/{round_}/slide/{slide}")
    settle(other)
    other.keyboard.press("Shift+C")
    other.locator(".dock").get_by_label("Class").select_option("without class")
    for x, y, _ in places:
        expect(other.locator(".cell-row", has_text=f"{x}, {y}")).to_contain_text("without class")
    expect(other.locator(".dock")).not_to_contain_text("pyknotic")
    expect(other.locator(".dock")).not_to_contain_text(anna.name)
    other.goto(f"{clinic.server.address}/#/round/{reading}")
    expect(other.locator(".closeup")).to_be_visible()
    expect(other.get_by_role("button", name="List of cells")).to_have_count(0)
    expect(other.get_by_role("button", name="Comment on the cell")).to_be_visible()
    other.keyboard.press("Shift+T")
    other.get_by_label("Your comment").fill("smudged")
    other.keyboard.press("Enter")

    def says(*texts: str) -> bool:
        said = bert.get(f"/api/rounds/{reading}/slides/{slide}/comments")["comments"]
        return [one["text"] for one in said] == list(texts)

    until(lambda: says("smudged"))
    other.keyboard.press("Control+z")
    expect(other.get_by_label("Your comment")).to_have_value("")
    until(lambda: says())
    other.keyboard.press("Control+Shift+z")
    expect(other.get_by_label("Your comment")).to_have_value("smudged")
    until(lambda: says("smudged"))


def _place(page: Page) -> str:
    page.mouse.move(2, 2)
    return page.locator(".corner .place").inner_text()


def test_links_open_where_the_visitor_may_see_it_and_else_say_so(clinic: Clinic) -> None:
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    page, round_ = _open(clinic, anna, name="links")
    slide = clinic.slide["id"]
    cell = anna.act(round_, kind="create", slide=slide, x=300, y=200, label=clinic.figure)["cell"]
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    _drag(page, (500, 300), (420, 350))  # from now on the view is nobody's default
    settle(page)
    seen = _place(page)
    page.keyboard.press("Shift+K")
    expect(page.get_by_role("status")).to_contain_text("Link to this view copied")
    link = page.evaluate("navigator.clipboard.readText()")
    address = f"{clinic.server.address}/#/round/{round_}/slide/{slide}"
    assert link.startswith(f"{address}/at/")

    # The address follows the view: back from elsewhere is back to the same place.
    expect(page).to_have_url(link)
    page.get_by_role("link", name="mitoscope").click()
    expect(page.locator("h1")).to_have_text("My work")
    page.go_back()
    settle(page)
    assert _place(page) == seen
    page.go_forward()
    expect(page.locator("h1")).to_have_text("My work")
    page.goto(f"{address}/cell/{cell}")
    expect(page.get_by_role("button", name="40×")).to_have_attribute("aria-pressed", "true")
    assert "300, 200" in _place(page)
    expect(page.get_by_role("button", name="Delete")).to_be_enabled()  # it is selected
    page.goto(f"{address}/cell/{cell + 1}")
    expect(page.get_by_role("status")).to_contain_text("is not there, or you may not see it")
    clinic.foresee("404")

    other = clinic.page(bert, link.split("#")[1])
    expect(other.get_by_role("heading")).to_have_text("There is nothing here for you.")
    own = clinic.round("own", "unstated", bert)
    other.reload()
    expect(other.get_by_role("heading")).to_have_text("This link leads to work that is not yours.")
    other.get_by_role("link", name="The slide, with its regions").click()
    settle(other)
    assert _place(other) == seen
    other.goto(f"{address}/cell/{cell}")
    other.reload()
    other.locator(f"a[href='#/round/{own}/slide/{slide}/cell/{cell}']").click()
    settle(other)
    assert "300, 200" in _place(other)


def test_a_second_slide_moves_along_and_a_right_click_asks(clinic: Clinic) -> None:
    page, _ = _open(clinic, clinic.lead)
    page.keyboard.press("Shift+S")
    second = page.get_by_role("region", name="Second slide")
    second.get_by_label("Slide beside").select_option(label="breast-04.tiff")
    settle(page, seconds=0.6)
    glass = second.locator(".slide")

    def moved() -> bool:
        before = glass.screenshot()
        _drag(page, (150, 400), (210, 360), (230, 420))
        settle(page, seconds=0.6)
        return glass.screenshot() != before

    assert moved(), "it does not move along"
    second.get_by_role("button", name="Move both together").click()
    assert not moved(), "it was let loose"
    page.keyboard.press("Shift+S")
    expect(second).to_have_count(0)
    page.locator(".slide").first.click(button="right", position={"x": 500, "y": 300})
    expect(page.get_by_role("menuitem").first).to_be_focused()
    page.get_by_role("menuitem", name="Measure a length").click()
    expect(page.get_by_role("region", name="Measure a length")).to_be_visible()


def test_fingers_pinch_tap_and_press_long(clinic: Clinic) -> None:
    round_ = clinic.round("touch", "unstated", clinic.lead)
    context = clinic.context(has_touch=True)
    context.add_cookies(clinic.lead.cookies())
    page = context.new_page()
    slide = clinic.slide["id"]
    page.goto(f"{clinic.server.address}/#/round/{round_}/slide/{slide}")
    settle(page)
    session = context.new_cdp_session(page)
    box = page.locator(".slide").bounding_box()
    assert box is not None
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2

    def touch(kind: str, *places: tuple[float, float]) -> None:
        points = [{"x": at_x, "y": at_y, "id": number} for number, (at_x, at_y) in enumerate(places)]
        session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    def size() -> str:
        return page.locator(".corner .place b").inner_text()

    def made() -> set[int]:
        return set(clinic.lead.cells(round_, slide)["cell"]) - known

    known = set(clinic.lead.cells(round_, slide)["cell"])
    before = size()
    touch("touchStart", (x - 40, y), (x + 40, y))
    for far in range(50, 160, 10):
        touch("touchMove", (x - far, y), (x + far, y))
    touch("touchEnd")
    expect(page.locator(".corner .place b")).not_to_have_text(before)
    settle(page)
    assert made() == set(), "a pinch made a cell"
    touch("touchStart", (x, y))
    expect(page.get_by_role("menu")).to_be_visible()
    touch("touchEnd")
    page.keyboard.press("Escape")
    expect(page.get_by_role("menu")).to_have_count(0)
    assert made() == set(), "a long press made a cell"
    page.touchscreen.tap(x + 30, y + 20)
    until(lambda: len(made()) == 1)
