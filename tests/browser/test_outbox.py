"""Nothing is lost: the server is killed, the tab closed, the action sent once; conflicts; unknown links."""

from __future__ import annotations

import shutil
from pathlib import Path

from playwright.sync_api import Browser, expect

from .making import Clinic, Person, Server, all_sent, settle, shoot, until
from .seeding import label_all


def test_labels_outlive_a_killed_server_and_a_closed_tab_and_arrive_once(
    tmp_path: Path, slides: Path, browser: Browser
) -> None:
    server = Server(tmp_path / "study.mito", slides)
    clinic = Clinic(server, Person(server, server.start()), browser)
    try:
        anna, bert = clinic.person("Anna"), clinic.person("Bert")
        first = label_all(clinic, anna, slides, n=6)
        cells = anna.cells(first, clinic.slide["id"])["cell"]
        round_ = clinic.round("read", "second read", bert, cells=cells)
        page = clinic.page(bert, f"/round/{round_}")
        expect(page.locator(".closeup")).to_be_visible()
        page.keyboard.press("1")
        all_sent(page)
        settle(page)
        server.kill()
        page.keyboard.press("2")
        page.keyboard.press("1")
        expect(page.locator(".notice")).to_contain_text("The server does not answer")
        expect(page.locator(".unsent")).to_have_text("2 unsent")
        shoot(page, "server-away")
        page.close()
        server.start()
        again = clinic.contexts[-1].new_page()
        again.goto(f"{server.address}/#/round/{round_}")
        all_sent(again)
        until(lambda: bert.get(f"/api/rounds/{round_}/queue")["labelled"] == 3)
        labels = [one["label"] for one in bert.get(f"/api/rounds/{round_}/done?n=50")["cells"]]
        assert sorted(labels) == sorted([clinic.figure, clinic.look_alike, clinic.figure])
        again.reload()
        expect(again.locator(".progress")).to_contain_text("3 of 6")
    finally:
        clinic.close()
        clinic.lead.leave()
        server.kill()


def test_a_click_during_a_restart_becomes_one_cell_and_a_missing_slide_is_told(
    tmp_path: Path, slides: Path, browser: Browser
) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    for name in ("breast-01.tiff", "breast-02.tiff"):
        shutil.copy(slides / name, folder)
    server = Server(tmp_path / "study.mito", folder)
    clinic = Clinic(server, Person(server, server.start()), browser)
    try:
        anna = clinic.person("Anna")
        round_ = clinic.round("free", "unstated", anna)
        page = clinic.page(anna, f"/round/{round_}/slide/{clinic.slide['id']}")
        settle(page)
        server.kill()
        (folder / "breast-02.tiff").unlink()
        page.locator(".slide").click(position={"x": 400, "y": 300})
        page.keyboard.press("2")  # about a cell that the server has not seen yet
        expect(page.locator(".unsent")).to_have_text("2 unsent")
        server.start()
        all_sent(page)
        assert anna.cells(round_, clinic.slide["id"])["label"] == [clinic.look_alike]
        page.goto(server.address)
        page.reload()
        expect(page.locator(".absent")).to_contain_text("breast-02.tiff")
        settle(page)
        shoot(page, "home-missing-slide")
    finally:
        clinic.close()
        clinic.lead.leave()
        server.kill()


def test_a_conflict_is_told_and_shows_the_cell_as_it_is(clinic: Clinic) -> None:
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    round_ = clinic.round("free", "unstated", anna, bert)
    slide = clinic.slides["breast-02.tiff"]["id"]
    made = anna.act(round_, kind="create", slide=slide, x=40, y=940, label=clinic.figure)
    page = clinic.page(anna, f"/round/{round_}/slide/{slide}")
    page.get_by_text("mitotic figure").first.wait_for()
    settle(page)
    page.route("**/cells?since=*", lambda route: route.abort())  # nothing is told of others for now
    bert.act(round_, kind="move", cell=made["cell"], x=60, y=930)
    page.keyboard.press("g")
    page.locator("dialog input").fill("40, 940")
    page.keyboard.press("Enter")
    settle(page)
    stage = page.locator(".slide").bounding_box()
    assert stage is not None
    page.mouse.click(stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2)
    page.keyboard.press("2")
    expect(page.locator(".toast.warning")).to_contain_text("Somebody else changed this cell")
    settle(page)
    shoot(page, "conflict")


def test_an_unknown_browser_is_told(clinic: Clinic) -> None:
    page = clinic.context().new_page()
    page.goto(clinic.server.address)
    expect(page.locator(".empty h2")).to_have_text("This browser is not known here.")
    shoot(page, "unknown")
