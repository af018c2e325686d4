"""The ground of a region: cytoplasm, collagen, fat, necrosis, glass, as amounts of stain."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.anatomy import BorderDistances
from mitoscope.slide.synthetic.bank import Bank
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.noise import Float, Lattice, enlarge, smoothstep, tile_of
from mitoscope.slide.synthetic.placement import tumour_lattice

GRID_PX = 8
_CELL_GRID_PX = 4
ADIPOCYTE_UM = 62.0
"""Distance between neighbouring fat cells."""


@dataclass(frozen=True)
class Ground:
    """Amounts of stain of a region, shape (h, w); painted over by the cells.

    Parameters
    ----------
    haematoxylin, eosin : ndarray of float32
    outline : ndarray of float32
        Signed distance to the border of the tissue in px.
    streaks : ndarray of float32
        Texture of the ink.
    """

    haematoxylin: Float
    eosin: Float
    outline: Float
    streaks: Float


@dataclass(frozen=True)
class _Place:
    config: SyntheticSlideConfig
    bank: Bank
    box: BoxPx

    @property
    def um(self) -> float:
        return 1 / self.config.mpp

    def texture(self, texture: Float) -> Float:
        box = self.box
        return tile_of(texture, box.x, box.y, box.width, box.height)

    def worley(self, lattice: Lattice, *, bend_um: float) -> tuple[Float, Float, Float]:
        """Cells of a lattice with bent walls: distance to wall and centre, random number of the cell."""
        box, step = self.box, _CELL_GRID_PX
        columns = np.arange(box.width // step + 1, dtype=np.float64) * step + box.x
        rows = np.arange(box.height // step + 1, dtype=np.float64) * step + box.y
        x, y = np.meshgrid(columns, rows)
        um = self.um
        bent_x = x + bend_um * um * np.sin(y / (2.9 * um) + 1.7 * np.sin(x / (5.3 * um)))
        bent_y = y + bend_um * um * np.sin(x / (3.1 * um) + 1.7 * np.sin(y / (4.7 * um)))
        nearest, second, number = lattice.worley(bent_x, bent_y)
        return enlarge(second - nearest, step), enlarge(nearest, step), enlarge(number, step)


def paint_ground(
    config: SyntheticSlideConfig,
    bank: Bank,
    box: BoxPx,
    fields: BorderDistances,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
) -> Ground:
    """Return the ground of a region whose corners lie on the grid.

    Parameters
    ----------
    config : SyntheticSlideConfig
    bank : Bank
    box : BoxPx
        Level-0 px; x, y, width and height are multiples of 8.
    fields : BorderDistances
        At every eighth pixel, shape (h / 8 + 1, w / 8 + 1).
    x, y : ndarray
        Places of the fields.
    """
    place = _Place(config, bank, box)
    um = place.um
    wide = {name: enlarge(getattr(fields, name).astype(np.float32), GRID_PX) for name in ("tissue", "tumour")}
    granules, mottling = place.texture(bank.granules), place.texture(bank.mottling)
    loose = enlarge(fields.infiltrate.astype(np.float32), GRID_PX)
    haematoxylin, eosin = _stroma(place, x, y, granules, mottling, loose)
    if (fields.tumour > -8 * um).any():
        tumour = smoothstep(wide["tumour"], -1.2 * um, 1.2 * um)
        cohesion = enlarge(fields.gap.astype(np.float32), GRID_PX)
        _mix(haematoxylin, eosin, tumour, *_cytoplasm(place, granules, mottling, cohesion))
    for depth, width_um, painter in (
        (fields.necrosis, 14.0, _necrosis),
        (fields.fat, 3.0, _fat),
        (fields.vessel, 1.5, _plasma),
    ):
        if (depth > -width_um * um).any():
            weight = smoothstep(enlarge(depth.astype(np.float32), GRID_PX), -width_um * um, width_um * um)
            _mix(haematoxylin, eosin, weight, *painter(place, granules, mottling))
    present = _present(wide["tissue"], wide["tumour"], fields, um)
    haematoxylin *= present
    eosin *= present
    return Ground(haematoxylin, eosin, wide["tissue"], place.texture(bank.fibres[0]) - 0.6)


def _mix(haematoxylin: Float, eosin: Float, weight: Float, other_h: Float, other_e: Float) -> None:
    haematoxylin += weight * (other_h - haematoxylin)
    eosin += weight * (other_e - eosin)


def _present(tissue: Float, tumour: Float, fields: BorderDistances, um: float) -> Float:
    """Return where the section is not torn: frayed at its border, split round some nests."""
    present = smoothstep(tissue, -1.0 * um, 1.5 * um)
    if (fields.gap > 0.6).any():
        strength = smoothstep(enlarge(fields.gap.astype(np.float32), GRID_PX), 0.7, 1.5)
        width = 3.4 * um * strength + 1e-3
        split = np.clip(1.4 - np.abs(tumour + 3.0 * um) / width, 0, 1) * np.minimum(4 * strength, 1)
        present *= 1 - 0.95 * split
    return present


def _stroma(
    place: _Place,
    x: NDArray[np.float64],
    y: NDArray[np.float64],
    granules: Float,
    mottling: Float,
    loose: Float,
) -> tuple[Float, Float]:
    um = place.um
    weights = fibre_weights(x / um, y / um)
    fibres = sum(
        enlarge(weight.astype(np.float32), GRID_PX) * place.texture(texture)
        for weight, texture in zip(weights, place.bank.fibres, strict=True)
    )
    # Dense collagen in some places, loose and oedematous in others.
    density = np.asarray(fibres, dtype=np.float32) - 0.20 * smoothstep(loose, -0.3, 1.4)
    eosin = np.clip(0.38 * density + 0.02 * granules + 0.03 * mottling, 0.0, None)
    haematoxylin = np.clip(0.045 * density + 0.012 + 0.012 * mottling, 0.0, None)
    return np.asarray(haematoxylin, dtype=np.float32), np.asarray(eosin, dtype=np.float32)


def fibre_weights(x_um: NDArray[np.float64], y_um: NDArray[np.float64]) -> list[NDArray[np.float64]]:
    """Return how much of each fibre direction there is at places in µm; the weights add up to 1."""
    phase = 1.6 * np.sin(x_um / 173.0 + 1.1 * np.sin(y_um / 97.0)) + 1.6 * np.sin(
        y_um / 131.0 + 0.9 * np.sin(x_um / 113.0)
    )
    raw = [np.exp(7.0 * np.cos(phase - 2 * np.pi * index / 3)) for index in range(3)]
    total = sum(raw)
    return [weight / total for weight in raw]


def _cytoplasm(place: _Place, granules: Float, mottling: Float, cohesion: Float) -> tuple[Float, Float]:
    wall, centre, tint = place.worley(tumour_lattice(place.config), bend_um=1.1)
    um = place.um
    # Where cells hold together their membranes show as thin lines, elsewhere as pale gaps.
    line = np.exp(-np.square(wall / (0.7 * um)))
    gap = line * smoothstep(cohesion + 0.25 * mottling, -0.4, 1.0)
    vacuoles = np.clip(granules - 1.15, 0.0, 1.4)
    eosin = 0.255 + 0.13 * (tint - 0.5) + 0.032 * granules + 0.04 * mottling - 0.09 * vacuoles
    eosin += 0.010 * (centre / um - 4.0) + 0.085 * (line - gap)
    eosin *= 1 - 0.8 * gap
    haematoxylin = 0.10 + 0.07 * (tint - 0.5) + 0.020 * granules + 0.024 * mottling - 0.05 * vacuoles
    haematoxylin *= 1 - 0.8 * gap
    return np.clip(haematoxylin, 0.0, None), np.clip(eosin, 0.02, None)


def _necrosis(place: _Place, granules: Float, mottling: Float) -> tuple[Float, Float]:
    del place
    eosin = np.clip(0.36 + 0.07 * granules + 0.05 * mottling, 0.05, None)
    return np.clip(0.07 + 0.025 * granules, 0, None), eosin


def _fat(place: _Place, granules: Float, mottling: Float) -> tuple[Float, Float]:
    lattice = Lattice(seed=place.config.seed, salt=500, spacing_px=ADIPOCYTE_UM * place.um, jitter=0.26)
    wall, _, _ = place.worley(lattice, bend_um=0.0)
    membrane = np.exp(-np.square(wall / (1.5 * place.um))) * np.clip(
        0.26 + 0.05 * granules + 0.05 * mottling, 0.05, None
    )
    return np.asarray(0.10 * membrane, dtype=np.float32), np.asarray(membrane, dtype=np.float32)


def _plasma(place: _Place, granules: Float, mottling: Float) -> tuple[Float, Float]:
    del place
    return np.zeros_like(granules), np.clip(0.03 + 0.008 * mottling, 0, None)
