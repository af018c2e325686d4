"""``mitoscope store``: the real command, on the real files and on bad ones."""

from __future__ import annotations

import contextlib
import io
import json
import shutil
import subprocess
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest

from mitoscope import cli
from mitoscope.detections import Detections
from mitoscope.exchange.format import WriteOptions
from mitoscope.exchange.registry import read_study, write_study
from mitoscope.exchange.result import write_bytes, write_result
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import (
    Cells,
    LabelEvents,
    Rater,
    Shape,
    SlideRecord,
    Store,
    Study,
    write_comment,
    write_tags,
)

TRUTH = "image,x,y,label\na.tif,100,200,Mitosis\na.tif,300,400,look-alike\nb.tif,5,6,mitotic figure\n"


def run(*arguments: object, status: int = 0) -> str:
    """Run the command in this process, border and all; what it printed, or its one line of error."""
    out, err = io.StringIO(), io.StringIO()
    command = ["mitoscope", "store", *map(str, arguments)]
    with (
        mock.patch.object(sys, "argv", command),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
        pytest.raises(SystemExit) as left,
    ):
        cli.run()
    return checked(int(left.value.code or 0), out.getvalue(), err.getvalue(), status)


def run_alone(*arguments: object, status: int = 0) -> str:
    """Run the command in a process of its own."""
    command = [sys.executable, "-m", "mitoscope", "store", *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, timeout=120)
    return checked(ran.returncode, ran.stdout, ran.stderr, status)


def checked(code: int, out: str, err: str, status: int) -> str:
    assert code == status, out + err
    if status:
        assert err.startswith("error: ")
        assert err.count("\n") == 1
        return err
    return out


def run_json(*arguments: object) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(run(*arguments, "--json"))
    return found


