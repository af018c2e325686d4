"""Nothing is lost: the server is killed, the tab closed, the answer gone; each action is done once."""

from __future__ import annotations

import time
from pathlib import Path

from playwright.sync_api import Route, expect

from .making import AWAY, Clinic, Person, all_sent, click, settle, shoot, until
from .seeding import label_all

MONTH_S = 30 * 24 * 3600


def test_labels_outlive_a_killed_server_a_closed_tab_and_a_wrong_clock(frail: Clinic) -> None:
    frail.foresee(*AWAY)
    anna = frail.person("Anna")
    round_ = frail.round("free", "unstated", anna)
    where = f"/round/{round_}/slide/{frail.slide['id']}"
    page = frail.page(anna, where)
    settle(page)  # before the slide is open a click does nothing
    click(page, 400, 520)
    until(lambda: len(_mine(anna, round_, frail)) == 1)  # the click itself may wait on a busy machine
    all_sent(page)
    frail.server.kill()
    page.wait_for_timeout(500)  # else it is a double click
    click(page, 400, 520)
    page.keyboard.press("2")  # about the first cell, by what the server answered
    click(page, 600, 560)
    page.wait_for_timeout(500)
    click(page, 600, 560)
    page.keyboard.press("2")  # about a cell that the server has not seen yet
    expect(page.locator(".notice")).to_contain_text("The server does not answer")
    expect(page.locator(".unsent")).to_have_text("3 unsent")
    shoot(page, "server-away")
    page.close()
    frail.server.start()
    again = frail.contexts[-1].new_page()
    again.clock.install(time=time.time() + MONTH_S)
    again.goto(f"{frail.server.address}/#{where}")
    all_sent(again)
    settle(again)  # the page's clock goes on while it is waited for
    until(lambda: _mine(anna, round_, frail) == [frail.look_alike] * 2)
    me = next(one for one in frail.lead.get("/api/raters")["raters"] if one["id"] == anna.id)
    assert abs(me["last_s"] - time.time()) < 600, "the server's clock counts, not the browser's"


def test_regions_that_are_drawn_or_placed_while_the_server_is_away_are_kept_and_sent(frail: Clinic) -> None:
    frail.foresee(*AWAY)
    slide = frail.slides["large.tiff"]
    where, interests = (f"/api/slides/{slide['id']}/{what}" for what in ("regions", "interests"))
    before, placed = len(frail.lead.get(where)["regions"]), len(frail.lead.get(interests)["interests"])
    page = frail.page(frail.lead, f"/regions/{slide['id']}")
    page.locator(".stage").wait_for()  # a page that is not there yet keeps nothing
    settle(page)
    frail.server.kill()
    for kind, left, unsent in (("t", 300, "1 unsent"), ("e", 420, "2 unsent")):
        page.keyboard.press(kind)
        for x, y in ((left, 300), (left + 80, 300), (left + 80, 400)):
            click(page, x, y)
            page.wait_for_timeout(80)
        page.keyboard.press("Enter")
        page.keyboard.press("Enter")  # a second time is none
        expect(page.locator(".unsent")).to_have_text(unsent)
    page.get_by_role("button", name="Place", exact=True).click()
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".unsent")).to_have_text("3 unsent")
    page.close()
    frail.server.start()
    again = frail.contexts[-1].new_page()
    again.goto(f"{frail.server.address}/#/regions/{slide['id']}")
    until(lambda: len(frail.lead.get(where)["regions"]) == before + 2)
    all_sent(again)
    assert len(frail.lead.get(interests)["interests"]) == placed + 1
    kinds = [one["kind"] for one in frail.lead.get(where)["regions"]][before:]
    assert kinds == ["tumour", "exclusion"]


def test_an_answer_lost_with_the_server_makes_no_second_cell(frail: Clinic) -> None:
    frail.foresee(*AWAY)
    anna = frail.person("Anna")
    round_ = frail.round("free", "unstated", anna)
    page = frail.page(anna, f"/round/{round_}/slide/{frail.slide['id']}")
    settle(page)
    killed: list[int] = []

    def lose(route: Route) -> None:
        if killed:
            return route.fallback()
        killed.append(route.fetch().status)  # it is done, and nobody hears of it
        frail.server.kill()
        return route.abort()

    page.route("**/actions", lose)
    click(page, 760, 420)
    expect(page.locator(".notice")).to_contain_text("1 action waits in this browser")
    frail.server.start()
    all_sent(page)
    assert killed == [200]
    assert _mine(anna, round_, frail) == [frail.figure]


def _mine(rater: Person, round_: int, clinic: Clinic) -> list[int]:
    found = rater.cells(round_, clinic.slide["id"])
    return [label for label, mine in zip(found["label"], found["mine"], strict=True) if mine]


def test_two_tabs_of_one_rater_send_each_label_once(clinic: Clinic, slides: Path) -> None:
    clinic.foresee(*AWAY, "409")
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    cells = anna.cells(label_all(clinic, anna, slides, n=4), clinic.slide["id"])["cell"]
    round_ = clinic.round("read", "second read", bert, cells=cells)
    one = clinic.page(bert, f"/round/{round_}")
    other = one.context.new_page()
    other.goto(one.url)
    for page in (one, other):
        expect(page.locator(".progress")).to_contain_text("0 of")
    one.keyboard.press("1")
    all_sent(one)
    other.keyboard.press("2")  # the same cell, as this tab does not know yet
    expect(other.locator(".toast.warning")).to_contain_text("another tab of yours")
    one.context.set_offline(True)
    other.keyboard.press("s")
    for page in (one, other):
        page.keyboard.press("1")
        expect(page.locator(".unsent")).to_contain_text("unsent")
    one.context.set_offline(False)
    for page in (one, other):
        all_sent(page)
    labels = [cell["label"] for cell in bert.get(f"/api/rounds/{round_}/done?n=50")["cells"]]
    assert labels == [clinic.figure] * 3
    assert bert.get(f"/api/rounds/{round_}/queue")["labelled"] == 3


def test_a_conflict_is_told_and_shows_the_cell_as_it_is(clinic: Clinic) -> None:
    clinic.foresee("409", "ERR_FAILED")
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
    expect(page.locator(".toast.warning")).to_contain_text("Somebody else")
    settle(page)
    shoot(page, "conflict")
