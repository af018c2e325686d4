"""CVAT for images 1.1: what CVAT exports is read, image by image."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mitoscope.errors import FormatError, UnknownLabelError
from mitoscope.exchange import read_study
from mitoscope.exchange.registry import detect_format
from mitoscope.labels import LabelMapping
from mitoscope.region import RegionKind
from mitoscope.store import Source, Store

EXPORT = """<?xml version="1.0" encoding="utf-8"?>
<annotations>
  <version>1.1</version>
  <meta><task><id>7</id><name>mitoses</name><size>2</size></task></meta>
  <image id="0" name="case 1.svs" width="4000" height="3000">
    <points label="Mitotic figure" source="manual" occluded="0" points="100.5,200.25;300,400"></points>
    <box label="look-alike" source="manual" occluded="0" xtl="10" ytl="20" xbr="60" ybr="80" z_order="0">
      <attribute name="sure">yes</attribute>
    </box>
    <polygon label="tumour" source="manual" points="0,0;2000,0;2000,1500;0,1500" z_order="0"></polygon>
    <ellipse label="look-alike" source="manual" cx="500" cy="600" rx="20" ry="10" z_order="0"></ellipse>
  </image>
  <image id="1" name="case 2.svs" width="4000" height="3000">
    <box label="mitotic figure" xtl="90" ytl="90" xbr="110" ybr="110" rotation="30"></box>
    <mask label="mitotic figure" rle="1, 2" left="1" top="1" width="2" height="2"></mask>
    <points label="mitotic figure" points="x,5;7,8"></points>
  </image>
</annotations>
"""


def read(tmp_path: Path, text: str = EXPORT, **kwargs: object):  # type: ignore[no-untyped-def]
    path = tmp_path / "annotations.xml"
    path.write_text(text, encoding="utf-8")
    assert detect_format(path).name == "cvat"
    return read_study(path, **kwargs)  # type: ignore[arg-type]


def test_points_are_cells_and_outlines_cells_or_regions(tmp_path: Path) -> None:
    study = read(tmp_path)
    assert [slide.name for slide in study.slides] == ["case 1.svs", "case 2.svs"]
    centres = study.cells.centres_px0[study.cells.slide == 0]
    assert sorted(map(tuple, np.round(centres, 2).tolist())) == [
        (35.0, 50.0),
        (100.5, 200.25),
        (300.0, 400.0),
        (500.0, 600.0),
    ]
    assert [(region.kind, region.slide) for region in study.regions] == [(RegionKind.TUMOUR, 0)]


def test_what_cannot_be_taken_is_quarantined_with_its_place(tmp_path: Path) -> None:
    study = read(tmp_path)
    places = [entry.where.rpartition("case 2.svs: ")[2] for entry in study.quarantine]
    assert places == ["box 1", "mask 2"]
    with Store.create(tmp_path / "study.mito") as store:
        taken = store.import_study(study, source=Source("annotations.xml"))
    assert (taken.cells, sum(taken.quarantined.values())) == (5, 3)


def test_an_unknown_label_is_mapped_or_refused(tmp_path: Path) -> None:
    text = EXPORT.replace("look-alike", "doubtful")
    with pytest.raises(UnknownLabelError, match="doubtful"):
        read(tmp_path, text, mapping=LabelMapping())
    assert (
        len(read(tmp_path, text, mapping=LabelMapping.of({"doubtful": "look-alike"})).cells) == 6
    )  # one without a number, which no study takes


def test_an_image_without_a_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="an image without a name"):
        read(tmp_path, EXPORT.replace('name="case 1.svs"', 'name=" "'))
