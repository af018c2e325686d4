"""The lead's work on the page: rounds of few among hundreds of slides, reviews as one piece, floors, news."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from mitoscope.geometry import Mpp, SizePx
from mitoscope.store import SlideRecord, Store

from .making import Clinic, Person, serving, settle, shoot
from .seeding import label_all

SLIDES = 553
PHONE = {"width": 390, "height": 844}


@pytest.fixture(scope="module")
def hundreds(tmp_path_factory: pytest.TempPathFactory, slides: Path, browser: Browser) -> Iterator[Clinic]:
    """Return a served study of 553 slides, of which one file is there."""
    folder = tmp_path_factory.mktemp("hundreds")
    shutil.copy(slides / "breast-01.tiff", folder / "slide 001.tiff")
    with Store.create(folder / "study.mito") as store:
        for number in range(1, SLIDES + 1):
            record = SlideRecord(f"slide {number:03d}.tiff", SizePx(1280, 960), Mpp(0.25, 0.25))
            store.add_slide(record)
    with serving(folder / "study.mito", folder, browser) as clinic:
        yield clinic
        clinic.close()


class Clicks:
    """What a person does with the mouse, counted."""

    def __init__(self, page: Page) -> None:
        page.evaluate(
            "window.clicks = 0; addEventListener('pointerdown', () => { window.clicks += 1; }, true)"
        )
        self._page = page

    @property
    def count(self) -> int:
        """How often the mouse was pressed."""
        return int(self._page.evaluate("window.clicks"))


def test_three_of_553_slides_take_a_handful_of_clicks(hundreds: Clinic) -> None:
    rater = hundreds.person("Reader")
    page = hundreds.page(hundreds.lead, "/study/rounds")
    expect(page.get_by_role("button", name="New round")).to_be_visible()
    clicks = Clicks(page)
    page.get_by_role("button", name="New round").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name", exact=True).focus()
    page.keyboard.type("three of many")
    form.get_by_label(rater.name).click()
    form.get_by_role("button", name="None").click()
    for name in ("slide 100.tiff", "slide 101.tiff", "slide 200.tiff"):
        form.get_by_label("Find slides").fill(name)
        form.get_by_label(name).click()
    expect(form.get_by_text("3 of 553 chosen")).to_be_visible()
    form.get_by_label("Find slides").fill("")
    shoot(page, "new-round-553")
    form.get_by_role("button", name="Create").click()
    expect(page.get_by_role("region", name="three of many")).to_contain_text("3 of 553 slides")
    assert clicks.count == 7, "New round, rater, None, three slides, Create"
    # Those that one word finds are one click, and a row with Shift takes all up to it.
    page.get_by_role("button", name="New round").click()
    form.get_by_label("Find slides").fill("10")
    form.get_by_role("button", name="Only these 16").click()
    expect(form.get_by_text("16 of 553 chosen")).to_be_visible()
    form.get_by_role("button", name="None").click()
    form.get_by_label("slide 102.tiff").click()
    form.get_by_label("slide 108.tiff").click(modifiers=["Shift"])
    expect(form.get_by_text("7 of 553 chosen")).to_be_visible()
    form.get_by_label("Find slides").fill("")
    form.get_by_label("Labels", exact=True).select_option("labelled")
    expect(form.get_by_text("No slide is like that.")).to_be_visible()
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    shoot(page, "new-round-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]


def test_a_rater_is_added_with_one_click(clinic: Clinic) -> None:
    page = clinic.page(clinic.lead, "/study/people")
    expect(page.get_by_role("button", name="Add rater")).to_be_visible()
    clicks = Clicks(page)
    page.get_by_label("Name").focus()
    page.keyboard.type("Dr. Quick")
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Copy").click()
    assert clicks.count == 1


def _floor(page: Page, rater: Person, name: str) -> None:
    page.get_by_role("button", name="Candidates from a file").click()
    form = page.get_by_role("dialog")
    form.get_by_label("Name of the review").fill(name)
    form.get_by_label("Slide").select_option("breast-05.tiff")
    # At the right border, where no other test has a cell that these would be.
    rows = [f"1278,{300 + 40 * at},{0.99 - at / 20:.2f},mitotic figure" for at in range(10)]
    rows += [
        f"{700 + at % 20 * 25},{30 + at // 20 * 25},{0.002 * at:.4f},mitotic figure candidate"
        for at in range(50)
    ]
    content = "\n".join(["x,y,score,label", *rows]).encode()
    form.get_by_label("CSV").set_input_files({"name": "a.csv", "mimeType": "text/csv", "buffer": content})
    form.get_by_label(rater.name).check()


def test_candidates_below_the_threshold_are_counted_and_not_shown(clinic: Clinic) -> None:
    rater = clinic.person("Reader")
    page = clinic.page(clinic.lead, "/study/rounds")
    name = f"above the floor {rater.name}"
    _floor(page, rater, name)
    form = page.get_by_role("dialog")
    expect(form.locator(".floor")).to_contain_text(
        "10 of 60 candidates are shown; 50 at or below 0.10 are not"
    )
    form.get_by_label("Only scores above").fill("0.05")
    expect(form.locator(".floor")).to_contain_text(
        "34 of 60 candidates are shown; 26 at or below 0.05 are not"
    )
    form.get_by_role("button", name="Back to the threshold of the search").click()
    shoot(page, "floor")
    form.get_by_role("button", name="Create").click()
    card = page.get_by_role("region", name=name)
    expect(card).to_have_count(1)
    expect(card).to_contain_text("50 below are not shown")
    expect(card).to_contain_text("0 of 10 cells")
    card.locator("summary").click()
    settle(page)
    shoot(page, "review-card")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    settle(page)
    shoot(page, "review-card-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    theirs = clinic.page(rater)
    mine = theirs.locator(".card", has_text=name)
    expect(mine).to_have_count(1)
    expect(mine).to_contain_text("0 of 10 cells")
    shoot(theirs, "home-review")


def test_news_are_told_until_they_are_put_away(clinic: Clinic) -> None:
    rater = clinic.person("Reader")
    round_id = clinic.round("for the news", "screening", rater)
    clinic.lead.ask("PUT", f"/api/rounds/{round_id}", {"key": "k" * 20 + str(round_id), "is_open": False})
    page = clinic.page(rater)
    page.get_by_role("button", name="News: 2").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("was closed")
    expect(dialog).to_contain_text("There is work for you")
    shoot(page, "news")
    page.keyboard.press("Escape")
    expect(page.get_by_role("button", name="News")).to_have_count(0)
    page.reload()
    expect(page.get_by_role("heading", name="My work")).to_be_visible()
    settle(page)
    expect(page.get_by_role("button", name="News")).to_have_count(0)


def test_disagreement_is_seen_in_pictures_and_a_click_goes_there(clinic: Clinic, slides: Path) -> None:
    first, second = clinic.person("First"), clinic.person("Second")
    slide = clinic.slides["breast-02.tiff"]["id"]
    label_all(clinic, first, slides, n=12, slide=slide)
    round_id = clinic.round("read again", "second read", second, slides=[slide])
    found = second.get(f"/api/rounds/{round_id}/queue?n=12")["cells"]
    for cell in found:
        second.act(round_id, kind="label", cell=cell["cell"], label=clinic.figure)
    page = clinic.page(clinic.lead, "/study/agreement")
    expect(page.locator(".stands")).to_contain_text("wait for a third expert or a consensus")
    page.get_by_label("Experts").select_option(label=f"{first.name} and {second.name}: 12 cells")
    square = page.get_by_role("button", name="look-alike, mitotic figure")
    expect(square).to_be_visible()
    square.click()
    pictures = page.get_by_role("list", name="Cells of the square").get_by_role("link")
    expect(pictures).to_have_count(int(square.inner_text()))
    settle(page, seconds=1)
    shoot(page, "confusion")
    page.set_viewport_size(PHONE)  # type: ignore[arg-type]
    settle(page)
    shoot(page, "confusion-phone")
    assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
    page.set_viewport_size({"width": 1366, "height": 768})
    pictures.first.click()
    expect(page.locator(".corner .place")).to_contain_text("40")
    settle(page, seconds=1)
    shoot(page, "went-there")
