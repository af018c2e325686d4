# ruff: noqa: S608 the queries are put together from constants of this module
"""Whether a store is whole and its tables say what its events say; copies that are whole (promise 13)."""

from __future__ import annotations

import os
import sqlite3
import tempfile
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from mitoscope.errors import MitoscopeError, OutputError, StoreDamagedError, StoreError, StoreTamperedError
from mitoscope.fsio import publish, sync_directory
from mitoscope.store.chain import CheckedChain, check_chain
from mitoscope.store.connection import open_file, translated
from mitoscope.store.present import RATER_COUNTS_SQL, SCOPE_COUNTS_SQL
from mitoscope.store.schema import WHOLE_SLIDE

_LAST_EVENT = """
SELECT cell_id, max(seq) AS seq, {columns} FROM event WHERE kind IN ({kinds}) GROUP BY cell_id
"""
_GEOMETRY = "shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, vertices_px0"


def _differ(mine: str, theirs: str) -> str:
    """Return a query that counts the rows that are in one of two queries only."""
    return f"""
    SELECT (SELECT count(*) FROM (SELECT * FROM ({mine}) EXCEPT SELECT * FROM ({theirs})))
         + (SELECT count(*) FROM (SELECT * FROM ({theirs}) EXCEPT SELECT * FROM ({mine})))
    """


def _last(columns: str, *kinds: str) -> str:
    return _LAST_EVENT.format(columns=columns, kinds=", ".join(f"'{kind}'" for kind in kinds))


_INVARIANTS: dict[str, str] = {
    "a class has the name of its last renaming": (
        "SELECT count(*) FROM label AS l WHERE name <> (SELECT new_name FROM renaming WHERE label_id = l.id "
        "ORDER BY id DESC LIMIT 1)"
    ),
    "events are numbered without a gap": "SELECT count(*) <> ifnull(max(seq), 0) FROM event",
    "a cell begins with its creation": (
        "SELECT count(*) FROM cell AS c WHERE ifnull((SELECT kind FROM event WHERE cell_id = c.id "
        "ORDER BY seq LIMIT 1), '') <> 'create' OR "
        "(SELECT count(*) FROM event WHERE cell_id = c.id AND kind = 'create') <> 1"
    ),
    "the geometry of a cell is that of its last creation or move": _differ(
        f"SELECT id, {_GEOMETRY} FROM cell",
        f"SELECT cell_id, {_GEOMETRY} FROM ({_last(_GEOMETRY, 'create', 'move')})",
    ),
    "a cell is deleted where its last deletion was not undone": _differ(
        "SELECT id FROM cell WHERE is_deleted = 1",
        f"SELECT cell_id FROM ({_last('kind', 'create', 'delete', 'restore')}) WHERE kind = 'delete'",
    ),
    "a rater's label is that of the last event": _differ(
        "SELECT cell_id, rater_id, round_id, label_id, score, last_seq FROM label_now",
        "SELECT cell_id, rater_id, round_id, label_id, score, max(seq) FROM event WHERE kind = 'label' "
        "GROUP BY cell_id, rater_id, round_id",
    ),
    "a rater's order is that of the first event": _differ(
        "SELECT cell_id, rater_id, round_id, first_seq FROM label_now",
        "SELECT cell_id, rater_id, round_id, min(seq) FROM event WHERE kind = 'label' "
        "GROUP BY cell_id, rater_id, round_id",
    ),
    "a cell has a public id": "SELECT count(*) FROM cell WHERE public_id IS NULL",
    "the index holds the live cells": _differ(
        "SELECT cell_id, CAST(slide_min AS INTEGER) FROM cell_index",
        "SELECT id, slide_id FROM cell WHERE is_deleted = 0",
    ),
    # The index rounds outward to float32, but cannot where float32 has no smaller number (below 1e-38).
    "the index holds their places": (
        "SELECT count(*) FROM cell_index AS i JOIN cell AS c ON c.id = i.cell_id WHERE NOT "
        "(i.x_min <= c.x_min_px0 + 1e-30 AND i.x_max >= c.x_max_px0 - 1e-30 "
        "AND i.y_min <= c.y_min_px0 + 1e-30 AND i.y_max >= c.y_max_px0 - 1e-30)"
    ),
    "a list holds the order of its cells": (
        "SELECT count(*) FROM round_cell AS l JOIN cell AS c ON c.id = l.cell_id "
        "WHERE (l.slide_id, l.shuffle) <> (c.slide_id, c.shuffle)"
    ),
    "the cells of a bucket are counted": _differ(
        "SELECT * FROM scope_tally WHERE bucket >= 0 AND cells > 0", SCOPE_COUNTS_SQL
    ),
    "the labels of a bucket are counted": _differ(
        "SELECT * FROM rater_tally WHERE bucket >= 0 AND cells > 0", RATER_COUNTS_SQL
    ),
    "the cells of a slide are the sum of its buckets": _differ(
        f"SELECT scope, slide_id, cells FROM scope_tally WHERE bucket = {WHOLE_SLIDE}",
        "SELECT scope, slide_id, sum(cells) FROM scope_tally WHERE bucket >= 0 GROUP BY scope, slide_id",
    ),
    "the labels of a slide are the sum of its buckets": _differ(
        f"SELECT round_id, rater_id, slide_id, cells FROM rater_tally WHERE bucket = {WHOLE_SLIDE}",
        "SELECT round_id, rater_id, slide_id, sum(cells) FROM rater_tally WHERE bucket >= 0 "
        "GROUP BY round_id, rater_id, slide_id",
    ),
}
"""What must hold, and a query that is 0 where it does."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What was checked: the number of invariants, events, cells and frozen versions, and the chain."""

    invariants: int
    events: int
    cells: int
    chain: CheckedChain
    versions: int = 0


