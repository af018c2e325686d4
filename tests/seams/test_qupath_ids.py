"""A file that another program rewrote brings back the cells that it was given, not a second set of them."""

from __future__ import annotations

import json
import random
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.json_text import as_uuid
from mitoscope.exchange.registry import read_study, write_study
from mitoscope.labels import LabelMapping
from mitoscope.region import RegionKind
from mitoscope.store import Cells, LabelEvents, Rater, RaterKind, Region, Shape, SlideRecord, Source, Store
from mitoscope.store import Study as StoredStudy
from mitoscope.store.actions import CellEvent, Geometry, record

CELLS = 6
"""One of them has no class: to a program that knows classes alone it is no cell. One more is drawn."""


def made() -> StoredStudy:
    """Spots, a box and a polygon: agreed on, settled by a third expert, disputed, seen by a model alone."""
    triangle = np.array([[500.126, 500], [560, 510.333], [520, 570]])
    bounds = [[x, 100.123456, x, 100.123456] for x in (100.0, 200.5, 300.25, 400.0)]
    bounds += [[450.333, 440, 500.333, 490], [500.126, 500, 560, 570]]
    said = [(0, 0, 0), (0, 1, 0), (1, 0, 0), (1, 1, 1), (1, 2, 0), (2, 0, 0), (2, 1, 1), (3, 3, 0), (4, 0, 1)]
    cell, rater, label = zip(*said, strict=True)
    return StoredStudy(
        (SlideRecord("slide"),),
        raters=(Rater("a"), Rater("b"), Rater("c"), Rater("net", RaterKind.MODEL)),
        labels=LabelMapping().classes,
        cells=Cells.of(
            [0] * CELLS,
            bounds,
            shape=[Shape.SPOT] * 4 + [Shape.BOX, Shape.POLYGON],
            vertices_px0={5: triangle},
        ),
        events=LabelEvents.of(cell, rater, label, score=[np.nan] * 7 + [0.75, np.nan]),
        regions=(
            Region(0, np.array([[0, 0], [900.004, 0], [900, 800], [0, 800.0]]), RegionKind.TUMOUR, "Tumor"),
            Region(0, np.array([[10, 10], [90, 10], [90, 80], [10, 80.0]]), RegionKind.INTEREST, "ROI"),
        ),
    )


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.create(tmp_path / "study.mito") as created:
        created.import_study(made(), source=Source("made"))
        with created.writing() as connection:
            geometry = Geometry.spot(700.0, 600.0)
            new = record(connection, CellEvent("create", 0, 1, 1, geometry=geometry), slide_id=1)
            record(connection, CellEvent("label", new.cell_id, 1, 1, label_id=1))
        yield created


def rewritten_by_qupath(path: Path, *, version: str, draw: random.Random) -> None:
    """Rewrite a file as QuPath does: what it knows in its own order and rounding, nothing else.

    Ids that are UUIDs are kept, others replaced. Members of the collection and properties that QuPath does
    not know are lost. 0.3 lists measurements and writes colours as one integer.
    """
    features = []
    for feature in json.loads(path.read_text(encoding="utf-8"))["features"]:
        old = feature["properties"]
        new: dict[str, Any] = {"objectType": old["objectType"]}
        if "classification" in old:
            red, green, blue = old["classification"]["color"]
            packed = ((255 << 24) | (red << 16) | (green << 8) | blue) - (1 << 32)
            colour = {"colorRGB": packed} if version == "0.3" else {"color": [red, green, blue]}
            new["classification"] = {"name": old["classification"]["name"], **colour}
        new["isLocked"] = False
        measured = old.get("measurements", {}) | {"Area µm^2": float("nan")}
        listed = [{"name": name, "value": value} for name, value in measured.items()]
        new["measurements"] = listed if version == "0.3" else measured
        try:
            id_ = str(uuid.UUID(feature["id"]))
        except (KeyError, ValueError):
            id_ = str(uuid.UUID(int=draw.getrandbits(128), version=4))
        geometry = feature["geometry"] | {"coordinates": rounded(feature["geometry"]["coordinates"], version)}
        features.append({"type": "Feature", "id": id_, "geometry": geometry, "properties": new})
    draw.shuffle(features)
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def rounded(value: Any, version: str) -> Any:
    """Return coordinates as 32-bit floats or with two decimals; rings begin elsewhere and turn around."""
    if isinstance(value, list) and isinstance(value[0], list) and not isinstance(value[0][0], list):
        ring = [rounded(point, version) for point in value[:-1]]
        ring = ring[::-1][2:] + ring[::-1][:2]
        return [*ring, ring[0]]
    if isinstance(value, list):
        return [rounded(one, version) for one in value]
    return float(np.float32(value)) if version == "0.3" else round(value, 2)


def classes(store: Store) -> dict[str, int]:
    return store.ground_truth().counts()


