"""From labels to a frozen version and on: figures, look-alikes, agreement, sizes, regions and cases are kept.

The expectation is worked out here, cell by cell and in plain Python, from what was labelled; every route from
the study must give it: the study under its default policy, a version, the version read by its reference, and
files that were written of it.
"""

from __future__ import annotations

import json
import tempfile
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mitoscope.errors import LeakError
from mitoscope.exchange.format import BoxLayout, ReadOptions
from mitoscope.exchange.predictions import read_any_predictions
from mitoscope.exchange.registry import read_study, write_study
from mitoscope.exchange.truth import read_ground_truth
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import ATYPICAL_FIGURE, LOOK_ALIKE, MITOTIC_FIGURE, LabelSet
from mitoscope.store import (
    Policy,
    Rater,
    Region,
    RegionKind,
    Round,
    RoundKind,
    Shape,
    SlideRecord,
    Source,
    Store,
    StudyBuilder,
)
from mitoscope.truth import GroundTruth

CLASSES = (MITOTIC_FIGURE, LOOK_ALIKE, ATYPICAL_FIGURE)
SIDE = 4000
Facts = Counter[tuple[object, ...]]


@dataclass
class Cell:
    """A cell as it was labelled: what one to three experts said of it, in their order."""

    slide: int
    x: int
    y: int
    size: tuple[int, int] | None
    said: list[int]

    @property
    def settled(self) -> tuple[int, float] | None:
        """Class and agreement as two experts and a third give them; None where they give none."""
        first, *others = self.said
        if not others:
            return first, 1.0
        agreed = first if first == others[0] else None
        if agreed is None and len(others) == 2 and others[1] in (first, others[0]):
            agreed = others[1]
        return None if agreed is None else (agreed, self.said.count(agreed) / len(self.said))


@dataclass
class Made:
    """A study that is made for a test."""

    slides: int
    cells: list[Cell] = field(default_factory=list)

    def write(self, path: Path) -> None:
        builder = StudyBuilder(LabelSet(CLASSES))
        slides = [
            builder.slide(
                SlideRecord(f"{n}.svs", SizePx(SIDE, SIDE), Mpp.square(0.25), f"{n}" * 64, f"dog {n // 2}")
            )
            for n in range(self.slides)
        ]
        raters = [builder.rater(Rater(f"expert {n}")) for n in range(3)]
        rounds = [
            builder.round(Round(kind.value, kind))
            for kind in (RoundKind.SCREENING, RoundKind.SECOND_READ, RoundKind.THIRD_EXPERT)
        ]
        rows = []
        for cell in self.cells:
            if cell.size is None:
                rows.append(builder.cell(slides[cell.slide], (cell.x, cell.y)))
            else:
                half = cell.size[0] / 2, cell.size[1] / 2
                box = cell.x - half[0], cell.y - half[1], cell.x + half[0], cell.y + half[1]
                rows.append(builder.cell(slides[cell.slide], box, shape=Shape.BOX))
        for turn in range(3):
            for row, cell in zip(rows, self.cells, strict=True):
                if turn < len(cell.said):
                    builder.event(row, raters[turn], cell.said[turn], round_=rounds[turn])
        square = np.array([(0.0, 0.0), (2000, 0), (2000, 2000), (0, 2000)])
        builder.regions.append(Region(slides[0], square, RegionKind.TUMOUR, "tumour"))
        builder.regions.append(Region(slides[0], square / 2, RegionKind.EXCLUSION, "necrosis"))
        with Store.create(path) as store:
            store.import_study(builder.build(), source=Source("made"))

    def facts(self, *, agreement: bool = True, sizes: bool = True) -> Facts:
        """What every route must give: slide, place, class, agreement and size of each cell."""
        found: Facts = Counter()
        for cell in self.cells:
            if cell.settled is not None:
                label, share = cell.settled
                said = (round(share, 6) if agreement else None, cell.size if sizes else None)
                found[f"{cell.slide}", cell.x, cell.y, CLASSES[label].name, *said] += 1
        return found


