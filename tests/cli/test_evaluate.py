"""``mitoscope evaluate``: the real command, on good and on bad input."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import pytest
from PIL import Image

from mitoscope import cli
from mitoscope.evaluate import PROTOCOLS
from mitoscope.written import sha256_file
from tests.evaluate.made import make
from tests.evaluate.references import REFERENCES
from tests.exchange.tables import write_many


def run(*arguments: object, status: int = 0) -> str:
    """Run the command in this process, border and all; what it printed, or its one line of error."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.object(sys, "argv", ["mitoscope", "evaluate", *map(str, arguments)]),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        warnings.catch_warnings(),
        pytest.raises(SystemExit) as left,
    ):
        cli.run()
    assert int(left.value.code or 0) == status, err.getvalue()
    if status:
        lines = err.getvalue().strip().splitlines()
        assert len(lines) == 1, err.getvalue()
        return lines[0]
    assert not err.getvalue()
    return out.getvalue()


def judged(*arguments: object) -> dict[str, Any]:
    result = json.loads(run(*arguments, "--json"))
    assert isinstance(result, dict)
    return result


@pytest.fixture(scope="module")
def sides(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Return predictions and a truth with cases, domains and look-alikes."""
    folder = tmp_path_factory.mktemp("evaluate")
    predictions, truth = make(8, 15, seed=6)
    write_many(folder / "pred.csv", predictions)
    better, _ = make(8, 15, seed=6, better=0.1)
    write_many(folder / "better.csv", better)
    rows = ["image,x,y,label,case,domain"]
    for place, (image, points) in enumerate(truth.items()):
        for number, (x, y) in enumerate(points.tolist()):
            label = "hard negative" if number % 5 == 0 else "Mitosis"
            domain = ("breast", "lung")[place // 4]
            rows.append(f"{image}.tiff,{x!r},{y!r},{label},case {place // 2},{domain}")
    (folder / "truth.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder / "pred.csv", folder / "truth.csv"


def test_atypical_figures_are_judged_where_both_sides_know_them(tmp_path: Path) -> None:
    rows = ["image,x,y,label,case", "a.png,10,10,atypical,1", "a.png,200,10,Mitosis,1", "b.png,10,10,AMF,2"]
    (tmp_path / "truth.csv").write_text("\n".join(rows) + "\n")
    found = ["image,x,y,score,label", "a.png,10,10,0.9,atypical mitotic figure", "a.png,200,10,0.9,mitosis"]
    (tmp_path / "pred.csv").write_text("\n".join([*found, "b.png,10,10,0.9,mitosis"]) + "\n")
    sides = ["--pred", tmp_path / "pred.csv", "--truth", tmp_path / "truth.csv", "--examined", "whole"]
    text = run(*sides)
    assert "atypical figures among those found: 1 of 2 called so, and 0 of 1 others" in text
    assert "balanced  0.750" in text
    result = judged(*sides)
    assert (result["tp"], result["fp"], result["fn"]) == (3, 0, 0)
    assert result["atypical"]["balanced_accuracy"] == 0.75


def both(sides: tuple[Path, Path]) -> list[object]:
    return ["--pred", sides[0], "--truth", sides[1]]


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_the_contract_of_the_json(sides: tuple[Path, Path]) -> None:
    result = judged(*both(sides), "--threshold", "0.5")
    assert {"protocol", "tp", "fp", "fn", "precision", "recall", "f1", "threshold"} <= result.keys()
    assert result["protocol"] == "mitoscope"
    assert result["threshold"] == 0.5
    assert result["cases"] == 4
    assert result["look_alikes"]["look_alikes_shown"] == 24


@pytest.mark.parametrize("name", [*PROTOCOLS, "iou@0.5"])
def test_every_protocol_gives_the_counts_of_its_reference(name: str, tmp_path: Path) -> None:
    predictions, truth = make(3, 5, seed=8)
    write_many(tmp_path / "p.csv", predictions)
    rows = [f"{image},{x!r},{y!r},mitosis" for image, some in truth.items() for x, y in some.tolist()]
    table = write(tmp_path / "t.csv", "\n".join(["image,x,y,label", *rows]))
    result = judged("--pred", tmp_path / "p.csv", "--truth", table, "--protocol", name, "--threshold", "0.35")
    expected = np.zeros(3, int)
    for image, found in predictions.items():
        above = found.above(0.35)
        points = [(x, y) for x, y in above.points_px0.tolist()]
        figures = [(x, y) for x, y in truth[image].tolist()]
        expected += REFERENCES[name](points, above.score.tolist(), figures)
    assert [result["tp"], result["fp"], result["fn"]] == expected.tolist()
    assert result["protocol"] == name


def test_text_and_json_say_the_same(sides: tuple[Path, Path]) -> None:
    text = run(*both(sides), "--threshold", "0.5", "--mpp", "0.25")
    result = judged(*both(sides), "--threshold", "0.5", "--mpp", "0.25")
    low, high = result["intervals_95"]["f1"]
    assert "protocol mitoscope (7.5 µm), 8 images of 4 cases" in text
    assert f"F1        {result['f1']:.3f}  [{low:.3f}, {high:.3f}] 95 % by case" in text
    assert f"true positives {result['tp']}, false positives {result['fp']}, missed {result['fn']}" in text
    assert f"AP        {result['average_precision']:.3f}" in text


@pytest.mark.parametrize(("by", "groups"), [("case", 4), ("domain", 2), ("slide", 8)])
def test_groups_add_up(sides: tuple[Path, Path], by: str, groups: int) -> None:
    result = judged(*both(sides), "--threshold", "0.5", "--by", by)
    scores = result["by"]["scores"].values()
    assert len(scores) == groups
    for count in ("tp", "fp", "fn"):
        assert sum(score[count] for score in scores) == result[count]
    assert f"by {by}" in run(*both(sides), "--by", by)


@pytest.fixture(scope="module")
def strata(sides: tuple[Path, Path]) -> Path:
    rows = [f"image {place},{('hot spot', 'random')[place // 4]}" for place in range(8)]
    return write(sides[0].with_name("strata.csv"), "\n".join(["image,region", *rows]))


def test_a_scorecard_by_stratum(sides: tuple[Path, Path], strata: Path) -> None:
    (card,) = judged(*both(sides), "--threshold", "0.5", "--strata", strata)["scorecards"]
    by_domain = judged(*both(sides), "--threshold", "0.5", "--by", "domain")["by"]["scores"]
    assert card["by"] == "region"
    assert card["strata"]["hot spot"]["f1"]["value"] == by_domain["breast"]["f1"]
    assert card["strata"]["hot spot"]["f1"]["interval_95"] == by_domain["breast"]["f1_interval_95"]
    assert "resolution" in card["all"]["false_per_mm2"]["absent_because"]
    (same,) = judged(*both(sides), "--threshold", "0.5", "--strata", "domain")["scorecards"]
    assert list(same["strata"].values()) == list(card["strata"].values())


def test_the_scorecard_on_the_terminal(sides: tuple[Path, Path], strata: Path) -> None:
    (card,) = judged(*both(sides), "--threshold", "0.5", "--strata", strata)["scorecards"]
    text = run(*both(sides), "--threshold", "0.5", "--strata", strata)
    row = next(line for line in text.splitlines() if line.startswith("  F1  "))
    for name in ("hot spot", "random"):
        f1 = card["strata"][name]["f1"]
        low, high = f1["interval_95"]
        assert f"{f1['value']:.2f} [{low:.2f}, {high:.2f}]" in row
    assert "by region" in text
    assert "left out or –: the resolution of image 0 is not known (--mpp)" in text
    assert "false per mm²" not in text


def test_errors_by_kind(tmp_path: Path) -> None:
    found = write(
        tmp_path / "p.csv", "image,x,y,score\na,10,10,0.9\na,500,10,0.8\na,900,10,0.7\na,900,900,0.6\n"
    )
    rows = "a,10,10,mitosis\na,300,10,atypical mitosis\na,500,10,Apoptosis\na,900,10,look-alike\n"
    truth = write(tmp_path / "t.csv", f"image,x,y,label\n{rows}")
    kinds = write(tmp_path / "k.csv", "image,x,y,kind\na.png,902,10,pigment\na,900,900,\n")
    arguments = ["--pred", found, "--truth", truth, "--kinds", kinds]
    errors = judged(*arguments)["errors_by_kind"]
    assert {row["kind"]: row["false"] for row in errors["false"]} == {
        "apoptotic cell": 1,
        "look-alike": 0,
        "not labelled": 1,
        "pigment": 1,
    }
    assert [row["no_candidate"] for row in errors["missed_by_class"]] == [1, 0]
    text = run(*arguments)
    assert "false positives by kind" in text
    assert "figures by class" in text
    strange = write(tmp_path / "s.csv", "image,x,y,kind\nb,1,1,pigment\n")
    said = run("--pred", found, "--truth", truth, "--kinds", strange, status=2)
    assert "it names kinds on 'b', none of which is in the ground truth" in said


def test_strata_that_do_not_fit(sides: tuple[Path, Path], tmp_path: Path) -> None:
    table = write(tmp_path / "s.csv", "image,stratum\nimage 0,x\nimage 9,x\n")
    assert "no image 'image 9' in the ground truth" in run(*both(sides), "--strata", table, status=2)
    table = write(tmp_path / "s.csv", "image,stratum\nimage 0,x\n")
    assert "no stratum is stated for 'image 1'" in run(*both(sides), "--strata", table, status=2)
    assert "no file and no column 'organ'" in run(*both(sides), "--strata", "organ", status=2)


def test_two_detectors_are_compared(sides: tuple[Path, Path]) -> None:
    better = sides[0].with_name("better.csv")
    arguments = ["--pred", better, "--truth", sides[1], "--compare", sides[0], "--threshold", "0.5"]
    result = judged(*arguments)
    alone = judged(*both(sides), "--threshold", "0.5")
    assert result["compared_with"]["f1"] == alone["f1"]
    assert result["comparison"]["f1"]["difference"] == pytest.approx(result["f1"] - alone["f1"])
    assert result["comparison"]["f1"]["difference"] > 0
    low, high = result["comparison"]["f1"]["interval_95"]
    assert low <= result["comparison"]["f1"]["difference"] <= high
    text = run(*arguments)
    assert "paired over 4 cases" in text
    assert f"{result['comparison']['f1']['difference']:+.3f}" in text


def test_figures_are_written(sides: tuple[Path, Path], tmp_path: Path) -> None:
    run(*both(sides), "--plot", tmp_path / "figure.png", "--by", "domain")
    with Image.open(tmp_path / "figure.png") as figure:
        assert figure.width > 1000
    run(*both(sides), "--plot", tmp_path / "figure.svg", "--compare", sides[0])
    assert (tmp_path / "figure.svg").read_text(encoding="utf-8").endswith("</svg>\n")


@pytest.mark.parametrize("kept", [True, False])
def test_drawing_writes_nothing_into_the_home_but_its_cache(
    sides: tuple[Path, Path], tmp_path: Path, kept: bool
) -> None:
    home = tmp_path / "home"
    home.mkdir()
    if not kept:
        (home / ".cache").write_text("no folder")
    environment = {
        key: value for key, value in os.environ.items() if key not in ("MPLCONFIGDIR", "XDG_CACHE_HOME")
    }
    command = [sys.executable, "-m", "mitoscope", "evaluate", *map(str, both(sides))]
    done = subprocess.run(
        [*command, "--plot", str(tmp_path / "figure.png")],
        env=environment | {"HOME": str(home)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "atplotlib" not in done.stderr
    assert (tmp_path / "figure.png").stat().st_size > 1000
    assert [path.name for path in home.iterdir()] == [".cache"]


def test_a_threshold_is_chosen_on_the_validation_set(sides: tuple[Path, Path]) -> None:
    better = sides[0].with_name("better.csv")
    chosen = ["--validation-pred", better, "--validation-truth", sides[1]]
    result = judged(*both(sides), *chosen)
    there = judged("--pred", better, "--truth", sides[1], "--choose-on-test")
    assert result["threshold"] == there["threshold"]
    assert "validation set" in result["threshold_source"]
    best = judged(*both(sides), "--choose-on-test")
    assert "optimistic, chosen on what it is judged on" in best["threshold_source"]
    assert result["f1"] <= best["f1"] == pytest.approx(best["best_f1"]["f1"])
    assert "optimistic" in run(*both(sides), "--choose-on-test")


def test_images_of_one_side_are_listed(sides: tuple[Path, Path], tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", "image,x,y,score\nimage 0,5,5,0.9\nimage 0,5,5,0.9\nstranger,5,5,0.9\n")
    result = judged("--pred", pred, "--truth", sides[1])
    assert result["without_truth"] == ["stranger"]
    assert len(result["without_predictions"]) == 7
    assert "stranger" not in result["per_image"]
    assert result["fp"] == 2
    assert result["duplicates"] == 1
    assert result["per_image"]["image 3"]["fn"] == 12
    text = run("--pred", pred, "--truth", sides[1])
    assert "no ground truth, not judged: stranger" in text
    assert "without predictions, all missed: image 1" in text
    assert "detections exactly on another, each judged: 1" in text


def test_nothing_found_and_nothing_there(tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", "image,x,y,score\na,,,\n")
    truth = write(tmp_path / "t.csv", "image,x,y,label\na,,,\n")
    result = judged("--pred", pred, "--truth", truth)
    assert [result[key] for key in ("precision", "recall", "f1", "average_precision")] == [None] * 4
    assert "F1        undefined (0/0)" in run("--pred", pred, "--truth", truth)
    run("--pred", pred, "--truth", truth, "--plot", tmp_path / "f.png")


def test_the_unit_is_said(sides: tuple[Path, Path]) -> None:
    assert "30 px, no resolution given (7.5 µm at 0.25 µm/px)" in run(*both(sides))
    assert "25 px at any resolution" in run(*both(sides), "--protocol", "cmc", "--mpp", "0.5")


def test_boxes_are_taken_by_their_centres(tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", "image,x1,y1,x2,y2,score\na,75,75,125,125,0.9\n")
    truth = write(tmp_path / "t.csv", "image,x,y,label\na,100,100,mitosis\n")
    assert judged("--pred", pred, "--truth", truth)["tp"] == 1


def results_of(folder: Path, name: str, *, mpp: float, threshold: float, rows: list[str]) -> Path:
    """Write what `detect` writes of one slide, as far as judging reads it."""
    folder.mkdir(exist_ok=True)
    table = write(folder / f"{name}.csv", "\n".join(["x,y,score,label", *rows]) + "\n")
    manifest = {
        "format": "mitoscope-result/1",
        "slide": {"name": f"{name}.svs", "mpp": [mpp, mpp], "size_px0": [4000, 3000]},
        "detector": {"name": "d", "version": "1", "fingerprint": "f", "calibration": {"slope": 1.0}},
        "threshold": {"value": threshold},
        "search": {"region_px0": [0, 0, 4000, 3000], "gaps_px0": [], "tissue_unread_px0": []},
        "files": {table.name: {"sha256": sha256_file(table)}},
    }
    write(folder / f"{name}.json", json.dumps(manifest))
    return folder


def test_results_state_resolution_and_threshold_of_each_slide(tmp_path: Path) -> None:
    rows = ["122,100,0.9,mitotic figure", "500,500,0.4,mitotic figure candidate"]
    results_of(tmp_path / "r", "a", mpp=0.25, threshold=0.5, rows=rows)
    results_of(tmp_path / "r", "b", mpp=0.5, threshold=0.3, rows=[rows[0], "500,500,0.4,mitotic figure"])
    truth = write(tmp_path / "t.csv", "image,x,y,label\na.svs,100,100,mitosis\nb.svs,100,100,mitosis\n")
    both = ["--pred", tmp_path / "r", "--truth", truth]
    result = judged(*both)
    rows_of = result["per_image"]
    assert [[rows_of[name][count] for count in ("tp", "fp", "fn")] for name in "ab"] == [[1, 0, 0], [0, 2, 1]]
    assert [rows_of[name]["mpp"] for name in "ab"] == [0.25, 0.5]
    assert result["threshold"] is None
    assert result["probabilities"] is True
    assert "thresholds 0.3, 0.5 (stated by the results)" in run(*both)
    assert judged(*both, "--mpp", "0.25")["tp"] == 1  # fills what is missing, and here nothing is
    assert judged(*both, "--mpp", "0.25", "--mpp-override")["tp"] == 2
    stated = write(tmp_path / "s.csv", "image,x,y,label,mpp\na.svs,100,100,mitosis,0.5\n")
    line = run("--pred", tmp_path / "r", "--truth", stated, status=2)
    assert "a: the result states 0.25 µm/px, the ground truth 0.5" in line


def test_class_names_are_mapped_by_the_user(tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", "image,x,y,score\na,100,100,0.9\n")
    truth = write(
        tmp_path / "t.csv", "image,x,y,label\na,100,100,Teilungsbild\na,9,9,Tubulus\na,5,5,Tubulus\n"
    )
    line = run("--pred", pred, "--truth", truth, status=2)
    assert "'Teilungsbild' (1)" in line
    assert "'Tubulus' (2)" in line
    assert "--label" in line
    mapped = ["--label", "Teilungsbild=mitotic figure", "--label", "Tubulus=ignore"]
    result = judged("--pred", pred, "--truth", truth, *mapped)
    assert [result[count] for count in ("tp", "fp", "fn")] == [1, 0, 0]
    assert result["ground_truth"]["labels"] == {"Teilungsbild": "mitotic figure", "Tubulus": "ignore"}


def test_what_was_looked_at_is_stated(tmp_path: Path) -> None:
    pred = write(tmp_path / "p.csv", "image,x,y,score\na,100,100,0.9\n")
    rows = "a,100,100,mitosis\na,60000,60000,mitosis\n"
    truth = write(tmp_path / "t.csv", f"image,x,y,label\n{rows}")
    line = run("--pred", pred, "--truth", truth, status=2)
    assert "--examined whole, tumour or regions" in line
    result = judged("--pred", pred, "--truth", truth, "--examined", "whole")
    assert [result[count] for count in ("tp", "fp", "fn")] == [1, 0, 1]
    assert result["per_image"]["a"]["examined"] == "stated by the user"


def test_boxes_of_coco_that_may_be_two_corners_are_named_by_the_user(tmp_path: Path) -> None:
    images, classes = [{"id": 1, "file_name": "a.png"}], [{"id": 1, "name": "mitosis"}]
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [40, 40, 60, 60]}
    document = {"images": images, "categories": classes, "annotations": [box]}
    truth = write(tmp_path / "truth.json", json.dumps(document))
    pred = write(tmp_path / "p.csv", "image,x,y,score\na,70,70,0.9\n")
    assert "--boxes xywh (COCO)" in run("--pred", pred, "--truth", truth, status=2)
    assert judged("--pred", pred, "--truth", truth, "--boxes", "xywh", "--protocol", "cmc")["tp"] == 1
    assert judged("--pred", pred, "--truth", truth, "--boxes", "xyxy", "--protocol", "cmc")["tp"] == 0


def test_coco_results_have_the_names_of_the_ground_truth(tmp_path: Path) -> None:
    images = [{"id": 7, "file_name": "a.png", "width": 500, "height": 400}]
    classes = [{"id": 1, "name": "mitotic figure"}, {"id": 2, "name": "hard negative"}]
    box = {"image_id": 7, "category_id": 1, "bbox": [75, 75, 50, 50]}
    document = {"images": images, "categories": classes, "annotations": [{"id": 1, **box}]}
    truth = write(tmp_path / "truth.json", json.dumps(document))
    rows = [{**box, "score": 0.9}, {**box, "bbox": [300, 300, 50, 50], "score": 0.2}]
    rows.append({**box, "category_id": 2, "bbox": [200, 200, 50, 50], "score": 0.9})
    pred = write(tmp_path / "results.json", json.dumps(rows))
    result = judged("--pred", pred, "--truth", truth)
    assert [result[count] for count in ("tp", "fp", "fn")] == [1, 1, 0]
    assert judged("--pred", pred, "--truth", truth, "--threshold", "0.5")["fp"] == 0
    for change, why in (
        ({"image_id": 8}, "no image of id 8 in the ground truth"),
        ({"category_id": 9}, "no category of id 9 in the ground truth"),
        ({"score": 7}, "a score in [0, 1] expected, got 7"),
        ({"bbox": [1, 2, 3]}, "no box of x, y, width and height"),
    ):
        write(pred, json.dumps([{**rows[0], **change}]))
        assert why in run("--pred", pred, "--truth", truth, status=2)
    write(pred, json.dumps(rows))
    table = write(tmp_path / "t.csv", "image,x,y,label\na,100,100,mitosis\n")
    assert "a COCO list of results has ids" in run("--pred", pred, "--truth", table, status=2)


Bad = Callable[[Path], list[object]]


def _pred(text: str) -> Bad:
    return lambda folder: ["--pred", write(folder / "bad.csv", text)]


@pytest.mark.parametrize(
    ("bad", "why"),
    [
        (
            _pred("image,x,y,score\na,1,2,nan\n"),
            "bad.csv:2, column score: a finite number expected",
        ),
        (_pred("image,x,y,score\na,1,2,50\n"), "a score in [0, 1] expected, got 50; rescale the scores"),
        (_pred("image,x1,y1,x2,y2,score\na,9,9,1,1,0.5\n"), "a box from 9, 9 to 1, 1 has no extent"),
        (_pred("image,x,y\na,1,2\n"), "no column score"),
        (_pred(""), "empty"),
        (lambda folder: ["--pred", folder / "none.csv"], "none.csv"),
        (lambda folder: ["--protocol", "midogg"], "no protocol 'midogg'; choose one of: mitoscope, midog"),
        (lambda folder: ["--protocol", "iou@2"], "an overlap of 2 is not in (0, 1]"),
        (lambda folder: ["--threshold", "1.5"], "threshold 1.5 is outside [0, 1]"),
        (lambda folder: ["--mpp", "40"], "--mpp"),
        (lambda folder: ["--by", "organ"], "no group 'organ'; one of: slide, case, domain"),
        (lambda folder: ["--by", "scanner"], "no scanner is stated for any image"),
        (lambda folder: ["--plot", folder / "figure.pdf"], "ends in .png or .svg"),
        (lambda folder: ["--validation-pred", folder], "give both --validation-pred and --validation-truth"),
        (
            lambda folder: ["--choose-on-test", "--threshold", "0.5"],
            "--threshold and --choose-on-test both set the threshold; give one of them",
        ),
        (
            lambda folder: ["--choose-on-test", "--compare", folder],
            "chooses a threshold for one detector only; give --threshold and --compare-threshold",
        ),
    ],
)
def test_bad_input_is_one_line(sides: tuple[Path, Path], tmp_path: Path, bad: Bad, why: str) -> None:
    line = run(*both(sides), *bad(tmp_path), status=2)
    assert why in line
    assert line.startswith("error: ")
    assert not [path for path in tmp_path.iterdir() if path.name != "bad.csv"]


def test_one_side_of_the_split_is_judged(tmp_path: Path) -> None:
    table = "image,x,y,label,split\na,100,100,mitosis,train\nb,100,100,mitosis,test\n"
    truth = write(tmp_path / "t.csv", table)
    pred = write(tmp_path / "p.csv", "image,x,y,score\na,100,100,0.9\nb,300,300,0.9\n")
    result = judged("--pred", pred, "--truth", truth, "--split", "test")
    assert [result[count] for count in ("tp", "fp", "fn")] == [0, 1, 1]
    assert "only the side test" in run("--pred", pred, "--truth", truth, "--split", "test")
    assert "all sides of the split are judged" in run("--pred", pred, "--truth", truth)
    line = run("--pred", pred, "--truth", truth, "--split", "val", status=2)
    assert "no side 'val' of the split; sides: train, test" in line


def test_what_lies_outside_of_the_searched_part_or_in_gaps_is_said(tmp_path: Path) -> None:
    folder = results_of(tmp_path / "r", "a", mpp=0.25, threshold=0.5, rows=["100,100,0.9,mitotic figure"])
    manifest = json.loads((folder / "a.json").read_text(encoding="utf-8"))
    manifest["search"] |= {"region_px0": [0, 0, 1000, 1000], "gaps_px0": [[500, 500, 100, 100]]}
    write(folder / "a.json", json.dumps(manifest))
    rows = "a.svs,100,100,mitosis\na.svs,550,550,mitosis\na.svs,2000,2000,mitosis\n"
    truth = write(tmp_path / "t.csv", f"image,x,y,label\n{rows}")
    text = run("--pred", folder, "--truth", truth)
    assert "true positives 1, false positives 0, missed 1" in text
    assert "outside of the part searched (--roi): 1 true figure" in text
    assert "missed where the slide could not be read: 1 true figure" in text
