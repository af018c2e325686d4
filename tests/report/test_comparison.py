"""``compare``: bundles and results on the same slides, from the files to the page."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
from PIL import Image

import mitoscope
from mitoscope.bundle import Bundle, write_bundle
from mitoscope.errors import BundleError, ConfigError, FormatError
from mitoscope.evaluate import FileJudge, Missing, Scoreboard, Value
from mitoscope.geometry import Mpp
from mitoscope.infer import DetectConfig, detect_slide
from mitoscope.report.comparison import CalibrationSet, compare
from mitoscope.report.comparison.contestants import (
    Contestant,
    find_contestants,
    read_memory,
    read_stated,
    slides_by_stem,
)
from mitoscope.report.comparison.wording import say_value
from tests.bundle import tiny_detector

CONFIG = DetectConfig(threads=1)
IMAGES = ("a", "b", "c")
Files = tuple[Path, Path, Path, Bundle]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Files:
    """Return a folder of slides with dark spots, their ground truth, results as CSV, and a bundle."""
    folder = tmp_path_factory.mktemp("compare")
    (folder / "slides").mkdir()
    tiny: ModuleType = tiny_detector
    bundle = write_bundle(
        folder / "tiny",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    truth, results = [], []
    for place, image in enumerate(IMAGES):
        Image.fromarray(tiny.spotted(200, 260, spots=12, seed=place)).save(folder / "slides" / f"{image}.png")
    found = [
        detect_slide(folder / "slides" / f"{image}.png", bundle, folder / "once", config=_scaled())
        for image in IMAGES
    ]
    for image, run in zip(IMAGES, found, strict=True):
        points = run.figures.points_px0[::2].tolist()
        truth += [(image, x, y, "mitotic figure", f"case {image}") for x, y in points]
        results += [(image, x + 1, y, 0.9) for x, y in points[1:]] + [(image, 3.0, 3.0, 0.6)]
    _write(folder / "truth.csv", ("image", "x", "y", "label", "case"), truth)
    _write(folder / "other.csv", ("image", "x", "y", "score"), results)
    return folder / "slides", folder / "truth.csv", folder / "other.csv", bundle


def _scaled() -> DetectConfig:
    return CONFIG.model_copy(update={"mpp": 0.25})


def _write(path: Path, header: tuple[str, ...], rows: Sequence[tuple[object, ...]]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as stream:
        csv.writer(stream, lineterminator="\n").writerows([header, *rows])
    return path


def _rows(path: Path) -> list[list[str]]:
    return list(csv.reader(path.read_text(encoding="utf-8").splitlines()))


def _judge(truth: Path) -> FileJudge:
    return FileJudge(truth, mpp=Mpp.square(0.25))


def test_a_bundle_and_results_from_the_files_to_the_page(made: Files, tmp_path: Path) -> None:
    slides, truth, other, bundle = made
    compared = compare(
        [f"tiny <b>={bundle.folder}", f"other={other}"],
        truth=_judge(truth),
        slides=[slides],
        out=tmp_path,
        config=CONFIG,
        repeats=200,
    )
    board = compared.scoreboard
    assert repr(compared) == "<Compared by f1: 1. tiny <b>, 2. other; 3 images>"
    entries = {entry.name: entry for entry in board.entries}
    assert entries["tiny <b>"].kind == "bundle"
    assert entries["tiny <b>"].fingerprint == bundle.fingerprint
    assert entries["tiny <b>"].overall.measures["recall"].value == 1.0
    cost = entries["tiny <b>"].cost
    assert cost is not None
    assert (cost.measured, cost.images, cost.threads) == ("in this comparison", 3, 1)
    assert cost.seconds > 0
    assert (
        cost.peak_mb == read_memory(tmp_path / "tiny <b>".replace("<", "_").replace(">", "_")) or cost.peak_mb
    )
    assert entries["other"].cost is None
    assert entries["other"].found_alone.true == 0  # the bundle found all
    assert entries["tiny <b>"].found_alone.true == 3  # the first of each image, which the results lack
    assert "other states no threshold: all its detections count; --threshold sets one" in board.notes
    # The results state no size and no scale: those of the slide that was searched count for both.
    assert entries["other"].overall.measures["false_per_mm2"].value is not None

    written = {path.name: path for path in compared.write(tmp_path)}
    text = written["compare.json"].read_text(encoding="utf-8")
    assert Scoreboard.model_validate_json(text) == board
    page = written["compare.html"].read_text(encoding="utf-8")
    assert "tiny &lt;b&gt;" in page
    assert not re.search(r"<b>", page.replace("<bdi>", ""))
    assert not re.search(r"""(?:src|href)=["'](?!data:|#)""", page)
    assert page.count('alt="') >= 3 + 3  # plots, and a crop of each figure that the results lack
    rows = list(csv.DictReader(written["compare.csv"].read_text(encoding="utf-8").splitlines()))
    assert [row["name"] for row in rows] == [entry.name for entry in board.entries]
    assert float(rows[0]["f1"]) == board.entries[0].overall.measures["f1"].value
    assert compared.table[0]["rank"] == 1

    assert not re.search(r'href="http', page)
    served = replace(compared, server="http://127.0.0.1:8411").write(tmp_path / "served")[-1]
    figure = compared.contest.alone["tiny <b>"].true[0]
    place = f"at/{figure.x_px0:.0f},{figure.y_px0:.0f}"
    assert f'href="http://127.0.0.1:8411/#/slide/{figure.image}/{place}"' in served.read_text(
        encoding="utf-8"
    )
    assert "<th>tiny &lt;b&gt;</th>" in compared._repr_html_()

    again = compare(
        [f"tiny <b>={bundle.folder}", f"other={other}"],
        truth=_judge(truth),
        slides=[slides],
        out=tmp_path,
        config=CONFIG,
        repeats=200,
    )
    alike = {"entries": {"__all__": {"cost"}}}
    assert again.scoreboard.model_dump(exclude=alike) == board.model_dump(exclude=alike)


