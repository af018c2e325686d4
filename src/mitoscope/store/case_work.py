"""What a rater has done on a case before it is signed: candidates looked at, tissue seen, windows kept.

It is no label and counts nothing: it is what a signature states of how the count came about.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mitoscope.store.encoding import put, well_formed


@dataclass(frozen=True, slots=True)
class CaseWork:
    """A rater's work on a slide in a case review.

    Parameters
    ----------
    looked : frozenset of int
        Public ids of the candidates that were shown one by one.
    unsure : frozenset of int
        Of those about which the rater could not decide.
    seen : frozenset of int
        Squares of tissue that were shown at a magnification at which figures can be told (see the page).
    windows : tuple of mapping
        Windows kept by name, as JSON values.
    """

    looked: frozenset[int] = frozenset()
    unsure: frozenset[int] = frozenset()
    seen: frozenset[int] = frozenset()
    windows: tuple[Mapping[str, Any], ...] = field(default=(), hash=False)


@well_formed()
def read_case_work(
    connection: sqlite3.Connection, *, round_id: int, rater_id: int, slide_id: int
) -> CaseWork:
    """Return what a rater has done on a case; nothing where the rater has not begun."""
    sql = "SELECT content FROM case_work WHERE (round_id, rater_id, slide_id) = (?, ?, ?)"
    row = connection.execute(sql, (round_id, rater_id, slide_id)).fetchone()
    if row is None:
        return CaseWork()
    content = json.loads(row[0])
    looked, unsure, seen = (frozenset(map(int, content[name])) for name in ("looked", "unsure", "seen"))
    return CaseWork(looked, unsure, seen, tuple(content["windows"]))


def write_case_work(
    connection: sqlite3.Connection, work: CaseWork, *, round_id: int, rater_id: int, slide_id: int
) -> None:
    """Keep what a rater has done on a case, in place of what was kept before."""
    content = {
        "looked": sorted(work.looked),
        "unsure": sorted(work.unsure),
        "seen": sorted(work.seen),
        "windows": [dict(window) for window in work.windows],
    }
    whose = {"round_id": round_id, "rater_id": rater_id, "slide_id": slide_id}
    text = json.dumps(content, ensure_ascii=False, allow_nan=False)
    put(connection, "case_work", *whose, **whose, content=text, time_s=time.time())
