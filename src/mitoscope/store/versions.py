"""Dataset variants (MEL, HEAEL, ODAEL, CODAEL) as frozen versions of one study."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import StoreError
from mitoscope.store.records import DatasetVersion

Ids = NDArray[np.int64]


def add_version(
    connection: sqlite3.Connection,
    version: DatasetVersion,
    *,
    cell_ids: Ids,
    label_ids: Ids,
    slide_ids: Ids,
) -> int:
    """Freeze a version of a study that is being imported; see :func:`freeze`."""
    return freeze(
        connection,
        version.variant,
        labels=zip(cell_ids[version.cell].tolist(), label_ids[version.label].tolist(), strict=True),
        split={int(slide_ids[slide]): side for slide, side in version.split.items()},
        note=version.note,
        number=version.number,
    )


def freeze(
    connection: sqlite3.Connection,
    variant: str,
    *,
    labels: Iterable[tuple[int, int]],
    split: Mapping[int, str],
    note: str = "",
    number: int | None = None,
) -> int:
    """Freeze a version of a dataset variant and return its number; its rows can never be changed.

    Parameters
    ----------
    connection : sqlite3.Connection
        Inside of a transaction.
    variant : str
        MEL, HEAEL, ODAEL, CODAEL or another name.
    labels : iterable of (int, int)
        Cell id and label id.
    split : mapping of int to str
        Slide id → train, validation or test.
    note : str
        How it was made.
    number : int, optional
        By default the variant's next.

    Raises
    ------
    StoreError
        If the variant has a version of that number, or a case would stand on both sides of the split.
    """
    number = next_number(connection, variant) if number is None else number
    name = f"version {number} of {variant!r}"
    known = "SELECT 1 FROM version WHERE variant = ? AND number = ?"
    if connection.execute(known, (variant, number)).fetchone():
        raise StoreError("exists already", where=name, mend="freeze it under the next number")
    sql = "INSERT INTO version (variant, number, note, frozen_s) VALUES (?, ?, ?, ?)"
    version_id = int(connection.execute(sql, (variant, number, note, time.time())).lastrowid or 0)
    connection.executemany(
        "INSERT INTO version_cell (version_id, cell_id, label_id) VALUES (?, ?, ?)",
        ((version_id, int(cell), int(label)) for cell, label in labels),
    )
    connection.executemany(
        "INSERT INTO version_split (version_id, slide_id, split) VALUES (?, ?, ?)",
        ((version_id, int(slide), side) for slide, side in split.items()),
    )
    _refuse_shared_case(connection, version_id, name)
    return number


def add_manifest(connection: sqlite3.Connection, variant: str, number: int, content: str) -> None:
    """Write the manifest of a version that was frozen in this transaction; it can never be changed."""
    version_id = version_id_of(connection, variant, number)
    sql = "INSERT INTO version_manifest (version_id, content) VALUES (?, ?)"
    connection.execute(sql, (version_id, content))


def read_manifest(connection: sqlite3.Connection, variant: str, number: int | None = None) -> str | None:
    """Return the manifest of a version, by default of the newest; None where it was imported without one."""
    version_id = version_id_of(connection, variant, number)
    sql = "SELECT content FROM version_manifest WHERE version_id = ?"
    row = connection.execute(sql, (version_id,)).fetchone()
    return None if row is None else str(row[0])


def _refuse_shared_case(connection: sqlite3.Connection, version_id: int, name: str) -> None:
    shared = connection.execute(
        "SELECT s.case_name FROM version_split AS v JOIN slide AS s ON s.id = v.slide_id "
        "WHERE v.version_id = ? AND s.case_name IS NOT NULL "
        "GROUP BY s.case_name HAVING count(DISTINCT v.split) > 1 LIMIT 1",
        (version_id,),
    ).fetchone()
    if shared is not None:
        raise StoreError(
            f"case {shared[0]!r} stands on both sides of the split", where=name, mend="split by case"
        )


def next_number(connection: sqlite3.Connection, variant: str) -> int:
    """Return the number of a variant's next version."""
    sql = "SELECT ifnull(max(number), 0) + 1 FROM version WHERE variant = ?"
    return int(connection.execute(sql, (variant,)).fetchone()[0])


def read_version(connection: sqlite3.Connection, variant: str, number: int | None = None) -> dict[int, int]:
    """Return the label id by cell id of a version, by default of the variant's newest.

    Raises
    ------
    StoreError
        If there is none.
    """
    row = (version_id_of(connection, variant, number),)
    rows = connection.execute("SELECT cell_id, label_id FROM version_cell WHERE version_id = ?", row)
    return dict(rows.fetchall())


def version_id_of(connection: sqlite3.Connection, variant: str, number: int | None = None) -> int:
    """Return the id of a version, by default of the variant's newest.

    Raises
    ------
    StoreError
        If there is none.
    """
    number = next_number(connection, variant) - 1 if number is None else number
    row = connection.execute(
        "SELECT id FROM version WHERE variant = ? AND number = ?", (variant, number)
    ).fetchone()
    if row is None:
        known = connection.execute("SELECT variant || ' ' || number FROM version ORDER BY id").fetchall()
        raise StoreError(
            f"no version {number} of {variant!r}",
            mend=f"known are {', '.join(n for (n,) in known) or 'none'}",
        )
    return int(row[0])
