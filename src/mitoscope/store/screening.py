"""Screening: the fields of a slide in order, which a rater has covered, and where the rater stopped.

The plan of a slide is made once in a round and kept, so that days later, and for every rater, field 17 is
the same field (CCMCT, CMC: guided screening with partially overlapping fields).
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from mitoscope.errors import StoreError
from mitoscope.geometry import BoxPx0
from mitoscope.store.encoding import insert_columns, put


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its box, and the share of the slide's tissue that it is the first to show."""

    box_px0: BoxPx0
    tissue: float


@dataclass(frozen=True, slots=True)
class ScreeningState:
    """How far a rater is on a slide.

    Parameters
    ----------
    pass_ : int
        From 1: how often the slide is gone through.
    fields : tuple of Field
        In order.
    covered : tuple of bool
        Of this pass, by field.
    seconds : tuple of float
        Spent on each field in this pass.
    field : int, optional
        Where the rater stopped.
    position : object
        JSON value of the page.
    """

    pass_: int
    fields: tuple[Field, ...]
    covered: tuple[bool, ...]
    seconds: tuple[float, ...]
    field: int | None
    position: Any

    @property
    def covered_fraction(self) -> float:
        """Share of the tissue that this pass has shown, in [0, 1]."""
        total = sum(field.tissue for field in self.fields)
        seen = sum(
            field.tissue for field, is_covered in zip(self.fields, self.covered, strict=True) if is_covered
        )
        return seen / total if total > 0 else float(all(self.covered))

    @property
    def is_complete(self) -> bool:
        """Whether every field was covered in this pass."""
        return all(self.covered)


def read_plan(connection: sqlite3.Connection, round_id: int, slide_id: int) -> tuple[Field, ...] | None:
    """Return the fields of a slide in a round, or None where none are planned yet."""
    rows = connection.execute(
        "SELECT x_px0, y_px0, width_px0, height_px0, tissue FROM field WHERE (round_id, slide_id) = (?, ?) "
        "ORDER BY number",
        (round_id, slide_id),
    ).fetchall()
    return tuple(Field(BoxPx0(*row[:4]), row[4]) for row in rows) or None


def write_plan(
    connection: sqlite3.Connection, round_id: int, slide_id: int, fields: Sequence[Field]
) -> tuple[Field, ...]:
    """Keep the fields of a slide in a round, unless there is a plan already; return the plan that holds."""
    known = read_plan(connection, round_id, slide_id)
    if known is not None:
        return known
    boxes = [field.box_px0 for field in fields]
    insert_columns(
        connection,
        "field",
        round_id=[round_id] * len(fields),
        slide_id=[slide_id] * len(fields),
        number=range(len(fields)),
        x_px0=[box.x for box in boxes],
        y_px0=[box.y for box in boxes],
        width_px0=[box.width for box in boxes],
        height_px0=[box.height for box in boxes],
        tissue=[field.tissue for field in fields],
    )
    return tuple(fields)


def read_screening(
    connection: sqlite3.Connection, round_id: int, rater_id: int, slide_id: int
) -> ScreeningState:
    """Return how far a rater is on a slide.

    Raises
    ------
    StoreError
        If no fields are planned there.
    """
    fields = read_plan(connection, round_id, slide_id)
    if fields is None:
        raise StoreError("no fields are planned", where=f"slide {slide_id}", mend="open the screening first")
    who = (round_id, rater_id, slide_id)
    row = connection.execute(
        "SELECT pass, field, position FROM screening WHERE (round_id, rater_id, slide_id) = (?, ?, ?)", who
    ).fetchone()
    pass_, field, position = row or (1, None, None)
    covered, seconds = [False] * len(fields), [0.0] * len(fields)
    for number, is_covered, spent in connection.execute(
        "SELECT number, is_covered, seconds FROM field_visit "
        "WHERE (round_id, rater_id, slide_id, pass) = (?, ?, ?, ?)",
        (*who, pass_),
    ):
        covered[number], seconds[number] = bool(is_covered), spent
    place = None if position is None else json.loads(position)
    return ScreeningState(pass_, fields, tuple(covered), tuple(seconds), field, place)


def visit_field(
    connection: sqlite3.Connection,
    round_id: int,
    rater_id: int,
    slide_id: int,
    number: int,
    *,
    is_covered: bool | None = None,
    seconds: float = 0.0,
    position: Any = None,
) -> None:
    """Note that a rater is at a field; that it is covered in this pass, or not after all, unless None.

    Raises
    ------
    StoreError
        If there is no such field.
    """
    state = read_screening(connection, round_id, rater_id, slide_id)
    if not 0 <= number < len(state.fields):
        raise StoreError(f"no field {number}", where=f"slide {slide_id}", mend="read the fields again")
    who = {"round_id": round_id, "rater_id": rater_id, "slide_id": slide_id, "pass": state.pass_}
    text = json.dumps(position, ensure_ascii=False, allow_nan=False)
    put(connection, "screening", *who, **who, field=number, position=text)
    connection.execute(
        "INSERT INTO field_visit (round_id, rater_id, slide_id, pass, number, is_covered, seconds, time_s) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO UPDATE SET "
        "is_covered = ifnull(?, is_covered), seconds = seconds + excluded.seconds, "
        "time_s = excluded.time_s",
        (*who.values(), number, bool(is_covered), seconds, time.time(), is_covered),
    )


def begin_pass(connection: sqlite3.Connection, round_id: int, rater_id: int, slide_id: int) -> int:
    """Begin the next pass over a slide and return its number."""
    number = read_screening(connection, round_id, rater_id, slide_id).pass_ + 1
    who = {"round_id": round_id, "rater_id": rater_id, "slide_id": slide_id}
    put(connection, "screening", *who, **who, **{"pass": number, "field": None, "position": None})
    return number
