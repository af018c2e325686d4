"""The chain of hashes over what was said and signed: what was changed afterwards is found.

Rows of the tables below are never changed. The transaction that writes them also writes a link for each run
of consecutive rows: SHA-256 over the link before it and all values of the rows. A link also holds 32 bits a
row, by which the first row that is not what was written can be named. Names of raters, rounds, slides and
classes are chained too: ids alone say little. Rows that may change, such as regions, are chained by what was
stated of them (`mitoscope.store.statements`); `check_chain` compares them with their last statements.

Whoever rewrites the whole file can rewrite the chain. Against that helps a head (`ChainHead`) that was noted
elsewhere: `check_chain` says whether a study still holds it.
"""

from __future__ import annotations

import hashlib
import json
import sqlite3
import struct
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from mitoscope.config import Config
from mitoscope.errors import StoreTamperedError
from mitoscope.store.encoding import BOUNDS
from mitoscope.store.schema import STATEMENTS_MIGRATION
from mitoscope.store.statements import REALS, titled, unstated

LINK_ROWS = 1 << 16
"""Rows of one link at most: bounds the memory of a check."""

NULL = int(np.iinfo(np.int64).min)
"""Stands for NULL among integers."""
_NO_TEXT = 1 << 32  # no CRC has this value
_NARROW = (np.int8, np.int16, np.int32, np.int64)
_MIX = 0x9E3779B97F4A7C15  # 2^64 / golden ratio, odd: Knuth, TAOCP 3, 6.4

Words = NDArray[np.uint64]


class Origin(StrEnum):
    """How rows came into the chain."""

    WRITTEN = "written"
    """In the transaction that wrote them."""
    MIGRATED = "migrated"
    """They were there when the study got its chain, which vouches for them from then on."""
    FOREIGN = "foreign"
    """They were there although no transaction of mitoscope had written them."""


class ChainHead(Config):
    """The last link: who notes it elsewhere can find out later whether a study still holds all up to it.

    Parameters
    ----------
    rows : int
        How many rows are chained up to it.
    sha256 : str
        Its hash.
    """

    rows: int = Field(ge=0)
    sha256: str = Field(pattern="^[0-9a-f]{64}$")


@dataclass(frozen=True, slots=True)
class CheckedChain:
    """A chain that holds.

    Parameters
    ----------
    rows : int
        How many it holds.
    head : ChainHead or None
        Its last link; None where nothing is chained yet.
    migrated : int
        Rows that were there before it: it vouches for them only from `migrated_s` on.
    migrated_s : float, optional
        When the newest of these were chained, in seconds since 1970.
    """

    rows: int
    head: ChainHead | None
    migrated: int = 0
    migrated_s: float | None = None


@dataclass(frozen=True, slots=True)
class _Table:
    """What is chained of a table: its number, and expressions by column; t is the table."""

    title: str
    number: str
    whole: Mapping[str, str]
    real: Mapping[str, str]
    text: Mapping[str, str]

    @property
    def names(self) -> list[str]:
        return [*self.whole, *self.real, *self.text]


def _table(
    title: str, number: str, *, whole: str = "", real: str = "", text: str = "", **expressions: str
) -> _Table:
    def columns(names: str) -> dict[str, str]:
        return {name: expressions.get(name, f"t.{name}") for name in names.split()}

    return _Table(title, number, columns(whole), columns(real), columns(text))


