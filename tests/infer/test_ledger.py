"""The ledger: whole chunks or nothing, one process at a time, and never for another run."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError, LedgerMismatchError, OutputError
from mitoscope.geometry import BoxPx0
from mitoscope.infer.ledger import APPLICATION_ID, VERSION, Ledger
from mitoscope.infer.search import ChunkResult
from mitoscope.infer.verify import PartResult

HEADER = {"slide": "sha256:1", "bundle": "tiny 1.0.0 abc", "configuration: roi": None, "tiling: chunks": 3}


def _result(count: int, *, gaps: tuple[BoxPx0, ...] = ()) -> ChunkResult:
    random = np.random.default_rng(count)
    points, score = random.uniform(0, 1e5, (count, 2)), random.uniform(0, 1, count)
    return ChunkResult(points, score, gaps, saturated_tiles=1, read_s=0.5, network_s=1.5)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "slide.ledger"


def test_what_is_recorded_comes_back_exactly(path: Path) -> None:
    gap = BoxPx0(1.5, 2.0, 64.0, 32.0)
    with Ledger.open(path, HEADER) as ledger:
        ledger.record(2, _result(5), wall_s=2.0)
        ledger.record(0, _result(3, gaps=(gap,)), wall_s=2.0)
        ledger.record(1, _result(0), wall_s=2.0)
    with Ledger.open(path, HEADER) as ledger:
        assert ledger.recorded() == {0, 1, 2}
        found = ledger.candidates(label="mitotic figure", source="tiny 1.0.0")
        np.testing.assert_array_equal(found.score, np.concatenate([_result(3).score, _result(5).score]))
        np.testing.assert_array_equal(
            found.points_px0, np.concatenate([_result(3).points_px0, _result(5).points_px0])
        )
        assert set(found.source) == {"tiny 1.0.0"}
        assert ledger.gaps() == (gap,)
        assert ledger.saturated_tiles() == 3
        assert ledger.spent().wall_s == 6.0
        assert ledger.sessions() == 2
    assert sorted(file.name for file in path.parent.iterdir()) == ["slide.ledger"]


def test_a_chunk_is_recorded_once(path: Path) -> None:
    with Ledger.open(path, HEADER) as ledger:
        ledger.record(0, _result(2), wall_s=1.0)
        with pytest.raises(sqlite3.IntegrityError):
            ledger.record(0, _result(2), wall_s=1.0)
        assert len(ledger.candidates(label="a", source="b")) == 2


def test_verified_parts_come_back_exactly_and_are_recorded_once(path: Path) -> None:
    first = PartResult((4, 0), np.array([0.25, 0.125]), damaged_crops=1, read_s=0.5, network_s=1.5)
    with Ledger.open(path, HEADER) as ledger:
        assert (ledger.verified(), ledger.verified_parts()) == ({}, frozenset())
        ledger.record_verified(1, first, wall_s=2.0)
        with pytest.raises(sqlite3.IntegrityError):
            ledger.record_verified(1, first, wall_s=2.0)
        with pytest.raises(sqlite3.IntegrityError):  # a candidate belongs to one part
            ledger.record_verified(2, PartResult((4,), np.array([0.5])), wall_s=2.0)
        assert ledger.verified_parts() == {1}
    with Ledger.open(path, HEADER) as ledger:
        ledger.record_verified(0, PartResult((2,), np.array([1 / 3])), wall_s=2.0)
        assert ledger.verified() == {0: 0.125, 2: 1 / 3, 4: 0.25}
        assert ledger.damaged_crops() == 1
        assert ledger.spent_on_verification().wall_s == 4.0
        assert ledger.spent().wall_s == 0.0


def test_a_ledger_of_version_1_gains_the_second_stage(path: Path) -> None:
    with Ledger.open(path, HEADER) as ledger:
        ledger.record(0, _result(3), wall_s=1.0)
    _edit(path, "DROP TABLE verified", "DROP TABLE verification", "PRAGMA user_version = 1")
    with Ledger.open(path, HEADER) as ledger:
        assert ledger.recorded() == {0}
        ledger.record_verified(0, PartResult((0, 1, 2), np.array([0.1, 0.2, 0.3])), wall_s=1.0)
        assert len(ledger.verified()) == 3


def test_a_ledger_of_version_2_gains_kinds_of_figures(path: Path) -> None:
    with Ledger.open(path, HEADER) as ledger:
        ledger.record(0, _result(3), wall_s=1.0)
    _edit(path, "DROP TABLE subtyped", "DROP TABLE subtyping", "PRAGMA user_version = 2")
    points = np.array([[0.1, 2.5], [1 / 3, 7.0]])
    with Ledger.open(path, HEADER) as ledger:
        assert ledger.recorded() == {0}
        assert ledger.subtyped() == {}
        ledger.record_subtyped(points, PartResult((0, 1), np.array([0.2, 0.7]), read_s=0.5), wall_s=1.0)
        assert ledger.subtyped() == {(0.1, 2.5): 0.2, (1 / 3, 7.0): 0.7}  # to the last bit
        with pytest.raises(sqlite3.IntegrityError):
            ledger.record_subtyped(points, PartResult((0, 1), np.array([0.2, 0.7])), wall_s=1.0)
        assert (ledger.spent_on_subtypes().read_s, ledger.spent_on_subtypes().wall_s) == (0.5, 1.0)
    with Ledger.open(path, HEADER, resume=False) as ledger:
        assert ledger.subtyped() == {}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("slide", "sha256:2"),
        ("bundle", "tiny 1.0.1 abd"),
        ("configuration: roi", [0, 0, 9, 9]),
        ("tiling: chunks", 4),
    ],
)
def test_another_run_is_refused_by_name(path: Path, key: str, value: object) -> None:
    Ledger.open(path, HEADER).close()
    with pytest.raises(LedgerMismatchError, match=rf"with another {key} .*--no-resume"):
        Ledger.open(path, HEADER | {key: value})
    Ledger.open(path, HEADER).close()


def test_what_follows_from_another_slide_is_not_named(path: Path) -> None:
    Ledger.open(path, HEADER).close()
    with pytest.raises(LedgerMismatchError) as caught:
        Ledger.open(path, HEADER | {"slide": "sha256:2", "tiling: chunks": 9})
    assert "chunks" not in str(caught.value)


def test_without_resume_it_begins_anew(path: Path) -> None:
    with Ledger.open(path, HEADER) as ledger:
        ledger.record(0, _result(2), wall_s=1.0)
    with Ledger.open(path, HEADER | {"slide": "sha256:2"}, resume=False) as ledger:
        assert ledger.recorded() == frozenset()
        assert ledger.sessions() == 1


def test_settings_of_the_file(path: Path) -> None:
    Ledger.open(path, HEADER).close()
    connection = sqlite3.connect(path)
    try:
        assert connection.execute("PRAGMA application_id").fetchone() == (APPLICATION_ID,)
        assert connection.execute("PRAGMA user_version").fetchone() == (VERSION,)
        assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
        tables = connection.execute("SELECT sql FROM sqlite_schema WHERE type = 'table'").fetchall()
        assert len(tables) == 10
        assert all(sql.endswith("STRICT") for (sql,) in tables)
    finally:
        connection.close()


def _edit(path: Path, *statements: str) -> None:
    connection = sqlite3.connect(path)
    try:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
    finally:
        connection.close()


def test_a_newer_version_is_refused(path: Path) -> None:
    Ledger.open(path, HEADER).close()
    _edit(path, f"PRAGMA user_version = {VERSION + 1}")
    with pytest.raises(FormatError, match=f"ledger of version {VERSION + 1}"):
        Ledger.open(path, HEADER)


@pytest.mark.parametrize("resume", [True, False])
def test_a_database_of_another_program_is_left_alone(path: Path, resume: bool) -> None:
    _edit(path, "CREATE TABLE accounts (a)", "INSERT INTO accounts VALUES (1)")
    before = path.read_bytes()
    with pytest.raises(OutputError, match="not a ledger of mitoscope"):
        Ledger.open(path, HEADER, resume=resume)
    assert path.read_bytes() == before


def _fill(path: Path) -> None:
    with Ledger.open(path, HEADER) as ledger:
        for index in range(20):
            ledger.record(index, _result(400), wall_s=1.0)


@pytest.mark.parametrize("damage", ["cut", "page", "journal of nothing"])
def test_a_damaged_ledger_is_a_typed_error_and_can_be_begun_anew(path: Path, damage: str) -> None:
    _fill(path)
    content = path.read_bytes()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "page":
        path.write_bytes(content[:4096] + b"\x5a" * (len(content) - 4096))
    else:
        path.write_bytes(b"\x00" * 512)
    with pytest.raises(FormatError, match="damaged"):
        Ledger.open(path, HEADER)
    with Ledger.open(path, HEADER, resume=False) as ledger:
        assert ledger.recorded() == frozenset()


@pytest.mark.parametrize("resume", [True, False])
@pytest.mark.parametrize("content", [b"MINE\n", b"x,y,score\n" * 999])
def test_the_file_of_somebody_else_stays_as_it_is(path: Path, content: bytes, resume: bool) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    with pytest.raises(OutputError, match="is not a ledger of mitoscope; move or remove it"):
        Ledger.open(path, HEADER, resume=resume)
    assert path.read_bytes() == content
    assert [one.name for one in path.parent.iterdir()] == [path.name]


_HOLD = """
import sys
from pathlib import Path
from mitoscope.infer.ledger import Ledger
with Ledger.open(Path(sys.argv[1]), {"slide": "sha256:1"}):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_processes_cannot_have_one_run(path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", _HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        try:
            assert holder.stdout is not None
            assert holder.stdout.readline() == b"held\n"
            for resume in (True, False):
                with pytest.raises(OutputError, match="another mitoscope process"):
                    Ledger.open(path, {"slide": "sha256:1"}, resume=resume)
        finally:
            holder.kill()
    Ledger.open(path, {"slide": "sha256:1"}).close()


def test_a_full_disk_loses_nothing_that_was_recorded(path: Path) -> None:
    with Ledger.open(path, HEADER) as ledger:
        ledger.record(0, _result(10), wall_s=1.0)
        (pages,) = ledger._connection.execute("PRAGMA page_count").fetchone()
        ledger._connection.execute(f"PRAGMA max_page_count = {pages}")
        with pytest.raises(OutputError, match=r"cannot be written .*full"):
            ledger.record(1, _result(5000), wall_s=1.0)
        assert ledger.recorded() == {0}
        ledger._connection.execute("PRAGMA max_page_count = 100000")
        ledger.record(1, _result(5000), wall_s=1.0)
    with Ledger.open(path, HEADER) as ledger:
        assert len(ledger.candidates(label="a", source="b")) == 5010


def test_a_folder_that_cannot_be_written_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError):
        Ledger.open(tmp_path / "no such folder" / "a.ledger", HEADER)
