"""The plan of a slide: where there is tissue, carcinoma, fat, necrosis, ink."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from mitoscope.geometry import BoxPx
from mitoscope.slide.synthetic.config import SyntheticSlideConfig
from mitoscope.slide.synthetic.noise import Float, generator, periodic_noise, sample
from mitoscope.slide.synthetic.outline import (
    MacroMap,
    draw_fat,
    draw_ink,
    draw_necrosis,
    draw_out_of_focus,
    draw_tissue,
)

Coordinates = NDArray[np.float64]
_WIGGLE_MAX_UM = 6.0 * (3.0 + 14.0)
"""Six standard deviations of the noise on the border of the tissue."""


@dataclass(frozen=True)
class Fields:
    """Signed distances at places of the slide, about in px0: positive inside, negative outside.

    Parameters
    ----------
    tissue, tumour, fat, necrosis, vessel : ndarray, any shape
    ink : ndarray
        Distance below the edge of the marker stroke.
    out_of_focus : ndarray
        Distance below the edge of the blurred patch.
    infiltrate, gap : ndarray
        Noise of standard deviation 1: where lymphocytes gather, and where nests have shrunk from the stroma.
    """

    tissue: Coordinates
    tumour: Coordinates
    fat: Coordinates
    necrosis: Coordinates
    vessel: Coordinates
    ink: Coordinates
    out_of_focus: Coordinates
    infiltrate: Coordinates
    gap: Coordinates


class Anatomy:
    """The plan of one slide, known at every place without painting it.

    Parameters
    ----------
    config : SyntheticSlideConfig
    """

    def __init__(self, config: SyntheticSlideConfig) -> None:
        self.config = config
        self.px_per_um = 1.0 / config.mpp
        seed = config.seed
        self._nests = periodic_noise(generator(seed, 10), 256, wavelength=18, octaves=2)
        self._detail = periodic_noise(generator(seed, 11), 256, wavelength=12, octaves=3)
        self._patches = periodic_noise(generator(seed, 12), 256, wavelength=22, octaves=2)
        self._threshold = float(np.quantile(self._nests, 1 - np.clip(config.tumour_fraction, 0.001, 0.999)))
        if config.tumour_fraction in (0.0, 1.0):
            self._threshold = 1e6 if config.tumour_fraction == 0 else -1e6

    @cached_property
    def tissue_map(self) -> MacroMap:
        """Signed distance to the border of the tissue."""
        return draw_tissue(self.config)

    @cached_property
    def _fat_map(self) -> MacroMap:
        return draw_fat(self.config, self.tissue_map)

    @cached_property
    def _necrosis_map(self) -> MacroMap:
        return draw_necrosis(self.config, self.tissue_map)

    @cached_property
    def _ink_map(self) -> MacroMap:
        return draw_ink(self.config, self.tissue_map)

    @cached_property
    def _focus_map(self) -> MacroMap:
        return draw_out_of_focus(self.config, self.tissue_map)

    def _noise(self, texture: Float, x: Coordinates, y: Coordinates, sample_um: float) -> Coordinates:
        scale = 1.0 / (sample_um * self.px_per_um)
        return sample(texture, x * scale, y * scale)

    def at(self, x: Coordinates, y: Coordinates) -> Fields:
        """Return the fields at places in px0.

        Parameters
        ----------
        x, y : ndarray of float64, any common shape
        """
        um = self.px_per_um
        fine = self._noise(self._detail, x, y, 3.0)
        coarse = self._noise(self._detail, y + 977.0, x, 17.0)
        wiggle = (3.0 * fine + 14.0 * coarse) * um
        tissue = self.tissue_map.at(x, y) + wiggle
        # Two copies of the noise of unlike period: nests do not repeat on a large slide.
        nests = 0.8 * self._noise(self._nests, x, y, 12.0) + 0.6 * self._noise(self._nests, y, -x, 17.3)
        # Some regions are richer in stroma than others.
        nests += 0.55 * self._noise(self._patches, x + 3000.0, y, 90.0)
        tumour = np.minimum((nests - self._threshold) * 34.0 * um + 2.5 * um * fine, tissue - 25 * um)
        patches = self._noise(self._patches, x, y, 9.0)
        vessel = np.minimum((patches - 2.1) * 24.0 * um, -tumour - 6 * um)
        fat = np.minimum(self._fat_map.at(x, y) + wiggle * 1.5, tissue)
        necrosis = np.minimum(self._necrosis_map.at(x, y) + wiggle * 2, tumour - 12 * um)
        return Fields(
            tissue=tissue,
            tumour=tumour,
            fat=fat,
            necrosis=np.minimum(necrosis, -fat - 10 * um),
            vessel=np.minimum(vessel, tissue - 20 * um),
            ink=self._ink_map.at(x, y) + 2.0 * um * fine,
            out_of_focus=self._focus_map.at(x, y),
            infiltrate=self._noise(self._patches, y + 5000.0, x, 11.0),
            gap=self._noise(self._patches, -x, y + 9000.0, 7.0),
        )

    def far_from_content(self, box: BoxPx) -> bool:
        """Return whether a box lies so far out that no noise can bring tissue or ink into it."""
        reach = -_WIGGLE_MAX_UM * self.px_per_um
        return self.tissue_map.largest_in(box) < reach and self._ink_map.largest_in(box) < reach

    def viable_tumour(self, fields: Fields, *, margin_um: float = 12.0) -> NDArray[np.bool_]:
        """Return where a cell lies in carcinoma that is alive, in focus and not under ink."""
        margin = margin_um * self.px_per_um
        return np.asarray(
            (fields.tumour > margin)
            & (fields.tissue > 2 * margin)
            & (fields.fat < -margin)
            & (fields.necrosis < -margin)
            & (fields.ink < -2 * margin)
            & (fields.out_of_focus < -2 * margin)
            & (fields.vessel < -margin)
        )
