"""ASAP, Aperio ImageScope and HALO: what their programs write is read, what is written is read back."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError
from mitoscope.exchange.format import ReadOptions, WriteOptions
from mitoscope.exchange.registry import FORMATS, detect_format, read_study, write_study
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.region import RegionKind
from mitoscope.store import Cells, LabelEvents, Rater, RaterKind, Region, Shape, SlideRecord, Study, sift

ASAP = """<?xml version="1.0"?>
<ASAP_Annotations>
 <Annotations>
  <Annotation Name="Annotation 0" Type="Dot" PartOfGroup="Mitosis" Color="#ff0000">
   <Coordinates><Coordinate Order="0" X="100.5" Y="200.25"/></Coordinates></Annotation>
  <Annotation Name="Annotation 1" Type="Polygon" PartOfGroup="Tumor" Color="#64FE2E">
   <Coordinates><Coordinate Order="1" X="4000" Y="0"/><Coordinate Order="0" X="0" Y="0"/>
    <Coordinate Order="2" X="4000" Y="3000"/><Coordinate Order="3" X="0" Y="3000"/></Coordinates></Annotation>
  <Annotation Name="Annotation 2" Type="Rectangle" PartOfGroup="hard negative" Color="#0000ff">
   <Coordinates><Coordinate Order="0" X="10" Y="20"/><Coordinate Order="1" X="60" Y="20"/>
    <Coordinate Order="2" X="60" Y="90"/><Coordinate Order="3" X="10" Y="90"/></Coordinates></Annotation>
  <Annotation Name="Annotation 3" Type="PointSet" PartOfGroup="Mitosis" Color="#ff0000">
   <Coordinates><Coordinate Order="0" X="1" Y="2"/><Coordinate Order="1" X="30" Y="4"/></Coordinates>
  </Annotation>
  <Annotation Name="Annotation 4" Type="Spline" PartOfGroup="Necrosis" Color="#ff0000">
   <Coordinates><Coordinate Order="0" X="10" Y="20"/><Coordinate Order="1" X="600" Y="20"/>
    <Coordinate Order="2" X="300" Y="900"/></Coordinates></Annotation>
  <Annotation Name="Annotation 5" Type="Polygon" PartOfGroup="None" Color="#F4FA58">
   <Coordinates><Coordinate Order="0" X="1" Y="2"/></Coordinates></Annotation>
  <Annotation Name="Annotation 6" Type="Dot" PartOfGroup="Mitosis" Color="#F4FA58">
   <Coordinates><Coordinate Order="0" X="far" Y="2"/></Coordinates></Annotation>
 </Annotations>
 <AnnotationGroups><Group Name="Tumor" PartOfGroup="None" Color="#64FE2E"/></AnnotationGroups>
</ASAP_Annotations>
"""
SQUARE = (
    '<Vertex X="0" Y="0" Z="0"/><Vertex X="900" Y="0" Z="0"/><Vertex X="900" Y="900"/><Vertex X="0" Y="900"/>'
)
IMAGESCOPE = f"""<Annotations MicronsPerPixel="0.252000">
 <Annotation Id="1" Name="Tumor" ReadOnly="0" Type="4" LineColor="65280" Visible="1"><Attributes/><Regions>
  <RegionAttributeHeaders/>
  <Region Id="1" Type="0" NegativeROA="0" Analyze="1"><Attributes/><Vertices>{SQUARE}</Vertices></Region>
  <Region Id="2" Type="2" NegativeROA="1"><Vertices><Vertex X="100" Y="100"/>
   <Vertex X="300" Y="200"/></Vertices></Region></Regions><Plots/></Annotation>
 <Annotation Id="2" Name="Mitose" LineColor="255"><Regions>
  <Region Id="1" Type="2"><Vertices><Vertex X="10" Y="20"/><Vertex X="60" Y="70"/></Vertices></Region>
  <Region Id="2" Type="1"><Vertices><Vertex X="510" Y="20"/><Vertex X="560" Y="20"/><Vertex X="560" Y="60"/>
   <Vertex X="510" Y="60"/></Vertices></Region>
  <Region Id="3" Type="3"><Vertices><Vertex X="1" Y="2"/><Vertex X="3" Y="4"/></Vertices></Region>
 </Regions></Annotation>
