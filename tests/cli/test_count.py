"""``mitoscope count``: what it takes, and what it says of what it was not told."""

from __future__ import annotations

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
from PIL import Image
from typer.testing import CliRunner

from mitoscope.cli.app import app
from mitoscope.count import schemes
from mitoscope.count.slides import count_slides
from mitoscope.detections import Detections
from mitoscope.exchange import read_study, write_study
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.report import write_outputs
from mitoscope.store import Rater, RaterKind, Region, RegionKind, SlideRecord, Source, Store, StudyBuilder
from tests.report.runs import MANIFEST, bundle_of, paint_slide, run_on

RUNNER = CliRunner()


def count(*arguments: object, status: int = 0) -> Any:
    """Run the command; return the counts by slide, or the one line of an error."""
    done = RUNNER.invoke(app, ["count", *map(str, arguments), *(["--json"] if status == 0 else [])])
    if status:
        assert done.exception is not None
        return str(done.exception)
    assert done.exit_code == 0, (done.output, done.exception)
    found = json.loads(done.stdout)
    return {one["slide"]: one for one in (found if isinstance(found, list) else [found])}


def write(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_each_image_of_a_table_has_its_own_hot_spot(tmp_path: Path) -> None:
    table = write(tmp_path / "all.csv", "image,x,y,score", *(f"a,{n},5,0.9" for n in range(3)), "b,9,9,0.8")
    found = count(table, "--mpp", 0.25)
    assert {name: one["count"] for name, one in found.items()} == {"a": 3, "b": 1}
    assert count(table, "--mpp", 0.25, "--threshold", 0.85)["b"]["count"] == 0
    assert "No threshold is known" in found["a"]["note"]


def test_rectangles_that_an_expert_drew_are_counted_in(tmp_path: Path) -> None:
    rows = ("image,x,y,label", *(f"a,{n},50,Mitose" for n in (10, 90, 250)), "b,50,50,Mitose", "b,60,50,NMF")
    labels = write(tmp_path / "own.csv", *rows)
    build = StudyBuilder()
    for name, boxes in {"a.svs": [(0, 0, 100, 100), (80, 0, 300, 100)], "b.svs": [(0, 0, 100, 80)]}.items():
        slide = build.slide(SlideRecord(name))
        for x, y, right, bottom in boxes:
            corners = np.array([[x, y], [right, y], [right, bottom], [x, bottom]], float)
            build.regions.append(Region(slide, corners, RegionKind.INTEREST, "HPF"))
    with Store.create(tmp_path / "areas.mito") as store:
        store.import_study(build.build(), source=Source("areas"))
        write_study(store.export_study(), tmp_path / "areas.sqlite", "sliderunner")
    done = RUNNER.invoke(
        app, ["count", str(labels), "--mpp", "0.25", "--within", str(tmp_path / "areas.sqlite"), "--json"]
    )
    assert done.exit_code == 0, (done.output, done.exception)
    found = [(one["slide"], one["count"], one["area_mm2"]) for one in json.loads(done.stdout)]
    mm2 = [pytest.approx(px * 0.25**2 / 1e6, abs=1e-5) for px in (100 * 100, 220 * 100, 100 * 80)]
    assert found == [("a", 2, mm2[0]), ("a", 2, mm2[1]), ("b", 1, mm2[2])]
    only = write(tmp_path / "c.csv", "image,x,y,label", "a,1,1,Mitose", "c,1,1,Mitose")
    said = count(only, "--mpp", 0.25, "--within", tmp_path / "areas.sqlite", status=2)
    assert "no rectangle on 1 of 2 slides: c" in said
    assert "their own area" in count(labels, "--within", labels, "--area", 2, status=2)
    assert "no rectangle in it" in count(labels, "--within", labels, "--mpp", 0.25, status=2)


def test_hot_spots_of_many_slides_are_written_as_pictures(tmp_path: Path) -> None:
    random, rows = np.random.default_rng(0), ["image,x,y,label"]
    (tmp_path / "slides").mkdir()
    for name in ("a.png", "b.png"):
        Image.fromarray(random.integers(0, 256, (300, 400, 3), np.uint8)).save(tmp_path / "slides" / name)
        rows += [f"{name},{x},250,Mitose" for x in (300, 310, 320)]
    table, out = write(tmp_path / "own.csv", *rows), tmp_path / "rois"
    words = (table, "--mpp", 0.25, "--area", 0.0003, "--regions", out, "--slides", tmp_path / "slides")
    done = RUNNER.invoke(app, ["count", *map(str, words)])
    assert done.exit_code == 0, (done.output, done.exception)
    with (out / "regions.csv").open(encoding="utf-8") as stream:
        regions = list(csv.DictReader(stream))
    assert [(one["image"], one["count"]) for one in regions] == [("a.tiff", "3"), ("b.tiff", "3")]
    whole = np.asarray(Image.open(tmp_path / "slides" / "b.png"))
    x, y, width, height = (round(float(regions[1][f"{key}_px0"])) for key in ("x", "y", "width", "height"))
    assert (width, height) == (80, 60)
    assert np.array_equal(tifffile.imread(out / "b.tiff"), whole[y : y + height, x : x + width])
    assert "exists already" in count(*words, status=2)
    assert "--slides" in count(table, "--mpp", 0.25, "--regions", out, status=2)


def test_only_mitotic_figures_of_a_table_count_and_scores_are_not_needed(tmp_path: Path) -> None:
    rows = (
        "image,x,y,label",
        "a,1,1,Mitose",
        "a,2,2,hard negative",
        "a,3,3,atypical mitotic figure",
        "b,1,1,mf",
    )
    found = count(write(tmp_path / "t.csv", *rows), "--mpp", 0.25)
    assert {name: one["count"] for name, one in found.items()} == {"a": 2, "b": 1}
    assert "threshold" not in found["a"]["note"]
    plain = write(tmp_path / "p.csv", "x,y", "1,1", "2,2")
    assert count(plain, "--mpp", 0.25)["p"]["count"] == 2


def test_an_unknown_name_is_an_error_that_names_the_option(tmp_path: Path) -> None:
    table = write(tmp_path / "t.csv", "x,y,score,label", "1,1,0.9,tubule", "2,2,0.9,mitosis")
    assert "'tubule' (1)" in count(table, "--mpp", 0.25, status=2)
    assert "--label" in count(table, "--mpp", 0.25, status=2)
    assert count(table, "--mpp", 0.25, "--label", "tubule=ignore")["t"]["count"] == 1
    assert count(table, "--mpp", 0.25, "--label", "tubule=mitotic figure")["t"]["count"] == 2


def test_a_table_whose_manifest_was_left_behind_says_so_and_keeps_its_candidates(tmp_path: Path) -> None:
    rows = ("x,y,score,label", "1,1,0.9,mitotic figure", "2,2,0.4,mitotic figure candidate")
    (found,) = count(write(tmp_path / "Case 1.csv", *rows), "--mpp", 0.25).values()
    assert found["count"] == 1
    assert "no manifest beside it" in found["note"]
    assert count(tmp_path / "Case 1.csv", "--mpp", 0.25, "--threshold", 0.3)["Case 1"]["count"] == 2


def test_a_calibrated_result_states_how_sure_its_count_is(tmp_path: Path) -> None:
    run = run_on(paint_slide(tmp_path / "r.png"), Detections.of([(400.0, 300), (420.0, 310)], [0.9, 0.4]))
    scores = {"calibration": {"slope": 1.0, "intercept": 0.0, "fitted_on": "fields"}}
    calibrated = replace(run, bundle=bundle_of(MANIFEST | scores))
    for folder, one in (("plain", run), ("calibrated", calibrated)):
        write_outputs(one, tmp_path / folder, formats=("csv", "html"), area_mm2=0.004)
    plain = count(tmp_path / "plain", "--area", 0.004)["r.png"]
    assert (plain["expected"], plain["interval"], plain["grades"]) == (None, None, None)
    assert "not calibrated" in plain["no_interval"]
    sure = count(tmp_path / "calibrated", "--area", 0.004)["r.png"]
    assert sure["count"] == 1
    assert sure["expected"] == pytest.approx(1.3)
    assert sure["interval"][0] < 1.3 < sure["interval"][1]
    assert sure["density"]["expected"] == pytest.approx(1.3)
    manifest = json.loads((tmp_path / "calibrated" / "r.json").read_text())["mitotic_count"]
    shared = ("expected", "interval", "detector_interval", "no_interval", "corrected", "density", "scheme")
    assert {name: manifest[name] for name in shared} == {name: sure[name] for name in shared}
    printed = RUNNER.invoke(app, ["count", str(tmp_path / "calibrated"), "--area", "0.004"]).stdout
    assert "expected 1.3 figures, 95 % interval" in printed
    assert "not calibrated" in RUNNER.invoke(app, ["count", str(tmp_path / "plain")]).stdout


def test_a_scheme_and_a_field_decide_the_area(study: Path) -> None:
    graded = count(study, "--scheme", "canine-mast-cell")
    assert {one["requested_mm2"] for one in graded.values()} == {2.37}
    assert graded["a.svs"]["scheme"]["reason"] == "the window holds 0.225 of 2.37 mm²"
    assert graded["b.svs"]["grades"] == {"below the criterion": 1.0, "criterion of high grade": 0.0}
    field = count(study, "--scheme", "breast-nhsbsp", "--field-number", 22)["b.svs"]
    assert field["requested_mm2"] == pytest.approx(2.3758, abs=1e-4)
    fields = count(study, "--field-diameter", 0.1)["b.svs"]
    assert fields["requested_mm2"] == pytest.approx(0.0785, abs=1e-4)
    assert fields["scheme"] is None
    circle = count(study, "--area", 0.05, "--shape", "circle")["b.svs"]
    assert circle["shape"] == "circle"
    assert circle["area_mm2"] == pytest.approx(0.05, rel=0.01)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--scheme", "who"), "known schemes: canine-mast-cell"),
        (("--scheme", "meningioma"), "--field-number"),
        (("--scheme", "lung-net", "--area", 3), "counts over 2 mm², not over 3"),
        (("--field-number", 22, "--area", 2), "an area and a field size are both given"),
        (("--field-number", 22, "--field-diameter", 0.5), "stated twice"),
        (("--objective", 40), "give --field-number too"),
        (("--shape", "oval"), "known shapes: rectangle, circle"),
        (("--field-number", "nan"), "no field of nan mm"),
        (("--field-number", 22, "--objective", 0), "no objective of 0×"),
    ],
)
def test_what_does_not_go_together_is_one_line(
    study: Path, options: tuple[object, ...], message: str
) -> None:
    assert message in count(study, *options, status=2)


