"""CMC Table 4 from the detections that its authors publish: transfer to TUPAC16 and AMIDA13, no pixels."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Detections
from mitoscope.errors import TrainingDataError
from mitoscope.evaluate import PROTOCOLS, Steps, choose_threshold
from mitoscope.exchange import read_any_predictions, stated_classes
from mitoscope.experiments.counted import Counted, find_file
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.published import published
from mitoscope.experiments.table import Column, Entry, ResultTable, rows_of
from mitoscope.experiments.wsi import CMC, make_databases, read_database
from mitoscope.fsio import make_directory
from mitoscope.image_names import stem
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.store import Policy

LABELS: Final = {
    "original": "TUPAC_stitched.sqlite",
    "alternative": "TUPAC_alternativeLabels_augmented_training.sqlite",
}
"""Database of TUPAC16 by whose labels it holds; a case is one slide in it."""
_BOXES: Final = "val-inference_results_boxes.p.bz2"
_DETECTOR: Final = "RetinaNet-CMC-CODAEL-512sh-b1.pth"
_CLASSIFIER: Final = "2ndstage_CellClassifier_128px_CODAEL_b1.pth"
_PARTS: Final = ("tupactrain", "amida", "amidatest")
DETECTIONS: Final = {
    "single stage F1": (
        f"trainval_{_DETECTOR}-CODAEL-{_BOXES}",
        *(f"{part}_{_DETECTOR}-TUPAC_AL-{_BOXES}" for part in _PARTS),
    ),
    "dual stage F1": (
        f"trainval_2ndstage_{_DETECTOR}-CODAEL-{_BOXES}",
        *(f"{part}_{_CLASSIFIER}{_DETECTOR}-TUPAC_AL-{_BOXES}" for part in _PARTS),
    ),
}
"""Files of each stage: on the slides of CMC that do not test, on TUPAC16, on AMIDA13, on its test cases."""
_CHOSEN: Final = ", threshold and model chosen on AMIDA train"
_RULE: Final = PROTOCOLS["cmc"]
_NOTES: Final = (
    "One network, the first of five, so no model is chosen on AMIDA train, only the threshold.",
    "Thresholds are those of greatest F1 on the slides of CMC that do not test, of each stage by itself.",
    "Cells marked as deleted count, as in the published code; so do slides without a detection, not there.",
    "No detections are published of the test cases of TUPAC16 and of the fine-tuned networks.",
)

Points = NDArray[np.float64]


def _files(workplace: Workplace) -> tuple[Path, ...]:
    databases = (CMC.outlines, *LABELS.values())
    found = [name for of_stage in DETECTIONS.values() for name in of_stage]
    if workplace.size is not Size.SMOKE:
        return tuple(find_file(workplace.data, name, data_set=CMC.name) for name in (*databases, *found))
    folder = make_directory(workplace.out / "synthetic" / "cmc-detections")
    whole, lacking = folder / CMC.outlines, folder / LABELS["original"]
    make_databases(folder, (lacking.name, whole.name))
    made = [folder / f"{name.removesuffix('.p.bz2')}.csv" for name in found]
    for place, path in enumerate(made):
        _make_detections(whole, path, seed=place)
    return (whole, lacking, whole, *made)


def _make_detections(database: Path, target: Path, *, seed: int) -> None:
    """Write what a poor detector would find: figures off their place, and others."""
    random = np.random.default_rng(seed)
    figures = _figures(database)
    first = len(figures) // 2 if target.name.startswith(_PARTS[-1]) else 0
    with target.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream, lineterminator="\n")
        rows.writerow(("image", "x", "y", "score"))
        for name in sorted(figures)[first:]:
            points = figures[name] + random.normal(0, 12, figures[name].shape)
            points = np.concatenate([points, random.uniform(0, 20_000, (len(points) // 2, 2))])
            for (x, y), score in zip(points.round(1).tolist(), random.beta(3, 2, len(points)), strict=True):
                rows.writerow((f"{name}.svs", x, y, round(float(score), 4)))


def _figures(database: Path) -> dict[str, Points]:
    """Return the mitotic figures of each slide."""
    study = read_database(database)
    classes, _ = stated_classes(study, Policy.RECORDED)
    own = classes == study.labels.names.index(MITOTIC_FIGURE.name)
    cells = study.cells
    return {
        stem(slide.name): np.asarray(cells.centres_px0[own & (cells.slide == place)])
        for place, slide in enumerate(study.slides)
    }


def _steps(found: Mapping[str, Detections], figures: Mapping[str, Points], *, where: Path) -> Steps:
    """Return hits and misses of all slides at every threshold."""

    def each() -> Iterator[Steps]:
        for name, detections in found.items():
            if name not in figures:
                mend = "take the databases and the detections of one state of the authors' repository"
                raise TrainingDataError(
                    f"no slide {name!r}, of which there are detections", where=where, mend=mend
                )
            yield _RULE.sweep(detections.points_px0, detections.score, figures[name]).steps

    return Steps.total(each())


def _count(files: tuple[Path, ...]) -> Result:
    cmc, *others = files[: 1 + len(LABELS)]
    truth = dict(zip(LABELS, others, strict=True))
    scores: dict[str, dict[str, float | None]] = {}
    found = files[1 + len(LABELS) :]
    for stage, of_stage in zip(DETECTIONS, _parts(found, len(DETECTIONS)), strict=True):
        trained, tupac, amida, test = (read_any_predictions(path) for path in of_stage)
        train = {name: detections for name, detections in amida.items() if name not in test}
        own = choose_threshold(_steps(trained, _figures(cmc), where=cmc)).value
        for labels, path in truth.items():
            figures = _figures(path)
            parts = {"TUPAC train": tupac, "AMIDA train": train, "AMIDA test": test}
            steps = {name: _steps(part, figures, where=path) for name, part in parts.items()}
            rows = {f"{name}, {labels} labels": own_steps.at(own).f1 for name, own_steps in steps.items()}
            there = choose_threshold(steps["AMIDA train"]).value
            rows[f"AMIDA test, {labels} labels{_CHOSEN}"] = steps["AMIDA test"].at(there).f1
            for row, f1 in rows.items():
                scores.setdefault(row, {})[stage] = f1
    return {"scores": scores}


def _parts(files: Sequence[Path], count: int) -> list[Sequence[Path]]:
    size = len(files) // count
    return [files[start : start + size] for start in range(0, len(files), size)]


def _tabulate(result: Result) -> ResultTable:
    table = published("cmc-table4")
    scores: Mapping[str, Mapping[str, float | None]] = result["scores"]

    def entry(row: str, column: str) -> Entry:
        printed = table.rows[row].get(column), table.deviation(row, column)
        return Entry(scores[row][column], None, *printed)

    rows = rows_of([row for row in table.rows if row in scores], tuple(map(Column, DETECTIONS)), entry)
    columns = tuple(map(Column, DETECTIONS))
    return ResultTable(f"CMC {_SHOWS}", "tested on", columns, rows, table.source, _NOTES)


_SHOWS: Final = "Table 4 from the published detections: transfer to TUPAC16 and AMIDA13, one and two stages"
CMC_DETECTIONS: Final = Counted(
    "cmc-table4-detections",
    "CMC",
    _SHOWS,
    "cmc: folders databases and results of github.com/DeepMicroscopy/MITOS_WSI_CMC, no pixels",
    _files,
    _count,
    _tabulate,
    tables=("cmc-table4",),
)
"""As an experiment."""