</Annotations>
"""
HALO = """<Annotations>
 <Annotation Name="Tumor" Visible="True" LineColor="65535"><Regions>
  <Region Type="Polygon" HasEndcaps="0" NegativeROA="0"><Vertices><V X="0" Y="0"/><V X="900" Y="0"/>
   <V X="900" Y="900"/><V X="0" Y="900"/></Vertices><Comments/></Region>
  <Region Type="Rectangle" HasEndcaps="0" NegativeROA="1"><Vertices><V X="10" Y="10"/>
   <V X="60" Y="90"/></Vertices></Region></Regions></Annotation>
 <Annotation Name="mitotic figure" Visible="True" LineColor="255"><Regions>
  <Region Type="Ellipse" HasEndcaps="0" NegativeROA="0"><Vertices><V X="100" Y="100"/>
   <V X="150" Y="150"/></Vertices></Region></Regions></Annotation>
</Annotations>
"""


def read(tmp_path: Path, text: str, expected: str) -> Study:
    path = tmp_path / "slide.xml"
    path.write_text(text, encoding="utf-8")
    assert detect_format(path).name == expected
    return read_study(path)


def labelled(study: Study) -> list[tuple[str, list[float]]]:
    names = [study.labels.labels[one].name for one in study.events.label]
    centres = study.cells.centres_px0[study.events.cell].tolist()
    return list(zip(names, centres, strict=True))


def test_asap_groups_are_classes_and_dots_cells(tmp_path: Path) -> None:
    study = read(tmp_path, ASAP, "asap")
    assert labelled(study)[:4] == [
        ("mitotic figure", [100.5, 200.25]),
        ("look-alike", [35, 55]),
        ("mitotic figure", [1, 2]),
        ("mitotic figure", [30, 4]),
    ]
    assert [(one.kind, one.name, len(one.vertices_px0)) for one in study.regions] == [
        (RegionKind.TUMOUR, "Tumor", 4),
        (RegionKind.EXCLUSION, "Necrosis", 3),
    ]
    assert study.regions[0].vertices_px0.tolist() == [[0, 0], [4000, 0], [4000, 3000], [0, 3000]]
    assert [one.where.rpartition(": ")[2] for one in study.quarantine] == ["annotations[5]"]


def test_imagescope_layers_are_classes_and_negative_regions_exclusions(tmp_path: Path) -> None:
    study = read(tmp_path, IMAGESCOPE, "imagescope")
    assert labelled(study) == [("mitotic figure", [35, 45]), ("mitotic figure", [535, 40])]
    assert [(one.kind, one.name) for one in study.regions] == [
        (RegionKind.TUMOUR, "Tumor"),
        (RegionKind.EXCLUSION, "Tumor: Ignore*"),
    ]
    low, high = study.regions[1].vertices_px0.min(axis=0), study.regions[1].vertices_px0.max(axis=0)
    assert [*low, *high] == pytest.approx([100, 100, 300, 200])
    assert len(study.quarantine) == 1  # an arrow delimits nothing


def test_halo_layers_are_classes(tmp_path: Path) -> None:
    study = read(tmp_path, HALO, "halo")
    assert labelled(study) == [("mitotic figure", [125, 125])]
    assert [(one.kind, len(one.vertices_px0)) for one in study.regions] == [
        (RegionKind.TUMOUR, 4),
        (RegionKind.EXCLUSION, 4),
    ]
    assert study.labels.find("mitotic figure") is not None


def made() -> Study:
    """A figure of each shape, a look-alike, a class of its own, tumour with an exclusion and a field."""
    triangle = np.array([[20.0, 20], [40, 20], [20, 40]])
    ring = np.array([[0.0, 0], [4000, 0], [4000, 3000], [0, 3000]])
    bounds = [[5.5, 6.5] * 2, [10, 10, 13, 12], [50, 50, 60, 60], [20, 20, 40, 40], [90, 90] * 2]
    return Study(
        (SlideRecord("slide"),),
        DEFAULT_LABELS,
        (Rater("consensus", RaterKind.CONSENSUS),),
        cells=Cells.of(
            [0] * 5,
            np.array(bounds),
            shape=[Shape.SPOT, Shape.BOX, Shape.CIRCLE, Shape.POLYGON, Shape.SPOT],
            vertices_px0={3: triangle},
        ),
        events=LabelEvents.of(range(5), [0] * 5, [0, 0, 0, 0, 1]),
        regions=(
            Region(0, ring, RegionKind.TUMOUR, "Tumor"),
            Region(0, ring / 10, RegionKind.EXCLUSION, "Necrosis"),
            Region(0, ring / 2 + 7.25, RegionKind.INTEREST, "10 HPF"),
        ),
    )


@pytest.mark.parametrize("name", ["asap", "imagescope", "halo"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    path = tmp_path / f"slide{FORMATS[name].suffix}"
    write_study(made(), path, name)
    assert detect_format(path).name == name
    found = read_study(path)
    (names, places), (expected, at) = (zip(*labelled(study), strict=True) for study in (found, made()))
    assert names == expected
    assert np.allclose(places, at)
    assert [(one.kind, one.name, one.vertices_px0.tolist()) for one in found.regions] == [
        (one.kind, one.name, one.vertices_px0.tolist()) for one in made().regions
    ]
    assert not found.quarantine
    again = tmp_path / f"again{FORMATS[name].suffix}"
    write_study(found, again, name)
    assert labelled(read_study(again)) == labelled(found)


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><ASAP_Annotations>&b;</ASAP_Annotations>'


@pytest.mark.parametrize(
    ("text", "why"),
    [
        (BOMB, "has a DOCTYPE, which is not read"),
        ("<ASAP_Annotations><Annotations>", "not XML .*is the file complete"),
        ("<ASAP_Annotations>" + "<a>" * 100_000, "nested too deep"),
        ('<?xml version="1.0" encoding="nonsense"?><ASAP_Annotations/>', "not XML"),
    ],
)
def test_xml_that_nobody_vouches_for_is_refused_in_one_line(tmp_path: Path, text: str, why: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(FormatError, match=why) as caught:
        FORMATS["asap"].read(path, ReadOptions())
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("start", ["", "\ufeff", '<?xml version="1.0"?>\n<!-- a -->\n'])
def test_a_doctype_is_said_as_such_where_no_format_is_named(tmp_path: Path, start: str) -> None:
    path = tmp_path / "a.xml"
    path.write_text(start + BOMB, encoding="utf-8")
    with pytest.raises(FormatError, match=r"a\.xml: has a DOCTYPE, which is not read"):
        detect_format(path)


def ellipses(name: str, *corners: tuple[str, ...]) -> str:
    """Return a file of ellipses of the class Mitosis, each within two opposite corners."""
    layer, one, ring, vertex, kind = {
        "asap": ("ASAP_Annotations", "Annotation", "Coordinates", "Coordinate", "Ellipse"),
        "imagescope": ("Annotations", "Region", "Vertices", "Vertex", "2"),
        "halo": ("Annotations", "Region", "Vertices", "V", "Ellipse"),
    }[name]
    drawn = ""
    for values in corners:
        points = "".join(f'<{vertex} X="{value}" Y="{value}"/>' for value in values)
        drawn += f'<{one} Type="{kind}" PartOfGroup="Mitosis"><{ring}>{points}</{ring}></{one}>'
    if name != "asap":
        drawn = f'<Annotation Name="Mitosis"><Regions>{drawn}</Regions></Annotation>'
    return f"<{layer}>{drawn}</{layer}>"


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("corners", [(), ("inf", "2"), ("nan", "nan"), ("1", "1e400"), ("far", "2")])
@pytest.mark.parametrize("name", ["asap", "imagescope", "halo"])
def test_an_ellipse_without_a_place_costs_itself_alone(
    tmp_path: Path, name: str, corners: tuple[str, ...]
) -> None:
    path = tmp_path / "a.xml"
    path.write_text(ellipses(name, ("100", "150"), corners), encoding="utf-8")
    study = sift(read_study(path, name), source=path.name)
    assert study.cells.bounds_px0.tolist() == [[100, 100, 150, 150]]
    (aside,) = study.quarantine
    assert aside.where in ("a.xml: cell 1", f"{path}: annotations[1].geometry.coordinates")


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("corners", [("1e308", "1.5e308"), ("-1e308", "1e308")])
def test_an_ellipse_far_away_is_computed_without_overflow(tmp_path: Path, corners: tuple[str, ...]) -> None:
    path = tmp_path / "a.xml"
    path.write_text(ellipses("imagescope", corners), encoding="utf-8")
    low, high = map(float, corners)
    assert np.allclose(read_study(path).cells.bounds_px0 / 1e308, np.array([low, low, high, high]) / 1e308)


def test_names_that_are_markup_stay_names(tmp_path: Path) -> None:
    study = made()
    named = Study(
        study.slides,
        regions=(Region(0, study.regions[0].vertices_px0, RegionKind.TUMOUR, 'Tumor <b a="1">&amp;\x01'),),
    )
    for name in ("asap", "imagescope", "halo"):
        write = FORMATS[name].write
        assert write is not None
        write(named, tmp_path / name, WriteOptions())
        assert read_study(tmp_path / name).regions[0].name == 'Tumor <b a="1">&amp;_'
