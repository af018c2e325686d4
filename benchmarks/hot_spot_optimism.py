"""How much the count of a hot spot exceeds what its tissue gives on average, plain and corrected.

    python benchmarks/hot_spot_optimism.py [--slides 100] [--write]

Figures are drawn on synthetic slides whose density is known: a Poisson process of one density everywhere,
and one with a true hot spot of the size of the window (4:3, 2.37 mm²) that is five times as dense. The truth
is the mean number of figures in the best window: of any window without a true hot spot, of that one else.
*Plain* is the fullest of all windows. *Corrected* (`mitoscope count`): figures fall in four random parts;
three choose the window, the fourth is counted in it, all four in turn, over four splits. *By halves*: the
same with two parts and eight splits. *Bias* is the mean difference from the truth over all slides with its
standard error, *off* the root of the mean squared difference.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from results_page import write_page

from mitoscope.count import FIELD_ASPECT, TEN_HPF_MM2, find_hot_spot, mitotic_count, window_size
from mitoscope.count.uncertainty import corrected_count
from mitoscope.detections import Detections, Searched
from mitoscope.geometry import Mpp, SizePx

RESULT = Path(__file__).parent / "results" / "hot_spot_optimism.md"
MPP = Mpp.square(0.25)
WINDOW = window_size(TEN_HPF_MM2, aspect=FIELD_ASPECT, mpp=MPP)
TIMES = 5
"""As dense is a true hot spot as what is around it."""


@dataclass(frozen=True)
class Setting:
    """A kind of slide: mm² of tissue, figures per mm², and whether there is a true hot spot."""

    tissue_mm2: float
    per_mm2: float
    has_hot_spot: bool

    @property
    def size(self) -> SizePx:
        """Size of the slide in level-0 px, all of it tissue."""
        width_um, height_um = FIELD_ASPECT.size_um(self.tissue_mm2)
        return SizePx(round(width_um / MPP.x), round(height_um / MPP.y))

    @property
    def truth(self) -> float:
        """Mean number of figures in the best window."""
        return WINDOW.area * MPP.pixel_area_mm2 * self.per_mm2 * (TIMES if self.has_hot_spot else 1)

    def draw(self, random: np.random.Generator) -> NDArray[np.float64]:
        """Draw the figures of one slide, shape (n, 2) in level-0 px."""
        size = np.array([self.size.width, self.size.height], dtype=np.float64)
        area_mm2 = self.size.area * MPP.pixel_area_mm2
        parts = [random.random((random.poisson(self.per_mm2 * area_mm2), 2)) * size]
        if self.has_hot_spot:
            spot = np.array([WINDOW.width, WINDOW.height], dtype=np.float64)
            n = random.poisson(self.truth * (TIMES - 1) / TIMES)
            parts.append(random.random((n, 2)) * spot + random.random(2) * (size - spot))
        return np.concatenate(parts)


SETTINGS = tuple(
    Setting(tissue_mm2, per_mm2, has_hot_spot)
    for has_hot_spot in (False, True)
    for tissue_mm2 in (25.0, 250.0)
    for per_mm2 in (0.5, 2.0, 8.0)
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--slides", type=int, default=100, help="drawn for each kind")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    lines = [
        f"{stamp()}. {options.slides} slides of each kind.",
        "",
        "| True hot spot | Tissue, mm² | Figures per mm² | Truth |"
        " Plain: bias | off | Corrected: bias | off | By halves: bias | off |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for place, setting in enumerate(SETTINGS):
        lines.append(row(setting, options.slides, np.random.default_rng(place)))
        print(lines[-1], flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def row(setting: Setting, slides: int, random: np.random.Generator) -> str:
    """Measure one kind of slide."""
    searched = Searched(mpp=MPP, size=setting.size, threshold=0.0)
    found = []
    for _ in range(slides):
        figures = setting.draw(random)
        counted = mitotic_count(Detections.of(figures, np.ones(len(figures)), searched=searched))
        found.append((counted.count, counted.corrected or 0.0, by_halves(figures, setting.size)))
    away = np.array(found) - setting.truth
    cells = [f"{TIMES} times as dense" if setting.has_hot_spot else "none"]
    cells += [f"{setting.tissue_mm2:g}", f"{setting.per_mm2:g}", f"{setting.truth:.1f}"]
    for values in away.T:
        error = values.std(ddof=1) / np.sqrt(slides)
        cells += [f"{values.mean():+.2f} ± {error:.2f}", f"{np.sqrt((values**2).mean()):.1f}"]
    return f"| {' | '.join(cells)} |"


def by_halves(figures: NDArray[np.float64], size: SizePx) -> float:
    """Return the count that is corrected by halves."""

    def count_other(chosen: NDArray[np.float64], other: NDArray[np.float64]) -> int:
        box = find_hot_spot(chosen, window=WINDOW, slide_size=size).box_px0
        inside = (other >= [box.x, box.y]) & (other < [box.right, box.bottom])
        return int(inside.all(axis=1).sum())

    return corrected_count(figures, count_other, splits=8, parts=2)


if __name__ == "__main__":
    main()
