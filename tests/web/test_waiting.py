"""No request holds the others: what work on one slide asks of the study does not grow with all its cells.

No clock is read. SQLite counts its own steps, on the one connection that all who read share.
"""

from __future__ import annotations

import threading
from typing import Any

import pytest

from mitoscope.store import Source, Store
from mitoscope.web.app import describe_api
from tests.store.making import scattered_study

from .making import Clinic, Person

STEPS = 200
"""SQLite tells after so many."""
FEW, MANY = 400, 4000


def _with_cells(clinic: Clinic, cells: int) -> None:
    """Add cells of other slides, with the labels of two experts, half of them on the list of a round."""
    clinic.store.import_study(scattered_study(cells, slides=4, seed=cells), source=Source(f"{cells} cells"))


def _routes(clinic: Clinic, round_id: int, cell: int) -> list[str]:
    """Return all routes that are read and need nothing but a slide, a round and a cell."""
    values: dict[str, Any] = {"slide_id": clinic.slide, "round_id": round_id, "cell": cell}
    found = []
    for route, item in describe_api()["paths"].items():
        names = {part["name"] for part in item.get("get", {}).get("parameters", ()) if part["in"] == "path"}
        if "get" in item and names <= values.keys() and not route.endswith((".jpg", "hot-spot")):
            found.append(route.format_map(values))
    assert len(found) > 15, "the routes are described otherwise"
    return found


def _steps(clinic: Clinic, who: Person, route: str) -> int:
    """Return in hundreds how many steps the shared connection takes for an answer."""
    taken = 0

    def count() -> int:
        nonlocal taken
        taken += 1
        return 0

    connection = clinic.store._reader  # the one that is shared
    connection.set_progress_handler(count, STEPS)
    try:
        status = who.client.get(route).status_code
        assert status == 200 or status in (403, 404, 409, 422), (route, status)
    finally:
        connection.set_progress_handler(None, STEPS)
    return taken


def test_what_the_shared_connection_does_for_an_answer_does_not_grow_with_the_study(clinic: Clinic) -> None:
    reader = clinic.person("reader")
    round_id = clinic.round("work", "case review", clinic.lead, reader, slides=[clinic.slide])
    made = clinic.lead.act(round_id, kind="create", slide=clinic.slide, x=900, y=700, label=1)["cell"]
    _with_cells(clinic, FEW)
    routes = [(who, route) for who in (clinic.lead, reader) for route in _routes(clinic, round_id, made)]
    before = [_steps(clinic, who, route) for who, route in routes]
    _with_cells(clinic, MANY)
    after = [_steps(clinic, who, route) for who, route in routes]
    grown = {
        route: (one, other)
        for (_, route), one, other in zip(routes, before, after, strict=True)
        if other > 2 * one + MANY / STEPS
    }
    assert not grown, "they read all cells of the study while everybody else waits"


@pytest.mark.parametrize(
    ("route", "name"),
    [("/api/agreement", "export_study"), ("/api/study", "overview"), ("/api/export", "export_study")],
)
def test_a_label_goes_through_while_the_whole_study_is_read(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch, route: str, name: str
) -> None:
    round_id = clinic.round("work", "case review", clinic.lead)
    cell = clinic.lead.act(round_id, kind="create", slide=clinic.slide, x=900, y=700)["cell"]
    begun, labelled = threading.Event(), threading.Event()
    read = getattr(Store, name)

    def slow(store: Store, *args: Any, **names: Any) -> Any:
        with store.reading():  # all that this request reads of the study, it holds until the label is there
            begun.set()
            assert labelled.wait(20), "the label waits for the figures"
        return read(store, *args, **names)

    monkeypatch.setattr(Store, name, slow)
    answers: list[int] = []
    asking = threading.Thread(target=lambda: answers.append(clinic.lead.client.get(route).status_code))
    asking.start()
    assert begun.wait(20)
    clinic.lead.act(round_id, kind="label", cell=cell, label=1)
    labelled.set()
    asking.join()
    assert answers == [200]


def test_others_look_on_while_something_long_is_written(clinic: Clinic) -> None:
    round_id = clinic.round("work", "case review", clinic.lead)
    made = clinic.lead.act(round_id, kind="create", slide=clinic.slide, x=900, y=700, label=1)
    round_path = f"/api/rounds/{round_id}"
    on_slide = f"/slides/{clinic.slide}"
    asked = ["/api/me", f"{round_path}/cells/{made['cell']}", f"{round_path}{on_slide}/cells"]
    asked += [f"{round_path}/queue", f"{round_path}{on_slide}/case"]
    screening = clinic.round("screening", "screening", clinic.lead)
    crowd = clinic.round("crowd", "crowd boxes", clinic.lead)
    asked += [f"/api/rounds/{screening}{on_slide}/screening", f"/api/rounds/{crowd}/tiles/next"]
    before = [clinic.lead.get(path) for path in asked]
    seen: list[Any] = []
    with clinic.store.writing() as connection:
        connection.execute("UPDATE cell SET x_min_px0 = 1, x_max_px0 = 1")  # an import, half done
        looking = threading.Thread(target=lambda: seen.extend(clinic.lead.get(path) for path in asked))
        looking.start()
        looking.join(20)
        assert seen == before, "who looks waits for who writes, or sees half of it"
    after = clinic.lead.get(asked[1])
    assert after["x"] == 1


def test_classes_are_settled_in_few_statements_however_many_cells(clinic: Clinic) -> None:
    """Others wait to write only while it is written: what the rule says was found before, on a copy."""
    _with_cells(clinic, MANY)
    run: list[str] = []
    clinic.store._connection.set_trace_callback(lambda sql: run.append(" ".join(sql.split())))
    settled = clinic.lead.post("/api/settle", policy="majority")
    clinic.store._connection.set_trace_callback(None)
    assert settled["written"] > MANY / 2
    assert not [sql for sql in run if "FROM label_now ORDER" in sql], "all labels are read meanwhile"
    assert len([sql for sql in run if sql.startswith("SELECT")]) < FEW, "cells are looked up one by one"
    clinic.store.verify()


def test_a_page_of_tiles_does_not_read_the_cells_of_the_study(clinic: Clinic) -> None:
    round_id = clinic.round("crowd", "crowd boxes", clinic.lead)
    tiles = [{"slide": clinic.slide, "x": 100 * one, "y": 300} for one in range(3)]
    clinic.lead.post(f"/api/rounds/{round_id}/tiles", tiles=tiles, side=100)
    tile = clinic.lead.get(f"/api/rounds/{round_id}/tiles/next")["tile"]["id"]
    clinic.lead.post(f"/api/rounds/{round_id}/tiles/{tile}/answer", boxes=[[10, 10, 40, 40]])
    _with_cells(clinic, FEW)
    run: list[str] = []
    with clinic.store.snapshot() as copy:  # it is kept as long as nothing is written
        connection = copy._connection
    connection.set_trace_callback(run.append)
    clinic.lead.get(f"/api/rounds/{round_id}/tiles")
    connection.set_trace_callback(None)
    assert any("tile_answer" in sql for sql in run)
    assert not [sql for sql in run if "FROM label_now" in sql or "FROM cell" in sql]
