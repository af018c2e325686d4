"""The cells between the figures: which lie where, and with which sprite."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.slide.synthetic.anatomy import BorderDistances
from mitoscope.slide.synthetic.bank import Bank
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.ground import fibre_weights
from mitoscope.slide.synthetic.noise import Lattice, LatticePoints
from mitoscope.slide.synthetic.placement import tumour_lattice
from mitoscope.slide.synthetic.sprite import Sprite

Chosen = NDArray[np.str_]
Chooser = Callable[[LatticePoints, BorderDistances, NDArray[np.float64], NDArray[np.float64]], Chosen]


@dataclass(frozen=True)
class PlacedCell:
    """One cell at its place, with the strength of its stain."""

    x_px0: int
    y_px0: int
    sprite: Sprite
    strength: float


@dataclass(frozen=True)
class CellLayer:
    """Cells of one kind of tissue.

    Parameters
    ----------
    lattice : Lattice
    clearance_px : float
        Cells nearer than this to a figure are left out: nothing sticks out from under it.
    choose : callable
        Takes points, their fields and two random numbers for each; returns the name of a sprite or "".
    """

    lattice: Lattice
    clearance_px: float
    choose: Chooser

    def cells(
        self, points: LatticePoints, fields: BorderDistances, bank: Bank, figures: NDArray[np.float64]
    ) -> Iterator[PlacedCell]:
        """Yield the cells at lattice points.

        Parameters
        ----------
        points : LatticePoints
        fields : BorderDistances
            At the points.
        bank : Bank
        figures : ndarray of float64, shape (n, 2)
            Places of the figures near by, in px0.
        """
        unit = [self.lattice.unit(points, salt) for salt in range(5)]
        names = self.choose(points, fields, unit[0], unit[1])
        names = np.where(_near(points, figures, self.clearance_px), "", names)
        for index in np.flatnonzero(names != ""):
            variants = bank.sprites[str(names[index])]
            sprite = variants[int(unit[2][index] * len(variants))]
            # Sprites that lie along the fibres may be turned by half only.
            turn = int(unit[3][index] * 8) if not str(names[index]).startswith("fibroblast") else 0
            yield PlacedCell(
                round(float(points.x[index])),
                round(float(points.y[index])),
                sprite.turned(turn),
                0.85 + 0.3 * float(unit[4][index]),
            )


def _near(points: LatticePoints, figures: NDArray[np.float64], radius_px: float) -> NDArray[np.bool_]:
    if not len(figures) or not len(points.x):
        return np.zeros(points.x.shape, dtype=bool)
    dx = points.x[:, None] - figures[None, :, 0]
    dy = points.y[:, None] - figures[None, :, 1]
    return np.asarray((np.hypot(dx, dy) < radius_px).any(axis=1))


def cell_layers(config: SyntheticSlideConfig) -> tuple[CellLayer, ...]:
    """Return the layers of cells in the order of painting."""
    um, scale, seed = 1 / config.mpp, config.domain.cell_scale, config.seed
    return (
        CellLayer(Lattice(seed, 200, 7.4 * um, 0.3), 11 * um, lambda _p, f, a, _b: _vessel(f, a, um)),
        CellLayer(Lattice(seed, 210, 15.0 * um, 0.36), 14 * um, lambda p, f, a, b: _stroma(p, f, a, b, um)),
        CellLayer(Lattice(seed, 220, 8.6 * um, 0.3), 12 * um, lambda _p, f, a, _b: _infiltrate(f, a, um)),
        CellLayer(Lattice(seed, 230, 7.5 * um, 0.4), 12 * um, lambda _p, f, a, _b: _debris(f, a, um)),
        CellLayer(tumour_lattice(config), 11.5 * scale * um, lambda _p, f, a, _b: _tumour(f, a, um)),
    )


def _solid(fields: BorderDistances, um: float, *, margin_um: float) -> NDArray[np.bool_]:
    """Return where there is tissue that is neither fat nor vessel."""
    margin = margin_um * um
    return np.asarray((fields.tissue > margin) & (fields.fat < -margin) & (fields.vessel < -margin))


def _tumour(fields: BorderDistances, a: NDArray[np.float64], um: float) -> Chosen:
    alive = _solid(fields, um, margin_um=2) & (fields.tumour > 3.5 * um) & (fields.necrosis < 4 * um)
    names = np.where(a < 0.10, "shadow nucleus", "tumour nucleus")
    return np.where(alive & (a < 0.94), names, "")


def _stroma(
    points: LatticePoints, fields: BorderDistances, a: NDArray[np.float64], b: NDArray[np.float64], um: float
) -> Chosen:
    between = _solid(fields, um, margin_um=3) & (fields.tumour < -4 * um)
    weights = np.stack(fibre_weights(points.x / um, points.y / um))
    names = np.char.add("fibroblast ", weights.argmax(axis=0).astype(np.str_))
    names = np.where(b < 0.10, "stromal lymphocyte", names)
    wall = (np.abs(fields.fat) < 8 * um) & (fields.tissue > 6 * um) & (fields.tumour < -4 * um)
    return np.where((between & (a < 0.52)) | (wall & (a < 0.15)), names, "")


def _infiltrate(fields: BorderDistances, a: NDArray[np.float64], um: float) -> Chosen:
    between = _solid(fields, um, margin_um=8) & (fields.tumour < -5 * um)
    return np.where(between & (a < 0.75 * np.clip(fields.infiltrate - 1.0, 0, 1)), "stromal lymphocyte", "")


def _vessel(fields: BorderDistances, a: NDArray[np.float64], um: float) -> Chosen:
    inside = (fields.vessel > 3.0 * um) & (fields.fat < 0)
    return np.where(inside & (a < 0.72), "erythrocyte", "")


def _debris(fields: BorderDistances, a: NDArray[np.float64], um: float) -> Chosen:
    return np.where((fields.necrosis > -4 * um) & (a < 0.33), "debris", "")
