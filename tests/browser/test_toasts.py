"""What is said aloud stays on its page, lies above a dialog, and reads as a sentence."""

from __future__ import annotations

import json

from playwright.sync_api import Page, Route, expect

from .making import Clinic, click, heard, settle, shoot

REFUSED = {"error": "cell: (3, 4) is outside the slide", "mend": "click on the slide", "code": "invalid"}


def _refuse(route: Route) -> None:
    route.fulfill(status=422, body=json.dumps(REFUSED), content_type="application/json")


def _labelling(clinic: Clinic) -> Page:
    clinic.foresee("422")
    round_ = clinic.round("free", "unstated", clinic.lead)
    page = clinic.page(clinic.lead, f"/round/{round_}/slide/{clinic.slide['id']}")
    page.get_by_role("button", name="20×").click()
    settle(page)
    return page


def test_a_warning_that_comes_while_a_dialog_is_open_can_be_read_and_closed(clinic: Clinic) -> None:
    page = _labelling(clinic)
    held: list[Route] = []
    page.route("**/actions", lambda route: held.append(route))  # Playwright wants a function
    click(page, 300, 300)
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_be_visible()
    _refuse(heard(page, held)[0])
    toast = page.get_by_role("dialog").locator(".toast.warning")
    expect(toast).to_contain_text("Cell: (3, 4) is outside the slide.")
    expect(toast).to_contain_text("Click on the slide.")
    expect(page.locator(".toast")).to_have_count(1)
    shoot(page, "toast-over-dialog")
    toast.get_by_role("button", name="Dismiss").click()
    expect(toast).to_have_count(0)
    expect(page.get_by_role("dialog")).to_be_visible()


def test_a_warning_stays_on_its_page(clinic: Clinic) -> None:
    page = _labelling(clinic)
    page.route("**/actions", _refuse)
    click(page, 300, 300)
    expect(page.locator(".toast.warning")).to_be_visible()
    page.keyboard.press("Alt+h")
    expect(page.locator(".slide-card").first).to_be_visible()
    expect(page.locator(".toast")).to_have_count(0)
