"""Made databases of whole slides for the smoke size: outlines with a hole, figures dense in one place."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.exchange.registry import write_study
from mitoscope.geometry import SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, Label
from mitoscope.store import Rater, Region, RegionKind, SlideRecord, Study
from mitoscope.store.builder import StudyBuilder

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
    labels = [build.label(one) for one in (MITOTIC_FIGURE, LOOK_ALIKE, *(_other(name) for name in others))]
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
