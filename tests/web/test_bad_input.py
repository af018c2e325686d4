"""What goes wrong around a server: the answer says what happened and what to do, and nothing is lost."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from PIL import Image
from starlette.testclient import TestClient

from mitoscope.errors import FormatError, OutputError, StoreError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.infer.slide_list import find_slides
from mitoscope.store import SlideRecord, Store
from mitoscope.web import SlideCatalogue, create_app
from mitoscope.web.looking import Scales
from mitoscope.web.serving import listen, open_study
from mitoscope.web.slides import find_slide_files

from .making import BASE, HEIGHT, WIDTH, Clinic, Json, Person, enter, key, write_slide


def _said(answer: dict[str, str]) -> None:
    assert answer["error"]
    assert "\n" not in answer["error"]
    assert answer["mend"]


def test_a_slide_that_moved_away_and_came_back(quick_path: Path, slides: Path) -> None:
    folder = quick_path / "slides"
    folder.mkdir()
    shutil.copy(slides / "one.tiff", folder / "one.tiff")
    opened = open_study(quick_path / "study.mito", folders=[folder])
    app = create_app(opened.store, opened.slides)
    lead = Person(enter(app, f"/?token={opened.token}"), opened.lead_id)
    assert lead.get("/api/me")["slides"][0]["state"] == "ok"
    (folder / "one.tiff").rename(quick_path / "away.tiff")
    answer = lead.get("/api/slides/1/thumbnail.jpg", status=410)
    assert answer["code"] == "slide_missing"
    _said(answer)
    (slide,) = lead.get("/api/me")["slides"]
    assert slide["state"] == "missing"
    assert slide["reason"]
    assert slide["width"] == 2048
    for path in ("tiles/11/0_0.jpg", "thumbnail.jpg", "crop.jpg?x=1&y=1", "tissue"):
        answer = lead.get(f"/api/slides/1/{path}", status=410)
        assert answer["code"] == "slide_missing"
        _said(answer)
    # Labels go on: they need no pixels.
    lead.act(2, kind="create", slide=1, x=800, y=700, label=1)
    (quick_path / "away.tiff").rename(folder / "one.tiff")
    assert lead.get("/api/me")["slides"][0]["state"] == "ok"
    lead.get("/api/slides/1/tiles/11/0_0.jpg")
    opened.store.close()


def test_a_file_of_the_same_name_with_another_size_and_one_that_is_no_slide_are_rejected(
    quick_path: Path, slides: Path
) -> None:
    store = Store.create(quick_path / "study.mito")
    store.add_slide(SlideRecord("one.tiff", SizePx(10, 10)))
    store.add_slide(SlideRecord("text.svs"))
    text = quick_path / "text.svs"
    text.write_text("no slide")
    catalogue = SlideCatalogue(store, {"one.tiff": slides / "one.tiff", "text.svs": text})
    states = {one.record.name: one for one in catalogue.all()}
    assert {one.state for one in states.values()} == {"rejected"}
    assert "another slide" in (states["one.tiff"].mend or "")
    assert states["text.svs"].reason
    store.close()


def test_two_tabs_of_one_rater_do_not_overwrite_each_other(clinic: Clinic) -> None:
    made = clinic.lead.act(2, kind="create", slide=clinic.slide, x=800, y=700, label=1)
    clinic.lead.act(2, kind="label", cell=made["cell"], label=2, expected=made["seen"])
    late = clinic.lead.act(2, kind="label", cell=made["cell"], label=1, expected=made["seen"], status=409)
    assert late["code"] == "conflict"
    assert late["cell"]["label"] == 2
    _said(late)


@contextmanager
def _full(store: Store) -> Iterator[None]:
    """Leave the store no room to grow."""
    connection = store._connection
    (pages,) = connection.execute("PRAGMA page_count").fetchone()
    connection.execute(f"PRAGMA max_page_count = {pages}")
    yield
    connection.execute("PRAGMA max_page_count = 1000000")


def test_a_full_disk_is_said_and_the_same_action_works_once_there_is_space(clinic: Clinic) -> None:
    keys = [key() for _ in range(400)]
    body: Json = {"kind": "create", "slide": clinic.slide, "x": 800, "y": 700, "label": 1}
    with _full(clinic.store):
        answers = []
        for one in keys:
            answer = clinic.lead.client.post(
                "/api/rounds/2/actions", json=body | {"key": one}, headers={"origin": BASE}
            )
            answers.append(answer.status_code)
            if answer.status_code != 200:
                break
        assert answers[-1] == 507
        assert answer.json()["code"] == "disk_full"
        _said(answer.json())
        cells = clinic.lead.get(f"/api/rounds/2/slides/{clinic.slide}/cells")["cell"]
        assert len(cells) == len(answers) - 1
    again = clinic.lead.act(2, **body, key=keys[len(answers) - 1])
    assert not again["is_repeated"]
    clinic.store.verify()


def test_a_study_that_was_moved_is_said_and_the_same_action_works_once_it_is_back(clinic: Clinic) -> None:
    body: Json = {"kind": "create", "slide": clinic.slide, "x": 800, "y": 700, "label": 1, "key": key()}
    away = clinic.store.path.with_name("elsewhere.mito")
    clinic.store.path.rename(away)
    refused = clinic.lead.act(2, **body, status=507)
    assert refused["code"] == "moved"
    assert "was moved or deleted" in refused["error"]
    assert "put it back" in refused["mend"]
    assert "space" not in refused["mend"]
    _said(refused)
    away.rename(clinic.store.path)
    assert not clinic.lead.act(2, **body)["is_repeated"]


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("a\x07b", "name holds control characters"),
        (" ", "name is empty"),
        ("\u202eanna", "name holds control characters"),
        ("\u200b", "name holds control characters"),
        (3, "name must be text, not 3"),
    ],
)
def test_a_name_that_cannot_be_is_said_in_plain_words(clinic: Clinic, name: object, said: str) -> None:
    answer = clinic.lead.post("/api/raters", name=name, kind="expert", role="rater", status=422)
    assert answer["error"] == said


def test_a_choice_that_is_not_there_is_said_in_plain_words(clinic: Clinic) -> None:
    refused = clinic.lead.post("/api/raters", name="Anna", kind="robot", status=422)
    assert refused["error"] == "kind: choose expert or crowd, not 'robot'"
    headers = {"origin": BASE, "content-type": "application/json"}
    answer = clinic.lead.client.post("/api/raters", content="{name", headers=headers)
    assert answer.json()["error"] == "the request is not JSON"


def test_a_study_that_became_read_only_is_said_and_what_was_acknowledged_is_shown(clinic: Clinic) -> None:
    body: Json = {"kind": "create", "slide": clinic.slide, "x": 800, "y": 700, "label": 1, "key": key()}
    before = clinic.lead.act(2, kind="create", slide=clinic.slide, x=700, y=700, label=1)
    clinic.store._connection.execute("PRAGMA query_only = ON")
    refused = clinic.lead.act(2, **body, status=507)
    assert "permission" in refused["mend"]
    _said(refused)
    assert clinic.lead.get(f"/api/rounds/2/slides/{clinic.slide}/cells")["cell"] == [before["cell"]]
    clinic.store._connection.execute("PRAGMA query_only = OFF")
    assert not clinic.lead.act(2, **body)["is_repeated"]
    clinic.store.verify()


@pytest.mark.parametrize(("days", "status"), [(-400, 200), (29, 200), (31, 401)])
def test_a_clock_that_jumps_loses_nothing_and_at_most_ends_the_visit(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, days: int, status: int
) -> None:
    made = clinic.lead.act(2, kind="create", slide=clinic.slide, x=800, y=700, label=1)
    now = time.time() + days * 24 * 3600
    monkeypatch.setattr("time.time", lambda: now)
    clinic.app.state.mitoscope.forget_visits()
    answer = clinic.lead.act(
        2, kind="label", cell=made["cell"], label=2, expected=made["seen"], status=status
    )
    if status == 401:
        assert answer["code"] == "unknown_token"
        _said(answer)
    again = Person(enter(clinic.app, f"/?token={clinic.token}"))
    cells = again.get(f"/api/rounds/2/slides/{clinic.slide}/cells")
    assert (cells["cell"], cells["label"]) == ([made["cell"]], [2 if status == 200 else 1])
    clinic.store.verify()


def test_a_store_that_another_process_holds_is_busy_not_broken(clinic: Clinic) -> None:
    clinic.store._connection.execute("PRAGMA busy_timeout = 50")
    other = sqlite3.connect(clinic.store.path, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    answer = clinic.lead.act(2, kind="create", slide=1, x=800, y=700, status=503)
    assert answer["code"] == "busy"
    _said(answer)
    other.execute("ROLLBACK")
    other.close()
    clinic.lead.act(2, kind="create", slide=clinic.slide, x=800, y=700)


def test_a_fault_of_ours_is_one_line_and_changes_nothing(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError("at /home/somebody/secret")

    monkeypatch.setattr("mitoscope.web.routes.cells._record", broken)
    client = TestClient(clinic.app, base_url=BASE, raise_server_exceptions=False)
    client.cookies = clinic.lead.client.cookies
    body = {"key": key(), "kind": "create", "slide": clinic.slide, "x": 800, "y": 700}
    answer = client.post("/api/rounds/2/actions", json=body, headers={"origin": BASE})
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "secret" not in answer.text
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert "secret" in caplog.text
    _said(answer.json())
    monkeypatch.undo()
    assert clinic.lead.get(f"/api/rounds/2/slides/{clinic.slide}/cells")["cell"] == []


def test_a_new_study_comes_from_a_folder_with_what_can_be_read_of_it(tmp_path: Path, slides: Path) -> None:
    folder = tmp_path / "slides"
    (folder / "below").mkdir(parents=True)
    shutil.copy(slides / "one.tiff", folder / "below" / "one.tiff")
    (folder / "broken.svs").write_bytes(b"II*\0broken")
    (folder / "notes.txt").write_text("no slide")
    (folder / "out.tiff").symlink_to(slides / "one.tiff")
    opened = open_study(tmp_path / "study.mito", folders=[folder])
    assert [one.name for one in opened.store.slides().values()] == ["one.tiff"]
    opened.store.close()
    write_slide(folder / "two.tiff", width=600, height=504)
    again = open_study(tmp_path / "study.mito")
    assert [one.state for one in again.slides.all()] == ["ok"], "the folder is remembered"
    again.store.close()
    more = open_study(tmp_path / "study.mito", folders=[folder], add=True)
    assert [one.name for one in more.store.slides().values()] == ["one.tiff", "two.tiff"]
    more.store.close()


def test_links_out_of_a_folder_are_not_followed(tmp_path: Path, slides: Path) -> None:
    folder = tmp_path / "slides"
    folder.mkdir()
    (folder / "out.tiff").symlink_to(slides / "one.tiff")
    (folder / "dir").symlink_to(slides)
    assert find_slide_files([folder]) == {}


def test_what_detect_searches_in_a_folder_open_opens(tmp_path: Path) -> None:
    names = (
        "b.svs",
        "b.json",
        "b.tissue.png",
        "c.JP2",
        "d.bmp",
        ".hidden/e.svs",
        "m.mrxs",
        "m/x.jpg",
        "n.txt",
    )
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = list(find_slide_files([tmp_path]))
    assert found == ["b.svs", "c.JP2", "d.bmp", "m.mrxs"]
    assert found == [slide.path.name for slide in find_slides([tmp_path])]


def test_without_a_study_and_without_slides_there_is_nothing_to_serve(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="--slides DIR"):
        open_study(tmp_path / "study.mito")
    with pytest.raises(FormatError, match="no such folder"):
        open_study(tmp_path / "study.mito", folders=[tmp_path / "none"])
    with pytest.raises(FormatError, match="no slides"):
        open_study(tmp_path / "study.mito", folders=[tmp_path])
    assert not (tmp_path / "study.mito").exists()


def test_an_address_that_is_taken_is_said() -> None:
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with pytest.raises(OutputError, match=r"cannot be listened on.*--port"):
            listen("127.0.0.1", port)
    with pytest.raises(OutputError, match="cannot be listened on"):
        listen("256.0.0.1", 80)


def test_an_imported_study_learns_size_and_resolution_from_its_slides(tmp_path: Path, slides: Path) -> None:
    shutil.copy(slides / "one.tiff", tmp_path / "one.tiff")
    Image.new("RGB", (64, 48), "white").save(tmp_path / "picture.png")
    with Store.create(tmp_path / "study.mito") as store:
        for name in ("one.tiff", "picture.png", "gone.tiff"):
            store.add_slide(SlideRecord(name))
    opened = open_study(tmp_path / "study.mito", folders=[tmp_path], scales=Scales(0.5))
    known = {slide.name: slide for slide in opened.store.slides().values()}
    opened.store.close()
    assert known["one.tiff"].size == SizePx(WIDTH, HEIGHT)
    assert known["one.tiff"].mpp == pytest.approx(Mpp.square(0.25))
    assert known["picture.png"].size == SizePx(64, 48)
    assert known["picture.png"].mpp == Mpp.square(0.5)
    assert known["gone.tiff"].size is None


def test_what_a_study_states_of_a_slide_is_not_replaced(tmp_path: Path, slides: Path) -> None:
    shutil.copy(slides / "one.tiff", tmp_path / "one.tiff")
    other = SizePx(100, 100)
    with Store.create(tmp_path / "study.mito") as store:
        store.add_slide(SlideRecord("one.tiff", other))
    opened = open_study(tmp_path / "study.mito", folders=[tmp_path])
    (slide,) = opened.store.slides().values()
    (shown,) = opened.slides.all()
    opened.store.close()
    assert (slide.size, slide.mpp) == (other, None)
    assert shown.state == "rejected"