TABLES: Mapping[str, _Table] = {
    "rater": _table("rater", "id", text="name kind"),
    "round": _table("round", "id", text="name kind"),
    "slide": _table("slide", "id", text="name"),
    "label": _table(
        "class",
        "id",
        text="name",
        name="ifnull((SELECT old_name FROM renaming WHERE label_id = t.id ORDER BY id LIMIT 1), t.name)",
    ),
    "renaming": _table(
        "renaming of a class", "id", whole="label_id", real="time_s", text="old_name new_name"
    ),
    "cell": _table("cell", "id", whole="z", text="guid external_id"),
    "event": _table(
        "event",
        "seq",
        whole="cell_id slide_id rater_id round_id label_id shape",
        real=f"time_s score seconds {' '.join(BOUNDS)}",
        text="kind key vertices_px0 attributes",
        slide_id="CASE t.kind WHEN 'create' THEN (SELECT slide_id FROM cell WHERE id = t.cell_id) END",
    ),
    "task_tile": _table("tile", "id", whole="round_id slide_id", real="x_px0 y_px0 side_px0", text="gold"),
    "tile_gold": _table("known answer of a tile", "seq", whole="tile_id", real="time_s", text="gold"),
    "tile_answer": _table(
        "answer on a tile", "seq", whole="tile_id rater_id", real="time_s seconds", text="content"
    ),
    "region_event": _table(
        "event of a region",
        "seq",
        whole="region_id slide_id rater_id",
        real="time_s",
        text="action kind name vertices_px0",
    ),
    "signed_result": _table(
        "signed result", "id", whole="slide_id round_id rater_id", real="time_s", text="content"
    ),
    "version_manifest": _table("manifest of version", "version_id", text="content"),
    "comment": _table("comment", "id", whole="cell_id rater_id round_id", real="time_s", text="text"),
    "activity": _table(
        "activity", "id", whole="rater_id round_id", real="time_s", text="kind subject concerns detail"
    ),
    "statement": _table("statement", "seq", real=" ".join(REALS), text="table_ key content vertices_px0"),
}
"""What is chained, in the order in which a transaction links it."""
STATED_TABLES = tuple(name for name in TABLES if name not in ("comment", "activity", "tile_gold"))
"""What was chained before there were comments, activities and known answers stated later."""
FIRST_TABLES = tuple(name for name in STATED_TABLES if name not in ("cell", "statement"))
"""What was chained before statements were."""

_UNLINKED_SQL = {
    name: f"SELECT '{name}', ifnull((SELECT last FROM chain_end WHERE table_ = '{name}'), 0) AS last "  # noqa: S608
    f"WHERE (SELECT max({table.number}) FROM {name}) > last"
    for name, table in TABLES.items()
}
_LINK_SQL = """
INSERT INTO link (number, table_, first, last, total, origin, time_s, checks, sha256)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
"""
_LINKS_SQL = """
SELECT number, table_, first, last, total, origin, time_s, checks, sha256 FROM link ORDER BY number
"""
_END_SQL = """
INSERT INTO chain_end (table_, last, number, sha256) VALUES (?, ?, ?, ?)
ON CONFLICT DO UPDATE SET last = excluded.last, number = excluded.number, sha256 = excluded.sha256
"""


def extend(
    connection: sqlite3.Connection, origin: Origin = Origin.WRITTEN, *, tables: Sequence[str] = tuple(TABLES)
) -> None:
    """Link all rows of some tables that are not linked yet, inside of the caller's transaction.

    Called before and after each transaction's own writing: before it, what another program has put in is
    linked as that (`Origin.FOREIGN`), so that it can never pass for written here.
    """
    sql = " UNION ALL ".join(_UNLINKED_SQL[name] for name in tables)
    for name, end in connection.execute(sql).fetchall():
        _link_stored(connection, name, end + 1, origin=origin)


def extend_with(connection: sqlite3.Connection, name: str, first: int, n: int, **columns: Any) -> None:
    """Link rows that have just been written, from their values: many rows are not read back.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside of the transaction.
    name : str
        The table.
    first : int
        The number of the first row; the others follow without a gap.
    n : int
        How many rows.
    columns : sequence or scalar
        As they were written; `NULL` among integers, NaN among floats and None among texts are NULL; a column
        that is left out is NULL throughout.
    """
    (end,) = connection.execute(
        "SELECT ifnull((SELECT last FROM chain_end WHERE table_ = ?), 0)", (name,)
    ).fetchone()
    _link_stored(connection, name, end + 1, first - 1)
    for start in range(0, n, LINK_ROWS):
        stop = min(start + LINK_ROWS, n)
        part = {
            key: one if isinstance(one, str) or not hasattr(one, "__len__") else one[start:stop]
            for key, one in columns.items()
        }
        numbers = np.arange(first + start, first + stop)
        _link(connection, name, first + start, _Rows.of(TABLES[name], part, numbers))


