"""One result has one F1, whichever of its files is judged: folder, manifest, CSV, GeoJSON, COCO."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mitoscope.detections import Detections, Searched
from mitoscope.evaluate import FileJudge
from mitoscope.exchange import detections_csv, geojson
from mitoscope.exchange.result import write_result
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.statistics import Score
from tests.exchange.tables import write_many

SIZE, MPP = SizePx(1200, 900), 0.25
MANIFEST: dict[str, Any] = {
    "slide": {"name": "slide.svs", "size_px0": [1200, 900], "mpp": [MPP, MPP]},
    "detector": {"name": "d", "version": "1.0.0", "fingerprint": "0", "calibration": None},
    "search": {
        "region_px0": [0, 0, 1200, 900],
        "gaps_px0": [],
        "tissue_unread_px0": [],
        "tissue_px0_per_pixel": [100.0, 100.0],
    },
}
# Places 50 px apart: within a radius of 30 px of one figure at most; so far from the corner of the slide that
# boxes of COCO cannot be taken for those of MIDOG, which state two corners.
PLACES = st.lists(st.tuples(st.integers(2, 20), st.integers(2, 15)), min_size=1, max_size=12, unique=True)
SCORES = st.sampled_from([0.1, 0.3, 0.5, 0.51, 0.7, 0.95])


def boxes_of(points: np.ndarray, image: int) -> list[dict[str, Any]]:
    return [{"image_id": image, "bbox": [x - 25, y - 25, 50, 50]} for x, y in points.tolist()]


def write_all(folder: Path, found: Detections, figures: np.ndarray) -> None:
    """Write a result in every format, and what is true."""
    threshold = found.searched.threshold
    assert threshold is not None
    manifest = {**MANIFEST, "threshold": {"value": threshold, "source": "a test"}}
    results = folder / "results"
    results.mkdir()
    write_result(
        results,
        "slide",
        candidates=found,
        tissue=np.ones((9, 12), dtype=np.bool_),
        manifest=manifest,
        further={".geojson": lambda path: geojson.write_findings(path, found)},
    )
    alone = folder / "alone"
    alone.mkdir()
    for suffix in (".csv", ".geojson"):
        shutil.copy(results / f"slide{suffix}", alone / f"slide{suffix}")
    write_many(folder / "many.csv", {"slide.svs": found})
    images = [{"id": 3, "file_name": "slide.svs", "width": 1200, "height": 900}]
    names = ["mitotic figure", "hard negative", "mitotic figure candidate"]
    head = {"images": images, "categories": [{"id": n, "name": name} for n, name in enumerate(names, 1)]}
    rows = [
        {**box, "score": score, "category_id": names.index(label) + 1}
        for box, score, label in zip(
            boxes_of(found.points_px0, 3), found.score.tolist(), found.stated_label.tolist(), strict=True
        )
    ]
    numbered = [{"id": place, **row} for place, row in enumerate(rows)]
    (folder / "coco.json").write_text(json.dumps({**head, "annotations": numbered}), encoding="utf-8")
    (folder / "coco-results.json").write_text(json.dumps(rows), encoding="utf-8")
    true = [{"id": n, **box, "category_id": 1} for n, box in enumerate(boxes_of(figures, 3))]
    (folder / "truth.json").write_text(json.dumps({**head, "annotations": true}), encoding="utf-8")
    cells = [f"slide.svs,{x},{y},mitosis,{MPP}" for x, y in figures.tolist()]
    text = "\n".join(["image,x,y,label,mpp", *cells]) + "\n"
    (folder / "truth.csv").write_text(text, encoding="utf-8")


ROUTES = {
    "folder": ("results", "truth.csv"),
    "manifest": ("results/slide.json", "truth.csv"),
    "table beside its manifest": ("results/slide.csv", "truth.csv"),
    "GeoJSON beside its manifest": ("results/slide.geojson", "truth.csv"),
    "table alone": ("alone/slide.csv", "truth.csv"),
    "GeoJSON alone": ("alone/slide.geojson", "truth.csv"),
    "table of many images": ("many.csv", "truth.csv"),
    "COCO": ("coco.json", "truth.csv"),
    "COCO list of results": ("coco-results.json", "truth.json"),
    "folder, truth in COCO": ("results", "truth.json"),
}


def score_by(folder: Path, route: str) -> Score:
    pred, truth = ROUTES[route]
    return FileJudge(folder / truth).judge(folder / pred).score


def naive(folder: Path, figures: np.ndarray) -> Score:
    """Take every row of the table for a mitotic figure, as who has not read of the threshold does."""
    with (folder / "alone" / "slide.csv").open(encoding="utf-8", newline="") as stream:
        points = [(float(row["x"]), float(row["y"])) for row in csv.DictReader(stream)]
    hits = {figure for figure in map(tuple, figures.tolist()) if figure in points}
    return Score(len(hits), len(points) - len(hits), len(figures) - len(hits))


def result_of(found: list[tuple[int, int]], scores: list[float], threshold: float) -> Detections:
    searched = Searched(mpp=Mpp.square(MPP), size=SIZE, threshold=threshold, origin="slide.json")
    points = np.array(found, dtype=np.float64) * 50
    return Detections.of(points, scores, label=MITOTIC_FIGURE.name, source="d 1.0.0", searched=searched)


Made = Callable[[list[tuple[int, int]], list[float], float], Detections]


@settings(max_examples=12, deadline=None)
@given(found=PLACES, true=PLACES, threshold=st.sampled_from([0.2, 0.5, 0.6]), data=st.data())
def test_every_route_gives_the_same_score(
    found: list[tuple[int, int]], true: list[tuple[int, int]], threshold: float, data: st.DataObject
) -> None:
    scores = [data.draw(SCORES) for _ in found]
    above = {place for place, score in zip(found, scores, strict=True) if score > threshold}
    hits = len(above & set(true))
    expected = Score(hits, len(above) - hits, len(true) - hits)
    with TemporaryDirectory() as name:
        folder = Path(name)
        write_all(folder, result_of(found, scores, threshold), np.array(true, dtype=np.float64) * 50)
        assert {route: score_by(folder, route) for route in ROUTES} == dict.fromkeys(ROUTES, expected)


def test_control_a_route_with_a_rule_of_its_own_has_another_score(tmp_path: Path) -> None:
    figures = np.array([[100.0, 100.0], [500.0, 500.0]])
    write_all(tmp_path, result_of([(2, 2), (10, 10), (5, 5)], [0.9, 0.4, 0.3], 0.5), figures)
    expected = score_by(tmp_path, "folder")
    assert expected == Score(1, 0, 1)
    assert naive(tmp_path, figures) == Score(2, 1, 0) != expected


def test_a_file_that_changed_since_its_manifest_speaks_for_itself(tmp_path: Path) -> None:
    """Whoever corrects a result in QuPath and saves it in its place is judged by what was corrected."""
    figures = np.array([[100.0, 100.0], [500.0, 500.0]])
    write_all(tmp_path, result_of([(2, 2), (10, 10)], [0.9, 0.4], 0.5), figures)
    path = tmp_path / "results" / "slide.geojson"
    assert FileJudge(tmp_path / "truth.csv").judge(path).score == Score(1, 0, 1)
    text = path.read_text(encoding="utf-8").replace("mitotic figure candidate", "mitotic figure")
    path.write_text(text, encoding="utf-8")
    assert FileJudge(tmp_path / "truth.csv").judge(path).score == Score(2)
    assert score_by(tmp_path, "folder") == Score(1, 0, 1)


@pytest.mark.parametrize("place", ["C:\\\\slides\\\\", "..\\\\", "/data/", "D:/"])
def test_a_truth_whose_images_are_paths_of_any_system_gives_the_same_score(
    tmp_path: Path, place: str
) -> None:
    figures = np.array([[100.0, 100.0], [500.0, 500.0]])
    write_all(tmp_path, result_of([(2, 2), (10, 10), (5, 5)], [0.9, 0.4, 0.8], 0.5), figures)
    expected = {route: score_by(tmp_path, route) for route in ROUTES}
    assert set(expected.values()) == {Score(1, 1, 1)}
    for name in ("truth.json", "truth.csv", "many.csv", "coco.json"):
        path = tmp_path / name
        text = path.read_text(encoding="utf-8")
        own = place if path.suffix == ".json" else place.replace("\\\\", "\\")
        path.write_text(text.replace("slide.svs", f"{own}slide.svs"), encoding="utf-8")
    assert {route: score_by(tmp_path, route) for route in ROUTES} == expected


@pytest.mark.parametrize("more", [1, 3])
def test_results_of_further_slides_change_nothing(tmp_path: Path, more: int) -> None:
    figures = np.array([[100.0, 100.0], [500.0, 500.0]])
    found = result_of([(2, 2), (10, 10)], [0.9, 0.8], 0.5)
    write_all(tmp_path, found, figures)
    for place in range(more):
        detections_csv.write(tmp_path / "results" / f"other {place}.csv", found)
    judged = FileJudge(tmp_path / "truth.csv").judge(tmp_path / "results")
    assert judged.score.f1 == 1.0
    assert len(judged.without_truth) == more
