"""A whole data set: the licence first, then what is missing, then what came of it."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from mitoscope.errors import FormatError, IncompleteRunError, InputError, OutputError
from mitoscope.experiments.datasets import (
    Dataset,
    Delivered,
    Gauge,
    Order,
    find_dataset,
    get_dataset,
    orders,
    published,
)
from mitoscope.fsio import exclusive_lock
from tests.experiments.datasets.host import Host, Served
from tests.experiments.datasets.made import QUICK, dataset, touch


def serve_little(host: Host) -> None:
    for number in (11, 12, 13):
        host.files[f"/files/{number}"] = Served(f"slide {number}".encode() * 100)
    host.files["/labels.json"] = Served(b"{}")


def run(
    one: Dataset, root: Path, wanted: tuple[Order, ...], *, accepted: bool = True, told: Any = None
) -> Delivered:
    lines: list[str] = [] if told is None else told
    return get_dataset(
        one,
        root,
        wanted,
        accepted=accepted,
        patience=QUICK,
        report=lambda done, total: None,
        tell=lines.append,
    )


def test_nothing_is_asked_before_the_licence_is_accepted(host: Host, tmp_path: Path) -> None:
    serve_little(host)
    one = dataset()
    with pytest.raises(InputError, match=r"CC BY-NC 4\.0.*--accept-licence"):
        run(one, tmp_path / "new", orders(one, url_base=host.url), accepted=False)
    assert host.asked == []
    assert not (tmp_path / "new").exists()


def test_files_come_into_their_folders_and_a_second_call_asks_for_nothing(host: Host, tmp_path: Path) -> None:
    serve_little(host)
    one = dataset()
    got = run(one, tmp_path, orders(one, url_base=host.url))
    assert got.received == ["WSI/001.tiff", "WSI/002.tiff", "WSI/003.tiff", "labels.json"]
    assert (tmp_path / "WSI" / "002.tiff").read_bytes() == b"slide 12" * 100
    receipt = json.loads((tmp_path / "mitoscope-data.json").read_text())
    assert receipt["licence"] == "CC BY-NC 4.0"
    assert receipt["files"]["WSI/002.tiff"]["sha256"] == hashlib.sha256(b"slide 12" * 100).hexdigest()
    host.asked.clear()
    again = run(one, tmp_path, orders(one, url_base=host.url))
    assert (again.received, len(again.present)) == ([], 4)
    assert host.asked == []


def test_only_some_files(host: Host, tmp_path: Path) -> None:
    serve_little(host)
    one = dataset()
    assert run(one, tmp_path, orders(one, url_base=host.url, only="00[13].tiff")).received == [
        "WSI/001.tiff",
        "WSI/003.tiff",
    ]
    with pytest.raises(InputError, match="no file fits"):
        orders(one, only="*.svs")


def test_one_that_is_refused_does_not_keep_the_others(host: Host, tmp_path: Path) -> None:
    serve_little(host)
    del host.files["/files/12"]
    one = dataset()
    told: list[str] = []
    got = run(one, tmp_path, orders(one, url_base=host.url), told=told)
    assert len(got.received) == 3
    assert [one.path for one in got.rejected] == ["WSI/002.tiff"]
    assert told == ["WSI/002.tiff: the server answers 404 Not Found"]


def test_a_server_that_goes_away_keeps_what_has_come(host: Host, tmp_path: Path) -> None:
    serve_little(host)
    one = dataset()
    wanted = orders(one, url_base=host.url)
    host.cuts = [10**6, 100, 0, 0, 0]
    with pytest.raises(IncompleteRunError, match=r"100 bytes of WSI/002\.tiff are kept"):
        run(one, tmp_path, wanted)
    host.cuts, host.asked = [], []
    assert run(one, tmp_path, wanted).received == ["WSI/002.tiff", "WSI/003.tiff", "labels.json"]
    assert host.asked[0] == ("/files/12", "bytes=100-")


def test_a_file_in_the_place_of_another_is_left_alone(host: Host, tmp_path: Path) -> None:
    serve_little(host)
    one = dataset()
    touch(tmp_path, "WSI/001.tiff", body=b"mine")
    wanted = tuple(
        Order(each.path, each.url, size_bytes=800 if each.path.startswith("WSI") else None)
        for each in orders(one, url_base=host.url)
    )
    got = run(one, tmp_path, wanted)
    assert "a file of 4 bytes is in its place, 800 are expected" in got.rejected[0].why
    assert (tmp_path / "WSI" / "001.tiff").read_bytes() == b"mine"


def test_a_checksum_by_hand_is_looked_at(host: Host, tmp_path: Path) -> None:
    one = dataset()
    touch(tmp_path, "WSI/001.tiff", body=b"mine")
    wrong = Order("WSI/001.tiff", f"{host.url}/files/11", checksum="md5:" + "0" * 32)
    assert "another content" in run(one, tmp_path, (wrong,)).rejected[0].why
    right = Order("WSI/001.tiff", f"{host.url}/files/11", checksum="md5:" + hashlib.md5(b"mine").hexdigest())
    assert run(one, tmp_path, (right,)).present == ["WSI/001.tiff"]


def test_no_room_is_said_before_the_first_byte(host: Host, tmp_path: Path) -> None:
    one = dataset()
    huge = Order("a.svs", f"{host.url}/a.svs", size_bytes=10**18)
    with pytest.raises(OutputError, match=r"1000000000\.0 GB are still to come"):
        run(one, tmp_path, (huge,))
    assert host.asked == []


def test_two_downloads_into_one_folder_are_refused(host: Host, tmp_path: Path) -> None:
    one = dataset()
    with (
        exclusive_lock(tmp_path / ".mitoscope-get.lock"),
        pytest.raises(OutputError, match=r"another mitoscope process.*another --data"),
    ):
        run(one, tmp_path, orders(one, url_base=host.url))
    touch(tmp_path, "file")
    with pytest.raises(OutputError, match=r"cannot be written.*--data"):
        run(one, tmp_path / "file", orders(one, url_base=host.url))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("tupac16", r"needs a registration.*https://tupac\.grand-challenge\.org.*register at the challenge"),
        ("mitos14", r"needs a registration.*https://mitos-atypia-14\.grand-challenge\.org"),
        ("midesec", r"publishes no addresses.*kaggle\.com"),
        ("ami-br", r"publishes no addresses.*git clone"),
    ],
)
def test_what_cannot_be_downloaded_says_where_to_go(name: str, why: str) -> None:
    with pytest.raises(InputError, match=why):
        orders(find_dataset(name))


def zipped(files: dict[str, bytes]) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as packed:
        for name, body in files.items():
            packed.writestr(name, body)
    return stream.getvalue()


def packed_dataset() -> Dataset:
    group = {"what": "fields", "kind": "image", "folder": "images", "names": ["a.tif", "b.tif"]}
    archive = {"name": "all.zip", "url": "https://example.org/all.zip", "unpacks": ["images"]}
    return dataset(files={"images": group}, archives=[archive])


def test_an_archive_is_unpacked_once(host: Host, tmp_path: Path) -> None:
    host.files["/all.zip"] = Served(zipped({"Set/images/a.tif": b"1", "Set/images/b.tif": b"2"}))
    one = packed_dataset()
    wanted = orders(one, url_base=host.url)
    got = run(one, tmp_path, wanted)
    assert (got.received, got.unpacked) == (["all.zip"], 2)
    assert (tmp_path / "Set" / "images" / "b.tif").read_bytes() == b"2"
    (tmp_path / "all.zip").unlink()
    host.asked.clear()
    assert run(one, tmp_path, wanted).present == ["all.zip"]
    assert host.asked == []


def test_an_archive_that_leaves_its_folder_or_is_damaged_is_refused(host: Host, tmp_path: Path) -> None:
    one = packed_dataset()
    wanted = orders(one, url_base=host.url)
    host.files["/all.zip"] = Served(zipped({"../out.tif": b"1"}))
    with pytest.raises(InputError, match="leaves its directory"):
        run(one, tmp_path / "in" / "side", wanted)
    assert not (tmp_path / "in" / "out.tif").exists()
    host.files["/all.zip"] = Served(b"PK\x03\x04 not at all", etag='"two"')
    with pytest.raises(FormatError, match=r"all\.zip: is damaged"):
        run(one, tmp_path / "other", wanted)


def listing(*files: tuple[str, bytes]) -> bytes:
    entries = [
        {"key": name, "size": len(body), "checksum": "md5:" + hashlib.md5(body).hexdigest()}
        for name, body in files
    ]
    return json.dumps({"files": entries}).encode()


def test_zenodo_states_sizes_and_checksums(host: Host, tmp_path: Path) -> None:
    one = dataset(zenodo=77)
    serve_little(host)
    good, bad = b"slide 11" * 100, b"slide 12" * 99 + b"SLIDE 12"
    host.files["/api/records/77"] = Served(listing(("001.tiff", good), ("002.tiff", bad)))
    known = published(77, url_base=host.url, patience=QUICK)
    wanted = orders(one, url_base=host.url, listing=known, only="00[12].tiff")
    assert [each.size_bytes for each in wanted] == [800, 800]
    got = run(one, tmp_path, wanted)
    assert got.received == ["WSI/001.tiff"]
    assert "its MD5 is" in got.rejected[0].why
    assert (tmp_path / "WSI" / "002.tiff.rejected").exists()


def test_a_listing_that_is_none_is_refused(host: Host) -> None:
    with pytest.raises(IncompleteRunError, match=r"404.*--no-checksums"):
        published(77, url_base=host.url, patience=QUICK)
    for text in (b"{", b"[]", b'{"files": [{}]}'):
        host.files["/api/records/77"] = Served(text)
        with pytest.raises(FormatError, match=r"does not describe a record.*--no-checksums"):
            published(77, url_base=host.url, patience=QUICK)
    host.files["/api/records/77"] = Served(listing(("a", b"1")))
    host.busy = 1
    assert published(77, url_base=host.url, patience=QUICK)["a"].size_bytes == 1


def test_progress_is_in_bytes_where_all_sizes_are_known_else_in_files() -> None:
    seen: list[tuple[float, float]] = []
    sized = Gauge((Order("a", "", 10**9), Order("b", "", 3 * 10**9)), lambda *now: seen.append(now))
    sized.at(1, 10**9, None)
    unsized = Gauge((Order("a", ""), Order("b", "")), lambda *now: seen.append(now))
    unsized.at(1, 25, 100)
    unsized.at(1, 25, None)
    assert (sized.unit, unsized.unit) == ("GB", "files")
    assert seen == [(2.0, 4.0), (1.25, 2.0), (1.0, 2.0)]
