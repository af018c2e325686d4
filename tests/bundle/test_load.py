"""Promise 20: weights are what they say, or nothing starts."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mitoscope.bundle import Bundle, load_bundle, verify_bundle, write_bundle
from mitoscope.bundle.load import SEAL_NAME, seal
from mitoscope.errors import BundleDamagedError, BundleNotFoundError, ConfigError


@pytest.fixture
def copy(tiny_bundle: Bundle, tmp_path: Path) -> Path:
    return Path(shutil.copytree(tiny_bundle.folder, tmp_path / "copy"))


def _flip(path: Path, random: np.random.Generator) -> None:
    content = bytearray(path.read_bytes())
    content[random.integers(len(content))] ^= 1 << int(random.integers(8))
    path.write_bytes(content)


def _edit_and_seal(folder: Path, edit: Callable[[dict[str, object]], None]) -> None:
    path = folder / "manifest.json"
    values = json.loads(path.read_bytes())
    edit(values)
    path.write_text(json.dumps(values), encoding="utf-8")
    (folder / SEAL_NAME).write_bytes(seal(path.read_bytes()))


def test_a_bundle_comes_back_as_it_was_written(tiny_bundle: Bundle) -> None:
    again = load_bundle(tiny_bundle.folder)
    manifest = again.manifest
    assert repr(again) == f"<Bundle {manifest.name} {manifest.version}, which finds {manifest.detects}>"
    assert again == tiny_bundle
    assert again.read("CARD.md") == b"# tiny\n"
    assert verify_bundle(again) == len(again.manifest.self_test.points) > 0


def _as_before_points(values: dict[str, object], **changes: object) -> None:
    """Make the manifest one of those that stated a threshold for each protocol."""
    del values["points"], values["default_point"]
    values.update({"thresholds": {"midog": 0.4, "tupac": 0.6}, "default_protocol": "tupac", **changes})


def test_a_bundle_that_stated_a_threshold_for_each_protocol_has_points(copy: Path) -> None:
    metric = {"name": "f1", "protocol": "tupac", "value": 0.6, "ci_low": 0.5, "ci_high": 0.7, "images": 35}
    chosen = {**metric, "dataset": "MiDeSeC (never trained on; threshold chosen here)", "threshold": 0.6}
    elsewhere = {**metric, "dataset": "held-out cases", "threshold": 0.6}
    _edit_and_seal(copy, lambda values: _as_before_points(values, metrics=[elsewhere, chosen]))
    manifest = load_bundle(copy).manifest
    assert [(point.name, point.protocol, point.threshold) for point in manifest.points] == [
        ("f1-midog", "midog", 0.4),
        ("f1", "tupac", 0.6),
    ]
    assert (manifest.default_threshold, manifest.point().chosen_on, manifest.point().cases) == (
        0.6,
        "MiDeSeC",
        35,
    )
    assert manifest.point("f1-midog").chosen_on == "data that the bundle does not name"


@pytest.mark.parametrize(
    "changes",
    [
        {"default_protocol": "cmc"},
        {"thresholds": {}},
        {"thresholds": {"tupac": "high"}},
        {"thresholds": [0.5]},
        {"metrics": [0.5]},
        {"metrics": 7},
        {"thresholds": {"tupac": 0.1}},
        {"points": []},
    ],
)
def test_an_old_manifest_that_does_not_hold_is_refused(copy: Path, changes: dict[str, object]) -> None:
    _edit_and_seal(copy, lambda values: _as_before_points(values, **changes))
    with pytest.raises(BundleDamagedError):
        load_bundle(copy)


def test_a_point_that_a_bundle_lacks_is_refused_with_those_it_has(tiny_bundle: Bundle) -> None:
    with pytest.raises(ConfigError, match=re.escape("tiny 1.0.0 has no operating point 'robust'")) as caught:
        tiny_bundle.manifest.point("robust")
    assert caught.value.mend == "one of: f1"


def test_no_flipped_byte_gets_through(tiny_bundle: Bundle, copy: Path) -> None:
    random = np.random.default_rng(20)
    files = sorted(path.name for path in tiny_bundle.folder.iterdir())
    sizes = np.array([(copy / name).stat().st_size for name in files], dtype=np.float64)
    # Half of the flips by size, half evenly over the files, so that the small ones get their share.
    chances = 0.5 * sizes / sizes.sum() + 0.5 / len(files)
    for _ in range(200):
        name = str(random.choice(files, p=chances))
        _flip(copy / name, random)
        with pytest.raises(BundleDamagedError):
            load_bundle(copy)
        shutil.copyfile(tiny_bundle.folder / name, copy / name)
    assert load_bundle(copy).fingerprint == tiny_bundle.fingerprint


def test_control_onnxruntime_alone_runs_flipped_weights(tiny_bundle: Bundle) -> None:
    """The naive loader: whatever ONNX Runtime accepts. It takes most flips without a word."""
    ort = pytest.importorskip("onnxruntime")
    random, accepted = np.random.default_rng(20), 0
    options = ort.SessionOptions()
    options.log_severity_level = 4
    for _ in range(50):
        content = bytearray(tiny_bundle.onnx)
        content[random.integers(len(content))] ^= 1 << int(random.integers(8))
        try:
            ort.InferenceSession(bytes(content), sess_options=options)
            accepted += 1
        except Exception:
            continue
    assert accepted > 10


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sha256", "detector.onnx", "self-test.png"])
@pytest.mark.parametrize("keep", [0.0, 0.5, 0.99])
def test_a_truncated_file_is_refused(copy: Path, name: str, keep: float) -> None:
    content = (copy / name).read_bytes()
    (copy / name).write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(BundleDamagedError):
        load_bundle(copy)


@pytest.mark.parametrize("name", ["manifest.json", "manifest.json.sha256", "detector.onnx", "CARD.md"])
def test_a_missing_file_is_refused(copy: Path, name: str) -> None:
    (copy / name).unlink()
    with pytest.raises(BundleDamagedError, match="missing"):
        load_bundle(copy)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("labels", ["look-alike"]),
        ("labels", ["look-alike", "mitotic figure"]),
        ("detects", "look-alike"),
        ("architecture", "retinanet"),
        ("mpp", 0.5),
        ("mpp", 25.0),
        ("stride_px", 4),
        ("halo_px", 0),
        ("window_px", 128),
        ("top_k", 47),
        ("format", "mitoscope-bundle/2"),
        ("score_floor", 0.9),
        ("score_floor", float("nan")),
        ("detector", "../detector.onnx"),
        ("detector", "CARD.md"),
        ("colour", "red"),
    ],
)
def test_an_edited_manifest_is_refused_even_when_sealed_anew(copy: Path, key: str, value: object) -> None:
    _edit_and_seal(copy, lambda values: values.update({key: value}))
    with pytest.raises(BundleDamagedError):
        load_bundle(copy)


def test_an_edited_manifest_is_refused(copy: Path) -> None:
    path = copy / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"mitotic figure"', b'"look-alike"'))
    with pytest.raises(BundleDamagedError, match="its hash is not the one in"):
        load_bundle(copy)


def test_an_exchanged_graph_is_refused_even_when_sealed_anew(
    copy: Path, tiny: ModuleType, tmp_path: Path
) -> None:
    other = write_bundle(
        tmp_path / "other",
        description=tiny.tiny_description(mpp=0.5),
        onnx={"detector.onnx": tiny.tiny_onnx(stretch=1.1)},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    (copy / "detector.onnx").write_bytes(other.onnx)
    entry = other.manifest.files["detector.onnx"].model_dump()
    _edit_and_seal(copy, lambda values: values["files"].update({"detector.onnx": entry}))  # type: ignore[attr-defined]
    with pytest.raises(BundleDamagedError, match="contradict"):
        load_bundle(copy)


def test_other_weights_fail_the_self_test(tiny: ModuleType, tmp_path: Path, copy: Path) -> None:
    other = write_bundle(
        tmp_path / "other",
        description=tiny.tiny_description(),
        onnx={"detector.onnx": tiny.tiny_onnx(stretch=1.1)},
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )
    (copy / "detector.onnx").write_bytes(other.onnx)
    entry = other.manifest.files["detector.onnx"].model_dump()
    _edit_and_seal(copy, lambda values: values["files"].update({"detector.onnx": entry}))  # type: ignore[attr-defined]
    with pytest.raises(BundleDamagedError, match="self-test"):
        verify_bundle(load_bundle(copy))


def test_a_file_that_changes_after_loading_is_noticed(copy: Path) -> None:
    bundle = load_bundle(copy)
    _flip(copy / "detector.onnx", np.random.default_rng(0))
    with pytest.raises(BundleDamagedError):
        _ = bundle.onnx


def test_an_unknown_bundle_lists_the_known_ones(monkeypatch: pytest.MonkeyPatch, tiny_bundle: Bundle) -> None:
    monkeypatch.setattr("mitoscope.bundle.load.shelf", lambda: tiny_bundle.folder.parent)
    assert load_bundle("tiny") == tiny_bundle
    with pytest.raises(BundleNotFoundError, match="known: tiny"):
        load_bundle("retinanet")


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BundleDamagedError, match=r"manifest\.json: missing"):
        load_bundle(tmp_path)


@pytest.mark.parametrize(
    ("edit", "what"),
    [
        (lambda values: values.pop("name"), "key 'name' is missing"),
        (
            lambda values: values.update(window_px="wide"),
            "key 'window_px' must be a whole number, not 'wide'",
        ),
        (lambda values: values.update(staining="H&E"), "unknown setting 'staining'"),
    ],
)
def test_a_manifest_that_does_not_fit_says_so_in_plain_words(
    copy: Path, edit: Callable[[dict[str, object]], None], what: str
) -> None:
    _edit_and_seal(copy, edit)
    with pytest.raises(BundleDamagedError, match=f"{re.escape(what)}.*; install or copy the bundle again$"):
        load_bundle(copy)
    path = copy / "manifest.json"
    path.write_text("{", encoding="utf-8")
    (copy / SEAL_NAME).write_bytes(seal(path.read_bytes()))
    with pytest.raises(BundleDamagedError, match="not JSON"):
        load_bundle(copy)
