"""The nearest free place of a grid, found without looking at the taken ones."""

from __future__ import annotations

import math

from mitoscope.curation.board.grid import Grid


class FreePlaces:
    """A grid that fills up.

    In each row two tables lead from a place to the next free one on its left and right; the way there is
    shortened each time it is gone (union-find with path halving). A search goes from row to row outwards and
    ends where the next row is farther than the best place found: it costs the height of the filled patch
    around the point, not its area.
    """

    def __init__(self, grid: Grid) -> None:
        self._columns, self._rows = grid.columns, grid.rows
        width = grid.columns + 2  # a border place on both sides is free for ever and means "none"
        self._left = [list(range(width)) for _ in range(grid.rows)]
        self._right = [list(range(width)) for _ in range(grid.rows)]

    def take_nearest(self, column: float, row: float) -> tuple[int, int]:
        """Take the free place nearest to a point (Euclidean) and return its column and row.

        Of equally near ones the row nearest to the point counts, then the upper row, then the left place.
        The grid must have a free place.
        """
        best, found = math.inf, (-1, -1)
        above = min(max(math.floor(row), 0), self._rows - 1)
        below = above + 1
        while above >= 0 or below < self._rows:
            if above >= 0 and (below >= self._rows or row - above <= below - row):
                candidate, above = above, above - 1
            else:
                candidate, below = below, below + 1
            vertical = (candidate - row) ** 2
            if vertical >= best:
                break
            for place in self._beside(candidate, column):
                distance = vertical + (place - column) ** 2
                if distance < best:
                    best, found = distance, (place, candidate)
        self._take(*found)
        return found

    def _beside(self, row: int, column: float) -> list[int]:
        """Return the free places of a row next to a column, at most one on each side."""
        start = min(max(math.floor(column), 0), self._columns - 1) + 1
        left = _root(self._left[row], start)
        right = _root(self._right[row], start + 1)
        return [place - 1 for place in (left, right) if 1 <= place <= self._columns]

    def _take(self, column: int, row: int) -> None:
        self._left[row][column + 1] = column
        self._right[row][column + 1] = column + 2


def _root(link: list[int], place: int) -> int:
    while link[place] != place:
        link[place] = place = link[link[place]]
    return place
