"""A loop's folder: steps are done once, and another loop's folder is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.detections import Detections
from mitoscope.errors import ConfigError, FormatError, LedgerMismatchError, OutputError
from mitoscope.exchange import detections_csv
from mitoscope.loops.job_folder import JobFolder, tables_of_slides


def test_a_step_is_done_once_also_after_a_stop(tmp_path: Path) -> None:
    done: list[str] = []

    def work(name: str) -> list[str]:
        done.append(name)
        if len(done) == 2:
            raise KeyboardInterrupt
        return [name]

    with JobFolder.open(tmp_path, "missed", {"a": "1"}) as job:
        job.step("one", lambda: work("one"))
        with pytest.raises(KeyboardInterrupt):
            job.step("two", lambda: work("two"))
    with JobFolder.open(tmp_path, "missed", {"a": "1"}) as job:
        assert job.done == ("one",)
        assert job.step("one", lambda: work("one")) == ["one"]
        assert job.step("two", lambda: work("two")) == ["two"]
    assert done == ["one", "two", "two"]


def test_another_loop_or_another_input_is_named(tmp_path: Path) -> None:
    with (
        JobFolder.open(tmp_path, "missed", {"recipe": "x", "data": "1"}),
        pytest.raises(OutputError, match="another mitoscope process"),
        JobFolder.open(tmp_path, "missed", {}),
    ):
        pass
    for loop, inputs, match in (
        ("board", {}, "begun with another loop \\(missed, now board\\)"),
        ("missed", {"recipe": "y", "data": "1"}, r"begun with another recipe \(x, now y\)"),
        ("missed", {"recipe": "x"}, r"begun with another data \(1, now nothing\)"),
    ):
        with pytest.raises(LedgerMismatchError, match=match), JobFolder.open(tmp_path, loop, inputs):
            pass


def test_a_damaged_state_is_refused(tmp_path: Path) -> None:
    (tmp_path / "job.json").write_text("{", encoding="utf-8")
    with pytest.raises(FormatError, match="cannot be read"), JobFolder.open(tmp_path, "missed", {}):
        pass
    (tmp_path / "job.json").write_text('{"loop": 1}', encoding="utf-8")
    with pytest.raises(ConfigError), JobFolder.open(tmp_path, "missed", {}):
        pass


def test_tables_have_names_that_every_system_takes(tmp_path: Path) -> None:
    slides = ["b.svs", "01/01", "01:01", "CON", "C:\\a.svs", "B.svs"]
    tables = tables_of_slides(tmp_path, slides)
    assert tables == tables_of_slides(tmp_path, reversed(slides))
    assert tables["B.svs"].name == "B.svs.csv"
    assert tables["CON"].name == "_CON.csv"
    assert len({path.name.casefold() for path in tables.values()}) == len(slides)
    for path in tables.values():
        detections_csv.write(path, Detections.empty())
    assert len(list(tmp_path.iterdir())) == len(slides)
