"""A copy of a study in memory, for who reads the whole of it: those who work do not wait meanwhile.

With ``journal_mode=DELETE`` (see `mitoscope.store.connection`) a reader keeps the writer from committing, and
one connection serves all who read. What looks at every cell therefore looks at a copy, which is made in steps
of a few milliseconds; between two of them others write, and what they write goes into the copy.
"""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from time import sleep
from typing import Any, TypeVar

from mitoscope.store.connection import settle_to_read

T = TypeVar("T")

STEP_PAGES = 1000
"""Of 4 KiB, copied while nobody writes."""
_BUSY_S = 0.01
_YIELD_S = 0.001


class Copy(sqlite3.Connection):
    """The connection of a copy, with what was read of it and can be brought up to date: see `opinions`.

    One that is ahead of the store holds what an import has yet to write, under numbers of its own.
    """

    kept: dict[Hashable, Any]
    is_ahead: bool


@contextmanager
def drafting(copy: Copy) -> Iterator[None]:
    """Let a copy be written inside of the block; at its end everything is as it was."""
    copy.execute("PRAGMA query_only = OFF")
    copy.execute("BEGIN")
    try:
        yield
    finally:
        copy.execute("ROLLBACK")
        copy.execute("PRAGMA query_only = ON")


def made_once(connection: sqlite3.Connection, name: Hashable, state: Hashable, make: Callable[[], T]) -> T:
    """Return what is made of a store; of a copy, what was made of it or of an earlier one in the same state.

    Parameters
    ----------
    connection : sqlite3.Connection
        Of a store or of a copy.
    name : hashable
        What is made.
    state : hashable
        Of all that it is made from, such as the number of the last answer.
    make : callable
        Makes it. It is not to be changed afterwards.
    """
    if not isinstance(connection, Copy):
        return make()
    known = connection.kept.get(name)
    if known is None or known[0] != state:
        known = connection.kept[name] = state, make()
    made: T = known[1]
    return made


class Snapshots:
    """Copies of a store, made anew when it has changed since the last.

    Parameters
    ----------
    source : sqlite3.Connection
        With which the store is written: only then does SQLite bring a copy that is being made up to date.
    turn : threading.RLock
        Held by whoever writes.
    changes : callable
        Returns a number that is another one once somebody has written.
    complete : callable
        Writes into a copy what the store has yet to write, and returns whether there was any.
    """

    def __init__(
        self,
        source: sqlite3.Connection,
        turn: threading.RLock,
        changes: Callable[[], int],
        complete: Callable[[sqlite3.Connection], bool],
    ) -> None:
        self._source, self._turn, self._changes, self._complete = source, turn, changes, complete
        self._reading = threading.Lock()
        self._copy: Copy | None = None
        self._state: int | None = None

    @contextmanager
    def reading(self) -> Iterator[Copy]:
        """Hold a copy of the store as it is now; who reads the whole of it takes turns with others of these.

        It must not be asked for while the store itself is held.
        """
        with self._reading:
            yield self._fresh()

    def close(self) -> None:
        """Let go of the last copy."""
        with self._reading:
            if self._copy is not None:
                self._copy.close()
            self._copy = self._state = None

    def _fresh(self) -> Copy:
        if self._copy is not None and self._changes() == self._state:
            return self._copy
        copy = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False, factory=Copy)
        try:
            with self._turn:
                self._source.backup(copy, pages=STEP_PAGES, progress=self._let_others, sleep=_BUSY_S)
                state = self._changes()
            copy.is_ahead = self._complete(copy)
            settle_to_read(copy)
        except BaseException:
            copy.close()
            raise
        old, self._copy, self._state = self._copy, copy, state
        copy.kept = {} if old is None or old.is_ahead or copy.is_ahead else old.kept
        if old is not None:
            old.close()
        return copy

    def _let_others(self, _status: int, remaining: int, _total: int) -> None:
        if not remaining:
            return  # what is written after the last step would be missing
        self._turn.release()
        sleep(_YIELD_S)  # a lock knows no queue: who waits comes first
        self._turn.acquire()
