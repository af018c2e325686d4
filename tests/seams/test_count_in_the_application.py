"""`detect` → `count` = the page = the signed result: one number, with regions, gaps and borders."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mitoscope.count import TEN_HPF_MM2, MicroscopeField, MitoticCount, WindowShape, find_scheme
from mitoscope.count.slides import count_slides
from mitoscope.detections import Detections
from mitoscope.errors import IncompleteRunError
from mitoscope.exchange import read_study
from mitoscope.exchange.result import write_result
from mitoscope.geometry import SizePx
from mitoscope.region import RegionKind, SlideRegions, join_outlines, outline
from mitoscope.slide import open_slide
from mitoscope.store import Source
from mitoscope.tissue import find_tissue
from mitoscope.wording import say_area
from tests.web.making import HEIGHT, WIDTH, Clinic, open_clinic, write_slide

THRESHOLD = 0.387
"""Of the detector: with the half that was taken before, two of these figures would be missed."""
AREA_MM2 = 0.02
SLIDE = "one.tiff"
Outlines = list[tuple[RegionKind, list[list[float]]]]

LEFT: list[list[float]] = [[300, 300], [1000, 300], [1000, 1300], [300, 1300]]
HOLE: list[list[float]] = [[600, 500], [710, 500], [710, 800], [600, 800]]
BESIDE = [100.0, 60.0, 400.0, 150.0]
"""Large enough to hold more figures than were found."""


def _found() -> Detections:
    """Return a cluster of figures, two of them below a half, and a larger one to the right."""
    left = [[620 + 40 * (n % 4), 600 + 40 * (n // 4)] for n in range(8)]
    right = [[1400 + 40 * (n % 4), 700 + 40 * (n // 4)] for n in range(10)]
    low = [[500, 900], [900, 900]]
    score = [0.9] * 6 + [0.4, 0.45] + [0.8] * 10 + [0.1, 0.2]
    return Detections.of(left + right + low, score)


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("slides")
    write_slide(folder / SLIDE)
    return folder


CALIBRATION = {"slope": 1.0, "intercept": 0.0, "fitted_on": "fields"}


def _write(
    folder: Path, slides: Path, gaps: list[list[float]], calibration: dict[str, Any] | None = None
) -> Path:
    """Write a result as `detect` does."""
    with open_slide(slides / SLIDE) as slide:
        tissue, info = find_tissue(slide), slide.info
    manifest: dict[str, Any] = {
        "slide": {
            "name": SLIDE,
            "mpp": [info.mpp.x, info.mpp.y],
            "size_px0": [info.size.width, info.size.height],
        },
        "search": {
            "tissue_unread_px0": [],
            "tissue_px0_per_pixel": list(tissue.px0_per_pixel),
            "region_px0": [0, 0, info.size.width, info.size.height],
            "gaps_px0": gaps,
        },
        "threshold": {"value": THRESHOLD},
        "detector": {"name": "detector", "version": "1", "calibration": calibration},
    }
    folder.mkdir()
    stem = Path(SLIDE).stem
    write_result(folder, stem, candidates=_found(), tissue=tissue.mask, manifest=manifest, further={})
    return folder


@pytest.fixture
def clinic(tmp_path: Path, slides: Path) -> Iterator[Clinic]:
    made = open_clinic(tmp_path, slides)
    yield made
    made.store.close()


def _in_application(
    clinic: Clinic, result: Path, outlines: Outlines, *, area_mm2: float | None = AREA_MM2
) -> tuple[str, dict[str, Any]]:
    """Bring a result into the application, draw on the slide, and return the case and its path."""
    stem = Path(SLIDE).stem
    files: dict[str, Any] = {
        "csv": (result / f"{stem}.csv").read_text("utf-8"),
        "manifest": (result / f"{stem}.json").read_text("utf-8"),
    }
    clinic.lead.post("/api/reviews", name="found", model="detector", bins=1, slide=clinic.slide, **files)
    for kind, vertices in outlines:
        clinic.lead.post(f"/api/slides/{clinic.slide}/regions", kind=str(kind), vertices=vertices)
    settings = {} if area_mm2 is None else {"area_mm2": area_mm2}
    round_id = clinic.round("case", "case review", clinic.lead, settings=settings)
    path = f"/api/rounds/{round_id}/slides/{clinic.slide}/case"
    return path, clinic.lead.get(path)


def _by_command(result: Path, outlines: Outlines, **options: Any) -> MitoticCount:
    regions: SlideRegions | None = None
    if outlines:
        regions = join_outlines((kind, outline(vertices)) for kind, vertices in outlines)
    ((_, counted),) = count_slides(result, regions=regions, **options)
    return counted


CASES: dict[str, tuple[Outlines, list[list[float]]]] = {
    "no region": ([], []),
    "a tumour": ([(RegionKind.TUMOUR, LEFT)], []),
    "a tumour with an exclusion": ([(RegionKind.TUMOUR, LEFT), (RegionKind.EXCLUSION, HOLE)], []),
    "an exclusion alone": ([(RegionKind.EXCLUSION, HOLE)], []),
    "a region of interest": ([(RegionKind.INTEREST, LEFT)], []),
    "a gap beside the window": ([], [BESIDE]),
}


@pytest.mark.parametrize("case", CASES)
def test_command_page_and_signature_give_one_number(
    clinic: Clinic, tmp_path: Path, slides: Path, case: str
) -> None:
    outlines, gaps = CASES[case]
    result = _write(tmp_path / "result", slides, gaps)
    expected = _by_command(result, outlines, area_mm2=AREA_MM2)
    path, shown = _in_application(clinic, result, outlines)
    assert shown["threshold"] == THRESHOLD
    _check_same(shown["hot_spot"], expected)
    assert ("could not be examined" in expected.note) == bool(gaps)
    spot = shown["hot_spot"]
    placed = {"x": spot["x"], "y": spot["y"], **_all_unseen(spot["count"])}
    signed = clinic.lead.post(f"{path}/sign", threshold=THRESHOLD, **placed)["result"]
    assert (signed["count"], signed["area_mm2"]) == (expected.count, expected.area_mm2)
    content = clinic.lead.get(signed["manifest"])["content"]
    assert content["covered_mm2"] == expected.covered_mm2
    assert content["figures"] == expected.figures
    assert sum(cell["is_counted"] for cell in content["cells"]) == expected.figures
    assert content["gaps"] == gaps
    assert [(one["kind"], one["vertices"]) for one in content["regions"]] == [
        (str(kind), vertices) for kind, vertices in outlines
    ]


@pytest.mark.parametrize("calibration", [None, CALIBRATION])
def test_command_page_and_signature_are_sure_to_the_same_degree(
    clinic: Clinic, tmp_path: Path, slides: Path, calibration: dict[str, Any] | None
) -> None:
    result = _write(tmp_path / "result", slides, [], calibration)
    stated = _by_command(result, [], area_mm2=AREA_MM2).as_dict()
    path, shown = _in_application(clinic, result, [])
    spot = shown["hot_spot"]
    assert spot["certainty"] == {name: stated[name] for name in spot["certainty"]}
    assert (spot["certainty"]["interval"] is None) == (calibration is None)
    placed = {"x": spot["x"], "y": spot["y"], **_all_unseen(spot["count"])}
    signed = clinic.lead.post(f"{path}/sign", threshold=THRESHOLD, **placed)["result"]
    assert clinic.lead.get(signed["manifest"])["content"]["certainty"] == spot["certainty"]
    assert (b"Expected there" in clinic.lead.get(signed["report"])) == (calibration is not None)


def _check_same(shown: dict[str, Any], expected: MitoticCount) -> None:
    box = expected.box_px0
    assert (shown["x"], shown["y"], shown["width"], shown["height"]) == (box.x, box.y, box.width, box.height)
    for name in ("count", "area_mm2", "covered_mm2", "figures", "note"):
        assert shown[name] == getattr(expected, name), name


def test_regions_and_the_threshold_change_the_count(tmp_path: Path, slides: Path) -> None:
    """Control: a rule that knows no region, or takes a half as the threshold, gives another number."""
    result = _write(tmp_path / "result", slides, [])
    counts = {
        case: _by_command(result, outlines, area_mm2=AREA_MM2).count for case, (outlines, _) in CASES.items()
    }
    assert counts["no region"] == 10
    assert counts["a tumour"] == 8
    assert counts["a tumour with an exclusion"] < 8
    assert int(np.count_nonzero(_found().score[:8] > 0.5)) == 6


def test_a_hot_spot_that_touches_a_gap_is_refused_everywhere(
    clinic: Clinic, tmp_path: Path, slides: Path
) -> None:
    result = _write(tmp_path / "result", slides, [[1450.0, 720.0, 30.0, 30.0]])
    with pytest.raises(IncompleteRunError, match="no count"):
        _by_command(result, [], area_mm2=AREA_MM2)
    path, shown = _in_application(clinic, result, [])
    assert shown["hot_spot"] is None
    assert "could not be examined" in shown["problem"]
    placed = {"x": 1380.0, "y": 680.0, "count": 10}
    refused = clinic.lead.post(f"{path}/sign", threshold=THRESHOLD, **placed, status=409)
    assert "could not be examined" in refused["error"]
    assert clinic.lead.get("/api/results")["results"] == []


def test_a_slide_smaller_than_the_window_states_the_area_that_was_counted(
    clinic: Clinic, tmp_path: Path, slides: Path
) -> None:
    result = _write(tmp_path / "result", slides, [])
    expected = _by_command(result, [])
    path, shown = _in_application(clinic, result, [], area_mm2=None)
    _check_same(shown["hot_spot"], expected)
    whole = SizePx(WIDTH, HEIGHT).area * 0.25**2 / 1e6
    assert shown["hot_spot"]["area_mm2"] == pytest.approx(whole)
    assert "not comparable" in shown["hot_spot"]["note"]
    signed = clinic.lead.post(f"{path}/sign", threshold=THRESHOLD, x=0, y=0, **_all_unseen(expected.count))[
        "result"
    ]
    assert signed["area_mm2"] == pytest.approx(whole)
    assert "not comparable" in signed["note"]
    page = clinic.lead.get(signed["report"]).decode()
    assert f"in {say_area(whole)}" in page
    assert f"in {say_area(TEN_HPF_MM2)}" not in page


def _all_unseen(count: int) -> dict[str, int]:
    return {"count": count, "not_looked_at": count}


@pytest.mark.parametrize("shape", WindowShape)
@pytest.mark.parametrize("corner", [(WIDTH + 10.0, 0.0), (-1.0, 0.0), (0.0, HEIGHT - 100.0)])
def test_a_window_that_is_not_wholly_on_the_slide_is_neither_counted_nor_signed(
    clinic: Clinic, tmp_path: Path, slides: Path, corner: tuple[float, float], shape: WindowShape
) -> None:
    path, _ = _in_application(clinic, _write(tmp_path / "result", slides, []), [])
    x, y = corner
    counted = clinic.lead.ask("POST", f"{path}/count", {"corner": corner, "shape": shape}, status=422)
    refused = clinic.lead.post(f"{path}/sign", x=x, y=y, count=0, shape=shape, status=422)
    assert "outside the slide" in counted["error"]
    assert "outside the slide" in refused["error"]


def test_a_circle_counts_the_same_by_itself_and_in_the_application(
    clinic: Clinic, tmp_path: Path, slides: Path
) -> None:
    outlines, _ = CASES["a tumour with an exclusion"]
    result = _write(tmp_path / "result", slides, [], CALIBRATION)
    circle = WindowShape.CIRCLE
    expected = _by_command(result, outlines, area_mm2=AREA_MM2, shape=circle)
    path, _ = _in_application(clinic, result, outlines)
    over: dict[str, Any] = {"shape": circle, "area_mm2": AREA_MM2}
    shown = clinic.lead.ask("POST", f"{path}/count", over)
    _check_same(shown, expected)
    assert shown["area_mm2"] < 0.79 * shown["width"] * shown["height"] * 0.25**2 / 1e6
    assert shown["certainty"]["expected"] == expected.as_dict()["expected"]
    placed = {"x": shown["x"], "y": shown["y"], **_all_unseen(shown["count"])}
    signed = clinic.lead.post(f"{path}/sign", **placed, **over)["result"]
    assert (signed["count"], signed["shape"]) == (expected.count, "circle")


def test_the_scheme_of_a_round_is_the_aid_of_page_signature_and_report(
    clinic: Clinic, tmp_path: Path, slides: Path
) -> None:
    result = _write(tmp_path / "result", slides, [], CALIBRATION)
    path, _ = _in_application(clinic, result, [])
    round_id = int(path.split("/")[3])
    field = 0.06
    refused = clinic.lead.put(
        f"/api/rounds/{round_id}", settings={"scheme": "breast-cap", "field_diameter_mm": field}, status=422
    )
    assert "0.59" in refused["error"]
    settings = {"scheme": "meningioma", "field_diameter_mm": field}
    clinic.lead.put(f"/api/rounds/{round_id}", settings=settings)
    rule = find_scheme("meningioma").rule(MicroscopeField(field))
    expected = _by_command(result, [], rule=rule)
    fields = {"number": 10, "diameter_mm": field}
    counted = clinic.lead.ask("POST", f"{path}/count", {"fields": fields})
    _check_same(counted, expected)
    assert counted["certainty"]["scheme"] == expected.as_dict()["scheme"]
    assert counted["certainty"]["scheme"]["band_of_count"]
    other = clinic.lead.get(path)["hot_spot"]
    assert other["certainty"]["scheme"] is None, "the area of the round is another one"
    assert "counts over" in other["not_graded"]
    placed = {"x": counted["x"], "y": counted["y"], **_all_unseen(counted["count"])}
    signed = clinic.lead.post(f"{path}/sign", **placed, fields=fields)["result"]
    content = clinic.lead.get(signed["manifest"])["content"]
    assert content["certainty"]["scheme"] == counted["certainty"]["scheme"]
    assert content["fields"] == fields
    report = clinic.lead.get(signed["report"]).decode()
    assert "An aid, not a grade" in report
    assert "Meningioma" in report


def test_a_manifest_of_another_table_is_refused(clinic: Clinic, tmp_path: Path, slides: Path) -> None:
    result = _write(tmp_path / "result", slides, [])
    files = {"csv": "x,y,score\n700,700,0.9\n", "manifest": (result / "one.json").read_text("utf-8")}
    body = {"name": "found", "model": "detector", "slide": clinic.slide, **files}
    assert "has changed" in clinic.lead.post("/api/reviews", **body, status=422)["error"]


def test_a_result_that_is_imported_as_a_study_keeps_its_threshold_and_gaps(
    tmp_path: Path, slides: Path
) -> None:
    result = _write(tmp_path / "result", slides, [BESIDE])
    expected = _by_command(result, [], area_mm2=AREA_MM2)
    made = open_clinic(tmp_path, slides)
    made.store.import_study(read_study(result / "one.json"), source=Source("one.json"))
    case = made.round("case", "case review", made.lead, settings={"area_mm2": AREA_MM2})
    shown = made.lead.get(f"/api/rounds/{case}/slides/{made.slide}/case")
    assert shown["threshold"] == THRESHOLD
    _check_same(shown["hot_spot"], expected)
    ((_, counted),) = count_slides(tmp_path / "study.mito", area_mm2=AREA_MM2)
    assert (counted.count, counted.threshold) == (expected.count, THRESHOLD)
    assert "could not be examined" in counted.note
    (search,) = made.store.export_study().searches
    assert (search.searched.threshold, len(search.searched.gaps)) == (THRESHOLD, 1)
    made.store.close()
