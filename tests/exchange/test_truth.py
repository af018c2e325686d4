"""The one door to ground truth: tables, files and studies give the same truth."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from mitoscope.errors import FormatError, LeakError, NoAgreedClassError, ScaleError, UnknownLabelError
from mitoscope.exchange.format import BoxLayout, ReadOptions, WriteOptions
from mitoscope.exchange.registry import FORMATS, read_study, write_study
from mitoscope.exchange.truth import parse_reference, read_ground_truth
from mitoscope.geometry import Mpp
from mitoscope.image_names import stem
from mitoscope.labels import LabelMapping
from mitoscope.store import Policy, Source, Store

ROWS = """image,x,y,label,w,h,agreement,case
a.png,10,20,Mitose,50,40,0.6,dog 1
a.png,90,80,hard negative,,,,dog 1
b.png,5,5,atypical mitotic figure,,,1.0,dog 2
c.png,,,,,,,
"""


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_a_table_states_classes_sizes_agreement_and_cases(tmp_path: Path) -> None:
    truth = read_ground_truth(write(tmp_path / "truth.csv", ROWS))
    assert truth.counts() == {"mitotic figure": 1, "look-alike": 1, "atypical mitotic figure": 1}
    first = truth.by_name["a"]
    assert first.cells.agreement.tolist() == [0.6, 1.0]
    assert first.cells.size_px0[0].tolist() == [50.0, 40.0]
    assert first.case == "dog 1"
    assert len(truth.by_name["c"].cells) == 0
    assert truth.label_names["Mitose"] == "mitotic figure"


def test_unknown_names_are_refused_and_can_be_mapped(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", "image,x,y,label\na,1,1,Zellteilung\na,2,2,Tubule\n")
    with pytest.raises(UnknownLabelError, match=r"'Tubule' \(1\), 'Zellteilung' \(1\)"):
        read_ground_truth(path)
    mapping = LabelMapping.parse(["Zellteilung=mitotic figure", "Tubule=ignore"])
    truth = read_ground_truth(path, mapping=mapping)
    assert truth.counts() == {"mitotic figure": 1}
    assert truth.notes == ("1 cell of ignored classes left out",)


def test_rows_that_stand_twice_are_taken_once(tmp_path: Path) -> None:
    row = "a,1,1,mitosis\n"
    truth = read_ground_truth(write(tmp_path / "truth.csv", "image,x,y,label\n" + row * 2))
    assert truth.n_figures == 1
    assert "repeated row" in truth.notes[0]


@pytest.mark.parametrize(
    ("rows", "error"),
    [
        ("a,1,1,mitosis,1.5,,\n", FormatError),
        ("a,1,1,mitosis,1,x,train\nb,1,1,mitosis,1,x,test\n", LeakError),
        ("a,1,1,mitosis,1,x,left\n", FormatError),
        ("a,1,1,mitosis,1,x,\na,2,2,mitosis,1,y,\n", FormatError),
    ],
)
def test_impossible_tables_are_refused(rows: str, error: type[Exception], tmp_path: Path) -> None:
    with pytest.raises(error):
        read_ground_truth(write(tmp_path / "truth.csv", "image,x,y,label,agreement,case,split\n" + rows))


def test_a_stated_resolution_is_not_replaced_unless_asked(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", "image,x,y,label,mpp\na,1,1,mitosis,0.5\nb,1,1,mitosis,\n")
    mixed = read_ground_truth(path, mpp=Mpp.square(0.25))
    assert [slide.mpp for slide in mixed] == [Mpp.square(0.5), Mpp.square(0.25)]  # stays as stated
    assert mixed.notes == ("1 of 2 slides keep the resolution that they state, --mpp-override replaces it",)
    truth = read_ground_truth(path, mpp=Mpp.square(0.25), mpp_override=True)
    assert [slide.mpp for slide in truth] == [Mpp.square(0.25)] * 2
    filled = read_ground_truth(path, mpp=Mpp.square(0.5))
    assert filled.by_name["b"].mpp == Mpp.square(0.5)
    assert filled.notes == truth.notes == ()


def test_a_file_and_the_study_it_was_imported_into_give_one_truth(tmp_path: Path) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.tiff", "width": 7000, "height": 5000}],
        "categories": [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "not mitotic figure"}],
        "annotations": [
            {"id": 1, "image_id": 1, "category_id": 1, "bbox": [10, 10, 50, 50]},
            {"id": 2, "image_id": 1, "category_id": 2, "bbox": [100, 100, 40, 60]},
        ],
    }
    path = write(tmp_path / "labels.json", json.dumps(document))
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(read_study(path), source=Source(path.name))
    of_file, of_study = read_ground_truth(path), read_ground_truth(tmp_path / "study.mito")
    assert of_file.counts() == of_study.counts() == {"mitotic figure": 1, "look-alike": 1}
    assert of_file.sha256 == of_study.sha256


def test_a_table_and_the_study_it_was_imported_into_give_one_truth(tmp_path: Path) -> None:
    rows = ROWS.replace("case\n", "case,mpp,scanner\n").replace("dog 1\n", "dog 1,0.23,XR\n")
    rows = rows.replace("dog 2\n", "dog 2,,\n").replace("c.png,,,,,,,\n", "c.png,,,,,,,,,\n")
    path = write(tmp_path / "truth.csv", rows)
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(read_study(path), source=Source(path.name))
        write_study(store.export_study(), tmp_path / "again.csv", "csv")
    of_table = {stem(slide.name): slide for slide in read_ground_truth(path)}
    for other in (tmp_path / "study.mito", tmp_path / "again.csv"):
        of_other = {stem(slide.name): slide for slide in read_ground_truth(other)}
        assert of_other.keys() == of_table.keys()
        for name, slide in of_table.items():
            same = of_other[name]
            assert same.cells.points_px0.tolist() == slide.cells.points_px0.tolist()
            assert same.cells.label.tolist() == slide.cells.label.tolist()
            assert same.cells.agreement.tolist() == slide.cells.agreement.tolist()
            assert (same.mpp, same.domain) == (slide.mpp, slide.domain)
            assert stem(same.case) == slide.case


def test_a_table_of_raters_is_a_study_of_raters(tmp_path: Path) -> None:
    rows = ["a,1,1,mitosis,0,x", "a,1,1,look-alike,0,y", "a,1,1,mitosis,0,z"]
    path = write(tmp_path / "labels.csv", "image,x,y,label,cell,rater\n" + "\n".join(rows))
    truth = read_ground_truth(path)
    assert truth.counts() == {"mitotic figure": 1}  # one cell under three labels, not three cells
    assert truth.by_name["a"].cells.agreement.tolist() == [pytest.approx(2 / 3)]


def test_a_policy_under_which_nothing_is_agreed_is_named(tmp_path: Path) -> None:
    rows = ["a,1,1,mitosis,0,x", "a,1,1,look-alike,0,y"]
    path = write(tmp_path / "labels.csv", "image,x,y,label,cell,rater\n" + "\n".join(rows))
    with pytest.raises(NoAgreedClassError, match=r"no cell has an agreed class under 'majority'.*--policy"):
        read_ground_truth(path, policy=Policy.MAJORITY)


def test_a_box_without_extent_is_refused_with_its_place(tmp_path: Path) -> None:
    path = write(tmp_path / "truth.csv", "image,x,y,label,w,h\na,1,1,mitosis,0,5\n")
    with pytest.raises(FormatError, match=r"truth\.csv:2, column w"):
        read_ground_truth(path)


def test_references_name_versions(tmp_path: Path) -> None:
    assert parse_reference("study.mito@MEL@2") == (Path("study.mito"), "MEL@2")
    assert parse_reference("study.mito@MEL") == (Path("study.mito"), "MEL")
    odd = write(tmp_path / "a@b.csv", ROWS)
    assert parse_reference(odd) == (odd, None)  # a file that exists is that file


@pytest.mark.parametrize("name", ["csv", "coco", "geojson", "sliderunner"])
def test_what_was_quarantined_before_is_no_part_of_an_export(name: str, tmp_path: Path) -> None:
    rows = "a.png,10,20,mitosis\na.png,nan,20,mitosis\na.png,90,20,nmf\n"
    path = write(tmp_path / "labels.csv", "image,x,y,label\n" + rows)
    with Store.create(tmp_path / "study.mito") as store:
        store.import_study(read_study(path), source=Source(path.name))
        study = store.export_study()
    assert len(study.quarantine) == 1
    out = tmp_path / f"a{FORMATS[name].suffix}"
    write_study(study, out, name, WriteOptions(boxes=BoxLayout.XYWH))
    options = ReadOptions(boxes=None if name != "coco" else BoxLayout.XYWH)
    assert read_ground_truth(out, options=options).counts() == {"mitotic figure": 1, "look-alike": 1}
    with pytest.raises(FormatError):
        read_ground_truth(path)


def test_errors_in_a_folder_name_the_folder_that_was_asked_for(tmp_path: Path) -> None:
    path = write(tmp_path / "labels.csv", "image,x,y,label\na.png,10,20,mitosis\nb.png,1,2,mitosis\n")
    with pytest.raises(ScaleError) as caught:
        write_study(read_study(path), tmp_path / "out", "grand-challenge")
    assert caught.value.where == str(tmp_path / "out" / "a.json")
    assert not (tmp_path / "out").exists()
