"""One odd value costs one cell (promise 14): each reader, each optional field, each way to be odd."""

from __future__ import annotations

import csv
import io
import json
import re
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from copy import deepcopy
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.format import BoxLayout, ReadOptions
from mitoscope.exchange.registry import FORMATS, read_study
from mitoscope.exchange.sliderunner.schema import create_tables
from mitoscope.geometry import Mpp
from mitoscope.store import Store, Study, sift

OPTIONS = ReadOptions(mpp=Mpp.square(0.25), boxes=BoxLayout.XYWH)
ODD: dict[str, Any] = {
    "text": "far",
    "object": {"a": 1},
    "list": [[]],
    "true": True,
    "null": None,
    "nan": float("nan"),
    "infinite": float("inf"),
    "negative": -7.5,
    "huge": 1e300,
    "very long": 10**400,
    "empty": "",
}
ABSENT = object()
CELLS = 3
SQUARE = [[10, 10], [60, 10], [60, 60], [10, 60], [10, 10]]


def at(place: int) -> list[list[int]]:
    return [[x + 100 * place, y] for x, y in SQUARE]


def geojson() -> tuple[Any, list[Any]]:
    features = [
        {
            "type": "Feature",
            "id": f"00000000-0000-4000-8000-00000000000{place}",
            "geometry": {"type": "Polygon", "coordinates": [at(place)], "plane": {"c": -1, "z": 1, "t": 0}},
            "properties": {
                "objectType": "detection",
                "classification": {"name": "Mitosis", "color": [200, 0, 0]},
                "measurements": {"score": 0.5, "Area": 2.0},
            },
        }
        for place in range(CELLS)
    ]
    return {"type": "FeatureCollection", "features": features}, features


def coco() -> tuple[Any, list[Any]]:
    annotations = [
        {
            "id": place + 1,
            "image_id": 1,
            "category_id": 1,
            "bbox": [10 + 100 * place, 10, 50, 50],
            "labels": [1, 1],
            "agreement": 0.5,
            "area": 2500,
            "iscrowd": 0,
            "segmentation": [[one for point in at(place)[:4] for one in point]],
            "guid": f"00000000-0000-4000-8000-00000000000{place}",
        }
        for place in range(CELLS)
    ]
    images = [{"id": 1, "file_name": "a.tiff", "width": 5000, "height": 5000, "tumor_type": "x"}]
    categories = [{"id": 1, "name": "mitotic figure"}]
    return {"images": images, "categories": categories, "annotations": annotations}, annotations


def grand_challenge() -> tuple[Any, list[Any]]:
    points = [
        {"point": [0.25 + place, 0.5, 0], "probability": 0.9, "name": "mitotic figure"}
        for place in range(CELLS)
    ]
    return {"type": "Multiple points", "points": points}, points


DOCUMENTS: dict[str, Callable[[], tuple[Any, list[Any]]]] = {
    "geojson": geojson,
    "coco": coco,
    "grand-challenge": grand_challenge,
}


