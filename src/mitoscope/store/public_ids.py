"""How cells are known outside of the store: random ids, and tokens of what was seen of them.

Files are at times sorted by class, and what is created later has a higher id: the number of a cell, or of
its last event, would tell a blinded rater what the first one found (promise 10). Outside, a cell therefore
has an id that was drawn at random when it was created, and the last event that somebody has seen of it is a
keyed hash, which only the store can compare. Other numbers that count what was done (results, tiles, regions,
events) go out under a keyed permutation, which only the store can undo.
"""

from __future__ import annotations

import hashlib
import json
import secrets
import sqlite3
from collections.abc import Collection

import numpy as np
from numpy.typing import ArrayLike

from mitoscope.errors import NotFoundError
from mitoscope.store.vocabulary import read_setting, write_setting

ID_BITS = 48
"""Every number of JavaScript holds these exactly."""
PUBLIC_ID_MAX = (1 << ID_BITS) - 1
TOKEN_DIGITS = 12
_KEY_BYTES = 32
_TURNS = 4
_HALF_BYTES = ID_BITS // 16
_HALF = 1 << (ID_BITS // 2)
_TAKEN_SQL = "SELECT public_id FROM cell WHERE public_id IN (SELECT value FROM json_each(?))"


def draw_public_ids(connection: sqlite3.Connection, n: int) -> list[int]:
    """Return ids for new cells: at random, in no order, and none that a cell has already."""
    (has_cells,) = connection.execute("SELECT EXISTS (SELECT 1 FROM cell)").fetchone()
    drawn: dict[int, None] = {}  # in the order of drawing: a set would sort small numbers
    while len(drawn) < n:
        wanted = n - len(drawn)
        more = (np.frombuffer(secrets.token_bytes(8 * wanted), "<u8") >> np.uint64(64 - ID_BITS)).tolist()
        fresh = dict.fromkeys(id_ for id_ in more if id_ not in drawn)
        if has_cells:
            for (taken,) in connection.execute(_TAKEN_SQL, (json.dumps(list(fresh)),)):
                del fresh[taken]
        drawn |= fresh
    return list(drawn)


def fill_public_ids(connection: sqlite3.Connection) -> None:
    """Give an id to every cell that has none: those of a store that was made before there were any."""
    cells = [cell for (cell,) in connection.execute("SELECT id FROM cell WHERE public_id IS NULL")]
    pairs = zip(draw_public_ids(connection, len(cells)), cells, strict=True)
    connection.executemany("UPDATE cell SET public_id = ? WHERE id = ?", pairs)


def live_cells_of(connection: sqlite3.Connection, public: Collection[int]) -> list[int]:
    """Return the cells of public ids, in their order; ids of no cell or of a deleted one are left out."""
    sql = (
        "SELECT public_id, id FROM cell "
        "WHERE is_deleted = 0 AND public_id IN (SELECT value FROM json_each(?))"
    )
    known = dict(connection.execute(sql, (json.dumps(list(public)),)))
    return [known[id_] for id_ in public if id_ in known]


def cell_of(connection: sqlite3.Connection, public_id: int) -> int:
    """Return the cell of a public id.

    Raises
    ------
    NotFoundError
        If no cell has it.
    """
    row = connection.execute("SELECT id FROM cell WHERE public_id = ?", (public_id,)).fetchone()
    if row is None:
        raise NotFoundError("there is no such cell", mend="read the cells again")
    return int(row[0])


class SeenTokens:
    """Tokens of what was seen of cells: keyed BLAKE2s (RFC 7693) of a cell and its last visible event.

    A token says nothing about the number of the event; the same event of another cell has another one.

    Parameters
    ----------
    key : bytes
        The secret of the study, at most 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def of(self, cell_ids: ArrayLike, events: ArrayLike) -> list[str]:
        """Return a token for each cell and its last visible event."""
        rows = np.stack([np.atleast_1d(cell_ids), np.atleast_1d(events)], axis=1).astype("<i8").tobytes()
        key, hashed, size = self._key, hashlib.blake2s, TOKEN_DIGITS // 2
        return [
            hashed(rows[start : start + 16], key=key, digest_size=size).hexdigest()
            for start in range(0, len(rows), 16)
        ]


class Veil:
    """Numbers as they are known outside: a permutation of [0, 2⁴⁸) for each kind of number.

    A Feistel network of four rounds, each the keyed BLAKE2s of the other half (Luby and Rackoff 1988):
    without the key neither the order of two numbers nor their distance can be told.

    Parameters
    ----------
    key : bytes
        The secret of the study, at most 32 bytes.
    """

    def __init__(self, key: bytes) -> None:
        self._key = key

    def hide(self, kind: str, number: int) -> int:
        """Return what a number of a kind is called outside."""
        left, right = divmod(number, _HALF)
        for turn in range(_TURNS):
            left, right = right, left ^ self._mixed(kind, turn, right)
        return left * _HALF + right

    def find(self, kind: str, public: int) -> int:
        """Return the number of a kind that is called so outside."""
        left, right = divmod(public % (PUBLIC_ID_MAX + 1), _HALF)
        for turn in reversed(range(_TURNS)):
            left, right = right ^ self._mixed(kind, turn, left), left
        return left * _HALF + right

    def _mixed(self, kind: str, turn: int, half: int) -> int:
        text = f"{kind} {turn} {half}".encode()
        return int.from_bytes(hashlib.blake2s(text, key=self._key, digest_size=_HALF_BYTES).digest(), "big")


def secret_of(connection: sqlite3.Connection) -> bytes:
    """Return the secret of a study, made when first asked for, in a transaction that writes."""
    known = read_setting(connection, "secret")
    if known is None:
        known = secrets.token_hex(_KEY_BYTES)
        write_setting(connection, "secret", known)
    return bytes.fromhex(known)
