"""Waiting times of the application at the size of real studies: every GET route, as lead and as rater.

Three studies, each on real slide files and with the labels of several raters:

* ``midog``: MIDOG++ as published, 553 slides and 26,286 cells with all their labels;
* ``cells``: 100,000 cells on 20 slides, labelled by three experts and scored by a model;
* ``slides``: 10,000 slides with two cells each.

The server runs in a process of its own, as ``mitoscope serve`` starts it. Each route is asked for several
times; then the long ones are asked for without pause, while others look at tiles and cells and label. What a
page waits for is held to: each route < 300 ms, agreement < 2 s, others' 95th percentile < 100 ms meanwhile.

Run: ``PYTHONPATH=. python benchmarks/application.py [midog] [cells] [slides] [--data FOLDER]``.
"""

from __future__ import annotations

import argparse
import base64
import os
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from machine import stamp

from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Cells,
    LabelEvents,
    Rater,
    RaterKind,
    Round,
    RoundKind,
    Shape,
    SlideRecord,
    Source,
    Store,
    Study,
    TaskTile,
    add_tiles,
    answer_tile,
    tile_ids,
)
from mitoscope.web.app import describe_api
from tests.web.making import key, write_slide
from tests.web.real_server import Caller, RealServer

SIZE = SizePx(7216, 5416)
"""Of the slide files, at 0.25 µm/px: that of the largest images of MIDOG++."""
REPEATS = 5
LOAD_S = 10.0
LONG = ("/api/agreement", "/api/overrules", "/api/study", "/api/progress", "/api/export?format=csv")
"""What reads the whole study."""


def main() -> None:
    """Make the studies, measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("studies", nargs="*", default=["midog", "cells", "slides"])
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MITOSCOPE_DATA", "../shared/data")))
    parser.add_argument("--dir", type=Path, default=None, help="where the studies are written")
    arguments = parser.parse_args()
    print(stamp())
    for name in arguments.studies:
        with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
            measure(name, Path(folder), MAKERS[name](arguments.data))


def midog(data: Path) -> Study:
    """Return MIDOG++ as published, on images of one size: the files of this benchmark."""
    from mitoscope.exchange import coco
    from mitoscope.exchange.format import ReadOptions

    study = coco.read(data / "annotations" / "MIDOG++.json", ReadOptions())
    slides = tuple(replace(one, size=SIZE, mpp=Mpp.square(0.25)) for one in study.slides)
    return replace(study, slides=slides)


def made(cells: int, slides: int) -> Study:
    """Return boxes that three experts labelled, the third where the first two differ, and a model scored."""
    rng = np.random.default_rng(0)
    corners = rng.uniform(0, [SIZE.width - 50, SIZE.height - 50], (cells, 2)).round(1)
    every = np.arange(cells)
    first = rng.integers(0, 2, cells)
    second = np.where(rng.random(cells) < 0.8, first, 1 - first)
    disputed = np.flatnonzero(first != second)
    third = rng.integers(0, 2, len(disputed))
    score = rng.random(cells)
    parts = (
        (every, first, None),
        (every, second, None),
        (disputed, third, None),
        (every, score > 0.5, score),
    )
    return Study(
        tuple(SlideRecord(f"{n:05d}.tiff", SIZE, Mpp.square(0.25), case=f"case {n}") for n in range(slides)),
        DEFAULT_LABELS,
        (*(Rater(f"expert {n}") for n in range(3)), Rater("model", RaterKind.MODEL)),
        cells=Cells.of(
            every % slides, np.hstack([corners, corners + 50]), shape=np.full(cells, int(Shape.BOX))
        ),
        events=LabelEvents.of(
            np.concatenate([cell for cell, _, _ in parts]),
            np.repeat(np.arange(4), [len(cell) for cell, _, _ in parts]),
            np.concatenate([label for _, label, _ in parts]).astype(np.int64),
            score=np.concatenate(
                [np.full(len(cell), np.nan) if given is None else given for cell, _, given in parts]
            ),
        ),
    )


MAKERS: dict[str, Callable[[Path], Study]] = {
    "midog": midog,
    "cells": lambda _: made(100_000, 20),
    "slides": lambda _: made(20_000, 10_000),
}


def measure(name: str, folder: Path, study: Study) -> None:
    """Serve a study and print what its pages wait for."""
    slides = folder / "slides"
    slides.mkdir()
    file = write_slide(folder / "one.tiff", width=SIZE.width, height=SIZE.height)
    for slide in study.slides:
        os.link(file, slides / slide.name)
    path = folder / "study.mito"
    with Store.create(path) as store:
        store.import_study(study, source=Source(name))
        listed = store.live_cells()[:1000]
        store.open_round(Round("candidates", RoundKind.CANDIDATE_REVIEW), cells=listed)
        answered = [answer_tiles(store, f"crowd {n}") for n in range(3)]
    start = time.perf_counter()
    print(
        f"\n## {name}: {len(study.cells):,} cells, {len(study.slides):,} slides, {len(study.events):,} labels"
    )
    with RealServer(path, slides) as server:
        report("start, until the link is printed", [time.perf_counter() - start])
        clinic = Clinic(server, crowd=answered[0])
        for who, caller in (("lead", clinic.lead), ("rater", clinic.rater)):
            for route in sorted(clinic.routes()):
                time_route(f"{who:5s} {route}", caller, route, server=psutil.Process(server.process.pid))
        clinic.cells_made()
        with_others(clinic)
        while_written(clinic)
        server.end(signal.SIGINT)


def answer_tiles(store: Store, name: str) -> int:
    """Return a round of 2,000 tiles, each answered by five of a crowd: a box on three of ten."""
    rng = np.random.default_rng(0)
    round_id = store.open_round(Round(name, RoundKind.CROWD_BOXES))
    raters = [store.add_rater(Rater(f"of the crowd {n}", RaterKind.CROWD)) for n in range(5)]
    slides = list(store.slides())
    places = [(slides[n % len(slides)], 200.0 * (n // len(slides))) for n in range(2000)]
    with store.writing() as connection:
        add_tiles(connection, [TaskTile(0, round_id, slide, x, 0, 128) for slide, x in places])
        for rater in raters:
            for tile in tile_ids(connection, round_id):
                boxes = [[*rng.integers(0, 80, 2).tolist(), 25, 25]] if rng.random() < 0.3 else []
                answer_tile(connection, tile, rater, {"boxes": boxes}, seconds=3)
    return round_id


def time_route(name: str, caller: Caller, route: str, *, server: psutil.Process) -> None:
    """Print first, median and slowest time of an answer, and what it costs the server's processor."""
    taken, status, size = [], 0, 0
    before = server.cpu_times()
    for _ in range(REPEATS):
        start = time.perf_counter()
        answer = caller.http.get(route, timeout=600)
        taken.append(time.perf_counter() - start)
        status, size = answer.status_code, len(answer.content)
        if sum(taken) > 60:
            break
    used = server.cpu_times()
    cpu = (used.user + used.system - before.user - before.system) / len(taken)
    report(f"{name} [{status}, {size / 1e3:,.0f} kB]", taken, cpu=cpu)


