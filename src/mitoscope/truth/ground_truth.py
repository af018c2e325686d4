"""Ground truth: what is true on each slide, and where that comes from."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from mitoscope.errors import NoAgreedClassError, TruthError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS, LOOK_ALIKE, LabelSet, is_figure
from mitoscope.region import SlideRegions
from mitoscope.truth.agreement import Policy
from mitoscope.truth.examined import ExaminedArea, examined_of
from mitoscope.truth.splits import SIDES, Side, SlideSplit, check_leaks
from mitoscope.wording import say_number


@dataclass(frozen=True, slots=True)
class Domain:
    """Where a slide comes from; None where the source does not say."""

    tumour_type: str | None = None
    scanner: str | None = None
    species: str | None = None
    laboratory: str | None = None


@dataclass(frozen=True, eq=False)
class TrueCells:
    """The labelled cells of one slide, in columns of equal length.

    Parameters
    ----------
    points_px0 : ndarray of float64, shape (n, 2)
        Centres in level-0 pixels.
    label : ndarray of str, shape (n,)
        Canonical names of classes.
    size_px0 : ndarray of float64, shape (n, 2)
        Width and height as drawn, in level-0 pixels; NaN where only a point is known.
    agreement : ndarray of float64, shape (n,)
        Share of the raters who gave the label, in [0, 1]; 1 where it is not stated.
    cell_id : ndarray of int64, shape (n,)
        Id in the study, -1 where the cells come from a file.

    Raises
    ------
    TruthError
        If columns differ in length, a coordinate is not finite, a size is not positive or an agreement lies
        outside [0, 1].
    """

    points_px0: NDArray[np.float64]
    label: NDArray[np.str_]
    size_px0: NDArray[np.float64]
    agreement: NDArray[np.float64]
    cell_id: NDArray[np.int64]

    @classmethod
    def of(
        cls,
        points_px0: ArrayLike,
        label: ArrayLike,
        *,
        size_px0: ArrayLike | None = None,
        agreement: ArrayLike | None = None,
        cell_id: ArrayLike | None = None,
    ) -> Self:
        """Build cells; what is not given is not stated."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        n = len(points)
        return cls(
            points,
            np.array(np.broadcast_to(np.asarray(label, dtype=np.str_), n)),
            np.full((n, 2), np.nan) if size_px0 is None else np.asarray(size_px0, np.float64).reshape(-1, 2),
            np.ones(n) if agreement is None else np.asarray(agreement, np.float64).reshape(-1),
            np.full(n, -1, np.int64) if cell_id is None else np.asarray(cell_id, np.int64).reshape(-1),
        )

    @classmethod
    def none(cls) -> Self:
        """Return no cells."""
        return cls.of(np.empty((0, 2)), np.empty(0, np.str_))

    def __post_init__(self) -> None:
        lengths = {len(column) for column in self._columns()}
        if len(lengths) != 1:
            raise TruthError(f"columns of one length expected, got {sorted(lengths)}", where="ground truth")
        if not np.isfinite(self.points_px0).all():
            raise TruthError("a cell with NaN or infinite coordinates", where="ground truth")
        sizes = self.size_px0[~np.isnan(self.size_px0)]
        if len(sizes) and not (np.isfinite(sizes).all() and sizes.min() > 0):
            raise TruthError(
                "a box without extent", where="ground truth", mend="give width and height above 0"
            )
        if len(self) and not ((self.agreement >= 0) & (self.agreement <= 1)).all():
            odd = self.agreement[~((self.agreement >= 0) & (self.agreement <= 1))][0]
            raise TruthError(f"an agreement of {odd:g} is not in [0, 1]", where="ground truth")

    def __len__(self) -> int:
        return len(self.label)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, TrueCells):
            return NotImplemented
        pairs = zip(self._columns(), other._columns(), strict=True)
        return all(np.array_equal(mine, theirs, equal_nan=mine.dtype.kind == "f") for mine, theirs in pairs)

    __hash__ = None  # type: ignore[assignment]

    def _columns(self) -> tuple[NDArray[Any], ...]:
        return self.points_px0, self.label, self.size_px0, self.agreement, self.cell_id

    def take(self, rows: NDArray[Any]) -> TrueCells:
        """Return some of the cells: an index array or a mask."""
        return TrueCells(*(column[rows] for column in self._columns()))

    @cached_property
    def is_figure(self) -> NDArray[np.bool_]:
        """Whether each cell counts as a mitotic figure, atypical ones included, shape (n,)."""
        names = self.label.tolist()
        known = {name: is_figure(name) for name in set(names)}
        return np.array([known[name] for name in names], dtype=np.bool_)

    @property
    def figures_px0(self) -> NDArray[np.float64]:
        """Centres of the mitotic figures, atypical ones included, shape (k, 2)."""
        return np.asarray(self.points_px0[self.is_figure])

    @property
    def look_alikes_px0(self) -> NDArray[np.float64]:
        """Centres of the look-alikes, shape (k, 2)."""
        return self.labelled(LOOK_ALIKE.name)

    def labelled(self, label: str) -> NDArray[np.float64]:
        """Return the centres of the cells of one class, shape (k, 2)."""
        return np.asarray(self.points_px0[self.label == label])

    def without_duplicates(self) -> tuple[TrueCells, int]:
        """Return the cells with rows of one place and class once, and how many rows that left out."""
        _, label = np.unique(self.label, return_inverse=True)
        twice = repeated_rows(np.column_stack([self.points_px0, label]))
        return (self.take(~twice), int(twice.sum())) if twice.any() else (self, 0)


