"""The board: crops side by side, a lasso, a class, and the list of what has changed."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from .making import Clinic, all_sent, settle, shoot, until
from .rates import pace
from .seeding import label_all


def test_cells_are_reclassed_on_the_board_and_sent_to_the_second_rater(clinic: Clinic, slides: Path) -> None:
    anna = clinic.person("Anna")
    first = label_all(clinic, anna, slides, n=24)
    cells = anna.cells(first, clinic.slide["id"])["cell"]
    name = f"board {anna.name}"
    places = {"x": [at % 6 for at in range(len(cells))], "y": [at // 6 for at in range(len(cells))]}
    made = clinic.lead.post("/api/boards", name=name, cells=cells, raters=[clinic.lead.id], **places)
    page = clinic.page(clinic.lead, f"/round/{made['round']}")
    until(lambda: clinic.lead.get(f"/api/boards/{made['board']}")["state"] == "ready", seconds=40)
    expect(page.get_by_text("alike ones side by side")).to_be_visible()
    settle(page)
    page.keyboard.press("l")
    box = page.locator(".stage").bounding_box()
    assert box is not None
    x, y, width, height = box["x"] + 80, box["y"] + 60, box["width"] - 160, box["height"] - 120
    page.mouse.move(x, y)
    page.mouse.down()
    for dx, dy in ((width, 0), (width, height), (0, height), (0, 10)):
        page.mouse.move(x + dx, y + dy, steps=4)
    page.mouse.up()
    expect(page.get_by_text("cells selected")).not_to_have_text("0 cells selected")
    with pace("board, a lasso and a key", len(cells)):
        page.keyboard.press("2")
        all_sent(page)
    settle(page)
    shoot(page, "board")
    changed = clinic.lead.get(f"/api/boards/{made['board']}/changed")["cells"]
    assert len(changed) > 0
    assert {one["now"] for one in changed} == {clinic.look_alike}
    expect(page.get_by_text(f"Changed: {len(changed)}")).to_be_visible()
    page.get_by_label("Second rater").select_option(label=anna.name)
    page.get_by_role("button", name="Send the changed cells").click()
    expect(page.get_by_text("wait for their second read")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Control+z")
    expect(page.get_by_text(f"Changed: {len(changed) - 1}")).to_be_visible()
