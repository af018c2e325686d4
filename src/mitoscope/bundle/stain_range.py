"""How the training data were stained: what a network has seen, and so what it may be trusted with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Self

import numpy as np
from pydantic import Field, model_validator

from mitoscope.bundle.part import Part

Density = tuple[float, float, float]

_ENDS: Final = (0.01, 0.99)
"""Quantiles of the cases: a few odd ones do not make the range."""
_COLOURS: Final = ("red", "green", "blue")


class StainRange(Part):
    """Median optical density of stained tissue at 8 µm/px, over the cases of the training data.

    Parameters
    ----------
    low, high : tuple of 3 float
        In red, green and blue: the first and the last hundredth of the cases.
    cases : int
        From how many cases.
    """

    low: Density
    high: Density
    cases: Annotated[int, Field(ge=1)]

    @model_validator(mode="after")
    def _ends_are_ordered(self) -> Self:
        if any(low > high for low, high in zip(self.low, self.high, strict=True)):
            raise ValueError("the low end of a stain range lies above the high end")
        return self

    @classmethod
    def of(cls, densities: Sequence[Density]) -> Self:
        """Return the range of some cases, at least one."""
        values = np.array(densities, dtype=np.float64)
        low, high = np.quantile(values, _ENDS, axis=0)
        return cls(low=tuple(low.round(4).tolist()), high=tuple(high.round(4).tolist()), cases=len(values))

    def complaint(self, density: Density) -> str | None:
        """Return in words what lies outside of the range; None where nothing does."""
        found = [
            f"{colour} {own:.2f} (seen: {low:.2f} to {high:.2f})"
            for colour, own, low, high in zip(_COLOURS, density, self.low, self.high, strict=True)
            if not low <= own <= high
        ]
        return ", ".join(found) or None