def test_pandas_takes_the_table(made: Files) -> None:
    pytest.importorskip("pandas")
    _, truth, other, _ = made
    frame = compare({"one": other, "two": other}, truth=_judge(truth), repeats=50).to_pandas()
    assert list(frame.index) == ["one", "two"]
    assert frame.loc["one", "f1"] == frame.loc["two", "f1"]


def test_thresholds_are_chosen_on_other_cases_alone(made: Files, tmp_path: Path) -> None:
    slides, truth, other, bundle = made
    rows = _rows(truth)
    header, cells = tuple(rows[0]), [tuple(row) for row in rows[1:]]
    first = _write(tmp_path / "first.csv", header, [row for row in cells if row[0] != "c"])
    rest = _write(tmp_path / "rest.csv", header, [row for row in cells if row[0] == "c"])
    chosen = CalibrationSet(_judge(rest), [slides], {"other": other})
    compared = compare(
        {"tiny": bundle.folder, "other": other},
        truth=_judge(first),
        slides=[slides],
        out=tmp_path / "out",
        calibration=chosen,
        config=CONFIG,
        repeats=50,
    )
    board = compared.scoreboard
    assert list(board.images) == ["a", "b"]
    assert all("on the validation set" in entry.threshold.source for entry in board.entries)
    # The stranger of the results scores 0.6, their figures 0.9: the best threshold parts them.
    assert {entry.name: entry.overall.fp for entry in board.entries}["other"] == 0
    assert "c: no ground truth, not judged (searched by other)" in board.notes
    both = {"one": other, "two": other}
    with pytest.raises(ConfigError, match="the image a is in the calibration set and is judged"):
        compare(
            {"one": other, "two": other},
            truth=first,
            calibration=CalibrationSet(FileJudge(first), results=both),
        )
    renamed = _write(tmp_path / "renamed.csv", header, [("z", *row[1:4], "case a") for row in cells[:2]])
    with pytest.raises(ConfigError, match="the case case a is in the calibration set"):
        compare(
            {"one": other, "two": other},
            truth=first,
            calibration=CalibrationSet(FileJudge(renamed), results={"one": other, "two": other}),
        )
    with pytest.raises(ConfigError, match="no results of one on the calibration set"):
        compare({"one": other, "two": other}, truth=first, calibration=CalibrationSet(FileJudge(rest)))


def test_an_image_without_results_is_named_and_not_judged(made: Files, tmp_path: Path) -> None:
    _, truth, other, _ = made
    rows = [tuple(row) for row in _rows(other)]
    part = _write(tmp_path / "part.csv", rows[0], [row for row in rows[1:] if row[0] != "b"])
    left_out = compare({"all": other, "part": part}, truth=truth, repeats=50).scoreboard
    assert left_out.not_searched == {"b": ["part"]}
    assert list(left_out.images) == ["a", "c"]
    assert "b: not searched by part, judged for none" in left_out.notes
    missed = compare({"all": other, "part": part}, truth=truth, missing=Missing.MISS, repeats=50).scoreboard
    assert list(missed.images) == ["a", "b", "c"]
    by_name = {entry.name: entry for entry in missed.entries}
    assert by_name["part"].per_image["b"].fn == missed.images["b"].figures
    with pytest.raises(FormatError, match="b: not searched by part"):
        compare({"all": other, "part": part}, truth=truth, missing=Missing.REFUSE)