@pytest.mark.parametrize("version", ["0.3", "0.5"])
def test_a_file_that_went_through_qupath_doubles_nothing(store: Store, tmp_path: Path, version: str) -> None:
    path, before = tmp_path / "slide.geojson", classes(store)
    write_study(store.export_study(with_ids=True), path, "geojson")
    rewritten_by_qupath(path, version=version, draw=random.Random(1))
    back = read_study(path, mapping=LabelMapping())
    assert len(back.cells) == CELLS
    report = store.import_study(back, source=Source("back"))
    assert (report.cells, report.known, report.labels, report.regions) == (0, CELLS, 0, 0)
    assert classes(store) == before
    assert len(store.export_study().regions) == 2
    store.verify()


def test_with_ids_that_qupath_does_not_know_every_cell_is_doubled(store: Store, tmp_path: Path) -> None:
    """Control: the same way without UUIDs."""
    path = tmp_path / "slide.geojson"
    write_study(store.export_study(with_ids=True), path, "geojson")
    value = json.loads(path.read_text(encoding="utf-8"))
    for place, feature in enumerate(value["features"]):
        feature["id"] = f"PathObject {place}"
    path.write_text(json.dumps(value), encoding="utf-8")
    rewritten_by_qupath(path, version="0.5", draw=random.Random(1))
    report = store.import_study(read_study(path), source=Source("back"))
    assert report.cells == CELLS


@pytest.mark.parametrize("rater", [None, "me"])
def test_a_class_that_was_changed_in_qupath_is_a_new_label(
    store: Store, tmp_path: Path, rater: str | None
) -> None:
    path = tmp_path / "slide.geojson"
    write_study(store.export_study(with_ids=True), path, "geojson")
    rewritten_by_qupath(path, version="0.5", draw=random.Random(1))
    value = json.loads(path.read_text(encoding="utf-8"))
    (first,) = (one for one in value["features"] if one["geometry"]["coordinates"] == [100.0, 100.12])
    assert first["properties"]["classification"]["name"] == "mitotic figure"
    first["properties"]["classification"]["name"] = "look-alike"
    path.write_text(json.dumps(value), encoding="utf-8")
    known = read_study(path, options=ReadOptions(rater=rater), mapping=LabelMapping())
    report = store.import_study(known, source=Source("back"))
    assert (report.cells, report.known) == (0, CELLS)
    study = store.export_study()
    said = [study.raters[one].name for one in study.events.rater[study.events.cell == 0].tolist()]
    assert said == ["a", "b", rater or "consensus"]
    truth = store.ground_truth().slides[0].cells
    changed = truth.label[truth.cell_id == 1].tolist()
    # Two experts agreed: a third opinion is one more, a consensus decides.
    assert changed == (["look-alike"] if rater is None else ["mitotic figure"])


@pytest.mark.parametrize("name", ["sliderunner", "coco", "csv", "dicom"])
def test_other_formats_bring_the_cells_back_too(store: Store, tmp_path: Path, name: str) -> None:
    path, before = tmp_path / "slide", classes(store)
    write_study(store.export_study(with_ids=True), path, name)
    if name == "coco":
        # COCO tools keep what stands in an annotation, and write the file anew.
        value = json.loads(path.read_text(encoding="utf-8"))
        del value["mitoscope"]
        path.write_text(json.dumps(value, indent=1), encoding="utf-8")
    options = ReadOptions(slide="slide", models=frozenset({"net"}))
    back = read_study(path, name, options, mapping=LabelMapping())
    report = store.import_study(back, source=Source("back"))
    assert (report.cells, report.known, report.regions) == (0, CELLS + 1, 0)
    assert classes(store) == before
    assert len(store.export_study().cells) == CELLS + 1
    store.verify()


def test_ids_are_the_same_every_time_and_valid(store: Store) -> None:
    first, second = (store.export_study(with_ids=True).cells.guid.tolist() for _ in range(2))
    assert first == second
    assert len({uuid.UUID(one) for one in first}) == CELLS + 1
    assert store.export_study().cells.guid.tolist() == [None] * (CELLS + 1)


@pytest.mark.parametrize("form", ["{}", "{{{}}}", "urn:uuid:{}"])
def test_an_id_is_known_in_any_form_of_a_uuid(form: str) -> None:
    known = str(uuid.uuid4())
    assert as_uuid(form.format(known.upper())) == known
    assert as_uuid(form.format(known[:-1])) is None


def test_a_coco_file_that_was_edited_is_known_by_its_own_numbers(tmp_path: Path) -> None:
    document: dict[str, Any] = {
        "images": [{"id": 1, "file_name": "a.tiff", "width": 7000, "height": 5000}],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "hard negative"}],
        "annotations": [
            {"id": number, "image_id": 1, "category_id": 1, "bbox": [100 * number, 10, 50, 40]}
            for number in range(1, 5)
        ],
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(read_study(path), source=Source(path.name))
        document["annotations"][0]["category_id"] = 2
        document["annotations"][3]["bbox"] = [3000, 10, 50, 40]  # the same number elsewhere is another cell
        path.write_text(json.dumps(document), encoding="utf-8")
        report = store.import_study(read_study(path), source=Source(path.name))
        assert (report.known, report.cells) == (3, 1)
        assert classes(store) == {"mitotic figure": 4, "look-alike": 1}
