"""Promise 9 over HTTP: two raters never overwrite each other silently."""

from __future__ import annotations

import random
import threading
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from mitoscope.store import Store

from .making import key
from .real_server import Caller, RealServer
from .soak import times

CLIENTS = 8
ACTIONS = times(25, full=500)
CELLS = 50


@dataclass
class Work:
    """What one client did: cell, the event before and the one acknowledged; and what was refused."""

    acknowledged: list[tuple[int, str, str]] = field(default_factory=list)
    keys: list[str] = field(default_factory=list)
    refusals: Counter[tuple[int, str]] = field(default_factory=Counter)


def _people(server: RealServer) -> tuple[int, list[Caller]]:
    """Return an open round and its raters, the lead first."""
    lead = server.client()
    added = [lead.send("POST", "/api/raters", name=f"rater {one}").json() for one in range(CLIENTS - 1)]
    raters = [lead.get("/api/me")["rater"]["id"], *(one["id"] for one in added)]
    made = lead.send("POST", "/api/rounds", name="together", kind="unstated", raters=raters)
    links = [one["link"].partition("token=")[2] for one in added]
    return made.json()["id"], [lead, *map(server.client, links)]


def _cells(lead: Caller, round_id: int) -> list[int]:
    rng = random.Random(0)
    return [
        lead.send(
            "POST",
            f"/api/rounds/{round_id}/actions",
            kind="create",
            slide=1,
            x=rng.uniform(0, 2000),
            y=rng.uniform(0, 1500),
        ).json()["cell"]
        for _ in range(CELLS)
    ]


def _work(me: Caller, round_id: int, cells: list[int], *, seed: int) -> Work:
    """Move and label cells at random, each time saying what I had seen."""
    rng, seen, done = random.Random(seed), dict[int, str](), Work()
    for _ in range(ACTIONS):
        cell = rng.choice(cells)
        if cell not in seen:
            seen[cell] = me.get(f"/api/rounds/{round_id}/cells/{cell}")["seen"]
        wish: dict[str, Any] = {"kind": "label", "label": rng.choice((1, 2))}
        if rng.random() < 0.5:
            wish = {"kind": "move", "x": rng.uniform(0, 2000), "y": rng.uniform(0, 1500)}
        path = f"/api/rounds/{round_id}/actions"
        mine = key()
        answer = me.send("POST", path, key=mine, cell=cell, expected=seen[cell], **wish)
        said = answer.json()
        if answer.status_code == 200:
            done.acknowledged.append((cell, seen[cell], said["seen"]))
            done.keys.append(mine)
            seen[cell] = said["seen"]
        else:
            done.refusals[answer.status_code, said["code"]] += 1
            seen[cell] = said["cell"]["seen"]  # a conflict shows the cell as it is now
    return done


def test_eight_clients_on_fifty_cells_over_http(quick_path: Path, slides: Path) -> None:
    path = quick_path / "study.mito"
    works: list[Work] = []
    with RealServer(path, slides) as server:
        round_id, people = _people(server)
        cells = _cells(people[0], round_id)

        def work(me: Caller, seed: int) -> None:
            works.append(_work(me, round_id, cells, seed=seed))

        threads = [threading.Thread(target=work, args=(one, seed)) for seed, one in enumerate(people)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        for one in people:
            one.close()
    assert len(works) == CLIENTS
    refusals = sum((one.refusals for one in works), Counter[tuple[int, str]]())
    assert set(refusals) == {(409, "conflict")}, (
        "nobody met anybody, or somebody was refused for another reason"
    )
    keys = {mine for one in works for mine in one.keys}
    assert len(keys) + refusals[409, "conflict"] == CLIENTS * ACTIONS
    # Had two clients acted upon the same state of a cell, both would have been told that they came next.
    states = [(cell, before) for one in works for cell, before, _ in one.acknowledged]
    assert len(set(states)) == len(states)
    with Store.open(path) as store:
        store.verify()
        with store.reading() as connection:
            sql = "SELECT key FROM event WHERE key IS NOT NULL AND kind != 'create'"
            assert {mine for (mine,) in connection.execute(sql)} == keys
