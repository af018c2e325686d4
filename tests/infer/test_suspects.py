"""A stored tile that looks damaged, though it can be decoded, stands in the notes, after a resume too."""

from __future__ import annotations

import json
from pathlib import Path

from typer.testing import CliRunner

from mitoscope.cli.app import app
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from tests.slide.test_seams import damage


def notes(slide: Path, out: Path) -> list[str]:
    done = CliRunner().invoke(app, ["detect", str(slide), "--out", str(out), "--formats", "csv,json"])
    assert done.exit_code == 0, done.output
    return [
        note for note in json.loads((out / f"{slide.stem}.json").read_text())["notes"] if "stored" in note
    ]


def test_the_note_names_the_place_and_survives_a_resume(tmp_path: Path) -> None:
    whole, damaged = tmp_path / "whole.tiff", tmp_path / "damaged.tiff"
    write_slide(whole, SyntheticSlideConfig(width=1024, height=1024, tile_px=256, tissue_fraction=0.9))
    tile = damage(whole, damaged)
    assert notes(whole, tmp_path / "out") == []
    (note,) = notes(damaged, tmp_path / "out")
    assert note.startswith("1 stored tiles look damaged although they can be decoded")
    assert f"the first at {tile.x}, {tile.y} px" in note
    assert notes(damaged, tmp_path / "out") == [note]  # every chunk is recorded: nothing is read again