def test_the_schemes_are_listed_with_their_sources() -> None:
    done = RUNNER.invoke(app, ["count", "--schemes"])
    assert done.exit_code == 0
    assert "over 2.37 mm²: 0–6: below the criterion; ≥ 7: criterion of high grade" in done.stdout
    assert done.stdout.count("Source: ") == len(schemes())
    assert done.stdout.rstrip().endswith("An aid, not a grade.")


def test_a_table_without_scale_names_the_option(tmp_path: Path) -> None:
    assert "--mpp" in count(write(tmp_path / "t.csv", "x,y,score", "1,1,0.9"), status=2)


@pytest.fixture
def study(tmp_path: Path) -> Path:
    """Return a study of two slides, one at 0.25 and one at 0.5 µm/px, with a tumour on the first."""
    build = StudyBuilder()
    slides = [
        build.slide(SlideRecord(f"{name}.svs", SizePx(4000, 3000), Mpp.square(mpp)))
        for name, mpp in (("a", 0.25), ("b", 0.5))
    ]
    expert = build.rater(Rater("expert"))
    figure, other = build.label(MITOTIC_FIGURE), build.label(LOOK_ALIKE)
    for slide in slides:
        for n in range(6):
            build.event(build.cell(slide, (100.0 + 500 * n, 100.0)), expert, other if n == 5 else figure)
    ring = np.array([(0, 0), (1200, 0), (1200, 3000), (0, 3000)], dtype=np.float64)
    build.regions.append(Region(slides[0], ring, RegionKind.TUMOUR, "Tumor"))
    with Store.create(tmp_path / "s.mito") as store:
        store.import_study(build.build(), source=Source("made", "test"))
        store.freeze("MEL")
    return tmp_path / "s.mito"