@pytest.fixture
def folder() -> Iterator[Path]:
    """Return a folder in which a flush to disk costs nothing."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


@pytest.fixture
def study(folder: Path) -> Path:
    run("create", folder / "study.mito")
    return folder / "study.mito"


def write_text(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_create_import_info_export_verify_backup(folder: Path, study: Path) -> None:
    done = run_json("import", study, write_text(folder / "truth.csv", TRUTH))
    assert [(one["format"], one["cells"], one["quarantined"]) for one in done["imported"]] == [("csv", 3, 0)]
    info = run_json("info", study)
    assert [(one["name"], one["cells"]) for one in info["slides"]] == [("a.tif", 2), ("b.tif", 1)]
    assert info["labels"] == {"mitotic figure": 2, "look-alike": 1}
    assert [(one["name"], one["kind"], one["labels"]) for one in info["raters"]] == [
        ("consensus", "consensus", 3)
    ]
    out = run_json("export", study, "--format", "coco", "--out", folder / "out.json")
    assert (out["cells"], out["left_out"]) == (3, [])
    with Store.open(study) as store, store.writing() as connection:
        ((cell,), *_) = connection.execute("SELECT id FROM cell ORDER BY id")
        ((round_id,), *_) = connection.execute("SELECT id FROM round ORDER BY id")
        for text in ("odd", "odd indeed"):
            write_comment(connection, cell, text, rater_id=1, round_id=round_id)
        write_tags(connection, 1, ["a", "b"])
    out = run_json("export", study, "--format", "coco", "--out", folder / "again.json")
    assert out["left_out"] == [
        "not exported, kept in the study: comments on cells (1)",
        "not exported, kept in the study: tags of slides (2)",
    ]
    assert len(read_study(folder / "out.json").cells) == 3
    assert "not held by the format" in run("export", study, "--format", "tupac16", "--out", folder / "rows")
    assert sorted(one.name for one in (folder / "rows").iterdir()) == ["a.csv", "b.csv"]
    assert run_json("verify", study)["ok"] is True
    run("backup", study, folder / "copy.mito")
    assert run_json("info", folder / "copy.mito")["uuid"] == info["uuid"]


def test_the_command_runs_alone(folder: Path) -> None:
    study = folder / "study.mito"
    run_alone("create", study)
    run_alone("import", study, write_text(folder / "truth.csv", TRUTH))
    assert json.loads(run_alone("info", study, "--json"))["cells"] == 3
    assert "no such file" in run_alone("import", study, folder / "none.csv", status=2)


def test_quarantine_is_told_with_count_and_place(folder: Path, study: Path) -> None:
    path = write_text(folder / "t.csv", TRUTH + "b.tif,nan,6,mitosis\na.tif,100,200,mitosis\n")
    text = run("import", study, path)
    assert "In quarantine: 2" in text
    assert "t.csv: cell 3" in text
    assert "NaN or infinity" in text
    assert "the same place twice" in text
    assert run_json("info", study)["quarantined"] == {"NaN or infinity": 1, "the same place twice": 1}


def test_half_scale_is_set_aside_unless_it_is_trusted(folder: Path, study: Path) -> None:
    draw = np.random.default_rng(1)
    points = draw.uniform(10, 490, (60, 2)).round()
    images = [{"id": 1, "file_name": "a.tif", "width": 1000, "height": 1000}]
    annotations = [
        {"id": place, "image_id": 1, "category_id": 1, "bbox": [x, y, 4, 4]}
        for place, (x, y) in enumerate(points.tolist())
    ]
    document = {"images": images, "categories": [{"id": 1, "name": "mitosis"}], "annotations": annotations}
    path = write_text(folder / "half.json", json.dumps(document))
    done = run_json("import", study, path, "--boxes", "xywh")["imported"][0]
    assert (done["cells"], done["reasons"]) == (0, {"coordinates at half scale": 60})
    run("create", folder / "other.mito")
    trusted = run_json("import", folder / "other.mito", path, "--boxes", "xywh", "--trust-scale")
    assert trusted["imported"][0]["cells"] == 60


def test_options_say_what_the_file_does_not(folder: Path, study: Path) -> None:
    points = {"type": "Multiple points", "points": [{"point": [0.25, 0.5, 0]}]}
    path = write_text(folder / "case.json", json.dumps(points))
    assert "--mpp" in run("import", study, path, status=2)
    run("import", study, path, "--mpp", "0.25", "--slide", "case 1.svs", "--rater", "me")
    info = run_json("info", study)
    assert info["slides"][0]["name"] == "case 1.svs"
    assert [(one["name"], one["kind"]) for one in info["raters"]] == [("me", "expert")]
    run("export", study, "--format", "csv", "--out", folder / "out.csv")
    assert "1000,2000" in (folder / "out.csv").read_text(encoding="utf-8")


def test_an_import_says_which_mapping_it_used(folder: Path, study: Path) -> None:
    text = TRUTH + "a.tif,10,20,Foo\na.tif,20,20,Bar\nb.tif,30,20,Bar\n"
    options = ("--label", "Foo=mitotic figure", "--label", "Bar=ignore")
    said = " ".join(run("import", study, write_text(folder / "one.csv", text), *options).split())
    assert "one.csv: read 'Foo' as 'mitotic figure'; left out 2 cells of 'Bar'" in said
    (done,) = run_json("import", study, write_text(folder / "two.csv", text + "c.tif,1,1,Foo\n"), *options)[
        "imported"
    ]
    assert (done["ignored"], done["cells"]) == (2, 5)
    assert done["label_names"] == {
        "mitotic figure": "mitotic figure",
        "look-alike": "look-alike",
        "Foo": "mitotic figure",
        "Bar": "ignore",
    }
    plain = run("import", study, write_text(folder / "three.csv", TRUTH.replace("tif", "png")))
    assert "left out" not in plain


def write_found(folder: Path) -> Path:
    """Write the results of two slides as `detect` does, with pictures and a ledger beside them."""
    folder.mkdir()
    places, score = np.array([[10.0, 20.0], [50.0, 60.0]]), np.array([0.9, 0.2])
    names = np.array(["mitotic figure", "look-alike"])
    found = Detections(places[:, 0], places[:, 1], score, names, np.full(2, "d"))
    for stem in ("P1", "P2"):
        manifest = {
            "slide": {"name": f"{stem}.tif", "mpp": [0.25, 0.25], "size_px0": [120, 90]},
            "search": {
                "region_px0": [0, 0, 120, 90],
                "gaps_px0": [],
                "tissue_unread_px0": [],
                "tissue_px0_per_pixel": [10.0, 10.0],
            },
            "threshold": {"value": 0.5, "source": "a test"},
            "detector": {"name": "finder", "version": "1.0.0", "fingerprint": "0", "calibration": None},
        }
        write_result(
            folder,
            stem,
            candidates=found,
            tissue=np.ones((9, 12), dtype=np.bool_),
            manifest=manifest,
            further={".density.png": lambda path: write_bytes(path, b"a picture")},
        )
        (folder / f"{stem}.ledger").write_bytes(b"SQLite format 3\0")
    return folder


def test_a_folder_of_results_is_imported_without_its_pictures(folder: Path, study: Path) -> None:
    (done,) = run_json("import", study, write_found(folder / "out"))["imported"]
    assert (done["format"], done["slides"], done["cells"]) == ("result", 2, 4)
    info = run_json("info", study)
    assert [(one["name"], one["kind"], one["labels"]) for one in info["raters"]] == [
        ("finder 1.0.0", "model", 4)
    ]


def test_a_changed_file_beside_a_result_is_not_left_aside(folder: Path, study: Path) -> None:
    found = write_found(folder / "out")
    (found / "P1.density.png").write_bytes(b"another picture")
    assert "P1.density.png: an image, not annotations" in run("import", study, found, status=2)


def rows_of(rater: str, *, shift: float, mpp: str = "") -> str:
    places = [(100 * n + shift, 50 + shift) for n in range(1, 6)]
    rows = [f"a.tif,{x},{y},mitosis,{rater},{mpp}\n" for x, y in places]
    return "image,x,y,label,rater,mpp\n" + "".join(rows)


@pytest.mark.parametrize(
    ("mpp", "shift", "near"),
    [("", 17.0, {"25 px": 5}), ("", 18.0, {}), ("0.5", 10.0, {"7.5 µm": 5}), ("0.5", 11.0, {})],
)
def test_cells_of_two_files_that_are_likely_one_are_counted(
    folder: Path, study: Path, mpp: str, shift: float, near: dict[str, int]
) -> None:
    run("import", study, write_text(folder / "a.csv", rows_of("a", shift=0, mpp=mpp)))
    (done,) = run_json("import", study, write_text(folder / "b.csv", rows_of("b", shift=shift, mpp=mpp)))[
        "imported"
    ]
    assert (done["cells"], done["beside_known"]) == (5, near)


def test_raters_of_files_without_ids_are_warned_of_and_have_no_agreement(folder: Path, study: Path) -> None:
    first = run("import", study, write_text(folder / "a.csv", rows_of("a", shift=0)))
    assert "warning" not in first
    again = run("import", study, write_text(folder / "b.csv", rows_of("b", shift=3)))
    (line,) = (one for one in again.splitlines() if one.startswith("warning: "))
    assert "b.csv: 5 cells lie within 25 px of existing cells" in line
    assert run("agreement", study).startswith("no cell was read by two raters")
    assert run_json("agreement", study)["note"].startswith("no cell was read by two raters")
    assert run("agreement", study, "--by-rater").startswith("nobody has answered in a round yet; without")


def test_findings_of_a_model_beside_cells_are_no_warning(folder: Path, study: Path) -> None:
    run("import", study, write_text(folder / "a.csv", rows_of("a", shift=0)))
    found = rows_of("RetinaNet", shift=3)
    (done,) = run_json("import", study, write_text(folder / "b.csv", found))["imported"]
    assert done["beside_known"] == {}
    more = write_text(folder / "c.csv", rows_of("b", shift=40))
    assert run_json("import", study, more)["imported"][0]["beside_known"] == {}


@pytest.mark.parametrize("corners", [[[0, 0], [90, 90], [90, 0], [0, 90]], [[0, 0], [90, 90]]])
def test_an_outline_in_quarantine_is_said_beside_the_ground_truth(
    folder: Path, study: Path, corners: list[list[int]]
) -> None:
    features: list[dict[str, Any]] = [
        {
            "type": "Feature",
            "geometry": {"type": "Polygon", "coordinates": [[*corners, corners[0]]]},
            "properties": {"objectType": "annotation", "classification": {"name": "Tumor"}},
        },
        {
            "type": "Feature",
            "geometry": {"type": "Point", "coordinates": [5, 5]},
            "properties": {"classification": {"name": "mitotic figure"}},
        },
    ]
    drawn = json.dumps({"type": "FeatureCollection", "features": features})
    run("import", study, write_text(folder / "a.geojson", drawn), "--slide", "a.tif")
    note = "1 tumour outline is in quarantine, so nothing was cut by it: a.tif"
    with Store.open(study) as store:
        assert store.ground_truth().notes == (note,)
        store.freeze("MEL")
        assert store.ground_truth("MEL").notes == (note,)


def test_names_cannot_steer_the_terminal(folder: Path, study: Path) -> None:
    name = "[red]a\x1b[2J<b>.tif"
    known = Study(
        (SlideRecord(name),),
        DEFAULT_LABELS,
        (Rater("[bold]me[/bold]"),),
        cells=Cells.of([0], [[1, 2, 1, 2]], shape=[Shape.SPOT]),
        events=LabelEvents.of([0], [0], [0]),
    )
    write_study(known, folder / "a.json", "coco", WriteOptions())
    run("import", study, folder / "a.json")
    text = run("info", study)
    assert "\x1b" not in text
    assert "[red]a" in text
    assert "[bold]me[/bold]" in text
    assert run_json("info", study)["slides"][0]["name"] == name


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"", "empty"),
        (b'{"images": [{"id"', "not JSON"),
        (b"[" * 1_000_000, "nested too deep"),
        (b"SQLite format 3\x00" + bytes(3000), "SQLite"),
        (b"image,x,label\na,2,mitosis\n", "in no format that is known"),
        (b"nothing to see\n", "in no format that is known"),
    ],
)
def test_bad_files_are_refused_and_change_nothing(
    folder: Path, study: Path, content: bytes, why: str
) -> None:
    before = study.read_bytes()
    (folder / "bad.bin").write_bytes(content)
    good = write_text(folder / "truth.csv", TRUTH)
    assert why in run("import", study, good, folder / "bad.bin", status=2)
    assert study.read_bytes() == before
    assert sorted(one.name for one in folder.iterdir()) == ["bad.bin", "study.mito", "truth.csv"]


def test_usage_errors_name_the_mend(folder: Path, study: Path) -> None:
    truth = write_text(folder / "truth.csv", TRUTH)
    assert "store create" in run("info", folder / "none.mito", status=2)
    assert "exists already" in run("create", study, status=2)
    assert "there are sliderunner" in run("import", study, truth, "--format", "word", status=2)
    assert "no such file" in run("import", study, folder / "none.csv", status=2)
    assert "xywh" in run("import", study, truth, "--boxes", "abcd", status=2)
    assert "--offset X,Y" in run("import", study, truth, "--offset", "3", status=2)
    assert "settled, unanimous" in run("info", study, "--policy", "mine", status=2)
    assert "choose from expert" in run("agreement", study, "--kinds", "dog", status=2)
    run("import", study, truth)
    assert "imported already" in run("import", study, truth, status=2)
    assert (
        "no slide"
        in run("export", study, "--format", "csv", "--out", folder / "o", "--slide", "z", status=2).lower()
    )
    assert "--mpp" in run("export", study, "--format", "grand-challenge", "--out", folder / "o", status=2)
    assert not (folder / "o").exists()


def test_a_damaged_store_is_told(folder: Path, study: Path) -> None:
    content = bytearray(study.read_bytes())
    content[100:600] = bytes(500)
    study.write_bytes(content)
    assert "damaged" in run("verify", study, status=2)
    shutil.copy(write_text(folder / "x.txt", "no store"), study)
    assert "not an annotation store" in run("verify", study, status=2)


def test_disputed_cells_become_a_round_for_a_third_expert(folder: Path, study: Path) -> None:
    rows = ["a,1,2,mitosis,C. B.,0", "a,1,2,nmf,R. K.,0", "a,9,9,nmf,C. B.,1", "a,9,9,nmf,R. K.,1"]
    text = "\n".join(["image,x,y,label,rater,cell", *rows])
    run("import", study, write_text(folder / "two.csv", text))
    assert run_json("consensus", study)["disputed"] == 1
    found = run_json("consensus", study, "--third-expert", "third look")
    assert found["round"] == "third look"
    assert {"name": "third look", "kind": "third expert"} in run_json("info", study)["rounds"]
    agreement = run_json("agreement", study, "--resamples", "20")["domains"][-1]
    assert (agreement["domain"], agreement["two_reads"]["disagreed"]) == ("all", 1)


@pytest.fixture(scope="module")
def midog(data: Path) -> Iterator[Path]:
    """Return a store of MIDOG++ with its domains."""
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        path = Path(name) / "midog.mito"
        run("create", path)
        annotations = data / "annotations"
        done = run_json(
            "import", path, annotations / "MIDOG++.json", annotations / "datasets_xvalidation.csv"
        )
        assert [(one["cells"], one["labels"], one["quarantined"]) for one in done["imported"]] == [
            (26_286, 87_417, 0),
            (0, 0, 0),
        ]
        yield path


@pytest.mark.realdata
def test_midog_plus_plus_is_counted(midog: Path) -> None:
    info = run_json("info", midog)
    assert info["labels"] == {"mitotic figure": 11_937, "look-alike": 14_349}
    assert len(info["slides"]) == 553
    assert info["slides"][0]["domain"]["scanner"] == "Hamammatsu XR"
    assert {one["name"] for one in info["raters"]} == {"expert 1", "expert 2", "expert 3", "consensus"}
    text = run("info", midog)
    assert "11,937" in text
    assert "553.tiff" in text


@pytest.mark.realdata
def test_midog_plus_plus_tables_are_printed_beside_the_published_ones(midog: Path) -> None:
    tables = run_json("agreement", midog, "--published")
    cells = {(one["row"], one["column"]): one for one in tables["MIDOG++ Table 3 (%)"]}
    assert cells["1a", "disagreed"]["published"] == pytest.approx(cells["1a", "disagreed"]["low"], abs=0.005)
    differing = [one for one in tables["MIDOG++ Table 2"] if one["reason"]]
    assert [(one["row"], one["low"], one["published"]) for one in differing] == [
        ("2", 951, 952),
        ("5", 1761, 1762),
        ("total", 14_349, 14_351),
    ]
    assert "1b" in run("agreement", midog, "--published")


@pytest.mark.realdata
def test_midog_plus_plus_leaves_the_store_as_it_came(midog: Path, data: Path, folder: Path) -> None:
    run("export", midog, "--format", "coco", "--out", folder / "again.json")
    written = json.loads((folder / "again.json").read_text(encoding="utf-8"))
    source = json.loads((data / "annotations" / "MIDOG++.json").read_text(encoding="utf-8"))
    assert written["annotations"] == source["annotations"]
    assert written["images"] == source["images"]
    assert written["categories"] == source["categories"]


@pytest.mark.realdata
def test_the_sliderunner_database_goes_through_a_store_unchanged(
    data: Path, folder: Path, study: Path
) -> None:
    source = data / "annotations" / "MIDOG.sqlite"
    done = run_json("import", study, source)["imported"][0]
    assert (done["format"], done["cells"], done["quarantined"]) == ("sliderunner", 4435, 0)
    run("export", study, "--format", "sliderunner", "--out", folder / "again.sqlite")
    first, second = read_study(source), read_study(folder / "again.sqlite")
    assert second.cells == first.cells
    assert second.events == first.events
    assert second.slides == first.slides


def test_classes_are_chosen_added_and_renamed_and_none_vanishes(folder: Path) -> None:
    made = run_json("create", folder / "s.mito", "--classes", "ccmct,ambiguous,megakaryocyte")
    names = ["mitotic figure", "look-alike", "granulocyte", "tumour cell", "ambiguous", "megakaryocyte"]
    assert made["classes"] == names
    changed = run_json("classes", folder / "s.mito", "--add", "atypical", "--rename", "megakaryocyte=MK cell")
    assert [one["name"] for one in changed["classes"]] == [*names[:-1], "MK cell", "atypical mitotic figure"]
    # The old name is still understood: nothing is added.
    again = run_json("classes", folder / "s.mito", "--add", "megakaryocyte")
    assert len(again["classes"]) == len(changed["classes"])
    for wrong, match in (
        ("mitotic figure=x", "a class of the field keeps its name"),
        ("MK cell=look-alike", "there is a class 'look-alike' already"),
        ("eosinophil", "is not of the form A=B"),
        ("none=x", "no class 'none'"),
    ):
        assert match in run("classes", folder / "s.mito", "--rename", wrong, status=2)
    assert "a class without a name" in run("create", folder / "t.mito", "--classes", "a,,b", status=2)
    assert not (folder / "t.mito").exists()


def test_what_was_examined_is_stated_and_shown(folder: Path, study: Path) -> None:
    run("import", study, write_text(folder / "truth.csv", TRUTH))
    assert {one["examined"] for one in run_json("examined", study)["slides"]} == {"not stated"}
    stated = run_json("examined", study, "--whole", "b.tif")["slides"]
    assert [(one["slide"], one["examined"]) for one in stated] == [
        ("b.tif", "the whole slide, as stated in the study")
    ]
    assert run_json("examined", study)["slides"][0]["examined"] == "not stated"
    run("examined", study, "--withdraw")
    assert {one["examined"] for one in run_json("examined", study)["slides"]} == {"not stated"}
    assert "no slide of the name 'c.tif'" in run("examined", study, "--whole", "c.tif", status=2)
    assert "contradict" in run("examined", study, "--whole", "--withdraw", status=2)


def test_labels_of_a_stated_rater_reach_a_version_and_its_export(folder: Path, study: Path) -> None:
    run("import", study, write_text(folder / "truth.csv", TRUTH), "--rater", "me")
    info = run_json("info", study)
    assert [(one["name"], one["kind"]) for one in info["raters"]] == [("me", "expert")]
    with Store.open(study) as store:
        store.freeze("MEL", split={"a.tif": "train", "b.tif": "test"})
    done = run_json("export", study, "--format", "coco", "--out", folder / "out.json", "--version", "MEL@1")
    assert (done["cells"], done["labels"]) == (3, 3)
    written = json.loads((folder / "out.json").read_text(encoding="utf-8"))
    assert all(one["category_id"] for one in written["annotations"])
    more = ("--format", "csv", "--out", folder / "x.csv")
    assert "a version has its own policy" in run(
        "export", study, *more, "--version", "MEL", "--policy", "majority", status=2
    )
    assert "no version 2 of 'MEL'; versions are MEL@1" in run(
        "export", study, *more, "--version", "MEL@2", status=2
    )
    one = run_json("export", study, *more, "--version", "MEL", "--slide", "b.tif")
    assert (one["slides"], one["cells"]) == (1, 1)


def test_recording_a_policy_writes_its_classes_once(folder: Path, study: Path) -> None:
    run("import", study, write_text(folder / "truth.csv", TRUTH), "--rater", "me")
    found = run_json("consensus", study, "--record", "settled")
    assert found["recorded"] == {"policy": "settled", "written": 3, "unchanged": 0, "open": 0}
    assert found["policies"]["recorded"]["mitotic figure"] == 2
    assert run_json("consensus", study, "--record", "settled")["recorded"]["written"] == 0
    assert "what a rule writes" in run("consensus", study, "--record", "recorded", status=2)
    assert "--record: choose settled, " in run("consensus", study, "--record", "x", status=2)


def test_recording_a_policy_says_that_it_is_the_studys_from_then_on(folder: Path, study: Path) -> None:
    run("import", study, write_text(folder / "truth.csv", TRUTH), "--rater", "me")
    assert "the study's policy" not in run("info", study)
    assert "majority is now the study's policy" in run("consensus", study, "--record", "majority")
    assert "counts by the study's policy, majority" in run("info", study)
    info = run_json("info", study)
    assert (info["policy"], info["study_policy"]) == ("settled", "majority")
