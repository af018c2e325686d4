from __future__ import annotations

import pytest

from mitoscope.train.progress import progress

pytestmark = pytest.mark.train


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
