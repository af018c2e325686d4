"""Opening a study: each file is taken in, asked about or named; none stops others, many hold nobody up."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
import tifffile
from PIL import Image

from mitoscope.cli.serve import say_slides
from mitoscope.errors import ConfigError, MitoscopeError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.store import SlideRecord, Store
from mitoscope.web import OpenedStudy, create_app, looking
from mitoscope.web import slides as catalogue_module
from mitoscope.web.looking import Looked, Scales
from mitoscope.web.serving import open_study

from .making import Person, enter


@pytest.fixture
def folder(tmp_path: Path, slides: Path) -> Path:
    """Return a folder with a good slide, one without a resolution and one that is none."""
    folder = tmp_path / "slides"
    folder.mkdir()
    shutil.copy(slides / "one.tiff", folder / "one.tiff")
    Image.new("RGB", (640, 480), "white").save(folder / "picture.png")
    (folder / "broken.svs").write_bytes(b"II*\0broken")
    return folder


def lead_of(opened: OpenedStudy) -> Person:
    """Return the lead of a study, with a browser."""
    app = create_app(opened.store, opened.slides, intake=opened.intake)
    return Person(enter(app, f"/?token={opened.token}"), opened.lead_id)


def test_what_a_folder_holds_is_taken_in_asked_about_or_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    opened = open_study(tmp_path / "study.mito", folders=[folder])
    lead = lead_of(opened)
    states = {one["name"]: one for one in lead.get("/api/me")["slides"]}
    assert {name: one["state"] for name, one in states.items()} == {
        "one.tiff": "ok",
        "picture.png": "unscaled",
    }
    assert "resolution" in states["picture.png"]["reason"]
    assert states["picture.png"]["width"] == 640
    told = lead.get("/api/intake")
    assert told["waiting"] == 0
    assert [one["name"] for one in told["refused"]] == ["broken.svs"]
    say_slides(opened)
    said = capsys.readouterr().out
    assert "1 of 2 slides can be shown" in said
    assert "--mpp picture.png=0.25" in said
    assert "broken.svs: " in said
    assert "not added to the study" in said
    opened.store.close()


def test_the_lead_states_a_resolution_on_the_page_and_it_stays(folder: Path, tmp_path: Path) -> None:
    opened = open_study(tmp_path / "study.mito", folders=[folder])
    lead = lead_of(opened)
    ids = {one["name"]: one["id"] for one in lead.get("/api/me")["slides"]}
    path = f"/api/slides/{ids['picture.png']}/resolution"
    lead.put(path, mpp=0.01, status=422)
    shown = lead.put(path, mpp=0.5)["slide"]
    assert (shown["state"], shown["mpp"]) == ("ok", 0.5)
    lead.get(f"/api/slides/{ids['picture.png']}/tiles/10/0_0.jpg")
    assert lead.put(path, mpp=0.25)["slide"]["mpp"] == 0.25, "a slip can be corrected"
    lead.put(f"/api/slides/{ids['one.tiff']}/resolution", mpp=0.5, status=409)
    opened.store.close()
    again = open_study(tmp_path / "study.mito")
    assert {one.record.name: one.record.mpp for one in again.slides.all()}["picture.png"] == Mpp.square(0.25)
    assert {one.state for one in again.slides.all()} == {"ok"}
    again.store.close()


def test_resolutions_of_single_slides_are_given_by_name_or_table(folder: Path, tmp_path: Path) -> None:
    table = tmp_path / "mpp.csv"
    table.write_text("name,mpp\npicture.png,0.5\n")
    scales = Scales.parse(["1.0", "other.png=0.4", str(table)])
    assert (scales.default, scales.by_name) == (1.0, {"other.png": 0.4, "picture.png": 0.5})
    opened = open_study(tmp_path / "study.mito", folders=[folder], scales=scales)
    known = {one.name: one.mpp for one in opened.store.slides().values()}
    assert known == {"one.tiff": pytest.approx(Mpp.square(0.25)), "picture.png": Mpp.square(0.5)}
    opened.store.close()
    corrected = Scales.parse(["picture.png=0.6", "one.tiff=0.6"])
    again = open_study(tmp_path / "study.mito", scales=corrected)
    known = {one.name: one.mpp for one in again.store.slides().values()}
    assert known == {"one.tiff": pytest.approx(Mpp.square(0.25)), "picture.png": Mpp.square(0.6)}
    again.store.close()


@pytest.mark.parametrize("text", ["wide", "a.png=", "=", "nan", "a.png=9000", "none.csv"])
def test_what_is_no_resolution_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(MitoscopeError) as caught:
        Scales.parse([text])
    assert "\n" not in str(caught.value)


def test_a_table_of_other_columns_is_refused(tmp_path: Path) -> None:
    (tmp_path / "table.csv").write_text("slide,resolution\na,1\n")
    with pytest.raises(ConfigError, match="name,mpp"):
        Scales.parse([str(tmp_path / "table.csv")])


def test_the_objective_suggests_a_resolution(tmp_path: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    tifffile.imwrite(
        folder / "scan.svs",
        np.full((512, 512, 3), 230, np.uint8),
        tile=(256, 256),
        photometric="rgb",
        compression="zlib",
        description="Aperio Image Library v11\r\n512x512 (256x256)|AppMag = 40",
        metadata=None,
    )
    opened = open_study(tmp_path / "study.mito", folders=[folder])
    (slide,) = lead_of(opened).get("/api/me")["slides"]
    assert (slide["state"], slide["hint_mpp"]) == ("unscaled", 0.25)
    opened.store.close()


def test_many_slides_are_listed_without_opening_one(
    tmp_path: Path, slides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    with Store.create(tmp_path / "study.mito") as store:
        for number in range(150):
            (folder / f"{number}.tiff").hardlink_to(slides / "one.tiff")
            store.add_slide(SlideRecord(f"{number}.tiff", SizePx(2048, 1536), Mpp.square(0.25)))
        store.add_slide(SlideRecord("gone.tiff", SizePx(2048, 1536), Mpp.square(0.25)))
    monkeypatch.setattr("mitoscope.slide.opening.probe_slide", lambda path: None)
    opened_files: list[str] = []

    def look(path: Path, **scale: object) -> Looked:
        opened_files.append(path.name)
        return looking.look_at(path, **scale)  # type: ignore[arg-type]

    monkeypatch.setattr(catalogue_module, "look_at", look)
    opened = open_study(tmp_path / "study.mito", folders=[folder])
    lead = lead_of(opened)
    listed = lead.get("/api/me")["slides"]
    assert opened_files == []
    assert [one["name"] for one in listed if one["state"] != "ok"] == ["gone.tiff"]
    assert listed[0]["width"] == 2048
    lead.get(f"/api/slides/{listed[0]['id']}/tiles/11/0_0.jpg")
    assert opened_files == ["0.tiff"]
    opened.store.close()


def test_of_many_new_files_the_first_are_looked_at_and_the_rest_while_others_work(
    tmp_path: Path, slides: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    for number in range(120):
        (folder / f"{number:03d}.tiff").hardlink_to(slides / "one.tiff")
    monkeypatch.setattr("mitoscope.slide.opening.probe_slide", lambda path: None)
    opened = open_study(tmp_path / "study.mito", folders=[folder])
    lead = lead_of(opened)
    assert lead.get("/api/intake")["waiting"] == 20
    assert len(lead.get("/api/me")["slides"]) == 100
    opened.intake.begin()
    while lead.get("/api/intake")["waiting"]:
        pass
    assert lead.get("/api/intake")["refused"] == []
    assert len(lead.get("/api/me")["slides"]) == 120
    opened.intake.end()
    opened.store.close()
