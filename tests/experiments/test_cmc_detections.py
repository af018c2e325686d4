"""CMC Table 4 from files in the layout of the published detections and databases."""

from __future__ import annotations

import bz2
import pickle
import sqlite3
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import TrainingDataError
from mitoscope.exchange import write_study
from mitoscope.experiments.cmc_detections import DETECTIONS, LABELS
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.published import published
from mitoscope.experiments.wsi import CMC
from mitoscope.geometry import SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Rater, RaterKind, SlideRecord, StudyBuilder
from tests.experiments.running import run, workplace

Points = Sequence[tuple[float, float]]


def database(path: Path, slides: Mapping[str, Points]) -> None:
    build = StudyBuilder()
    agreed = build.rater(Rater("consensus", RaterKind.CONSENSUS))
    figure, other = build.label(MITOTIC_FIGURE), build.label(LOOK_ALIKE)
    for name, points in slides.items():
        slide = build.slide(SlideRecord(name, size=SizePx(2000, 2000)))
        for label, places in ((figure, points), (other, [(1500, 1500)])):
            for place in places:
                build.event(build.cell(slide, place), agreed, label)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_study(build.build(), path, "sliderunner")
    with sqlite3.connect(path) as connection:  # as the authors' databases call it
        connection.execute("UPDATE Classes SET name = 'Mitose' WHERE name = ?", (MITOTIC_FIGURE.name,))
    connection.close()


def packed(path: Path, found: Mapping[str, Sequence[tuple[float, float, float]]]) -> None:
    """Write boxes of 50 px by slide, as the authors' script of inference packs them."""
    boxes = {
        name: [np.array([x - 25, y - 25, x + 25, y + 25, 0, score]) for x, y, score in rows]
        for name, rows in found.items()
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(bz2.compress(pickle.dumps(boxes, protocol=3)))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return a clone of the authors' repository with one slide of CMC and two cases of AMIDA13."""
    folder = tmp_path / "data" / "cmc"
    database(folder / "databases" / CMC.outlines, {"a.svs": [(100, 100), (300, 300)]})
    cases = {"01.tif": [(100.0, 100.0), (400.0, 400.0)], "02.tif": [(100.0, 100.0), (400.0, 400.0)]}
    more = {**cases, "02.tif": [*cases["02.tif"], (900.0, 900.0)]}
    for name, slides in zip(LABELS.values(), (cases, more), strict=True):
        database(folder / "databases" / name, slides)
    for stage, (trained, *tests) in DETECTIONS.items():
        packed(folder / "results" / trained, {"a.svs": [(100, 100, 0.8), (300, 310, 0.8), (700, 700, 0.6)]})
        # Windows overlap, so a figure is found twice; the second stage sees through what is none.
        twice = [(100, 100, 0.9), (110, 100, 0.85), (700, 700, 0.3)]
        both = [(100, 100, 0.9), (400, 390, 0.9), (700, 700, 0.95 if stage.startswith("single") else 0.2)]
        found = {"01.tif": twice, "02.tif": both}
        for name, own in zip(tests, (found, found, {"02.tif": both}), strict=True):
            packed(folder / "results" / name, own)
    return folder.parent


def test_rows_of_table_4_from_published_detections(data: Path, tmp_path: Path) -> None:
    table = run("cmc-table4-detections", workplace(tmp_path / "out", Size.FULL, data=data)).table
    found = {row.name: [entry.found for entry in row.entries] for row in table.rows}
    assert found == {
        name: [pytest.approx(value) for value in pair]
        for name, pair in {
            "TUPAC train, original labels": (6 / 8, 6 / 7),
            "AMIDA train, original labels": (2 / 3, 2 / 3),
            "AMIDA test, original labels": (4 / 5, 1.0),
            "AMIDA test, original labels, threshold and model chosen on AMIDA train": (4 / 5, 1.0),
            "TUPAC train, alternative labels": (6 / 9, 6 / 8),
            "AMIDA train, alternative labels": (2 / 3, 2 / 3),
            "AMIDA test, alternative labels": (4 / 6, 4 / 5),
            "AMIDA test, alternative labels, threshold and model chosen on AMIDA train": (4 / 6, 4 / 5),
        }.items()
    }
    printed = published("cmc-table4")
    for row in table.rows:
        assert [entry.published for entry in row.entries] == list(printed.rows[row.name].values())
    assert table.rows[0].entries[1].published_sd == 0.014


def test_what_lacks_is_named(data: Path, tmp_path: Path) -> None:
    first = data / "cmc" / "results" / DETECTIONS["single stage F1"][1]
    packed(first, {"74.tif": [(1, 1, 0.5)]})
    with pytest.raises(TrainingDataError, match=r"TUPAC_stitched.*no slide '74', of which there are"):
        run("cmc-table4-detections", workplace(tmp_path / "out", Size.FULL, data=data))
    first.unlink()
    with pytest.raises(TrainingDataError, match=r"no tupactrain_RetinaNet-CMC-CODAEL-512sh-b1\.pth-TUPAC_AL"):
        run("cmc-table4-detections", workplace(tmp_path / "out", Size.FULL, data=data))
