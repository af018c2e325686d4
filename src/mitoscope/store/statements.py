# ruff: noqa: S608 the queries are put together from constants of this module
"""What a study states in rows that may change: each state of them is a row of ``statement``.

Events say all of cells and labels. Regions, slides, raters, rounds and so on are plain rows, and also decide
what is counted. Triggers write each of their states down, whoever changes them and from wherever they come;
these rows are never changed, and are chained (`mitoscope.store.chain`). So a change that another program
makes is a statement that mitoscope did not write, and one made without the triggers differs from the last
statement.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass

REALS = ("real_1", "real_2", "real_3", "real_4")
"""Floats have columns of their own: how SQLite writes them as text depends on its version."""


@dataclass(frozen=True, slots=True)
class Stated:
    """A table whose rows are stated: what a row is called, its key and its columns."""

    title: str
    key: str
    columns: tuple[str, ...]
    reals: tuple[str, ...] = ()
    shape: str | None = None

    def values(self, row: str) -> str:
        """Return expressions for what is stated of a row, of which the arguments are key and columns."""
        content = " || ',' || ".join(f"quote({row}.{name})" for name in self.columns)
        reals = [f"{row}.{name}" for name in self.reals]
        reals += ["NULL"] * (len(REALS) - len(reals))
        shape = "NULL" if self.shape is None else f"{row}.{self.shape}"
        return f"CAST({row}.{self.key} AS TEXT), {content}, {', '.join(reals)}, {shape}"


def _stated(title: str, key: str, columns: str, *, reals: str = "", shape: str | None = None) -> Stated:
    return Stated(title, key, tuple(columns.split()), tuple(reals.split()), shape)


# A part of a migration: another column needs another one.
STATED: Mapping[str, Stated] = {
    "study": _stated("study", "id", "name uuid seed", reals="created_s"),
    "setting": _stated("setting", "name", "content"),
    "rater": _stated("rater", "id", "name kind"),
    "round": _stated("round", "id", "name kind is_blinded is_listed"),
    "round_terms": _stated(
        "terms of round",
        "round_id",
        "is_open shows_labels shows_cells speaks_as slides settings",
    ),
    "slide": _stated(
        "slide",
        "id",
        "name sha256 width_px0 height_px0 case_name tumour_type scanner species laboratory examined",
        reals="mpp_x mpp_y",
    ),
    "region": _stated("region", "id", "slide_id kind name", shape="vertices_px0"),
    "interest": _stated(
        "region of interest",
        "id",
        "slide_id rater_id name is_deleted",
        reals="x_px0 y_px0 width_px0 height_px0",
    ),
    "source": _stated("source", "id", "name format sha256 cells labels quarantined", reals="imported_s"),
    "quarantine": _stated("quarantined entry", "id", "place reason content slide_name"),
    "version": _stated("version", "id", "variant number note seq", reals="frozen_s"),
}
"""The tables whose rows are stated."""

_COLUMNS = f"table_, key, content, {', '.join(REALS)}, vertices_px0"
_TABLE = """
CREATE TABLE statement (
    seq INTEGER PRIMARY KEY,
    table_ TEXT NOT NULL,
    key TEXT NOT NULL,
    content TEXT,
    real_1 REAL,
    real_2 REAL,
    real_3 REAL,
    real_4 REAL,
    vertices_px0 BLOB
) STRICT;
"""


def _triggers(table: str, stated: Stated) -> str:
    gone = f"VALUES ('{table}', CAST(old.{stated.key} AS TEXT))"
    now = f"INSERT INTO statement ({_COLUMNS}) VALUES ('{table}', {stated.values('new')});"
    moved = f"INSERT INTO statement (table_, key) SELECT '{table}', CAST(old.{stated.key} AS TEXT) "
    return (
        f"CREATE TRIGGER {table}_is_stated AFTER INSERT ON {table}\nBEGIN {now} END;\n"
        f"CREATE TRIGGER {table}_is_stated_anew AFTER UPDATE ON {table}\n"
        f"BEGIN {moved}WHERE old.{stated.key} <> new.{stated.key}; {now} END;\n"
        f"CREATE TRIGGER {table}_is_stated_gone AFTER DELETE ON {table}\n"
        f"BEGIN INSERT INTO statement (table_, key) {gone}; END;\n"
    )


SCRIPT = _TABLE + "".join(_triggers(table, stated) for table, stated in STATED.items())
"""Creates the table and its triggers."""


def last_statement(connection: sqlite3.Connection) -> int:
    """Return the number of the last statement: as long as it is the same, so are all rows that are stated."""
    (seq,) = connection.execute("SELECT ifnull(max(seq), 0) FROM statement").fetchone()
    return int(seq)


def state_what_is_there(connection: sqlite3.Connection) -> None:
    """State all rows of a study that has none stated yet."""
    for table, stated in STATED.items():
        connection.execute(
            f"INSERT INTO statement ({_COLUMNS}) "
            f"SELECT '{table}', {stated.values('t')} FROM {table} AS t ORDER BY t.{stated.key}"
        )


def titled(connection: sqlite3.Connection, seq: int) -> str:
    """Return what a statement is of, such as ``region 3``."""
    sql = "SELECT table_, CAST(key AS BLOB) FROM statement WHERE seq = ?"
    row = connection.execute(sql, (seq,)).fetchone()
    if row is None or row[0] not in STATED:
        return f"statement {seq}"
    return f"{STATED[row[0]].title} {row[1].decode(errors='replace')}"


def unstated(connection: sqlite3.Connection) -> str | None:
    """Return the first row that is not what was last stated and how, such as ``region 3 was changed``."""
    for table, stated in STATED.items():
        last_stated = (
            f"SELECT {_COLUMNS.removeprefix('table_, ')} FROM statement WHERE content IS NOT NULL AND seq IN "
            f"(SELECT max(seq) FROM statement WHERE table_ = '{table}' GROUP BY key)"
        )
        # What was stated comes first: a set takes the names of its columns from the first query.
        there = f"{last_stated} AND 0 UNION ALL SELECT {stated.values('t')} FROM {table} AS t"
        lacking, odd = (
            [bytes(key) for (key,) in connection.execute(f"SELECT CAST(key AS BLOB) FROM ({query})")]
            for query in (
                f"SELECT * FROM ({last_stated}) EXCEPT SELECT * FROM ({there})",
                f"SELECT * FROM ({there}) EXCEPT SELECT * FROM ({last_stated})",
            )
        )
        if lacking or odd:
            key = min(lacking or odd, key=lambda one: (len(one), one))
            how = "put in by another program" if not lacking else "changed" if key in odd else "removed"
            return f"{stated.title} {key.decode(errors='replace')} was {how}"
    return None
