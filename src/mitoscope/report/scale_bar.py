"""Scale bars: a round length that fits into a picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

_STEPS = (1.0, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class ScaleBar:
    """A bar of a round length.

    Parameters
    ----------
    length_um : float
        Length in µm: 1, 2 or 5 times a power of ten.
    """

    length_um: float

    @property
    def label(self) -> str:
        """Length with its unit, in mm from 1 mm on."""
        if self.length_um >= 1000.0:
            return f"{self.length_um / 1000.0:g} mm"
        return f"{self.length_um:g} µm"

    @property
    def label_mm(self) -> str:
        """Length in mm, whatever it is."""
        return f"{self.length_um / 1000.0:g} mm"


def fit_scale_bar(width_um: float, *, share: float = 0.25) -> ScaleBar:
    """Return the longest round bar that takes at most a share of a picture's width.

    Parameters
    ----------
    width_um : float
        Width of the picture in µm; positive.
    share : float
        Largest part of the width that the bar may take.
    """
    longest_um = width_um * share
    power = 10.0 ** math.floor(math.log10(longest_um))
    step = max(step for step in _STEPS if step * power <= longest_um * (1 + 1e-9))
    return ScaleBar(float(f"{step * power:.6g}"))
