"""MIDOG++ Tables 2 and 3 from the real file, cell by cell, and the lists of a made one."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest

from mitoscope.curation import agreement, ratings
from mitoscope.errors import FormatError
from mitoscope.exchange import coco, domains
from mitoscope.exchange.format import ReadOptions
from mitoscope.experiments.midogpp_tables import (
    TABLE_2,
    TABLE_3,
    Table3Row,
    table_2,
    table_3,
    table_3_rows,
)
from mitoscope.store import Study

# The lists that are two experts who agreed and the model, by domain: not in the file, implied by the paper.
IMPLIED = {"2": 60, "3": 97, "4": 23, "5": 22, "6": 50, "7": 10, "total": 262}


@cache
def read(folder: Path) -> Study:
    study = coco.read(folder / "annotations" / "MIDOG++.json", ReadOptions())
    table = domains.read(folder / "annotations" / "datasets_xvalidation.csv", ReadOptions())
    return domains.add_domains(study, table)


@pytest.mark.realdata
def test_table_2_but_for_two_look_alikes_that_the_file_does_not_hold(data: Path) -> None:
    cells = table_2(read(data))
    assert len(cells) == 5 * len(TABLE_2.rows) - 2
    off = {(one.row, one.column): (one.published, one.found, one.reason) for one in cells if one.reason}
    assert off == {
        ("2", "non-mitotic sum"): (952, 951, "the published file holds 1 fewer"),
        ("5", "non-mitotic sum"): (1762, 1761, "the published file holds 1 fewer"),
        ("total", "non-mitotic sum"): (14351, 14349, "the published file holds 2 fewer"),
    }
    assert all(one.found == one.published for one in cells if not one.reason)


@pytest.mark.realdata
def test_table_3_to_the_last_digit_where_the_file_says_who(data: Path) -> None:
    cells = table_3(read(data))
    assert len(cells) == 7 * len(TABLE_3.rows)
    given = [one for one in cells if one.found is not None]
    assert all(
        round(one.found, 2) == one.published and not one.reason for one in given if one.found is not None
    )
    by_row = {row: sum(one.row == row for one in given) for row in TABLE_3.rows}
    assert by_row == {row: 7 if row.startswith("1") else 3 for row in TABLE_3.rows}


@pytest.mark.realdata
def test_table_3_lies_in_its_range_elsewhere_and_one_number_explains_each_row(data: Path) -> None:
    rows = {row.row: row for row in table_3_rows(read(data))}
    assert {name: row.implied for name, row in rows.items() if row.has_model} == IMPLIED
    assert sum(number for name, number in IMPLIED.items() if name != "total") == IMPLIED["total"]
    for one in table_3(read(data)):
        assert one.low - 0.005 <= one.published <= one.high + 0.005
        if one.found is None:
            assert one.reason.startswith("the file does not say in which of")
    for name, row in rows.items():
        assert row.percent(IMPLIED.get(name, 0)).round(2).tolist() == list(TABLE_3.rows[name].values())


@pytest.mark.realdata
def test_agreement_on_domain_1_is_that_of_table_3(data: Path) -> None:
    found = {one.domain: one for one in agreement(read(data), by=("tumour_type", "scanner"), repeats=50)}
    for scanner, row in (("Hamammatsu XR", "1a"), ("Hamamatsu S360", "1b"), ("Aperio CS2", "1c")):
        reads, printed = found[f"human breast cancer, {scanner}"].reads, list(TABLE_3.rows[row].values())
        shares = [reads.agreed["mitotic figure"], reads.agreed["look-alike"], reads.disagreed]
        assert [round(100 * one / reads.cells, 2) for one in shares] == printed[:3]
        assert [round(100 * one, 2) for one in reads.third_share.values()] == printed[3:5]
    assert found["all"].cells == 26_286
    assert found["all"].cases == 503


@pytest.mark.realdata
def test_labels_of_a_model_among_those_of_experts_are_noticed(data: Path) -> None:
    found = {one.domain: one.reads for one in agreement(read(data), repeats=1)}
    assert found["human breast cancer"].undisputed_thirds == 0
    lung = found["canine lung cancer"]
    assert lung.undisputed_thirds > 0
    # Published are 22.92 %: 60 of these disputes are two experts who agree and the model.
    assert round(100 * lung.disagreed / lung.cells, 2) == 26.25
    assert round(100 * (lung.disagreed - IMPLIED["2"]) / lung.cells, 2) == 22.92


@pytest.mark.realdata
def test_kappas_of_the_real_file_equal_scikit_learn(data: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    whole = agreement(read(data), repeats=50)[-1]
    part = ratings(read(data))
    for pair in whole.pairs:
        one, other = (part.label[:, part.raters.index(name)] for name in pair.raters)
        both = (one >= 0) & (other >= 0)
        assert pair.kappa.value == pytest.approx(metrics.cohen_kappa_score(one[both], other[both]), abs=1e-12)
        assert pair.confusion.tolist() == metrics.confusion_matrix(one[both], other[both]).tolist()


def test_lists_that_do_not_give_the_published_row_imply_nothing() -> None:
    row = Table3Row("2", 500, 800, 300, 140, has_model=True)
    assert row.implied is None
    assert "no number of them gives" in row.table_cells()[0].reason


def test_another_study_has_no_such_tables() -> None:
    with pytest.raises(FormatError, match="no slide with a domain of MIDOG"):
        table_2(Study())
