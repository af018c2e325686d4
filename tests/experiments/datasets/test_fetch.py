"""One file from a server that cuts, changes, refuses or lies."""

from __future__ import annotations

import errno
import hashlib
import json
import tempfile
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.errors import IncompleteRunError, OutputError
from mitoscope.experiments.datasets.fetch import Order, Rejected, fetch
from mitoscope.experiments.datasets.receipt import Received
from mitoscope.remote import Patience
from tests.experiments.datasets.host import Host, Served

BODY = bytes(range(256)) * 200
QUICK = Patience(tries=4, first_s=0.001, longest_s=0.002, timeout_s=5.0)


def order(host: Host, **more: object) -> Order:
    return Order("slide.svs", f"{host.url}/slide.svs", **more)  # type: ignore[arg-type]


def run(wanted: Order, folder: Path, told: list[str] | None = None) -> Received | Rejected:
    lines: list[str] = [] if told is None else told
    return fetch(
        wanted, folder / wanted.path, patience=QUICK, count=lambda size, total: None, tell=lines.append
    )


def names(folder: Path) -> list[str]:
    return sorted(one.name for one in folder.iterdir())


def test_a_file_comes_whole_with_its_hash(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    got = run(order(host), tmp_path)
    assert isinstance(got, Received)
    assert (got.size_bytes, got.sha256) == (len(BODY), hashlib.sha256(BODY).hexdigest())
    assert (tmp_path / "slide.svs").read_bytes() == BODY
    assert names(tmp_path) == ["slide.svs"]


def test_cut_connections_are_continued_where_they_were_cut(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    host.cuts = [10_000, 5_000, 1, 20_000]
    assert isinstance(run(order(host), tmp_path), Received)
    assert (tmp_path / "slide.svs").read_bytes() == BODY
    assert [wanted for _, wanted in host.asked] == [
        None,
        "bytes=10000-",
        "bytes=15000-",
        "bytes=15001-",
        "bytes=35001-",
    ]


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cuts=st.lists(st.integers(0, 30_000), max_size=3), ranges=st.booleans())
def test_wherever_it_is_cut_the_bytes_are_those_of_the_server(
    host: Host, cuts: list[int], ranges: bool
) -> None:
    host.files["/slide.svs"], host.cuts, host.ranges = Served(BODY), list(cuts), ranges
    with tempfile.TemporaryDirectory() as folder:
        assert isinstance(run(order(host), Path(folder)), Received)
        assert (Path(folder) / "slide.svs").read_bytes() == BODY
    host.cuts.clear()


def test_a_later_call_goes_on_with_what_an_earlier_one_left(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    host.cuts = [30_000, 0, 0, 0, 0]
    with pytest.raises(IncompleteRunError, match=r"30,000 bytes of slide\.svs are kept"):
        run(order(host), tmp_path)
    assert (tmp_path / "slide.svs.part").read_bytes() == BODY[:30_000]
    assert not (tmp_path / "slide.svs").exists()
    host.cuts.clear()
    host.asked.clear()
    assert isinstance(run(order(host), tmp_path), Received)
    assert host.asked == [("/slide.svs", "bytes=30000-")]
    assert names(tmp_path) == ["slide.svs"]


def test_a_server_that_does_not_continue_is_begun_anew_and_said(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    host.cuts, host.ranges = [10_000], False
    told: list[str] = []
    assert isinstance(run(order(host), tmp_path, told), Received)
    assert (tmp_path / "slide.svs").read_bytes() == BODY
    assert told == ["slide.svs: the server does not continue downloads; begun anew"]


def test_a_file_that_changed_between_two_tries_is_never_mixed(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    host.cuts = [10_000, 0, 0, 0, 0]
    with pytest.raises(IncompleteRunError):
        run(order(host), tmp_path)
    host.cuts.clear()
    other = bytes(reversed(BODY))
    host.files["/slide.svs"] = Served(other, etag='"two"')
    told: list[str] = []
    assert isinstance(run(order(host), tmp_path, told), Received)
    assert (tmp_path / "slide.svs").read_bytes() == other
    assert told == ["slide.svs: the file has changed on the server; begun anew"]


@pytest.mark.parametrize("etag", [None, 'W/"weak"'])
def test_without_a_sure_version_nothing_is_continued(host: Host, tmp_path: Path, etag: str | None) -> None:
    host.files["/slide.svs"] = Served(BODY, etag=etag)
    host.cuts = [10_000]
    assert isinstance(run(order(host), tmp_path), Received)
    assert [wanted for _, wanted in host.asked] == [None, None]
    assert (tmp_path / "slide.svs").read_bytes() == BODY


def test_another_part_than_was_asked_for_is_not_appended(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    host.cuts, host.wrong_range = [10_000], 1
    assert isinstance(run(order(host), tmp_path), Received)
    assert (tmp_path / "slide.svs").read_bytes() == BODY


def test_a_file_that_became_shorter_is_begun_anew(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    host.cuts = [40_000, 0, 0, 0, 0]
    with pytest.raises(IncompleteRunError):
        run(order(host), tmp_path)
    host.cuts.clear()
    host.files["/slide.svs"] = Served(BODY[:500])
    assert isinstance(run(order(host), tmp_path), Received)
    assert (tmp_path / "slide.svs").read_bytes() == BODY[:500]


def test_redirects_are_followed_with_the_range(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(b"", location=f"{host.url}/store/1")
    host.files["/store/1"] = Served(BODY)
    host.cuts = [10_000]
    assert isinstance(run(order(host), tmp_path), Received)
    assert host.asked[-1] == ("/store/1", "bytes=10000-")
    assert (tmp_path / "slide.svs").read_bytes() == BODY


def test_a_busy_server_is_asked_again_but_not_for_ever(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    told: list[str] = []
    host.busy = 3
    assert isinstance(run(order(host), tmp_path, told), Received)
    assert told == [f"slide.svs: answers 503 Service Unavailable; try {number} of 4" for number in (3, 4)]
    host.busy = 4
    with pytest.raises(IncompleteRunError, match="answers 503") as caught:
        run(Order("other.svs", f"{host.url}/slide.svs"), tmp_path)
    assert caught.value.exit_status == 1


def test_a_server_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(IncompleteRunError, match=r"127\.0\.0\.1:9/.*cannot be fetched"):
        run(Order("a.svs", "http://127.0.0.1:9/a.svs"), tmp_path)


@pytest.mark.parametrize(
    ("served", "why"),
    [
        (None, "answers 404"),
        (Served(b"", status=202), "answers 202"),
        (Served(b"<html>", content_type="text/html; charset=utf-8"), "a web page instead of the file"),
        (Served(b""), "an empty file"),
    ],
)
def test_what_is_no_file_is_rejected(host: Host, tmp_path: Path, served: Served | None, why: str) -> None:
    if served is not None:
        host.files["/slide.svs"] = served
    got = run(order(host), tmp_path)
    assert isinstance(got, Rejected)
    assert why in got.why
    assert names(tmp_path) == []


def test_another_checksum_or_size_is_kept_aside_and_fetched_anew(host: Host, tmp_path: Path) -> None:
    damaged = b"x" + BODY[1:]
    host.files["/slide.svs"] = Served(damaged)
    right = "md5:" + hashlib.md5(BODY).hexdigest()
    got = run(order(host, checksum=right), tmp_path)
    assert isinstance(got, Rejected)
    assert hashlib.md5(damaged).hexdigest() in got.why
    assert names(tmp_path) == ["slide.svs.rejected"]
    short = run(order(host, size_bytes=7), tmp_path)
    assert isinstance(short, Rejected)
    assert "51,200 bytes came, 7 are published" in short.why
    host.files["/slide.svs"] = Served(BODY)
    whole = run(order(host, checksum=right, size_bytes=len(BODY)), tmp_path)
    assert isinstance(whole, Received)
    assert whole.checked == right


def test_a_full_disk_is_one_line_and_what_has_come_is_kept(
    host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    host.files["/slide.svs"] = Served(BODY * 20)
    real = Path.open

    class Full:
        def __init__(self, path: Path) -> None:
            self._stream = real(path, "ab", buffering=0)

        def write(self, block: bytes) -> int:
            if self._stream.tell() + len(block) > 300_000:
                raise OSError(errno.ENOSPC, "No space left on device")
            return self._stream.write(block) or 0

        def close(self) -> None:
            self._stream.close()

    with monkeypatch.context() as patched:
        patched.setattr(
            Path, "open", lambda self, *a, **k: Full(self) if a == ("ab",) else real(self, *a, **k)
        )
        with pytest.raises(OutputError, match=r"No space left on device.*what has come is kept"):
            run(order(host), tmp_path)
    kept = (tmp_path / "slide.svs.part").stat().st_size
    assert 0 < kept <= 300_000
    host.asked.clear()
    assert isinstance(run(order(host), tmp_path), Received)
    assert host.asked[0][1] == f"bytes={kept}-"
    assert (tmp_path / "slide.svs").read_bytes() == BODY * 20


def test_a_damaged_note_of_the_version_begins_anew(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    (tmp_path / "slide.svs.part").write_bytes(b"not of this file")
    note = tmp_path / ".slide.svs.part.json"
    for text in (
        "",
        "[]",
        json.dumps({"url": f"{host.url}/other", "validator": '"one"', "total": len(BODY)}),
    ):
        note.write_text(text)
        (tmp_path / "slide.svs").unlink(missing_ok=True)
        (tmp_path / "slide.svs.part").write_bytes(b"not of this file")
        assert isinstance(run(order(host), tmp_path), Received)
        assert (tmp_path / "slide.svs").read_bytes() == BODY


def test_a_file_of_unknown_length_is_believed_only_by_its_checksum(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY, has_length=False)
    host.cuts = [30_000]
    got = run(order(host), tmp_path)
    assert isinstance(got, Rejected)
    assert "nothing says whether it is whole" in got.why
    assert names(tmp_path) == ["slide.svs.rejected"]
    right = "sha256:" + hashlib.sha256(BODY).hexdigest()
    assert isinstance(run(order(host, checksum=right), tmp_path), Received)


def test_a_connection_on_which_nothing_comes_is_given_up_and_continued(host: Host, tmp_path: Path) -> None:
    host.files["/slide.svs"] = Served(BODY)
    stalls = iter([0.0, 0.6])
    host.pause_s = lambda: time.sleep(next(stalls, 0.0))
    hasty = Patience(tries=3, first_s=0.001, timeout_s=0.2)
    wanted = order(host)
    got = fetch(
        wanted, tmp_path / "slide.svs", patience=hasty, count=lambda size, total: None, tell=lambda line: None
    )
    assert isinstance(got, Received)
    assert host.asked[1][1] is not None
    assert (tmp_path / "slide.svs").read_bytes() == BODY
