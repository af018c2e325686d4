"""Every class name of the field, in every format that has names, means the same class at every door."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import UnknownLabelError
from mitoscope.exchange import dicom
from mitoscope.exchange.classes import stated_classes
from mitoscope.exchange.format import WriteOptions
from mitoscope.exchange.predictions import read_detections
from mitoscope.exchange.registry import read_study
from mitoscope.exchange.sliderunner.schema import create_tables
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.labels import DEFAULT_LABELS, FIELD_LABELS, Label, LabelMapping, LabelSet, name_key
from mitoscope.store import Cells, LabelEvents, Rater, RaterKind, SlideRecord, Source, Store, Study

NAMES = list(
    {
        name_key(name): (name, label.name)
        for label in FIELD_LABELS.labels
        for name in (label.name, *label.aliases)
    }.values()
)
"""Every name with the class that it means."""
POINTS = np.array([[20.0 + 10 * place, 30.0] for place in range(len(NAMES))])


def as_csv(path: Path) -> None:
    rows = [f'slide.svs,{x},{y},"{name}"' for (name, _), (x, y) in zip(NAMES, POINTS, strict=True)]
    path.write_text("image,x,y,label\n" + "\n".join(rows) + "\n", encoding="utf-8")


def as_coco(path: Path) -> None:
    numbers = range(1, len(NAMES) + 1)
    boxes = [[x - 25, y - 25, 50, 50] for x, y in POINTS.tolist()]
    value = {
        "images": [{"id": 1, "file_name": "slide.svs", "width": 4000, "height": 100}],
        "categories": [{"id": one, "name": name} for one, (name, _) in zip(numbers, NAMES, strict=True)],
        "annotations": [
            {"id": one, "image_id": 1, "category_id": one, "bbox": box, "area": 2500, "iscrowd": 0}
            for one, box in zip(numbers, boxes, strict=True)
        ],
    }
    path.write_text(json.dumps(value), encoding="utf-8")


def as_geojson(path: Path) -> None:
    features = [
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": point},
            "properties": {"objectType": "annotation", "classification": {"name": name}},
        }
        for (name, _), point in zip(NAMES, POINTS.tolist(), strict=True)
    ]
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}), encoding="utf-8")


def as_sliderunner(path: Path) -> None:
    with closing(sqlite3.connect(path)) as db:
        create_tables(db)
        db.execute("INSERT INTO Slides (uid, filename) VALUES (1, 'slide.svs')")
        db.execute("INSERT INTO Persons (uid, name) VALUES (1, 'C. B.')")
        for uid, ((name, _), (x, y)) in enumerate(zip(NAMES, POINTS.tolist(), strict=True), start=1):
            db.execute("INSERT INTO Classes (uid, name) VALUES (?, ?)", (uid, name))
            columns = "(uid, slide, type, agreedClass)"
            db.execute(f"INSERT INTO Annotations {columns} VALUES (?, 1, 1, ?)", (uid, uid))
            db.execute(
                "INSERT INTO Annotations_coordinates (coordinateX, coordinateY, annoId, orderIdx) "
                "VALUES (?, ?, ?, 1)",
                (x, y, uid),
            )
            db.execute("INSERT INTO Annotations_label (person, class, annoId) VALUES (1, ?, ?)", (uid, uid))
        db.commit()


def as_dicom(path: Path) -> None:
    rows = np.arange(len(NAMES))
    study = Study(
        (SlideRecord("slide.svs"),),
        LabelSet(tuple(Label(name, "#ffffff") for name, _ in NAMES)),
        (Rater("consensus", RaterKind.CONSENSUS),),
        cells=Cells.spots(np.zeros(len(NAMES)), POINTS),
        events=LabelEvents.of(rows, np.zeros(len(NAMES)), rows),
    )
    dicom.write(study, path, WriteOptions())


FORMATS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "csv": ("a.csv", as_csv),
    "coco": ("a.json", as_coco),
    "geojson": ("slide.svs.geojson", as_geojson),
    "sliderunner": ("a.sqlite", as_sliderunner),
    "dicom": ("a.dcm", as_dicom),
}


def write(name: str, folder: Path) -> Path:
    file, writer = FORMATS[name]
    path = folder / file
    writer(path)
    return path


def classes_of(study: Study) -> list[str]:
    """The class of each cell in the order of the places."""
    order = np.argsort(study.cells.centres_px0[:, 0])
    labels, _ = stated_classes(study)
    return [study.labels.names[label] for label in labels[order].tolist()]


@pytest.mark.parametrize("name", FORMATS)
def test_every_name_means_its_class_in_every_format(name: str, tmp_path: Path) -> None:
    path = write(name, tmp_path)
    expected = [means for _, means in NAMES]
    assert classes_of(read_study(path, name, mapping=LabelMapping())) == expected
    assert read_ground_truth(path).counts() == dict(Counter(expected))


@pytest.mark.parametrize("name", FORMATS)
def test_a_study_and_the_detections_of_a_file_say_the_same(name: str, tmp_path: Path) -> None:
    path = write(name, tmp_path)
    expected = Counter(means for _, means in NAMES)
    (found,) = read_detections(path, name, mapping=LabelMapping()).values()
    assert Counter(found.label.tolist()) == expected
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(read_study(path, name, mapping=LabelMapping()), source=Source("a"))
        assert store.ground_truth().counts() == dict(expected)


@pytest.mark.parametrize("name", FORMATS)
def test_an_unknown_name_is_refused_until_the_user_maps_it(name: str, tmp_path: Path) -> None:
    # The control: one table of names shared by all, not one a reader.
    path = write(name, tmp_path)
    few = LabelMapping(classes=DEFAULT_LABELS)
    with pytest.raises(UnknownLabelError, match=r"and \d+ more; map each with --label") as caught:
        read_study(path, name, mapping=few)
    assert "\n" not in str(caught.value)
    others = {name: means for name, means in NAMES if means not in DEFAULT_LABELS.names}
    stated = {one: "ignore" if means == "granulocyte" else "look-alike" for one, means in others.items()}
    mapped = LabelMapping.parse([f"{one}={target}" for one, target in stated.items()], classes=DEFAULT_LABELS)
    expected = [stated.get(name, means) for name, means in NAMES if stated.get(name) != "ignore"]
    assert classes_of(read_study(path, name, mapping=mapped)) == expected
    assert read_ground_truth(path, mapping=mapped).counts() == dict(Counter(expected))


@pytest.mark.parametrize("name", FORMATS)
def test_without_the_table_the_same_test_fails(name: str, tmp_path: Path) -> None:
    """Control: the names as they stand are not their classes."""
    path = write(name, tmp_path)
    assert classes_of(read_study(path, name)) != [means for _, means in NAMES]


def test_a_name_in_its_usual_form_is_mapped_as_the_user_wrote_it(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,x,y,label\na,1,2,Mitose\na,3,4,NMF\n", encoding="utf-8")
    mapping = LabelMapping.parse(["Mitose=ignore"])
    study = read_study(path, mapping=mapping)
    assert classes_of(study) == ["look-alike"]
    assert len(study.cells) == 1


def test_names_on_deleted_cells_ask_nobody(tmp_path: Path) -> None:
    path = tmp_path / "a.csv"
    path.write_text("image,x,y,label,deleted\na,1,2,Tubule,1\na,3,4,mitosis,\n", encoding="utf-8")
    assert len(read_study(path, mapping=LabelMapping()).cells) == 2
