"""Parquet, QuPath's measurement tables, OME-XML, and SlideRunner files that another program is writing."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile

from mitoscope.errors import FormatError, ScaleError
from mitoscope.exchange.format import ReadOptions
from mitoscope.exchange.registry import detect_format, read_study, write_study
from mitoscope.exchange.sliderunner import schema
from mitoscope.geometry import Mpp
from mitoscope.region import RegionKind

from .test_outlines_xml import labelled, made


def test_a_parquet_file_gives_back_classes_places_and_regions(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    write_study(made(), tmp_path / "a.bin", "parquet")
    assert detect_format(tmp_path / "a.bin").name == "parquet"
    found = read_study(tmp_path / "a.bin")
    assert [slide.name for slide in found.slides] == ["slide"]
    (names, places), (expected, at) = (zip(*labelled(study), strict=True) for study in (found, made()))
    assert names == expected
    assert np.allclose(places, at)
    assert [(one.kind, one.name, one.vertices_px0.tolist()) for one in found.regions] == [
        (one.kind, one.name, one.vertices_px0.tolist()) for one in made().regions
    ]


def test_tables_of_others_with_points_or_boxes_are_read(tmp_path: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    pytest.importorskip("pyarrow.parquet")
    rows: list[dict[str, Any]] = [
        {"Slide": "a.svs", "x": 1.5, "y": 2.0, "Class": "Mitosis", "probability": 0.75},
        {"Slide": "b.svs", "x": 3.0, "y": 4.0, "Class": "NMF", "probability": 0.25},
        {"Slide": "b.svs", "x": 5.0, "y": 6.0, "Class": "Mitosis", "probability": 7.0},
        {"Slide": "b.svs", "x": None, "y": 6.0, "Class": "Mitosis", "probability": None},
    ]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "a.parquet")
    study = read_study(tmp_path / "a.parquet")
    assert [slide.name for slide in study.slides] == ["a.svs", "b.svs"]
    assert labelled(study)[:2] == [("mitotic figure", [1.5, 2]), ("look-alike", [3, 4])]
    assert study.events.score.tolist()[:2] == [0.75, 0.25]
    assert [one.where.rpartition(": ")[2] for one in study.quarantine] == ["rows[2]"]
    corners = [{"x1": 0.0, "y1": 10.0, "x2": 50.0, "y2": 70.0, "label": "Mitosis"}]
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(corners), tmp_path / "b.parquet")
    assert labelled(read_study(tmp_path / "b.parquet")) == [("mitotic figure", [25, 40])]
    (tmp_path / "c.parquet").write_bytes(b"PAR1 no such file PAR1")
    with pytest.raises(FormatError, match="a damaged Parquet file"):
        read_study(tmp_path / "c.parquet")


TSV = (
    "Image\tObject ID\tObject type\tName\tClassification\tParent\tROI\t"
    "Centroid X {unit}\tCentroid Y {unit}\tScore\n"
    "a.svs\t00000000-0000-4000-8000-000000000001\tDetection\t\tMitosis\troot\tPolygon\t25.0\t50\t0.5\n"
    "b.svs\t00000000-0000-4000-8000-000000000002\tAnnotation\t\tNMF\troot\tPoint\t75\t10\t\n"
    "b.svs\t00000000-0000-4000-8000-000000000003\tAnnotation\t\tTumor\troot\tPolygon\t75\t10\t\n"
    "b.svs\t00000000-0000-4000-8000-000000000004\tDetection\t\tMitosis\troot\tPolygon\t7\t9\tNaN\n"
    "b.svs\t00000000-0000-4000-8000-000000000005\tDetection\t\tMitosis\troot\tPolygon\tfar\t9\t0.5\n"
)


@pytest.mark.parametrize(("unit", "factor"), [("px", 1), ("µm", 4)])
def test_measurement_tables_of_qupath_are_centres(tmp_path: Path, unit: str, factor: int) -> None:
    path = tmp_path / "measurements.tsv"
    path.write_text(TSV.format(unit=unit), encoding="utf-8")
    assert detect_format(path).name == "qupath-tsv"
    study = read_study(path, options=ReadOptions(mpp=Mpp.square(0.25)))
    assert labelled(study) == [
        ("mitotic figure", [25 * factor, 50 * factor]),
        ("look-alike", [75 * factor, 10 * factor]),
        ("mitotic figure", [7 * factor, 9 * factor]),
    ]
    assert [study.slides[one].name for one in study.cells.slide] == ["a.svs", "b.svs", "b.svs"]
    assert study.cells.guid[0] == "00000000-0000-4000-8000-000000000001"
    assert np.isnan(study.events.score).tolist() == [False, True, True]
    assert sorted(one.why for one in study.quarantine) == [
        "a number expected",
        "of an outline its centre alone",
    ]
    if unit == "µm":
        with pytest.raises(ScaleError, match="--mpp"):
            read_study(path)


OME = """<?xml version="1.0" encoding="UTF-8"?>
<OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06">
 <Image ID="Image:0" Name="x"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint8" SizeX="64" SizeY="48"
  SizeZ="1" SizeC="1" SizeT="1" PhysicalSizeX="0.25"><TiffData/></Pixels></Image>
 <ROI ID="ROI:0" Name="Mitosis"><Union><Point ID="Shape:0" X="10.5" Y="20" TheZ="0"/></Union></ROI>
 <ROI ID="ROI:1"><Union>
  <Rectangle ID="Shape:1" X="10" Y="20" Width="30" Height="40" Text="hard negative"/></Union></ROI>
 <ROI ID="ROI:2"><Union><Ellipse ID="Shape:2" X="100" Y="120" RadiusX="30" RadiusY="20" Text="Mitosis"/>
  <Label X="1" Y="2" Text="a word"/></Union></ROI>
 <ROI ID="ROI:3" Name="Tumor"><Union><Polygon ID="Shape:3" Points="0,0 900,0 900,800"/></Union></ROI>
 <ROI ID="ROI:4" Name="Mitosis"><Union><Point ID="Shape:4" X="1" Y="2">
  <Transform A00="2" A01="0" A02="5" A10="0" A11="3" A12="7"/></Point></Union></ROI>
 <ROI ID="ROI:5" Name="Mitosis"><Union><Point ID="Shape:5" X="far" Y="2"/></Union></ROI>
