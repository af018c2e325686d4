"""Promise 8: an acknowledged label is never lost, none is half there."""

from __future__ import annotations

from pathlib import Path

from mitoscope.store import Source, Store
from tests.store.session import Session

from .making import ChildScript, scattered_study

KILLS = 200


def test_killed_200_times_every_acknowledged_action_is_there(tmp_path: Path, child: ChildScript) -> None:
    path = tmp_path / "study.mito"
    with Store.create(path) as store:
        store.import_study(scattered_study(), source=Source("made.json"))
    out, err = child("killed_server.py", path, KILLS).communicate(timeout=120)
    assert err == ""
    lines = out.splitlines()
    assert len(lines) == KILLS
    acknowledged = {
        key: int(seq) for line in lines for key, seq in (word.split(":") for word in line.split())
    }
    assert len(acknowledged) > KILLS / 2, "the children were killed before they did anything"
    with Store.open(path) as store:
        with store.reading() as connection:
            there = dict(connection.execute("SELECT key, seq FROM event WHERE key IS NOT NULL").fetchall())
            imported = connection.execute("SELECT count(*) FROM event WHERE key IS NULL").fetchone()[0]
        # Each child may have died between its commit and its acknowledgement: one action more at most.
        assert acknowledged.items() <= there.items()
        assert len(there) - len(acknowledged) <= KILLS
        assert imported == 150
        store.verify()
        # A journal that was begun but not yet valid when its writer died stays until the next action.
        Session(store, 1, 1).label(1, 1)
        store.verify()
    assert [one.name for one in tmp_path.iterdir()] == ["study.mito"]
