"""What one version has that another has not: cells gained, lost, under another class, moved."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from mitoscope.curation.freeze.content import FrozenCell
from mitoscope.curation.freeze.freezing import Frozen
from mitoscope.errors import StoreError


@dataclass(frozen=True, slots=True)
class Change:
    """A cell of both versions that is not the same in them."""

    before: FrozenCell
    after: FrozenCell


@dataclass(frozen=True)
class Difference:
    """From one version to another; cells in order of their ids."""

    before: str
    after: str
    gained: tuple[FrozenCell, ...]
    lost: tuple[FrozenCell, ...]
    reclassed: tuple[Change, ...]
    moved: tuple[Change, ...]

    @property
    def is_empty(self) -> bool:
        """Whether both are the same."""
        return not (self.gained or self.lost or self.reclassed or self.moved)

    def gained_by_label(self) -> dict[str, int]:
        """Return the cells gained by label."""
        return _by(cell.label for cell in self.gained)

    def lost_by_label(self) -> dict[str, int]:
        """Return the cells lost by label."""
        return _by(cell.label for cell in self.lost)

    def reclassed_by_labels(self) -> dict[str, int]:
        """Return the cells under another class by ``before → after``."""
        return _by(f"{one.before.label} → {one.after.label}" for one in self.reclassed)

    def slides(self) -> tuple[str, ...]:
        """Return the slides on which something differs, by name."""
        cells = [*self.gained, *self.lost, *(one.after for one in (*self.reclassed, *self.moved))]
        return tuple(sorted({cell.slide for cell in cells}))


def difference(before: Frozen, after: Frozen) -> Difference:
    """Compare two versions of one study, cell by cell.

    Raises
    ------
    StoreError
        If they are of different studies: numbers of cells mean nothing there.
    """
    if before.manifest.uuid != after.manifest.uuid:
        names = f"{before.manifest.name} of {before.manifest.study!r}"
        raise StoreError(
            f"{names} and {after.manifest.name} of {after.manifest.study!r} are not of one study"
        )
    old = {cell.cell_id: cell for cell in before.cells}
    new = {cell.cell_id: cell for cell in after.cells}
    both = [Change(old[id_], new[id_]) for id_ in sorted(old.keys() & new.keys())]
    return Difference(
        before.manifest.name,
        after.manifest.name,
        gained=tuple(new[id_] for id_ in sorted(new.keys() - old.keys())),
        lost=tuple(old[id_] for id_ in sorted(old.keys() - new.keys())),
        reclassed=tuple(one for one in both if one.before.label != one.after.label),
        moved=tuple(one for one in both if one.before.bounds_px0 != one.after.bounds_px0),
    )


def _by(names: Iterable[str]) -> dict[str, int]:
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return dict(sorted(counts.items()))
