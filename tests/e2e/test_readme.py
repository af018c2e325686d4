"""The README's commands work as they stand, in their order, for a new user."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

FENCE = re.compile(r"^```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)


def blocks(project: Path, language: str) -> list[str]:
    """Return the code blocks of the README in one language."""
    text = (project / "README.md").read_text(encoding="utf-8")
    return [body for kind, body in FENCE.findall(text) if kind == language]


def commands(project: Path) -> list[str]:
    """Return the README's shell commands without their comments."""
    lines = "".join(blocks(project, "sh")).splitlines()
    return [line.split(" #")[0].strip() for line in lines if line.strip()]


def shell(command: str, folder: Path, *, timeout: float) -> str:
    environment = dict(os.environ)
    environment["PATH"] = f"{Path(sys.executable).parent}:{environment['PATH']}"
    environment.pop("VIRTUAL_ENV", None)
    done = subprocess.run(
        command,
        shell=True,
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=timeout,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def test_the_commands_for_a_slide_work_in_their_order(project: Path, tmp_path: Path) -> None:
    run = [command for command in commands(project) if command.startswith("mitoscope ")]
    assert [command.split()[1] for command in run] == [
        "synth",
        "detect",
        "count",
        "evaluate",
        "bundle",
        "doctor",
    ]
    printed = [shell(command, tmp_path, timeout=300) for command in run]
    assert "mitotic count" in printed[1]
    assert "F1" in printed[3]
    files = {path.suffix for path in (tmp_path / "results").iterdir()}
    assert {".html", ".csv", ".json", ".geojson", ".png", ".ledger"} <= files


def test_the_python_of_the_readme_works(project: Path, tmp_path: Path) -> None:
    shell("mitoscope synth --out slide.tiff --size 1024x768 --tissue 1", tmp_path, timeout=120)
    (body,) = blocks(project, "python")
    (tmp_path / "example.py").write_text(body, encoding="utf-8")
    assert "mitotic figures in" in shell("python example.py", tmp_path, timeout=120)


_DEMO = "mitoscope demo --out demo\n"


@pytest.mark.timeout(900)
def test_make_demo_works_twice_in_a_clean_clone(project: Path, tmp_path: Path) -> None:
    assert "make demo" in commands(project)
    if shutil.which("git") is None or not (project / ".git").exists():
        pytest.skip("not a checkout of git")
    clone = tmp_path / "clone"
    shell(f"git clone --quiet --depth 1 file://{project} {clone}", tmp_path, timeout=120)
    first = shell("make demo", clone, timeout=840)
    assert "mitotic count" in first
    page = (clone / "demo" / "synthetic.html").read_bytes()
    assert len(page) > 100_000
    # The second time everything is there: nothing is searched again, and the bytes are the same. What make
    # says before is of the set-up, which has less to do.
    second = shell("make demo", clone, timeout=120)
    assert second.partition(_DEMO)[2] == first.partition(_DEMO)[2] != ""
    assert (clone / "demo" / "synthetic.html").read_bytes() == page


def test_make_test_is_what_continuous_integration_calls(project: Path) -> None:
    assert "make test" in commands(project)
    assert "make test" in (project / ".ci" / "run").read_text(encoding="utf-8")
    assert "pytest" in shell("make -n test", project, timeout=60)
