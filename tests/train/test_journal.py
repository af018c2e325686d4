from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from mitoscope.errors import OutputError
from mitoscope.train.journal import (
    BOARD_NAME,
    METRICS_NAME,
    TABLE_NAME,
    Journal,
    forget_after,
    journal,
    progress,
)

pytestmark = pytest.mark.train


def test_metrics_are_one_json_object_a_line_without_nan(tmp_path: Path) -> None:
    with journal(tmp_path, step=0, tensorboard=False) as metrics:
        metrics.record(1, {"loss": float("nan"), "f1": 0.5})
        metrics.record(2, {"loss": 0.25, "f1": None})
    lines = (tmp_path / METRICS_NAME).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": None, "f1": 0.5},
        {"step": 2, "loss": 0.25, "f1": None},
    ]


def test_the_table_has_a_column_for_every_name(tmp_path: Path) -> None:
    metrics = Journal(tmp_path)
    metrics.record(1, {"loss": 0.5})
    metrics.record(2, {"loss": 0.25, "f1": 0.75})
    with (tmp_path / TABLE_NAME).open(newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert rows == [{"step": "1", "loss": "0.5", "f1": ""}, {"step": "2", "loss": "0.25", "f1": "0.75"}]


def test_going_on_from_a_step_tells_no_step_twice(tmp_path: Path) -> None:
    metrics = Journal(tmp_path)
    for step in (2, 4, 6):
        metrics.record(step, {"loss": float(step)})
    with (tmp_path / METRICS_NAME).open("a") as stream:
        stream.write('{"step": 8, "lo')  # killed while writing
    forget_after(tmp_path, 4)
    lines = (tmp_path / METRICS_NAME).read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [2, 4]


def test_tensorboard_gets_the_same_scalars(tmp_path: Path) -> None:
    from tensorboardX.proto.event_pb2 import Event  # noqa: F401 - the package is there

    with journal(tmp_path, step=0, tensorboard=True) as metrics:
        metrics.record(3, {"loss": 0.5, "f1": None})
    (file,) = (tmp_path / BOARD_NAME).iterdir()
    content = file.read_bytes()
    assert b"loss" in content
    assert b"f1" not in content


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"metrics\.jsonl"):
        Journal(tmp_path / "none").record(1, {})


def test_plain_progress_says_the_step_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(10, start=4) as report:
        report(5, "loss 0.500")  # too soon after the start for a line
        report(10, "loss 0.400")
    assert capsys.readouterr().err == "step 10 of 10, loss 0.400, about 0 min left\n"


def test_other_processes_of_a_run_say_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(10, start=0, shown=False) as report:
        report(10, "loss 0.400")
    assert capsys.readouterr().err == ""


def test_a_terminal_gets_a_live_bar(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True)
    with progress(10, start=0) as report:
        report(10, "loss 0.400, best f1 0.812")
    assert "best f1 0.812" in capsys.readouterr().err
