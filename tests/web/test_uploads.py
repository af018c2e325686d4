"""Slides that come through the browser: in pieces, whole or not at all, and nowhere but into their folder."""

from __future__ import annotations

import errno
import hashlib
import io
from pathlib import Path
from typing import Any

import pytest

from mitoscope.web import uploads
from mitoscope.web.serving import open_study

from .making import BASE, Person, enter, key
from .test_opening import lead_of

PIECE = 200_000


@pytest.fixture
def lead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Return the lead of a study without slides."""
    monkeypatch.setattr("mitoscope.slide.opening.probe_slide", lambda path: None)
    folder = tmp_path / "slides"
    folder.mkdir()
    return lead_of(open_study(tmp_path / "study.mito", folders=[folder], may_be_empty=True))


def _begin(lead: Person, name: str, size: int, *, status: int = 200) -> Any:
    return lead.post("/api/uploads", name=name, bytes=size, changed_ms=5, status=status)


def _send(lead: Person, upload: str, offset: int, content: bytes, *, status: int = 200, **query: str) -> Any:
    answer = lead.client.put(
        f"/api/uploads/{upload}/pieces/{offset}",
        content=content,
        params=query,
        headers={"origin": BASE, "content-type": "application/octet-stream"},
    )
    assert answer.status_code == status, answer.text
    return answer.json()


def _settled(lead: Person) -> list[dict[str, Any]]:
    """Return the slides once all files were looked at."""
    while lead.get("/api/intake")["waiting"]:
        pass
    found: list[dict[str, Any]] = lead.get("/api/me")["slides"]
    return found


def test_a_slide_comes_in_pieces_and_goes_on_where_it_stopped(
    lead: Person, slides: Path, tmp_path: Path
) -> None:
    content = (slides / "one.tiff").read_bytes()
    begun = _begin(lead, "sent.tiff", len(content))
    assert begun["received"] == 0
    first, upload = content[:PIECE], begun["upload"]
    digest = hashlib.sha256(first).hexdigest()
    assert _send(lead, upload, 0, first, sha256=digest)["received"] == PIECE
    assert _send(lead, upload, 0, first)["received"] == PIECE, "a piece that comes again is not written again"
    assert _send(lead, upload, PIECE + 1, b"x", status=409)["received"] == PIECE
    assert _send(lead, upload, PIECE, b"x", status=422, sha256=digest)["code"] == "damaged"
    lead.post(f"/api/uploads/{upload}/finish", status=409)
    again = _begin(lead, "sent.tiff", len(content))
    assert (again["upload"], again["received"]) == (upload, PIECE)
    for offset in range(PIECE, len(content), PIECE):
        _send(lead, upload, offset, content[offset : offset + PIECE])
    for _ in range(2):
        lead.post(f"/api/uploads/{upload}/finish")
    (slide,) = _settled(lead)
    assert (slide["name"], slide["state"]) == ("sent.tiff", "ok")
    assert (tmp_path / "slides" / "sent.tiff").read_bytes() == content
    assert [one.name for one in (tmp_path / "slides").iterdir()] == ["sent.tiff"]
    lead.get(f"/api/slides/{slide['id']}/tiles/11/0_0.jpg")


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("notes.txt", 422),
        ("../../outside.tiff", 200),
        ("a/b.tiff", 200),
        (".hidden.tiff", 422),
        ("..", 422),
        ("slide.mrxs", 422),
        ("CON.tiff", 200),
    ],
)
def test_names_lead_nowhere_but_into_the_folder(lead: Person, tmp_path: Path, name: str, status: int) -> None:
    begun = _begin(lead, name, 4, status=status)
    if status == 200:
        _send(lead, begun["upload"], 0, b"abcd")
        lead.post(f"/api/uploads/{begun['upload']}/finish")
        assert [one.name for one in (tmp_path / "slides").iterdir()] == [begun["name"]]
        assert _settled(lead) == []
        assert lead.get("/api/intake")["refused"][0]["name"] == begun["name"]
    there = {one.name for one in tmp_path.iterdir() if not one.name.startswith(".")}
    assert there == {"slides", "study.mito"}


def test_a_file_that_is_there_is_not_written_over(lead: Person, tmp_path: Path) -> None:
    there = tmp_path / "slides" / "here.tiff"
    there.write_bytes(b"mine")
    assert "already" in _begin(lead, "here.tiff", 4, status=409)["error"]
    there.unlink()
    begun = _begin(lead, "here.tiff", 4)
    _send(lead, begun["upload"], 0, b"abcd")
    there.write_bytes(b"mine, and it came meanwhile")
    lead.post(f"/api/uploads/{begun['upload']}/finish", status=409)
    assert there.read_bytes() == b"mine, and it came meanwhile"
    lead.delete(f"/api/uploads/{begun['upload']}")
    assert [one.name for one in there.parent.iterdir()] == ["here.tiff"]


def test_a_full_disk_is_said_and_the_upload_goes_on(
    lead: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _begin(lead, "huge.tiff", uploads.SIZE_MAX_BYTES, status=507)["code"] == "disk_full"
    begun = _begin(lead, "one.tiff", 4)
    _send(lead, begun["upload"], 0, b"ab")

    class Full(io.FileIO):
        def write(self, content: Any) -> int:
            super().write(content[:1])
            raise OSError(errno.ENOSPC, "No space left on device")

    def opened(path: Path, mode: str) -> Full:
        return Full(path, mode)

    monkeypatch.setattr(Path, "open", opened)
    assert "full" in _send(lead, begun["upload"], 2, b"cd", status=507)["error"]
    monkeypatch.undo()
    assert _send(lead, begun["upload"], 2, b"cd")["received"] == 4
    assert (tmp_path / "slides" / f".{begun['upload']}.upload").read_bytes() == b"abcd"


def test_only_pieces_are_taken_as_bytes_and_only_from_our_own_page(lead: Person) -> None:
    begun = _begin(lead, "one.tiff", 4)
    path = f"/api/uploads/{begun['upload']}/pieces/0"
    octets = {"content-type": "application/octet-stream"}
    foreign = lead.client.put(path, content=b"ab", headers={**octets, "origin": "http://elsewhere.example"})
    assert (foreign.status_code, foreign.json()["code"]) == (403, "foreign_origin")
    assert lead.client.put(path, content=b"ab", headers=octets).status_code == 403, "no origin"
    as_json = lead.client.put(path, json={}, headers={"origin": BASE})
    assert as_json.status_code == 415
    for method, other in (("POST", "/api/uploads"), ("POST", path), ("PUT", "/api/study")):
        answer = lead.client.request(method, other, content=b"ab", headers={**octets, "origin": BASE})
        assert answer.status_code == 415, other
    long = lead.client.put(path, content=bytes(uploads.PART_BYTES + 1), headers={**octets, "origin": BASE})
    assert long.status_code == 422


def test_raters_add_no_slides(lead: Person) -> None:
    added = lead.post("/api/raters", name="reader", kind="expert", role="rater")
    begun = _begin(lead, "one.tiff", 4)
    reader = Person(enter(lead.client.app, added["link"]), added["id"])
    _begin(reader, "two.tiff", 4, status=403)
    _send(reader, begun["upload"], 0, b"abcd", status=403)
    for path in ("/api/files", "/api/intake"):
        reader.get(path, status=403)
    reader.post("/api/files", names=["a.tiff"], status=403)
    reader.post("/api/sample", status=403)
    reader.post(f"/api/uploads/{begun['upload']}/finish", status=403)


def test_files_of_the_folders_are_chosen(lead: Person, tmp_path: Path, slides: Path) -> None:
    for name in ("a.tiff", "b.tiff"):
        (tmp_path / "slides" / name).write_bytes((slides / "one.tiff").read_bytes())
    (tmp_path / "outside.tiff").write_bytes(b"not to be seen")
    found = lead.get("/api/files")
    assert [one["name"] for one in found["files"]] == ["a.tiff", "b.tiff"]
    assert found["upload_folder"] == "slides"
    lead.post("/api/files", names=["../outside.tiff"], status=422)
    mine = key()
    for _ in range(2):
        lead.post("/api/files", names=["b.tiff"], key=mine)
    assert [one["name"] for one in _settled(lead)] == ["b.tiff"]
    assert [one["name"] for one in lead.get("/api/files")["files"]] == ["a.tiff"]


def test_the_sample_is_called_synthetic(lead: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.web.sample.SIZE", "1024x768")
    lead.post("/api/sample")
    while lead.get("/api/intake")["sample"] == "being drawn":
        pass
    assert lead.get("/api/intake")["sample"] == "there"
    (slide,) = _settled(lead)
    assert "synthetic" in slide["name"]
    assert slide["state"] == "ok"
