"""``mitoscope bundle adapt``, as a user sees it."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from mitoscope.bundle import load_bundle
from mitoscope.cli import app
from mitoscope.errors import BundleError, ConfigError, NotBetterError, OutputError
from mitoscope.loops.classify import CellClassifier
from mitoscope.truth import GroundTruth
from tests.loops.adapting import laboratory, write_detector


def write_labels(truth: GroundTruth, path: Path) -> Path:
    with path.open("w", encoding="utf-8", newline="") as stream:
        rows = csv.writer(stream)
        rows.writerow(("image", "x", "y", "label"))
        for slide in truth:
            for (x, y), label in zip(slide.cells.points_px0.tolist(), slide.cells.label, strict=True):
                rows.writerow((slide.name, x, y, label))
    return path


def adapt(folder: Path, truth: GroundTruth) -> Result:
    bundle = write_detector(folder / "dark")
    labels = write_labels(truth, folder / "labels.csv")
    words = (
        "bundle",
        "adapt",
        bundle.folder,
        labels,
        "--slides",
        folder,
        "--out",
        folder / "new",
        "--mpp",
        "0.25",
    )
    return CliRunner().invoke(app, [str(word) for word in words], standalone_mode=False)


def test_a_detector_is_adapted_to_a_file_of_labels(tmp_path: Path) -> None:
    truth, _ = laboratory(tmp_path)
    done = adapt(tmp_path, truth)
    assert done.exception is None
    lines = done.output.splitlines()
    assert lines[0] == "searching 6 slides with dark 1.0.0"
    assert lines[1].startswith("learning from ")
    assert lines[-2].startswith("on 6 held-out cases average precision ")
    made = load_bundle(tmp_path / "new").manifest
    assert lines[-1] == (
        f"dark 1.0.0-adapted written to {tmp_path / 'new'}; threshold {made.default_threshold:.3f}"
    )
    assert made.training[0].name == "own slides"
    assert made.training[0].labels is not None


def test_what_is_not_better_is_not_written(tmp_path: Path) -> None:
    truth, _ = laboratory(tmp_path, by_chance=True)
    done = adapt(tmp_path, truth)
    assert isinstance(done.exception, NotBetterError)
    assert not (tmp_path / "new").exists()


def test_a_folder_that_exists_is_refused_before_anything_is_searched(tmp_path: Path) -> None:
    truth, _ = laboratory(tmp_path, fields=3)
    (tmp_path / "new").mkdir()
    done = adapt(tmp_path, truth)
    assert isinstance(done.exception, OutputError)
    assert "searching" not in done.output


def test_without_onnx_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    truth, _ = laboratory(tmp_path, fields=3)
    monkeypatch.setattr("mitoscope.cli.bundle.util.find_spec", lambda name: None)
    done = adapt(tmp_path, truth)
    assert isinstance(done.exception, ConfigError)
    assert "make setup EXTRAS=adapt" in str(done.exception)


def test_labelled_cells_are_classified_with_their_confusion_and_roc_auc(tmp_path: Path) -> None:
    truth, _ = laboratory(tmp_path)
    bundle, labels = write_detector(tmp_path / "dark"), write_labels(truth, tmp_path / "labels.csv")
    words = ["bundle", "classify", bundle.folder, labels, "--slides", tmp_path, "--mpp", "0.25"]
    done = CliRunner().invoke(app, [*map(str, words), "--json"], standalone_mode=False)
    assert done.exception is None, done.output
    found = json.loads(done.stdout)
    classes = found["classes"]
    assert {name: one["cells"] for name, one in classes.items()} == truth.counts()
    right = sum(one["taken_for"][name] for name, one in classes.items())
    assert found["accuracy"] == pytest.approx(right / sum(truth.counts().values()))
    assert all(0 <= one["roc_auc"] <= 1 for one in classes.values())
    shown = CliRunner().invoke(app, [*map(str, words)], standalone_mode=False)
    assert "ROC AUC" in shown.output
    assert f"accuracy {found['accuracy']:.3f}" in shown.output
    with pytest.raises(BundleError, match="tells no classes of cells apart"):
        CellClassifier.of(load_bundle("semi-fcn"))
