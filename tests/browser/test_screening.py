"""Screening: fields in order, clicks, keys, drags, undo; and the same place after a reload."""

from __future__ import annotations

from playwright.sync_api import Page, Route, expect

from .making import Clinic, all_sent, heard, settle, shoot, until
from .rates import pace


def _click(page: Page, x: float, y: float) -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)


def _drag(page: Page, x: float, y: float, *, key: str = "") -> None:
    box = page.locator(".stage").bounding_box()
    assert box is not None
    if key:
        page.keyboard.down(key)
    page.mouse.move(box["x"] + x, box["y"] + y)
    page.mouse.down()
    page.mouse.move(box["x"] + x + 60, box["y"] + y + 20, steps=5)
    page.mouse.up()
    if key:
        page.keyboard.up(key)


def _seen(page: Page, field: int) -> None:
    """Mark a field as seen once it was shown."""
    panel = page.locator(".panel")
    expect(panel).to_contain_text(f"Field {field}, 100 % shown")
    page.keyboard.press("n")
    expect(panel).not_to_contain_text(f"Field {field}, ")


def test_a_slide_is_screened_from_the_first_click_to_the_last_field(clinic: Clinic) -> None:
    rater = clinic.person("Anna")
    round_ = clinic.round("screening", "screening", rater, settings={"field_um": [160, 110]})
    where = f"/round/{round_}/slide/{clinic.slide['id']}"
    page = clinic.page(rater, where)
    fields = page.locator(".progress")
    expect(fields).to_contain_text("0 of")
    settle(page)
    _click(page, 400, 300)
    page.keyboard.press("2")  # the class of the next click, not of the cell just made
    _click(page, 500, 380)
    page.mouse.move(1, 1)
    all_sent(page)
    found = until(lambda: len((cells := clinic_cells(clinic, rater, round_))["label"]) == 2 and cells)
    assert _from_left(found) == [clinic.figure, clinic.look_alike]
    shoot(page, "screening")

    places = sorted(found["x"])
    _drag(page, 500, 380, key="Alt")
    until(lambda: sorted(clinic_cells(clinic, rater, round_)["x"]) != places)
    page.keyboard.press("Control+z")
    expect(page.locator(".toast")).to_contain_text("Undone: Cell moved.")
    until(lambda: sorted(clinic_cells(clinic, rater, round_)["x"]) == places)
    page.keyboard.press("Control+z")
    expect(page.locator(".toast").last).to_contain_text("Undone: New cell: look-alike.")
    until(lambda: len(clinic_cells(clinic, rater, round_)["cell"]) == 1)
    page.keyboard.press("Control+Shift+Z")
    expect(page.locator(".toast").last).to_contain_text("Done again: New cell: look-alike.")
    until(lambda: _from_left(clinic_cells(clinic, rater, round_)) == [clinic.figure, clinic.look_alike])

    _seen(page, 1)
    _seen(page, 2)
    expect(fields).to_contain_text("2 of")
    all_sent(page)
    page.reload()
    expect(page.locator(".progress")).to_contain_text("2 of")
    expect(page.locator(".panel")).to_contain_text("Field 3")
    total = int(page.locator(".progress").inner_text().split(" of ")[1].split()[0])
    for field in range(3, total):
        _seen(page, field)
    expect(page.locator(".panel")).to_contain_text(f"Field {total}, 100 % shown")
    page.keyboard.press("n")
    expect(page.locator(".good")).to_contain_text("All tissue has been seen")
    all_sent(page)
    shoot(page, "screening-done")
    page.get_by_role("button", name="Begin pass 2").click()
    expect(page.locator(".progress")).to_contain_text("0 of")


def test_cells_are_screened_by_a_click_and_a_key(clinic: Clinic) -> None:
    rater = clinic.person("Anna")
    round_ = clinic.round("screening", "screening", rater, settings={"field_um": [160, 110]})
    page = clinic.page(rater, f"/round/{round_}/slide/{clinic.slide['id']}")
    expect(page.locator(".progress")).to_contain_text("0 of")
    page.get_by_role("button", name="40×").click()
    settle(page)
    with pace("screening, a key and a click a cell", 8) as done:
        for at in range(8):
            page.keyboard.press("12"[at % 2])
            _click(page, 280 + 80 * at, 250 + 40 * (at % 2))
        page.keyboard.press("n")
        all_sent(page)
    assert sorted(clinic_cells(clinic, rater, round_)["label"]) == [1] * 4 + [2] * 4
    assert done.per_minute > 30


def _from_left(cells: dict[str, list[int]]) -> list[int]:
    return [label for _, label in sorted(zip(cells["x"], cells["label"], strict=True))]


def clinic_cells(clinic: Clinic, rater: object, round_: int) -> dict[str, list[int]]:
    """Return the cells of the slide as the server tells them to the rater."""
    found: dict[str, list[int]] = rater.cells(round_, clinic.slide["id"])  # type: ignore[attr-defined]
    return found


def test_a_pass_begins_after_the_fields_that_were_seen_before(clinic: Clinic) -> None:
    rater = clinic.person("Eva")
    round_ = clinic.round("passes", "screening", rater, settings={"field_um": [5000, 5000]})
    page = clinic.page(rater)
    held: list[Route] = []
    is_slow = [True]

    def pass_on(route: Route) -> None:
        is_visit = '"is_covered":true' in (route.request.post_data or "")
        held.append(route) if is_visit and is_slow[0] else route.continue_()

    page.route("**/screening", pass_on)
    page.goto(f"{clinic.server.address}/#/round/{round_}/slide/{clinic.slide['id']}")
    settle(page)
    _seen_all(page)
    heard(page, held)
    page.get_by_role("button", name="Begin pass 2").click()
    expect(page.locator(".unsent")).to_have_text("2 unsent")
    is_slow[0] = False
    for route in held:
        route.continue_()
    all_sent(page)
    where = f"/api/rounds/{round_}/slides/{clinic.slide['id']}/screening"
    state = rater.get(where)
    assert (state["pass"], state["covered"]) == (2, [False]), "the field was seen in the first pass"


def _seen_all(page: Page) -> None:
    """Mark the only field as seen, part by part."""
    for _ in range(20):
        page.keyboard.press("n")
        page.wait_for_timeout(200)
        if page.get_by_text("All tissue has been seen.").count():
            return
    raise AssertionError("the field was not seen")
