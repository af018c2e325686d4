"""The truth of a synthetic slide: every figure that was painted, and the files that say so."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx0
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.slide.synthetic.config import SyntheticSlideConfig

COLUMNS = ("image", "x", "y", "label", "phase", "w", "h")
"""Header of the truth table: centre, width and height of the chromatin in level-0 pixels."""


@dataclass(frozen=True, slots=True)
class PaintedFigure:
    """One mitotic figure or look-alike.

    Parameters
    ----------
    x_px0, y_px0 : float
        Centre of the box around the chromatin.
    label : str
        ``mitotic figure`` or ``look-alike``.
    phase : str
        Phase of a mitotic figure (``metaphase``), kind of a look-alike (``apoptotic body``).
    width_px0, height_px0 : float
        Box around the chromatin.
    """

    x_px0: float
    y_px0: float
    label: str
    phase: str
    width_px0: float
    height_px0: float


@dataclass(frozen=True)
class PaintedTruth:
    """What a synthetic slide shows.

    Parameters
    ----------
    image : str
        File name of the slide.
    config : SyntheticSlideConfig
    figures : tuple of PaintedFigure
        Sorted by y, then x.
    hot_spot : BoxPx0 or None
        Region of raised mitotic density; None on a slide without viable tumour.
    tissue_area_mm2, tumour_area_mm2 : float
        Area inside the outline of the tissue (fat, vessels and clefts included) and of viable carcinoma.
    """

    image: str
    config: SyntheticSlideConfig
    figures: tuple[PaintedFigure, ...]
    hot_spot: BoxPx0 | None
    tissue_area_mm2: float
    tumour_area_mm2: float

    def points(self, label: str = MITOTIC_FIGURE.name) -> NDArray[np.float64]:
        """Return the centres of the figures of one label in px0, shape (n, 2)."""
        chosen = [(figure.x_px0, figure.y_px0) for figure in self.figures if figure.label == label]
        return np.array(chosen, dtype=np.float64).reshape(-1, 2)

    def count(self, name: str) -> int:
        """Return the number of figures of a label, a phase or a kind."""
        return sum(name in (figure.label, figure.phase) for figure in self.figures)

    def counts(self) -> dict[str, int]:
        """Return the number of figures of each label, then of each phase and kind."""
        names = [figure.label for figure in self.figures] + [figure.phase for figure in self.figures]
        return {name: names.count(name) for name in dict.fromkeys(sorted(names))}

    def to_csv(self) -> str:
        """Return the truth table as text."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(COLUMNS)
        for figure in self.figures:
            place = (f"{figure.x_px0:.1f}", f"{figure.y_px0:.1f}")
            size = (f"{figure.width_px0:.1f}", f"{figure.height_px0:.1f}")
            writer.writerow((self.image, *place, figure.label, figure.phase, *size))
        return stream.getvalue()

    def to_json(self) -> str:
        """Return configuration, areas, hot spot and counts as JSON text."""
        values = {
            "image": self.image,
            "synthetic": True,
            "seed": self.config.seed,
            "mpp": self.config.mpp,
            "tissue_area_mm2": round(self.tissue_area_mm2, 6),
            "tumour_area_mm2": round(self.tumour_area_mm2, 6),
            "hot_spot_px0": None if self.hot_spot is None else asdict(self.hot_spot),
            "counts": self.counts(),
            "config": self.config.model_dump(mode="json"),
        }
        return json.dumps(values, indent=2) + "\n"


def truth_paths(slide_path: Path) -> tuple[Path, Path]:
    """Return the paths of the truth table and of the truth's JSON beside a slide."""
    stem = slide_path.name.removesuffix(slide_path.suffix) if slide_path.suffix else slide_path.name
    return slide_path.with_name(f"{stem}.truth.csv"), slide_path.with_name(f"{stem}.truth.json")
