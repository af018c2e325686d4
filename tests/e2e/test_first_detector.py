"""The page "Your first detector" works as it stands, for somebody who does what it says."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from .test_readme import FENCE, shell


@pytest.mark.train
def test_the_way_from_two_experts_to_a_judged_detector(project: Path, tmp_path: Path) -> None:
    text = (project / "docs" / "researchers" / "first-detector.md").read_text(encoding="utf-8")
    printed = ""
    for language, body in FENCE.findall(text):
        if language == "sh":
            for command in body.splitlines():
                printed += shell(command, tmp_path, timeout=280)
        elif language == "python":
            subprocess.run([sys.executable, "-c", body], cwd=tmp_path, check=True)
        elif language == "csv":
            (tmp_path / "split.csv").write_text(body, encoding="utf-8")
        else:
            shorter = body.replace("steps = 150", "steps = 40").replace("every = 75", "every = 40")
            (tmp_path / "small.toml").write_text(shorter, encoding="utf-8")
    found = re.search(r"F1 +(\d\.\d+)", printed)
    assert found is not None, printed
    assert float(found[1]) > 0.3  # a detector that has learnt nothing finds one figure among ten
    assert (tmp_path / "results" / "s3.html").exists()
