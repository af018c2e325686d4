"""What an earlier version has written is read, and says the same; ``kept/VERSION`` is never made anew.

0.2.0: a synthetic slide of 1536 × 1152 px (``mitoscope synth --seed 3 --tissue 0.9 --density 120
--hot-spot 200 --look-alikes 100``), searched by ``detect``; a study of two experts, of whom the second
differs on every seventh cell, and its version MEL.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import mitoscope
from mitoscope.cli import app

KEPT = Path(__file__).parent / "kept"
STATED = {"0.2.0": {"count": 27, "candidates": 59, "tp": 22, "fp": 5, "agreed": 19, "cells": 32}}
"""What each version said of its files."""
VERSIONS = sorted(STATED)


def test_files_of_every_version_are_kept() -> None:
    assert sorted(folder.name for folder in KEPT.iterdir()) == VERSIONS


@pytest.mark.parametrize("version", VERSIONS)
def test_results_are_counted_and_judged_as_then(version: str) -> None:
    folder, stated = KEPT / version, STATED[version]
    (result,) = mitoscope.read_results(folder / "results").values()
    assert len(result.candidates) == stated["candidates"]
    ((_, counted),) = mitoscope.count(folder / "results")
    assert counted.count == stated["count"]
    score = mitoscope.evaluate(folder / "results", folder / "truth.csv").score
    assert (score.tp, score.fp, score.fn) == (stated["tp"], stated["fp"], 0)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_study_opens_and_its_version_holds_what_was_agreed(version: str, tmp_path: Path) -> None:
    study = tmp_path / "study.mito"
    study.write_bytes(gzip.decompress((KEPT / version / "study.mito.gz").read_bytes()))
    truth = mitoscope.read_ground_truth(f"{study}@MEL")
    assert truth.n_figures == STATED[version]["agreed"]
    said = CliRunner().invoke(app, ["store", "info", str(study), "--json"])
    assert json.loads(said.stdout)["cells"] == STATED[version]["cells"]
    assert CliRunner().invoke(app, ["store", "verify", str(study)]).exit_code == 0
