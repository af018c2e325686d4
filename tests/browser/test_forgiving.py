"""Labelling forgives: next class and selected cell are apart, nothing counts by mistake, all is undone."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, Route, expect

from .making import AWAY, Clinic, Person, all_sent, click, heard, settle, shoot, until

SLIDE = "breast-05.tiff"


def _free(clinic: Clinic) -> tuple[Page, Person, int]:
    """Return a page on a slide on which only the rater's own cells are shown, all of it one field."""
    rater = clinic.person("Anna")
    round_ = clinic.round("free", "screening", rater, settings={"field_um": [320, 240]})
    page = clinic.page(rater, f"/round/{round_}/slide/{clinic.slides[SLIDE]['id']}")
    expect(page.locator(".panel")).to_contain_text("Field 1, 100 % shown")
    return page, rater, round_


def _labels(clinic: Clinic, rater: Person, round_: int) -> list[int]:
    """Return the classes of the rater's cells from left to right."""
    cells = rater.cells(round_, clinic.slides[SLIDE]["id"])
    return [label for _, label in sorted(zip(cells["x"], cells["label"], strict=True))]


def _pressed(page: Page, legend: str) -> str:
    return str(page.get_by_role("group", name=legend).locator("[aria-pressed=true]").inner_text())


def test_a_key_is_about_the_next_click_unless_a_cell_was_selected_and_the_page_says_which(
    clinic: Clinic,
) -> None:
    page, rater, round_ = _free(clinic)
    hint = page.locator(".hint")
    expect(hint).to_contain_text("Click: new mitotic figure")
    click(page, 400, 300)
    page.keyboard.press("2")
    assert "look-alike" in _pressed(page, "Class of the next click")
    expect(hint).to_contain_text("Click: new look-alike")
    all_sent(page)
    until(lambda: _labels(clinic, rater, round_) == [clinic.figure])
    page.wait_for_timeout(500)  # else it is a double click
    click(page, 400, 300)
    expect(hint).to_contain_text("class of the selected cell")
    assert page.get_by_role("group", name="Class of the next click").locator("kbd").count() == 0
    shoot(page, "selected-cell")
    page.keyboard.press("2")
    all_sent(page)
    until(lambda: _labels(clinic, rater, round_) == [clinic.look_alike])
    page.keyboard.press("1")
    assert "look-alike" in _pressed(page, "Class of the next click"), "the next click's stays as it is"
    page.keyboard.press("Escape")
    expect(hint).to_contain_text("Click: new look-alike")
    all_sent(page)
    until(lambda: _labels(clinic, rater, round_) == [clinic.figure])
    for title in ("look-alike → mitotic figure", "mitotic figure → look-alike"):
        page.keyboard.press("Control+z")
        expect(page.locator(".toast").last).to_contain_text(f"Undone: Label: {title}.")


def test_a_double_click_makes_one_cell_and_selects_nothing(clinic: Clinic) -> None:
    page, rater, round_ = _free(clinic)
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.dblclick(box["x"] + 500, box["y"] + 300)
    page.keyboard.press("2")
    all_sent(page)
    expect(page.locator(".hint")).to_contain_text("Click: new look-alike")
    until(lambda: _labels(clinic, rater, round_) == [clinic.figure])


def test_a_drag_pans_and_moves_a_cell_only_with_alt(clinic: Clinic) -> None:
    page, rater, round_ = _free(clinic)
    slide = clinic.slides[SLIDE]["id"]
    click(page, 600, 300)
    page.wait_for_timeout(500)
    click(page, 600, 300)
    all_sent(page)
    box = page.locator(".stage").bounding_box()
    assert box is not None

    def drag(x: float, y: float) -> None:
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.down()
        page.mouse.move(box["x"] + x - 80, box["y"] + y - 60, steps=6)
        page.mouse.up()

    before = rater.cells(round_, slide)
    drag(600, 300)
    settle(page)
    all_sent(page)
    assert rater.cells(round_, slide)["version"] == before["version"], "the selected cell stays where it is"
    page.keyboard.down("Alt")
    drag(520, 240)
    page.keyboard.up("Alt")
    all_sent(page)
    moved = until(lambda: (now := rater.cells(round_, slide))["x"] != before["x"] and now)
    assert len(moved["cell"]) == 1
    assert moved["x"][0] == pytest.approx(before["x"][0] - 160, abs=4)  # 80 px at 20x are 160 px0


def test_nothing_is_labelled_far_out_without_a_question(clinic: Clinic) -> None:
    page, rater, round_ = _free(clinic)
    for _ in range(4):
        page.keyboard.press("-")
    settle(page)
    shown = page.locator(".corner b").inner_text()
    assert float(shown.rstrip("×")) < 10
    question = page.get_by_role("dialog")
    click(page, 540, 340)
    expect(question).to_contain_text(f"Label at {shown}?")
    shoot(page, "too-small")
    page.keyboard.press("Escape")
    expect(question).to_have_count(0)
    assert _labels(clinic, rater, round_) == []
    click(page, 540, 340)
    question.get_by_role("button", name="Look closer").click()
    expect(page.get_by_role("button", name="20×")).to_have_attribute("aria-pressed", "true")
    settle(page)
    assert _labels(clinic, rater, round_) == []
    click(page, 540, 340)
    expect(question).to_have_count(0)
    all_sent(page)
    until(lambda: _labels(clinic, rater, round_) == [clinic.figure])
    for _ in range(3):
        page.keyboard.press("-")
    settle(page)
    click(page, 500, 320)
    question.get_by_role("button", name="Label anyway").click()
    click(page, 580, 320)
    all_sent(page)
    until(
        lambda: _labels(clinic, rater, round_) == [clinic.figure] * 3
    )  # who has answered is not asked again