def test_a_detector_that_found_nothing_and_a_single_case_are_said(made: Files, tmp_path: Path) -> None:
    _, truth, other, _ = made
    empty = _write(tmp_path / "empty.csv", ("image", "x", "y", "score"), [("a", "", "", "")])
    compared = compare({"some": other, "none": empty}, truth=truth, repeats=50)
    board = compared.scoreboard
    assert "none found nothing on any image" in board.notes
    assert "a single case: no intervals, and no difference can be called sure" in board.notes
    none = board.entries[1]
    assert (none.name, none.overall.tp, none.overall.measures["precision"].value) == ("none", 0, None)
    page = compared.write(tmp_path)[-1].read_text(encoding="utf-8")
    assert "A single case: no intervals." in page
    assert "No slides were given: there are no pictures." in page


def test_the_kinds_of_region_of_a_challenge_are_strata_when_the_table_names_them(
    made: Files, tmp_path: Path
) -> None:
    _, truth, other, _ = made
    kinds = {"a": "Hotspot", "b": "random", "c": "challenging"}
    rows = [tuple(row) for row in _rows(truth)]
    named = _write(
        tmp_path / "named.csv",
        (*rows[0], "region_type", "tumour"),
        [(*row, kinds[row[0]], "melanoma" if row[0] == "a" else "breast cancer") for row in rows[1:]],
    )
    board = compare({"one": other, "two": other}, truth=named, repeats=50).scoreboard
    strata = {part.by: list(part.strata) for part in board.entries[0].strata}
    assert strata == {
        "kind of region": ["challenging", "hot spot", "random"],
        "tumour type": ["breast cancer", "melanoma"],
    }
    assert board.images["a"].strata == {"kind of region": "hot spot", "tumour type": "melanoma"}
    # Asked for by name they are not there twice.
    asked = compare({"one": other, "two": other}, truth=named, strata=["tumour"], repeats=50).scoreboard
    assert len(asked.entries[0].strata) == 2


def test_regions_of_a_file_that_are_named_as_kinds_are_strata(tmp_path: Path) -> None:
    """A whole slide in QuPath: two figures in the hot spot, one in a random region, each found or not."""

    def feature(name: str, geometry: dict[str, object], kind: str = "annotation") -> dict[str, object]:
        properties = {"objectType": kind, "classification": {"name": name}}
        return {"type": "Feature", "geometry": geometry, "properties": properties}

    def box(left: float, top: float) -> dict[str, object]:
        ring = [[left, top], [left + 400, top], [left + 400, top + 400], [left, top + 400], [left, top]]
        return {"type": "Polygon", "coordinates": [ring]}

    points = [(100.0, 100.0), (200.0, 200.0), (700.0, 100.0)]
    cells = [feature("Mitosis", {"type": "Point", "coordinates": list(point)}) for point in points]
    regions = [feature("Hotspot ROI", box(0, 0)), feature("Random ROI", box(600, 0))]
    truth = tmp_path / "slide.geojson"
    truth.write_text(json.dumps({"type": "FeatureCollection", "features": [*regions, *cells]}))
    found = _write(tmp_path / "slide.csv", ("x", "y", "score"), [(101.0, 100.0, 0.9), (650.0, 300.0, 0.8)])
    board = compare({"one": found, "two": found}, truth=_judge(truth), repeats=50).scoreboard
    (strata,) = board.entries[0].strata
    assert strata.by == "kind of region"
    hits = {name: (one.tp, one.fp, one.fn) for name, one in strata.strata.items()}
    assert hits == {"hot spot": (1, 0, 1), "random": (0, 1, 1)}
    assert [one.examined_mm2 for one in strata.strata.values()] == pytest.approx([0.01, 0.01])


def test_a_slide_that_cannot_be_searched_is_named_and_the_others_are_judged(
    made: Files, tmp_path: Path
) -> None:
    slides, truth, other, bundle = made
    broken = tmp_path / "b.png"
    broken.write_bytes(b"no picture")
    compared = compare(
        {"tiny": bundle, "other": other},
        truth=_judge(truth),
        slides=[slides / "a.png", broken],
        out=tmp_path / "out",
        config=CONFIG,
        repeats=50,
    )
    assert list(compared.scoreboard.images) == ["a"]
    assert compared.scoreboard.not_searched == {"b": ["tiny"], "c": ["tiny"]}
    (failure,) = compared.failures
    assert failure.startswith("tiny: ")
    assert "b.png" in failure
    assert failure in compared.scoreboard.notes


