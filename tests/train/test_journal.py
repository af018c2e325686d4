from __future__ import annotations

import json
from pathlib import Path

import pytest

from mitoscope.errors import OutputError
from mitoscope.train.journal import METRICS_NAME, progress, record

pytestmark = pytest.mark.train


def test_metrics_are_one_json_object_a_line_without_nan(tmp_path: Path) -> None:
    record(tmp_path, step=1, loss=float("nan"), f1=0.5)
    record(tmp_path, step=2, loss=0.25, f1=None)
    lines = (tmp_path / METRICS_NAME).read_text().splitlines()
    assert [json.loads(line) for line in lines] == [
        {"step": 1, "loss": None, "f1": 0.5},
        {"step": 2, "loss": 0.25, "f1": None},
    ]


def test_a_folder_that_is_not_there_is_a_typed_error(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"metrics\.jsonl"):
        record(tmp_path / "none", step=1)


def test_plain_progress_says_the_step_and_the_time_left(capsys: pytest.CaptureFixture[str]) -> None:
    with progress(10, start=4) as report:
        report(5, "loss 0.500")  # too soon after the start for a line
        report(10, "loss 0.400")
    assert capsys.readouterr().err == "step 10 of 10, loss 0.400, about 0 min left\n"
