"""What a store knows by name: labels, raters, rounds and settings."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import StoreDamagedError, StoreError
from mitoscope.labels import FIELD_LABELS, Label, LabelSet, name_key
from mitoscope.store.encoding import attributes_from, attributes_text, insert, put, well_formed
from mitoscope.store.records import Rater, Round, RoundKind
from mitoscope.truth import RaterKind

Ids = NDArray[np.int64]


@well_formed()
def read_labels(connection: sqlite3.Connection) -> dict[int, Label]:
    """Return the labels by id, in order."""
    rows = connection.execute("SELECT id, name, colour, aliases FROM label ORDER BY id")
    return {id_: Label(name, colour, tuple(json.loads(aliases))) for id_, name, colour, aliases in rows}


def intern_labels(connection: sqlite3.Connection, labels: LabelSet) -> Ids:
    """Return the id of each label; a label that the store knows under no name or alias is added."""
    ids: list[int] = []
    for label in labels.labels:
        id_ = find_label(connection, label.name)
        if id_ is None:
            aliases = json.dumps(_free_aliases(read_labels(connection), label), ensure_ascii=False)
            id_ = insert(connection, "label", name=label.name, colour=label.colour, aliases=aliases)
        ids.append(id_)
    return np.array(ids, dtype=np.int64)


def find_label(connection: sqlite3.Connection, name: str) -> int | None:
    """Return the id of the label that the store knows under a name or alias, None where there is none."""
    known = read_labels(connection)
    found = LabelSet(tuple(known.values())).find(name)
    return None if found is None else next(id_ for id_, one in known.items() if one == found)


def rename_label(connection: sqlite3.Connection, name: str, new_name: str) -> None:
    """Give a class of the study's own another name; the old one stays as an alias of it.

    A class cannot vanish: labels that were given stay, and frozen versions keep the names of then.

    Raises
    ------
    StoreError
        If there is no such class, it is one of the field, or another class has the new name.
    """
    known = read_labels(connection)
    of_study = LabelSet(tuple(known.values()))
    label, taken = of_study.find(name), of_study.find(new_name)
    if label is None:
        raise StoreError(f"no class {name!r}", mend=f"classes are {', '.join(of_study.names)}")
    if not new_name.strip():
        raise StoreError("a class without a name", where=f"class {name!r}")
    if FIELD_LABELS.find(label.name) is not None:
        mend = "add a class of another name with --add"
        raise StoreError("a class of the field keeps its name", where=f"class {label.name!r}", mend=mend)
    if taken is not None and taken != label:
        mend = "choose another name"
        raise StoreError(f"there is a class {taken.name!r} already", where=f"class {name!r}", mend=mend)
    of_field = FIELD_LABELS.find(new_name)
    title = new_name.strip() if of_field is None else of_field.name
    others = {id_: other for id_, other in known.items() if other != label}
    wanted = Label(title, label.colour, (*label.aliases, label.name, *(of_field.aliases if of_field else ())))
    free = [alias for alias in _free_aliases(others, wanted) if name_key(alias) != name_key(title)]
    connection.execute(
        "UPDATE label SET name = ?, aliases = ? WHERE name = ?",
        (title, json.dumps(list(dict.fromkeys(free)), ensure_ascii=False), label.name),
    )
    renamed = next(id_ for id_, one in known.items() if one == label)
    insert(connection, "renaming", label_id=renamed, old_name=label.name, new_name=title, time_s=time.time())


def _free_aliases(known: dict[int, Label], label: Label) -> list[str]:
    # An alias that another label of the store has already would stand for two labels.
    present = LabelSet(tuple(known.values()))
    return [alias for alias in label.aliases if present.find(alias) is None]


@well_formed()
def read_raters(connection: sqlite3.Connection) -> dict[int, Rater]:
    """Return the raters by id, in order."""
    rows = connection.execute("SELECT id, name, kind, attributes FROM rater ORDER BY id")
    return {id_: Rater(name, RaterKind(kind), attributes_from(text)) for id_, name, kind, text in rows}


def intern_raters(connection: sqlite3.Connection, raters: Iterable[Rater]) -> Ids:
    """Return the id of each rater, adding those whose name is new.

    Raises
    ------
    StoreError
        If a rater of a known name is of another kind.
    """
    return _intern(
        connection,
        "rater",
        [
            {
                "name": rater.name,
                "kind": str(rater.kind),
                "attributes": attributes_text(rater.attributes),
            }
            for rater in raters
        ],
        mend="name the algorithms of the file with --model, or give the rater another name",
    )


def _intern(connection: sqlite3.Connection, table: str, rows: Iterable[dict[str, Any]], *, mend: str) -> Ids:
    """Return the id of each row by its name, adding what is new; what is known must be of its kind."""
    ids: list[int] = []
    for row in rows:
        sql = f"SELECT id, kind FROM {table} WHERE name = ?"  # noqa: S608 the callers' constant
        known = connection.execute(sql, (row["name"],)).fetchone()
        if known is None:
            known = insert(connection, table, **row), row["kind"]
        if known[1] != row["kind"]:
            what = f"kind {row['kind']!r} in the file and {known[1]!r} in the store"
            raise StoreError(what, where=f"{table} {row['name']!r}", mend=mend)
        ids.append(int(known[0]))
    return np.array(ids, dtype=np.int64)


@well_formed()
def read_rounds(connection: sqlite3.Connection) -> dict[int, Round]:
    """Return the rounds by id, in order."""
    rows = connection.execute("SELECT id, name, kind FROM round ORDER BY id")
    return {id_: Round(name, RoundKind(kind)) for id_, name, kind in rows}


def intern_rounds(
    connection: sqlite3.Connection,
    rounds: Iterable[Round],
    *,
    is_blinded: bool | None = None,
    is_listed: bool = False,
) -> Ids:
    """Return the id of each round, adding those whose name is new.

    Parameters
    ----------
    rounds : iterable of Round
        To be found or added.
    is_blinded : bool, optional
        Whether raters do not see the labels of others; by default as the round's kind has it.
    is_listed : bool
        Whether the round covers a list of cells, not all.

    Raises
    ------
    StoreError
        If a round of a known name is of another kind.
    """
    return _intern(
        connection,
        "round",
        [
            {
                "name": round_.name,
                "kind": str(round_.kind),
                "is_blinded": round_.kind.is_blinded if is_blinded is None else is_blinded,
                "is_listed": is_listed,
            }
            for round_ in rounds
        ],
        mend="give the round another name",
    )


def id_of(connection: sqlite3.Connection, table: str, name: str) -> int:
    """Return the id of a slide, rater, round or label by its exact name.

    Raises
    ------
    StoreError
        If there is none of that name.
    """
    sql = f"SELECT id FROM {table} WHERE name = ?"  # noqa: S608 the callers' constant
    row = connection.execute(sql, (name,)).fetchone()
    if row is None:
        known = [one for (one,) in connection.execute(f"SELECT name FROM {table} ORDER BY id LIMIT 5")]  # noqa: S608
        raise StoreError(f"no {table} of the name {name!r}", mend=f"known: {', '.join(known) or 'none'}")
    return int(row[0])


def read_setting(connection: sqlite3.Connection, name: str, default: Any = None) -> Any:
    """Return what stands under a name as JSON, or the default.

    Raises
    ------
    StoreDamagedError
        If it is not JSON.
    """
    row = connection.execute("SELECT content FROM setting WHERE name = ?", (name,)).fetchone()
    if row is None:
        return default
    try:
        return json.loads(row[0])
    except ValueError:
        raise StoreDamagedError(f"the setting {name!r} is not JSON", where="store") from None


def write_setting(connection: sqlite3.Connection, name: str, value: Any) -> None:
    """Put a JSON value under a name."""
    text = json.dumps(value, ensure_ascii=False, allow_nan=False)
    put(connection, "setting", "name", name=name, content=text)


def read_identity(connection: sqlite3.Connection) -> tuple[str, str]:
    """Return the name and the UUID of the study."""
    name, uuid = connection.execute("SELECT name, uuid FROM study").fetchone()
    return name, uuid