def test_a_study_and_its_versions_count_their_figures_on_each_slide(study: Path) -> None:
    found = count(study)
    assert {name: one["figures"] for name, one in found.items()} == {"a.svs": 3, "b.svs": 5}
    assert count(f"{study}@MEL") == found
    assert count(study, "--policy", "unanimous") == found
    assert "agreed class" in count(study, "--policy", "recorded", status=2)
    assert "MEL" in count(f"{study}@HEAEL", status=2)


def test_mpp_fills_and_replaces_only_when_it_is_to(study: Path) -> None:
    stated = count(study, "--area", 0.1)
    assert [one["box_px0"]["width"] for one in stated.values()] == [1460, 730]
    both = count(study, "--area", 0.1, "--mpp", 1.0, "--mpp-override")
    assert [one["box_px0"]["width"] for one in both.values()] == [365, 365]


def test_a_slide_that_states_its_resolution_keeps_it_and_is_told(study: Path, tmp_path: Path) -> None:
    kept = count(study, "--area", 0.1, "--mpp", 0.25)
    assert [one["box_px0"]["width"] for one in kept.values()] == [1460, 730]
    assert "1 of 2 slides keep the resolution that they state" in kept["b.svs"]["note"]
    mixed = write(tmp_path / "m.csv", "image,x,y,label,mpp", "a,1,1,mitosis,0.5", "b,1,1,mitosis,")
    found = count(mixed, "--area", 0.1, "--mpp", 0.25)
    assert [one["box_px0"]["width"] for one in found.values()] == [730, 1460]
    run = run_on(paint_slide(tmp_path / "r.png"), Detections.of([(400.0, 300)], [0.9]))
    write_outputs(run, tmp_path / "out", formats=("csv",), area_mm2=0.004)
    stated = count(tmp_path / "out", "--area", 0.004)["r.png"]
    other = count(tmp_path / "out", "--area", 0.004, "--mpp", 1.0)["r.png"]
    assert other["box_px0"] == stated["box_px0"]
    assert "is kept: --mpp-override replaces it." in other["note"]


