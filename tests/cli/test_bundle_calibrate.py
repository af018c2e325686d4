"""``mitoscope bundle calibrate`` and ``join``, as a user sees them."""

from __future__ import annotations

import csv
import importlib.util
import json
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from typer.testing import CliRunner

from mitoscope.bundle import Bundle, FigureShare, load_bundle, write_bundle
from mitoscope.bundle.network import find_points, open_network
from mitoscope.cli import app
from mitoscope.errors import BundleError, ConfigError, FormatError
from mitoscope.exchange import read_manifest

CUT = 0.62
FIELDS = 12


@pytest.fixture(scope="module")
def tiny(project: Path) -> ModuleType:
    path = project / "tests" / "bundle" / "tiny_detector.py"
    spec = importlib.util.spec_from_file_location("tiny_detector_to_calibrate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def bundle(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "tiny",
        description=tiny.tiny_description(points=(tiny.tiny_point(), tiny.tiny_point(name="robust"))),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
        files={"CARD.md": b"# tiny\n"},
    )


@pytest.fixture(scope="module")
def fields(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("fields")
    paths = [folder / f"f{seed}.png" for seed in range(FIELDS)]
    for seed, path in enumerate(paths):
        Image.fromarray(tiny.spotted(160, 200, spots=25, seed=seed)).save(path)
    return paths


def _run(*arguments: str | Path) -> str:
    done = CliRunner().invoke(app, [*map(str, arguments)], standalone_mode=False)
    if done.exception is not None:
        raise done.exception
    return done.output


def _detect(
    fields: list[Path], bundle: Bundle, out: Path, *further: str
) -> dict[str, list[tuple[float, float, float]]]:
    options = ("--mpp", "0.25", "--formats", "csv,json", "--threads", "1", "--model", bundle.folder)
    _run("detect", *fields, "--out", out, *options, *further)
    found = {}
    for path in fields:
        with (out / f"{path.stem}.csv").open(encoding="utf-8") as stream:
            rows = list(csv.DictReader(stream))
        found[path.name] = [(float(r["x"]), float(r["y"]), float(r["score"])) for r in rows]
    return found


def _scores_in(folder: Path) -> NDArray[np.float64]:
    """Return the scores of all slides; the table of the cohort beside theirs holds none."""
    return np.concatenate([_scores(path) for path in folder.glob("*.csv") if path.stem != "cohort"])


def _scores(table: Path) -> NDArray[np.float64]:
    rows = csv.DictReader(table.read_text(encoding="utf-8").splitlines())
    return np.array([float(row["score"]) for row in rows])


@pytest.fixture(scope="module")
def found(fields: list[Path], bundle: Bundle, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with results, and beside it a truth: what scores above `CUT` is a figure."""
    out = tmp_path_factory.mktemp("results") / "found"
    rows = ["image,x,y,label"]
    for name, points in _detect(fields, bundle, out).items():
        rows += [f"{name},{x},{y},mitotic figure" for x, y, score in points if score > CUT]
    (out.parent / "truth.csv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return out


def _calibrate(bundle: Bundle, found: Path, out: Path, *options: str) -> str:
    truth = found.parent / "truth.csv"
    return _run("bundle", "calibrate", bundle.folder, "--pred", found, "--truth", truth, "--out", out,
                "--mpp", "0.25", *options)  # fmt: skip


def test_the_threshold_divides_what_the_labels_divide(bundle: Bundle, found: Path, tmp_path: Path) -> None:
    text = _calibrate(bundle, found, tmp_path / "own", "--dataset", "laboratory 7")
    made = load_bundle(tmp_path / "own")
    manifest = made.manifest
    assert abs(manifest.default_threshold - CUT) < 0.05
    assert (manifest.point().name, manifest.point().protocol) == ("f1", "mitoscope")
    assert (manifest.point().chosen_on, manifest.point().cases) == ("laboratory 7", FIELDS)
    assert manifest.point("robust") == bundle.manifest.point("robust")
    assert manifest.version == "1.0.0-calibrated"
    assert {m.dataset for m in manifest.metrics} == {"laboratory 7 (point f1, threshold chosen here)"}
    assert "CARD.md" in manifest.files
    assert f"threshold {manifest.default_threshold:.3f} [" in text
    assert "it was 0.500" in text
    drawn = manifest.point().shrinkage
    assert drawn is not None
    assert (drawn.towards, drawn.source, drawn.weight) == (0.5, "tiny 1.0.0", 20)
    assert drawn.towards < manifest.default_threshold < drawn.alone
    assert f"drawn from {drawn.alone:.3f}, which the fields alone give, towards that of tiny 1.0.0" in text
    assert made.onnx != b""


def test_scores_become_probabilities_and_all_thresholds_move_along(
    bundle: Bundle, fields: list[Path], found: Path, tmp_path: Path
) -> None:
    text = _calibrate(bundle, found, tmp_path / "own", "--scores")
    made = load_bundle(tmp_path / "own")
    line = made.manifest.calibration
    assert line is not None
    assert made.manifest.point("robust").threshold == pytest.approx(line(0.5), abs=1e-6)
    scores = _scores_in(found)
    assert line.figures is not None
    assert (line.figures.candidates, line.figures.images) == (len(scores), FIELDS)
    assert line.figures.share == pytest.approx((scores > CUT).mean())
    (error,) = [one for one in made.manifest.metrics if one.name == "ece"]
    assert f"calibration error {error.value:.3f} [" in text
    again = _detect(fields, made, tmp_path / "again", "--no-prior-shift")
    for name, points in again.items():
        with (found / f"{Path(name).stem}.csv").open(encoding="utf-8") as stream:
            old = {(float(r["x"]), float(r["y"])): float(r["score"]) for r in csv.DictReader(stream)}
        assert [score for *_, score in points] == pytest.approx(
            [float(line(old[x, y])) for x, y, _ in points], abs=2e-5
        )
    # What was found above the one threshold is found above the other; a second calibration goes on from it.
    truth = found.parent / "truth.csv"
    _run("bundle", "calibrate", made.folder, "--pred", tmp_path / "again", "--truth", truth,
         "--out", tmp_path / "twice", "--mpp", "0.25", "--scores")  # fmt: skip
    twice = load_bundle(tmp_path / "twice").manifest
    assert twice.calibration is not None
    assert twice.calibration.slope != line.slope
    assert len([one for one in twice.metrics if one.name == "ece"]) == 1


def test_several_points_are_fitted_at_once_and_the_first_is_the_default(
    bundle: Bundle, fields: list[Path], found: Path, tmp_path: Path
) -> None:
    names = ("unbiased-count", "f1", "recall-at-40-per-mm2")
    options = [part for name in names for part in ("--point", name)]
    text = _calibrate(bundle, found, tmp_path / "own", "--weight", "0", *options)
    manifest = load_bundle(tmp_path / "own").manifest
    assert [point.name for point in manifest.points] == [*names, "robust"]
    assert manifest.default_point == "unbiased-count"
    assert [point.shrinkage for point in manifest.points] == [None] * 4
    # What scores above the cut is a figure: there the count is right and nothing is false.
    for name in names:
        assert abs(manifest.point(name).threshold - CUT) < 0.01
    assert (
        manifest.point("recall-at-40-per-mm2").criterion
        == "greatest recall at 40 false detections per mm² or fewer"
    )
    assert text.count("there was no such point before") == 2
    assert "detections, +0.00 a case [" in text
    assert " false per mm²" in text
    (bias,) = [
        one for one in manifest.metrics if one.name == "count-bias" and "point unbiased-count" in one.dataset
    ]
    assert bias.value == 0
    _detect(fields[:1], load_bundle(tmp_path / "own"), tmp_path / "out")
    with pytest.raises(ConfigError, match="no criterion 'f2'"):
        _calibrate(bundle, found, tmp_path / "none", "--point", "f2")
    with pytest.raises(ConfigError, match="is not a weight"):
        _calibrate(bundle, found, tmp_path / "none", "--weight", "-1")


def test_a_robust_point_needs_laboratories(bundle: Bundle, found: Path, tmp_path: Path) -> None:
    with pytest.raises(FormatError, match="no laboratory is stated"):
        _calibrate(bundle, found, tmp_path / "none", "--point", "robust")
    header, *rows = (found.parent / "truth.csv").read_text(encoding="utf-8").splitlines()
    named = [f"{row},{'north' if row < 'f3' else 'south'}" for row in rows]
    (tmp_path / "truth.csv").write_text("\n".join([f"{header},laboratory", *named]) + "\n", encoding="utf-8")
    _run("bundle", "calibrate", bundle.folder, "--pred", found, "--truth", tmp_path / "truth.csv",
         "--out", tmp_path / "own", "--mpp", "0.25", "--point", "robust", "--weight", "0")  # fmt: skip
    point = load_bundle(tmp_path / "own").manifest.point("robust")
    assert point.criterion == "greatest F1 in the laboratory where it is smallest"
    assert abs(point.threshold - CUT) < 0.01


def test_few_fields_are_told(bundle: Bundle, fields: list[Path], found: Path, tmp_path: Path) -> None:
    (tmp_path / "few").mkdir()
    for path in fields[:2]:
        for name in (f"{path.stem}.csv", f"{path.stem}.json"):
            (tmp_path / "few" / name).write_bytes((found / name).read_bytes())
    rows = (found.parent / "truth.csv").read_text(encoding="utf-8").splitlines()
    kept = [row for row in rows if row.startswith(("image,", "f0.png,", "f1.png,"))]
    (tmp_path / "truth.csv").write_text("\n".join(kept) + "\n", encoding="utf-8")
    text = _run("bundle", "calibrate", bundle.folder, "--pred", tmp_path / "few",
                "--truth", tmp_path / "truth.csv", "--out", tmp_path / "own", "--mpp", "0.25")  # fmt: skip
    assert "warning: 2 cases with" in text
    assert "are few: label 10 or more" in text
    assert text.rstrip().endswith("or keep the threshold as it was")


def test_results_of_another_bundle_are_refused(
    tiny: ModuleType, bundle: Bundle, found: Path, tmp_path: Path
) -> None:
    other = write_bundle(
        tmp_path / "other",
        description=tiny.tiny_description(name="other"),
        onnx={"detector.onnx": tiny.tiny_onnx()},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    with pytest.raises(ConfigError, match=r"results of tiny 1\.0\.0, not of this bundle"):
        _calibrate(other, found, tmp_path / "own")
    with pytest.raises(ConfigError, match="no results of detect"):
        _run("bundle", "calibrate", bundle.folder, "--pred", tmp_path, "--truth", found.parent / "truth.csv",
             "--out", tmp_path / "own")  # fmt: skip
    assert not (tmp_path / "own").exists()


@pytest.mark.train
def test_two_detectors_become_a_cascade(
    tiny: ModuleType, bundle: Bundle, fields: list[Path], found: Path, tmp_path: Path
) -> None:
    second = write_bundle(
        tmp_path / "second",
        description=tiny.tiny_description(name="second", points=(tiny.tiny_point(threshold=0.7),)),
        onnx={"detector.onnx": tiny.tiny_onnx(stretch=1.2)},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    _run("bundle", "join", bundle.folder, second.folder, "--out", tmp_path / "both", "--name", "both",
         "--floor", "0.5", "--crop", "32")  # fmt: skip
    both = load_bundle(tmp_path / "both")
    assert both.manifest.default_threshold == 0.7
    verified = _detect(fields[:1], both, tmp_path / "out")[fields[0].name]
    with (found / "f0.csv").open(encoding="utf-8") as stream:
        proposed = [(float(r["x"]), float(r["y"])) for r in csv.DictReader(stream) if float(r["score"]) > 0.5]
    assert {(x, y) for x, y, _ in verified} == set(proposed)
    with Image.open(fields[0]) as image:
        rgb = np.pad(np.asarray(image.convert("RGB")), ((32, 32), (32, 32), (0, 0)), mode="symmetric")
    network = open_network(second.onnx, where="second")
    for x, y, score in verified:
        left, top = int(np.rint(x - 16)) + 32, int(np.rint(y - 16)) + 32
        points = find_points(network, rgb[top : top + 32, left : left + 32][None])[0]
        near = np.hypot(points[:, 0] - 16, points[:, 1] - 16) <= 0.5 * 1.5 / 0.25
        assert score == pytest.approx(max([0.0, *points[near, 2]]), abs=2e-6)
    with pytest.raises(BundleError, match="has two stages already"):
        _run("bundle", "join", second.folder, both.folder, "--out", tmp_path / "three")
    _run("bundle", "join", both.folder, second.folder, "--out", tmp_path / "again", "--name", "both",
         "--crop", "32")  # fmt: skip
    assert both.manifest.version == bundle.manifest.version
    assert load_bundle(tmp_path / "again").manifest.version == f"{both.manifest.version}-joined"


@pytest.fixture(scope="module")
def with_share(bundle: Bundle, found: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """Return the bundle with calibrated scores and the share of figures there."""
    folder = tmp_path_factory.mktemp("share") / "own"
    _calibrate(bundle, found, folder, "--scores")
    return load_bundle(folder)


@pytest.fixture(scope="module")
def sparse(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return pictures with few and faint spots: another laboratory."""
    folder = tmp_path_factory.mktemp("sparse")
    paths = [folder / f"s{seed}.png" for seed in range(5)]
    for seed, path in enumerate(paths):
        faint = 255 - (255 - tiny.spotted(160, 200, spots=25, seed=100 + seed)) * 0.7
        Image.fromarray(faint.astype(np.uint8)).save(path)
    return paths


def test_a_laboratory_is_known_without_a_label(
    with_share: Bundle, sparse: list[Path], tmp_path: Path
) -> None:
    _detect(sparse, with_share, tmp_path / "on")
    _detect(sparse, with_share, tmp_path / "off", "--no-prior-shift")
    own = ("bundle", "calibrate", with_share.folder, "--out")
    text = _run(*own, tmp_path / "a", "--unlabelled", tmp_path / "off")
    _run(*own, tmp_path / "b", "--unlabelled", tmp_path / "on")
    line = with_share.manifest.calibration
    assert line is not None
    plain = _scores_in(tmp_path / "off")
    shift = line.prior_shift(plain)
    assert shift is not None
    made, same = (load_bundle(tmp_path / name).manifest.calibration for name in "ab")
    assert made is not None
    assert same is not None
    assert made.laboratory == FigureShare(share=shift.estimated, candidates=len(plain), images=len(sparse))
    assert made.laboratory.share < line.figures.share / 2  # type: ignore[union-attr]
    assert (made.figures, made.slope) == (line.figures, line.slope)
    # Corrected results say by how much, so that they give the same.
    assert same.laboratory is not None
    assert same.laboratory.share == pytest.approx(made.laboratory.share, rel=1e-3)
    assert f"share of figures {made.laboratory.share:.3f} among {len(plain)} candidates on 5 slides" in text
    # A further slide is drawn towards the laboratory.
    _detect(sparse[:1], load_bundle(tmp_path / "a"), tmp_path / "again")
    before, after = (read_manifest(tmp_path / name / "s0.json")["prior_shift"] for name in ("on", "again"))
    assert (before["assumed_of"], after["assumed_of"]) == ("calibration", "laboratory")
    assert after["assumed"] == made.laboratory.share
    assert after["estimated"] < before["estimated"]
    assert after["alone"] == before["alone"]
    told = _run("bundle", "show", tmp_path / "a")
    assert f"{made.laboratory.share:.3f} of {len(plain)} expected, without labels from 5 slides" in told


def test_a_laboratory_needs_results_that_say_something(
    bundle: Bundle, with_share: Bundle, found: Path, fields: list[Path], tmp_path: Path
) -> None:
    own = ("bundle", "calibrate", with_share.folder, "--out", tmp_path / "own", "--unlabelled")
    with pytest.raises(ConfigError, match="not of this bundle"):
        _run(*own, found)
    with pytest.raises(ConfigError, match="are no probabilities"):
        _run("bundle", "calibrate", bundle.folder, "--out", tmp_path / "own", "--unlabelled", found)
    with pytest.raises(ConfigError, match="no results of detect"):
        _run(*own, tmp_path)
    _detect(fields[:1], with_share, tmp_path / "glass", "--roi", "0,0,2,2")
    with pytest.raises(ConfigError, match="no candidate on 1 slides"):
        _run(*own, tmp_path / "glass")
    _detect(fields[:1], with_share, tmp_path / "one")
    (tmp_path / "copy").mkdir()
    for path in (tmp_path / "one").glob("f0.[cj]s*"):
        (tmp_path / "copy" / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ConfigError, match="the same slide as"):
        _run(*own, tmp_path / "one", "--unlabelled", tmp_path / "copy")
    with pytest.raises(ConfigError, match="the same slide as"):
        _run(*own, tmp_path / "one", "--unlabelled", tmp_path / "one")
    damaged = read_manifest(tmp_path / "copy" / "f0.json")
    del damaged["detector"]["fingerprint"]
    (tmp_path / "copy" / "f0.json").write_text(json.dumps(damaged), encoding="utf-8")
    with pytest.raises(FormatError, match="the manifest is damaged"):
        _run(*own, tmp_path / "copy")
    for option, value in (("--pred", "one"), ("--point", "f1"), ("--weight", "5"), ("--dataset", "mine")):
        with pytest.raises(ConfigError, match=f"--unlabelled excludes {option}"):
            _run(*own, tmp_path / "one", option, value)
    with pytest.raises(ConfigError, match="neither labelled fields nor slides"):
        _run("bundle", "calibrate", with_share.folder, "--out", tmp_path / "own")
    assert not (tmp_path / "own").exists()


def test_a_threshold_is_chosen_on_corrected_scores_and_a_line_on_those_before(
    with_share: Bundle, fields: list[Path], found: Path, tmp_path: Path
) -> None:
    _detect(fields, with_share, tmp_path / "on")
    _detect(fields, with_share, tmp_path / "off", "--no-prior-shift")
    truth = found.parent / "truth.csv"

    def calibrate(pred: str, *options: str) -> str:
        return _run("bundle", "calibrate", with_share.folder, "--pred", tmp_path / pred, "--truth", truth,
                    "--mpp", "0.25", "--out", tmp_path / f"{pred}{len(options)}", *options)  # fmt: skip

    with pytest.raises(ConfigError, match="no line can be fitted"):
        calibrate("on", "--scores")
    with pytest.raises(ConfigError, match="lack the correction"):
        calibrate("off")
    calibrate("on")
    calibrate("off", "--scores")
    kept, anew = (load_bundle(tmp_path / name).manifest.calibration for name in ("on0", "off1"))
    assert kept == with_share.manifest.calibration
    assert anew is not None
    assert anew.figures == kept.figures  # type: ignore[union-attr]
