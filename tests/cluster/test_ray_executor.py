"""Runs as tasks of Ray: retried where a process dies, errors as they were raised, nothing left behind."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytest.importorskip("ray")
_SCRIPT = Path(__file__).with_name("runs_in_child.py")


def test_runs_are_computed_retried_told_of_and_stopped_and_nothing_is_left(tmp_path: Path) -> None:
    command = [sys.executable, str(_SCRIPT), str(tmp_path)]
    environment = {**os.environ, "TMPDIR": str(tmp_path)}  # too long for Ray's sockets
    child = subprocess.run(command, capture_output=True, text=True, timeout=240, env=environment, check=False)
    assert child.returncode == 0, child.stderr
    found = json.loads(child.stdout)  # Ray itself prints nothing there, though a process was killed
    session = Path(found.pop("session"))
    assert found == {
        "slots": 2,
        "squares": [[number, number * number] for number in range(8)],
        "raised": "ConfigError square: no thirteen; take another number",
        "told": [1, 5],
        "counted": 5,
        "stopped": "StoppedError stopped",
    }
    assert (tmp_path / "died").exists()
    assert session.parent.name.startswith("mitoscope-ray-")
    assert not session.parent.exists()
    assert not list(tmp_path.glob(".mitoscope-*"))
    left = [process for process in psutil.process_iter(["cmdline"]) if str(session) in str(process.info)]
    assert not left
