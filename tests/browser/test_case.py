"""The pathologist's case: candidates judged, figures added, the window, the signature, the report."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Page, expect

from .making import Clinic, Person, all_sent, click, settle, shoot, until
from .seeding import candidates

AREA_MM2 = 0.03


def _opened(clinic: Clinic, slides: Path, doctor: Person, name: str, **settings: object) -> tuple[Page, str]:
    """Open a case with candidates in the browser, and return its page and its path of the API."""
    slide = clinic.slides[name]["id"]
    candidates(clinic, doctor, slides, slide=slide)
    terms = {"area_mm2": AREA_MM2, "threshold": 0.6, **settings}
    round_ = clinic.round("case", "case review", doctor, settings=terms)
    page = clinic.page(doctor, f"/round/{round_}/slide/{slide}")
    path = f"/api/rounds/{round_}/slides/{slide}/case"
    expect(page.locator(".count")).to_have_text(str(doctor.get(path)["hot_spot"]["count"]))
    settle(page)
    return page, path


def test_candidates_are_looked_at_judged_and_signed_and_a_correction_replaces(
    clinic: Clinic, slides: Path
) -> None:
    doctor = clinic.person("Doctor")
    page, path = _opened(clinic, slides, doctor, "breast-03.tiff")
    count, looked = page.locator(".count"), page.locator(".looked")
    spot = doctor.get(path)["hot_spot"]
    expected = spot["count"]
    expect(looked).to_have_text(f"0 of {expected} looked at")
    expect(page.locator(".film li")).to_have_count(expected)
    shoot(page, "case")
    page.keyboard.press("n")
    expect(looked).to_have_text(f"1 of {expected} looked at")
    page.keyboard.press("r")
    expect(count).to_have_text(str(expected - 1))
    page.keyboard.press("u")
    expect(page.locator(".film li.unsure")).to_have_count(1)
    page.keyboard.press("a")
    for _ in "aur":
        page.keyboard.press("Control+z")
    expect(page.locator(".film li.unsure")).to_have_count(0)
    expect(count).to_have_text(str(expected))
    page.keyboard.press("c")
    page.keyboard.type("blurred")
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    expect(count).to_have_text(str(expected - 1))
    all_sent(page)

    page.get_by_role("button", name="Sign").click()
    asked = page.get_by_role("dialog")
    expect(asked).to_be_visible()  # what was looked at is on disk now
    looks = doctor.ask("POST", f"{path}/count", {"corner": [spot["x"], spot["y"]]})["looked_at"]
    unseen = looks["candidates"] - looks["looked"]
    assert unseen > 0, "some of the candidates were not looked at"
    expect(asked.get_by_role("button", name="Sign")).to_be_disabled()
    shoot(page, "case-sign")
    asked.get_by_label(f"{unseen} of {looks['candidates']} candidates were not looked at").check()
    asked.get_by_label("Comment").fill("Second section.")
    asked.get_by_role("button", name="Sign").click()
    expect(page.locator(".signed")).to_have_count(1)
    expect(page.get_by_role("link", name="Report")).to_be_in_viewport()
    (first,) = doctor.get(path)["results"]
    assert (first["count"], first["comment"]) == (expected - 1, "Second section.")
    assert first["looked_at"]["candidates"] - first["looked_at"]["looked"] == unseen
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Report").click()
    opened.value.wait_for_load_state()
    shoot(opened.value, "case-report")
    said = opened.value.locator("body").inner_text()
    assert f"{unseen} of {looks['candidates']} candidates in the window" in said
    assert "blurred" in said

    for _ in range(expected):
        page.keyboard.press("n")
    expect(looked).to_have_text(f"{expected} of {expected} looked at")
    page.get_by_role("button", name="Sign").click()
    expect(asked.get_by_role("combobox")).to_have_value(str(first["id"]))
    asked.get_by_role("button", name="Sign").click()
    expect(page.locator(".signed.replaced")).to_have_count(1)
    by_id = {one["id"]: one for one in doctor.get(path)["results"]}
    (second,) = by_id.keys() - {first["id"]}
    assert (by_id[first["id"]]["replaced_by"], by_id[second]["replaces"]) == (second, first["id"])
    assert by_id[second]["looked_at"]["looked"] == by_id[second]["looked_at"]["candidates"]
    shoot(page, "case-signed")
    page.keyboard.press("Shift+H")
    expect(page.locator(".film img").first).to_have_css("filter", re.compile("mitoscope-look"))
    page.keyboard.press("Shift+H")
    expect(page.locator(".film img").first).to_have_css("filter", "none")
    page.keyboard.press("Alt+h")
    signed = by_id[second]
    expect(
        page.get_by_text(f"Last signed: {signed['count']} in {signed['area_mm2']:.2f} mm²")
    ).to_be_visible()
    shoot(page, "home-signed")


def test_a_missed_figure_is_added_by_a_click_counted_and_taken_back(clinic: Clinic, slides: Path) -> None:
    doctor = clinic.person("Doctor")
    page, path = _opened(clinic, slides, doctor, "breast-02.tiff", threshold=0.9)
    count = page.locator(".count")
    before = int(count.inner_text())
    window = doctor.get(path)["hot_spot"]
    x, y = window["x"] + window["width"] / 2, window["y"] + window["height"] / 2
    page.keyboard.press("g")
    page.get_by_role("dialog").get_by_label("x").fill(str(round(x)))
    page.get_by_role("dialog").get_by_label("y").fill(str(round(y)))
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    page.get_by_role("button", name="40×").click()
    page.get_by_role("button", name="Add a missed figure").click()
    settle(page)
    box = page.locator(".glass").bounding_box()
    assert box is not None
    middle = (box["width"] / 2, box["height"] / 2)
    click(page, middle[0] + 90, middle[1] + 70)  # beside the candidate in the middle of the hot spot
    expect(count).to_have_text(str(before + 1))
    expect(page.locator(".looked")).to_contain_text("1 added")
    shoot(page, "case-added")
    all_sent(page)
    assert doctor.ask("POST", f"{path}/count", {})["looked_at"]["added"] == 1
    page.keyboard.press("Control+z")
    expect(count).to_have_text(str(before))
    page.keyboard.press("Control+Shift+z")
    expect(count).to_have_text(str(before + 1))


def test_a_figure_is_not_added_where_it_cannot_be_told(frail: Clinic) -> None:
    doctor = frail.person("Doctor")
    slide = frail.slides["large.tiff"]["id"]
    round_ = frail.round("case", "case review", doctor, settings={"area_mm2": 1.0})
    before = frail.lead.cells(round_, slide)["cell"]
    page = frail.page(doctor, f"/round/{round_}/slide/{slide}")
    expect(page.get_by_text("This slide was not searched.").first).to_be_visible()
    settle(page)
    page.keyboard.press("0")
    page.keyboard.press("f")
    settle(page)
    glass = page.locator(".glass").bounding_box()
    assert glass is not None
    middle = (glass["width"] / 2, glass["height"] / 2)
    click(page, *middle)
    expect(page.locator(".toast")).to_contain_text("shown at 20×")
    expect(page.locator(".place b")).to_have_text("20×")
    assert frail.lead.cells(round_, slide)["cell"] == before
    settle(page)
    click(page, *middle)
    expect(page.locator(".count")).to_have_text("1")


def test_the_window_is_shaped_dragged_kept_and_cannot_leave_the_slide(clinic: Clinic, slides: Path) -> None:
    doctor = clinic.person("Doctor")
    page, path = _opened(clinic, slides, doctor, "breast-05.tiff")
    page.get_by_role("button", name="Circle").click()
    expect(page.get_by_role("button", name="Circle")).to_have_attribute("aria-pressed", "true")
    page.get_by_label("Fields", exact=True).evaluate("input => input.closest('details').open = true")
    page.get_by_label("Fields", exact=True).fill("2")
    page.get_by_label("Field no.").fill("4.4")
    page.get_by_role("button", name="Count over 0.019 mm²").click()
    circle = doctor.ask(
        "POST", f"{path}/count", {"shape": "circle", "fields": {"number": 2, "diameter_mm": 0.11}}
    )
    expect(page.locator(".count")).to_have_text(str(circle["count"]))
    page.keyboard.press("w")
    settle(page)
    glass = page.locator(".glass").bounding_box()
    assert glass is not None
    centre = (glass["x"] + glass["width"] / 2, glass["y"] + glass["height"] / 2)
    page.mouse.move(*centre)
    page.mouse.down()
    page.mouse.move(glass["x"] + 2, glass["y"] + 2, steps=4)
    page.mouse.up()
    page.keyboard.press("0")
    settle(page)
    shoot(page, "case-circle")
    page.get_by_label("Name of the window").fill("rim")
    page.get_by_role("button", name="Keep").click()
    (kept,) = until(lambda: doctor.get(path)["work"]["windows"])
    assert (kept["name"], kept["shape"]) == ("rim", "circle")
    assert kept["x"] >= 0
    assert kept["y"] >= 0
    assert (kept["x"], kept["y"]) != (circle["x"], circle["y"])
    page.keyboard.press("h")
    page.get_by_role("button", name="rim", exact=True).click()
    expect(page.get_by_role("button", name="rim", exact=True)).to_have_attribute("aria-current", "true")
    page.reload()
    page.get_by_role("button", name="rim", exact=True).click()
    placed = {
        "corner": [kept["x"], kept["y"]],
        "shape": "circle",
        "fields": {"number": 2, "diameter_mm": 0.11},
        "threshold": kept["threshold"],
    }
    expect(page.locator(".count")).to_have_text(str(doctor.ask("POST", f"{path}/count", placed)["count"]))


def test_a_slide_that_was_not_searched_is_signed_only_with_that_statement(clinic: Clinic) -> None:
    doctor = clinic.person("Doctor")
    settings = {"area_mm2": AREA_MM2}
    round_ = clinic.round("case", "case review", doctor, settings=settings)
    page = clinic.page(doctor, f"/round/{round_}/slide/{clinic.slide['id']}")
    expect(page.get_by_text("This slide was not searched.").first).to_be_visible()
    expect(page.locator(".count")).to_have_text("–")
    settle(page)
    shoot(page, "case-not-searched")
    page.get_by_role("button", name="Sign").click()
    asked = page.get_by_role("dialog")
    expect(asked.get_by_role("button", name="Sign")).to_be_disabled()
    asked.get_by_label("This slide was not searched").check()
    asked.get_by_role("button", name="Sign").click()
    expect(page.locator(".signed")).to_have_count(1)
    (result,) = doctor.get(f"/api/rounds/{round_}/slides/{clinic.slide['id']}/case")["results"]
    assert result["is_searched"] is False


def test_the_lead_chooses_a_grading_scheme_which_is_shown_as_an_aid(clinic: Clinic, slides: Path) -> None:
    page, path = _opened(clinic, slides, clinic.lead, "breast-04.tiff")
    page.get_by_label("Scheme of this round").select_option(label="Meningioma, mitotic criterion")
    page.get_by_label("Diameter of its fields").fill("0.06")
    page.get_by_label("Diameter of its fields").press("Tab")
    expect(page.get_by_text("counts over 0.0283 mm²")).to_be_visible()
    page.get_by_role("button", name="Count over 0.028 mm²").click()
    row = page.locator(".bands tr[aria-current]")
    expect(row).to_be_visible()
    expect(page.get_by_text("An aid, not a grade.")).to_be_visible()
    fields = {"number": 10, "diameter_mm": 0.06}
    scheme = clinic.lead.ask("POST", f"{path}/count", {"fields": fields})["certainty"]["scheme"]
    expect(row.locator("th")).to_have_text(scheme["band_of_count"])
    shoot(page, "case-grading")


def test_what_a_colleague_does_in_the_case_neither_shows_nor_hinders(clinic: Clinic, slides: Path) -> None:
    doctor, colleague = clinic.person("Doctor"), clinic.person("Colleague")
    slide = clinic.slides["breast-04.tiff"]["id"]
    candidates(clinic, clinic.person("Reader"), slides, slide=slide)
    settings = {"area_mm2": 0.03, "threshold": 0.6}
    round_ = clinic.round("case", "case review", doctor, colleague, settings=settings)
    page = clinic.page(doctor, f"/round/{round_}/slide/{slide}")
    expected = doctor.get(f"/api/rounds/{round_}/slides/{slide}/case")["hot_spot"]["count"]
    expect(page.locator(".count")).to_have_text(str(expected))
    seen = colleague.cells(round_, slide)
    best = max(range(len(seen["cell"])), key=lambda at: seen["score"][at] or 0)
    other = min(range(len(seen["cell"])), key=lambda at: seen["score"][at] or 0)
    for at in (best, other):
        colleague.act(round_, kind="label", cell=seen["cell"][at], label=clinic.figure)
    page.keyboard.press("n")
    page.keyboard.press("r")
    expect(page.locator(".count")).to_have_text(str(expected - 1))
    settle(page)
    now = doctor.cells(round_, slide)
    labels = dict(zip(now["cell"], now["label"], strict=True))
    assert labels[seen["cell"][best]] not in (0, clinic.figure)
    assert labels[seen["cell"][other]] == 0
    expect(page.locator(".toast.warning")).to_have_count(0)
