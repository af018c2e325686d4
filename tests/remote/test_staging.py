"""Slides from an S3 server and a web server: whole, as they are now, within the bound, shared."""

from __future__ import annotations

import hashlib
import json
import pickle
import shutil
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import mitoscope.remote.objects
from mitoscope.errors import ConfigError, MitoscopeError, RemoteError, StoppedError, UnreachableError
from mitoscope.infer import ListedSlide, SlidesHere
from mitoscope.remote import Ahead, Location, Patience, Staging
from tests.experiments.datasets.host import Host, Served
from tests.remote.conftest import SECRET, Bucket

QUICK = Patience(tries=2, first_s=0.001, longest_s=0.002, timeout_s=5.0)
BODY = bytes(range(251)) * 400
MB = 1_000_000
PART = 5_000


def staging(folder: Path, limit_bytes: int = 100 * MB) -> Staging:
    return Staging(folder / "staged", limit_bytes=limit_bytes, patience=QUICK)


def until(size: int, stop: threading.Event) -> Callable[[int, int], None]:
    """Return what stops the staging when so many bytes have come."""

    def report(done: int, total: int) -> None:
        if done >= size:
            stop.set()

    return report


def entries(folder: Path) -> set[str]:
    """Return the addresses of what is staged as a whole."""
    abouts = [json.loads(path.read_text()) for path in (folder / "staged").glob("slides/*/about.json")]
    return {about["address"] for about in abouts if about["files"]}


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """Cut files into parts of 5,000 bytes, and return which were asked of the store."""
    import s3fs

    asked: list[tuple[str, int]] = []
    ours = s3fs.S3FileSystem._cat_file

    async def noted(self: Any, path: str, version_id: Any = None, start: int = 0, **more: Any) -> bytes:
        asked.append((path.rpartition("/")[2], start))
        content: bytes = await ours(self, path, version_id, start, **more)
        return content

    monkeypatch.setattr(s3fs.S3FileSystem, "_cat_file", noted)
    monkeypatch.setattr(mitoscope.remote.objects, "PART_BYTES", PART)
    s3fs.S3FileSystem.clear_instance_cache()
    return asked


def test_a_slide_comes_by_parts_and_is_there_the_second_time(
    bucket: Bucket, tmp_path: Path, small_parts: list[tuple[str, int]]
) -> None:
    location = Location.parse(bucket.put("cases/a slide.svs", BODY))
    reports: list[tuple[int, int]] = []
    with staging(tmp_path).hold(location, report=lambda done, total: reports.append((done, total))) as held:
        assert held.path.name == "a slide.svs"
        assert held.path.read_bytes() == BODY
    assert sorted(start for _, start in small_parts) == list(range(0, len(BODY), PART))
    assert reports[-1] == (len(BODY), len(BODY))
    assert len(reports) > 20
    (about,) = (tmp_path / "staged").glob("slides/*/about.json")
    assert json.loads(about.read_text())["files"][0]["sha256"] == hashlib.sha256(BODY).hexdigest()
    small_parts.clear()
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY
    assert small_parts == []


def test_what_was_stopped_goes_on_with_the_parts_that_are_missing(
    bucket: Bucket, tmp_path: Path, small_parts: list[tuple[str, int]]
) -> None:
    location = Location.parse(bucket.put("slide.svs", BODY))
    stop = threading.Event()
    with pytest.raises(StoppedError, match=r"stopped while it was staged; repeat the same command"):
        staging(tmp_path).hold(location, stop=stop, report=until(30_000, stop))
    assert entries(tmp_path) == set()
    small_parts.clear()
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY
    assert min(start for _, start in small_parts) == 30_000


def test_of_a_slide_that_changed_nothing_old_is_left(
    bucket: Bucket, tmp_path: Path, small_parts: list[tuple[str, int]], caplog: pytest.LogCaptureFixture
) -> None:
    location = Location.parse(bucket.put("slide.svs", BODY))
    with staging(tmp_path).hold(location):
        pass
    bucket.put("slide.svs", BODY[::-1])
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY[::-1]
    assert f"{location} has changed since it was staged: it is fetched again" in caplog.text
    # A beginning of one version is never continued with another.
    bucket.put("slide.svs", BODY)
    stop = threading.Event()
    with pytest.raises(StoppedError):
        staging(tmp_path).hold(location, stop=stop, report=until(30_000, stop))
    bucket.put("slide.svs", BODY[::-1])
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY[::-1]

    def change(done: int, total: int) -> None:
        if done == 20_000:
            bucket.put("slide.svs", b"x" * len(BODY))

    bucket.put("slide.svs", BODY)
    with pytest.raises(RemoteError, match="changed while it was fetched; repeat the command"):
        staging(tmp_path).hold(location, report=change)
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == b"x" * len(BODY)


def test_a_staged_file_that_was_damaged_on_this_machine_comes_again(bucket: Bucket, tmp_path: Path) -> None:
    location = Location.parse(bucket.put("slide.svs", BODY))
    with staging(tmp_path).hold(location) as held:
        held.path.write_bytes(BODY[:-1])
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY


def test_slides_of_several_files_come_whole(bucket: Bucket, host: Host, tmp_path: Path) -> None:
    ini = b"""[HIERARCHICAL]
INDEXFILE = I.dat
[DATAFILE]
FILE_COUNT = 2
FILE_0 = D0.dat
FILE_1 = D1.dat
"""
    parts = {
        "a/Slidedat.ini": ini,
        "a/I.dat": b"i",
        "a/D0.dat": b"00",
        "a/D1.dat": b"111",
        "a.mrxs": b"head",
    }
    for name, content in parts.items():
        bucket.put(f"mirax/{name}", content)
        host.files[f"/mirax/{name}"] = Served(content)
    bucket.put("mirax/b.mrxs", b"another")
    for address in (f"{bucket.url}/mirax/a.mrxs", f"{host.url}/mirax/a.mrxs"):
        with staging(tmp_path).hold(Location.parse(address)) as held:
            folder = held.path.parent
            found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*.*")}
            assert found == parts
    for name in ("one.dcm", "two.DCM", "notes.txt", "other/three.dcm"):
        bucket.put(f"dicom/case/{name}", name.encode())
    with staging(tmp_path).hold(Location.parse(f"{bucket.url}/dicom/case/two.DCM")) as held:
        assert held.path.name == "two.DCM"
        assert sorted(path.name for path in held.path.parent.iterdir()) == ["one.dcm", "two.DCM"]
    with pytest.raises(RemoteError, match=r"has no folder 'b' beside it; copy both there"):
        staging(tmp_path).hold(Location.parse(f"{bucket.url}/mirax/b.mrxs"))
    with pytest.raises(RemoteError, match="a web server does not list; read it from s3://"):
        staging(tmp_path).hold(Location.parse(f"{host.url}/case/two.dcm"))


def test_the_bound_holds_and_takes_what_was_used_longest_ago(bucket: Bucket, tmp_path: Path) -> None:
    places = {name: Location.parse(bucket.put(f"{name}.svs", b"x" * 400)) for name in "abcd"}
    small = staging(tmp_path, 1000)
    for name in "ab":
        small.hold(places[name]).close()
    small.hold(places["a"]).close()  # used again, so b is the older one
    small.hold(places["c"]).close()
    assert entries(tmp_path) == {f"{bucket.url}/{name}.svs" for name in "ac"}
    in_use = small.hold(places["a"])
    small.hold(places["d"]).close()
    assert entries(tmp_path) == {f"{bucket.url}/{name}.svs" for name in "ad"}
    assert in_use.path.exists()
    large = Location.parse(bucket.put("large.svs", b"x" * 1001))
    with pytest.raises(
        RemoteError, match="may be staged; allow more with --staging-gb or MITOSCOPE_STAGING_GB"
    ):
        small.hold(large)
    in_use.close()


def test_a_slide_waits_for_the_room_of_slides_in_use(bucket: Bucket, tmp_path: Path) -> None:
    a, b = (Location.parse(bucket.put(f"{name}.svs", b"x" * 700)) for name in "ab")
    small, stop = staging(tmp_path, 1000), threading.Event()
    threading.Timer(0.3, stop.set).start()
    with small.hold(a), pytest.raises(StoppedError):
        small.hold(b, stop=stop)
    with Ahead(small, [a, b]) as ahead:
        first = ahead.take(0)
        assert first.path.exists()  # and b, which has been asked for ahead, waits
        first.close()
        with ahead.take(1) as second:
            assert second.path.read_bytes() == b"x" * 700
    assert entries(tmp_path) == {f"{bucket.url}/b.svs"}


_USER = """
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from mitoscope.remote import Location, Staging
staging = Staging(Path(sys.argv[1]), limit_bytes=1000)
held = staging.hold(Location.parse(sys.argv[2]))
print(held.path.read_bytes().decode(), flush=True)
sys.stdin.read(1)
"""


