"""The table of gains gives the published figures of CMC from its published counts."""

from __future__ import annotations

import math

import pytest

from mitoscope.curation.changes import PUBLISHED, gain_table

# CMC Table 1: mm², mitotic figures MEL and ODAEL, non-mitotic MEL and ODAEL.
CMC = [
    (66.06, 47, 61, 114, 196), (37.01, 64, 71, 204, 591), (187.43, 92, 96, 287, 472),
    (214.97, 87, 98, 602, 742), (26.29, 130, 151, 375, 680), (49.32, 139, 155, 228, 365),
    (41.71, 157, 173, 404, 547), (253.10, 187, 210, 991, 1354), (339.93, 283, 301, 963, 1127),
    (273.88, 378, 411, 1143, 1596), (45.35, 634, 642, 1407, 1505), (226.39, 578, 651, 1105, 1725),
    (426.92, 716, 746, 1832, 2373), (112.24, 673, 742, 1199, 2480), (231.84, 812, 861, 1260, 1832),
    (257.01, 1097, 1114, 2454, 2944), (325.81, 1290, 1344, 2463, 3106), (269.25, 1197, 1339, 1632, 2550),
    (513.28, 1383, 1465, 2110, 2933), (96.38, 1449, 1485, 2155, 2609), (365.91, 1949, 2035, 3598, 4408),
]  # fmt: skip


def counts(figures: int, look_alikes: int) -> dict[str, int]:
    return {"mitotic figure": figures, "look-alike": look_alikes}


def test_the_published_gains_come_out_of_the_published_counts() -> None:
    names = [f"{number}.svs" for number in range(21)]
    table = gain_table(
        {name: counts(row[1], row[3]) for name, row in zip(names, CMC, strict=True)},
        {name: counts(row[2], row[4]) for name, row in zip(names, CMC, strict=True)},
        case_of={name: name for name in names},
        area_mm2={name: row[0] for name, row in zip(names, CMC, strict=True)},
    )
    assert (table.total.figures, table.total.look_alikes) == (PUBLISHED.figures, PUBLISHED.look_alikes)
    assert table.total.area_mm2 == pytest.approx(4360.08, abs=0.02)
    assert round(table.total.figures_percent, 2) == 6.06
    assert round(table.total.look_alikes_percent, 2) == 36.22
    assert [one.name for one in table.groups] == ["density: low", "density: middle", "density: high"]
    assert sum(one.figures[1] for one in table.groups) == 14_151
    assert table.groups[0].figures_percent > table.groups[2].figures_percent


def test_slides_of_a_case_are_one_row_and_what_is_not_known_is_not_guessed() -> None:
    table = gain_table(
        {"a": counts(0, 1)},
        {"a": counts(1, 1), "b": counts(2, 0)},
        case_of={"a": "one", "b": "one"},
        area_mm2={"a": 3.0, "b": None},
    )
    (case,) = table.cases
    assert (case.name, case.figures, case.look_alikes, case.area_mm2) == ("one", (0, 3), (1, 1), None)
    assert math.isnan(case.figures_percent)
    assert case.density is None
    assert table.groups == ()
