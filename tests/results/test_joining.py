"""Results of several detectors as one: points, scores, classes, what was searched, and the threshold."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from itertools import permutations
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from mitoscope.cli.app import app
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError
from mitoscope.evaluate import Criterion, FileJudge
from mitoscope.exchange import read_manifest, read_result, read_results
from mitoscope.geometry import BoxPx0, Mpp
from mitoscope.labels import LabelMapping
from mitoscope.report import write_outputs
from mitoscope.report.cohort_table import collect_rows
from mitoscope.results import (
    Calibration,
    ImportSettings,
    JoinSettings,
    calibrate_results,
    fuse,
    import_findings,
    join_results,
)
from tests.report.runs import paint_slide, run_on, scatter

MPP = Mpp.square(0.5)


def points(*rows: tuple[float, float, float], label: str = "mitotic figure") -> Detections:
    """Return detections of x, y and score."""
    table = np.array(rows, np.float64).reshape(-1, 3)
    return Detections.of(table[:, :2], table[:, 2], label=label)


def test_near_findings_become_one_and_far_ones_stay() -> None:
    one, other = points((100, 100, 0.9), (300, 300, 0.6)), points((106, 100, 0.3), (500, 500, 0.8))
    fused = fuse([one, other], [1, 1], radius_um=7.5, mpp=MPP)
    # 100 and 106 by weight and score: (0.9 · 100 + 0.3 · 106) / 1.2; alone, half of the score is left.
    rows = np.column_stack([fused.detections.points_px0, fused.detections.score])
    assert np.allclose(rows, [[101.5, 100, 0.6], [500, 500, 0.4], [300, 300, 0.3]])
    assert fused.found_by.tolist() == [[True, True], [False, True], [True, False]]
    assert "3 findings: 1 by all, 1 by A alone, 1 by B alone" in fused.notes(["A", "B"])[0]


def test_weights_move_place_and_score() -> None:
    fused = fuse([points((100, 100, 0.8)), points((106, 100, 0.8))], [3, 1], radius_um=7.5, mpp=MPP)
    assert np.allclose(fused.detections.points_px0, [[101.5, 100]])
    assert np.allclose(fused.detections.score, [0.8])
    alone = fuse([points((100, 100, 0.8)), points()], [3, 1], radius_um=7.5, mpp=MPP)
    assert np.allclose(alone.detections.score, [0.6])


def test_a_chain_is_no_group_and_one_detector_gives_a_group_one_finding() -> None:
    # 12 px are 6 µm: the ends of the chain are 12 µm apart.
    chain = fuse(
        [points((0, 0, 0.9)), points((12, 0, 0.9)), points((24, 0, 0.9))], [1] * 3, radius_um=7.5, mpp=MPP
    )
    assert sorted(chain.found_by.sum(axis=1).tolist()) == [1, 2]
    twice = fuse([points((0, 0, 0.9), (10, 0, 0.5)), points((4, 0, 0.7))], [1, 1], radius_um=7.5, mpp=MPP)
    assert twice.found_by.sum(axis=0).tolist() == [2, 1]
    assert len(twice.detections) == 2


def test_the_order_of_detectors_does_not_matter() -> None:
    rng = np.random.default_rng(3)
    base = rng.uniform(0, 2000, (80, 2))
    parts = [
        Detections.of(kept + rng.normal(0, 3, kept.shape), rng.uniform(0.1, 1, len(kept)))
        for kept in (base[rng.random(80) < 0.8] for _ in range(3))
    ]
    outcomes = []
    for order in permutations(range(3)):
        fused = fuse([parts[n] for n in order], [(1.0, 2.0, 0.5)[n] for n in order], radius_um=7.5, mpp=MPP)
        outcomes.append(np.column_stack([fused.detections.points_px0, fused.detections.score]))
    assert all(np.allclose(one, outcomes[0]) for one in outcomes)


def test_kinds_of_figures_join_and_look_alikes_stay_apart() -> None:
    atypical = points((100, 100, 0.9), label="atypical mitotic figure")
    fused = fuse([points((101, 100, 0.5)), atypical], [1, 1], radius_um=7.5, mpp=MPP)
    assert fused.detections.label.tolist() == ["atypical mitotic figure"]
    apart = fuse(
        [points((101, 100, 0.5)), points((100, 100, 0.9), label="look-alike")], [1, 1], radius_um=7.5, mpp=MPP
    )
    assert sorted(apart.detections.label.tolist()) == ["look-alike", "mitotic figure"]


def test_nothing_joined_with_nothing_is_nothing() -> None:
    assert len(fuse([points(), points()], [1, 1], radius_um=7.5, mpp=MPP).detections) == 0


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path, Path]:
    """Return a slide, results of a bundle on it, and what another program found there."""
    folder = tmp_path_factory.mktemp("join")
    slide = paint_slide(folder / "painted.png")
    write_outputs(run_on(slide, scatter(40)), folder / "bundle", formats=(), area_mm2=0.02)
    moved = scatter(40).points_px0[:30] + 2
    lines = ["x,y,score", *(f"{x},{y},{0.5 + n / 100}" for n, (x, y) in enumerate(moved.tolist()))]
    (folder / "other.csv").write_text("\n".join(lines))
    found = import_findings(
        slide, folder / "other.csv", settings=ImportSettings(mpp=0.5, program="Other", threshold=0.6)
    )
    write_outputs(found, folder / "other", formats=(), area_mm2=0.02)
    return slide, folder / "bundle", folder / "other"


def test_joined_results_are_results(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    slide, bundle, other = folders
    (joined,) = join_results(
        [bundle, other], settings=JoinSettings(weights=(1, 3)), slides={slide.name: slide}
    )
    written = write_outputs(joined, tmp_path / "out", area_mm2=0.02)
    manifest = read_manifest(written[-1])
    assert manifest["detector"]["kind"] == "joined"
    assert [one["name"] for one in manifest["detector"]["members"]] == ["painted-fcn", "Other"]
    assert [one["weight"] for one in manifest["detector"]["members"]] == [1, 3]
    assert manifest["threshold"]["value"] == pytest.approx((0.5 + 3 * 0.6) / 4)
    assert 40 <= len(read_result(written[-1]).candidates) < 70
    assert any(path.suffix == ".html" for path in written)
    # The table of a cohort has a row of it, as of any result.
    (row,) = collect_rows(tmp_path / "out")
    assert row.values["detector"] == "painted-fcn 1.2.0 and Other joined"
    assert row.values["roi"] is None
    assert row.values["mitotic_count"] == manifest["mitotic_count"]["count"]
    assert repr(joined).startswith("<GivenFindings of painted.png: ")
    # Without the slide all but the report is the same.
    (again,) = join_results([bundle, other], settings=JoinSettings(weights=(1, 3)))
    assert again.detections == joined.detections
    assert again.slide.fingerprint == joined.slide.fingerprint


def test_what_not_all_searched_is_left_out(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    slide, bundle, _ = folders
    half = run_on(slide, scatter(40), roi=(0.0, 0.0, 480.0, 600.0), gaps=(BoxPx0(300, 250, 40, 40),))
    write_outputs(half, tmp_path / "half", formats=(), area_mm2=0.02)
    (joined,) = join_results([bundle, tmp_path / "half"])
    assert joined.region_px0.width == 480
    assert joined.detections.x_px0.max() <= 480
    assert joined.gaps == (BoxPx0(300, 250, 40, 40),)
    assert joined.status == "complete_with_gaps"


def test_results_that_do_not_go_together_are_refused(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    _, bundle, other = folders
    with pytest.raises(ConfigError, match="two folders"):
        next(join_results([bundle]))
    with pytest.raises(ConfigError, match="the results are those of"):
        next(join_results([other, bundle, bundle.parent / "." / bundle.name]))
    with pytest.raises(ConfigError, match="3 weights for 2 folders"):
        next(join_results([bundle, other], settings=JoinSettings(weights=(1, 1, 1))))
    second = paint_slide(tmp_path / "second.png", size=(640, 480))
    write_outputs(run_on(second, scatter(10, size=(640, 480))), tmp_path / "two", formats=(), area_mm2=0.02)
    with pytest.raises(ConfigError, match=r"no result of painted.png.*--common"):
        next(join_results([bundle, tmp_path / "two"]))
    with pytest.raises(ConfigError, match="no slide is in all folders"):
        next(join_results([bundle, tmp_path / "two"], settings=JoinSettings(common=True)))
    other_file = tmp_path / "elsewhere" / "painted.png"
    other_file.parent.mkdir()
    paint_slide(other_file, tissue=False)
    write_outputs(run_on(other_file, scatter(0)), tmp_path / "changed", formats=(), area_mm2=0.02)
    with pytest.raises(FormatError, match=r"two files of painted.png"):
        next(join_results([bundle, tmp_path / "changed"]))


def test_a_threshold_and_probabilities_are_chosen_as_for_a_bundle(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    _, bundle, other = folders
    (joined,) = join_results([bundle, other])
    write_outputs(joined, tmp_path / "joined", formats=(), area_mm2=0.02)
    # True is what scores above 0.4, but for every fifth.
    rows = [
        f"painted.png,{x},{y},mitotic figure"
        for n, (x, y) in enumerate(joined.detections.above(0.4).points_px0.tolist())
        if n % 5
    ]
    rows += ["painted.png,330,230,mitotic figure"]
    (tmp_path / "truth.csv").write_text("\n".join(["image,x,y,label", *rows]))
    judge = FileJudge(tmp_path / "truth.csv", examined="whole", mapping=LabelMapping())
    file = tmp_path / "calibration.json"
    done = calibrate_results(
        judge,
        tmp_path / "joined",
        file,
        dataset="painted fields",
        criteria=[Criterion.parse("f1")],
        scores=True,
    )
    made = Calibration.read(file)
    assert made.default_point == "f1"
    assert made.line is not None
    assert done.points[0].threshold == made.points[0].threshold
    (again,) = join_results([bundle, other], calibration=made)
    assert again.scores_are_probabilities
    assert again.threshold == made.points[0].threshold
    # The order stays, and with it what the threshold parts, but for the correction of the slide's share.
    assert np.allclose(again.detections.points_px0, joined.detections.points_px0)
    manifest = read_manifest(write_outputs(again, tmp_path / "again", formats=(), area_mm2=0.02)[-1])
    assert manifest["detector"]["calibration"]["fitted_on"] == "painted fields"
    assert manifest["threshold"]["point"]["name"] == "f1"
    assert read_result(tmp_path / "again" / "painted.json").candidates.searched.calibrated
    with pytest.raises(ConfigError, match="a calibration of painted-fcn"):
        next(join_results([bundle, other], settings=JoinSettings(radius_um=5), calibration=made))
    with pytest.raises(ConfigError, match="calibrated already"):
        calibrate_results(judge, tmp_path / "again", tmp_path / "twice.json", dataset="x")
    with pytest.raises(ConfigError, match="mitoscope bundle calibrate"):
        calibrate_results(judge, bundle, tmp_path / "twice.json", dataset="x")


def test_without_the_slides_all_but_their_pictures_is_written(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    _, bundle, other = folders
    command = ["results", "join", str(bundle), str(other), "--out", str(tmp_path / "out")]
    done = CliRunner().invoke(app, command, catch_exceptions=False)
    assert done.exit_code == 0
    kinds = {path.name.partition(".")[2] for path in (tmp_path / "out").iterdir()}
    assert {"csv", "json", "geojson", "density.png"} <= kinds
    assert not {"html", "preview.jpg"} & kinds
    with pytest.raises(ConfigError, match="jpg needs pictures of the slide; give --slides DIR"):
        CliRunner().invoke(app, [*command, "--formats", "csv,jpg"], catch_exceptions=False)


@pytest.mark.parametrize(
    "changed", [{"detector": None}, {"quality": {"focus": 3}}, {"configuration": [1]}, {"slide": "painted"}]
)
def test_a_damaged_manifest_is_named(
    changed: dict[str, object], folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    _, bundle, other = folders
    damaged = read_manifest(bundle / "painted.json") | changed
    (tmp_path / "painted.json").write_text(json.dumps(damaged))
    with pytest.raises(FormatError, match=r"painted\.json: the manifest is damaged.*repeat the detection"):
        next(join_results([tmp_path, other]))


def test_a_manifest_that_is_not_json_is_named_wherever_its_folder_is_read(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    _, bundle, other = folders
    shutil.copytree(bundle, tmp_path, dirs_exist_ok=True)
    (tmp_path / "painted.json").write_text("{")
    (tmp_path / "truth").mkdir()
    truth = tmp_path / "truth" / "truth.csv"
    truth.write_text("image,x,y,label\npainted.png,330,230,mitotic figure\n")
    judge = FileJudge(truth, examined="whole", mapping=LabelMapping())
    readers: tuple[Callable[[], object], ...] = (
        lambda: next(join_results([tmp_path, other])),
        lambda: read_results(tmp_path),
        lambda: calibrate_results(judge, tmp_path, tmp_path / "calibration.json", dataset="x"),
    )
    for read in readers:
        with pytest.raises(FormatError, match=r"painted\.json: the manifest is damaged"):
            read()


def test_no_result_of_another_detector_is_replaced(folders: tuple[Path, Path, Path], tmp_path: Path) -> None:
    slide, bundle, other = folders
    table = bundle.parent / "other.csv"

    def refused(*words: object) -> str:
        with pytest.raises(ConfigError, match="choose another --out") as error:
            CliRunner().invoke(app, ["results", *map(str, words)], catch_exceptions=False)
        return str(error.value)

    before = {path: path.read_bytes() for folder in (bundle, other) for path in folder.iterdir()}
    assert "the results to join would be replaced" in refused("join", bundle, other, "--out", other)
    take = ("import", slide, table, "--mpp", "0.5", "--out")
    assert "painted.json: holds the result of painted-fcn on this slide" in refused(*take, bundle)
    own = ("import", slide, other / "painted.csv", "--mpp", "0.5", "--out", other)
    assert "painted.csv: the file to import would be replaced" in refused(*own)
    assert all(path.read_bytes() == content for path, content in before.items())
    for _ in range(2):  # its own result it does replace
        again = CliRunner().invoke(app, ["results", *map(str, take), str(tmp_path), "--formats", "csv"])
        assert again.exit_code == 0


def test_an_imported_program_is_calibrated_by_its_name(
    folders: tuple[Path, Path, Path], tmp_path: Path
) -> None:
    slide, _, other = folders
    found = read_result(other / "painted.json").candidates
    rows = [f"painted.png,{x},{y},mitotic figure" for x, y in found.above(0.7).points_px0.tolist()]
    (tmp_path / "truth.csv").write_text("\n".join(["image,x,y,label", *rows]))
    judge = FileJudge(tmp_path / "truth.csv", examined="whole")
    calibrate_results(judge, other, tmp_path / "c.json", dataset="fields")
    made, file = Calibration.read(tmp_path / "c.json"), other.parent / "other.csv"
    # An image that nobody searched is not one on which all was missed.
    (tmp_path / "more.csv").write_text("\n".join(["image,x,y,label", *rows, "b.png,5,5,mitotic figure"]))
    with pytest.raises(ConfigError, match="no result of b, which the ground truth names"):
        calibrate_results(FileJudge(tmp_path / "more.csv"), other, tmp_path / "d.json", dataset="fields")
    # Of several cases the threshold has an interval, which is read as it was written.
    with_interval = made.points[0].model_copy(update={"interval": (0.4, 0.5)})
    several = made.model_copy(update={"points": (with_interval,)})
    (tmp_path / "several.json").write_text(several.model_dump_json())
    assert Calibration.read(tmp_path / "several.json") == several
    again = import_findings(slide, file, settings=ImportSettings(mpp=0.5, program="Other"), calibration=made)
    assert again.threshold == made.points[0].threshold
    assert len(again.figures) == len(rows)
    with pytest.raises(ConfigError, match="not of Another"):
        import_findings(slide, file, settings=ImportSettings(mpp=0.5, program="Another"), calibration=made)
