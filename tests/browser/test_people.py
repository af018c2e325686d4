"""The lead's pages: people with links, rounds, progress, agreement; and names that are no markup."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from .making import Clinic, settle, shoot

PHONE = {"width": 390, "height": 844}
HOSTILE = (
    "<img src=x onerror=alert(1)>",
    "<script>alert(1)</script>",
    "'\"><svg onload=alert(1)>",
    "{{7*7}} ${7*7} javascript:alert(1)",
    "שם מימין לשמאל " + "W" * 150,
    '=HYPERLINK("x")',
)


def test_a_lead_adds_people_and_assigns_work(clinic: Clinic) -> None:
    page = clinic.page(clinic.lead)
    page.get_by_role("banner").get_by_role("link", name="Study", exact=True).click()
    page.get_by_label("Name").fill("Dr. Erika Muster")
    page.get_by_role("button", name="Add rater").click()
    link = page.get_by_label("Link", exact=True)
    expect(link).to_be_visible()
    expect(page.get_by_role("dialog")).to_contain_text("on this machine only")
    shoot(page, "link")
    address = link.input_value()
    page.keyboard.press("Escape")
    page.get_by_role("link", name="Rounds").click()
    page.get_by_role("button", name="New round").click()
    page.get_by_role("dialog").get_by_label("Name").fill("Screening, spring")
    page.get_by_role("dialog").get_by_label("Dr. Erika Muster").check()
    shoot(page, "new-round")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="Screening, spring")).to_contain_text("Dr. Erika Muster")
    settle(page)
    shoot(page, "rounds")
    for part in ("People", "Progress", "Agreement", "Activity"):
        page.get_by_role("link", name=part, exact=True).click()
        settle(page)
        shoot(page, part.lower())
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    for part in ("people", "rounds", "progress", "agreement", "activity"):
        page.goto(f"{clinic.server.address}/#/study/{part}")
        settle(page)
        shoot(page, f"{part}-phone")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"], part
    other = clinic.context()
    erika = other.new_page()
    erika.goto(address)
    expect(erika.locator(".card", has_text="Screening, spring")).to_be_visible()
    assert "token" not in erika.url
    expect(erika.get_by_role("link", name="Study", exact=True)).to_have_count(0)


def test_a_lead_brings_candidates_in_by_a_file(clinic: Clinic) -> None:
    rater = clinic.person("Reader")
    page = clinic.page(clinic.lead, "/study/rounds")
    page.get_by_role("button", name="Candidates from a file").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name of the review").fill(f"from a file {rater.name}")
    form.get_by_label("Slide").select_option("breast-04.tiff")
    rows = [f"{x},12,{0.95 - x / 10_000:.2f}" for x in range(100, 700, 100)]  # where no cell is known
    content = "\n".join(["x,y,score", *rows]).encode()
    form.get_by_label("CSV").set_input_files(
        {"name": "breast-04.csv", "mimeType": "text/csv", "buffer": content}
    )
    form.get_by_label(rater.name).check()
    shoot(page, "new-review")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_text("candidates to review")).to_be_visible()
    expect(page.get_by_role("region", name=f"from a file {rater.name}")).to_have_count(1)
    theirs = clinic.page(rater)
    expect(theirs.locator(".card .kind", has_text="Candidate review")).to_have_count(1)
    assert sum(one["cells"] for one in rater.get("/api/me")["rounds"]) == len(rows)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_names_cannot_become_markup(clinic: Clinic, theme: str) -> None:
    names = [f"{name} {theme}" for name in HOSTILE]
    people = [clinic.lead.post("/api/raters", name=name, kind="expert", role="rater")["id"] for name in names]
    for name in names:
        body = {"name": f"round {name}"[:190], "kind": "unstated", "raters": [clinic.lead.id, *people]}
        clinic.lead.post("/api/rounds", **body)
    page = clinic.page(clinic.lead, "/study/people", theme=theme)
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: dialogs.append(dialog.message))
    for where in ("people", "rounds", "progress", "activity"):
        page.goto(f"{clinic.server.address}/#/study/{where}")
        settle(page)
        shoot(page, f"hostile-{where}-{theme}")
    page.goto(f"{clinic.server.address}/#/")
    for name in names:
        expect(page.get_by_text(f"round {name}"[:190]).first).to_be_visible()
    shoot(page, f"hostile-home-{theme}")
    assert dialogs == []
    assert page.locator("img[src=x], svg[onload], main script").count() == 0
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 1366
