"""Searching slides in the page: one from its case, several from the study's page."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from .making import Clinic, serving, settle, shoot

PATIENCE_MS = 300_000
"""A busy machine searches slowly; nothing here says how fast it is."""


@pytest.fixture
def clinic(tmp_path: Path, slides: Path, browser: Browser) -> Iterator[Clinic]:
    """Return a study of its own, which nobody has searched."""
    folder = tmp_path / "slides"
    folder.mkdir()
    for name in ("breast-01.tiff", "breast-02.tiff"):
        shutil.copy(slides / name, folder)
    with serving(tmp_path / "study.mito", folder, browser) as served:
        yield served
        served.close()


def test_a_slide_is_searched_from_its_case_and_the_rest_from_the_study(clinic: Clinic) -> None:
    slide = clinic.slide["id"]
    round_ = clinic.round("case", "case review", clinic.lead, settings={"area_mm2": 0.03})
    page = clinic.page(clinic.lead, f"/round/{round_}/slide/{slide}")
    start = page.get_by_role("button", name="Search this slide")
    expect(start).to_be_visible()
    settle(page)
    shoot(page, "search-before")
    start.click()
    expect(page.get_by_role("button", name="Pause")).to_be_visible()
    shoot(page, "search-running")
    expect(start).to_have_count(0)
    expect(page.get_by_role("slider", name="Threshold")).to_be_visible(timeout=PATIENCE_MS)
    case = clinic.lead.get(f"/api/rounds/{round_}/slides/{slide}/case")
    expect(page.locator(".count")).to_have_text(str(case["hot_spot"]["count"]))
    assert case["hot_spot"]["count"] > 0
    settle(page)
    shoot(page, "search-found")
    page.goto(f"{clinic.server.address}/#/study/search")
    page.get_by_role("button", name="Tick the 1 not searched yet").click()
    page.get_by_role("button", name="Search 1 slide").click()
    shoot(page, "search-start")
    page.get_by_role("dialog").get_by_role("button", name="Search 1 slide").click()
    expect(page.get_by_role("link", name="Report")).to_have_count(2, timeout=PATIENCE_MS)
    shoot(page, "search-page")
    page.get_by_role("button", name="Review the candidates").click()
    page.get_by_role("checkbox", name="lead").check()
    shoot(page, "search-review")
    page.get_by_role("button", name="Create").click()
    expect(page.get_by_text("candidates to review")).to_be_visible()
