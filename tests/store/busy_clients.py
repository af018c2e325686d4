"""Eight clients, or writers during a backup; run by ``test_concurrency.py`` and ``test_backup.py``.

``busy_clients.py store PATH CLIENTS ACTIONS`` prints what each client saw as one JSON line. The controls in
place of ``store``: ``unchecked`` does not say what the client has seen; ``naive`` keeps labels as a beginner
would, in WAL with a transaction that begins with a read.
"""

from __future__ import annotations

import json
import os
import random
import sqlite3
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from mitoscope.errors import ConflictError, StoreError
from mitoscope.store import Round, RoundKind, Store
from tests.store.session import Session

CELLS = 50
Seen = dict[str, Any]


def act(path: Path, client: int, actions: int, *, checked: bool = True) -> Seen:
    """Label random cells, each as last seen; return what was acknowledged as [cell, expected, event]."""
    rng = random.Random(client)
    acknowledged: list[list[int]] = []
    conflicts, refused = 0, []
    with Store.open(path) as store:
        session = Session(store, client + 1, store.open_round(Round("board", RoundKind.BOARD_REVIEW)))
        seen = {cell: session.last_visible(cell) for cell in range(1, CELLS + 1)}
        for number in range(actions):
            cell = rng.randint(1, CELLS)
            expected = seen[cell] if checked else None
            try:
                done = session.label(cell, rng.choice([1, 2]), key=f"{client}/{number}", expected=expected)
                acknowledged.append([cell, seen[cell], done.seq])
                seen[cell] = done.seq
            except ConflictError:
                conflicts += 1
                seen[cell] = session.last_visible(cell)
            except StoreError as error:
                refused.append(str(error))
    return {"acknowledged": acknowledged, "conflicts": conflicts, "refused": refused}


def act_naively(path: Path, client: int, actions: int) -> Seen:
    """Read the label, decide, write it over: the transaction has to be promoted from reading to writing."""
    rng = random.Random(client)
    acknowledged: list[list[int]] = []
    refused = []
    connection = sqlite3.connect(path, isolation_level=None, timeout=10)
    for _ in range(actions):
        cell = rng.randint(1, CELLS)
        try:
            connection.execute("BEGIN")
            (version,) = connection.execute("SELECT version FROM label WHERE cell = ?", (cell,)).fetchone()
            connection.execute("UPDATE label SET version = ? WHERE cell = ?", (version + 1, cell))
            connection.execute("COMMIT")
            acknowledged.append([cell, version, version + 1])
        except sqlite3.OperationalError as error:
            refused.append(str(error))
            if connection.in_transaction:
                connection.execute("ROLLBACK")
    connection.close()
    return {"acknowledged": acknowledged, "conflicts": 0, "refused": refused}


def main(kind: str, path: Path, clients: int, actions: int) -> None:
    """Fork the clients, wait for them, print what each saw."""
    kinds: dict[str, Callable[[Path, int, int], Seen]] = {
        "store": act,
        "unchecked": partial(act, checked=False),
        "naive": act_naively,
    }
    work = kinds[kind]
    pipes = []
    for client in range(clients):
        read_end, write_end = os.pipe()
        if os.fork() == 0:
            os.close(read_end)
            with os.fdopen(write_end, "w") as stream:
                json.dump(work(path, client, actions), stream)
            os._exit(0)
        os.close(write_end)
        pipes.append(read_end)
    for read_end in pipes:
        with os.fdopen(read_end) as stream:
            print(stream.read(), flush=True)
    for _ in pipes:
        os.wait()


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]))
