"""The tumour of a slide as it was outlined: what lies in it, and where a window fits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.count import Polygon
from mitoscope.count import Region as CountRegion
from mitoscope.geometry import Mpp, SizePx
from mitoscope.store import Region, RegionKind
from mitoscope.store.area import tumour_area_mm2
from mitoscope.tissue import TissueMask


@dataclass(frozen=True, eq=False)
class Tumour:
    """Inside of any tumour outline and outside of every exclusion.

    Parameters
    ----------
    regions : tuple of Region
        Of one slide.
    mpp : Mpp
    size : SizePx
        Of the slide.
    """

    regions: tuple[Region, ...]
    mpp: Mpp
    size: SizePx

    def rings(self, kind: RegionKind) -> list[NDArray[np.float64]]:
        """Return the outlines of a kind, in level-0 px."""
        return [one.vertices_px0 for one in self.regions if one.kind is kind]

    @property
    def area_mm2(self) -> float:
        """Its area in mm²."""
        return tumour_area_mm2(self.regions, self.mpp, size=self.size)

    def contains(self, points_px0: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Say of each point, shape (n, 2), whether it lies in the tumour."""
        inside = np.zeros(len(points_px0), np.bool_)
        for kind, value in ((RegionKind.TUMOUR, True), (RegionKind.EXCLUSION, False)):
            if outlines := _union(self.rings(kind)):
                inside[outlines.contains(points_px0)] = value
        return inside

    def mask(self) -> TissueMask | None:
        """Return it as a mask of about 8 µm per pixel; None where there is no outline."""
        tumour, excluded = (_union(self.rings(kind)) for kind in (RegionKind.TUMOUR, RegionKind.EXCLUSION))
        if tumour is None:
            return None
        mask = tumour.mask(mpp=self.mpp, slide_size=self.size)
        if excluded is None:
            return mask
        out = excluded.mask(mpp=self.mpp, slide_size=self.size)
        return TissueMask(mask.mask & ~out.mask, mask.px0_per_pixel, mask.mpp, mask.slide_size)


def _union(rings: Sequence[NDArray[np.float64]]) -> CountRegion | None:
    return CountRegion(tuple(Polygon(ring) for ring in rings)) if rings else None
