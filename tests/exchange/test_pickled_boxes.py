"""The pickled results published with CMC and CCMCT are read as data, and nothing in them is run."""

from __future__ import annotations

import bz2
import collections
import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import mitoscope
from mitoscope.errors import FormatError
from mitoscope.exchange import read_any_predictions
from mitoscope.exchange.foreign import read_foreign
from mitoscope.exchange.pickled import STEPS_MOST, read_pickle
from mitoscope.exchange.registry import detect_format
from mitoscope.geometry import Mpp

SECOND: list[Any] = [np.float64(200), 300, 251.0, 350, np.int64(0), np.array(0.875, np.float32)]
ROWS: dict[str, Any] = {
    "a.svs": [np.array([100.0, 100, 150, 150, 0, 0.5]), SECOND],
    "b.svs": np.array([[0.0, 0, 50, 50, 0, 0.75]]),
    "none.svs": [],
}


def packed(path: Path, value: object, protocol: int = 4) -> Path:
    path.write_bytes(bz2.compress(pickle.dumps(value, protocol=protocol)))
    return path


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_published_results_are_read_as_they_were_written(protocol: int, tmp_path: Path) -> None:
    file = packed(tmp_path / "test-inference_results_boxes.p.bz2", ROWS, protocol)
    assert detect_format(file).name == "pickled-boxes"
    found = read_any_predictions(file)
    assert {name: (one.x_px0.tolist(), one.score.tolist()) for name, one in found.items()} == {
        "a": ([125.0, 225.5], [0.5, 0.875]),
        "b": ([25.0], [0.75]),
        "none": ([], []),
    }
    assert read_foreign(file, mpp=Mpp.square(0.25)).images == ("a", "b", "none")


def test_scores_of_tensors_are_read_without_torch(tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    scores = torch.tensor([0.25, 0.625])
    rows = {"a.svs": [[1, 2, 3, 4, 0, scores[1]], [1, 2, 3, 4, 0, torch.tensor(0.5, dtype=torch.float64)]]}
    (found,) = read_any_predictions(packed(tmp_path / "a.p.bz2", rows, 3)).values()
    assert found.score.tolist() == [0.625, 0.5]


def test_they_are_judged_like_any_predictions(tmp_path: Path) -> None:
    truth = tmp_path / "truth.csv"
    truth.write_text("image,x,y,label\na.svs,125,125,Mitosis\na.svs,900,900,Mitosis\nb.svs,25,60,Mitosis\n")
    file = packed(tmp_path / "found.p.bz2", ROWS)
    scored = mitoscope.evaluate(file, truth, protocol="cmc", threshold=0.3).score
    assert (scored.tp, scored.fp, scored.fn) == (1, 2, 2)


class Hostile:
    """What runs a command where it is unpickled."""

    def __init__(self, marker: Path) -> None:
        self.marker = marker

    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, (f"touch {self.marker}",)


@pytest.mark.parametrize("protocol", [2, 4])
def test_a_hostile_pickle_runs_nothing(protocol: int, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    rows = {"a.svs": [[1, 2, 3, 4, 0, Hostile(marker)]]}
    pickle.loads(pickle.dumps(rows, protocol))
    assert marker.exists()  # it does where it is let
    marker.unlink()
    for read in (read_any_predictions, read_pickle):
        with pytest.raises(FormatError, match=r"a pickle that holds \w+\.system: .* may run code"):
            read(packed(tmp_path / "a.p.bz2", rows, protocol))
    assert not marker.exists()


GLOBAL = b"\x80\x03cnumpy\nndarray\n"


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"\x80\x03cbuiltins\neval\nX\x01\x00\x00\x001\x85R.", "builtins.eval"),
        (GLOBAL + b"}X\x01\x00\x00\x00aK\x01sb.", "an object with a state"),
        (GLOBAL + b"J\xff\xff\xff\x7f\x85R.", "array class"),  # an array of 2³¹ is not made
        (b"\x80\x03}r\xff\xff\xff\x7f.", None),  # nor a memo of 2³¹ places
        (b"\x80\x03\x8e\xff\xff\xff\xff\xff\xff\xff\x7f.", "a damaged pickle"),
        (b"\x80\x03i__main__\nhostile\n.", "the instruction INST"),
        (b"\x80\x03}Q.", "a reference to something outside of it"),
        (b"\x80\x03h\x07.", "a damaged pickle"),
        (b"\x80\x03R.", "a damaged pickle"),
        (b"\x80\x03}", "a damaged pickle"),
        (b"BZh91AY&SY1234", "cannot be read"),
    ],
)
def test_what_is_no_data_is_refused_in_a_line(content: bytes, what: str | None, tmp_path: Path) -> None:
    file = tmp_path / "a.p"
    file.write_bytes(content)
    if what is None:
        assert read_any_predictions(file) == {}
        return
    with pytest.raises(FormatError) as error:
        read_any_predictions(file)
    assert what in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("rows", "what"),
    [
        ([1, 2], "boxes by slide expected"),
        ({"a\nb": 3}, r"a list of boxes expected .*'a\nb'"),
        ({"a": [[1, 2, 3, 4, 0]]}, "six finite numbers"),
        ({"a": [[1, 2, 3, 4, 0, float("nan")]]}, "six finite numbers"),
        ({"a": [[1, 2, 3, 4, 0, 1 << 5000]]}, "the instruction LONG4"),
        ({"a": [np.array([1, 2, 3, 4, 0, None])]}, "arrays of 'O8'"),
        ({"a": [[1, 2, 3, 4, 1, 0.5]]}, "got class 1"),
        ({"a": [[1, 2, 3, 4, 0, 5.0]]}, "score 5"),
        ({"a": [collections.Counter()]}, "collections.Counter"),
    ],
)
def test_rows_of_another_kind_are_refused(rows: object, what: str, tmp_path: Path) -> None:
    with pytest.raises(FormatError) as error:
        read_any_predictions(packed(tmp_path / "a.p.bz2", rows))
    assert all(part in str(error.value) for part in what.split(" .*"))
    assert "\n" not in str(error.value)


def test_a_small_file_makes_no_large_work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.exchange.pickled.STEPS_MOST", STEPS_MOST // 10_000)
    with pytest.raises(FormatError, match="too many instructions"):
        read_any_predictions(packed(tmp_path / "steps.p.bz2", {"a": [None] * 10_000}))
    row = [1, 2, 3, 4, 0, 0.5]
    many = [row] * 100
    monkeypatch.setattr("mitoscope.exchange.pickled_boxes.BOXES_MOST", 1000)
    with pytest.raises(FormatError, match=r"more than 1,000 boxes"):
        read_any_predictions(packed(tmp_path / "many.p.bz2", {str(n): many for n in range(20)}))
    monkeypatch.setattr("mitoscope.exchange.pickled.BYTES_MOST", 1 << 20)
    (tmp_path / "bomb.p.bz2").write_bytes(bz2.compress(b"\x80\x03" + bytes(3 << 20)))
    with pytest.raises(FormatError, match="more than 1 MB unpacked"):
        read_any_predictions(tmp_path / "bomb.p.bz2")
