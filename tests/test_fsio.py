from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
from pathlib import Path
from unittest.mock import Mock

import pytest

from mitoscope import fsio
from mitoscope.errors import InputError, OutputError
from mitoscope.fsio import (
    atomic_directory,
    atomic_write,
    exclusive_lock,
    make_directory,
    publish,
    refuse_long,
    safe_join,
    safe_name,
    safe_names,
)
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


@pytest.mark.parametrize(
    "name",
    [
        "slide",
        "case.1",
        "Fall 7 (2)",
        "CONTROL",
        "com10",
        "a,b;c'&#",
        ".hidden",
        "é\udcff",
        "病理",
        "x" * 240,
    ],
)
def test_a_name_that_is_safe_stays_as_it_is(name: str) -> None:
    assert safe_name(name) == name


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        *[(f"a{one}b", "a_b") for one in '<>:"/\\|?*\x00\n\x1f\x7f\ud800'],
        *[(one, f"_{one}") for one in ("CON", "con", "Prn", "AUX.1", "nul .x", "COM1", "lpt9", "COM¹")],
        ("a. .", "a"),
        ("..", "_"),
        ("", "_"),
        ("CON:", "CON_"),
    ],
)
def test_what_a_file_system_does_not_take_is_replaced(name: str, expected: str) -> None:
    assert safe_name(name) == expected
    assert safe_name(expected) == expected


@pytest.mark.parametrize("letter", ["x", "é", "病"])
def test_long_names_are_cut_and_stay_apart(letter: str, tmp_path: Path) -> None:
    names = [letter * 300 + end for end in ("a", "b")]
    safe = [safe_name(name) for name in names]
    assert safe[0] != safe[1]
    for name in safe:
        with atomic_write(tmp_path / f"{name}.ledger-journal"):
            pass


def test_names_that_meet_are_kept_apart_on_every_system() -> None:
    names = ["a:b", "a_b", "A_B", "e\u0301", "\u00e9", "a_b", "a?b"]
    found = safe_names(names)
    assert found == ["a_b-3", "a_b", "A_B-1", "e\u0301", "\u00e9-1", "a_b-2", "a_b-4"]
    assert len({fsio.file_key(one) for one in found}) == len(names)


def test_a_name_as_long_as_the_file_system_takes_is_written(tmp_path: Path) -> None:
    path = tmp_path / ("x" * 251 + ".csv")
    with atomic_write(path) as stream:
        stream.write(b"1")
    assert path.read_bytes() == b"1"
    with atomic_directory(tmp_path / ("d" * 255)) as folder:
        assert folder.is_dir()


def test_paths_that_are_too_long_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_long(tmp_path / ("x" * 255), where=tmp_path, mend="rename it")
    with pytest.raises(OutputError, match=r"names of 256 bytes, file systems take 255; rename it"):
        refuse_long(tmp_path / ("é" * 128), where=tmp_path, mend="rename it")
    monkeypatch.setattr(fsio, "PATH_CHARACTERS", 259)
    with pytest.raises(OutputError, match=r"Windows takes 259; rename it, or choose a shorter --out"):
        refuse_long(tmp_path / ("x" * 255), where=tmp_path, mend="rename it")