def facts_of(truth: GroundTruth, *, agreement: bool = True, sizes: bool = True) -> Facts:
    found: Facts = Counter()
    for slide in truth.slides:
        cells = slide.cells
        columns = (cells.points_px0, cells.label, cells.agreement, cells.size_px0)
        for (x, y), label, share, (width, height) in zip(
            *(column.tolist() for column in columns), strict=True
        ):
            size = None if width != width else (round(width), round(height))
            said = (round(share, 6) if agreement else None, size if sizes else None)
            found[Path(slide.name).stem, round(x), round(y), label, *said] += 1
    return found


@st.composite
def studies(draw: st.DrawFn) -> Made:
    made = Made(draw(st.integers(1, 4)))
    places = draw(
        st.lists(
            st.tuples(st.integers(50, 3900), st.integers(50, 3900)), min_size=1, max_size=14, unique=True
        )
    )
    for x, y in places:
        size = draw(st.none() | st.tuples(st.integers(5, 30), st.integers(5, 30)).map(_even))
        said = draw(st.lists(st.integers(0, 2), min_size=1, max_size=3))
        made.cells.append(Cell(draw(st.integers(0, made.slides - 1)), x, y, size, said))
    # At least one has a class, whatever was drawn.
    made.cells.append(Cell(0, 3950, 3950, (40, 30), [0, 1, 0]))
    return made


def _even(size: tuple[int, int]) -> tuple[int, int]:
    return size[0] * 2, size[1] * 2


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as name:
        yield Path(name)


def new_path(folder: Path) -> Path:
    return Path(tempfile.mkdtemp(dir=folder)) / "study.mito"


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(made=studies())
def test_labels_reach_every_reader_of_the_study(folder: Path, made: Made) -> None:
    path = new_path(folder)
    made.write(path)
    expected = made.facts()
    split = {f"{n}.svs": "train" if n < 2 else "test" for n in range(made.slides)}
    with Store.open(path) as store:
        now = store.ground_truth()
        frozen = store.freeze("MEL", split=split)
        assert store.ground_truth("MEL@1").sha256 == frozen.manifest.sha256
    version = read_ground_truth(f"{path}@MEL@1")
    for truth in (now, frozen.truth, version, read_ground_truth(path)):
        assert facts_of(truth) == expected
        first = truth.slides[0]
        assert first.mpp is not None
        assert first.regions.tumour is not None
        assert first.regions.tumour.area_mm2(first.mpp) == pytest.approx(3_000_000 / 16e6)
        assert [slide.case for slide in truth] == [f"dog {n // 2}" for n in range(made.slides)]
        assert [slide.sha256 for slide in truth] == [f"{n}" * 64 for n in range(made.slides)]
    assert {slide.name: slide.side for slide in version} == split
    assert sum(frozen.manifest.cells.values()) == sum(expected.values())


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(made=studies())
def test_what_happens_afterwards_does_not_reach_a_version(folder: Path, made: Made) -> None:
    path = new_path(folder)
    made.write(path)
    with Store.open(path) as store:
        before = store.freeze("MEL")
        with store.writing() as connection:
            connection.execute("INSERT INTO rater (name, kind) VALUES ('late', 'consensus')")
            connection.execute("DELETE FROM region")
            connection.execute("UPDATE slide SET examined = 'later', tumour_type = 'later'")
        store.add_classes("megakaryocyte")
        assert store.version("MEL") == before
        assert facts_of(store.ground_truth("MEL")) == made.facts()


