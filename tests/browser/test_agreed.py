"""From two opinions to one class: consensus, third expert, the rule, and who overruled whom."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from .making import Clinic, all_sent, settle, shoot
from .seeding import truth


def _label_all(page: Page, key: str, n: int) -> None:
    expect(page.locator(".progress")).to_contain_text(f"0 of {n}")
    for _ in range(n):
        page.keyboard.press(key)
    expect(page.locator(".empty h2")).to_have_text("All cells are labelled.")
    all_sent(page)


def test_consensus_and_third_expert_become_the_agreed_class(clinic: Clinic, slides: Path) -> None:
    anna, bert, cora = (clinic.person(name) for name in ("Anna", "Bert", "Cora"))
    slide = clinic.slides["breast-03.tiff"]["id"]
    first = clinic.round("first", "screening", anna)
    for x, y, _ in truth(slides)[:4]:
        anna.act(first, kind="create", slide=slide, x=x + 40, y=y + 40, label=clinic.look_alike)
    cells = anna.cells(first, slide)["cell"]
    second = clinic.round("second", "second read", bert, cells=cells)
    for cell in cells:
        bert.act(second, kind="label", cell=cell, label=clinic.figure)

    third = clinic.round("third", "third expert", cora, cells=cells[:3], shows_labels=False)
    page = clinic.page(cora, f"/round/{third}")
    _label_all(page, "1", 3)
    clinic.round("together", "consensus", cora, cells=cells[3:], shows_labels=True)
    page.goto(f"{clinic.server.address}/#/")
    page.reload()
    page.locator(".card", has_text="together").click()
    expect(page.locator(".opinions")).to_contain_text(anna.name)
    _label_all(page, "1", 1)

    lead = clinic.page(clinic.lead, "/study/agreement")
    row = lead.get_by_role("row", name=f"{cora.name} overruled {anna.name}")
    expect(row).to_contain_text("3 of 3 cells")
    lead.get_by_label("A class is agreed by").select_option("majority")
    lead.get_by_role("button", name="Record the agreed classes").click()
    expect(lead.get_by_text("classes are agreed")).to_be_visible()
    settle(lead)
    shoot(lead, "overruled")
    free = clinic.round("look", "unstated", clinic.lead)
    seen = clinic.lead.cells(free, slide)
    agreed = dict(zip(seen["cell"], seen["label"], strict=True))
    assert [agreed[cell] for cell in cells] == [clinic.figure] * 4