def test_one_outline_is_not_for_several_slides(study: Path, tmp_path: Path) -> None:
    ring = [[0, 0], [700, 0], [700, 3000], [0, 3000], [0, 0]]
    outline = {"type": "Polygon", "coordinates": [ring]}
    path = tmp_path / "outline.geojson"
    path.write_text(json.dumps({"type": "Feature", "geometry": outline, "properties": {}}))
    assert "2 slides" in count(study, "--tumour", path, status=2)
    table = write(tmp_path / "t.csv", "x,y,score", "100,1,0.9", "900,2,0.9")
    assert count(table, "--mpp", 0.25, "--tumour", path)["t"]["count"] == 1


def test_an_outline_wholly_outside_of_the_slide_is_refused(tmp_path: Path) -> None:
    run = run_on(paint_slide(tmp_path / "r.png"), Detections.of([(400.0, 300)], [0.9]))
    write_outputs(run, tmp_path / "out", formats=("csv",), area_mm2=0.004)

    def outlined(*corners: int) -> Path:
        shapes = [[[x, x], [x + 200, x], [x + 200, x + 200], [x, x + 200], [x, x]] for x in corners]
        geometry = {"type": "MultiPolygon", "coordinates": [[ring] for ring in shapes]}
        path = tmp_path / "outline.geojson"
        path.write_text(json.dumps({"type": "Feature", "geometry": geometry, "properties": {}}))
        return path

    for corners in ((50_000,), (250, 50_000)):
        message = count(tmp_path / "out", "--tumour", outlined(*corners), status=2)
        assert "completely outside the slide" in message
    assert count(tmp_path / "out", "--tumour", outlined(250), "--area", 0.004)["r.png"]["count"] == 1