def check(connection: sqlite3.Connection, path: Path, *, head: str | None = None) -> Checked:
    """Check a store, and that it holds a head of its chain that was noted before.

    Raises
    ------
    StoreDamagedError
        Naming the first check that does not hold.
    StoreTamperedError
        Naming the first row that is not what was written.
    """
    mend = "restore it from a copy made by 'mitoscope store backup'"
    with translated(path):
        (sound,) = connection.execute("PRAGMA integrity_check(1)").fetchone()
        if sound != "ok":
            raise StoreDamagedError(f"damaged ({sound})", where=path, mend=mend)
        try:
            chain = check_chain(connection, noted=head)
        except StoreTamperedError as error:
            raise StoreTamperedError(error.what, where=path, mend=mend) from None
        (sound,) = connection.execute("SELECT rtreecheck('main', 'cell_index')").fetchone()
        if sound != "ok":
            raise StoreDamagedError(f"its index is damaged ({sound})", where=path, mend=mend)
        orphan = connection.execute("PRAGMA foreign_key_check").fetchone()
        if orphan is not None:
            raise StoreDamagedError(f"a row of {orphan[0]} refers to nothing", where=path, mend=mend)
        for invariant, query in _INVARIANTS.items():
            (bad,) = connection.execute(query).fetchone()
            if bad:
                raise StoreDamagedError(f"does not hold: {invariant} ({bad} rows)", where=path, mend=mend)
        (events,) = connection.execute("SELECT count(*) FROM event").fetchone()
        (cells,) = connection.execute("SELECT count(*) FROM cell").fetchone()
    return Checked(len(_INVARIANTS) + 4, events, cells, chain)


def backup(path: Path, target: Path) -> Path:
    """Copy a store with SQLite's backup interface to a path that does not exist, and return it.

    The copy holds every action that was acknowledged before the call. Writers wait while the pages are
    copied; they are not refused.

    Raises
    ------
    StoreError
        If the target exists, or the copy does not pass its checks.
    OutputError
        If it cannot be written; nothing is left behind.
    """
    if target.exists():
        raise StoreError("exists already", where=target, mend="choose another name or remove it first")
    try:
        descriptor, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=".part")
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=target) from None
    os.close(descriptor)
    part = Path(name)
    try:
        _copy(path, part, target)
        part.chmod(path.stat().st_mode & 0o777)
        publish(part, target)
        sync_directory(target.parent)
    except FileExistsError:
        raise StoreError("exists already", where=target, mend="choose another name") from None
    except OSError as error:
        raise OutputError(f"cannot be written ({error.strerror})", where=target) from None
    finally:
        part.unlink(missing_ok=True)
        Path(f"{name}-journal").unlink(missing_ok=True)
    return target


def _copy(path: Path, part: Path, target: Path) -> None:
    with (
        closing(open_file(path, write=False)) as source,
        translated(target),
        closing(sqlite3.connect(part, isolation_level=None)) as copy,
    ):
        copy.execute("PRAGMA synchronous = EXTRA")
        source.backup(copy, pages=-1)
    try:
        with closing(open_file(part, write=False)) as copy:
            check(copy, part)
    except MitoscopeError as error:
        raise StoreError(f"the copy does not pass its checks: {error.what}", where=target) from None