def report(name: str, seconds: list[float], *, cpu: float = 0.0) -> None:
    times = (seconds[0], statistics.median(seconds), max(seconds), cpu)
    print(f"{name:78s}" + "".join(f"{one * 1e3:10,.0f}" for one in times) + " ms", flush=True)


LACKING = ("{result_id}", "{board_id}", "{name}", "{interest_id}", "{version}", "{search_id}", "{tile_id}")
"""What these studies have none of."""


class Clinic:
    """A served study with a lead and a rater, and rounds of all kinds."""

    def __init__(self, server: RealServer, *, crowd: int) -> None:
        self.lead = server.client()
        added = self.lead.send("POST", "/api/raters", name="reader", kind="expert", role="rater").json()
        self.rater = server.client(added["link"].partition("token=")[2])
        me = self.lead.get("/api/me")
        self.slide = me["slides"][0]["id"]
        reader, both = [added["id"]], [added["id"], me["rater"]["id"]]
        self.rounds = {
            kind: self.lead.send("POST", "/api/rounds", name=kind, kind=kind, raters=who).json()["id"]
            for kind, who in (
                ("case review", both),
                ("screening", both),
                ("second read", reader),  # who reads blinded is shown no agreement
            )
        }
        self.rounds["crowd boxes"] = crowd
        self.own = self.rounds["case review"]
        self.cells: list[int] = []

    def cells_made(self) -> None:
        """Make cells to be labelled."""
        for _ in range(50):
            self.cells.append(self._made(self.rater))

    def _made(self, caller: Caller) -> int:
        place = {"kind": "create", "slide": self.slide, "x": 2000.0, "y": 1500.0}
        return int(caller.send("POST", f"/api/rounds/{self.own}/actions", **place).json()["cell"])

    def routes(self) -> Iterator[str]:
        """Return all routes that are read, with values for what they ask for."""
        cells = self.lead.get(f"/api/rounds/{self.own}/slides/{self.slide}/cells")
        values: dict[str, Any] = {
            "slide_id": self.slide,
            "cell": cells["cell"][0],
            "level": 10,
            "column": 0,
            "row": 0,
        }
        for route, item in describe_api()["paths"].items():
            if "get" not in item or any(
                part in route for part in ("{result_id}", "{board_id}", "{name}", "{interest_id}")
            ):
                continue
            kind = (
                "crowd boxes" if "tiles" in route else "screening" if "screening" in route else "case review"
            )
            filled = route.format_map(values | {"round_id": self.rounds[kind]})
            if route.endswith("hot-spot"):
                filled += f"?round={self.own}&threshold=0.5"
            if route == "/api/slides/{slide_id}/crop.jpg":
                filled += "?x=1000&y=1000"
            yield filled
            if route.endswith(("/queue", "/cells")):
                again = route.format_map(values | {"round_id": self.rounds["second read"]})
                yield again


