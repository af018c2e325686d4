"""The annotation store against plain loops of INSERTs in the same run.

Measured, each with what it is held to on 2 cores:

* import of ``MIDOG++.json`` (26,286 cells with all their labels), < 10 s; a million cells, < 2 min;
* cells in a viewport and the next unlabelled cell among a million, < 20 ms;
* one label committed durably, < 10 ms median, beside the smallest durable commit the disk allows;
* a version of 90,000 cells frozen and read, < 5 s together.

Run: ``PYTHONPATH=. python benchmarks/store.py [--cells 1000000] [--data FOLDER] [--dir FOLDER]``.
"""

from __future__ import annotations

import argparse
import os
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
from machine import stamp

from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Cells,
    LabelEvents,
    Rater,
    Round,
    RoundKind,
    Shape,
    SlideRecord,
    Source,
    Store,
    Study,
)
from tests.store.making import cells_in
from tests.store.session import Session

SLIDES = 20
SIDE_PX0 = 100_000
REPEATS = 200
VERSION_CELLS = 90_000


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, default=1_000_000)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("MITOSCOPE_DATA", "../shared/data")))
    parser.add_argument("--dir", type=Path, default=None, help="where the stores are written")
    arguments = parser.parse_args()
    print(f"{stamp()}, SQLite {sqlite3.sqlite_version}")
    with tempfile.TemporaryDirectory(dir=arguments.dir) as folder:
        annotations = arguments.data / "annotations" / "MIDOG++.json"
        if annotations.is_file():
            measure_file(Path(folder), annotations)
        measure_size(Path(folder), arguments.cells)
        measure_version(Path(folder), VERSION_CELLS)


def measure_version(folder: Path, cells: int) -> None:
    """Freeze a version and read it back."""
    rng = np.random.default_rng(0)
    slides = tuple(
        SlideRecord(f"{n}.svs", SizePx(SIDE_PX0, SIDE_PX0), Mpp.square(0.25), case=f"case {n}")
        for n in range(SLIDES)
    )
    slide, corners = np.arange(cells) % SLIDES, rng.uniform(0, SIDE_PX0 - 50, (cells, 2)).round(1)
    first = rng.integers(0, 2, cells)
    second = np.where(rng.random(cells) < 0.8, first, 1 - first)
    study = Study(
        slides,
        DEFAULT_LABELS,
        (Rater("expert 1"), Rater("expert 2")),
        cells=Cells.of(slide, np.hstack([corners, corners + 50]), shape=np.full(cells, Shape.BOX)),
        events=LabelEvents.of(
            np.tile(np.arange(cells), 2), np.repeat([0, 1], cells), np.concatenate([first, second])
        ),
    )
    split = {f"{n}.svs": "train" if n % 4 else "test" for n in range(SLIDES)}
    with Store.create(folder / "version.mito") as store:
        store.import_study(study, source=Source("made"))
        report(f"{cells:,} cells frozen as a version", seconds_of(lambda: store.freeze("MEL", split=split)))
        report(f"{cells:,} cells of a version read", seconds_of(lambda: store.ground_truth("MEL")))


def report(name: str, seconds: float, plain: float | None = None) -> None:
    ratio = "" if plain is None else f"   {seconds / plain:6.2f} × a plain loop ({plain * 1e3:,.1f} ms)"
    print(f"{name:58s}{seconds * 1e3:12,.2f} ms{ratio}")


