from __future__ import annotations

import pytest
from typer.testing import CliRunner

from mitoscope.cli import app
from mitoscope.cli.options import parse_mpp, parse_roi, parse_size
from mitoscope.errors import ConfigError, RegionError, ScaleError
from mitoscope.geometry import BoxPx, Mpp


def test_sizes_and_regions_are_read() -> None:
    assert parse_size("4096x3072") == (4096, 3072)
    assert parse_size("4096×3072") == (4096, 3072)
    assert parse_roi("1,2,30,40") == BoxPx(1, 2, 30, 40)
    assert parse_roi(None) is None
    assert parse_mpp(0.25) == Mpp.square(0.25)
    assert parse_mpp(None) is None


@pytest.mark.parametrize("text", ["", "4096", "axb", "1x2x3", "4096,3072"])
def test_a_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="WxH"):
        parse_size(text)


@pytest.mark.parametrize("text", ["", "1,2,3", "a,b,c,d", "0,0,0,5", "-1,0,5,5", "1,2,3,4,5", "1.5,0,5,5"])
def test_a_region_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(RegionError):
        parse_roi(text)


@pytest.mark.parametrize("value", [0.0, -1.0, 6.0, float("nan")])
def test_an_implausible_resolution_is_refused(value: float) -> None:
    with pytest.raises(ScaleError, match="--mpp"):
        parse_mpp(value)


@pytest.mark.parametrize(
    "command",
    [
        ("bundle", "calibrate", "cascade", "--dataset", " ", "--out", "new"),
        ("bundle", "adapt", "cascade", "study.mito", "--slides", ".", "--dataset", "", "--out", "new"),
        ("bundle", "adapt", "cascade", "study.mito", "--slides", ".", "--licence", "", "--out", "new"),
        ("bundle", "import", "network.onnx", "--licence", "", "--out", "new"),
        ("bundle", "import", "network.onnx", "--name", "A b", "--out", "new"),
        ("bundle", "join", "cascade", "semi-fcn", "--name", "a/b", "--out", "new"),
        ("results", "calibrate", "found", "--truth", "labels.csv", "--dataset", "", "--out", "new.json"),
    ],
)
def test_words_that_a_bundle_cannot_state_are_refused_at_once(command: tuple[str, ...]) -> None:
    done = CliRunner().invoke(app, list(command), standalone_mode=False)
    assert isinstance(done.exception, ConfigError)
    assert str(done.exception).startswith(("--dataset", "--licence", "--name"))
