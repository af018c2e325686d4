"""Classes of a study: added by the lead, and at once the keys of those who label."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from .making import Clinic, settle, shoot


def test_a_class_that_the_lead_adds_has_a_key(clinic: Clinic) -> None:
    page = clinic.page(clinic.lead, "/study/classes")
    page.get_by_role("button", name="+ ambiguous").click()
    expect(page.get_by_role("row", name="ambiguous")).to_be_visible()
    page.get_by_label("Name of the new class").fill("megakaryocyte")
    page.get_by_role("button", name="Add", exact=True).click()
    row = page.get_by_role("row", name="megakaryocyte")
    row.get_by_role("button", name="Rename").click()
    row.get_by_label("New name of megakaryocyte").fill("giant cell")
    row.get_by_role("button", name="Save").click()
    expect(page.get_by_role("row", name="giant cell")).to_be_visible()
    settle(page)
    shoot(page, "classes")
    reader = clinic.person("Reader")
    round_ = clinic.round("free", "unstated", reader)
    work = clinic.page(reader, f"/round/{round_}/slide/{clinic.slide['id']}")
    expect(work.get_by_role("button", name=re.compile(r"^ambiguous \d"))).to_be_visible()
    expect(work.get_by_role("button", name=re.compile(r"^giant cell \d"))).to_be_visible()
