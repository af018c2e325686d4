from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from mitoscope.errors import InputError, OutputError
from mitoscope.fsio import atomic_directory, atomic_write, exclusive_lock, make_directory, publish, safe_join
from mitoscope.written import sha256_file


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with atomic_write(target) as stream:
        stream.write(b"old")
    with pytest.raises(TypeError), atomic_write(target) as stream:
        stream.writelines([b"new, but half", "not bytes"])  # type: ignore[list-item]
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.txt"]


def test_a_directory_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "d"
    with pytest.raises(OutputError, match="No such file"), atomic_directory(target) as part:
        (part / "no such directory" / "x").write_bytes(b"x")
    assert list(tmp_path.iterdir()) == []
    with atomic_directory(target) as part:
        (part / "x").write_bytes(b"x")
    assert (target / "x").read_bytes() == b"x"
    with pytest.raises(OutputError, match="exists"), atomic_directory(target):
        pass


def _write_until_full(limit_bytes: int, path: Path, answer: multiprocessing.SimpleQueue[str]) -> None:
    import resource
    import signal

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit_bytes, limit_bytes))
    try:
        with atomic_write(path) as stream:
            stream.write(b"x" * (limit_bytes * 2))
    except OutputError as error:
        answer.put(str(error))
    else:
        answer.put("written")


def test_a_file_that_does_not_fit_leaves_the_old_one_and_no_rest(tmp_path: Path) -> None:
    target = tmp_path / "a"
    target.write_bytes(b"old")
    context = multiprocessing.get_context("fork")
    answer: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    child = context.Process(target=_write_until_full, args=(100_000, target, answer))
    child.start()
    child.join(20)
    assert "cannot be written" in answer.get()
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="file"):
        make_directory(tmp_path / "file" / "out")
    with pytest.raises(OutputError, match="cannot be written"), atomic_write(tmp_path / "none" / "a"):
        pass


def test_the_hash_of_a_file(tmp_path: Path) -> None:
    content = os.urandom(3_000_000)
    (tmp_path / "a").write_bytes(content)
    assert sha256_file(tmp_path / "a") == hashlib.sha256(content).hexdigest()


@pytest.mark.parametrize("name", ["../a", "/etc/passwd", "a/../../b", "..", "", ".", "a\x00b"])
def test_a_name_cannot_leave_its_directory(tmp_path: Path, name: str) -> None:
    with pytest.raises(InputError):
        safe_join(tmp_path, name)
    assert safe_join(tmp_path, "a/b") == tmp_path.resolve() / "a" / "b"


@pytest.mark.parametrize("links", [True, False])
def test_a_new_name_is_given_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, links: bool) -> None:
    """Also where the file system knows no links."""
    if not links:
        refuse = OSError(errno.EPERM, "Operation not permitted")
        monkeypatch.setattr("os.link", Mock(side_effect=refuse))
    part, target = tmp_path / ".a.part", tmp_path / "a"
    part.write_bytes(b"first")
    publish(part, target)
    part.write_bytes(b"second")
    with pytest.raises(FileExistsError):
        publish(part, target)
    assert target.read_bytes() == b"first"
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.part", "a"]


def test_a_lock_is_held_by_one(tmp_path: Path) -> None:
    with (
        exclusive_lock(tmp_path / "l"),
        pytest.raises(OutputError, match="another"),
        exclusive_lock(tmp_path / "l"),
    ):
        pass
    with exclusive_lock(tmp_path / "l"):
        pass
