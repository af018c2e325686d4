"""What is wrong is said, with what to do: a full disk, slides that went, unreadable ones, unknown links."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from playwright.sync_api import Page, Route, expect

from .making import AWAY, Clinic, all_sent, click, settle, shoot, until

READ_ONLY = {
    "error": "study.mito: cannot be written (attempt to write a readonly database); nothing was changed",
    "mend": "mend the permissions of the file and its folder and repeat the action",
    "code": "disk_full",
}
"""What the server says of a study that became read-only; nobody is kept from writing here by permissions."""


def _free(clinic: Clinic) -> tuple[Page, int, int]:
    round_ = clinic.round("free", "unstated", clinic.lead)
    page = clinic.page(clinic.lead, f"/round/{round_}/slide/{clinic.slide['id']}")
    settle(page)
    return page, round_, len(clinic.lead.cells(round_, clinic.slide["id"])["cell"])


def test_a_full_disk_is_told_and_the_cell_is_made_once_there_is_room(frail: Clinic) -> None:
    frail.foresee("507")
    page, round_, before = _free(frail)
    with frail.server.full_disk():
        click(page, 400, 300)
        expect(page.locator(".notice")).to_contain_text("The server cannot write")
        expect(page.locator(".notice")).to_contain_text("Free space")
        expect(page.locator(".notice")).to_contain_text("1 action waits in this browser")
        expect(page.locator(".unsent")).to_have_text("1 unsent")
        shoot(page, "disk-full")
    page.get_by_role("button", name="Try now").click()
    all_sent(page)
    expect(page.locator(".notice")).to_have_count(0)
    assert len(frail.lead.cells(round_, frail.slide["id"])["cell"]) == before + 1


def test_a_read_only_study_is_told_and_the_cell_is_made_once_it_may_be_written(frail: Clinic) -> None:
    frail.foresee("507")
    page, round_, before = _free(frail)
    refused: list[str] = []

    def refuse(route: Route) -> None:
        refused.append(json.loads(route.request.post_data or "{}")["key"])
        route.fulfill(status=507, body=json.dumps(READ_ONLY), content_type="application/json")

    page.route("**/actions", refuse)
    click(page, 620, 300)
    expect(page.locator(".notice")).to_contain_text("Mend the permissions")
    page.unroute("**/actions")
    all_sent(page)
    assert len(set(refused)) == 1, "it is one action, however often it is sent"
    assert len(frail.lead.cells(round_, frail.slide["id"])["cell"]) == before + 1


@pytest.mark.parametrize("path", ["/", "/?token=made-up"])
def test_an_unknown_browser_is_told_what_to_do(clinic: Clinic, path: str) -> None:
    clinic.foresee("401")
    page = clinic.context().new_page()
    page.goto(f"{clinic.server.address}{path}")
    expect(page.locator("body")).to_contain_text("lead of the study")
    shoot(page, "unknown" if path == "/" else "unknown-link")


def test_long_names_leave_everything_in_its_place(frail: Clinic) -> None:
    person = frail.person("Dr. " + "Wolkenstein-" * 14)
    (long,) = [slide for name, slide in frail.slides.items() if name.startswith("section")]
    round_ = frail.round("screening of all sections " * 7, "unstated", person)
    page = frail.page(person, f"/round/{round_}/slide/{long['id']}")
    settle(page)
    shoot(page, "long-names")
    for name in ("Keys", "Light or dark"):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box is not None
        assert box["x"] + box["width"] <= 1366
        assert box["height"] < 40
    page.goto(f"{frail.server.address}/#/")
    settle(page)
    shoot(page, "long-names-home")
    assert page.evaluate("document.documentElement.scrollWidth") <= 1366


def test_a_slide_that_went_and_one_that_is_none_any_more_are_told(
    frail: Clinic, frail_slides: Path, tmp_path: Path
) -> None:
    frail.foresee(*AWAY)
    page = frail.page(frail.lead)
    expect(page.locator(".slide-card").first).to_be_visible()
    frail.server.kill()
    shutil.move(frail_slides / "breast-02.tiff", tmp_path / "elsewhere.tiff")
    (frail_slides / "breast-03.tiff").write_bytes(b"II*\x00 no slide")
    frail.server.start()
    page.reload()
    for name, said in (("breast-02.tiff", "missing"), ("breast-03.tiff", "cannot be read")):
        card = page.locator(".absent", has_text=name)
        expect(card).to_contain_text(said)
        expect(card.locator(".warn")).not_to_be_empty()
    settle(page)
    shoot(page, "home-missing-slide")
    for name in ("breast-02.tiff", "breast-03.tiff"):
        page.goto(f"{frail.server.address}/#/regions/{frail.slides[name]['id']}")
        expect(page.locator(".empty")).to_contain_text("This slide cannot be shown.")
        expect(page.locator(".empty .warn")).not_to_be_empty()


def test_a_study_that_was_moved_is_told_as_that_and_written_once_it_is_back(frail: Clinic) -> None:
    frail.foresee("507")
    page, round_, before = _free(frail)
    away = frail.study.with_name("elsewhere.mito")
    frail.study.rename(away)
    click(page, 700, 420)
    notice = page.locator(".notice")
    expect(notice).to_contain_text("was moved or deleted while it is open")
    expect(notice).to_contain_text("Put it back where it was")
    expect(notice).not_to_contain_text("space")
    shoot(page, "study-moved")
    away.rename(frail.study)
    page.get_by_role("button", name="Try now").click()
    all_sent(page)
    assert len(frail.lead.cells(round_, frail.slide["id"])["cell"]) == before + 1


def test_a_slide_whose_file_goes_while_it_is_open_is_told_and_labels_are_kept(
    frail: Clinic, frail_slides: Path, tmp_path: Path
) -> None:
    frail.foresee("410", *AWAY)
    slide = frail.slides["large.tiff"]["id"]
    round_ = frail.round("free", "unstated", frail.lead)
    page = frail.page(frail.lead, f"/round/{round_}/slide/{slide}")
    settle(page)
    shutil.move(frail_slides / "large.tiff", tmp_path / "elsewhere.tiff")
    page.get_by_role("button", name="60×").click()  # tiles of full size are new to the page
    trouble = page.locator(".trouble")
    expect(trouble).to_contain_text("large.tiff: the file of this slide")
    expect(trouble).to_contain_text("Labels are kept.")
    settle(page)
    before = len(frail.lead.cells(round_, slide)["cell"])
    click(page, 500, 500)
    all_sent(page)
    until(lambda: len(frail.lead.cells(round_, slide)["cell"]) == before + 1)
    shoot(page, "slide-gone")
    shutil.move(tmp_path / "elsewhere.tiff", frail_slides / "large.tiff")
    expect(trouble).to_have_count(0)
