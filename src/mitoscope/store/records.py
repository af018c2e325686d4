"""What an annotation file says: the types that every format is read into and written from.

A :class:`Study` is a whole study or a part of it. Slides, raters, rounds and regions are few and are plain
records; cells and label events are many and are columns. Rows refer to each other by their index in the
study, so a study is complete in itself and needs no database.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.detections import Searched
from mitoscope.errors import FormatError
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import LabelSet
from mitoscope.region import RegionKind
from mitoscope.store.columns import ByContent, Cells, LabelEvents
from mitoscope.truth import Domain, ExaminedArea, Part, RaterKind

Attributes = Mapping[str, Any]
"""JSON values of a file that mitoscope does not interpret but gives back, by name (``sliderunner.uuid``)."""


@dataclass(frozen=True, slots=True)
class SlideRecord:
    """A slide as an annotation file knows it; None where the file does not say.

    Parameters
    ----------
    name : str
        File name; one in the study.
    size : SizePx, optional
        Level-0 pixels.
    mpp : Mpp, optional
        Resolution in µm per level-0 pixel.
    sha256 : str, optional
        Of the slide file.
    case : str, optional
        The patient or animal; slides without one are their own case.
    domain : Domain
        Tumour type, scanner, species, laboratory.
    attributes : mapping
        Further JSON values of the source.
    """

    name: str
    size: SizePx | None = None
    mpp: Mpp | None = None
    sha256: str | None = None
    case: str | None = None
    domain: Domain = field(default_factory=Domain)
    attributes: Attributes = field(default_factory=dict, hash=False)


@dataclass(frozen=True, slots=True)
class Rater:
    """A person, a crowd worker, a model or a consensus; the name is one in the study."""

    name: str
    kind: RaterKind = RaterKind.EXPERT
    attributes: Attributes = field(default_factory=dict, hash=False)


class RoundKind(StrEnum):
    """In which part of the work a label was given (CCMCT, CMC and MIDOG++, section Methods)."""

    UNSTATED = "unstated"
    SCREENING = "screening"
    SECOND_READ = "second read"
    CONSENSUS = "consensus"
    THIRD_EXPERT = "third expert"
    CANDIDATE_REVIEW = "candidate review"
    BOARD_REVIEW = "board review"
    CROWD_BOXES = "crowd boxes"
    """Boxes drawn on tiles by many reviewers (Ji et al.)."""
    CROWD_TILES = "crowd tiles"
    """Yes or no to whole tiles by many reviewers (Ji et al.)."""
    CASE_REVIEW = "case review"
    """A pathologist corrects the candidates of a case and signs its mitotic count."""

    @property
    def is_blinded(self) -> bool:
        """Whether raters of this round do not see the labels of others."""
        return self in (RoundKind.SCREENING, RoundKind.SECOND_READ)

    @property
    def part(self) -> Part:
        """What an expert's label in this round is to the dispute of a cell."""
        if self is RoundKind.THIRD_EXPERT:
            return Part.DECISION
        readings = (RoundKind.SCREENING, RoundKind.SECOND_READ, RoundKind.CANDIDATE_REVIEW)
        return Part.READING if self in readings else Part.UNSTATED


@dataclass(frozen=True, slots=True)
class Round:
    """A part of the work; the name is one in the study."""

    name: str
    kind: RoundKind = RoundKind.UNSTATED


NO_LABELS = LabelSet(())
UNSTATED_ROUND = Round("unstated")
"""The round of labels whose source does not say in which round they were given."""


@dataclass(frozen=True, eq=False)
class Region(ByContent):
    """A polygon on a slide that delimits tumour, or what is not to be counted.

    Parameters
    ----------
    slide : int
        Index into the slides of the study.
    vertices_px0 : ndarray of float64, shape (k, 2)
        x and y in level-0 pixels, not closed, k at least 3.
    kind : RegionKind
        Tumour counts, exclusion is taken out of it.
    name : str
        The source's name of it.
    """

    slide: int
    vertices_px0: NDArray[np.float64]
    kind: RegionKind = RegionKind.TUMOUR
    name: str = ""

    def __post_init__(self) -> None:
        vertices = np.array(self.vertices_px0, dtype=np.float64)
        if vertices.ndim != 2 or vertices.shape[1] != 2 or len(vertices) < 3:
            raise FormatError(f"vertices of shape (k ≥ 3, 2) expected, got {vertices.shape}", where="region")
        if not np.isfinite(vertices).all():
            raise FormatError("NaN or infinity in the vertices", where=f"region {self.name!r}")
        vertices.flags.writeable = False
        object.__setattr__(self, "vertices_px0", vertices)


@dataclass(frozen=True, eq=False)
class ModelSearch:
    """What a model searched on a slide, by the names of both."""

    slide: str
    rater: str
    searched: Searched


@dataclass(frozen=True, eq=False)
class DatasetVersion(ByContent):
    """A frozen version of a dataset variant (MEL, HEAEL, ODAEL, CODAEL): which cells, under which label.

    Parameters
    ----------
    variant : str
        Name of the variant.
    number : int
        Version of the variant, from 1.
    cell, label : ndarray of int64, shape (n,)
        Rows of the study's cells, and indexes into its labels.
    split : mapping of int to str
        Slide index → ``train``, ``validation`` or ``test``.
    note : str
        How it was made.
    """

    variant: str
    number: int
    cell: NDArray[np.int64]
    label: NDArray[np.int64]
    split: Mapping[int, str] = field(default_factory=dict)
    note: str = ""