def test_notes_are_sentences(tmp_path: Path) -> None:
    rows = ("image,x,y,label", "a,1,1,mitosis", "a,1,1,mitosis", "a,5,5,Tubule")
    note = count(write(tmp_path / "t.csv", *rows), "--mpp", 0.25, "--label", "Tubule=ignore")["a"]["note"]
    assert "left out. 1 repeated row of the ground truth counted once. Class names: 'Tubule' is left" in note


def test_how_class_names_were_mapped_stands_in_the_result(tmp_path: Path) -> None:
    rows = ("1,1,Foo", "2,2,Bar", "3,3,mitosis", "4,4,hard negative")
    told = ("--mpp", 0.25, "--label", "Foo=mitotic figure", "--label", "Bar=ignore")
    expected = {
        "Foo": "mitotic figure",
        "Bar": "ignore",
        "mitosis": "mitotic figure",
        "hard negative": "look-alike",
    }
    true = write(tmp_path / "true.csv", "image,x,y,label", *(f"a,{row}" for row in rows))
    found = write(tmp_path / "found.csv", "image,x,y,label,score", *(f"a,{row},0.9" for row in rows))
    alone = write(tmp_path / "a.csv", "x,y,label", *rows)
    for table in (true, found, alone):
        counted = count(table, *told)["a"]
        assert counted["count"] == 2
        assert counted["label_names"] == expected
        assert "Class names: 'Foo' is read as mitotic figure, 'Bar' is left out." in counted["note"]
    plain = count(write(tmp_path / "p.csv", "x,y,label", *rows[2:]), "--mpp", 0.25)["p"]
    assert plain["label_names"] == {"mitosis": "mitotic figure", "hard negative": "look-alike"}
    assert "Class names" not in plain["note"]


def test_names_of_what_a_model_found_are_mapped_in_a_study_as_in_its_file(tmp_path: Path) -> None:
    build = StudyBuilder()
    slide = build.slide(SlideRecord("a.svs", SizePx(4000, 3000), Mpp.square(0.25)))
    model = build.rater(Rater("net", RaterKind.MODEL))
    for n, name in enumerate(("Foo", "Bar", "Bar")):
        build.event(
            build.cell(slide, (100.0 + n, 100.0)), model, build.label(Label(name, "#808080")), score=0.9
        )
    with Store.create(tmp_path / "s.mito") as store:
        store.import_study(build.build(), source=Source("made", "test"))
    assert count(tmp_path / "s.mito")["a.svs"]["count"] == 0
    mapped = count(tmp_path / "s.mito", "--label", "Foo=mitotic figure", "--label", "Bar=ignore")["a.svs"]
    assert mapped["count"] == 1
    assert mapped["label_names"] == {"Foo": "mitotic figure", "Bar": "ignore"}


def test_the_layout_of_boxes_can_be_told(tmp_path: Path) -> None:
    document = {
        "images": [{"id": 1, "file_name": "a.tiff", "width": 7000, "height": 5000}],
        "categories": [{"id": 1, "name": "mitotic figure"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [1000, 1000, 1050, 1050]}],
    }
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(document))
    assert "--boxes" in count(path, "--mpp", 0.25, status=2)
    tumour = tmp_path / "t.geojson"
    ring = [[1000, 1000], [1050, 1000], [1050, 1050], [1000, 1050], [1000, 1000]]
    tumour.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    told = ("--mpp", 0.25, "--tumour", tumour, "--boxes")
    assert [count(path, *told, layout)["a.tiff"]["count"] for layout in ("xyxy", "xywh")] == [1, 0]


def test_what_holds_no_slide_is_refused(tmp_path: Path) -> None:
    Store.create(tmp_path / "e.mito").close()
    assert "no cell has an agreed class" in count(tmp_path / "e.mito", status=2)
    empty = tmp_path / "e.json"
    empty.write_text('{"images": [], "categories": [{"id": 1, "name": "mitotic figure"}], "annotations": []}')
    assert "there is no slide in it" in count(empty, status=2)


