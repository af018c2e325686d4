"""The record of a folder is read on from where it was read before, whoever writes into it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mitoscope.errors import OutputError
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.written import RECORD, refuse_foreign, sha256_file


def write(path: Path, content: bytes) -> None:
    with atomic_write(path) as stream:
        stream.write(content)


def test_each_line_of_a_record_is_read_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = make_directory(tmp_path / "out")
    for number in range(50):
        write(folder / f"{number}.csv", b"1")
    parsed: list[str] = []
    loads = json.loads

    def counted(text: str) -> Any:
        parsed.append(text)
        return loads(text)

    monkeypatch.setattr("mitoscope.written.json.loads", counted)
    for number in range(50):
        refuse_foreign(folder / f"{number}.csv")
        write(folder / f"{number}.csv", b"2")
    # 50 lines are new, and each comes with an empty one before it; the whole record each time were 5,000.
    assert len(parsed) < 400


def test_what_another_process_adds_or_replaces_is_seen(tmp_path: Path) -> None:
    folder = make_directory(tmp_path / "out")
    write(folder / "a.csv", b"1")
    refuse_foreign(folder / "a.csv")
    (folder / "b.csv").write_bytes(b"theirs")
    with pytest.raises(OutputError, match="exists, and not as mitoscope wrote it"):
        refuse_foreign(folder / "b.csv")
    line = json.dumps(["b.csv", sha256_file(folder / "b.csv")])
    with (folder / RECORD).open("a") as stream:
        stream.write(f"\n{line[:20]}")  # it is still at it
        stream.flush()
        with pytest.raises(OutputError):
            refuse_foreign(folder / "b.csv")
        stream.write(f"{line[20:]}\n")
    refuse_foreign(folder / "b.csv")
    content = (folder / RECORD).read_text().replace("a.csv", "c.csv")
    (folder / RECORD).write_text(content)  # as long as before, and another one
    with pytest.raises(OutputError, match=r"a\.csv"):
        refuse_foreign(folder / "a.csv")
    (folder / RECORD).unlink()
    with pytest.raises(OutputError, match=r"b\.csv"):
        refuse_foreign(folder / "b.csv")
