"""Going on with work that was stopped: only with what it was begun with."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from mitoscope.errors import LedgerMismatchError

_SHORT: Final = 40


def refuse_changed(
    before: Mapping[str, object],
    now: Mapping[str, object],
    *,
    where: str | Path,
    mend: str,
    done: str = "begun",
    causes: tuple[str, ...] = (),
) -> None:
    """Refuse to go on where what the work depends on has changed.

    Runs over slides, training, loops and experiments all resume by this rule.

    Parameters
    ----------
    before, now : mapping of str to object
        What the work depends on, by the name that a user knows it by ("slide", "recipe", ...).
    where : str or Path
        Where the work is kept.
    mend : str
        How to begin anew.
    done : str
        What has happened there: ``begun``, ``finished``.
    causes : tuple of str
        Beginnings of the names of causes; what follows from a changed cause is not worth naming.

    Raises
    ------
    LedgerMismatchError
        Naming what changed, before and now.
    """
    changed = [key for key in sorted(before.keys() | now.keys()) if before.get(key) != now.get(key)]
    named = [key for key in changed if key.startswith(causes)] if causes else []
    if changed:
        parts = [f"{key} ({_short(before.get(key))}, now {_short(now.get(key))})" for key in named or changed]
        raise LedgerMismatchError(f"{done} with another {', another '.join(parts)}", where=where, mend=mend)


def _short(value: object) -> str:
    text = "nothing" if value in (None, "null", "") else str(value).strip('"')
    return text if len(text) <= _SHORT else f"{text[:32]}…"
