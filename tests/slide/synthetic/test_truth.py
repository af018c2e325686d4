from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np

from mitoscope.geometry import BoxPx0
from mitoscope.slide.synthetic import PaintedFigure, PaintedTruth, SyntheticSlideConfig, truth_paths

TRUTH = PaintedTruth(
    image="a.tiff",
    config=SyntheticSlideConfig(),
    figures=(
        PaintedFigure(10.5, 20.25, "mitotic figure", "metaphase", 30.0, 12.0),
        PaintedFigure(40.0, 30.0, "look-alike", "apoptotic body", 9.0, 9.0),
    ),
    hot_spot=BoxPx0(1, 2, 30, 40),
    tissue_area_mm2=1.5,
    tumour_area_mm2=0.5,
)


def test_the_table_is_written_as_documented() -> None:
    assert TRUTH.to_csv() == (
        "image,x,y,label,phase,w,h\n"
        "a.tiff,10.5,20.2,mitotic figure,metaphase,30.0,12.0\n"
        "a.tiff,40.0,30.0,look-alike,apoptotic body,9.0,9.0\n"
    )
    values = json.loads(TRUTH.to_json())
    assert values["hot_spot_px0"] == {"x": 1, "y": 2, "width": 30, "height": 40}
    assert values["synthetic"] is True
    assert values["counts"] == {"apoptotic body": 1, "look-alike": 1, "metaphase": 1, "mitotic figure": 1}
    assert SyntheticSlideConfig.of(**values["config"]) == TRUTH.config
    assert TRUTH.count("mitotic figure") == TRUTH.count("apoptotic body") == 1
    assert TRUTH.count("telophase") == 0


def test_points_are_those_of_one_label() -> None:
    np.testing.assert_array_equal(TRUTH.points(), [[10.5, 20.25]])
    np.testing.assert_array_equal(TRUTH.points("look-alike"), [[40, 30]])
    assert TRUTH.points("granulocyte").shape == (0, 2)


def test_truth_lies_beside_the_slide() -> None:
    table, summary = truth_paths(Path("/data/case.7.tiff"))
    assert (table.name, summary.name) == ("case.7.truth.csv", "case.7.truth.json")


def test_the_table_holds_every_figure() -> None:
    rows = csv.DictReader(io.StringIO(TRUTH.to_csv()))
    assert [row["phase"] for row in rows] == ["metaphase", "apoptotic body"]