def repeated_rows(rows: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return of each row, shape (n, k), whether an equal one stands before it, shape (n,)."""
    order = np.lexsort(rows.T)  # stable: of equal rows the first comes first
    repeated = np.zeros(len(rows), np.bool_)
    repeated[order[1:]] = (np.diff(rows[order], axis=0) == 0).all(axis=1)
    return repeated


@dataclass(frozen=True, eq=False)
class SlideTruth:
    """What is true on one slide.

    Parameters
    ----------
    name : str
        File name of the slide, or the name of the image in the file of labels.
    cells : TrueCells
        All cells with an agreed class.
    case : str
        The patient or animal; the slide's own name where none is stated.
    mpp : Mpp or None
        µm per level-0 pixel, where it is stated.
    size : SizePx or None
        Of level 0.
    sha256 : str or None
        Of the slide file.
    domain : Domain
        Tumour type, scanner, species, laboratory.
    side : str or None
        ``train``, ``validation`` or ``test``, where a split is part of the truth.
    regions : SlideRegions
        Tumour, exclusions, regions of interest.
    stated_examined : ExaminedArea or None
        What was looked at, where that is stated; see `examined`.
    """

    name: str
    cells: TrueCells = field(default_factory=TrueCells.none)
    case: str = ""
    mpp: Mpp | None = None
    size: SizePx | None = None
    sha256: str | None = None
    domain: Domain = field(default_factory=Domain)
    side: Side | None = None
    regions: SlideRegions = field(default_factory=SlideRegions)
    stated_examined: ExaminedArea | None = None

    def __post_init__(self) -> None:
        if not self.case:
            object.__setattr__(self, "case", self.name)

    @property
    def examined(self) -> ExaminedArea:
        """What was looked at.

        Raises
        ------
        NotExaminedError
            If nothing is stated of a whole slide.
        """
        return examined_of(
            stated=self.stated_examined,
            size=self.size,
            mpp=self.mpp,
            points_px0=self.cells.points_px0,
            name=self.name,
        )


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """What is true on some slides, and how it came to be.

    Parameters
    ----------
    slides : tuple of SlideTruth
        Names are unique.
    source : str
        ``study.mito@MEL@2``, ``study.mito (settled)`` or the name of a file.
    classes : LabelSet
        Classes that cells may have.
    policy : Policy or None
        By which the labels of raters became one; None where a file states one truth.
    label_names : mapping of str to str
        Names in the source → classes, as they were mapped; ``ignore`` where cells were left out.
    notes : tuple of str
        What must be said beside numbers that rest on it, e.g. rows that stood twice.
    licences : tuple of str
        Of the slides, as a version states them.

    Raises
    ------
    TruthError
        If two slides have one name.
    LeakError
        If a case or the same pixels stand on both sides of the split.
    """

    slides: tuple[SlideTruth, ...]
    source: str = ""
    classes: LabelSet = DEFAULT_LABELS
    policy: Policy | None = None
    label_names: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    licences: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        names = [slide.name for slide in self.slides]
        if len(set(names)) != len(names):
            twice = next(name for name in names if names.count(name) > 1)
            raise TruthError(
                f"two slides of the name {twice!r}", where=self.source, mend="rename one of them"
            )
        sides = {slide.name: slide.side for slide in self.slides if slide.side is not None}
        check_leaks(
            SlideSplit(sides),
            hash_of={slide.name: slide.sha256 for slide in self.slides},
            case_of={slide.name: slide.case for slide in self.slides},
        )

    def __repr__(self) -> str:
        cells = f"{say_number(sum(len(slide.cells) for slide in self.slides), 'cell')}, "
        cells += say_number(self.n_figures, "mitotic figure")
        return f"<GroundTruth {self.source}: {say_number(len(self), 'slide')}, {cells}>"

    def __iter__(self) -> Iterator[SlideTruth]:
        return iter(self.slides)

    def __len__(self) -> int:
        return len(self.slides)

    @cached_property
    def by_name(self) -> dict[str, SlideTruth]:
        """Slides by name, in order."""
        return {slide.name: slide for slide in self.slides}

    def sides(self) -> dict[Side, int]:
        """Return the number of slides on each side of the split that has any."""
        stated = [slide.side for slide in self.slides]
        return {side: stated.count(side) for side in SIDES if side in stated}

    def on(self, side: str) -> GroundTruth:
        """Return the part on one side of the split; a note says so.

        Raises
        ------
        TruthError
            If there is no such side, or no split at all.
        """
        there = self.sides()
        wanted = next((known for known in there if side.strip().casefold() in (known, known[:3])), None)
        if wanted is None:
            known = ", ".join(there) or "none: no split is stated"
            raise TruthError(f"no side {side!r} of the split", where=self.source, mend=f"sides: {known}")
        kept = tuple(slide for slide in self.slides if slide.side == wanted)
        note = f"only the side {wanted} of the split: {len(kept)} of {len(self.slides)} slides"
        return replace(self, slides=kept, notes=(*self.notes, note))

    def with_slides(self, slides: Iterable[SlideTruth]) -> GroundTruth:
        """Return the truth with other slides."""
        return replace(self, slides=tuple(slides))

    def counts(self) -> dict[str, int]:
        """Return the number of cells by class, in order of the classes."""
        total: dict[str, int] = {}
        for slide in self.slides:
            for name, count in zip(*np.unique(slide.cells.label, return_counts=True), strict=True):
                total[str(name)] = total.get(str(name), 0) + int(count)
        order = [*self.classes.names, *sorted(set(total) - set(self.classes.names))]
        return {name: total[name] for name in order if name in total}

    @property
    def n_figures(self) -> int:
        """Number of mitotic figures."""
        return sum(int(slide.cells.is_figure.sum()) for slide in self.slides)

    def need_cells(self) -> GroundTruth:
        """Return the truth itself.

        Raises
        ------
        NoAgreedClassError
            If no cell has an agreed class.
        """
        if not any(len(slide.cells) for slide in self.slides):
            rule = f" under {str(self.policy)!r}" if self.policy else ""
            raise NoAgreedClassError(
                f"no cell has an agreed class{rule}",
                where=self.source or None,
                mend="choose another --policy",
            )
        return self

    def without_duplicates(self) -> GroundTruth:
        """Return the truth with rows of one place and class once; a note says how many there were."""
        thinned = [(slide, *slide.cells.without_duplicates()) for slide in self.slides]
        left_out = sum(count for _, _, count in thinned)
        if not left_out:
            return self
        slides = tuple(replace(slide, cells=cells) for slide, cells, _ in thinned)
        note = f"{say_number(left_out, 'repeated row')} of the ground truth counted once"
        return replace(self, slides=slides, notes=(*self.notes, note))

    @cached_property
    def sha256(self) -> str:
        """SHA-256 over cells, cases, scale, regions, examined areas and split: 64 hexadecimal digits."""
        digest = hashlib.sha256()
        for slide in sorted(self.slides, key=lambda slide: slide.name):
            digest.update(json.dumps(_facts(slide), sort_keys=True).encode())
            order = np.lexsort(
                (slide.cells.label, slide.cells.points_px0[:, 1], slide.cells.points_px0[:, 0])
            )
            for column in slide.cells._columns()[:-1]:
                digest.update("\n".join(map(repr, column[order].tolist())).encode())
        return digest.hexdigest()


def _facts(slide: SlideTruth) -> dict[str, Any]:
    regions = {
        kind: None if region is None else region.shape.normalize().wkb_hex
        for kind, region in (
            ("tumour", slide.regions.tumour),
            ("exclusion", slide.regions.exclusion),
            ("interest", slide.regions.interest),
        )
    }
    examined = slide.stated_examined
    return {
        "name": slide.name,
        "case": slide.case,
        "mpp": None if slide.mpp is None else [slide.mpp.x, slide.mpp.y],
        "size": None if slide.size is None else [slide.size.width, slide.size.height],
        "sha256": slide.sha256,
        "side": slide.side,
        "regions": regions,
        "examined": None
        if examined is None
        else [None if examined.region is None else examined.region.shape.normalize().wkb_hex],
    }
