"""Second read, consensus, third expert, candidates: one cell after the other, by keyboard alone."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from .making import Clinic, Person, all_sent, settle, shoot, until
from .rates import pace
from .seeding import candidates, label_all

N = 10


def _left(page: Page) -> int:
    done, total = page.locator(".progress p").inner_text().split(" of ")
    return int(total.split()[0]) - int(done)


def _press_until_done(page: Page, keys: str, name: str) -> float:
    """Label all cells with keys, in turn; return how many a minute that was."""
    n = _left(page)
    with pace(name, n) as done:
        for at in range(n):
            page.keyboard.press(keys[at % len(keys)])
        expect(page.locator(".empty h2")).to_have_text("All cells are labelled.")
        all_sent(page)
    return done.per_minute


def test_two_readers_at_once_read_blinded_by_keyboard_and_a_third_decides(
    clinic: Clinic, slides: Path
) -> None:
    anna, readers = clinic.person("Anna"), [clinic.person("Bert"), clinic.person("Cora")]
    rounds = []
    for reader, name in zip(readers, ("breast-01.tiff", "breast-04.tiff"), strict=True):
        slide = clinic.slides[name]["id"]
        cells = anna.cells(label_all(clinic, anna, slides, n=N, slide=slide), slide)["cell"]
        rounds.append(clinic.round("second read", "second read", reader, cells=sorted(cells)))
    pages = [clinic.page(one, f"/round/{at}") for one, at in zip(readers, rounds, strict=True)]
    expect(pages[0].locator(".progress")).to_contain_text(f"of {N}")
    settle(pages[0])
    assert "Anna" not in pages[0].content()
    shoot(pages[0], "second-read")
    pages[1].keyboard.press("v")
    expect(pages[1].locator(".crops img")).to_have_count(N)
    settle(pages[1])
    shoot(pages[1], "contact-sheet")
    pages[1].keyboard.press("ArrowRight")
    names = ("second read, one in context", "second read, contact sheet")
    rates = [_press_until_done(page, "12", name) for page, name in zip(pages, names, strict=True)]
    assert min(rates) > 30
    for page, reader, round_ in zip(pages, readers, rounds, strict=True):
        all_sent(page)  # the page is ahead of the server
        queue = reader.get(f"/api/rounds/{round_}/queue")
        assert (queue["cells"], queue["labelled"]) == ([], N)
    shoot(pages[0], "second-read-done")
    _decide(clinic, clinic.person("Doro"))


def _decide(clinic: Clinic, third: Person) -> None:
    together = clinic.round("consensus", "consensus", third, cells="disputed", shows_labels=True)
    # What the consensus decides is disputed no more.
    fourth = clinic.person("Emil")
    alone = clinic.round("third expert", "third expert", fourth, cells="disputed", shows_labels=False)
    page = clinic.page(third, f"/round/{together}")
    expect(page.locator(".opinions li").first).to_be_visible()
    settle(page)
    shoot(page, "consensus")
    assert _press_until_done(page, "1", "consensus") > 30
    other = clinic.page(fourth, f"/round/{alone}")
    expect(other.locator(".panel h3").first).to_have_text("Third expert")
    assert other.locator(".opinions").count() == 0


def test_undo_brings_the_cell_back_and_skip_puts_it_last(clinic: Clinic, slides: Path) -> None:
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    first = label_all(clinic, anna, slides, n=3)
    round_ = clinic.round("read", "second read", bert, cells=anna.cells(first, clinic.slide["id"])["cell"])
    page = clinic.page(bert, f"/round/{round_}")
    crop = page.locator(".closeup")
    before = until(lambda: crop.get_attribute("src"))
    page.keyboard.press("1")
    expect(crop).not_to_have_attribute("src", before)
    expect(page.locator(".progress")).to_contain_text("1 of 3")
    page.keyboard.press("Control+z")
    expect(crop).to_have_attribute("src", before)
    expect(page.locator(".progress")).to_contain_text("0 of 3")
    until(lambda: bert.get(f"/api/rounds/{round_}/queue")["labelled"] == 0)
    page.keyboard.press("s")
    expect(crop).not_to_have_attribute("src", before)
    page.keyboard.press("1")
    page.keyboard.press("1")
    expect(crop).to_have_attribute("src", before)


def test_candidates_are_judged_by_keyboard_faster_than_30_a_minute(clinic: Clinic, slides: Path) -> None:
    rater = clinic.person("Dora")
    rounds = candidates(clinic, rater, slides, slide=clinic.slides["breast-02.tiff"]["id"])
    page = clinic.page(rater, f"/round/{rounds[0]}")
    expect(page.locator(".progress")).to_be_visible()
    settle(page)
    shoot(page, "candidates")
    rate = _press_until_done(page, "ar", "candidate review")
    assert rate > 30, "30 a minute are promised"
    shoot(page, "candidates-next-group")
    expect(page.get_by_role("button", name="Group 2 of 2")).to_be_visible()


def test_a_second_expert_adds_a_missed_cell_which_goes_before_the_first(clinic: Clinic) -> None:
    first, second = clinic.person("First"), clinic.person("Second")
    slide = clinic.slides["breast-05.tiff"]["id"]
    screening = clinic.round("screening", "screening", first, slides=[slide])
    for x in (400, 480):
        first.act(screening, kind="create", slide=slide, x=x, y=400, label=clinic.figure)
    lead = clinic.page(clinic.lead, "/study/rounds")
    lead.get_by_role("button", name="New round").click()
    dialog = lead.get_by_role("dialog")
    dialog.get_by_label("Kind").select_option("second read")
    name = f"second read of {first.name}"
    dialog.get_by_label("Name").fill(name)
    dialog.get_by_role("checkbox", name=second.name).check()
    dialog.get_by_role("checkbox", name="Readers may add cells").check()
    shoot(lead, "new-second-read")
    dialog.get_by_role("button", name="Create").click()
    expect(dialog).to_have_count(0)
    rounds = clinic.lead.get("/api/rounds")["rounds"]
    (reading,) = [one["id"] for one in rounds if one["name"] == name]
    waiting = second.get(f"/api/rounds/{reading}/queue?n=200&slide={slide}")
    assert len(waiting["cells"]) == 2
    # Cells that other tests left on other slides are not part of this.
    reading = clinic.round("second read", "second read", second, slides=[slide], settings={"may_add": True})
    page = clinic.page(second, f"/round/{reading}")
    expect(page.locator(".progress")).to_contain_text("0 of 2")
    page.get_by_role("button", name="Add cells").click()
    expect(page.get_by_text("Click where a cell is missing.")).to_be_visible()
    settle(page)
    page.keyboard.press("2")  # the class of what is added, not of the cell in question
    stage = page.locator(".stage").bounding_box()
    assert stage is not None
    middle = stage["x"] + stage["width"] / 2, stage["y"] + stage["height"] / 2
    page.mouse.click(*middle)
    expect(page.get_by_text("A cell is known here")).to_be_visible()
    page.mouse.click(middle[0], middle[1] + 200)
    expect(page.locator(".progress")).to_contain_text("1 of 3")
    settle(page)
    shoot(page, "second-read-adding")
    for _ in range(6):
        page.keyboard.press("-")
    settle(page)
    page.mouse.click(middle[0] + 40, middle[1] + 40)
    expect(page.get_by_role("dialog")).to_contain_text("Label at ")
    page.keyboard.press("Escape")
    expect(page.locator(".progress")).to_contain_text("1 of 3")
    page.keyboard.press("Control+z")
    expect(page.locator(".progress")).to_contain_text("0 of 2")
    page.keyboard.press("Control+Shift+z")
    expect(page.locator(".progress")).to_contain_text("1 of 3")
    page.keyboard.press("e")
    page.keyboard.press("1")
    page.keyboard.press("1")
    expect(page.locator(".empty h2")).to_have_text("All cells are labelled.")
    all_sent(page)
    back = clinic.round("added", "second read", first, cells="added")
    (asked,) = first.get(f"/api/rounds/{back}/queue")["cells"]
    assert (asked["label"], asked["slide"]) == (0, slide)
    first.act(back, kind="label", cell=asked["cell"], label=clinic.look_alike)
    assert first.get(f"/api/rounds/{back}/queue")["cells"] == []
