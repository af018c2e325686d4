"""Kinds of figures: which detections get one, its place in the ledger, and what stops it."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, write_bundle
from mitoscope.bundle.write import revise
from mitoscope.errors import StoppedError
from mitoscope.infer import DetectConfig, Networks, SlideRun, detect_slide, open_networks
from mitoscope.labels import ATYPICAL_FIGURE, CANDIDATE, MITOTIC_FIGURE, is_figure
from mitoscope.slide import open_slide

CONFIG = DetectConfig(mpp=0.25, chunk_px=110, threads=1, subtype=True)


@pytest.fixture(autouse=True)
def _no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.infer.detect.open_slide", functools.partial(open_slide, probe=False))


@pytest.fixture(scope="module")
def kinds(tiny: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """The tiny detector, and a subtype that finds the darker half of the spots."""
    return write_bundle(
        tmp_path_factory.mktemp("bundles") / "kinds",
        description=tiny.tiny_description(
            verifier=tiny.tiny_verifier(), subtype=tiny.tiny_subtype(threshold=0.3)
        ),
        onnx={
            "detector.onnx": tiny.tiny_onnx(),
            "verifier.onnx": tiny.verifier_onnx(),
            "subtype.onnx": tiny.verifier_onnx(gain=0.9),
        },
        self_test_rgb=tiny.spotted(64, 64, spots=4, seed=1),
    )


def _detect(
    path: Path, bundle: Bundle, out: Path, *, networks: Networks | None = None, **changes: object
) -> SlideRun:
    config = CONFIG.model_copy(update={"threshold": 0.25} | changes)
    return detect_slide(path, bundle, out, config=config, networks=networks)


def _expected(
    rgb: NDArray[np.uint8], points: NDArray[np.float64], tiny: ModuleType, *, flips: bool = False
) -> NDArray[np.bool_]:
    side = tiny.CROP_PX
    whole = np.pad(rgb, ((side, side), (side, side), (0, 0)), mode="symmetric")
    corners = np.rint(points - side / 2).astype(int) + side
    crops = [255.0 - whole[y : y + side, x : x + side].transpose(2, 0, 1) for x, y in corners]
    weights = tiny.verifier_weights(0.9)[0]
    if flips:
        views = (weights, weights[:, ::-1], weights[:, :, ::-1], weights[:, ::-1, ::-1])
        weights = np.mean(views, axis=0)
    return np.array([(crop * weights).sum() > 0.3 for crop in crops])


def test_the_mean_of_mirror_images_counts(
    field: Path, picture: NDArray[np.uint8], tiny: ModuleType, kinds: Bundle, tmp_path: Path
) -> None:
    flips = revise(kinds, tmp_path / "flips", {"subtype": tiny.tiny_subtype(threshold=0.3, flips=True)})
    run, plain = _detect(field, flips, tmp_path / "on"), _detect(field, kinds, tmp_path / "off")
    figures = run.figures
    assert not np.array_equal(figures.label, plain.figures.label), "the weights are not symmetric"
    atypical = figures.label == ATYPICAL_FIGURE.name
    assert np.array_equal(atypical, _expected(picture, figures.points_px0, tiny, flips=True))


def test_every_figure_and_no_candidate_gets_a_kind(
    field: Path, picture: NDArray[np.uint8], tiny: ModuleType, kinds: Bundle, tmp_path: Path
) -> None:
    run = _detect(field, kinds, tmp_path / "on")
    off = _detect(field, kinds, tmp_path / "off", subtype=False)
    assert set(off.detections.label) == {MITOTIC_FIGURE.name}
    assert (off.subtype, run.subtype) == (None, kinds.manifest.subtype)
    found, figures = run.detections, run.detections.score > run.threshold
    assert np.array_equal(found.points_px0, off.detections.points_px0)
    assert np.array_equal(found.score, off.detections.score)
    atypical = found.label == ATYPICAL_FIGURE.name
    assert 3 < atypical.sum() < figures.sum() < len(found), "the test needs all three"
    assert np.array_equal(atypical[figures], _expected(picture, found.points_px0[figures], tiny))
    assert not atypical[~figures].any()
    assert all(map(is_figure, found.label))
    assert set(found.stated_label[~figures]) == {CANDIDATE.name}
    assert 0 < run.timings.subtype_network_s <= run.timings.subtype_wall_s
    assert off.timings.subtype_wall_s == 0


def _refuse(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
    raise AssertionError("a network is asked for what is recorded")


def _counting(network: Callable[[NDArray[np.uint8]], NDArray[np.float32]], sizes: list[int]) -> Networks:
    def counted(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        sizes.append(len(windows))
        return network(windows)

    return Networks(_refuse, _refuse, subtype=counted)


def test_no_figure_is_looked_at_twice(field: Path, kinds: Bundle, tmp_path: Path) -> None:
    whole = _detect(field, kinds, tmp_path / "whole", threshold=0.2)
    first = _detect(field, kinds, tmp_path / "steps", threshold=0.25)
    network, sizes = open_networks(kinds, CONFIG).subtype, list[int]()
    assert network is not None
    again = _detect(field, kinds, tmp_path / "steps", networks=_counting(network, sizes))
    assert (sizes, again.detections == first.detections) == ([], True)
    # A lower threshold makes figures of more candidates: only those are new.
    more = _detect(field, kinds, tmp_path / "steps", threshold=0.2, networks=_counting(network, sizes))
    assert sum(sizes) == len(more.figures) - len(first.figures) > 0
    assert more.detections == whole.detections


def test_a_stopped_run_goes_on_with_the_figures_that_are_left(
    field: Path, kinds: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("mitoscope.infer.verify.PART", 7)
    expected = _detect(field, kinds, tmp_path / "whole").detections
    opened, sizes = open_networks(kinds, CONFIG), list[int]()
    assert opened.subtype is not None

    def stop(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        if len(sizes) == 2:
            raise KeyboardInterrupt
        sizes.append(len(windows))
        assert opened.subtype is not None
        return opened.subtype(windows)

    with pytest.raises(StoppedError, match="kinds"):
        _detect(field, kinds, tmp_path / "out", networks=replace(opened, subtype=stop))
    assert sizes == [7, 7]
    left = list[int]()
    run = _detect(field, kinds, tmp_path / "out", networks=_counting(opened.subtype, left))
    assert run.detections == expected
    assert sum(left) == len(run.figures) - 14


@pytest.mark.parametrize("changes", [{"threads": 2}, {"chunk_px": 60}, {"window_px": 96}])
def test_the_way_of_working_changes_no_kind(
    field: Path, kinds: Bundle, tmp_path: Path, changes: dict[str, Any]
) -> None:
    expected = _detect(field, kinds, tmp_path / "plain").detections
    assert _detect(field, kinds, tmp_path / "other", **changes).detections == expected


def test_figures_of_the_first_stage_alone_have_kinds_too(field: Path, kinds: Bundle, tmp_path: Path) -> None:
    run = _detect(field, kinds, tmp_path, stage="proposals", threshold=0.4)
    assert set(run.figures.label) == {MITOTIC_FIGURE.name, ATYPICAL_FIGURE.name}