def test_what_another_process_uses_stays_until_that_ends_however_it_ends(
    bucket: Bucket, tmp_path: Path
) -> None:
    a, b = (Location.parse(bucket.put(f"{name}.svs", name.encode() * 700)) for name in "ab")
    small, stop = staging(tmp_path, 1000), threading.Event()
    command = [sys.executable, "-c", _USER, str(small.folder), a.url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == "a" * 700
        threading.Timer(0.3, stop.set).start()
        with pytest.raises(StoppedError):
            small.hold(b, stop=stop)
        with small.hold(a) as shared:  # two may use one
            assert shared.path.read_bytes() == b"a" * 700
        other.kill()
        other.wait()
        with small.hold(b) as held:
            assert held.path.read_bytes() == b"b" * 700
    assert entries(tmp_path) == {f"{bucket.url}/b.svs"}


def test_the_next_slide_comes_while_one_is_searched(bucket: Bucket, tmp_path: Path) -> None:
    locations = [Location.parse(bucket.put(f"{n}.svs", BODY)) for n in range(3)]
    here = threading.Event()

    def report(location: Location, done: int, total: int) -> None:
        if location == locations[1] and done == total:
            here.set()

    with Ahead(staging(tmp_path), [locations[0], None, *locations[1:]], report=report) as ahead:
        with ahead.take(0):
            assert here.wait(30)  # comes though nobody has asked for it
        ahead.take(2).close()
    ahead.close()


def test_what_keeps_a_slide_from_coming_is_one_line_and_others_come(bucket: Bucket, tmp_path: Path) -> None:
    a = Location.parse(bucket.put("a.svs", BODY))
    missing = Location.parse(f"{bucket.url}/missing.svs")
    bucket.put("folder/b.svs", BODY)
    with Ahead(staging(tmp_path), [missing, a]) as ahead:
        with pytest.raises(
            RemoteError, match=r"^s3://slides-\w+/missing.svs: no such object or bucket; check"
        ):
            ahead.take(0)
        ahead.take(1).close()
    with pytest.raises(RemoteError, match="is a folder; name the slides in it"):
        staging(tmp_path).hold(Location.parse(f"{bucket.url}/folder"))
    bucket.remove()
    with pytest.raises(
        RemoteError, match=r"^s3://slides-\w+/a.svs: no such object or bucket; check the address$"
    ):
        staging(tmp_path).hold(a)


def test_a_server_that_is_gone_and_credentials_that_are_missing(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import s3fs

    a = Location.parse(f"s3://somebody:{SECRET}@{bucket.name}/a.svs")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(UnreachableError, match="does not answer as it should") as caught:
        staging(tmp_path).hold(a)
    assert SECRET not in str(caught.value)
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    s3fs.S3FileSystem.clear_instance_cache()
    with pytest.raises(RemoteError, match="no credentials are found; set AWS_PROFILE"):
        staging(tmp_path).hold(a)


def test_a_web_server_is_asked_for_what_is_missing_alone(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    location = Location.parse(
        f"{host.url.replace('http://', f'http://ann:{SECRET}@')}/slide.svs?X-Amz-Signature=1"
    )
    host.cuts = [100, 30_000, 0]
    with pytest.raises(UnreachableError) as caught:
        staging(tmp_path).hold(location)
    assert SECRET not in str(caught.value)
    assert "Signature" not in str(caught.value)
    host.asked.clear()
    host.cuts = []
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY
    assert "bytes=30000-" in [wanted for _, wanted in host.asked]
    host.asked.clear()
    staging(tmp_path).hold(location).close()
    assert [wanted for _, wanted in host.asked] == ["bytes=0-0"]  # looked at, not fetched
    host.files["/slide.svs"] = Served(BODY[::-1], etag='"two"')
    with staging(tmp_path).hold(location) as held:
        assert held.path.read_bytes() == BODY[::-1]
    for path in (tmp_path / "staged").rglob("*"):
        content = path.read_bytes() if path.is_file() and path.suffix != ".svs" else b""
        assert SECRET.encode() not in content
        assert b"Signature" not in content


def test_without_the_extra_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "fsspec", None)
    with pytest.raises(ConfigError, match="make setup EXTRAS=remote"):
        staging(tmp_path).hold(Location.parse("s3://bucket/slide.svs"))


def test_an_unknown_protocol_and_a_bound_that_is_none_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="unknown protocol 'gopher'; known: s3, gs, https"):
        staging(tmp_path).hold(Location.parse("gopher://hole/slide.svs"))
    with pytest.raises(MitoscopeError, match="several files that only its reader knows"):
        staging(tmp_path).hold(Location.parse("s3://bucket/slide.vms"))
    monkeypatch.setenv("MITOSCOPE_STAGING_GB", "much")
    with pytest.raises(ConfigError, match=r"MITOSCOPE_STAGING_GB: 'much' is not a number of gigabytes"):
        Staging.of_user()
    monkeypatch.setenv("MITOSCOPE_STAGING_GB", "2.5")
    monkeypatch.setenv("MITOSCOPE_STAGING", str(tmp_path))
    assert (Staging.of_user().folder, Staging.of_user().limit_bytes) == (tmp_path, 2_500_000_000)


def test_what_keeps_a_slide_travels_to_other_machines(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slide = ListedSlide.at(Location.parse(bucket.put("a.svs", BODY)))
    here = SlidesHere([slide], staging=staging(tmp_path))
    assert here.keeper(slide) is None  # nobody keeps it yet
    with here, here.path_of(slide) as path:
        sent = pickle.dumps(here.keeper(slide))
        with monkeypatch.context() as patch:  # where the slide is, the server is asked nothing
            patch.setattr("mitoscope.remote.staging.source_of", None)
            with pickle.loads(sent)() as held:
                assert held.path == path
    assert here.fingerprint_of(slide) is not None
    shutil.rmtree(tmp_path / "staged")  # as on a machine that has never seen it
    with pickle.loads(sent)() as held:
        assert held.path == path
        assert path.read_bytes() == BODY
    bucket.put("a.svs", BODY[::-1])
    shutil.rmtree(tmp_path / "staged")
    with pytest.raises(RemoteError, match="changed while it was fetched"):
        pickle.loads(sent)()
