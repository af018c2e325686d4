"""Your own crowd study beside that of the crowd paper: Tables 2 and 3, which are counted."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from mitoscope.curation.work_table import work_table
from mitoscope.errors import TrainingDataError
from mitoscope.exchange import read_ground_truth
from mitoscope.experiments.counted import Counted
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.published import published
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.fsio import make_directory
from mitoscope.geometry import SizePx
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import (
    Rater,
    RaterKind,
    Round,
    RoundKind,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
    TaskTile,
    add_tiles,
    answer_tile,
    read_tiles,
)

CROWD: Final = "crowd.mito"
EXPERT: Final = "expert.mito"
EVERY_NTH: Final = 8
"""So many slides of the crowd are parted by one that validates, as in the recipes: 9 of 70."""
TABLE_2: Final = published("crowd-table2")
TABLE_3: Final = published("crowd-table3")
_KINDS: Final = dict(zip(TABLE_3.rows, (RoundKind.CROWD_TILES, RoundKind.CROWD_BOXES), strict=True))


def _files(workplace: Workplace) -> tuple[Path, ...]:
    if workplace.size is Size.SMOKE:
        return _make(make_directory(workplace.out / "synthetic" / "crowd"))
    files = tuple(workplace.data / name for name in (CROWD, EXPERT))
    if lost := [path.name for path in files if not path.is_file()]:
        raise TrainingDataError(
            f"no {' and '.join(lost)} there",
            where=workplace.data,
            mend="give the folder of your studies with --data",
        )
    return files


def _make(folder: Path) -> tuple[Path, ...]:
    """Write two studies: figures of a crowd, and two tasks of three raters on tiles of the experts."""
    for name, slides in ((CROWD, 9), (EXPERT, 2)):
        path, random = folder / name, np.random.default_rng(0)
        if path.exists():
            continue
        build = StudyBuilder()
        rater, label = build.rater(Rater("one", RaterKind.EXPERT)), build.label(MITOTIC_FIGURE)
        for number in range(slides):
            slide = build.slide(SlideRecord(f"slide-{number}.svs", size=SizePx(6000, 6000)))
            for x, y in random.uniform(100, 5000, (int(random.integers(2, 9)), 2)).round().tolist():
                build.event(build.cell(slide, (x, y)), rater, label)
        with Store.create(path) as store:
            store.import_study(build.build(), source=Source(name))
            if name == EXPERT:
                _answer(store, random)
    return folder / CROWD, folder / EXPERT


def _answer(store: Store, random: np.random.Generator) -> None:
    raters = [store.add_rater(Rater(f"expert {number}", RaterKind.EXPERT)) for number in range(3)]
    for kind, yes, no in (
        (RoundKind.CROWD_TILES, {"answer": True}, {"answer": False}),
        (RoundKind.CROWD_BOXES, {"boxes": [[10, 10, 50, 50]]}, {"boxes": []}),
    ):
        round_id = store.open_round(Round(str(kind), kind))
        with store.writing() as connection:
            corners = [(1000.0 * number, 0.0) for number in range(6)]
            add_tiles(connection, [TaskTile(0, round_id, 1, x, y, 1000.0) for x, y in corners])
            for tile in read_tiles(connection, round_id):
                for rater in raters:
                    seen = random.random() < (0.9 if tile.id % 2 else 0.1)
                    answer_tile(connection, tile.id, rater, yes if seen else no, seconds=None)


def _count(files: tuple[Path, ...]) -> Result:
    # Every merged box is an event, however few saw it.
    crowd, expert = (read_ground_truth(path, least_agreement=0.0) for path in files)
    cases = sorted({slide.case for slide in crowd})
    validating = set(cases[::EVERY_NTH])
    sides = {
        "train (crowd)": [slide for slide in crowd if slide.case not in validating],
        "validation (crowd)": [slide for slide in crowd if slide.case in validating],
        "test (expert)": list(expert),
    }
    return {
        name: {
            "whole-slide images": len(slides),
            "mitotic events": sum(len(slide.cells.figures_px0) for slide in slides),
        }
        for name, slides in sides.items()
    }


def _tabulate(result: Result) -> ResultTable:
    columns = tuple(Column(name, 0) for name in TABLE_2.columns)
    rows = tuple(
        TableRow(
            name,
            tuple(Entry(float(result[name][one.name]), published=printed[one.name]) for one in columns),
        )
        for name, printed in TABLE_2.rows.items()
    )
    note = "Your own studies: the paper published none of its labels."
    title = "Crowd Table 2: slides and mitotic events of each part"
    return ResultTable(title, "part", columns, rows, TABLE_2.source, (note,))


def _work(files: tuple[Path, ...]) -> Result:
    """Return kappa, time and accuracy of each kind of task; means where there are several of a kind."""
    with Store.open(files[1], write=False) as store:
        tasks = work_table(store, repeats=1).tasks
    found: dict[str, dict[str, float | None]] = {}
    for row, kind in _KINDS.items():
        own = [task for task in tasks if task.kind == str(kind)]
        columns = (
            [task.kappa.value for task in own],
            [task.seconds_mean for task in own],
            [None if task.accuracy is None else 100 * task.accuracy for task in own],
        )
        known = ([one for one in values if one is not None and np.isfinite(one)] for values in columns)
        means = (float(np.mean(values)) if values else None for values in known)
        found[row] = dict(zip(TABLE_3.columns, means, strict=True))
    return found


def _tabulate_work(result: Result) -> ResultTable:
    columns = tuple(Column(name, digits) for name, digits in zip(TABLE_3.columns, (3, 1, 0), strict=True))
    rows = tuple(
        TableRow(row, tuple(Entry(result[row][one.name], published=printed[one.name]) for one in columns))
        for row, printed in TABLE_3.rows.items()
    )
    notes = (
        "Your own experts: accuracy against the majority, seconds a tile as timed by the server.",
        "The paper shows sub-tiles of 250 px in the binary task: 16 of them are a tile of the other one.",
    )
    title = "Crowd Table 3: agreement, time and accuracy of two ways to label"
    return ResultTable(title, "task", columns, rows, TABLE_3.source, notes)


_NEEDS: Final = f"own: {CROWD} and {EXPERT}, no pixels"
CROWD_TABLES: Final = (
    Counted(
        "crowd-table2",
        "Crowd",
        "Table 2: slides and mitotic events of each part",
        _NEEDS,
        _files,
        _count,
        _tabulate,
        tables=("crowd-table2", "crowd-labels"),
    ),
    Counted(
        "crowd-table3",
        "Crowd",
        "Table 3: agreement, time and accuracy of experts by task",
        _NEEDS,
        _files,
        _work,
        _tabulate_work,
        tables=("crowd-table3",),
    ),
)
"""Its experiments."""