def head(connection: sqlite3.Connection) -> ChainHead | None:
    """Return the last link, None where nothing is chained yet."""
    row = connection.execute("SELECT total, sha256 FROM link ORDER BY number DESC LIMIT 1").fetchone()
    return None if row is None else ChainHead(rows=row[0], sha256=row[1].hex())


def head_over(connection: sqlite3.Connection, name: str, number: int) -> ChainHead | None:
    """Return the link that holds a row of a table, None where it is not linked yet."""
    sql = "SELECT total, sha256, last FROM link WHERE table_ = ? AND first <= ? ORDER BY first DESC LIMIT 1"
    row = connection.execute(sql, (name, number)).fetchone()
    return None if row is None or row[2] < number else ChainHead(rows=row[0], sha256=row[1].hex())


def check_chain(connection: sqlite3.Connection, *, noted: str | None = None) -> CheckedChain:
    """Recompute the chain.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of the store.
    noted : str, optional
        The hash of a head that was noted at another time.

    Raises
    ------
    StoreTamperedError
        Naming the first row that was changed, removed or put in by another program, or if the chain does not
        hold the noted head.
    """
    before, total, number, migrated = _begin(connection), 0, 0, 0
    ends: dict[str, tuple[int, int, bytes]] = {}
    linked: dict[str, list[tuple[int, int]]] = {}
    for *stated, checks, sha256 in connection.execute(_LINKS_SQL):
        link = _Link(*stated)
        if link.table not in TABLES or not ends.get(link.table, (0,))[0] < link.first <= link.last:
            raise _tampered(f"link {number + 1} of the chain is not what was written")
        rows = _read(connection, link.table, link.first, link.last)
        _refuse_changed(link, rows, checks)
        total += link.last - link.first + 1
        number += 1
        if (link.number, link.total) != (number, total) or link.sha256(before, rows, checks) != sha256:
            raise _tampered(f"link {number} of the chain is not what was written")
        if link.origin == Origin.FOREIGN:
            raise _put_in(connection, link.table, link.first)
        if link.origin == Origin.MIGRATED:
            migrated += link.last - link.first + 1
        before, ends[link.table] = sha256, (link.last, number, sha256)
        linked.setdefault(link.table, []).append((link.first, link.last))
        if sha256.hex() == noted:
            noted = None
    stated_ends = connection.execute("SELECT table_, last, number, sha256 FROM chain_end ORDER BY number")
    if {name: tuple(end) for name, *end in stated_ends} != ends:
        raise _tampered("the end of the chain was cut off")
    _refuse_unlinked(connection, linked)
    odd = unstated(connection)
    if odd is not None:
        raise _tampered(odd)
    if noted is not None:
        raise _tampered(f"the chain does not hold the head {noted[:16]}…: it was cut off or written anew")
    found = ChainHead(rows=total, sha256=before.hex()) if number else None
    return CheckedChain(total, found, migrated, _began_s(connection) if migrated else None)


def _tampered(what: str) -> StoreTamperedError:
    return StoreTamperedError(
        what, where="chain", mend="restore it from a copy made by 'mitoscope store backup'"
    )


def _put_in(connection: sqlite3.Connection, name: str, number: int) -> StoreTamperedError:
    if name == "statement":
        return _tampered(f"{titled(connection, number)} was changed by another program")
    return _tampered(f"{TABLES[name].title} {number} was put in by another program")


def _began_s(connection: sqlite3.Connection) -> float | None:
    sql = "SELECT applied_s FROM migration WHERE name = ?"
    row = connection.execute(sql, (STATEMENTS_MIGRATION,)).fetchone()
    return None if row is None else float(row[0])


def _begin(connection: sqlite3.Connection) -> bytes:
    """Return what stands before the first link: a chain is of one study."""
    (uuid,) = connection.execute("SELECT ifnull((SELECT uuid FROM study), '')").fetchone()
    return hashlib.sha256(f"mitoscope chain 1 {uuid}".encode()).digest()


@dataclass(frozen=True, slots=True)
class _Link:
    number: int
    table: str
    first: int
    last: int
    total: int
    origin: str
    time_s: float

    def sha256(self, before: bytes, rows: _Rows, checks: bytes) -> bytes:
        head = json.dumps([self.number, self.table, self.first, self.last, self.total, self.origin])
        digest = hashlib.sha256(before)
        for part in (head.encode(), struct.pack("<d", self.time_s), checks, *rows.parts):
            digest.update(len(part).to_bytes(8, "little"))
            digest.update(part)
        return digest.digest()