</OME>
"""


@pytest.mark.parametrize("kind", ["xml", "tiff"])
def test_regions_of_ome_are_read(tmp_path: Path, kind: str) -> None:
    path = tmp_path / f"slide.ome.{kind}"
    if kind == "xml":
        path.write_text(OME, encoding="utf-8")
    else:
        pixels = np.zeros((48, 64), np.uint8)
        tifffile.imwrite(path, pixels, description=OME.encode(), metadata=None)
    assert detect_format(path).name == "ome"
    study = read_study(path)
    found = labelled(study)
    assert [name for name, _ in found[:4]] == [
        "mitotic figure",
        "look-alike",
        "mitotic figure",
        "mitotic figure",
    ]
    assert np.allclose(study.cells.centres_px0[:4], [[10.5, 20.0], [25.0, 40.0], [100.0, 120.0], [7.0, 13.0]])
    assert [(one.kind, one.vertices_px0.tolist()) for one in study.regions] == [
        (RegionKind.TUMOUR, [[0, 0], [900, 0], [900, 800]])
    ]


def test_an_ome_tiff_without_regions_is_no_annotation(tmp_path: Path) -> None:
    path = tmp_path / "slide.ome.tiff"
    tifffile.imwrite(path, np.zeros((8, 8), np.uint8), ome=True)
    with pytest.raises(FormatError, match="an image, not annotations"):
        detect_format(path)
    with pytest.raises(FormatError, match="no ROI"):
        read_study(path, "ome")


@contextmanager
def writing(path: Path, mode: str) -> Iterator[sqlite3.Connection]:
    """A SlideRunner file that a program has open, its last annotation not yet in the file itself."""
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as db:
        db.execute(f"PRAGMA journal_mode = {mode}")
        schema.create_tables(db)
        db.execute("INSERT INTO Slides (uid, filename) VALUES (1, 'a.tiff')")
        db.execute("INSERT INTO Persons (uid, name) VALUES (1, 'me')")
        db.execute("INSERT INTO Classes (uid, name) VALUES (1, 'mitotic figure')")
        db.execute("INSERT INTO Annotations (uid, slide, type, agreedClass) VALUES (1, 1, 1, 1)")
        db.execute("INSERT INTO Annotations_coordinates (coordinateX, coordinateY, annoId) VALUES (5, 6, 1)")
        db.execute("INSERT INTO Annotations_label (person, class, annoId) VALUES (1, 1, 1)")
        yield db


def files(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def cells(path: Path) -> list[list[float]]:
    found: list[list[float]] = read_study(path).cells.centres_px0.tolist()
    return found


def test_what_stands_in_the_write_ahead_log_alone_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writing(path, "WAL"):
        assert path.with_name("a.sqlite-wal").stat().st_size > 0
        before = files(tmp_path)
        assert detect_format(path).name == "sliderunner"
        assert cells(path) == [[5, 6]]
        assert files(tmp_path) == before
    assert cells(path) == [[5, 6]]
    assert sorted(files(tmp_path)) == ["a.sqlite"]


def test_a_file_that_is_being_written_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "a.sqlite"
    with writing(path, "DELETE") as db:
        db.execute("BEGIN EXCLUSIVE")
        done = threading.Timer(0.3, db.execute, ("COMMIT",))
        done.start()
        assert cells(path) == [[5, 6]]
        done.join()


def test_a_file_that_stays_locked_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schema, "WAIT_S", 0.05)
    path = tmp_path / "a.sqlite"
    with writing(path, "DELETE") as db:
        db.execute("BEGIN EXCLUSIVE")
        with pytest.raises(FormatError, match=r"a\.sqlite: another program is writing it; close it there"):
            read_study(path)
        db.execute("COMMIT")
    assert cells(path) == [[5, 6]]
