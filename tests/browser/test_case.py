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
