"""The number on the report is the number in the data (promise 26), and nothing half-written is left."""

from __future__ import annotations

import csv
import hashlib
import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.count.slides import count_slides
from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError, LedgerMismatchError, OutputError
from mitoscope.exchange import detections_csv, prior_shift_of, read_results
from mitoscope.exchange.result import read_result
from mitoscope.geometry import Aspect, BoxPx0
from mitoscope.region import Region, SlideRegions
from mitoscope.report import FORMATS, gather, write_outputs
from mitoscope.report.outputs import parse_formats
from mitoscope.written import RECORD

from .reading import Reader
from .runs import corrected, paint_slide, run_on, scatter

AREA = 0.008
ASPECT = 4 / 3


@pytest.fixture(scope="module")
def folder(slide_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with all outputs of a run."""
    folder = tmp_path_factory.mktemp("out") / "new"
    write_outputs(run_on(slide_file), folder, area_mm2=AREA)
    return folder


def manifest_of(folder: Path, stem: str = "island") -> dict[str, Any]:
    values: dict[str, Any] = json.loads((folder / f"{stem}.json").read_text())
    return values


def most_in_any_window(points: np.ndarray, *, width: float, height: float, size: list[int]) -> int:
    """Count by brute force: windows that touch a point with their left and with their upper edge."""
    most = 0
    for left in np.minimum(points[:, 0], size[0] - width):
        for top in np.minimum(points[:, 1], size[1] - height):
            inside = (points >= [left, top]) & (points < [left + width, top + height])
            most = max(most, int(inside.all(axis=1).sum()))
    return most


def test_every_file_is_written_and_the_manifest_is_last(slide_file: Path, tmp_path: Path) -> None:
    written = write_outputs(run_on(slide_file, scatter(5)), tmp_path / "a" / "b")
    names = [
        "island.csv",
        "island.geojson",
        "island.density.png",
        "island.html",
        "island.preview.jpg",
        "island.tissue.png",
        "island.json",
    ]
    assert [path.name for path in written] == names
    assert sorted(path.name for path in (tmp_path / "a" / "b").iterdir()) == sorted([*names, RECORD])


def test_hashes_of_the_manifest_are_those_of_the_files(folder: Path) -> None:
    files = manifest_of(folder)["files"]
    assert set(files) == {path.name for path in folder.iterdir()} - {"island.json", RECORD}
    for name, entry in files.items():
        content = (folder / name).read_bytes()
        assert entry == {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_the_number_on_the_page_is_the_number_in_the_data(folder: Path) -> None:
    manifest = manifest_of(folder)
    with (folder / next(name for name in manifest["files"] if name.endswith(".csv"))).open() as stream:
        rows = list(csv.DictReader(stream))
    points = np.array(
        [
            (float(row["x"]), float(row["y"]))
            for row in rows
            if float(row["score"]) > manifest["threshold"]["value"] and row["label"] == "mitotic figure"
        ]
    )
    count, (mpp_x, mpp_y) = manifest["mitotic_count"], manifest["slide"]["mpp"]
    # The window is derived from the stated area and aspect, not taken from the file.
    width = math.floor(math.sqrt(count["requested_mm2"] * ASPECT) * 1000 / mpp_x)
    height = math.floor(math.sqrt(count["requested_mm2"] / ASPECT) * 1000 / mpp_y)
    most = most_in_any_window(points, width=width, height=height, size=manifest["slide"]["size_px0"])
    page = Reader((folder / "island.html").read_text())
    assert page.values("data", "value") == [str(most)]
    assert count["count"] == most > 10

    x, y, box_width, box_height = count["hot_spot_px0"]
    box = [x, y], [x + box_width, y + box_height]
    assert int(((points >= box[0]) & (points < box[1])).all(axis=1).sum()) == most
    area_mm2 = box_width * mpp_x * box_height * mpp_y * 1e-6
    assert float(page.values("p", "data-area-mm2")[0]) == pytest.approx(area_mm2, rel=1e-3)
    assert count["area_mm2"] == pytest.approx(area_mm2, rel=1e-3)
    assert count["per_mm2"] == pytest.approx(most / count["covered_mm2"])
    assert manifest["search"]["mitotic_figures"] == len(points)
    assert manifest["search"]["candidates"] == len(rows)


def test_control_windows_on_a_grid_miss_the_number(folder: Path) -> None:
    """Windows side by side, the way of a first attempt, hold fewer figures than the hot spot."""
    cells = detections_csv.read(folder / "island.csv").above(0.5).points_px0
    width, height = manifest_of(folder)["mitotic_count"]["hot_spot_px0"][2:]
    tiles = np.unique(np.floor(cells / [width, height]), axis=0, return_counts=True)[1]
    assert tiles.max() < manifest_of(folder)["mitotic_count"]["count"]


def test_rows_of_the_table_are_the_ranks_of_the_page(slide_file: Path, folder: Path) -> None:
    written = detections_csv.read(folder / "island.csv")
    findings = gather(run_on(slide_file))
    assert np.array_equal(written.points_px0, findings.candidates.points_px0)
    assert np.array_equal(written.score, findings.candidates.score)


def test_manifest_says_what_led_to_the_number(folder: Path) -> None:
    manifest = manifest_of(folder)
    assert manifest["format"] == "mitoscope-result/1"
    assert manifest["slide"]["fingerprint"].startswith("sha256")
    assert manifest["slide"]["mpp_source"] == "--mpp"
    assert manifest["slide"]["reader"].startswith("pillow")
    assert manifest["slide"]["reader_reason"] is None  # there was no choice
    assert manifest["slide"]["icc_profile"] == "none"
    assert manifest["search"]["colour_doubt"] is None
    assert manifest["detector"]["name"] == "painted-fcn"
    assert manifest["detector"]["training"] == [{"name": "Crops <of> tests", "licence": "CC0-1.0"}]
    threshold = manifest["threshold"]
    assert (threshold["value"], threshold["source"]) == (
        0.5,
        "painted-fcn 1.2.0, point f1, greatest F1 on fields",
    )
    assert (threshold["point"]["name"], threshold["point"]["chosen_on"]) == ("f1", "fields")
    assert manifest["search"]["status"] == "complete"
    assert manifest["search"]["gaps_px0"] == []
    assert manifest["search"]["tissue_mm2"] > 0.05
    assert manifest["mitotic_count"]["refused"] is None
    assert manifest["mitotic_count"]["fits"] is True
    assert manifest["timings"]["wall_s"] == 12.5


def test_same_findings_give_the_same_bytes_but_for_timings(
    slide_file: Path, folder: Path, tmp_path: Path
) -> None:
    write_outputs(run_on(slide_file, wall_s=77.0), tmp_path, area_mm2=AREA)
    for path in folder.iterdir():
        if path.suffix != ".json" and path.name != RECORD:
            assert path.read_bytes() == (tmp_path / path.name).read_bytes(), path.name
    first, second = manifest_of(folder), manifest_of(tmp_path)
    assert first.pop("timings") != second.pop("timings")
    assert first == second


def test_a_refused_count_is_said_everywhere_and_never_a_number(slide_file: Path, tmp_path: Path) -> None:
    window = gather(run_on(slide_file), area_mm2=AREA).window
    assert window is not None
    gap = BoxPx0(window.x + 10, window.y + 10, 64.0, 64.0)
    write_outputs(run_on(slide_file, gaps=(gap,)), tmp_path, area_mm2=AREA)
    manifest = manifest_of(tmp_path)
    count = manifest["mitotic_count"]
    assert manifest["search"]["status"] == "complete_with_gaps"
    assert manifest["search"]["gaps_px0"] == [[gap.x, gap.y, 64.0, 64.0]]
    assert manifest["search"]["gap_mm2"] == pytest.approx(64 * 64 * 0.25e-6)
    assert count["count"] is None
    assert count["per_mm2"] is None
    assert "could not be examined" in count["refused"]
    assert Reader((tmp_path / "island.html").read_text()).values("data", "value") == []
    features = json.loads((tmp_path / "island.geojson").read_text())["features"]
    annotations = [
        feature["properties"] for feature in features if feature["properties"]["objectType"] == "annotation"
    ]
    assert [annotation["classification"]["name"] for annotation in annotations] == [
        "Hot spot: the count is refused"
    ]
    assert not [annotation for annotation in annotations if annotation.get("measurements")]


def test_hot_spot_and_tumour_are_annotations(slide_file: Path, tmp_path: Path) -> None:
    regions = SlideRegions(tumour=Region.of_box(BoxPx0(300, 200, 300, 250), "tumour"))
    write_outputs(
        run_on(slide_file, scatter(40)), tmp_path, formats=("geojson",), area_mm2=AREA, regions=regions
    )
    features = json.loads((tmp_path / "island.geojson").read_text())["features"]
    names = [feature["properties"]["classification"]["name"] for feature in features]
    assert names[:2] == ["tumour", "Hot spot"]
    assert features[1]["properties"]["measurements"] == {
        "Mitotic count": manifest_of(tmp_path)["mitotic_count"]["count"]
    }


def test_table_and_manifest_are_always_written(slide_file: Path, tmp_path: Path) -> None:
    written = write_outputs(run_on(slide_file, scatter(3)), tmp_path, formats=("geojson",))
    assert [path.suffix for path in written] == [".csv", ".geojson", ".png", ".json"]


def test_a_result_is_counted_again_from_its_files(slide_file: Path, folder: Path) -> None:
    run = run_on(slide_file)
    result = read_result(folder / "island.json")
    assert result.tissue is not None
    assert np.array_equal(result.tissue.mask, run.tissue.mask)
    assert result.tissue.px0_per_pixel == run.tissue.px0_per_pixel
    ((name, counted),) = count_slides(folder / "island.csv", area_mm2=AREA, aspect=Aspect(4, 3))
    assert name == "island.png"
    assert counted == gather(run, area_mm2=AREA).hot_spot


def test_a_changed_file_is_not_counted(slide_file: Path, tmp_path: Path) -> None:
    write_outputs(run_on(slide_file, scatter(5)), tmp_path, formats=("csv",))
    (tmp_path / "island.csv").write_text("x,y,score,label\n1,1,0.9,mitotic figure\n")
    with pytest.raises(FormatError, match=r"has changed since island\.json was written"):
        read_result(tmp_path / "island.json")


@pytest.mark.parametrize(
    ("text", "formats"),
    [(None, FORMATS), ("html, csv", ("csv", "json", "html")), ("png", ("csv", "json", "png"))],
)
def test_formats_of_the_command_line(text: str | None, formats: tuple[str, ...]) -> None:
    assert parse_formats(text) == formats


def test_an_unknown_format_is_named_before_anything_is_written(slide_file: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"unknown format 'pdf'; known formats: csv, json"):
        write_outputs(run_on(slide_file, scatter(3)), tmp_path / "new", formats=("csv", "pdf"))
    assert not (tmp_path / "new").exists()


def test_a_changed_slide_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    slide = paint_slide(tmp_path / "slide.png", size=(280, 200))
    run = run_on(slide, scatter(3, size=(280, 200)))
    paint_slide(slide, size=(300, 200))
    with pytest.raises(LedgerMismatchError, match="the slide has changed"):
        write_outputs(run, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_a_manifest_never_vouches_for_half_a_result(
    slide_file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that fills up in the middle leaves whole files and no manifest."""
    run = run_on(slide_file, scatter(5))
    write_outputs(run, tmp_path)
    before = (tmp_path / "island.html").read_bytes()

    def full(path: Path, *_: object, **__: object) -> None:
        raise OutputError("cannot be written (No space left on device)", where=path)

    monkeypatch.setattr("mitoscope.report.outputs.geojson.write_findings", full)
    with pytest.raises(OutputError, match="No space left"):
        write_outputs(replace(run, threshold=0.2), tmp_path)
    assert not (tmp_path / "island.json").exists()
    assert (tmp_path / "island.html").read_bytes() == before
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == [RECORD]


def test_a_folder_that_cannot_be_written_is_one_line(slide_file: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="cannot be written"):
        write_outputs(run_on(slide_file, scatter(3)), tmp_path / "file" / "out")


def test_a_slide_without_tissue_has_a_result(tmp_path: Path) -> None:
    glass = paint_slide(tmp_path / "glass.png", size=(280, 200), tissue=False)
    written = write_outputs(run_on(glass, Detections.empty()), tmp_path / "out")
    assert len(written) == len(FORMATS) + 1
    manifest = manifest_of(tmp_path / "out", "glass")
    assert manifest["search"]["tissue_mm2"] == 0
    assert manifest["mitotic_count"]["count"] == 0
    assert manifest["mitotic_count"]["hot_spot_px0"] is None
    assert (tmp_path / "out" / "glass.csv").read_text() == "x,y,score,label\n"


def test_file_names_that_are_not_unicode_or_are_markup(tmp_path: Path) -> None:
    name = "<b>é\udcff & co"
    slide = paint_slide(tmp_path / f"{name}.png", size=(280, 200))
    write_outputs(run_on(slide, scatter(3, size=(280, 200))), tmp_path / "out")
    safe = "_b_é\udcff & co"  # Windows takes no angle brackets
    manifest = manifest_of(tmp_path / "out", safe)
    assert manifest["slide"]["name"] == f"{name}.png"
    assert f"{safe}.html" in manifest["files"]
    assert set(read_results(tmp_path / "out")) == {name}


def test_geojson_can_count_from_the_bounds_and_the_manifest_says_so(slide_file: Path, tmp_path: Path) -> None:
    from mitoscope.exchange.format import ReadOptions
    from mitoscope.exchange.predictions import read_detections
    from mitoscope.geometry import BoxPx

    run = run_on(slide_file, scatter(5))
    bounded = replace(run, slide=replace(run.slide, bounds=BoxPx(30, 40, 100, 100)))
    write_outputs(bounded, tmp_path, formats=("geojson",), relative_to_bounds=True)
    manifest = manifest_of(tmp_path)
    assert manifest["geojson_origin_px0"] == [30, 40]
    assert manifest["slide"]["bounds_px0"] == [30, 40, 100, 100]
    table = detections_csv.read(tmp_path / "island.csv").points_px0
    path = tmp_path / "island.geojson"
    plain = read_detections(path, "geojson")["island"].points_px0
    moved = read_detections(path, "geojson", ReadOptions(offset_px0=(30, 40)))["island"].points_px0
    vouched = read_detections(path)["island"].points_px0  # the manifest beside it knows the corner
    np.testing.assert_allclose(vouched[np.lexsort(vouched.T)], table[np.lexsort(table.T)], atol=1e-6)
    np.testing.assert_allclose(moved, table, atol=1e-6)
    np.testing.assert_allclose(plain, table - [30, 40], atol=1e-6)


def test_the_manifest_states_the_correction_so_that_it_can_be_undone(
    slide_file: Path, tmp_path: Path
) -> None:
    run = run_on(slide_file, scatter(60))
    write_outputs(corrected(run), tmp_path / "on", formats=())
    write_outputs(run, tmp_path / "off", formats=())
    on, off = manifest_of(tmp_path / "on"), manifest_of(tmp_path / "off")
    assert off["prior_shift"] is None
    assert prior_shift_of(off) is None
    stated = on["prior_shift"]
    assert (stated["calibrated"], stated["assumed"], stated["candidates"]) == (0.1, 0.1, 60)
    assert (stated["calibrated_on"], stated["assumed_of"]) == ("fields of one laboratory", "calibration")
    assert stated["mitotic_figures_without"] == off["search"]["mitotic_figures"]
    assert on["search"]["mitotic_figures"] > off["search"]["mitotic_figures"]
    shift = prior_shift_of(on)
    assert shift is not None
    assert shift.log_odds == stated["log_odds"] > 1
    before, after = (detections_csv.read(tmp_path / name / "island.csv") for name in ("off", "on"))
    assert after.points_px0.tolist() == before.points_px0.tolist()
    np.testing.assert_allclose(shift.undo(after.score), before.score, atol=1e-5)


@pytest.mark.parametrize(
    "damage", [{"estimated": 1.5}, {"calibrated": None}, {"alone": "much"}, {"candidates": "few"}]
)
def test_a_damaged_correction_is_refused(damage: dict[str, object]) -> None:
    whole = {"calibrated": 0.1, "assumed": 0.1, "alone": None, "estimated": 0.2, "candidates": 3}
    assert prior_shift_of({"prior_shift": whole}) is not None
    with pytest.raises(FormatError, match=r"a\.json: prior_shift"):
        prior_shift_of({"prior_shift": whole | damage}, where=Path("a.json"))
    with pytest.raises(FormatError, match="damaged"):
        prior_shift_of({"prior_shift": 0.5})
