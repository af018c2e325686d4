"""All slides of a folder: a table whose numbers are those of the results, a page that needs nothing else."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.errors import ConfigError, FormatError, SlideFormatError
from mitoscope.exchange import check_names, read_any_predictions, read_manifest, read_study
from mitoscope.infer import ListedSlide, SlideDone
from mitoscope.report import (
    CohortRow,
    cohort_page,
    cohort_row,
    collect_rows,
    write_cohort_pages,
    write_cohort_table,
    write_outputs,
)
from mitoscope.report.outliers import rank

from .runs import run_on, scatter


@pytest.fixture(scope="module")
def folder(slide_file: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Results of two slides, one of which has a damaged part."""
    out = tmp_path_factory.mktemp("cohort")
    write_outputs(run_on(slide_file, scatter(9)), out, area_mm2=0.008)
    second = tmp_path_factory.mktemp("slides") / "a <b>&.png"
    second.symlink_to(slide_file)
    write_outputs(run_on(second, scatter(3)), out, area_mm2=0.008)
    return out


def listed(folder: Path) -> list[ListedSlide]:
    columns = {"site": "=Utrecht", "Count": "7"}
    return [
        ListedSlide(Path("island.png"), case="P1", columns=columns),
        ListedSlide(Path("none.svs"), columns=columns),
        ListedSlide(Path("a <b>&.png"), case="P2", columns={**columns, "site": "</script>"}),
    ]


def rows_of(folder: Path) -> list[CohortRow]:
    return collect_rows(folder, listed(folder))


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_numbers_of_the_table_are_those_of_the_single_results(folder: Path) -> None:
    write_cohort_table(rows_of(folder), folder)
    first, none, second = read(folder / "cohort.csv")
    found = read_any_predictions(folder)  # the other route: the candidates themselves
    for row, stem, name in ((first, "island", "island"), (second, "a _b_&", "a <b>&")):
        manifest = read_manifest(folder / f"{stem}.json")
        detections = found[name]
        assert row["status"] == "counted"
        assert int(row["mitotic_count"]) == manifest["mitotic_count"]["count"]
        assert int(row["mitotic_figures"]) == manifest["search"]["mitotic_figures"]
        above = detections.score > float(row["threshold"])
        assert int(row["candidates"]) == len(detections)
        assert int(row["mitotic_figures"]) <= int(np.count_nonzero(above))
        assert float(row["tissue_mm2"]) == manifest["search"]["tissue_mm2"]
        assert float(row["figures_per_mm2"]) == pytest.approx(
            manifest["search"]["mitotic_figures"] / manifest["search"]["tissue_mm2"]
        )
        assert row["flags"].split("; ") == [flag["name"] for flag in manifest["quality"]["flags"]]
        assert row["result"] == stem
    assert (none["status"], none["mitotic_count"], none["result"]) == ("failed", "", "")
    assert "there is no result" in none["error"]


def test_the_columns_of_the_list_stay_beside_those_of_the_result(folder: Path) -> None:
    write_cohort_table(rows_of(folder), folder)
    first, _, second = read(folder / "cohort.csv")
    assert (first["case"], first["Count"], first["site"]) == ("P1", "7", "'=Utrecht")  # no formula
    assert second["site"] == "</script>"
    row = replace(rows_of(folder)[0], listed={"Status": "frozen"})
    write_cohort_table([row], folder)
    (only,) = read(folder / "cohort.csv")
    assert (only["status"], only["list: Status"]) == ("counted", "frozen")
    # A table that is itself the list of a later run, whose table is again the list.
    write_cohort_table([replace(row, listed={"status": "a", "list: status": "b"})], folder)
    (only,) = read(folder / "cohort.csv")
    assert [only[name] for name in ("status", "list: status", "list: list: status")] == ["counted", "a", "b"]


def test_parquet_holds_the_same_with_types(folder: Path) -> None:
    pq: Any = pytest.importorskip("pyarrow.parquet")
    table, parquet = write_cohort_table(rows_of(folder), folder)
    found = pq.read_table(parquet).to_pylist()
    names = ("mitotic_count", "flags", "result")
    for row, cells in zip(found, read(table), strict=True):
        assert ["" if row[name] is None else str(row[name]) for name in names] == [
            cells[name] for name in names
        ]
    assert isinstance(found[0]["mitotic_count"], int)
    assert isinstance(found[0]["tissue_mm2"], float)


def test_the_table_and_the_pages_are_no_results_of_slides(folder: Path) -> None:
    before = set(read_any_predictions(folder))
    write_cohort_table(rows_of(folder), folder)
    write_cohort_pages(rows_of(folder), folder)
    assert set(read_any_predictions(folder)) == before == {"island", "a <b>&"}
    assert {slide.name for slide in read_study(folder).slides} == {"island.png", "a <b>&.png"}
    with pytest.raises(ConfigError, match=r"cohort\.svs: its results would have the names of those of all"):
        check_names([Path("a.svs"), Path("Cohort.svs".lower())], folder)
    check_names([Path("cohort.svs")], folder)


