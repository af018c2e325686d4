"""Labels from a file and frozen versions, as the lead works with them on the page."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from .making import Clinic, shoot

ROWS = "image,x,y,label,rater\nbreast-04.tiff,300,300,Teilungsfigur,Anna\n"
ROWS += "breast-04.tiff,600,500,Tubule,Anna\nbreast-04.tiff,90000,640,look-alike,Anna\n"
ROWS += "of another study.svs,300,300,look-alike,Anna\n"


def test_a_file_is_mapped_imported_and_frozen(clinic: Clinic, tmp_path: Path) -> None:
    table = tmp_path / "labels.csv"
    table.write_text(ROWS)
    page = clinic.page(clinic.lead, "/study/data")
    page.get_by_role("button", name="Labels from a file").click()
    dialog = page.get_by_role("dialog")
    dialog.locator("input[type=file]").set_input_files(table)
    expect(dialog.get_by_role("button", name="Import")).to_be_disabled()
    dialog.get_by_label("Class of Teilungsfigur").select_option("mitotic figure")
    shoot(page, "data-mapping")
    dialog.get_by_label("Class of Tubule").select_option("leave these cells out")
    expect(dialog.get_by_text("2 cells on 2 slides")).to_be_visible()
    stranger = dialog.get_by_text("Not in the study, added without a picture: 1 slide, of another study.svs")
    expect(stranger).to_be_visible()
    expect(dialog.get_by_text("Cannot be taken, and go to quarantine: 1 entry")).to_be_visible()
    shoot(page, "data-preview")
    dialog.get_by_role("button", name="Import").click()
    expect(page.locator(".toast")).to_contain_text("Imported: 2 new cells, 2 labels, 1 entry in quarantine.")
    page.get_by_role("button", name="Freeze a version").click()
    dialog.get_by_label("Name, e.g. MEL").fill("TRIAL")
    dialog.get_by_role("button", name="Freeze").click()
    expect(page.get_by_role("row", name="TRIAL 1")).to_be_visible()
    shoot(page, "data-versions")
    with page.expect_download() as download:
        page.get_by_role("link", name="Export").click()
    assert b"breast-04.tiff" in Path(download.value.path()).read_bytes()