@dataclass(frozen=True, slots=True)
class _Rows:
    """The values of some rows: their bytes column by column, and 32 bits of each row."""

    numbers: NDArray[np.int64]
    parts: tuple[bytes, ...]
    checks: NDArray[np.uint32]

    @classmethod
    def of(cls, table: _Table, columns: Mapping[str, Any], numbers: NDArray[np.int64]) -> _Rows:
        n = len(numbers)
        if n == 1:
            return cls._of_one(table, columns, numbers)
        encoded = [_integers(columns.get(name, NULL)) for name in table.whole]
        encoded += [_floats(columns.get(name, np.nan)) for name in table.real]
        encoded += [_texts(columns.get(name)) for name in table.text]
        sums = np.zeros(n, np.uint64)
        with np.errstate(over="ignore"):
            for (_, words), factor in zip(encoded, _FACTORS, strict=False):
                sums += words * np.uint64(factor)
        parts = tuple(part for part, _ in encoded)
        return cls(numbers, parts, (sums >> np.uint64(32)).astype("<u4"))

    @classmethod
    def _of_one(cls, table: _Table, columns: Mapping[str, Any], numbers: NDArray[np.int64]) -> _Rows:
        """Do the same for one row without arrays: a label given in the browser is a link of its own."""
        parts: list[bytes] = []
        for name in table.whole:
            parts.append(b"q" + struct.pack("<q", _only(columns.get(name, NULL))))
        for name in table.real:
            value = _only(columns.get(name, np.nan))
            parts.append(struct.pack("<d", np.nan if value != value else value + 0.0))
        words = [int.from_bytes(part[-8:], "little") for part in parts]
        for name in table.text:
            value = _only(columns.get(name))
            raw = value.encode() if isinstance(value, str) else value
            words.append(_NO_TEXT if raw is None else zlib.crc32(raw))
            parts.append(struct.pack("<qq", 1, -1 if raw is None else len(raw)) + (raw or b""))
        total = sum(word * factor for word, factor in zip(words, _FACTORS, strict=False)) % (1 << 64)
        return cls(numbers, tuple(parts), np.array([total >> 32], "<u4"))


_FACTORS = tuple(_MIX * (2 * place + 1) % (1 << 64) for place in range(32))


def _only(values: Any) -> Any:
    return values[0] if hasattr(values, "__len__") and not isinstance(values, str | bytes) else values


def _integers(values: Any) -> tuple[bytes, Words]:
    array = np.atleast_1d(np.asarray(values, dtype=np.int64))
    low, high = int(array.min()), int(array.max())
    dtype = next(kind for kind in _NARROW if np.iinfo(kind).min <= low and high <= np.iinfo(kind).max)
    narrow = array[:1] if low == high else array.astype(dtype)
    tag = narrow.dtype.char.encode() if narrow.dtype != np.int64 else b"q"
    return tag + narrow.astype(narrow.dtype.newbyteorder("<")).tobytes(), array.view(np.uint64)


def _floats(values: Any) -> tuple[bytes, Words]:
    array = np.atleast_1d(np.asarray(values, dtype=np.float64)) + 0.0  # SQLite knows no -0.0
    array[np.isnan(array)] = np.nan  # one of many
    words = array.view(np.uint64)
    kept = words[:1] if (words == words[0]).all() else words
    return kept.astype("<u8").tobytes(), words


def _texts(values: Sequence[str | bytes | None] | str | bytes | None) -> tuple[bytes, Words]:
    """Return number, lengths and bytes: -1 for NULL; one value for all where all are the same."""
    many = [values] if values is None or isinstance(values, str | bytes) else values
    first = many[0]
    if all(value is first or value == first for value in many):
        many = [first]
    raw = [value.encode() if isinstance(value, str) else value for value in many]
    words = np.array([_NO_TEXT if word is None else zlib.crc32(word) for word in raw], np.uint64)
    lengths = np.array([len(raw), *(-1 if word is None else len(word) for word in raw)], "<i8")
    return lengths.tobytes() + b"".join(word for word in raw if word), words


