"""COCO and MIDOG: real files, the layout of boxes by evidence, and what must not pass."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.errors import FormatError, UnknownLabelError
from mitoscope.exchange import coco
from mitoscope.exchange.classes import CONSENSUS, stated_classes
from mitoscope.exchange.format import BoxLayout, ReadOptions, WriteOptions
from mitoscope.exchange.predictions import read_any_predictions, read_detections
from mitoscope.exchange.registry import detect_format, join, read_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import Mpp
from mitoscope.labels import DEFAULT_LABELS, LabelMapping
from mitoscope.store import (
    Cells,
    LabelEvents,
    Policy,
    Rater,
    RaterKind,
    Shape,
    SlideRecord,
    Study,
    sift,
)
from mitoscope.store.ground_truth import ground_truth_of

from .studies import HOSTILE

CATEGORIES = [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}]


def document(*annotations: dict[str, Any], **members: Any) -> dict[str, Any]:
    images = [
        {"id": 7, "file_name": "007.tiff", "width": 1000, "height": 800, "tumor_type": "human melanoma"}
    ]
    return {"images": images, "categories": CATEGORIES, "annotations": list(annotations)} | members


def write_json(path: Path, value: Any) -> Path:
    path.write_text(value if isinstance(value, str) else json.dumps(value), encoding="utf-8")
    return path


def box(*numbers: float | None, number: int = 1, category: int = 1, **more: Any) -> dict[str, Any]:
    return {"id": number, "image_id": 7, "category_id": category, "bbox": list(numbers), **more}


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["MIDOG.json", "MIDOG++.json"])
def test_real_files_come_back_value_for_value(data: Path, tmp_path: Path, name: str) -> None:
    source = data / "annotations" / name
    study = coco.read(source, ReadOptions())
    coco.write(study, tmp_path / "again.json", WriteOptions())
    written = json.loads((tmp_path / "again.json").read_text(encoding="utf-8"))
    assert written == json.loads(source.read_text(encoding="utf-8"))
    assert coco.read(tmp_path / "again.json", ReadOptions()) == study


@pytest.mark.realdata
def test_midog_plus_plus_has_all_labels_of_all_experts(data: Path) -> None:
    study = coco.read(data / "annotations" / "MIDOG++.json", ReadOptions())
    assert len(study.cells) == 26_286
    agreed, _ = stated_classes(study)
    assert Counter(agreed.tolist()) == {0: 11_937, 1: 14_349}
    assert [one.name for one in study.raters] == ["expert 1", "expert 2", "expert 3", "consensus"]
    patterns: Counter[tuple[int, ...]] = Counter()
    experts = study.events.take(study.events.rater < 3)
    for cell in np.split(experts.label, np.flatnonzero(np.diff(experts.cell)) + 1):
        patterns[tuple((cell + 1).tolist())] += 1
    assert patterns == {  # FACTS B4
        (1, 1): 8917,
        (2, 2): 8810,
        (2, 2, 2): 3044,
        (1, 2, 1): 1623,
        (2, 1, 2): 1560,
        (2, 1, 1): 1397,
        (1, 2, 2): 935,
    }


@pytest.mark.realdata
def test_no_real_cell_is_quarantined_and_half_of_a_slide_is(data: Path) -> None:
    study = coco.read(data / "annotations" / "MIDOG++.json", ReadOptions())
    assert sift(study, source="MIDOG++.json").quarantine == ()
    most = np.bincount(study.cells.slide).argmax()
    bounds = study.cells.bounds_px0.copy()
    bounds[study.cells.slide == most] /= 2
    halved = replace(study, cells=replace(study.cells, bounds_px0=bounds))
    found = sift(halved, source="halved.json")
    assert Counter(one.why for one in found.quarantine) == {
        "coordinates at half scale": int((study.cells.slide == most).sum())
    }


@pytest.mark.realdata
def test_domains_complete_the_slides(data: Path) -> None:
    folder = data / "annotations"
    study = coco.read(folder / "MIDOG++.json", ReadOptions(domains=folder / "datasets_xvalidation.csv"))
    by_name = {one.name: one for one in study.slides}
    first, lymphoma, without = by_name["001.tiff"], by_name["250.tiff"], by_name["151.tiff"]
    assert (first.domain.scanner, first.domain.laboratory) == ("Hamammatsu XR", "UMC Utrecht")
    assert (first.domain.species, first.attributes["midog.split"]) == ("Human", "train")
    assert lymphoma.domain.tumour_type == "canine lymphosarcoma"
    assert without.domain.scanner is None
    splits = Counter(one.attributes.get("midog.split") for one in study.slides)
    assert splits == {"train": 392, "test": 111, None: 50}


@pytest.mark.parametrize(
    ("annotation", "members", "layout"),
    [
        (box(500, 600, 550, 650), {}, BoxLayout.XYXY),  # as a size it would reach outside of the image
        (box(500, 600, 50, 50), {}, BoxLayout.XYWH),  # as a corner it would lie above the first
        (box(10, 20, 60, 90, area=4200), {}, None),
        (box(10, 20, 60, 90, area=5400), {}, BoxLayout.XYWH),
        (box(10, 20, 60, 90, area=3500), {}, BoxLayout.XYXY),
        (box(10, 20, 60, 90, labels=[1, 2]), {}, BoxLayout.XYXY),
        (box(10, 20, 60, 90), {"info": {"description": "MIDOG 2021"}}, BoxLayout.XYXY),
        (box(10, 20, 60, 90, iscrowd=0), {}, BoxLayout.XYWH),
        (box(10, 20, 60, 90), {}, None),
    ],
)
def test_layout_is_told_by_evidence_or_asked_for(
    tmp_path: Path, annotation: dict[str, Any], members: dict[str, Any], layout: BoxLayout | None
) -> None:
    path = write_json(tmp_path / "a.json", document(annotation, **members))
    if layout is None:
        with pytest.raises(FormatError, match="--boxes"):
            coco.read(path, ReadOptions())
        return
    study = coco.read(path, ReadOptions())
    x, y, third, fourth = annotation["bbox"]
    corner = [third, fourth] if layout is BoxLayout.XYXY else [x + third, y + fourth]
    assert study.cells.bounds_px0.tolist() == [[x, y, *corner]]
    stated = study.slides[0].attributes.get("coco.boxes")
    assert stated == ("xyxy" if layout is BoxLayout.XYXY else None)


def test_the_option_overrules_the_evidence(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", document(box(10, 20, 60, 90)))
    for layout, right in ((BoxLayout.XYXY, 60), (BoxLayout.XYWH, 70)):
        assert coco.read(path, ReadOptions(boxes=layout)).cells.bounds_px0[0, 2] == right


def test_labels_are_of_experts_and_the_category_of_a_consensus(tmp_path: Path) -> None:
    path = write_json(tmp_path / "a.json", document(box(500, 600, 550, 650, labels=[1, 2, 1])))
    study = coco.read(path, ReadOptions())
    said = [
        (study.raters[r].name, int(label))
        for r, label in zip(study.events.rater, study.events.label, strict=True)
    ]
    assert said == [("expert 1", 0), ("expert 2", 1), ("expert 3", 0), ("consensus", 0)]
    assert study.raters[-1].kind is RaterKind.CONSENSUS
    assert study.slides[0].domain.tumour_type == "human melanoma"


def test_strange_annotations_are_quarantined_with_their_place(tmp_path: Path) -> None:
    annotations = [
        box(500, 600, 550, 650, number=1, labels=[1, 9]),
        box(500, 600, 550, 650, number=1),
        box(500, 600, 550, 650, number=2) | {"image_id": 8},
        box(510, None, 560, 650, number=3),
        box(5000, 600, 5050, 650, number=4),
        box(500, 600, 550, 650, number=5),
    ]
    path = write_json(tmp_path / "a.json", document(*annotations))
    read = coco.read(path, ReadOptions(boxes=BoxLayout.XYXY))
    study = sift(read, source="a.json")
    assert [(one.where.removeprefix(f"{tmp_path}/"), one.why) for one in study.quarantine] == [
        ("a.json: annotations[0].labels", "a label of a class that is not in the file"),
        ("a.json: annotations[1]", "the same id twice"),
        ("a.json: annotations[2]", "no such slide"),
        ("a.json: id 3", "NaN or infinity"),
        ("a.json: id 4", "outside the slide"),
        ("a.json: id 5", "the same place twice"),
    ]
    assert len(study.cells) == 1


def test_polygons_are_segmentations_and_boxes_have_what_coco_tools_expect(tmp_path: Path) -> None:
    found = document(
        box(100, 100, 20, 30, segmentation=[[100, 100, 120, 100, 110, 130]], area=300, iscrowd=0)
    )
    study = coco.read(write_json(tmp_path / "a.json", found), ReadOptions())
    assert study.cells.shape.tolist() == [Shape.POLYGON]
    assert study.cells.vertices_px0[0].tolist() == [[100, 100], [120, 100], [110, 130]]
    coco.write(study, tmp_path / "b.json", WriteOptions())
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == found
    plain = coco.read(write_json(tmp_path / "c.json", document(box(100, 100, 20, 30))), ReadOptions())
    coco.write(plain, tmp_path / "d.json", WriteOptions())
    (written,) = json.loads((tmp_path / "d.json").read_text(encoding="utf-8"))["annotations"]
    assert (written["area"], written["iscrowd"]) == (600, 0)
    assert coco.read(tmp_path / "d.json", ReadOptions()) == plain


def test_what_is_written_is_never_ambiguous(tmp_path: Path) -> None:
    for layout in BoxLayout:
        study = coco.read(
            write_json(tmp_path / "a.json", document(box(10, 20, 60, 90))), ReadOptions(boxes=layout)
        )
        for wanted in (None, *BoxLayout):
            coco.write(study, tmp_path / "b.json", WriteOptions(boxes=wanted))
            again = coco.read(tmp_path / "b.json", ReadOptions())
            assert again.cells == study.cells


def test_images_of_joined_files_have_ids_of_their_own(tmp_path: Path) -> None:
    parts = []
    for name, number in (("a.tiff", 2), ("b.tiff", 2)):
        found = document(box(500, 600, 550, 650) | {"image_id": number})
        found["images"][0] |= {"id": number, "file_name": name}
        parts.append(coco.read(write_json(tmp_path / "a.json", found), ReadOptions()))
    coco.write(join(parts), tmp_path / "b.json", WriteOptions())
    images = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))["images"]
    assert [one["id"] for one in images] == [1, 2]
    assert len(coco.read(tmp_path / "b.json", ReadOptions()).cells) == 2


@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("", "not JSON at line 1"),
        ('{"images": [', "is the file complete"),
        ("[" * 1_000_000, "nested too deep"),
        ('{"images": ' * 200_000, "nested too deep"),
        ('{"images": [], "images": [], "annotations": []}', "'images' appears twice"),
        ('{"images": [], "annotations": [], "x": "\\ud800"}', "not Unicode"),
        ("[]", "an object expected"),
        ({"annotations": []}, "images: a list expected, got nothing"),
        ({"images": [], "annotations": {}}, "annotations: a list expected"),
        ({"images": [{"id": 1, "file_name": "a"}] * 2, "annotations": []}, "two images of the id 1"),
        (
            {"images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "a"}], "annotations": []},
            "two images of the name 'a'",
        ),
        (document(categories=CATEGORIES * 2), "two categories of the id 1"),
    ],
)
def test_bad_files_are_refused_in_one_line(tmp_path: Path, value: Any, why: str) -> None:
    path = write_json(tmp_path / "bad.json", value)
    with pytest.raises(FormatError, match=why) as caught:
        coco.read(path, ReadOptions(boxes=BoxLayout.XYXY))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_come_back(tmp_path: Path, name: str) -> None:
    found = document(box(500, 600, 550, 650), categories=[{"id": 1, "name": name}])
    found["images"][0]["file_name"] = name
    study = coco.read(write_json(tmp_path / "a.json", found), ReadOptions())
    coco.write(study, tmp_path / "b.json", WriteOptions())
    assert json.loads((tmp_path / "b.json").read_text(encoding="utf-8")) == found
    assert study.slides[0].name == name


def test_what_somebody_changed_in_our_file_counts(tmp_path: Path) -> None:
    """The history that rides along is of the file as it was written; an edited file is read as it stands."""
    source = write_json(tmp_path / "a.json", document(box(500, 600, 550, 650, labels=[1, 2])))
    study = coco.read(source, ReadOptions())
    timed = replace(study, events=replace(study.events, time_s=np.arange(3.0)))
    coco.write(timed, tmp_path / "b.json", WriteOptions())
    assert coco.read(tmp_path / "b.json", ReadOptions()) == timed
    edited = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    edited["annotations"][0]["bbox"][0] = 501
    found = coco.read(write_json(tmp_path / "c.json", edited), ReadOptions())
    assert found.cells.bounds_px0[0, 0] == 501
    assert not found.quarantine
    assert "changed by another program since mitoscope wrote it" in found.notes[0]


def test_a_forged_history_is_refused(tmp_path: Path) -> None:
    study = coco.read(
        write_json(tmp_path / "a.json", document(box(500, 600, 550, 650, score=0.5))), ReadOptions()
    )
    coco.write(
        replace(study, events=replace(study.events, time_s=np.ones(1))), tmp_path / "b.json", WriteOptions()
    )
    good = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    for member, value in (
        ("events", {}),
        ("cells", None),
        ("labels", [["x"]]),
        ("raters", [["x", "emperor", {}]]),
        ("regions", [[0, "tumour", "", [[0, 0]]]]),
        ("slides", [{"name": "x"}]),
    ):
        forged = json.loads(json.dumps(good))
        forged["mitoscope"]["study"][member] = value
        with pytest.raises(FormatError):
            coco.read(write_json(tmp_path / "c.json", forged), ReadOptions())


def test_the_middle_of_a_box_is_the_cell(tmp_path: Path) -> None:
    """Of both layouts, for the truth and for detections."""
    for layout, numbers in ((BoxLayout.XYWH, (100, 200, 50, 60)), (BoxLayout.XYXY, (100, 200, 150, 260))):
        path = write_json(tmp_path / "a.json", document(box(*numbers)))
        cells = read_ground_truth(path, options=ReadOptions(boxes=layout)).slides[0].cells
        assert cells.points_px0.tolist() == [[125, 230]]
        assert cells.size_px0.tolist() == [[50, 60]]
        (found,) = read_detections(path, options=ReadOptions(boxes=layout)).values()
        assert found.points_px0.tolist() == [[125, 230]]
        study = coco.read(path, ReadOptions(boxes=layout))
        for written in BoxLayout:
            coco.write(study, tmp_path / "b.json", WriteOptions(boxes=written))
            again = coco.read(tmp_path / "b.json", ReadOptions(boxes=written))
            assert again.cells.centres_px0.tolist() == [[125, 230]]


def test_a_spot_is_the_middle_of_its_box(tmp_path: Path) -> None:
    spot = Study(
        (SlideRecord("a"),),
        raters=(CONSENSUS,),
        labels=DEFAULT_LABELS,
        cells=Cells.spots([0], [[125, 230]]),
        events=LabelEvents.of([0], [0], [0]),
    )
    coco.write(spot, tmp_path / "a.json", WriteOptions())
    value = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert value["annotations"][0]["bbox"] == [100, 205, 50, 50]


def test_a_box_that_is_none_is_set_aside(tmp_path: Path) -> None:
    path = write_json(
        tmp_path / "a.json",
        document(box(number=1), box(10, 10, 50, 50, number=2), box(1, 2, 3, number=3)),
    )
    study = coco.read(path, ReadOptions(boxes=BoxLayout.XYWH))
    assert len(study.cells) == 1
    assert [(one.where, one.why) for one in study.quarantine] == [
        (f"{path}: annotations[0]", "a box that is not four numbers"),
        (f"{path}: annotations[2]", "a box that is not four numbers"),
    ]


def test_agreement_is_read_and_written(tmp_path: Path) -> None:
    rows = [
        box(10, 10, 50, 50, agreement=0.6),
        box(110, 10, 50, 50, number=2, labels=[1, 2, 1]),
        box(210, 10, 50, 50, number=3),
    ]
    path = write_json(tmp_path / "a.json", document(*rows))
    options = ReadOptions(boxes=BoxLayout.XYWH)
    study = coco.read(path, options)
    assert ground_truth_of(study).slides[0].cells.agreement.tolist() == pytest.approx([0.6, 2 / 3, 1])
    coco.write(study, tmp_path / "b.json", WriteOptions(boxes=BoxLayout.XYWH))
    value = json.loads((tmp_path / "b.json").read_text(encoding="utf-8"))
    assert [one.get("agreement") for one in value["annotations"]] == [0.6, None, None]


def test_the_category_is_that_of_the_named_rater(tmp_path: Path) -> None:
    options = ReadOptions(boxes=BoxLayout.XYWH, rater="me")
    plain = coco.read(write_json(tmp_path / "a.json", document(box(1, 2, 30, 40))), options)
    assert plain.raters == (Rater("me"),)
    assert ground_truth_of(plain).n_figures == 1
    listed = document(box(1, 2, 30, 40, labels=[1, 1]))
    named = coco.read(write_json(tmp_path / "a.json", listed), options)
    assert [one.name for one in named.raters] == ["expert 1", "expert 2", "consensus"]


def test_what_a_third_expert_settled_has_its_class(tmp_path: Path) -> None:
    said = [(0, 0, 0), (0, 1, 1), (0, 2, 0), (1, 0, 1), (1, 1, 0)]
    cell, rater, label = zip(*said, strict=True)
    study = Study(
        (SlideRecord("a"),),
        raters=(Rater("a"), Rater("b"), Rater("c")),
        labels=DEFAULT_LABELS,
        cells=Cells.spots([0, 0], [[125, 230], [300, 400]]),
        events=LabelEvents.of(cell, rater, label),
    )
    for policy, expected in ((Policy.SETTLED, [1, None]), (Policy.UNANIMOUS, [None, None])):
        coco.write(study, tmp_path / "a.json", WriteOptions(policy=policy))
        value = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
        assert [one.get("category_id") for one in value["annotations"]] == expected


def test_a_list_of_results_has_the_middle_of_its_boxes(tmp_path: Path) -> None:
    names = write_json(tmp_path / "truth.json", document(box(0, 0, 9, 9), info={"description": "x"}))
    row = {"image_id": 7, "category_id": 1, "bbox": [100, 200, 50, 60], "score": 0.75}
    path = write_json(tmp_path / "results.json", [row])
    found = read_any_predictions(path, names=names)["007"]
    assert found.points_px0.tolist() == [[125, 230]]
    assert (found.score.tolist(), found.label.tolist()) == ([0.75], ["mitotic figure"])
    with pytest.raises(FormatError, match="no image of id 8"):
        read_any_predictions(write_json(path, [row | {"image_id": 8}]), names=names)
    with pytest.raises(FormatError, match="a COCO list of results has ids in place of names"):
        read_any_predictions(write_json(path, [row]))


@pytest.mark.parametrize("numbers", [(10, 10, 0, 0), (300, 10, -50, 50)])
def test_boxes_without_extent_go_to_quarantine_and_are_refused_as_truth(
    tmp_path: Path, numbers: tuple[float, ...]
) -> None:
    path = write_json(tmp_path / "a.json", document(box(*numbers), box(20, 20, 50, 50, number=2)))
    study = coco.read(path, ReadOptions(boxes=BoxLayout.XYWH))
    assert [one.why for one in sift(study, source="a.json").quarantine] == ["a box without extent"]
    with pytest.raises(FormatError, match="a box without extent"):
        read_ground_truth(path, options=ReadOptions(boxes=BoxLayout.XYWH))


ROWS = [
    {"image_id": 7, "category_id": 1, "bbox": [100, 200, 50, 40], "score": 0.9},
    {"image_id": 7, "category_id": 2, "bbox": [300.5, 400, 50, 50], "score": 0.25},
]


def test_a_list_of_results_of_one_named_slide_is_a_study(tmp_path: Path) -> None:
    path = write_json(tmp_path / "results.json", ROWS)
    assert detect_format(path).name == "coco"
    options = ReadOptions(slide="a.svs", mpp=Mpp.square(0.25), rater="D-FINE", models=frozenset({"D-FINE"}))
    mapping = LabelMapping.parse(["1=mitotic figure", "2=hard negative"])
    study = read_study(path, options=options, mapping=mapping)
    assert [slide.name for slide in study.slides] == ["a.svs"]
    assert [(rater.name, rater.kind) for rater in study.raters] == [("D-FINE", RaterKind.MODEL)]
    assert study.cells.bounds_px0.tolist() == [[100, 200, 150, 240], [300.5, 400, 350.5, 450]]
    assert study.events.score.tolist() == [0.9, 0.25]
    named = read_study(path, options=ReadOptions(slide="a.svs", models=frozenset({"D-FINE"})))
    assert named.raters == study.raters
    with pytest.raises(UnknownLabelError, match="1"):
        read_study(path, options=options, mapping=LabelMapping())


def test_a_list_of_results_without_a_name_is_refused_in_a_line(tmp_path: Path) -> None:
    path = write_json(tmp_path / "results.json", ROWS)
    with pytest.raises(FormatError, match=r"results\.json: .* ids in place of names of images; .*--slide"):
        read_study(path)
    write_json(path, [*ROWS, {**ROWS[0], "image_id": 8}])
    with pytest.raises(FormatError, match="results of 2 images cannot be of one slide"):
        read_study(path, options=ReadOptions(slide="a.svs"))


@pytest.mark.parametrize(
    "odd",
    [
        {"bbox": None},
        {"bbox": [1, 2, 3]},
        {"bbox": [1, 2, -3, 4]},
        {"bbox": [1, 2, None, 4]},
        {"score": "high"},
        {"score": 7},
        {"score": None},
        {"category_id": "a"},
        {"image_id": [7]},
    ],
)
def test_an_odd_value_in_a_list_of_results_costs_its_row(tmp_path: Path, odd: dict[str, object]) -> None:
    path = write_json(tmp_path / "results.json", [ROWS[0], {**ROWS[1], **odd}])
    study = read_study(path, options=ReadOptions(slide="a.svs"))
    assert len(study.cells) == 1
    (kept,) = study.quarantine
    assert "[1]" in kept.where
