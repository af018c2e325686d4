from __future__ import annotations

import json
from importlib import util

import pytest
from typer.testing import CliRunner

from mitoscope.cli import app


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
    assert "pip install 'mitoscope[embed]'" in lines


def test_a_damaged_bundle_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    from mitoscope import bundle
    from mitoscope.errors import BundleDamagedError

    def refuse(name: str) -> None:
        raise BundleDamagedError("its hash is another", where=name)

    monkeypatch.setattr(bundle, "load_bundle", refuse)
    result = CliRunner().invoke(app, ["doctor"])
    assert result.exit_code == 1
    assert "damaged: cascade: its hash is another" in result.output
