"""The labels of a crowd study beside those of the crowd paper: Table 2, from your own studies."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np

from mitoscope.errors import TrainingDataError
from mitoscope.exchange import read_ground_truth
from mitoscope.experiments.counted import Counted
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.published import published
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.fsio import make_directory
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import Rater, RaterKind, SlideRecord, Store, StudyBuilder

CROWD: Final = "crowd.mito"
EXPERT: Final = "expert.mito"
EVERY_NTH: Final = 8
"""So many slides of the crowd are parted by one that validates, as in the recipes: 9 of 70."""
TABLE_2: Final = published("crowd-table2")


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
    """Write two studies of some figures on some slides."""
    for name, slides in ((CROWD, 9), (EXPERT, 2)):
        path = folder / name
        if path.exists():
            continue
        build, random = StudyBuilder(), np.random.default_rng(0)
        rater, label = build.rater(Rater("one", RaterKind.EXPERT)), build.label(MITOTIC_FIGURE)
        for number in range(slides):
            slide = build.slide(SlideRecord(f"slide-{number}.svs"))
            for x, y in random.uniform(100, 5000, (int(random.integers(2, 9)), 2)).round().tolist():
                build.event(build.cell(slide, (x, y)), rater, label)
        with Store.create(path) as store:
            store.import_study(build.build(), source=name)
    return folder / CROWD, folder / EXPERT


def _count(files: tuple[Path, ...]) -> Result:
    crowd, expert = (read_ground_truth(path) for path in files)
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


CROWD_TABLES: Final = (
    Counted(
        "crowd-table2",
        "Crowd",
        "Table 2: slides and mitotic events of each part",
        f"own: {CROWD} and {EXPERT}, no pixels",
        _files,
        _count,
        _tabulate,
        tables=("crowd-table2", "crowd-labels"),
    ),
)
"""Its experiments."""
