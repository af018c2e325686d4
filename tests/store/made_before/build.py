"""Makes ``study.mito.gz``: a study as mitoscope wrote it before versions held all of the ground truth.

Run once with the code of schema version 3 (commit bc1a195), never again: the file is what the tests open.

    python build.py FOLDER
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import numpy as np

from mitoscope.curation.board import ask_second, open_board
from mitoscope.curation.candidates import propose
from mitoscope.curation.freeze import Query, freeze
from mitoscope.curation.review import answer, ask_third, conclude, open_review
from mitoscope.detections import Detections
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    DatasetVersion,
    Geometry,
    Policy,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    Round,
    RoundKind,
    Shape,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
)
from mitoscope.store.actions import Action, record
from mitoscope.store.board import BoardPlace, add_board
from mitoscope.store.interest import add_interest
from mitoscope.store.screening import Field, visit_field, write_plan
from mitoscope.store.signed import sign
from mitoscope.store.tasks import TaskTile, add_tiles, answer_tile
from mitoscope.store.terms import Terms, assign, write_terms


def labelled() -> StudyBuilder:
    """Return 24 cells on three slides of three cases; two experts differ on every fourth."""
    builder = StudyBuilder(DEFAULT_LABELS)
    slides = [
        builder.slide(
            SlideRecord(f"slide {n}.svs", SizePx(4000, 3000), Mpp.square(0.25), f"{n}" * 64, f"case {n}")
        )
        for n in (1, 2, 3)
    ]
    experts = [builder.rater(Rater(f"expert {n}")) for n in (1, 2)]
    screening = builder.round(Round("Lot 1", RoundKind.SCREENING))
    second = builder.round(Round("Lot 2", RoundKind.SECOND_READ))
    cells = []
    for n in range(24):
        x, y = 100.0 + 150 * n, 200.0 + 100 * n
        if n % 3 == 0:
            cell = builder.cell(slides[n % 3], (x, y), shape=Shape.SPOT)
        elif n % 3 == 1:
            cell = builder.cell(slides[n % 3], (x - 20, y - 15, x + 20, y + 15), shape=Shape.BOX)
        else:
            cell = builder.polygon(slides[n % 3], [(x - 9, y - 9), (x + 11, y - 7), (x, y + 10)])
        cells.append(cell)
        builder.event(cell, experts[0], n % 2, round_=screening, time_s=1e9 + n, seconds=1.5)
        differs = n % 4 == 0
        builder.event(cell, experts[1], (n + differs) % 2, round_=second, time_s=2e9 + n)
    builder.regions += [
        Region(slides[0], np.array([(0, 0), (2000, 0), (2000, 3000), (0, 3000)]), RegionKind.TUMOUR, "T"),
        Region(slides[0], np.array([(0, 0), (500, 0), (500, 500), (0, 500)]), RegionKind.EXCLUSION, "E"),
    ]
    rows = np.array(cells[:12], dtype=np.int64)
    builder.versions.append(DatasetVersion("imported", 1, rows, rows % 2, {slides[0]: "train", slides[1]: "test"}))
    return builder


def review(store: Store, name: str, cells: list[int]) -> None:
    """Let two experts read, a third decide, and conclude."""
    odd = {cell: "look-alike" if cell % 2 else "mitotic figure" for cell in cells}
    answer(store, name, "expert 1", dict.fromkeys(cells, "mitotic figure"))
    answer(store, name, "expert 2", odd)
    ask_third(store, name)
    answer(store, name, "expert 3", {cell: "mitotic figure" for cell in cells if cell % 2}, third=True)
    conclude(store, name)


def build(path: Path) -> None:
    """Write the study."""
    with Store.create(path, name="made before") as store:
        store.import_study(labelled().build(), source=Source("made.json", "made", "0" * 64))
        split = {"slide 1.svs": "train", "slide 2.svs": "validation", "slide 3.svs": "test"}
        freeze(store, "MEL", Query(policy=Policy.MAJORITY), split=split, licences="CC-BY-4.0", note="by hand")
        found = Detections.of([(900.0 + 150 * n, 1800.0) for n in range(6)], [0.1, 0.35, 0.6, 0.65, 0.9, 0.95])
        done = propose(store, "found", {"slide 1.svs": found}, model="detector", bins=10)
        review(store, "found", list(done.cells))
        open_review(store, "doubts", [2, 4, 6])
        third = store.open_round(Round("third expert", RoundKind.THIRD_EXPERT), cells=[1, 5, 9])
        expert = store.add_rater(Rater("expert 3"))
        consensus = store.add_rater(Rater("consensus", RaterKind.CONSENSUS))
        with store.writing() as connection:
            record(connection, Action("label", 1, expert, third, label_id=1))
            record(connection, Action("move", 2, expert, third, geometry=Geometry.spot(7.0, 8.0)))
            record(connection, Action("delete", 3, expert, third))
            work(connection, expert)
        board(store, [4, 5, 6, 7], expert)
        assert consensus
        freeze(store, "MEL", Query(policy=Policy.MAJORITY), split=split)
        freeze(store, "ODAEL", Query(policy=Policy.CONSENSUS, without=("found, bin 1 of 10",)))


def work(connection: object, expert: int) -> None:
    """Screen fields, place a region of interest, look at crowd tiles, sign a count."""
    screening = 2
    write_terms(connection, screening, Terms.of_kind(RoundKind.SCREENING))
    assign(connection, screening, [1, expert])
    fields = [Field(BoxPx0(600.0 * n, 0, 700, 500), 0.25) for n in range(4)]
    write_plan(connection, screening, 1, fields)
    for number, is_covered in ((0, True), (1, True), (2, False)):
        visit_field(connection, screening, 1, 1, number, is_covered=is_covered, seconds=4.0)
    add_interest(connection, 2, BoxPx0(100, 100, 1000, 750), rater_id=1, name="2 mm²")
    sign(connection, {"count": 12, "area_mm2": 2.37}, slide_id=1, round_id=screening, rater_id=expert)


def board(store: Store, cells: list[int], expert: int) -> None:
    """Keep a board, relabel a cell on it and ask for the second read."""
    open_board(store, "board", cells)
    with store.writing() as connection:
        (round_,) = connection.execute("SELECT id FROM round WHERE name = 'board'").fetchone()
        places = [BoardPlace(cell, n % 2, n // 2, 1) for n, cell in enumerate(cells)]
        add_board(connection, round_, places, columns=2, rows=2, cell_px=128)
        record(connection, Action("label", 4, expert, round_, label_id=2))
    ask_second(store, "board", dict.fromkeys(cells, 1))
    crowd = store.open_round(Round("crowd", RoundKind.CROWD_BOXES), cells=[])
    with store.writing() as connection:
        add_tiles(connection, [TaskTile(0, crowd, 3, 1000.0 * n, 0.0, 1000.0) for n in range(2)])
        for rater in (1, 2):
            answer_tile(connection, 1, rater, {"boxes": [[10, 10, 50, 50]]}, seconds=3.0)


if __name__ == "__main__":
    target = Path(sys.argv[1]) / "study.mito"
    build(target)
    (target.parent / "study.mito.gz").write_bytes(gzip.compress(target.read_bytes(), 9, mtime=0))