@pytest.mark.parametrize(("name", "suffix"), [("csv", ".csv"), ("coco", ".json"), ("geojson", ".geojson")])
@settings(max_examples=8, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(made=studies())
def test_files_of_a_version_say_the_same(folder: Path, name: str, suffix: str, made: Made) -> None:
    path = new_path(folder)
    made.slides = 1
    for cell in made.cells:
        cell.slide = 0
    made.write(path)
    with Store.open(path) as store:
        store.freeze("MEL")
        study = store.export_study(version="MEL")
    file = path.with_name(f"0{suffix}")
    write_study(study, file, name)
    truth = read_ground_truth(file)
    assert facts_of(truth) == made.facts()
    with Store.create(path.with_name("again.mito")) as again:
        again.import_study(read_study(file), source=Source("again"))
        assert facts_of(again.ground_truth(), agreement=False) == made.facts(agreement=False)


@pytest.mark.parametrize("stated", ["agreement", "score"])
def test_agreement_is_one_number_by_every_route(folder: Path, stated: str) -> None:
    """Whether table, COCO file or study says it; a score stands for it where there is none, and is noted."""
    numbers = [0.75, 0.25]
    table, document = new_path(folder).with_suffix(".csv"), new_path(folder).with_suffix(".json")
    rows = [f"s.tif,{100 * n + 25},25,mitosis,{number}\n" for n, number in enumerate(numbers)]
    table.write_text(f"image,x,y,label,{stated}\n" + "".join(rows), encoding="utf-8")
    boxes = [{"id": n, "bbox": [100 * n, 0, 50, 50], stated: number} for n, number in enumerate(numbers)]
    images = [{"id": 1, "file_name": "s.tif", "width": SIDE, "height": SIDE}]
    content = {
        "images": images,
        "categories": [{"id": 1, "name": "mitosis"}],
        "annotations": [box | {"image_id": 1, "category_id": 1} for box in boxes],
    }
    document.write_text(json.dumps(content), encoding="utf-8")
    options = ReadOptions(boxes=BoxLayout.XYWH)
    for path in (table, document):
        truth = read_ground_truth(path, options=options)
        assert truth.slides[0].cells.agreement.tolist() == numbers
        noted = ("the score of 2 cells is taken as agreement",) if stated == "score" else ()
        assert truth.notes == noted
    if stated == "score":
        for path in (table, document):
            (found,) = read_any_predictions(path, options=options).values()
            assert found.score.tolist() == numbers
    with Store.create(new_path(folder)) as study:
        study.import_study(read_study(document, options=options), source=Source("a"))
        assert study.ground_truth().slides[0].cells.agreement.tolist() == numbers


def test_an_agreement_is_taken_before_the_score_that_stands_beside_it(folder: Path) -> None:
    table, document = new_path(folder).with_suffix(".csv"), new_path(folder).with_suffix(".json")
    table.write_text("image,x,y,label,agreement,score\ns.tif,25,25,mitosis,0.6,0.9\n", encoding="utf-8")
    box = {"id": 1, "image_id": 1, "category_id": 1, "bbox": [0, 0, 50, 50], "agreement": 0.6, "score": 0.9}
    images = [{"id": 1, "file_name": "s.tif", "width": SIDE, "height": SIDE}]
    content = {"images": images, "categories": [{"id": 1, "name": "mitosis"}], "annotations": [box]}
    document.write_text(json.dumps(content), encoding="utf-8")
    options = ReadOptions(boxes=BoxLayout.XYWH)
    for path in (table, document):
        truth = read_ground_truth(path, options=options)
        assert (truth.slides[0].cells.agreement.tolist(), truth.notes) == ([0.6], ())
        (found,) = read_any_predictions(path, options=options).values()
        assert found.score.tolist() == [0.9]


def test_a_route_with_a_rule_of_its_own_fails(folder: Path) -> None:
    """The control: what was unanimous alone, as readers had it that asked the labels for themselves."""
    made = Made(1, [Cell(0, 100, 100, None, [0, 1, 0]), Cell(0, 300, 300, (40, 30), [0, 0])])
    path = new_path(folder)
    made.write(path)
    with Store.open(path, write=False) as store:
        assert facts_of(store.ground_truth()) == made.facts()
        assert facts_of(store.ground_truth(policy=Policy.UNANIMOUS)) != made.facts()
    # And a route that forgets what it was handed.
    truth = read_ground_truth(path)
    assert facts_of(truth, agreement=False) != made.facts()
    assert facts_of(truth, sizes=False) != made.facts()


def test_a_case_or_the_same_pixels_on_both_sides_are_refused(folder: Path) -> None:
    made = Made(3, [Cell(0, 100, 100, None, [0])])
    path = new_path(folder)
    made.write(path)
    with Store.open(path) as store:
        with pytest.raises(LeakError, match="the same case"):
            store.freeze("MEL", split={"0.svs": "train", "1.svs": "test"})
        with store.writing() as connection:
            connection.execute("UPDATE slide SET sha256 = 'same'")
        with pytest.raises(LeakError, match="the same pixels"):
            store.freeze("MEL", split={"0.svs": "train", "2.svs": "test"})
        assert store.overview().variants == ()