def page_data(path: Path) -> dict[str, Any]:
    text = path.read_text(encoding="utf-8")
    found = re.search(r'<script type="application/json" id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def test_the_page_needs_nothing_else_and_runs_nothing_of_a_name(folder: Path) -> None:
    (page,) = write_cohort_pages(rows_of(folder), folder, title="Study <1>")
    text = page.read_text(encoding="utf-8")
    assert "Study &lt;1&gt;" in text
    assert text.count("<script") == text.count("</script>") == 2
    assert not re.search(r'(?:src|href)="(?!data:)', text)
    assert "default-src 'none'; img-src data:;" in html.unescape(text)
    data = page_data(page)
    assert [slide["name"] for slide in data["slides"]] == ["island.png", "none.svs", "a <b>&.png"]
    assert data["slides"][2]["report"] == "a%20_b_%26.html"
    assert (folder / "a _b_&.html").is_file()
    assert [bool(data["pictures"][str(place)]) for place in range(3)] == [True, False, True]
    assert write_cohort_pages(rows_of(folder), folder, title="Study <1>")[0].read_text("utf-8") == text


def test_more_slides_than_a_file_takes_are_in_several(
    folder: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(cohort_page, "SLIDES_MAX", 2)
    pages = write_cohort_pages(rows_of(folder), tmp_path)
    assert [page.name for page in pages] == ["cohort.html", "cohort.2.html"]
    first, second = map(page_data, pages)
    assert len(first["slides"]) == len(second["slides"]) == 3
    assert set(first["pictures"]) | set(second["pictures"]) == {"0", "1", "2"}
    assert "1" in first["pictures"]  # what failed is looked at first
    assert '<a href="cohort.2.html">Pictures 2</a>' in pages[0].read_text("utf-8")


def test_a_refused_count_says_why(folder: Path, tmp_path: Path) -> None:
    manifest = read_manifest(folder / "island.json")
    manifest["mitotic_count"] |= {"count": None, "refused": "the hot spot touches a gap", "note": "Small."}
    (tmp_path / "island.json").write_text(json.dumps(manifest))
    rows = collect_rows(tmp_path)
    assert rows[0].values["notes"].startswith("the hot spot touches a gap; Small.")
    (shown,) = page_data(write_cohort_pages(rows, tmp_path)[0])["slides"]
    assert (shown["status"], shown["notes"]) == ("no count", rows[0].values["notes"])


def row(**values: Any) -> CohortRow:
    usual = {"status": "counted", "figures_per_mm2": 4.0, "tissue_mm2": 100.0, "blur": 0.3, "mpp": 0.25}
    known = dict.fromkeys(("stain_red", "stain_green", "stain_blue"))
    flags: Sequence[str] = values.pop("flags", ())
    return CohortRow({**known, **usual, **values}, {}, flags=tuple((name, "") for name in flags))


def test_what_failed_or_is_unlike_the_others_comes_first() -> None:
    many = [row(blur=0.29 + 0.002 * place, figures_per_mm2=3 + 0.1 * place) for place in range(12)]
    odd = [
        row(status="failed"),
        row(status="no count"),
        row(flags=["colours"]),
        row(blur=0.5),
        row(flags=["pen"]),
    ]
    standings = rank([*many, *odd])
    order = sorted(range(len(standings)), key=lambda place: -standings[place].urgency)
    assert order[:5] == [12, 13, 14, 15, 16]
    assert standings[15].unusual == ("blur 0.5, usual 0.3",)
    assert all(not standing.unusual for standing in standings[:12])


def test_of_few_slides_none_is_unusual() -> None:
    assert all(not one.unusual for one in rank([row(blur=0.3), row(blur=0.9), row(blur=0.31)]))


def test_a_result_of_an_earlier_version_is_refused_by_name(folder: Path, tmp_path: Path) -> None:
    values = read_manifest(folder / "island.json")
    del values["quality"]
    (tmp_path / "old.json").write_text(json.dumps(values))
    with pytest.raises(FormatError, match=r"old\.json: the manifest is damaged, or of another version"):
        cohort_row(SlideDone(ListedSlide(Path("old.svs")), tmp_path / "old.json"))
    changes: tuple[dict[str, Any], ...] = ({"mitotic_count": None}, {"slide": "island"}, {"search": []})
    for changed in changes:
        (tmp_path / "old.json").write_text(json.dumps(read_manifest(folder / "island.json") | changed))
        with pytest.raises(FormatError, match=r"old\.json: the manifest is damaged.*repeat the detection"):
            collect_rows(tmp_path)
    with pytest.raises(FormatError, match="no results in this folder"):
        collect_rows(tmp_path / "none")


def test_a_failure_is_said_in_its_row() -> None:
    error = SlideFormatError("truncated", where="a.svs", mend="copy it again")
    values = cohort_row(SlideDone(ListedSlide(Path("a.svs")), error=error)).values
    assert (values["status"], values["error"]) == ("failed", "a.svs: truncated; copy it again")
