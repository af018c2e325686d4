"""CMC and CCMCT from their SlideRunner databases: Table 1, tumour area and labelled cells by slide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import TrainingDataError
from mitoscope.exchange import ReadOptions, read_study, stated_classes, write_study
from mitoscope.experiments.counted import Counted, find_file
from mitoscope.experiments.experiment import Result, Size, Workplace
from mitoscope.experiments.published import PublishedTable, published
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow
from mitoscope.fsio import make_directory
from mitoscope.geometry import Mpp, SizePx
from mitoscope.image_names import stem
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.region import SlideRegions
from mitoscope.store import (
    CROSSES_ITSELF,
    Policy,
    Rater,
    RaterKind,
    Region,
    RegionKind,
    SlideRecord,
    Study,
    StudyBuilder,
    regions_of,
)

WSI_MPP: Final = 0.2533
"""µm/px of the slides of both sets: their ten high-power fields are 7017 × 5263 px."""
AREA: Final = "tumour, mm²"
TEST: Final = "test slides"
TOTAL: Final = "total"
_MAIN: Final = (MITOTIC_FIGURE.name, LOOK_ALIKE.name)
_SIZE: Final = SizePx(26_000, 22_000)
"""Of each slide, in level-0 px: room for several windows of ten high-power fields."""
_LACKING: Final = (0.12, 0.04, 0.0)
"""Share of the cells that the variants lack, in their order."""
_FIGURES: Final = (20, 60, 120, 240, 420, 700)
"""Mitotic figures of the slides."""
_OUTLINE_CORNERS: Final = 90
_HOLE_CORNERS: Final = 40

_TEXT: Final = {
    "cmc": ("cmc-data", "cmc-mel", "cmc-odael", "cmc-codael"),
    "ccmct": ("ccmct-text", "ccmct-earlier"),
}
"""What the text of a paper prints of its slides and labels, beside the table."""

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WsiSet:
    """A data set with a database for each variant of the labels, and one that holds the outlines.

    Parameters
    ----------
    name : str
        As `mitoscope data` calls it.
    variants : mapping of str to str
        Variant of the labels → name of its file.
    outlines : str
        Name of the file with the outlines of the tumours.
    numbered : bool
        Whether the paper numbers its slides, from 1.
    others : tuple of str
        Classes besides mitotic figure and look-alike.
    """

    name: str
    variants: Mapping[str, str]
    outlines: str
    numbered: bool = False
    others: tuple[str, ...] = ()

    @property
    def table(self) -> PublishedTable:
        """Table 1 as it is published."""
        return published(f"{self.name}-table1")

    @property
    def slides(self) -> tuple[str, ...]:
        """Slides of the paper, in its order."""
        return tuple(row for row in self.table.rows if row not in (TEST, TOTAL))

    def title(self, slide: str) -> str:
        """Return the name of a slide with its number in the paper."""
        known = self.numbered and slide in self.slides
        return f"{self.slides.index(slide) + 1} {slide}" if known else slide

    def files(self, workplace: Workplace, *, only_outlines: bool = False) -> tuple[Path, ...]:
        """Return the file of each variant, then that of the outlines; for the smoke size they are made.

        Raises
        ------
        TrainingDataError
            If one is not there.
        """
        every = (*self.variants.values(), self.outlines)
        wanted = (self.outlines,) if only_outlines else every
        if workplace.size is Size.SMOKE:
            folder = make_directory(workplace.out / "synthetic" / self.name)
            make_databases(folder, every, others=self.others)
            return tuple(folder / name for name in wanted)
        return tuple(find_file(workplace.data, name, data_set=self.name) for name in wanted)


CMC: Final = WsiSet(
    "cmc",
    {
        "MEL": "MITOS_WSI_CMC_MEL.sqlite",
        "ODAEL": "MITOS_WSI_CMC_ODAEL_TR.sqlite",
        "CODAEL": "MITOS_WSI_CMC_CODAEL_TR_ROI.sqlite",
    },
    "MITOS_WSI_CMC_CODAEL_TR_ROI.sqlite",
    numbered=True,
)
"""Canine mammary carcinoma."""
CCMCT: Final = WsiSet(
    "ccmct",
    {variant: f"MITOS_WSI_CCMCT_{variant}.sqlite" for variant in ("MEL", "HEAEL", "ODAEL")},
    "MITOS_WSI_CCMCT_Tumorzone.sqlite",
    others=("tumour cell", "granulocyte"),
)
"""Canine cutaneous mast cell tumour."""


@lru_cache(maxsize=4)
def read_database(path: Path) -> Study:
    """Read a database.

    Raises
    ------
    FormatError
        If it is damaged.
    TrainingDataError
        If it holds no slide.
    """
    study = read_study(path, "sliderunner", ReadOptions())
    if not study.slides:
        raise TrainingDataError("the file names no slide", where=path, mend="get the file again")
    return study


def left_out(study: Study) -> int:
    """Return how many outlines are left out because they cross themselves, so that their area is in doubt."""
    return sum(entry.why == CROSSES_ITSELF and ": region " in entry.where for entry in study.quarantine)


def left_out_notes(outlines: int) -> tuple[str, ...]:
    """Return what is to be said of them; nothing of none."""
    what = "Outlines left out because they cross themselves, so that areas of their slides are wrong"
    return (f"{what}: {outlines}.",) if outlines else ()


def slide_regions(study: Study, place: int) -> tuple[SizePx, SlideRegions]:
    """Return size and regions of a slide; where no size is stated, how far its labels and outlines reach."""
    slide, size = study.slides[place], study.slides[place].size
    drawn = [region for region in study.regions if region.slide == place]
    if size is None:
        far = [study.cells.bounds_px0[study.cells.slide == place, 2:].reshape(-1, 2)]
        far += [region.vertices_px0 for region in drawn]
        reach = [part.max(axis=0).tolist() for part in far if len(part)] or [[0, 0]]
        size = SizePx(*(int(max(values)) + 1 for values in zip(*reach, strict=True)))
    return size, regions_of(drawn, replace(slide, size=size))


def make_databases(folder: Path, names: Sequence[str], *, others: Sequence[str] = ()) -> None:
    """Write SlideRunner databases of the same made slides, unless they are there.

    Parameters
    ----------
    folder : Path
    names : sequence of str
        Of the files: a variant of the labels each, and last the one that also holds the outlines.
    others : sequence of str
        Classes besides mitotic figure and look-alike.

    Raises
    ------
    OutputError
        If one cannot be written.
    """
    for place, name in enumerate(dict.fromkeys(names)):
        if not (folder / name).exists():
            lacking = _LACKING[min(place, len(_LACKING) - 1)]
            study = _study(lacking, others, outlined=name == names[-1])
            write_study(study, folder / name, "sliderunner")


def _study(lacking: float, others: Sequence[str], *, outlined: bool) -> Study:
    build = StudyBuilder()
    # The published databases state the outcome of their readers.
    raters = (Rater("first expert"), Rater("second expert"), Rater("consensus", RaterKind.CONSENSUS))
    readers = [build.rater(rater) for rater in raters]
    labels = [
        build.label(label)
        for label in (MITOTIC_FIGURE, LOOK_ALIKE, *(Label(name, "#868e96") for name in others))
    ]
    for number in range(len(_FIGURES)):
        random = np.random.default_rng(number)
        slide = build.slide(SlideRecord(f"made-{number + 1}.svs", size=_SIZE))
        outline, hole = _outline(random)
        if outlined:
            build.regions.append(Region(slide, outline, RegionKind.TUMOUR, "Tumor region"))
            build.regions.append(Region(slide, hole, RegionKind.EXCLUSION, "Non-tumor"))
        for label, count in zip(labels, (_FIGURES[number], 2 * _FIGURES[number], 40, 30), strict=False):
            for x, y in _places(outline, count, random):
                if random.random() >= lacking:
                    cell = build.cell(slide, (round(x), round(y)))
                    for reader in readers:
                        build.event(cell, reader, label)
    return build.build()


def _outline(random: np.random.Generator) -> tuple[Points, Points]:
    """Draw an outline as a hand would, and a hole in it, such as a necrosis."""
    middle = np.array([_SIZE.width, _SIZE.height]) / 2
    outline = _blob(middle, 8200.0, _OUTLINE_CORNERS, random)
    turn = random.uniform(0, 2 * np.pi)
    beside = middle + 4200.0 * np.array([np.cos(turn), np.sin(turn)])
    return outline, _blob(beside, 1300.0, _HOLE_CORNERS, random)


def _blob(middle: Points, radius: float, corners: int, random: np.random.Generator) -> Points:
    angle = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    waves = range(2, 7)
    length = np.ones(corners)
    for wave, size, phase in zip(waves, random.normal(0, 0.07, 5), random.uniform(0, 6, 5), strict=True):
        length += size * np.cos(wave * angle + phase)
    corner = middle + radius * length[:, None] * np.column_stack([1.15 * np.cos(angle), np.sin(angle)])
    return np.asarray(corner.round())


def _places(outline: Points, count: int, random: np.random.Generator) -> list[tuple[float, float]]:
    """Draw places: two fifths all over the tumour and about it, the others in a spot at its edge."""
    spread = outline.mean(axis=0) + random.normal(0, 4200, (count * 2 // 5, 2))
    spot = outline[random.integers(len(outline))] * 0.6 + outline.mean(axis=0) * 0.4
    places = np.concatenate([spread, spot + random.normal(0, 1900, (count - len(spread), 2))])
    inside = np.clip(places, 60, np.array([_SIZE.width, _SIZE.height]) - 60)
    return [(float(x), float(y)) for x, y in inside]


def _count(of: WsiSet, files: tuple[Path, ...]) -> Result:
    *variants, outlines = (read_database(path) for path in files)
    mpp, areas = Mpp.square(WSI_MPP), {}
    for place, slide in enumerate(outlines.slides):
        tumour = slide_regions(outlines, place)[1].tumour
        areas[stem(slide.name)] = 0.0 if tumour is None else tumour.area_mm2(mpp)
    counts = {name: _cells(study) for name, study in zip(of.variants, variants, strict=True)}
    return {"areas": areas, "counts": counts, "left_out": left_out(outlines)}


def _cells(study: Study) -> dict[str, dict[str, int]]:
    """Return the cells of each slide by class; those marked as deleted are among them, as in the papers."""
    label = stated_classes(study, Policy.RECORDED)[0]
    return {
        stem(slide.name): {
            name: int(np.count_nonzero((label == index) & (study.cells.slide == place)))
            for index, name in enumerate(study.labels.names)
        }
        for place, slide in enumerate(study.slides)
    }


def _tabulate(of: WsiSet, title: str, result: Result) -> ResultTable:
    counts: Mapping[str, Mapping[str, Mapping[str, int]]] = result["counts"]
    printed, known = of.table.rows, of.slides
    there = {*result["areas"], *(slide for of_slide in counts.values() for slide in of_slide)}
    slides = [*(slide for slide in known if slide in there), *sorted(there - set(known))]
    columns = [AREA, *(f"{label}, {name}" for label in _labels(counts) for name in counts)]
    value_of = {(slide, AREA): area for slide, area in result["areas"].items()}
    for variant, of_slide in counts.items():
        for slide, cells in of_slide.items():
            value_of |= {(slide, f"{label}, {variant}"): float(count) for label, count in cells.items()}

    def entry(row: str, column: str, of_slides: Sequence[str] | None = None) -> Entry:
        value, figure = value_of.get((row, column)), printed.get(row, {}).get(column)
        if of_slides is not None:
            value = sum(value_of.get((slide, column), 0.0) for slide in of_slides) if of_slides else None
            each = [printed.get(slide, {}).get(column) for slide in of_slides]
            summed = None if None in each else sum(one for one in each if one is not None)
            figure = summed if figure is None else figure
            # Sums are compared only where the same slides are summed.
            figure = figure if there == set(known) else None
        return Entry(value, published=None if figure is None else float(figure))

    sums = {TEST: [slide for slide in slides if slide in of.table.tests], TOTAL: slides}
    rows = [TableRow(of.title(slide), tuple(entry(slide, column) for column in columns)) for slide in slides]
    rows += [
        TableRow(name, tuple(entry(name, column, own) for column in columns)) for name, own in sums.items()
    ]
    notes = (
        f"Areas by the outlines themselves at {WSI_MPP:g} µm/px; the papers filled them at the lowest level "
        "of the pyramid, with the pixels on the outline: 0.13 % more.",
        "Cells by the class they came to; those marked as deleted are counted, as in the papers.",
        *left_out_notes(result["left_out"]),
    )
    decimals = tuple(Column(name, 2 if name == AREA else 0) for name in columns)
    return ResultTable(title, "slide", decimals, tuple(rows), of.table.source, notes)


def _labels(counts: Mapping[str, Mapping[str, Mapping[str, int]]]) -> list[str]:
    """Return the classes that hold cells, mitotic figure and look-alike first."""
    every = (cells for of_slide in counts.values() for cells in of_slide.values())
    used = {label for cells in every for label, count in cells.items() if count}
    return [*_MAIN, *sorted(used - set(_MAIN))]


def _table_1(of: WsiSet) -> Counted:
    paper, shows = of.name.upper(), "Table 1: tumour area and labelled cells of each slide by variant"
    needs = (
        f"{of.name}: {', '.join(dict.fromkeys((*of.variants.values(), of.outlines)))} in databases, no pixels"
    )
    tabulate = partial(_tabulate, of, f"{paper} {shows}")
    name = f"{of.name}-table1"
    tables = (name, *_TEXT[of.name])
    return Counted(name, paper, shows, needs, of.files, partial(_count, of), tabulate, tables=tables)


WSI_TABLES: Final = (_table_1(CMC), _table_1(CCMCT))
"""Both as experiments."""
