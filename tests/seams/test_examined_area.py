"""What nobody looked at holds nothing that is false: from an outline in a file to the F1 of results."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.detections import Detections, Searched
from mitoscope.errors import NotExaminedError
from mitoscope.evaluate import Evaluation, evaluate
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.registry import find_format, read_study, write_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.region import Region
from mitoscope.store import Cells, LabelEvents, Rater, SlideRecord, Source, Store, Study, add_interest
from mitoscope.truth import ExaminedArea, GroundTruth

MPP = Mpp.square(0.25)
FIGURES = [(100.0, 100.0), (300.0, 300.0)]
UNSEEN = [(1500.0, 100.0), (1600.0, 300.0)]
"""Detections where nobody looked: nobody knows whether they are false."""


def feature(kind: str, coordinates: Any, name: str) -> dict[str, Any]:
    return {
        "type": "Feature",
        "geometry": {"type": kind, "coordinates": coordinates},
        "properties": {"objectType": "annotation", "classification": {"name": name}},
    }


@pytest.fixture
def labels(tmp_path: Path) -> Path:
    """Write a file of QuPath: two figures, and the region of interest that was read."""
    square = [[[0, 0], [1000, 0], [1000, 1000], [0, 1000], [0, 0]]]
    features = [feature("Polygon", square, "ROI"), *(feature("Point", list(xy), "Mitosis") for xy in FIGURES)]
    path = tmp_path / "slide.geojson"
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")
    return path


@pytest.fixture(params=["file", "study"])
def truth(request: pytest.FixtureRequest, labels: Path) -> GroundTruth:
    """Return the ground truth of the file, and of the study that it was imported into."""
    if request.param == "file":
        return read_ground_truth(labels)
    with Store.create(labels.with_name("study.mito")) as store:
        store.import_study(read_study(labels), source=Source(labels.name))
    return read_ground_truth(labels.with_name("study.mito"))


def found() -> dict[str, Detections]:
    points = np.array([*FIGURES, *UNSEEN])
    return {"slide": Detections.of(points, np.full(len(points), 0.9))}


def test_outside_of_the_region_of_interest_nothing_is_false(truth: GroundTruth) -> None:
    examined = truth.slides[0].examined
    assert examined.source == "regions of interest"
    score = evaluate(found(), truth).score
    assert (score.tp, score.fp, score.fn) == (2, 0, 0)


def test_control_a_truth_that_forgets_what_was_looked_at_counts_them_false(truth: GroundTruth) -> None:
    forgotten = truth.with_slides(
        replace(slide, stated_examined=ExaminedArea.whole("nobody asked")) for slide in truth
    )
    assert evaluate(found(), forgotten).score.fp == len(UNSEEN)


def test_of_a_whole_slide_somebody_must_say_what_was_looked_at(truth: GroundTruth) -> None:
    whole = truth.with_slides(
        replace(slide, stated_examined=None, size=SizePx(80_000, 60_000)) for slide in truth
    )
    with pytest.raises(NotExaminedError, match="--examined"):
        evaluate(found(), whole)


def searched_left(truth: GroundTruth, *gaps: BoxPx0) -> Evaluation:
    """Judge results that were searched left of x = 200 alone: of the two figures, one lies there."""
    left = Searched(size=SizePx(2000, 2000), region=Region.of_box(BoxPx0(0, 0, 200, 2000)), gaps=gaps)
    found = Detections.of(np.array(FIGURES[:1]), [0.9], searched=left)
    return evaluate({"slide": found}, truth)


def test_what_the_user_did_not_let_the_detector_search_is_not_missed(truth: GroundTruth) -> None:
    judged = searched_left(truth)
    assert (judged.score.tp, judged.score.fp, judged.score.fn) == (1, 0, 0)
    stated = judged.as_dict()
    assert stated["not_judged"] == {"detections": 0, "figures": 1, "figures_not_searched": 1}
    assert list(judged.examined) == ["regions of interest, within the part that was searched"]


def test_control_results_that_forget_what_was_searched_miss_it(truth: GroundTruth) -> None:
    found = Detections.of(np.array(FIGURES[:1]), [0.9])
    assert evaluate({"slide": found}, truth).score.fn == 1


def test_figures_in_gaps_stay_missed_and_are_named(truth: GroundTruth) -> None:
    gap = Searched(gaps=(BoxPx0(250, 250, 100, 100), BoxPx0(260, 260, 50, 50)))
    judged = evaluate({"slide": Detections.of(np.array(FIGURES[:1]), [0.9], searched=gap)}, truth)
    assert (judged.score.tp, judged.score.fn) == (1, 1)
    assert judged.as_dict()["figures_in_gaps"] == 1
    assert searched_left(truth, BoxPx0(250, 250, 100, 100)).figures_in_gaps == 0, "it is not judged at all"


@pytest.mark.parametrize("stated", ["whole", "field"])
@pytest.mark.parametrize(
    "name", ["coco", "geojson", "sliderunner", "asap", "imagescope", "halo", "parquet", "dicom"]
)
def test_what_was_looked_at_leaves_with_every_format_and_comes_back(
    tmp_path: Path, stated: str, name: str
) -> None:
    """Also where another program has rewritten the file and dropped what it does not know."""
    for extra in {"parquet": ["pyarrow"], "dicom": ["highdicom"]}.get(name, []):
        pytest.importorskip(extra)
    cells = Cells.spots([0, 0], FIGURES)
    labelled = LabelEvents.of([0, 1], [0, 0], [0, 0])
    slide = SlideRecord("slide", SizePx(2000, 1500))
    study = Study((slide,), DEFAULT_LABELS, (Rater("expert 1"),), cells=cells, events=labelled)
    with Store.create(tmp_path / "a.mito") as store:
        store.import_study(study, source=Source("a"))
        if stated == "whole":
            store.state_examined(["slide"])
        else:
            with store.writing() as connection:
                box = BoxPx0(0, 0, 1000, 1000)
                add_interest(connection, 1, box, rater_id=1, name="ten high-power fields")
        before = store.ground_truth().slides[0].examined
        known, path = find_format(name), tmp_path / f"a{find_format(name).suffix}"
        assert not write_study(store.export_study(), path, name)[1:]
    if name in ("coco", "geojson"):
        document = json.loads(path.read_text(encoding="utf-8"))
        document.pop("mitoscope", None)
        path.write_text(json.dumps(document), encoding="utf-8")
    with Store.create(tmp_path / "b.mito") as store:
        store.import_study(known.read(path, ReadOptions(slide="slide")), source=Source("a"))
        after = store.ground_truth().slides[0].examined
    assert before.area_mm2(MPP, slide.size) == pytest.approx(after.area_mm2(MPP, slide.size))
    assert (before.contains(UNSEEN) == after.contains(UNSEEN)).all()
