"""Where the figures go: a Poisson field over viable carcinoma, denser in one hot spot."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import Aspect, BoxPx0
from mitoscope.slide.synthetic.anatomy import Anatomy, macro_step_px0
from mitoscope.slide.synthetic.bank import VARIANTS, Bank
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.noise import Lattice, generator
from mitoscope.slide.synthetic.nuclei import KIND_SHARES, PHASE_SHARES
from mitoscope.slide.synthetic.sprite import Sprite, crowded

TUMOUR_CELL_UM = 12.4
"""Distance between neighbouring tumour cells before the domain's cell scale."""
CLEARANCE_UM = 25.0
"""Smallest distance between the centres of two figures: none touches another."""
BORDER_UM = 14.0
"""Figures keep this distance to the border of the slide, so that each is whole."""
_ROUNDS_MAX = 40


@dataclass(frozen=True)
class PlacedFigure:
    """One figure at its place: name of the phase or kind, variant and turn of its sprite."""

    x_px0: int
    y_px0: int
    name: str
    variant: int
    turn: int

    def sprite(self, bank: Bank) -> Sprite:
        """Return its sprite as stamped."""
        return bank.sprites[self.name][self.variant].turned(self.turn)


@dataclass(frozen=True)
class FigurePlacement:
    """All figures of a slide, sorted by y and x, its hot spot and the area of its viable carcinoma."""

    figures: tuple[PlacedFigure, ...]
    hot_spot: BoxPx0 | None
    tumour_area_mm2: float


def tumour_lattice(config: SyntheticSlideConfig) -> Lattice:
    """Return the lattice on which the tumour cells lie."""
    spacing_px = TUMOUR_CELL_UM * config.domain.cell_scale / config.mpp
    return Lattice(seed=config.seed, salt=100, spacing_px=spacing_px, jitter=0.34)


def place_figures(anatomy: Anatomy) -> FigurePlacement:
    """Draw the places of all mitotic figures and look-alikes.

    The number in a region is Poisson distributed with the configured density times the area of its
    tissue; all lie in viable carcinoma, and where that has no room left, fewer are placed.
    """
    config = anatomy.config
    viable, x, y = _viable_places(anatomy)
    pixel_mm2 = (macro_step_px0(config) * config.mpp * 1e-3) ** 2
    area_mm2 = float(np.count_nonzero(viable)) * pixel_mm2
    if area_mm2 == 0:
        return FigurePlacement((), None, 0.0)
    hot_spot = _find_hot_spot(config, viable)
    tissue = anatomy.tissue_map.values > 0
    in_hot_spot = (x >= hot_spot.x) & (x < hot_spot.right) & (y >= hot_spot.y) & (y < hot_spot.bottom)
    drawer = _Drawer(anatomy, x, y)
    wanted = (
        (in_hot_spot, config.hot_spot_mitoses_per_mm2, PHASE_SHARES),
        (~in_hot_spot, config.mitoses_per_mm2, PHASE_SHARES),
        (np.ones_like(viable), config.look_alikes_per_mm2, KIND_SHARES),
    )
    for region, density_per_mm2, shares in wanted:
        expected = density_per_mm2 * pixel_mm2 * np.count_nonzero(tissue & region)
        drawer.draw(viable & region, float(expected), shares)
    return FigurePlacement(drawer.sorted_figures(), hot_spot, area_mm2)


def _viable_places(anatomy: Anatomy) -> tuple[NDArray[np.bool_], NDArray[np.float64], NDArray[np.float64]]:
    config, step = anatomy.config, macro_step_px0(anatomy.config)
    height, width = anatomy.tissue_map.values.shape
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64) + 0.5
    x, y = np.minimum(columns * step, config.width - 1), np.minimum(rows * step, config.height - 1)
    viable = np.zeros((height, width), dtype=bool)
    near = anatomy.tissue_map.values > 0
    viable[near] = anatomy.viable_tumour(anatomy.at(x[near], y[near]))
    return viable, x, y


