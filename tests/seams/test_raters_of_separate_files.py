"""Three raters who each hand in a file without ids agree as they do, once their cells are joined by place."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_store import run

MPP = 0.5
# Cells 1 and 2 lie 6 µm apart, the others 100 µm: only who takes the nearest first tells them apart.
PLACES = [(200.0, 100.0), (212.0, 100.0), *((200.0 * n, 100.0) for n in range(2, 8))]
MITOSIS, LOOK_ALIKE = "mitotic figure", "look-alike"
LABELS = {"a": "MMMMLLLL", "b": "MMMLLLLM", "c": "MMLLLLLL"}
# Each pair agrees on 6 of 8 cells. Chance: a and b say M in 4 of 8, c in 2, so (1/2)(1/2) + (1/2)(1/2) = 1/2
# and (1/2)(1/4) + (1/2)(3/4) = 1/2; Cohen's kappa (3/4 - 1/2) / (1/2) = 1/2 for all three pairs.
COHEN = 0.5
# Votes for M by cell: 3 3 2 1 0 0 0 1. Agreement by cell 1, 1, 1/3, 1/3, 1, 1, 1, 1/3: 3/4 on average. M has
# 10 of 24 votes: chance (10² + 14²) / 24² = 296/576; Fleiss' kappa (432 - 296) / (576 - 296) = 136/280.
FLEISS = 136 / 280


def reading(rater: str, shift_px: float) -> list[tuple[float, float, str]]:
    """Return the cells of a rater in the rater's own order, a little beside those of the others."""
    names = [MITOSIS if one == "M" else LOOK_ALIKE for one in LABELS[rater]]
    rows = [(x + shift_px, y - shift_px, name) for (x, y), name in zip(PLACES, names, strict=True)]
    return rows if rater == "a" else rows[::-1]


def as_csv(cells: Sequence[tuple[float, float, str]]) -> str:
    return "image,x,y,label\n" + "".join(f"s.tiff,{x},{y},{name}\n" for x, y, name in cells)


def as_geojson(cells: Sequence[tuple[float, float, str]]) -> str:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [x, y]},
            "properties": {"classification": {"name": name}},
        }
        for x, y, name in cells
    ]
    return json.dumps({"type": "FeatureCollection", "features": features})


def as_coco(cells: Sequence[tuple[float, float, str]]) -> str:
    classes = [MITOSIS, LOOK_ALIKE]
    return json.dumps(
        {
            "images": [{"id": 1, "file_name": "s.tiff", "width": 4000, "height": 4000}],
            "categories": [{"id": place, "name": name} for place, name in enumerate(classes, start=1)],
            "annotations": [
                {
                    "id": 500 + place,
                    "image_id": 1,
                    "category_id": 1 + classes.index(name),
                    "bbox": [x - 25, y - 25, 50, 50],
                    "area": 2500,
                    "iscrowd": 0,
                }
                for place, (x, y, name) in enumerate(cells)
            ],
        }
    )


def imported(folder: Path, *options: str) -> tuple[Path, list[dict[str, Any]]]:
    """Import the three files into a study; return it and what the imports said."""
    study = folder / "study.mito"
    run("create", study)
    done = []
    for rater, suffix, text in (
        ("a", ".csv", as_csv(reading("a", 0.0))),
        ("b", ".geojson", as_geojson(reading("b", 4.0))),
        ("c", ".json", as_coco(reading("c", -4.0))),
    ):
        path = folder / f"of_{rater}{suffix}"
        path.write_text(text, encoding="utf-8")
        common = ("--rater", rater, "--slide", "s.tiff", "--mpp", str(MPP), "--json")
        (said,) = json.loads(run("import", study, path, *common, *options))["imported"]
        done.append(said)
    return study, done


def test_joined_by_place_their_agreement_is_that_of_the_cells_that_they_all_read(tmp_path: Path) -> None:
    study, done = imported(tmp_path, "--join-within", "7.5")
    assert [(one["cells"], one["joined"], one["labels"]) for one in done] == [(8, 0, 8), (0, 8, 8), (0, 8, 8)]
    (found,) = [
        one for one in json.loads(run("agreement", study, "--json"))["domains"] if one["domain"] == "all"
    ]
    assert found["cells"] == 8
    assert {tuple(pair["raters"]): pair["cohen_kappa"]["value"] for pair in found["pairs"]} == {
        pair: pytest.approx(COHEN) for pair in (("a", "b"), ("a", "c"), ("b", "c"))
    }
    assert found["fleiss_kappa"]["value"] == pytest.approx(FLEISS)
    run("verify", study)


def test_without_the_option_no_cell_is_read_twice_and_the_warning_names_it(tmp_path: Path) -> None:
    """Control: the same files as cells of their own."""
    study, done = imported(tmp_path)
    assert [one["cells"] for one in done] == [8, 8, 8]
    assert "--join-within" in json.loads(run("agreement", study, "--json"))["note"]
    again = tmp_path / "of_d.csv"
    again.write_text(as_csv(reading("a", 2.0)), encoding="utf-8")
    said = run("import", study, again, "--rater", "d")
    assert "8 cells lie within 7.5 µm of existing cells" in said
    assert "--join-within" in said


def test_cells_farther_away_stay_cells_of_their_own(tmp_path: Path) -> None:
    _, done = imported(tmp_path, "--join-within", "2.8")  # b and c lie 2.83 µm beside a, in two directions
    assert [(one["cells"], one["joined"]) for one in done] == [(8, 0), (8, 0), (8, 0)]


def test_cells_are_not_joined_where_a_micrometre_has_no_size_or_the_rater_no_name(tmp_path: Path) -> None:
    study = tmp_path / "study.mito"
    run("create", study)
    for name, shift in (("a", 0.0), ("b", 1.0), ("c", 2.0)):
        (tmp_path / f"{name}.csv").write_text(as_csv(reading("a", shift)), encoding="utf-8")
    run("import", study, tmp_path / "a.csv", "--rater", "expert 1")
    join = ("--join-within", "7.5")
    assert "--mpp" in run("import", study, tmp_path / "b.csv", "--rater", "b", *join, status=2)
    scaled = ("--mpp", str(MPP), *join)
    refused = run("import", study, tmp_path / "b.csv", "--rater", "expert 1", *scaled, status=2)
    assert "'expert 1'" in refused
    assert "--rater" in refused
    assert "8" in run("import", study, tmp_path / "b.csv", "--rater", "b", *scaled)