def test_a_gap_in_one_slide_leaves_the_others_counted(tmp_path: Path) -> None:
    for name in ("a", "b"):
        gaps = (BoxPx0(390, 290, 30, 30),) if name == "a" else ()
        found = Detections.of([(400.0, 300), (410, 300)], [0.9, 0.8])
        run = run_on(paint_slide(tmp_path / f"{name}.png"), found, gaps=gaps)
        write_outputs(run, tmp_path / "out", formats=("csv",), area_mm2=0.004)
    done = RUNNER.invoke(app, ["count", str(tmp_path / "out"), "--area", "0.004"])
    assert done.exit_code == 1
    assert "b.png: mitotic count 2" in done.stdout
    assert "a.json: hot spot at" in done.stderr
    both = RUNNER.invoke(app, ["count", str(tmp_path / "out"), "--area", "0.004", "--json"])
    assert both.exit_code == 1
    assert {one["slide"]: one["count"] for one in json.loads(both.stdout)} == {"a.png": None, "b.png": 2}
    whole = RUNNER.invoke(app, ["count", str(tmp_path / "out" / "a.json"), "--area", "0.004", "--json"])
    assert json.loads(whole.stdout)["count"] is None
    assert "could not be examined" in json.loads(whole.stdout)["refused"]


def test_what_cannot_be_counted_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    assert "no file with content" in count(tmp_path / "empty", status=2)
    results = tmp_path / "r.json"
    results.write_text('[{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5], "score": 0.9}]')
    assert "its ids mean" in count(results, status=2)


def test_a_table_of_raters_is_counted_as_the_study_that_it_is(tmp_path: Path) -> None:
    rows = [
        "a,100,100,mitosis,,ann,expert",
        "a,100,100,mitosis,0.9,net,model",
        "a,300,100,mitosis,0.8,net,model",
    ]
    table = tmp_path / "study.csv"
    table.write_text("image,x,y,label,score,rater,rater_kind\n" + "\n".join(rows) + "\n", encoding="utf-8")
    (counted,) = [counted for _, counted in count_slides(table, mpp=Mpp.square(0.25))]
    assert counted.count == 1  # what a person has said; the model's other finding is said beside it
    assert "1 cell that only models have labelled" in counted.note


@pytest.mark.parametrize("suffix", ["csv", "geojson", "json"])
def test_every_file_of_a_result_is_imported_as_that_result(tmp_path: Path, suffix: str) -> None:
    """The manifest beside it vouches for it: its threshold tells figures from candidates."""
    found = Detections.of([(400.0, 300), (200.0, 150)], [0.9, 0.1])
    run = run_on(paint_slide(tmp_path / "r.png"), found)
    write_outputs(run, tmp_path / "out", formats=("csv", "geojson"), area_mm2=0.004)
    with Store.create(tmp_path / "study.mito") as store:
        path = tmp_path / "out" / f"r.{suffix}"
        store.import_study(read_study(path), source=Source(path.name))
    (counted,) = [counted for _, counted in count_slides(tmp_path / "study.mito")]
    assert counted.count == 1


def test_a_threshold_applies_to_every_file_that_has_scores(tmp_path: Path) -> None:
    boxes = [{"id": n, "image_id": 1, "category_id": 1, "bbox": [100 * n, 9, 50, 50]} for n in range(1, 5)]
    document = {
        "images": [{"id": 1, "file_name": "a.tif", "width": 4000, "height": 4000}],
        "categories": [{"id": 1, "name": "mitosis"}],
        "annotations": [one | {"score": 0.2 * place} for place, one in enumerate(boxes)],
    }
    coco = write(tmp_path / "a.json", json.dumps(document))
    rows = [f"a.tif,{x},34,{score}" for x, score in ((125, 0), (225, 0.2), (325, 0.4), (425, 0.6))]
    table = write(tmp_path / "p.csv", "slide,x_px0,y_px0,confidence", *rows)
    for path in (coco, table):
        found = count(path, "--mpp", 0.25, "--threshold", 0.3)
        assert [one["count"] for one in found.values()] == [2]
    assert count(coco, "--mpp", 0.25)["a.tif"]["count"] == 4  # as a ground truth with its agreement
    labels = write(tmp_path / "t.csv", "image,x,y,label", "a,1,1,mitosis")
    assert "no column score" in count(labels, "--threshold", 0.3, status=2)