def seconds_of(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def measure_file(folder: Path, annotations: Path) -> None:
    from mitoscope.exchange import coco
    from mitoscope.exchange.format import ReadOptions

    start = time.perf_counter()
    study = coco.read(annotations, ReadOptions())
    reading = time.perf_counter() - start
    with Store.create(folder / "midog.mito") as store:
        importing = seconds_of(lambda: store.import_study(study, source=Source(annotations.name)))
        plain = plain_inserts(folder / "midog.sqlite", study)
        report(f"read {annotations.name}", reading)
        report(f"import {len(study.cells):,} cells, {len(study.events):,} labels", importing, plain)
        report("export them", seconds_of(store.export_study))
        report("verify", seconds_of(store.verify))


def plain_inserts(path: Path, study: Study) -> float:
    """Insert cells and labels row by row into two bare tables, in one transaction."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("PRAGMA synchronous = EXTRA")
    connection.execute("CREATE TABLE cell (slide INTEGER, x REAL, y REAL, right REAL, bottom REAL, id TEXT)")
    connection.execute("CREATE TABLE label (cell INTEGER, rater INTEGER, label INTEGER, time REAL)")
    start = time.perf_counter()
    connection.execute("BEGIN")
    cells = study.cells
    rows = zip(cells.slide.tolist(), cells.bounds_px0.tolist(), cells.external_id.tolist(), strict=True)
    for slide, box, id_ in rows:
        connection.execute("INSERT INTO cell VALUES (?, ?, ?, ?, ?, ?)", (slide, *box, id_))
    events = study.events
    columns = events.cell.tolist(), events.rater.tolist(), events.label.tolist(), events.time_s.tolist()
    for row in zip(*columns, strict=True):
        connection.execute("INSERT INTO label VALUES (?, ?, ?, ?)", row)
    connection.execute("COMMIT")
    seconds = time.perf_counter() - start
    connection.close()
    return seconds


def big_study(cells: int) -> Study:
    """Return spots on 20 slides, half of them on the first; expert 1 labelled all, expert 2 all but a few."""
    rng = np.random.default_rng(0)
    slide = np.where(rng.random(cells) < 0.5, 0, rng.integers(0, SLIDES, cells))
    every, few = np.arange(cells), max(1, cells // 1000)
    most = np.sort(rng.choice(cells, cells - few, replace=False))
    return Study(
        tuple(SlideRecord(f"slide {n:02d}.svs", SizePx(SIDE_PX0, SIDE_PX0)) for n in range(SLIDES)),
        DEFAULT_LABELS,
        (Rater("expert 1"), Rater("expert 2")),
        (Round("unstated"), Round("second read", RoundKind.SECOND_READ)),
        Cells.spots(slide, rng.uniform(0, SIDE_PX0, (cells, 2))),
        LabelEvents.of(
            np.r_[every, most],
            np.r_[np.zeros(cells), np.ones(len(most))],
            rng.integers(0, 2, cells + len(most)),
            round=np.r_[np.zeros(cells), np.ones(len(most))],
        ),
    )


def measure_size(folder: Path, cells: int) -> None:
    study = big_study(cells)
    path = folder / "big.mito"
    with Store.create(path) as store:
        importing = seconds_of(lambda: store.import_study(study, source=Source("made")))
        plain = plain_inserts(folder / "big.sqlite", study)
        report(f"import {cells:,} cells, {len(study.events):,} labels", importing, plain)
        print(f"{'size of the store':58s}{path.stat().st_size / 1e6:12,.0f} MB")
    with Store.open(path) as store:
        viewports(store)
        second = next(id_ for id_, one in store.rounds().items() if one.name == "second read")
        newcomer = Session(store, store.add_rater(Rater("expert 3")), second)
        last = Session(store, 2, second)
        report("next unlabelled cell, nothing labelled (median)", median(newcomer.next_unlabelled))
        report("next unlabelled cell, 99.9 % labelled (median)", median(last.next_unlabelled))
        report("next unlabelled cell, 99.9 % labelled (slowest)", slowest(last.next_unlabelled))
        commits(folder, newcomer)
        report("overview", seconds_of(store.overview))


def median(work: Callable[[], object]) -> float:
    return statistics.median(seconds_of(work) for _ in range(REPEATS))


def slowest(work: Callable[[], object]) -> float:
    return max(seconds_of(work) for _ in range(REPEATS))


def viewports(store: Store) -> None:
    rng = np.random.default_rng(1)
    for side in (2_000, 10_000):
        found, seconds = [], []
        for _ in range(REPEATS):
            x, y = rng.uniform(0, SIDE_PX0 - side, 2)
            start = time.perf_counter()
            found.append(len(cells_in(store, 1, BoxPx0(x, y, side, side)).cell_id))
            seconds.append(time.perf_counter() - start)
        name = f"cells in {side:,} px (median {statistics.median(found):,.0f} cells)"
        report(f"{name}, median", statistics.median(seconds))
        report(f"{name}, slowest", max(seconds))


def commits(folder: Path, session: Session) -> None:
    """Commit labels, and one-row inserts under the same settings, in turn: the disk is the same for both."""
    plain = sqlite3.connect(folder / "commit.sqlite", isolation_level=None)
    plain.execute("PRAGMA synchronous = EXTRA")
    plain.execute("CREATE TABLE label (cell INTEGER, label INTEGER)")
    ours, theirs = [], []
    for number in range(REPEATS):
        cell = session.next_unlabelled() or 1
        ours.append(seconds_of(partial(session.label, cell, 1, key=str(number))))
        theirs.append(seconds_of(lambda: plain.execute("INSERT INTO label VALUES (1, 1)")))
    plain.close()
    report("one label committed durably (median)", statistics.median(ours), statistics.median(theirs))


if __name__ == "__main__":
    main()
