"""A part of a slide as a field of its own: the high-power fields that an expert would have labelled."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.field import Field, Labels
from mitoscope.data.slide_field import SlideField
from mitoscope.evaluate.subsets import field_area
from mitoscope.geometry import BoxPx, Mpp, SizePx
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE


@dataclass(frozen=True, slots=True, eq=False)
class PartField:
    """A box of another field; see `Field`.

    Parameters
    ----------
    whole : SlideField
    box : BoxPx
        In px of the whole; windows reach beyond it, labels do not.
    """

    whole: SlideField
    box: BoxPx

    @property
    def name(self) -> str:
        """File name."""
        return self.whole.name

    @property
    def source(self) -> str:
        """Name of the source."""
        return self.whole.source

    @property
    def case(self) -> str:
        """The case."""
        return self.whole.case

    @property
    def domain(self) -> str:
        """The domain."""
        return self.whole.domain

    @property
    def width(self) -> int:
        """Columns."""
        return self.box.width

    @property
    def height(self) -> int:
        """Rows."""
        return self.box.height

    @property
    def labels(self) -> Labels:
        """The labelled cells inside the box, from its corner."""
        own = self.whole.labels
        points = own.points - (self.box.x, self.box.y)
        inside = ((points >= 0) & (points < (self.width, self.height))).all(axis=1)
        return Labels(points[inside], own.label[inside], own.agreement[inside])

    @property
    def figures(self) -> NDArray[np.float64]:
        """Centres of the mitotic figures."""
        return self.labels.places_of(MITOTIC_FIGURE.name)

    @property
    def look_alikes(self) -> NDArray[np.float64]:
        """Centres of the look-alikes."""
        return self.labels.places_of(LOOK_ALIKE.name)

    @property
    def mirror_px(self) -> int:
        """Nothing, as of the whole."""
        return 0

    def cut(self, left: int, top: int, side: int) -> NDArray[np.uint8]:
        """Return a square patch."""
        return self.whole.cut(left + self.box.x, top + self.box.y, side)

    def digest(self) -> str:
        """Return a hash of the whole's content and of the box."""
        return hashlib.sha256(f"{self.whole.digest()} {self.box}".encode()).hexdigest()


def densest_part(whole: SlideField, *, fields: int) -> Field:
    """Return the area of so many high-power fields where the slide has most figures (CCMCT, ablation)."""
    size = SizePx(whole.width, whole.height)
    area = field_area(whole.figures, fields=fields, mpp=Mpp(whole.mpp, whole.mpp), slide_size=size)
    corner = (int(np.floor(area.x)), int(np.floor(area.y)))
    box = BoxPx(
        *corner, min(int(area.width), size.width - corner[0]), min(int(area.height), size.height - corner[1])
    )
    return PartField(whole, box)