def _link(
    connection: sqlite3.Connection, name: str, first: int, rows: _Rows, *, origin: Origin = Origin.WRITTEN
) -> None:
    before = connection.execute(
        "SELECT number, total, sha256 FROM link ORDER BY number DESC LIMIT 1"
    ).fetchone()
    number, total, sha256 = before or (0, 0, _begin(connection))
    n = len(rows.checks)
    # Who only reads an old study chains it in a copy: the chain of a migration is always the same.
    time_s = 0.0 if origin is Origin.MIGRATED else time.time()
    link = _Link(number + 1, name, first, first + n - 1, total + n, str(origin), time_s)
    checks = rows.checks.tobytes()
    made = link.sha256(sha256, rows, checks)
    connection.execute(_LINK_SQL, (*astuple(link), checks, made))
    connection.execute(_END_SQL, (name, link.last, link.number, made))


def _link_stored(
    connection: sqlite3.Connection,
    name: str,
    first: int,
    last: int = np.iinfo(np.int64).max,
    *,
    origin: Origin = Origin.WRITTEN,
) -> None:
    """Link rows that are stored, each run of consecutive numbers for itself."""
    while first <= last:
        rows = _read(connection, name, first, last, limit=LINK_ROWS)
        if not len(rows.numbers):
            return
        begin = int(rows.numbers[0])
        run = int(np.argmin(np.append(np.diff(rows.numbers) == 1, False))) + 1
        if run < len(rows.numbers):
            rows = _read(connection, name, begin, begin + run - 1)
        _link(connection, name, begin, rows, origin=origin)
        first = begin + run


def _read(connection: sqlite3.Connection, name: str, first: int, last: int, *, limit: int = -1) -> _Rows:
    table = TABLES[name]
    # Texts as bytes: what another program has put in need not be Unicode.
    expressions = [*table.whole.values(), *table.real.values()]
    expressions += [f"CAST({column} AS BLOB)" for column in table.text.values()]
    sql = (
        f"SELECT t.{table.number}, {', '.join(expressions)} FROM {name} AS t "  # noqa: S608 constants
        f"WHERE t.{table.number} BETWEEN ? AND ? ORDER BY t.{table.number} LIMIT ?"
    )
    found = connection.execute(sql, (first, last, limit)).fetchall()
    if not found:
        return _Rows(np.empty(0, np.int64), (), np.empty(0, "<u4"))
    numbers, *values = zip(*found, strict=True)
    columns: dict[str, Any] = dict(zip(table.names, values, strict=True))
    for key in table.whole:
        columns[key] = [NULL if value is None else value for value in columns[key]]
    for key in table.real:
        columns[key] = [np.nan if value is None else value for value in columns[key]]
    return _Rows.of(table, columns, np.array(numbers, np.int64))


def _refuse_changed(link: _Link, rows: _Rows, checks: bytes) -> None:
    """Refuse the first row of a link that is missing or has other values."""
    title, expected = TABLES[link.table].title, np.arange(link.first, link.last + 1)
    written = np.frombuffer(checks, "<u4")
    if len(written) != len(expected):
        raise _tampered(f"link {link.number} of the chain is not what was written")
    if np.array_equal(rows.numbers, expected) and np.array_equal(rows.checks, written):
        return
    found = dict(zip(rows.numbers.tolist(), rows.checks.tolist(), strict=True))
    for number, check in zip(expected.tolist(), written.tolist(), strict=True):
        if found.get(number) != check:
            raise _tampered(f"{title} {number} was {'changed' if number in found else 'removed'}")


def _refuse_unlinked(connection: sqlite3.Connection, linked: Mapping[str, list[tuple[int, int]]]) -> None:
    """Refuse the first row of a table that is in no link; links are in order."""
    for name, table in TABLES.items():
        numbers = [one for (one,) in connection.execute(f"SELECT {table.number} FROM {name} ORDER BY 1")]  # noqa: S608
        spans = linked.get(name, [])
        if len(numbers) == sum(last - first + 1 for first, last in spans):
            continue
        there = {number for first, last in spans for number in range(first, last + 1)}
        odd = next(number for number in numbers if number not in there)
        raise _put_in(connection, name, odd)
