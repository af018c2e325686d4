"""The same findings, imported from the files of any program, give one count and one evaluation."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.count.slides import count_slides
from mitoscope.evaluate import FileJudge
from mitoscope.exchange import read_any_predictions
from mitoscope.geometry import Mpp
from mitoscope.labels import LabelMapping
from mitoscope.report import write_outputs
from mitoscope.results import ImportSettings, import_findings
from tests.exchange.foreign_files import (
    FIGURE,
    FINDINGS,
    LABELS,
    MPP,
    PROGRAMS,
    REAL,
    REAL_LABELS,
    WRITTEN,
    qupath,
)
from tests.report.runs import paint_slide

THRESHOLD = 0.45
AREA_MM2 = 0.02


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("programs")
    paint_slide(folder / "painted.png")
    # The truth: every second figure, one of them five px off, and a figure that nobody found.
    figures = [(x + 5, y) for x, y, _, label in FINDINGS if label == FIGURE]
    truth = [*figures[::2], (400.0, 300.0)]
    lines = ["image,x,y,label", *(f"painted.png,{x},{y},{FIGURE}" for x, y in truth)]
    (folder / "truth.csv").write_text("\n".join(lines))
    return folder


def outcome(pred: Path, folder: Path) -> tuple[object, ...]:
    """Return the count in the hot spot and the evaluation of results."""
    judge = FileJudge(folder / "truth.csv", mpp=Mpp.square(MPP), examined="whole")
    score = judge.judge(pred, threshold=THRESHOLD).score
    ((_, counted),) = count_slides(pred, area_mm2=AREA_MM2, threshold=THRESHOLD, mpp=Mpp.square(MPP))
    box = counted.box_px0
    return score.tp, score.fp, score.fn, counted.count, round(box.x), round(box.y)


def imported(file: Path, folder: Path, labels: tuple[str, ...] = LABELS) -> tuple[object, ...]:
    settings = ImportSettings(mpp=MPP, threshold=THRESHOLD)
    mapping = LabelMapping.parse(labels)
    found = import_findings(folder / "painted.png", file, settings=settings, mapping=mapping)
    out = folder / f"out-{file.name}"
    write_outputs(found, out, formats=(), area_mm2=AREA_MM2)
    return outcome(out, folder)


@pytest.fixture(scope="module")
def expected(folder: Path) -> tuple[object, ...]:
    return imported(qupath(folder), folder)


def test_the_outcome_is_that_of_the_findings(expected: tuple[object, ...]) -> None:
    figures = [row for row in FINDINGS if row[3] == FIGURE]
    found = sum(score > THRESHOLD for _, _, score, _ in figures[::2])
    assert expected[:3] == (
        found,
        sum(score > THRESHOLD for *_, score, _ in figures) - found,
        len(figures[::2]) + 1 - found,
    )


@pytest.mark.parametrize("name", WRITTEN)
def test_any_layout_gives_one_outcome(name: str, folder: Path, expected: tuple[object, ...]) -> None:
    assert imported(WRITTEN[name](folder), folder) == expected


@pytest.mark.parametrize("name", REAL)
def test_any_program_gives_one_outcome(name: str, folder: Path, expected: tuple[object, ...]) -> None:
    assert imported(PROGRAMS / name, folder, REAL_LABELS.get(name, ())) == expected


def test_a_file_that_is_judged_as_it_is_gives_the_same(folder: Path, expected: tuple[object, ...]) -> None:
    direct = read_any_predictions(qupath(folder), mapping=LabelMapping())
    assert {name: len(found) for name, found in direct.items()} == {"qupath": len(FINDINGS)}
    file = qupath(folder).rename(folder / "painted.geojson")
    judge = FileJudge(folder / "truth.csv", mpp=Mpp.square(MPP), examined="whole")
    score = judge.judge(file, threshold=THRESHOLD).score
    assert (score.tp, score.fp, score.fn) == expected[:3]


def test_the_control_takes_class_numbers_for_figures(folder: Path, expected: tuple[object, ...]) -> None:
    """Who takes every box for a figure, as it would be written without thinking, counts otherwise."""
    careless = ("1=mitotic figure", "2=mitotic figure")
    assert imported(WRITTEN["mmdetection"](folder), folder, careless) != expected