def _screening(clinic: Clinic, *, field_um: list[int], viewport: dict[str, int] | None = None) -> Page:
    rater = clinic.person("Anna")
    round_ = clinic.round("screening", "screening", rater, settings={"field_um": field_um})
    page = clinic.page(rater, "/")
    if viewport is not None:
        page.set_viewport_size(viewport)  # type: ignore[arg-type]
    page.goto(f"{clinic.server.address}/#/round/{round_}/slide/{clinic.slides[SLIDE]['id']}")
    expect(page.locator(".panel")).to_contain_text("Field 1, 100 % shown")
    return page


@pytest.mark.parametrize("viewport", [{"width": 1366, "height": 768}, {"width": 3840, "height": 2160}])
def test_the_magnification_is_the_raters_on_every_screen_and_field(
    clinic: Clinic, viewport: dict[str, int]
) -> None:
    page = _screening(clinic, field_um=[120, 80], viewport=viewport)
    power = page.locator(".corner b")
    expect(power).to_have_text("20×")
    page.get_by_role("button", name="40×").click()
    expect(power).to_have_text("40×")
    page.keyboard.press("n")
    expect(page.locator(".panel")).to_contain_text("Field 2, 100 % shown")
    expect(power).to_have_text("40×")
    for _ in range(6):  # a look from afar is none to work at
        page.keyboard.press("-")
    settle(page)
    assert float(power.inner_text().rstrip("×")) < 10
    page.keyboard.press("n")
    expect(page.locator(".panel")).to_contain_text("Field 3, 100 % shown")
    expect(power).to_have_text("40×")


def test_a_field_seen_is_taken_back_and_done_again(clinic: Clinic) -> None:
    page = _screening(clinic, field_um=[160, 110])
    fields, panel = page.locator(".progress"), page.locator(".panel")
    page.keyboard.press("n")
    expect(fields).to_contain_text("1 of")
    page.keyboard.press("Control+z")
    expect(page.locator(".toast").last).to_contain_text("Undone: Field 1 seen.")
    expect(fields).to_contain_text("0 of")
    expect(panel).to_contain_text("Field 1, ")
    all_sent(page)
    page.reload()
    expect(fields).to_contain_text("0 of")
    page.keyboard.press("Control+z")
    expect(page.locator(".toast").last).to_contain_text("There is nothing to undo here.")
    expect(panel).to_contain_text("Field 1, 100 % shown")
    page.keyboard.press("n")
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+y")
    expect(page.locator(".toast").last).to_contain_text("Done again: Field 1 seen.")
    expect(fields).to_contain_text("1 of")
    expect(panel).to_contain_text("Field 2, ")
    all_sent(page)


def test_a_field_larger_than_the_view_is_gone_through_part_by_part(clinic: Clinic) -> None:
    page = _screening(clinic, field_um=[320, 240])
    panel = page.locator(".panel")
    page.get_by_role("button", name="60×").click()
    settle(page)
    page.keyboard.press("p")  # the field anew, nothing of it was shown
    parts = 0
    while "0 of" in page.locator(".progress").inner_text():
        settle(page)
        shown = panel.get_by_text("% shown").inner_text()
        page.keyboard.press("n")
        parts += 1
        expect(panel.get_by_text(shown, exact=True)).to_have_count(0)
        assert parts < 12
    assert parts > 2
    expect(page.locator(".toast").first).to_contain_text("This is the next part.")


def test_a_field_does_not_count_while_its_pixels_are_missing_and_n_says_why(clinic: Clinic) -> None:
    clinic.foresee(*AWAY)
    rater = clinic.person("Anna")
    round_ = clinic.round("screening", "screening", rater, settings={"field_um": [160, 110]})
    page = clinic.page(rater)
    tiles = "**/tiles/**"
    page.route(tiles, lambda route: route.abort())
    page.goto(f"{clinic.server.address}/#/round/{round_}/slide/{clinic.slide['id']}")
    fields, said = page.locator(".progress"), page.locator(".toast").last
    expect(fields).to_contain_text("0 of")
    expect(page.locator(".trouble")).to_contain_text("The server does not answer.")
    page.keyboard.press("n")
    expect(said).to_contain_text("Field 1 does not count as seen yet. The server does not answer.")
    expect(fields).to_contain_text("0 of")
    shoot(page, "field-not-shown")
    page.unroute(tiles)
    expect(page.locator(".panel")).to_contain_text("Field 1, 100 % shown")
    expect(page.locator(".trouble")).to_have_count(0)
    page.keyboard.press("n")
    expect(fields).to_contain_text("1 of")


def test_a_field_does_not_count_while_its_pixels_are_on_their_way(clinic: Clinic) -> None:
    rater = clinic.person("Anna")
    round_ = clinic.round("screening", "screening", rater, settings={"field_um": [160, 110]})
    page = clinic.page(rater)
    held: list[Route] = []
    is_slow = [True]
    page.route("**/tiles/**", lambda route: held.append(route) if is_slow[0] else route.continue_())
    page.goto(f"{clinic.server.address}/#/round/{round_}/slide/{clinic.slide['id']}")
    expect(page.locator(".progress")).to_contain_text("0 of")
    heard(page, held)
    page.keyboard.press("n")
    expect(page.locator(".toast").last).to_contain_text("its pixels are still on their way")
    page.keyboard.press("Shift+N")
    expect(page.locator(".panel")).to_contain_text("Field 2, 0 % shown")
    expect(page.locator(".progress")).to_contain_text("0 of")
    is_slow[0] = False
    for route in held:
        route.continue_()
    expect(page.locator(".panel")).to_contain_text("Field 2, 100 % shown")