def test_bad_input_is_one_line(made: Files, tmp_path: Path) -> None:
    _, truth, other, bundle = made
    with pytest.raises(ConfigError, match="two are called 'other'"):
        find_contestants([other, other], None)
    with pytest.raises(ConfigError, match="1 to compare"):
        find_contestants([other], None)
    with pytest.raises(BundleError, match="neither a bundle nor results: 'nothing-there'"):
        find_contestants([other, "nothing-there"], tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(FormatError, match="neither a bundle nor results in this folder"):
        find_contestants([other, tmp_path / "empty"], tmp_path)
    with pytest.raises(ConfigError, match="a bundle needs a folder for its results"):
        find_contestants([other, bundle.folder], None)
    with pytest.raises(ConfigError, match="a bundle needs slides to search"):
        compare([other, bundle.folder], truth=truth, out=tmp_path)
    slides = made[0]
    with pytest.raises(
        ConfigError, match=r"a\.png: a slide is not a detector; write --slides before each slide"
    ):
        find_contestants([other, slides / "a.png"], tmp_path)
    with pytest.raises(ConfigError, match=r"^s3://bucket/a\.png: only slides on this machine are compared"):
        compare([other, bundle.folder], truth=truth, slides=["s3://bucket/a.png"], out=tmp_path)
    (tmp_path / "notes.txt").write_text("no results")
    with pytest.raises(FormatError, match=r"notes\.txt"):
        compare([bundle.folder, tmp_path / "notes.txt"], truth=truth, slides=[slides], out=tmp_path / "early")
    assert not (tmp_path / "early").exists(), "searched before it was known that the results cannot be read"
    with pytest.raises(ConfigError, match="nothing that is compared is called 'x'"):
        compare({"one": other, "two": other}, truth=truth, thresholds={"x": 0.5})
    with pytest.raises(ConfigError, match="'javascript:alert' is not an address"):
        compare({"one": other, "two": other}, truth=truth, server="javascript:alert")
    foreign = tmp_path / "compare.json"
    foreign.write_text(json.dumps({}))
    with pytest.raises(mitoscope.errors.OutputError, match=r"compare\.json"):
        compare({"one": other, "two": other}, truth=truth, repeats=50).write(tmp_path)


def test_a_folder_means_the_slides_that_detect_would_search(tmp_path: Path) -> None:
    for name in ("a.png", "below/b.png", ".hidden/c.png", "r.tissue.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "r.json").touch()
    assert slides_by_stem([tmp_path]) == {"a": tmp_path / "a.png", "b": tmp_path / "below/b.png"}
    assert list(slides_by_stem([str(tmp_path / "*.png")])) == ["a"]


def test_zero_has_no_minus_sign() -> None:
    value = Value(value=-1e-14, interval_95=(-1e-14, 0.5), absent_because=None)
    assert say_value("count_icc", value) == "0.000 [0.000, 0.500]"


def test_a_bundle_that_finds_something_else_is_refused(tmp_path: Path) -> None:
    description = tiny_detector.tiny_description().model_copy(
        update={"labels": ("nucleus",), "detects": "nucleus"}
    )
    bundle = write_bundle(
        tmp_path / "nuclei",
        description=description,
        onnx={"detector.onnx": tiny_detector.tiny_onnx()},
        self_test_rgb=tiny_detector.spotted(64, 64, spots=4, seed=1),
    )
    with pytest.raises(ConfigError, match="it finds 'nucleus', not mitotic figures"):
        find_contestants(["cascade", bundle.folder], tmp_path)


def test_results_of_two_detectors_in_one_folder_are_refused(made: Files, tmp_path: Path) -> None:
    slides, truth, other, bundle = made
    compare(
        {"tiny": bundle.folder, "other": other},
        truth=_judge(truth),
        slides=[slides / "a.png"],
        out=tmp_path,
        config=CONFIG,
        repeats=50,
    )
    manifest = tmp_path / "tiny" / "a.json"
    values = json.loads(manifest.read_text())
    values["detector"]["version"] = "9"
    values["slide"]["name"] = "b.png"
    (tmp_path / "tiny" / "b.json").write_text(json.dumps(values))
    with pytest.raises(FormatError, match="results of 2 detectors in one folder"):
        read_stated(Contestant("tiny", tmp_path / "tiny"))


def test_points_are_where_the_slide_is(made: Files, tmp_path: Path) -> None:
    """A result of another slide of the same name lies beyond the edges."""
    slides, truth, _, bundle = made
    far = _write(tmp_path / "far.csv", ("image", "x", "y", "score"), [("a", 5000.0, 10.0, 0.9)])
    with pytest.raises(FormatError, match="1 of 1 detections of far lie outside of its 260 × 200 px"):
        compare(
            [bundle.folder, far],
            truth=_judge(truth),
            slides=[slides / "a.png"],
            out=tmp_path / "out",
            config=CONFIG,
        )