def fields(value: Any, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the way to each value inside of one cell, the outermost first."""
    if way:
        yield way
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from fields(one, (*way, key))


def put(value: Any, way: tuple[Any, ...], odd: Any) -> None:
    for key in way[:-1]:
        value = value[key]
    if odd is ABSENT:
        del value[way[-1]]
    else:
        value[way[-1]] = odd


def judged(study: Study) -> tuple[int, int]:
    """The cells that a store takes, and what it sets aside."""
    sifted = sift(study, source="file")
    assert all(entry.where and entry.why and entry.what for entry in sifted.quarantine)
    return len(sifted.cells), len(sifted.quarantine)


@pytest.mark.parametrize("name", DOCUMENTS)
def test_an_odd_value_in_json_costs_its_cell_alone(tmp_path: Path, name: str) -> None:
    path, costs = tmp_path / "a.json", set()
    for way in fields(DOCUMENTS[name]()[1][1]):
        for kind, odd in {**ODD, "absent": ABSENT}.items():
            document, cells = DOCUMENTS[name]()
            before = deepcopy(cells[1])
            put(cells[1], way, odd)
            if cells[1] == before:
                continue
            path.write_text(json.dumps(document), encoding="utf-8")
            kept, aside = judged(read_study(path, name, OPTIONS))
            assert kept >= CELLS - 1, (way, kind)
            assert kept == CELLS or aside >= 1, (way, kind)
            costs.add(kept)
    assert costs == {CELLS - 1, CELLS}


@pytest.mark.parametrize("member", ["images", "categories"])
def test_an_odd_value_of_an_image_or_a_category_costs_no_cell_or_is_counted(
    tmp_path: Path, member: str
) -> None:
    path = tmp_path / "a.json"
    for key in list(coco()[0][member][0]):
        for kind, odd in {**ODD, "absent": ABSENT}.items():
            document, _ = coco()
            document[member].append(deepcopy(document[member][0]) | {"id": 2, "name": "b", "file_name": "b"})
            put(document[member][1], (key,), odd)
            path.write_text(json.dumps(document), encoding="utf-8")
            assert judged(read_study(path, "coco", OPTIONS))[0] == CELLS, (key, kind)


PLACE = ("image", "x", "y", "label", "score", "w", "h", "shape", "vertices", "z", "deleted")
COLUMNS = (*PLACE, "guid", "id", "cell")
MORE = ("rater", "rater_kind", "round", "round_kind", "time_s", "seconds", "cell_attributes", "mpp")
CONTRADICTS = ("mpp",)
"""Rows that say different things of one slide do not say which of them is right."""
TEXTS = ("far", "", "nan", "inf", "-inf", "-7.5", "1e300", "1,5", "[", "9" * 400, "=1+1", "\x00")


def csv_row(place: int) -> dict[str, str]:
    first = (100.0 * place, 20, "mitosis", 0.5, 50, 50, "box", "", 0, "", f"guid {place}", place, place)
    more = ("a model", "model", "first", "screening", 1e9, 3.5, "", 0.25)
    return dict(zip((*COLUMNS, *MORE), map(str, ("a.tiff", *first, *more)), strict=True))


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
def test_an_odd_cell_of_a_csv_costs_its_row_alone(tmp_path: Path, delimiter: str) -> None:
    costs = set()
    for column in (*COLUMNS, *MORE):
        for odd in TEXTS:
            if column == "label" and odd == "far":
                continue  # a class of its own: refused by name where it is not mapped
            rows = [csv_row(place) for place in range(CELLS)]
            rows[1][column] = odd
            stream = io.StringIO()
            writer = csv.DictWriter(stream, (*COLUMNS, *MORE), delimiter=delimiter, lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
            (tmp_path / "a.csv").write_text(stream.getvalue(), encoding="utf-8")
            if (column in CONTRADICTS and odd.strip("\0")) or (column.endswith("_kind") and not odd):
                with pytest.raises(FormatError):
                    read_study(tmp_path / "a.csv", "csv", OPTIONS)
                continue
            kept, aside = judged(read_study(tmp_path / "a.csv", "csv", OPTIONS))
            assert kept >= CELLS - 1, (column, odd)
            assert kept == CELLS or aside >= 1, (column, odd)
            costs.add(kept)
    assert costs == {CELLS - 1, CELLS}


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("tupac16", ["10,20", "30,40", "50,60"]),
        ("mitos-atypia-2014", ["10,20,0.9", "30,40,0.8", "50,60,0.7"]),
        ("mitos2012", ["3,7,4,7,3,8,4,8", "13,7,14,7,13,8,14,8", "23,7,24,7,23,8,24,8"]),
        ("midesec", ["1,1,9,1,9,8", "11,1,19,1,19,8", "21,1,29,1,29,8"]),
    ],
)
def test_an_odd_row_of_a_challenge_costs_itself_alone(tmp_path: Path, name: str, rows: list[str]) -> None:
    for place in range(rows[1].count(",") + 1):
        for odd in TEXTS:
            values = rows[1].split(",")
            values[place] = odd
            text = "\n".join([rows[0], ",".join(values), rows[2]])
            (tmp_path / "a.csv").write_text(text, encoding="utf-8")
            kept, aside = judged(read_study(tmp_path / "a.csv", name, OPTIONS))
            assert kept >= CELLS - 1, (place, odd)
            assert kept == CELLS or aside == 1, (place, odd)


SQL_ODD: tuple[Any, ...] = ("far", b"\x00\xff", None, float("inf"), -7.5, 1e300, 2**62, "", "nan")


def sliderunner(path: Path, table: str, column: str, odd: Any) -> None:
    """Write three spots, one of which, or the slide, has an odd value."""
    with closing(sqlite3.connect(path)) as db:
        create_tables(db)
        db.execute("INSERT INTO Slides (uid, filename, width, height) VALUES (1, 'a.tiff', 5000, 5000)")
        db.execute("INSERT INTO Slides (uid, filename, width, height) VALUES (2, 'b.tiff', 5000, 5000)")
        db.execute("INSERT INTO Persons (uid, name) VALUES (1, 'me'), (2, 'you')")
        db.execute("INSERT INTO Classes (uid, name) VALUES (1, 'mitotic figure'), (2, 'look-alike')")
        for uid in range(1, CELLS + 1):
            db.execute("INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (?, 1, 1, 1)", (uid,))
            db.execute(
                "INSERT INTO Annotations_coordinates (uid, coordinateX, coordinateY, slide, annoId) "
                "VALUES (?, ?, 20, 1, ?)",
                (uid, 100 * uid, uid),
            )
            db.execute(
                "INSERT INTO Annotations_label (uid, person, class, annoId) VALUES (?, 1, 1, ?)", (uid, uid)
            )
            db.execute("INSERT INTO Log (uid, dateTime, labelId) VALUES (?, 1e9, ?)", (uid, uid))
        db.execute(f"UPDATE `{table}` SET `{column}` = ? WHERE uid = 2", (odd,))
        db.commit()


TABLES = ("Annotations", "Annotations_coordinates", "Annotations_label", "Log")


@pytest.mark.parametrize("table", [*TABLES, "Slides", "Persons", "Classes"])
def test_an_odd_value_in_a_sliderunner_row_costs_its_cell_alone(tmp_path: Path, table: str) -> None:
    with closing(sqlite3.connect(":memory:")) as db:
        create_tables(db)
        columns = [row[1] for row in db.execute(f"PRAGMA table_info(`{table}`)") if row[1] != "uid"]
    store = Store.create(tmp_path / "study.mito")
    for turn, (column, odd) in enumerate((column, odd) for column in columns for odd in SQL_ODD):
        path = tmp_path / f"{turn}.sqlite"
        sliderunner(path, table, column, odd)
        study = read_study(path, "sliderunner")
        kept, aside = judged(study)
        assert kept >= CELLS - 1, (column, odd)
        assert kept == CELLS or aside >= 1, (column, odd)
        assert np.isfinite(study.events.time_s[~np.isnan(study.events.time_s)]).all()
    store.close()


def test_a_reader_that_takes_the_file_as_a_whole_fails_the_same_test(tmp_path: Path) -> None:
    """Control: numbers read at once, as most scripts do, lose every cell to one odd value."""
    document, cells = geojson()
    cells[1]["geometry"]["coordinates"] = [[["far", 1], [2, 3], [4, 5]]]

    def naive(value: Any) -> int:
        try:
            return len([np.array(one["geometry"]["coordinates"][0], float) for one in value["features"]])
        except ValueError:
            return 0

    (tmp_path / "a.geojson").write_text(json.dumps(document), encoding="utf-8")
    assert naive(document) == 0
    assert judged(FORMATS["geojson"].read(tmp_path / "a.geojson", ReadOptions())) == (CELLS - 1, 1)


def asap(place: int) -> str:
    vertex = f'<Coordinate Order="0" X="{10 + place * 90}" Y="20"/>'
    shown = f'Name="Annotation {place}" Type="Dot" PartOfGroup="Mitosis" Color="#ff0000"'
    return f"<Annotation {shown}><Coordinates>{vertex}</Coordinates></Annotation>"


def layer(place: int, tag: str, kind: str) -> str:
    vertices = "".join(f'<{tag} X="{x + place * 90}" Y="{x}"/>' for x in (10, 60))
    region = f'<Region Type="{kind}" NegativeROA="0"><Vertices>{vertices}</Vertices></Region>'
    return f'<Annotation Name="Mitosis" LineColor="255"><Regions>{region}</Regions></Annotation>'


def ome(place: int) -> str:
    shape = f'<Ellipse X="{100 + place * 90}" Y="100" RadiusX="20" RadiusY="20" TheZ="1" Text="Mitosis"/>'
    return f'<ROI ID="ROI:{place}" Name="a"><Union>{shape}</Union></ROI>'


XML: dict[str, tuple[str, Callable[[int], str]]] = {
    "asap": ("ASAP_Annotations", asap),
    "imagescope": ("Annotations", lambda place: layer(place, "Vertex", "2")),
    "halo": ("Annotations", lambda place: layer(place, "V", "Ellipse")),
    "ome": ("OME", ome),
}


@pytest.mark.parametrize("name", XML)
def test_an_odd_attribute_in_xml_costs_its_cell_alone(tmp_path: Path, name: str) -> None:
    root, item = XML[name]
    costs, path = set(), tmp_path / "a.xml"
    attributes = list(re.finditer(r' (\w+)="[^"]*"', item(1)))
    for found in attributes:
        for odd in (*TEXTS[:-1], None):
            stated = "" if odd is None else f' {found[1]}="{odd}"'
            bent = item(1)[: found.start()] + stated + item(1)[found.end() :]
            path.write_text(f"<{root}>{item(0)}{bent}{item(2)}</{root}>", encoding="utf-8")
            kept, aside = judged(read_study(path, name, OPTIONS))
            assert kept >= CELLS - 1, (found[1], odd)
            assert kept == CELLS or aside == 1, (found[1], odd)
            costs.add(kept)
    assert costs == {CELLS - 1, CELLS}