def _find_hot_spot(config: SyntheticSlideConfig, viable: NDArray[np.bool_]) -> BoxPx0:
    """Return a 4:3 box among the places with the most viable carcinoma."""
    slide_mm2 = config.width * config.height * config.mpp**2 * 1e-6
    width_um, height_um = Aspect(4, 3).size_um(min(config.hot_spot_area_mm2, 0.25 * slide_mm2))
    step = macro_step_px0(config)
    columns = min(max(round(width_um / config.mpp / step), 1), viable.shape[1])
    rows = min(max(round(height_um / config.mpp / step), 1), viable.shape[0])
    total = np.pad(viable.astype(np.int64), ((1, 0), (1, 0))).cumsum(axis=0).cumsum(axis=1)
    inside = (
        total[rows:, columns:] - total[:-rows, columns:] - total[rows:, :-columns] + total[:-rows, :-columns]
    )
    best = np.argwhere(inside >= 0.97 * inside.max())
    row, column = best[int(generator(config.seed, 30).integers(len(best)))]
    x, y = float(column * step), float(row * step)
    return BoxPx0(x, y, min(columns * step, config.width - x), min(rows * step, config.height - y))


class _Drawer:
    """Draws figures region by region; remembers all places, so that none overlap."""

    def __init__(self, anatomy: Anatomy, x: NDArray[np.float64], y: NDArray[np.float64]) -> None:
        self.anatomy, self.x, self.y = anatomy, x, y
        self.config = anatomy.config
        self.rng = generator(self.config.seed, 31)
        self.lattice = tumour_lattice(self.config)
        self.figures: list[PlacedFigure] = []

    def draw(self, region: NDArray[np.bool_], expected: float, shares: dict[str, float]) -> None:
        step = macro_step_px0(self.config)
        places = np.flatnonzero(region.ravel())
        wanted = int(self.rng.poisson(expected))
        names = list(shares)
        for _ in range(_ROUNDS_MAX):
            if wanted <= 0 or not len(places):
                return
            points = self._admissible(self._candidates(region, places, wanted, step))[:wanted]
            for x, y in points:
                name = names[int(self.rng.choice(len(names), p=list(shares.values())))]
                variant, turn = int(self.rng.integers(VARIANTS)), int(self.rng.integers(8))
                self.figures.append(PlacedFigure(int(x), int(y), name, variant, turn))
            wanted -= len(points)

    def _candidates(
        self, region: NDArray[np.bool_], places: NDArray[np.intp], count: int, step: float
    ) -> NDArray[np.float64]:
        chosen = places[self.rng.integers(len(places), size=2 * count + 8)]
        x = self.x.ravel()[chosen] + self.rng.uniform(-0.5, 0.5, len(chosen)) * step
        y = self.y.ravel()[chosen] + self.rng.uniform(-0.5, 0.5, len(chosen)) * step
        # A figure takes the place of a tumour cell.
        i = np.floor(x / self.lattice.spacing_px).astype(np.int64)
        j = np.floor(y / self.lattice.spacing_px).astype(np.int64)
        cells = np.round(np.stack(self.lattice.at(i, j), axis=1))
        rows = np.clip((cells[:, 1] / step).astype(np.int64), 0, region.shape[0] - 1)
        columns = np.clip((cells[:, 0] / step).astype(np.int64), 0, region.shape[1] - 1)
        return np.asarray(cells[region[rows, columns]])

    def _admissible(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        border = BORDER_UM / self.config.mpp
        x, y = points[:, 0], points[:, 1]
        inside = (
            (x > border) & (y > border) & (x < self.config.width - border) & (y < self.config.height - border)
        )
        points = points[inside]
        points = points[self.anatomy.viable_tumour(self.anatomy.at(points[:, 0], points[:, 1]))]
        taken = np.array([(f.x_px0, f.y_px0) for f in self.figures], dtype=np.float64).reshape(-1, 2)
        both = np.concatenate([taken, points])
        return np.asarray(points[~crowded(both, CLEARANCE_UM / self.config.mpp)[len(taken) :]])

    def sorted_figures(self) -> tuple[PlacedFigure, ...]:
        return tuple(sorted(self.figures, key=lambda figure: (figure.y_px0, figure.x_px0)))
