"""The example files of docs/cluster are ones that their programs read."""

from __future__ import annotations

import subprocess
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mitoscope.cli import app

yaml: Any = import_module("yaml")
FOLDER = Path(__file__).parents[2] / "docs" / "cluster"


@pytest.mark.parametrize("name", ["slurm.sh", "ssh.sh"])
def test_a_script_is_one(name: str) -> None:
    checked = subprocess.run(["bash", "-n", str(FOLDER / name)], capture_output=True, text=True, check=False)
    assert (checked.returncode, checked.stderr) == (0, "")
    assert len((FOLDER / name).read_text(encoding="utf-8").splitlines()) < 40


def test_the_manifest_is_of_a_ray_job_whose_pods_share_image_and_volume() -> None:
    job = yaml.safe_load((FOLDER / "kuberay.yaml").read_text(encoding="utf-8"))
    assert (job["apiVersion"], job["kind"]) == ("ray.io/v1", "RayJob")
    cluster = job["spec"]["rayClusterSpec"]
    groups = [cluster["headGroupSpec"], *cluster["workerGroupSpecs"]]
    pods = [group["template"]["spec"] for group in groups]
    assert len({pod["containers"][0]["image"] for pod in pods}) == 1
    assert len({str(pod["volumes"]) for pod in pods}) == 1


@pytest.mark.parametrize("name", ["slurm.sh", "ssh.sh", "kuberay.yaml"])
def test_the_options_of_the_command_exist(name: str) -> None:
    text = (FOLDER / name).read_text(encoding="utf-8")
    known = CliRunner().invoke(app, ["detect", "--help"]).output
    command = text[text.index("mitoscope detect") :].splitlines()[0].split()
    used = [word for word in command if word.startswith("--")]
    assert used == ["--slides-from", "--out", "--cluster"]
    assert all(option in known for option in used)
