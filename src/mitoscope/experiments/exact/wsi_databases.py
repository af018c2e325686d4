"""The SlideRunner databases of CMC and CCMCT: one for each variant of the labels, one of outlines."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import TrainingDataError
from mitoscope.exchange import ReadOptions, read_study, write_study
from mitoscope.experiments.exact.counted import find_file
from mitoscope.experiments.exact.wsi_published import CCMCT_VARIANTS
from mitoscope.experiments.experiment import Size, Workplace
from mitoscope.fsio import make_directory
from mitoscope.geometry import SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.store import CROSSES_ITSELF, Rater, Region, RegionKind, SlideRecord, Study, StudyBuilder

WSI_MPP: Final = 0.2533
"""µm/px of the slides of both sets: their ten high-power fields are 7017 × 5263 px."""
SLIDES: Final = 6
SIZE: Final = SizePx(26_000, 22_000)
"""Of each slide, in level-0 px: room for several windows of ten high-power fields."""
_LACKING: Final = (0.12, 0.04, 0.0)
"""Share of the cells that the variants lack, in their order."""
_FIGURES: Final = (20, 60, 120, 240, 420, 700)
"""Mitotic figures of the slides."""
_OUTLINE_CORNERS: Final = 90
_HOLE_CORNERS: Final = 40

Points = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class WsiSet:
    """The databases of a data set.

    Parameters
    ----------
    name : str
        As `mitoscope data` calls it.
    variants : mapping of str to tuple of str
        Variant of the labels → names that its file goes by.
    outlines : tuple of str
        Names of the file with the outlines of the tumours.
    others : tuple of str
        Classes besides mitotic figure and look-alike.
    """

    name: str
    variants: Mapping[str, tuple[str, ...]]
    outlines: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def needs(self) -> str:
        """The data that the full size takes."""
        files = dict.fromkeys(names[0] for names in (*self.variants.values(), self.outlines))
        return f"{self.name}: {', '.join(files)} in databases, no pixels"

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
            make_databases(folder, [names[0] for names in every], others=self.others)
            return tuple(folder / names[0] for names in wanted)
        return tuple(find_file(workplace.data, *names, data_set=self.name) for names in wanted)


CMC: Final = WsiSet(
    "cmc",
    {
        "MEL": ("MITOS_WSI_CMC_MEL.sqlite",),
        "ODAEL": ("MITOS_WSI_CMC_ODAEL_TR.sqlite", "MITOS_WSI_CMC_ODAEL.sqlite"),
        "CODAEL": ("MITOS_WSI_CMC_CODAEL_TR_ROI.sqlite", "MITOS_WSI_CMC_COADEL_TR_ROI.sqlite"),
    },
    ("MITOS_WSI_CMC_CODAEL_TR_ROI.sqlite", "MITOS_WSI_CMC_COADEL_TR_ROI.sqlite"),
)
"""Canine mammary carcinoma; the authors' scripts also misspell the file with the outlines."""
CCMCT: Final = WsiSet(
    "ccmct",
    {variant: (f"MITOS_WSI_CCMCT_{variant}.sqlite",) for variant in CCMCT_VARIANTS},
    ("MITOS_WSI_CCMCT_Tumorzone.sqlite",),
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
        raise TrainingDataError("no slide in it", where=path, mend="get the file again")
    return study


def left_out(study: Study) -> int:
    """Return how many outlines are left out because they cross themselves, so that their area is in doubt."""
    return sum(entry.why == CROSSES_ITSELF and ": region " in entry.where for entry in study.quarantine)


def left_out_notes(outlines: int) -> tuple[str, ...]:
    """Return what is to be said of them; nothing of none."""
    what = "Outlines left out because they cross themselves, so that areas of their slides are wrong"
    return (f"{what}: {outlines}.",) if outlines else ()


def extent(study: Study, place: int) -> SizePx:
    """Return the size of a slide; where the database states none, how far its labels and outlines reach."""
    slide = study.slides[place]
    if slide.size is not None:
        return slide.size
    far = [study.cells.bounds_px0[study.cells.slide == place, 2:].reshape(-1, 2)]
    far += [region.vertices_px0 for region in study.regions if region.slide == place]
    reach = [part.max(axis=0).tolist() for part in far if len(part)] or [[0, 0]]
    return SizePx(*(int(max(values)) + 1 for values in zip(*reach, strict=True)))


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
    experts = [build.rater(Rater(name)) for name in ("first expert", "second expert")]
    labels = [
        build.label(label) for label in (MITOTIC_FIGURE, LOOK_ALIKE, *(_other(name) for name in others))
    ]
    for number in range(SLIDES):
        random = np.random.default_rng(number)
        slide = build.slide(SlideRecord(f"made-{number + 1}.svs", size=SIZE))
        outline, hole = _outline(random)
        if outlined:
            build.regions.append(Region(slide, outline, RegionKind.TUMOUR, "Tumor region"))
            build.regions.append(Region(slide, hole, RegionKind.EXCLUSION, "Non-tumor"))
        for label, count in zip(labels, (_FIGURES[number], 2 * _FIGURES[number], 40, 30), strict=False):
            for x, y in _places(outline, count, random):
                if random.random() >= lacking:
                    cell = build.cell(slide, (round(x), round(y)))
                    for expert in experts:
                        build.event(cell, expert, label)
    return build.build()


def _other(name: str) -> Label:
    return Label(name, "#868e96")


def _outline(random: np.random.Generator) -> tuple[Points, Points]:
    """Draw an outline as a hand would, and a hole in it, such as a necrosis."""
    middle = np.array([SIZE.width, SIZE.height]) / 2
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
    inside = np.clip(places, 60, np.array([SIZE.width, SIZE.height]) - 60)
    return [(float(x), float(y)) for x, y in inside]
