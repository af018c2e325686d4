"""The exact experiments: the real files beside the published figures, and the smoke size without data."""

from __future__ import annotations

from pathlib import Path

import pytest

from mitoscope.errors import TrainingDataError
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.table import ResultTable
from tests.experiments.running import run, workplace

NAMES = (
    "ccmct-table1",
    "cmc-fig4",
    "cmc-table1",
    "cmc-table4-detections",
    "crowd-table2",
    "crowd-table3",
    "midogpp-counts",
    "midogpp-fig2",
    "midogpp-table1",
    "midogpp-table2",
    "midogpp-table3",
)


def differences(table: ResultTable) -> dict[tuple[str, str], float]:
    return {
        (row.name.split()[0], column.name): entry.difference
        for row in table.rows
        for column, entry in zip(table.columns, row.entries, strict=True)
        if entry.difference is not None
    }


@pytest.mark.realdata
def test_midogpp_table_2_but_for_two_look_alikes(data: Path, tmp_path: Path) -> None:
    found = run("midogpp-table2", workplace(tmp_path, Size.FULL, data=data))
    off = {place: value for place, value in differences(found.table).items() if value}
    column = "non-mitotic sum"
    assert off == {("2", column): -1, ("5", column): -1, ("total", column): -2}
    assert "| 2 canine lung cancer | 44 / 44 / 0 | 855 / 855 / 0 |" in found.table.to_markdown()
    files = {one.name for one in found.folder.iterdir() if one.is_file()}
    assert files >= {"table.md", "table.csv", "table.json", "outcome.json"}


@pytest.mark.realdata
def test_midogpp_table_3_to_the_last_digit_or_in_its_range(data: Path, tmp_path: Path) -> None:
    table = run("midogpp-table3", workplace(tmp_path, Size.FULL, data=data)).table
    assert all(abs(value) <= 0.005 for value in differences(table).values())
    assert len(differences(table)) == 3 * 7 + 7 * 3
    for row in table.rows:
        for entry in row.entries:
            if entry.low is not None and entry.high is not None and entry.published is not None:
                assert entry.low - 0.005 <= entry.published <= entry.high + 0.005


@pytest.mark.realdata
def test_the_medians_of_figure_2_are_those_of_table_2(data: Path, tmp_path: Path) -> None:
    found = run("midogpp-fig2", workplace(tmp_path, Size.FULL, data=data))
    medians = differences(found.table)
    assert set(medians.values()) == {0.0}
    assert len(found.table.rows) == 20
    assert (found.folder / "figure.svg").read_text(encoding="utf-8").startswith("<?xml")
    assert (found.folder / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.realdata
def test_no_mitotic_count_is_above_the_figures_of_its_case(data: Path, tmp_path: Path) -> None:
    counts = run("midogpp-counts", workplace(tmp_path, Size.FULL, data=data)).records["all"].result
    cases = run("midogpp-fig2", workplace(tmp_path, Size.FULL, data=data)).records["all"].result
    for domain, values in counts["mitotic figure"].items():
        for count, figures in zip(values, cases["mitotic figure"][domain], strict=True):
            assert 0 <= count <= figures
            assert count > 0 or figures == 0


@pytest.mark.parametrize("name", NAMES)
def test_the_smoke_size_needs_no_data(name: str, tmp_path: Path) -> None:
    found = run(name, workplace(tmp_path, Size.SMOKE))
    assert found.table.notes[0].startswith("Smoke size")
    assert any(entry.found is not None for row in found.table.rows for entry in row.entries)


def test_a_folder_without_the_files_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"no MIDOG\+\+\.json there; give its folder with --data"):
        run("midogpp-table2", workplace(tmp_path, Size.FULL, data=tmp_path))
