"""The grid of a board: places for crops, in rows and columns."""

from __future__ import annotations

import math
from dataclasses import dataclass

from mitoscope.errors import ConfigError
from mitoscope.geometry import SizePx

CELL_PX = 128
"""Side of a crop and of its place on the board (CMC: crops of 128 px)."""
OCCUPANCY = 50_286 * CELL_PX**2 / (80_000 * 60_000)
"""Share of the places that hold a crop: 17 % on the board of CMC, 50,286 crops on 80,000 × 60,000 px."""
ASPECT = (4, 3)
"""Width to height of the board of CMC."""


@dataclass(frozen=True, slots=True)
class Grid:
    """A board of so many columns and rows of square places.

    Parameters
    ----------
    columns, rows : int
    cell_px : int
        Side of a place in board px.
    """

    columns: int
    rows: int
    cell_px: int = CELL_PX

    def __post_init__(self) -> None:
        if self.columns < 1 or self.rows < 1 or self.cell_px < 1:
            what = f"a board of {self.columns} × {self.rows} places of {self.cell_px} px"
            raise ConfigError(what, mend="make it at least 1 × 1 places")

    @classmethod
    def of_size(cls, size: SizePx, *, cell_px: int = CELL_PX) -> Grid:
        """Return the grid of a board of that size; what is left over at its right and lower edge is blank."""
        if cell_px < 1 or cell_px > min(size.width, size.height):
            what = f"places of {cell_px} px on a board of {size.width} × {size.height} px"
            raise ConfigError(what, mend="make the board larger or its places smaller")
        return cls(size.width // cell_px, size.height // cell_px, cell_px)

    @classmethod
    def for_crops(cls, crops: int, *, cell_px: int = CELL_PX, occupancy: float = OCCUPANCY) -> Grid:
        """Return a 4:3 grid of which so many crops fill a share.

        Raises
        ------
        ConfigError
            If there is no crop, or the share is not in (0, 1].
        """
        if crops < 1 or not 0 < occupancy <= 1:
            raise ConfigError(f"a board of {crops} crops of which a share {occupancy:g} is filled")
        rows = math.ceil(math.sqrt(crops / occupancy * ASPECT[1] / ASPECT[0]))
        columns = math.ceil(max(crops, crops / occupancy) / rows)
        return cls(columns, rows, cell_px)

    @property
    def places(self) -> int:
        """Number of places."""
        return self.columns * self.rows

    @property
    def size(self) -> SizePx:
        """Size of the board in px."""
        return SizePx(self.columns * self.cell_px, self.rows * self.cell_px)