@dataclass
class Times:
    """What others waited for, by what they did."""

    label: list[float]
    cell: list[float]
    tile: list[float]


def with_others(clinic: Clinic) -> None:
    """Ask for what reads the whole study without pause, and time what others do meanwhile."""
    others(clinic, "nobody else", [])
    for route in LONG:
        others(clinic, route, [route])


def while_written(clinic: Clinic) -> None:
    """Import a large table and freeze a version, and time what others do meanwhile."""
    table = table_of(clinic.lead.get("/api/me")["slides"][:20])
    writes: dict[str, tuple[str, dict[str, Any]]] = {
        "import": ("/api/imports", {"name": "cells.csv", "content": base64.b64encode(table).decode()}),
        "freezing": ("/api/versions", {"variant": "measured"}),
    }
    for name, (route, body) in writes.items():
        over = threading.Event()
        thread = threading.Thread(target=send_until_done, args=(clinic.lead, route, body, over))
        thread.start()
        taken = work(clinic, over.is_set)
        thread.join()
        tell(f"{name} is written", taken)


def send_until_done(caller: Caller, route: str, body: dict[str, Any], over: threading.Event) -> None:
    """Send a request and tell when it was answered."""
    try:
        answer = caller.http.post(route, json={"key": key(), **body}, timeout=600)
        assert answer.status_code == 200, answer.text
    finally:
        over.set()


def table_of(slides: list[dict[str, Any]], *, cells: int = 10_000) -> bytes:
    """Return a CSV of cells at random places of slides, with labels of three raters."""
    rng = np.random.default_rng(0)
    rows = ["image,x,y,label,rater"]
    for number in range(cells):
        x, y = rng.uniform(50, 5000, 2).round(1)
        for rater in ("Anna", "Bert", "Cora"):
            label = "mitotic figure" if rng.random() < 0.5 else "look-alike"
            rows.append(f"{slides[number % len(slides)]['name']},{x},{y},{label},{rater}")
    return "\n".join([*rows, ""]).encode()


def others(clinic: Clinic, name: str, routes: list[str]) -> None:
    over = threading.Event()
    with asking(clinic.lead, routes, over) as asked:
        until = time.perf_counter() + LOAD_S
        taken = work(clinic, lambda: time.perf_counter() > until)
        over.set()
    tell(f"{name} ({len(asked)} answers)", taken)


def work(clinic: Clinic, is_over: Callable[[], bool]) -> Times:
    """Label, look at a cell and at a tile in turn."""
    taken = Times([], [], [])
    number = 0
    while not is_over():
        cell = clinic.cells[number % len(clinic.cells)]
        number += 1
        body = {"kind": "label", "cell": cell, "label": 1 + number % 2}
        path = f"/api/rounds/{clinic.own}"
        start = time.perf_counter()
        assert clinic.rater.send("POST", f"{path}/actions", **body).status_code == 200
        taken.label.append(time.perf_counter() - start)
        start = time.perf_counter()
        assert clinic.rater.http.get(f"{path}/cells/{cell}").status_code == 200
        taken.cell.append(time.perf_counter() - start)
        start = time.perf_counter()
        tile = f"/api/slides/{clinic.slide}/tiles/12/{number % 8}_{number % 5}.jpg"
        assert clinic.rater.http.get(tile).status_code == 200
        taken.tile.append(time.perf_counter() - start)
    return taken


def tell(name: str, taken: Times) -> None:
    for what in ("label", "cell", "tile"):
        waited = np.array(getattr(taken, what)) * 1e3
        median, p95, slowest = np.quantile(waited, [0.5, 0.95, 1])
        figures = f"median {median:7.1f}, p95 {p95:7.1f}, slowest {slowest:8.1f} ms ({len(waited)})"
        print(f"  while {name}: {what:6s} {figures}", flush=True)


@contextmanager
def asking(caller: Caller, routes: list[str], over: threading.Event) -> Iterator[list[float]]:
    """Ask for routes without pause, in another thread, until told."""
    asked: list[float] = []

    def ask() -> None:
        while routes and not over.is_set():
            for route in routes:
                start = time.perf_counter()
                caller.http.get(route, timeout=600)
                asked.append(time.perf_counter() - start)

    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield asked
    finally:
        over.set()
        thread.join()


if __name__ == "__main__":
    main()
