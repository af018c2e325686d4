"""One result gives one count: report, folder, table, GeoJSON, study, experiment, and what is signed."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.count import mitotic_count, true_figures
from mitoscope.count.slides import count_slides
from mitoscope.detections import Detections
from mitoscope.errors import IncompleteRunError
from mitoscope.exchange.registry import read_study
from mitoscope.experiments.cmc_fig4 import measure_case
from mitoscope.experiments.midogpp import hot_spot
from mitoscope.experiments.wsi import WSI_MPP
from mitoscope.geometry import BoxPx0, Mpp, SizePx
from mitoscope.infer import SlideRun
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.region import RegionKind
from mitoscope.report import gather, write_outputs
from mitoscope.store import (
    Rater,
    RaterKind,
    Region,
    SlideRecord,
    Source,
    Store,
    Study,
    StudyBuilder,
)
from mitoscope.store.ground_truth import ground_truth_of, regions_of
from tests.report.runs import MPP, paint_slide, run_on
from tests.web.making import Clinic

SIZE = (800, 600)
AREAS = st.sampled_from([0.004, 0.02, 2.37])
"""Windows much smaller than the slide, about as large as its island, and larger than the slide."""
Box = tuple[int, int, int, int]

BOXES = st.tuples(st.integers(0, 500), st.integers(0, 400), st.integers(40, 700), st.integers(40, 500))
REGIONS = st.lists(st.tuples(st.sampled_from([RegionKind.TUMOUR, RegionKind.EXCLUSION]), BOXES), max_size=3)
SEEDS = st.integers(0, 10**6)


@pytest.fixture(scope="module")
def slide_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return paint_slide(tmp_path_factory.mktemp("slides") / "island.png", size=SIZE)


@pytest.fixture
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as path:
        yield Path(path)


def ring(box: Box) -> np.ndarray:
    x, y, width, height = box
    return np.array([(x, y), (x + width, y), (x + width, y + height), (x, y + height)], dtype=np.float64)


def drawn(boxes: list[tuple[RegionKind, Box]]) -> tuple[Region, ...]:
    return tuple(Region(0, ring(box), kind, str(kind)) for kind, box in boxes)


def candidates(run: SlideRun, seed: int) -> Detections:
    """Return candidates on tissue, figures and others, above, at and below the threshold."""
    random = np.random.default_rng(seed)
    points = random.uniform((0, 0), SIZE, (80, 2))
    points = points[run.tissue.contains(points)]
    score = np.where(random.random(len(points)) < 0.1, 0.5, random.uniform(0.06, 0.99, len(points)))
    found = Detections.of(points, score, source="painted-fcn 1.2.0")
    label = np.where(random.random(len(points)) < 0.2, LOOK_ALIKE.name, MITOTIC_FIGURE.name)
    return replace(found, label=label).sort()


def study_of(path: Path, regions: tuple[Region, ...], folder: Path, *, size: SizePx | None = None) -> Path:
    """Import a file into a new study in which regions are drawn."""
    study = read_study(path)
    records = tuple(replace(slide, size=slide.size or size) for slide in study.slides)
    target = folder / f"{path.name}.mito"
    with Store.create(target) as store:
        store.import_study(replace(study, slides=records, regions=regions), source=Source(path.name, "test"))
    return target


def only(reference: Path, **options: Any) -> int:
    ((_, counted),) = count_slides(reference, **options)
    return counted.count


def routes(run: SlideRun, regions: tuple[Region, ...], folder: Path, area: float) -> dict[str, int | None]:
    """Return the count of a run by each route."""
    size, scale = SizePx(*SIZE), Mpp.square(MPP)
    together = regions_of(list(regions), SlideRecord("island.png", size))
    write_outputs(run, folder, formats=("csv", "json", "geojson"), area_mm2=area, regions=together)
    same: dict[str, Any] = {"area_mm2": area, "regions": together}
    return {
        "report": gather(run, **same).count,
        "folder": only(folder, **same),
        "manifest": only(folder / "island.json", **same),
        "table": only(folder / "island.csv", **same),
        "geojson": only(folder / "island.geojson", mpp=scale, **same),
        "study of the table": only(study_of(folder / "island.csv", regions, folder), area_mm2=area),
        "study of the geojson": only(
            study_of(folder / "island.geojson", regions, folder, size=size), area_mm2=area, mpp=scale
        ),
        "python": mitotic_count(run.detections, area_mm2=area, regions=together).count,
    }


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS, area=AREAS, boxes=REGIONS)
def test_every_route_gives_one_count(
    seed: int, area: float, boxes: list[tuple[RegionKind, Box]], slide_file: Path
) -> None:
    run = run_on(slide_file, Detections.empty())
    run = replace(run, detections=candidates(run, seed))
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        found = routes(run, drawn(boxes), Path(folder), area)
    assert len(set(found.values())) == 1, found


def test_the_routes_find_what_a_person_counts(slide_file: Path, folder: Path) -> None:
    # Four figures; one below the threshold, one in the necrosis, one beside the tumour.
    points = np.array([(400.0, 300), (410, 300), (420, 310), (500, 300), (300, 300)])
    run = run_on(slide_file, Detections.of(points, [0.9, 0.8, 0.5, 0.9, 0.9]))
    boxes = [(RegionKind.TUMOUR, (350, 200, 300, 200)), (RegionKind.EXCLUSION, (480, 280, 50, 50))]
    found = routes(run, drawn(boxes), folder, 0.02)
    assert set(found.values()) == {2}, found


def test_a_gap_in_the_window_is_refused_by_every_route_that_knows_it(slide_file: Path, folder: Path) -> None:
    points = np.array([(400.0, 300), (410, 300)])
    gap = BoxPx0(390, 290, 30, 30)
    run = run_on(slide_file, Detections.of(points, [0.9, 0.8]), gaps=(gap,))
    write_outputs(run, folder, formats=("csv", "json"), area_mm2=0.004)
    assert gather(run, area_mm2=0.004).count is None
    study = study_of(folder / "island.csv", (), folder)
    for reference in (folder, folder / "island.csv", folder / "island.json", study):
        with pytest.raises(IncompleteRunError, match="could not be examined"):
            only(reference, area_mm2=0.004)
    with pytest.raises(IncompleteRunError):
        mitotic_count(run.detections, area_mm2=0.004)
    # Where nobody counts, nothing is missing.
    regions = regions_of(
        list(drawn([(RegionKind.EXCLUSION, (380, 280, 60, 60))])), SlideRecord("a", SizePx(*SIZE))
    )
    assert only(folder, area_mm2=0.004, regions=regions) == 0


@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(seed=SEEDS, small=st.booleans(), boxes=REGIONS)
def test_experiments_count_as_the_command_does(
    seed: int, small: bool, boxes: list[tuple[RegionKind, Box]]
) -> None:
    size = SizePx(4000, 3000) if small else SizePx(16_000, 12_000)
    outlines = [(RegionKind.TUMOUR, (0, 0, 700, 500)), *boxes]
    regions = tuple(Region(0, ring(box) * size.width / SIZE[0], kind) for kind, box in outlines)
    study = truth_study(seed, size, regions)
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as folder:
        with Store.create(Path(folder, "s.mito")) as store:
            store.import_study(study, source=Source("made", "test"))
        by_command = only(Path(folder, "s.mito"))
    assert by_command == measure_case(study, 0)["mitotic_count"]
    (slide,) = ground_truth_of(study)
    assert by_command == mitotic_count(true_figures(slide), regions=slide.regions).count
    plain = replace(study, regions=())
    (slide,) = ground_truth_of(plain)
    counted = mitotic_count(true_figures(slide)).count
    assert counted == hot_spot(slide.cells.figures_px0, study.slides[0])


def truth_study(seed: int, size: SizePx, regions: tuple[Region, ...]) -> Study:
    """Return a study of one slide in which a consensus on cells is recorded, as in the databases of CMC."""
    random = np.random.default_rng(seed)
    build = StudyBuilder()
    slide = build.slide(SlideRecord("made.svs", size, Mpp(WSI_MPP, WSI_MPP)))
    expert = build.rater(Rater("consensus", RaterKind.CONSENSUS))
    labels = [build.label(label) for label in (MITOTIC_FIGURE, LOOK_ALIKE)]
    for x, y in random.uniform((0, 0), (size.width, size.height), (60, 2)).round().tolist():
        build.event(build.cell(slide, (x, y)), expert, labels[int(random.random() < 0.3)])
    build.regions.extend(regions)
    return build.build()


def test_control_a_route_with_a_rule_of_its_own_gives_other_numbers(slide_file: Path, folder: Path) -> None:
    """Counting rows of the class, without regions, or every row above zero: each is found out."""
    points = np.array([(400.0, 300), (410, 300), (420, 310), (500, 300)])
    run = run_on(slide_file, Detections.of(points, [0.9, 0.8, 0.5, 0.9]))
    found = routes(run, drawn([(RegionKind.TUMOUR, (350, 200, 100, 200))]), folder, 0.02)
    (right,) = set(found.values())
    assert right == 2
    assert only(folder / "island.csv", area_mm2=0.02) == 3
    assert only(folder / "island.csv", area_mm2=0.02, threshold=0.0) == 4


def signed_count(clinic: Clinic, table: Path, boxes: list[tuple[RegionKind, Box]], area: float) -> Any:
    """Import a result into a served study, draw regions on the page, and sign what it shows."""
    study = read_study(table)
    clinic.store.import_study(study, source=Source(table.name, "test"))
    for kind, box in boxes:
        vertices = ring(box).tolist()
        clinic.lead.post(f"/api/slides/{clinic.slide}/regions", kind=str(kind), vertices=vertices)
    doctor = clinic.person("pathologist")
    case = clinic.round("case", "case review", doctor, settings={"area_mm2": area})
    path = f"/api/rounds/{case}/slides/{clinic.slide}/case"
    shown = doctor.get(path)
    if shown["hot_spot"] is None:
        return shown
    spot = shown["hot_spot"]
    signing = {"threshold": shown["threshold"], "x": spot["x"], "y": spot["y"], "count": spot["count"]}
    signing["not_looked_at"] = spot["looked_at"]["candidates"]
    return doctor.post(f"{path}/sign", **signing)["result"]


WEB_CASES: dict[str, tuple[list[tuple[RegionKind, Box]], float]] = {
    "on all tissue": ([], 0.02),
    "inside of a tumour": ([(RegionKind.TUMOUR, (700, 500, 500, 400))], 0.02),
    "without an exclusion": ([(RegionKind.EXCLUSION, (900, 600, 300, 300))], 0.02),
    "on a slide smaller than the window": ([(RegionKind.TUMOUR, (300, 300, 1400, 900))], 2.37),
}


@pytest.mark.parametrize("name", WEB_CASES)
def test_what_is_signed_is_what_detect_counted(
    name: str, slides: Path, quick_path: Path, clinic: Clinic
) -> None:
    boxes, area = WEB_CASES[name]
    run = run_on(slides / "one.tiff", Detections.empty())
    random = np.random.default_rng(3)
    points = random.normal((1024, 768), (250, 200), (150, 2))
    points = points[run.tissue.contains(points)]
    run = replace(run, detections=Detections.of(points, random.uniform(0.06, 0.99, len(points))))
    size = run.slide.size
    regions = regions_of(list(drawn(boxes)), SlideRecord("one.tiff", size))
    write_outputs(run, quick_path / "out", formats=("csv",), area_mm2=area, regions=regions)
    report = gather(run, area_mm2=area, regions=regions).hot_spot
    signed = signed_count(clinic, quick_path / "out" / "one.csv", boxes, area)
    assert signed["count"] == report.count == only(quick_path / "out", area_mm2=area, regions=regions)
    assert signed["area_mm2"] == pytest.approx(report.area_mm2)
    assert signed["threshold"] == run.threshold
    box = signed["window"]
    assert BoxPx0(box["x"], box["y"], box["width"], box["height"]) == report.box_px0


def test_nobody_signs_a_window_with_a_gap(slides: Path, quick_path: Path, clinic: Clinic) -> None:
    points = np.array([(1024.0, 768), (1034, 768)])
    run = run_on(slides / "one.tiff", Detections.of(points, [0.9, 0.8]), gaps=(BoxPx0(1010, 760, 64, 64),))
    write_outputs(run, quick_path / "out", formats=("csv",), area_mm2=0.004)
    shown = signed_count(clinic, quick_path / "out" / "one.csv", [], 0.004)
    assert gather(run, area_mm2=0.004).count is None
    assert "could not be examined" in shown["problem"]
