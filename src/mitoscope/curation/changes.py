"""What lies between two versions: cells gained, lost, re-classed, moved; gains by case and density."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from mitoscope.errors import StoreError
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import Frozen
from mitoscope.truth import GroundTruth


@dataclass(frozen=True, slots=True)
class VersionCell:
    """A cell of a version: its id in the study, slide, class, centre and size in level-0 pixels."""

    cell_id: int
    slide: str
    label: str
    centre_px0: tuple[float, float]
    size_px0: tuple[float, float] | None


@dataclass(frozen=True, slots=True)
class Change:
    """A cell of both versions that is not the same in them."""

    before: VersionCell
    after: VersionCell


@dataclass(frozen=True)
class Difference:
    """From one version to another; cells in order of their ids."""

    before: str
    after: str
    gained: tuple[VersionCell, ...]
    lost: tuple[VersionCell, ...]
    reclassed: tuple[Change, ...]
    moved: tuple[Change, ...]

    def gained_by_label(self) -> dict[str, int]:
        """Return the cells gained by label."""
        return _by(cell.label for cell in self.gained)

    def lost_by_label(self) -> dict[str, int]:
        """Return the cells lost by label."""
        return _by(cell.label for cell in self.lost)

    def reclassed_by_labels(self) -> dict[str, int]:
        """Return the cells under another class by ``before → after``."""
        return _by(f"{change.before.label} → {change.after.label}" for change in self.reclassed)

    def slides(self) -> tuple[str, ...]:
        """Return the slides on which something differs, by name."""
        cells = [*self.gained, *self.lost, *(change.after for change in (*self.reclassed, *self.moved))]
        return tuple(sorted({cell.slide for cell in cells}))


def difference(before: Frozen, after: Frozen) -> Difference:
    """Compare two versions of one study, cell by cell.

    Raises
    ------
    StoreError
        If they are of different studies: numbers of cells mean nothing there.
    """
    first, second = before.manifest, after.manifest
    if first is not None and second is not None and first.uuid != second.uuid:
        names = f"{first.name} of {first.study!r}"
        raise StoreError(f"{names} and {second.name} of {second.study!r} are not of one study")
    old, new = _cells(before.truth), _cells(after.truth)
    both = [Change(old[id_], new[id_]) for id_ in sorted(old.keys() & new.keys())]
    return Difference(
        before.name,
        after.name,
        gained=tuple(new[id_] for id_ in sorted(new.keys() - old.keys())),
        lost=tuple(old[id_] for id_ in sorted(old.keys() - new.keys())),
        reclassed=tuple(change for change in both if change.before.label != change.after.label),
        moved=tuple(
            change
            for change in both
            if (change.before.centre_px0, change.before.size_px0)
            != (change.after.centre_px0, change.after.size_px0)
        ),
    )


def _cells(truth: GroundTruth) -> dict[int, VersionCell]:
    found = {}
    for slide in truth.slides:
        cells = slide.cells
        rows = zip(
            cells.cell_id.tolist(),
            cells.label.tolist(),
            cells.points_px0.tolist(),
            cells.size_px0.tolist(),
            strict=True,
        )
        for id_, label, (x, y), (width, height) in rows:
            size = None if width != width else (width, height)
            found[id_] = VersionCell(id_, slide.name, label, (x, y), size)
    return found


def _by(names: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


DENSITY_GROUPS = ("low", "middle", "high")
"""Thirds of the cases by figures a mm² before the loop; without areas by figures."""


@dataclass(frozen=True, slots=True)
class Gain:
    """Cells before and after, of a case, a group of cases or all.

    Parameters
    ----------
    name : str
        Of the case or group.
    figures, look_alikes : tuple of int
        Before and after.
    area_mm2 : float or None
        Of the tumour; None where it is not known.
    """

    name: str
    figures: tuple[int, int]
    look_alikes: tuple[int, int]
    area_mm2: float | None = None

    @property
    def figures_percent(self) -> float:
        """Figures gained in % of those before; NaN where there were none."""
        return _percent(self.figures)

    @property
    def look_alikes_percent(self) -> float:
        """Look-alikes gained in % of those before; NaN where there were none."""
        return _percent(self.look_alikes)

    @property
    def density(self) -> float | None:
        """Figures a mm² before."""
        return None if not self.area_mm2 else self.figures[0] / self.area_mm2


def _percent(pair: tuple[int, int]) -> float:
    before, after = pair
    return 100 * (after - before) / before if before else float("nan")


PUBLISHED = Gain("CMC, 21 cases, MEL → ODAEL", (13_342, 14_151), (26_526, 36_135), 4360.08)
"""CMC Table 1: +6.06 % figures, +36.22 % look-alikes."""


@dataclass(frozen=True)
class GainTable:
    """Gains by case, by density of the tumour, and in all."""

    cases: tuple[Gain, ...]
    groups: tuple[Gain, ...]
    total: Gain


def gain_table(
    before: Mapping[str, Mapping[str, int]],
    after: Mapping[str, Mapping[str, int]],
    *,
    case_of: Mapping[str, str],
    area_mm2: Mapping[str, float | None],
) -> GainTable:
    """Return what was gained.

    Parameters
    ----------
    before, after : mapping of str to mapping of str to int
        Slide → cells by label.
    case_of : mapping of str to str
        Slide → case; all slides that the table covers, in order.
    area_mm2 : mapping of str to float or None
        Slide → area of its tumour.
    """
    slides_of: dict[str, list[str]] = {}
    for slide, case in case_of.items():
        slides_of.setdefault(case, []).append(slide)
    cases = tuple(
        Gain(
            case,
            _pair(before, after, slides, MITOTIC_FIGURE.name),
            _pair(before, after, slides, LOOK_ALIKE.name),
            _sum([area_mm2.get(slide) for slide in slides]),
        )
        for case, slides in slides_of.items()
    )
    return GainTable(cases, _by_density(cases), _join("all", cases))


def gains(before: GroundTruth, after: GroundTruth) -> GainTable:
    """Return what one version has gained on another; atypical figures are figures."""
    slides = {slide.name: slide for truth in (before, after) for slide in truth.slides}
    counts = [
        {
            slide.name: {
                MITOTIC_FIGURE.name: len(slide.cells.figures_px0),
                LOOK_ALIKE.name: len(slide.cells.look_alikes_px0),
            }
            for slide in truth.slides
        }
        for truth in (before, after)
    ]
    areas = {
        name: None
        if slide.mpp is None or slide.regions.tumour is None
        else slide.regions.tumour.area_mm2(slide.mpp)
        for name, slide in slides.items()
    }
    case_of = {name: slide.case for name, slide in slides.items()}
    return gain_table(*counts, case_of=case_of, area_mm2=areas)


def _pair(
    before: Mapping[str, Mapping[str, int]],
    after: Mapping[str, Mapping[str, int]],
    slides: Sequence[str],
    label: str,
) -> tuple[int, int]:
    first, second = (
        sum(counts.get(slide, {}).get(label, 0) for slide in slides) for counts in (before, after)
    )
    return first, second


def _sum(areas: Sequence[float | None]) -> float | None:
    known = [area for area in areas if area is not None]
    return sum(known) if areas and len(known) == len(areas) else None


def _by_density(cases: Sequence[Gain]) -> tuple[Gain, ...]:
    if len(cases) < len(DENSITY_GROUPS):
        return ()
    with_area = all(case.density is not None for case in cases)
    ordered = sorted(
        cases, key=lambda case: ((case.density if with_area else case.figures[0]) or 0.0, case.name)
    )
    edges = [round(len(ordered) * place / len(DENSITY_GROUPS)) for place in range(len(DENSITY_GROUPS) + 1)]
    unit = "density" if with_area else "number of figures"
    return tuple(
        _join(f"{unit}: {name}", ordered[low:high])
        for name, low, high in zip(DENSITY_GROUPS, edges, edges[1:], strict=False)
    )


def _join(name: str, cases: Sequence[Gain]) -> Gain:
    figures = (sum(case.figures[0] for case in cases), sum(case.figures[1] for case in cases))
    look_alikes = (sum(case.look_alikes[0] for case in cases), sum(case.look_alikes[1] for case in cases))
    return Gain(name, figures, look_alikes, _sum([case.area_mm2 for case in cases]))
