"""Promise 9: two raters never overwrite each other silently."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

from mitoscope.store import Rater, Round, RoundKind, Source, Store

from .making import ChildScript, scattered_study

CLIENTS = 8
ACTIONS = 500


def run(child: ChildScript, kind: str, path: Path) -> list[dict[str, Any]]:
    out, err = child("busy_clients.py", kind, path, CLIENTS, ACTIONS).communicate(timeout=200)
    assert err == ""
    return [json.loads(line) for line in out.splitlines()]


def shared_study(path: Path) -> Path:
    with Store.create(path) as store:
        store.import_study(scattered_study(), source=Source("made.json"))
        for number in range(CLIENTS - 2):
            store.add_rater(Rater(f"client {number}"))
        store.open_round(Round("board", RoundKind.BOARD_REVIEW))
    return path


def overwritten(path: Path, seen: list[dict[str, Any]]) -> int:
    """Count the acknowledged actions between which and what their rater had seen another one came."""
    sql = "SELECT count(*) FROM event WHERE cell_id = ? AND seq > ? AND seq < ?"
    with Store.open(path) as store, store.reading() as connection:
        return sum(
            connection.execute(sql, triple).fetchone()[0] > 0
            for one in seen
            for triple in one["acknowledged"]
        )


def test_eight_clients_with_500_actions_on_50_cells(quick_path: Path, child: ChildScript) -> None:
    path = shared_study(quick_path / "study.mito")
    seen = run(child, "store", path)
    assert [one["refused"] for one in seen] == [[]] * CLIENTS
    acknowledged = [seq for one in seen for _, _, seq in one["acknowledged"]]
    conflicts = sum(one["conflicts"] for one in seen)
    assert len(acknowledged) + conflicts == CLIENTS * ACTIONS
    assert conflicts > 0, "nobody met anybody: the test shows nothing"
    assert overwritten(path, seen) == 0
    with Store.open(path) as store:
        store.verify()
        with store.reading() as connection:
            sql = "SELECT seq FROM event WHERE key IS NOT NULL ORDER BY seq"
            events = [seq for (seq,) in connection.execute(sql)]
    assert sorted(acknowledged) == events


def test_control_without_what_was_seen_labels_are_overwritten(quick_path: Path, child: ChildScript) -> None:
    path = shared_study(quick_path / "study.mito")
    assert overwritten(path, run(child, "unchecked", path)) > 0


def test_control_a_transaction_that_begins_with_a_read_fails(quick_path: Path, child: ChildScript) -> None:
    path = quick_path / "naive.sqlite"
    connection = sqlite3.connect(path)
    # Here, since clients that set it at once lock each other out.
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("CREATE TABLE label (cell INTEGER PRIMARY KEY, version INTEGER)")
    connection.executemany("INSERT INTO label VALUES (?, 0)", [(cell,) for cell in range(1, 51)])
    connection.commit()
    connection.close()
    seen = run(child, "naive", path)
    assert any("locked" in error for one in seen for error in one["refused"])
