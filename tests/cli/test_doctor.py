from __future__ import annotations

import json
import tomllib
from contextlib import nullcontext
from importlib import util
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mitoscope import cluster
from mitoscope.cli import app
from mitoscope.cli.doctor import EXTRAS
from mitoscope.cluster import NodeReport, Request, versions_of


def test_it_names_versions_readers_providers_and_bundles() -> None:
    result = CliRunner().invoke(app, ["doctor", "--json"])
    findings = json.loads(result.output)
    assert result.exit_code == 0
    assert findings["ok"] is True
    assert "CPUExecutionProvider" in findings["providers"]
    assert set(findings["readers"]) == {"openslide", "simplejpeg", "pillow"}
    assert "self-test passed" in findings["bundles"]["cascade"]


def test_it_names_the_command_that_mends_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    real = util.find_spec
    monkeypatch.setattr(util, "find_spec", lambda name: None if name == "umap" else real(name))
    lines = CliRunner().invoke(app, ["doctor"]).output
    assert "make setup EXTRAS=embed" in lines


def test_it_knows_every_extra() -> None:
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text(encoding="utf-8"))
    assert set(EXTRAS) == set(project["project"]["optional-dependencies"])


def test_a_damaged_bundle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from mitoscope import bundle
    from mitoscope.errors import BundleDamagedError

    def refuse(name: str) -> None:
        raise BundleDamagedError("its hash is another", where=name)

    monkeypatch.setattr(bundle, "load_bundle", refuse)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "damaged: cascade: its hash is another" in result.output


def test_it_shows_what_a_cluster_has_and_which_node_differs(monkeypatch: pytest.MonkeyPatch) -> None:
    own = versions_of(Request().packages)
    fits: dict[str, Any] = {
        "resources": {"CPU": 16.0, "GPU": 1.0, "memory": 64e9},
        "disk_bytes": 200_000_000_000,
    }
    nodes = (
        NodeReport("n1", "10.0.0.1", **fits, versions=own, providers=("CPUExecutionProvider",)),
        NodeReport("n2", "10.0.0.2", **fits, versions=own | {"numpy": "1.0"}),
        NodeReport("n3", "10.0.0.3", **fits, problem="does not answer within 60 s"),
    )
    monkeypatch.setattr(cluster, "joined", lambda address, request: nullcontext())
    monkeypatch.setattr(cluster, "report_nodes", lambda packages: nodes)
    result = CliRunner().invoke(app, ["doctor", "--cluster", "10.0.0.1:6379"])
    assert result.exit_code == 1
    one, two, three = (line for line in result.output.splitlines() if line.startswith("node"))
    assert "n1 (10.0.0.1): 16 CPUs, 1 GPUs, 64.0 GB of memory, 200.0 GB of free disk; mitoscope" in one
    assert f"PROBLEM: numpy 1.0, here {own['numpy']}" in two
    assert "PROBLEM: does not answer within 60 s" in three
    assert "some nodes cannot compute with this machine" in result.output
