"""The pathologist's case: threshold, window, verdicts, signature, report."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from .making import Clinic, all_sent, settle, shoot, until
from .seeding import candidates


def test_a_count_is_corrected_moved_and_signed(clinic: Clinic, slides: Path) -> None:
    doctor = clinic.person("Doctor")
    slide = clinic.slides["breast-03.tiff"]["id"]
    candidates(clinic, doctor, slides, slide=slide)
    round_ = clinic.round("case", "case review", doctor, settings={"area_mm2": 0.03, "threshold": 0.6})
    path = f"/api/rounds/{round_}/slides/{slide}/case"
    page = clinic.page(doctor, f"/round/{round_}/slide/{slide}")
    expected = doctor.get(path)["hot_spot"]["count"]
    count = page.locator(".count")
    expect(count).to_have_text(str(expected))
    settle(page)
    shoot(page, "case")
    page.keyboard.press("n")
    page.keyboard.press("r")
    expect(count).to_have_text(str(expected - 1))
    page.keyboard.press("Control+z")
    expect(count).to_have_text(str(expected))
    page.keyboard.press("r")
    all_sent(page)
    page.get_by_label("Threshold of the model").fill("0.9")
    page.get_by_role("button", name="Find the hot spot").click()
    settle(page)
    number = int(count.inner_text())
    assert number < expected
    page.get_by_role("button", name="Sign").click()
    page.get_by_label("Comment").fill("Second section.")
    page.get_by_role("dialog").get_by_role("button", name="Sign").click()
    expect(page.locator(".signed")).to_have_count(1)
    shoot(page, "case-signed")
    (result,) = until(
        lambda: [one for one in doctor.get(path)["results"] if one["rater_name"] == doctor.name]
    )
    assert (result["count"], result["threshold"], result["comment"]) == (number, 0.9, "Second section.")
    with page.context.expect_page() as opened:
        page.get_by_role("link", name="Report").click()
    opened.value.wait_for_load_state()
    shoot(opened.value, "case-report")
    assert str(number) in opened.value.locator("body").inner_text()


def test_a_case_shows_what_a_colleague_did_meanwhile(clinic: Clinic, slides: Path) -> None:
    clinic.foresee("409", "ERR_FAILED")
    doctor, colleague = clinic.person("Doctor"), clinic.person("Colleague")
    slide = clinic.slides["breast-04.tiff"]["id"]
    candidates(clinic, clinic.person("Reader"), slides, slide=slide)
    settings = {"area_mm2": 0.03, "threshold": 0.6}
    round_ = clinic.round("case", "case review", doctor, colleague, settings=settings)
    page = clinic.page(doctor, f"/round/{round_}/slide/{slide}")
    expected = doctor.get(f"/api/rounds/{round_}/slides/{slide}/case")["hot_spot"]["count"]
    expect(page.locator(".count")).to_have_text(str(expected))
    settle(page)
    page.route("**/cells?since=*", lambda route: route.abort())  # nothing is told of others for now
    seen = colleague.cells(round_, slide)
    moved = max(range(len(seen["cell"])), key=lambda at: seen["score"][at] or 0)
    other = min(range(len(seen["cell"])), key=lambda at: seen["score"][at] or 0)
    for at in (moved, other):
        colleague.act(round_, kind="label", cell=seen["cell"][at], label=clinic.figure)
    page.unroute("**/cells?since=*")
    page.keyboard.press("n")
    page.keyboard.press("r")
    expect(page.locator(".toast.warning")).to_contain_text("Somebody else")
    page.wait_for_timeout(300)
    now = doctor.cells(round_, slide)
    assert now["label"][now["cell"].index(seen["cell"][moved])] == clinic.figure


def test_a_slide_without_candidates_says_who_can_search_it(clinic: Clinic) -> None:
    doctor = clinic.person("Doctor")
    round_ = clinic.round("case", "case review", doctor)
    page = clinic.page(doctor, f"/round/{round_}/slide/{clinic.slide['id']}")
    expect(page.get_by_text("Ask the lead of the study to search it")).to_be_visible()
