"""What is counted from the databases of whole slides: counts by position, tumours, files."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mitoscope.errors import TrainingDataError
from mitoscope.experiments.cmc_fig4 import CUT_OFFS, counts_in_tumour
from mitoscope.experiments.counted import find_file
from mitoscope.experiments.experiment import Size
from mitoscope.experiments.wsi import AREA, CCMCT, CMC, TEST, TOTAL, WSI_TABLES, WsiSet, make_databases
from mitoscope.geometry import Mpp, SizePx
from mitoscope.tissue import TissueMask
from tests.experiments.running import run, workplace

MPP = Mpp(0.25, 0.25)
SIZE = SizePx(64, 48)
WINDOW = SizePx(20, 15)


@given(
    st.lists(st.tuples(st.integers(0, SIZE.width - 1), st.integers(0, SIZE.height - 1)), max_size=30),
    st.integers(1, 9),
)
def test_every_position_is_counted_as_by_hand(places: list[tuple[int, int]], step: int) -> None:
    points = np.array(places, dtype=np.float64).reshape(-1, 2)
    whole = TissueMask(np.ones((SIZE.height, SIZE.width), np.bool_), (1.0, 1.0), MPP, SIZE)
    found = counts_in_tumour(points, whole, window=WINDOW, step_px0=step)
    by_hand = [
        sum(x <= px < x + WINDOW.width and y <= py < y + WINDOW.height for px, py in places)
        for y in range(0, SIZE.height - WINDOW.height + 1, step)
        for x in range(0, SIZE.width - WINDOW.width + 1, step)
    ]
    assert found.tolist() == np.bincount(by_hand).tolist()


def test_positions_off_the_tumour_do_not_count() -> None:
    mask = np.zeros((SIZE.height, SIZE.width), np.bool_)
    assert not len(counts_in_tumour(np.zeros((0, 2)), TissueMask(mask, (1, 1), MPP, SIZE), window=WINDOW))
    mask[: WINDOW.height, : WINDOW.width + 1] = True
    found = counts_in_tumour(
        np.array([[0.0, 0.0]]), TissueMask(mask, (1, 1), MPP, SIZE), window=WINDOW, step_px0=1
    )
    # Two positions lie on it as a whole, of the third 19 of 20 columns; the point is in one of them.
    assert found.tolist() == [2, 1]
    small = SizePx(10, 10)
    tiny = TissueMask(np.ones((10, 10), np.bool_), (1, 1), MPP, small)
    assert not len(counts_in_tumour(np.zeros((0, 2)), tiny, window=WINDOW))


def test_the_cut_offs_are_those_of_the_larger_field_scaled() -> None:
    assert list(CUT_OFFS.values()) == [9, 18]


def test_figure_4_of_databases_in_a_data_folder(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "databases"
    folder.mkdir(parents=True)
    make_databases(folder, ["MITOS_WSI_CMC_COADEL_TR_ROI.sqlite"])
    found = run("cmc-fig4", workplace(tmp_path / "out", Size.FULL, data=tmp_path / "data"))
    cases = found.records["all"].result["cases"]
    assert len(cases) == 6
    for case in cases:
        most = len(case["positions"]) - 1
        # The hot spot is the most over all placements, also where less of the window is tumour.
        assert most <= case["mitotic_count"] <= len(case["figures_in_tumour"]) < case["figures"]
        assert 10 < case["area_mm2"] < 20
    assert (found.folder / "figure.png").read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize(("data_set", "slides", "tests"), [(CMC, 21, 7), (CCMCT, 32, 11)])
def test_published_sums_are_those_of_the_slides(data_set: WsiSet, slides: int, tests: int) -> None:
    table = data_set.table
    assert (len(data_set.slides), len(table.tests)) == (slides, tests)
    for name, own in ((TEST, table.tests), (TOTAL, data_set.slides)):
        for column, figure in table.rows.get(name, {}).items():
            summed = [table.rows[slide][column] for slide in own if column in table.rows[slide]]
            assert not summed or sum(summed) == pytest.approx(figure, abs=0.03), (name, column)


def test_published_figures_are_those_that_are_printed() -> None:
    cmc, ccmct = CMC.table.rows, CCMCT.table.rows
    assert [cmc[TOTAL][f"mitotic figure, {one}"] for one in CMC.variants] == [13_342, 14_151, 13_907]
    assert [cmc[TOTAL][f"look-alike, {one}"] for one in CMC.variants] == [26_526, 36_135, 36_379]
    tests = [sum(cmc[s][f"mitotic figure, {one}"] for s in CMC.table.tests) for one in CMC.variants]
    assert tests == [3292, 3462, 3412]
    assert (cmc[TOTAL][AREA], ccmct[TOTAL][AREA]) == (4360.07, 4842.06)
    assert ccmct[TOTAL]["mitotic figure, ODAEL"] == 44_880
    assert ccmct[TOTAL]["look-alike, ODAEL"] == 27_965
    assert [ccmct[TEST][f"mitotic figure, {one}"] for one in CCMCT.variants] == [21_551, 21_571, 22_476]


def test_a_file_is_found_by_another_name_of_the_authors(tmp_path: Path) -> None:
    other = tmp_path / "MITOS_WSI_CMC_ODAEL.sqlite"
    other.touch()
    assert find_file(tmp_path, CMC.variants["ODAEL"], data_set="cmc") == other


def test_what_is_found_stands_beside_what_is_published() -> None:
    cmc, printed, labels = WSI_TABLES[0], CMC.table.rows, ("mitotic figure", "look-alike")
    counts = {
        variant: {
            slide: {label: printed[slide][f"{label}, {variant}"] for label in labels} for slide in CMC.slides
        }
        for variant in CMC.variants
    }
    areas = {slide: printed[slide][AREA] for slide in CMC.slides}
    table = cmc.tabulate({"areas": areas, "counts": counts, "left_out": 0})
    assert [row.name for row in table.rows][:2] == ["1 4eee7b944ad5e46c60ce", "2 a8773be388e12df89edd"]
    differences = [entry.difference for row in table.rows for entry in row.entries]
    off = [round(one, 6) for one in differences if one]
    assert (None not in differences, off) == (True, [0.01])  # the paper's sum of the areas is rounded down
    less = {slide: area for slide, area in areas.items() if slide != "4eee7b944ad5e46c60ce"}
    part = cmc.tabulate({"areas": less, "counts": {"MEL": {}}, "left_out": 1})
    assert all(entry.published is None for entry in part.rows[-1].entries)
    assert part.notes[-1].startswith("Outlines left out because they cross themselves")


def test_a_folder_without_the_database_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match=r"no MITOS_WSI_CMC_CODAEL_TR_ROI\.sqlite there"):
        run("cmc-fig4", workplace(tmp_path, Size.FULL, data=tmp_path))