@dataclass(frozen=True, slots=True)
class QuarantineEntry:
    """Something of a file that could not be taken as it is, kept with its place and the reason (promise 14).

    Parameters
    ----------
    where : str
        File and row, key or id.
    why : str
        One of a few stated reasons, e.g. ``outside the slide``; what is counted.
    what : str
        The content, as text.
    slide : str, optional
        Name of the slide concerned.
    is_earlier : bool
        Whether the file carries it from a study: it is not of the annotations that the file itself states.
    """

    where: str
    why: str
    what: str
    slide: str | None = None
    is_earlier: bool = field(default=False, compare=False)


@dataclass(frozen=True)
class Study:
    """A whole study or a part of it.

    ``examined`` is what a store knows of each slide's examined area, by the slide's name: files say it by
    regions of interest. ``notes`` are what must be said of how it was read.

    Raises
    ------
    FormatError
        If a row refers to a slide, rater, label or round that is not there, or a name is not one.
    """

    slides: tuple[SlideRecord, ...] = ()
    labels: LabelSet = NO_LABELS
    raters: tuple[Rater, ...] = ()
    rounds: tuple[Round, ...] = (UNSTATED_ROUND,)
    cells: Cells = field(default_factory=Cells.empty)
    events: LabelEvents = field(default_factory=LabelEvents.empty)
    regions: tuple[Region, ...] = ()
    versions: tuple[DatasetVersion, ...] = ()
    quarantine: tuple[QuarantineEntry, ...] = ()
    searches: tuple[ModelSearch, ...] = field(default=(), compare=False)
    examined: Mapping[str, ExaminedArea] = field(default_factory=dict, compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __post_init__(self) -> None:
        for what, names in (
            ("slide", [slide.name for slide in self.slides]),
            ("rater", [rater.name for rater in self.raters]),
            ("round", [round_.name for round_ in self.rounds]),
        ):
            _check_names(what, names)
        _check_index("cell", "slide", self.cells.slide, 0, len(self.slides))
        _check_index("label event", "cell", self.events.cell, 0, len(self.cells))
        _check_index("label event", "rater", self.events.rater, 0, len(self.raters))
        _check_index("label event", "label", self.events.label, -1, len(self.labels.labels))
        _check_index("label event", "round", self.events.round, 0, len(self.rounds))
        _check_index(
            "region", "slide", np.array([region.slide for region in self.regions]), 0, len(self.slides)
        )
        for version in self.versions:
            row = f"row of version {version.variant} {version.number}"
            if version.cell.shape != version.label.shape:
                raise FormatError(f"one label for each {row} expected", where="study")
            _check_index(row, "cell", version.cell, 0, len(self.cells))
            _check_index(row, "label", version.label, 0, len(self.labels.labels))

    @property
    def parts(self) -> NDArray[np.int64]:
        """Return in which part of the work each label event was given, shape (n,)."""
        parts = np.array([round_.kind.part for round_ in self.rounds] or [Part.UNSTATED], dtype=np.int64)
        return parts[self.events.round]

    def part_on(self, slides: Collection[str]) -> Study:
        """Return the part of the study that is on some slides; labels, raters and rounds are all."""
        kept = [row for row, slide in enumerate(self.slides) if slide.name in slides]
        place = np.full(len(self.slides), -1, dtype=np.int64)
        place[kept] = np.arange(len(kept))
        rows = np.flatnonzero(place[self.cells.slide] >= 0)
        new_row = np.full(len(self.cells), -1, dtype=np.int64)
        new_row[rows] = np.arange(len(rows))
        cells, events = self.cells.take(rows), self.events.take(new_row[self.events.cell] >= 0)
        versions = []
        for version in self.versions:
            inside = new_row[version.cell] >= 0
            sides = {int(place[row]): side for row, side in version.split.items() if place[row] >= 0}
            cell, label = new_row[version.cell[inside]], version.label[inside]
            versions.append(replace(version, split=sides, cell=cell, label=label))
        return replace(
            self,
            slides=tuple(self.slides[row] for row in kept),
            cells=replace(cells, slide=place[cells.slide]),
            events=replace(events, cell=new_row[events.cell]),
            regions=tuple(
                replace(region, slide=int(place[region.slide]))
                for region in self.regions
                if place[region.slide] >= 0
            ),
            versions=tuple(versions),
            quarantine=tuple(refused for refused in self.quarantine if refused.slide in slides),
            searches=tuple(search for search in self.searches if search.slide in slides),
            examined={name: area for name, area in self.examined.items() if name in slides},
        )


def _check_names(what: str, names: list[str]) -> None:
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise FormatError(f"two {what}s of the name {twice!r}", where="study", mend="names must be unique")
    if "" in names:
        raise FormatError(f"a {what} without a name", where="study")


def _check_index(row: str, what: str, index: NDArray[Any], low: int, high: int) -> None:
    bad = np.flatnonzero((index < low) | (index >= high))
    if len(bad):
        raise FormatError(
            f"{row} {bad[0]} names {what} {index[bad[0]]}, but there are {high}",
            where="study",
            mend=f"name the {what} in the file",
        )
