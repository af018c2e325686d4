"""What an annotation format is to mitoscope: a name, how to know it, and a reader and a writer."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError, ScaleError
from mitoscope.exchange import csv_text, json_text, xml_text
from mitoscope.exchange.classes import stated_classes
from mitoscope.exchange.pickled import is_pickle
from mitoscope.exchange.regions import kind_of_outline
from mitoscope.fsio import open_regular
from mitoscope.geometry import BoxPx, Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE, name_key
from mitoscope.region import RegionKind
from mitoscope.store import UNSTATED_ROUND, Policy, Rater, RaterKind, Shape, Study
from mitoscope.truth import Domain

_HEAD_BYTES = 1 << 16
_XML_ROOT = re.compile(r"\s*(?:<\?xml.*?\?>\s*|<!--.*?-->\s*)*<(!DOCTYPE\b|[A-Za-z_][\w:.-]*)", re.DOTALL)


class Aspect(StrEnum):
    """What a study can hold and a format may not."""

    LOOK_ALIKES = "look-alikes"
    OTHERS = "cells of other labels, or of none that is agreed on"
    RATERS = "who gave which label"
    ROUNDS = "rounds"
    TIMES = "times of labels"
    SCORES = "scores"
    SECONDS = "seconds spent on labels"
    SHAPES = "boxes, circles and polygons (their centres are written)"
    PLANES = "focal planes"
    DELETED = "cells marked as deleted"
    GUIDS = "globally unique ids"
    REGIONS = "regions"
    VERSIONS = "dataset versions"
    SLIDES = "resolutions, cases, hashes and domains of slides"
    QUARANTINE = "quarantined entries"
    SEARCHES = "what models searched"


EVERYTHING = frozenset(Aspect) - {Aspect.SEARCHES}
"""All but what only a result folder holds."""


class BoxLayout(StrEnum):
    """How a COCO file states its boxes."""

    XYWH = "xywh"
    """Corner, width and height: COCO."""
    XYXY = "xyxy"
    """Two corners: MIDOG, MIDOG++ and the JSON export of CCMCT."""


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a reader may be told because the file does not say it.

    Parameters
    ----------
    slide : str, optional
        The slide of a file that names none; without it, the file's own name without its suffix.
    mpp : Mpp, optional
        Resolution of that slide, needed by formats in millimetres.
    boxes : BoxLayout, optional
        Layout of COCO boxes, where the file gives no evidence of its own.
    rater : str, optional
        Who gave the labels of a file that does not say: an expert, or an algorithm of ``models``.
    models : frozenset of str
        Raters of the file that are algorithms. ``RetinaNet`` is the one in the MIDOG databases.
    domains : Path, optional
        ``datasets_xvalidation.csv`` of MIDOG++: tumour type, scanner, laboratory, species, split.
    offset_px0 : tuple of float
        Upper left corner of the vendor bounds to which the coordinates are relative (GeoJSON).
    outlines : mapping of str to RegionKind or None
        What outlines of a class delimit, None where they are cells; see `LabelMapping.outlines`.
    """

    slide: str | None = None
    mpp: Mpp | None = None
    boxes: BoxLayout | None = None
    rater: str | None = None
    models: frozenset[str] = frozenset({"RetinaNet"})
    domains: Path | None = None
    offset_px0: tuple[float, float] = (0.0, 0.0)
    outlines: Mapping[str, RegionKind | None] = field(default_factory=dict)

    def kind_of_outline(self, name: str, ring: NDArray[np.float64]) -> RegionKind | None:
        """Return what an outline delimits, as the user or else its class says; None where it is a cell."""
        key = name_key(name)
        return self.outlines[key] if key in self.outlines else kind_of_outline(name, ring)

    def speaker(self, default: Rater, *, is_mixed: bool = False) -> Rater:
        """Return who gave the labels of a file that does not say: the named rater, else a default.

        Labels that speak for all belong to the named rater as an expert; those of a model stay a model's, and
        in a file with labels of both kinds a nameless model's.
        """
        is_model = default.kind is RaterKind.MODEL
        if self.rater is None or (is_model and is_mixed):
            return default
        kind = RaterKind.MODEL if is_model or self.rater in self.models else RaterKind.EXPERT
        return Rater(self.rater, kind)

    def slide_name(self, path: Path) -> str:
        """Return the name of the slide of a file that names none."""
        return self.slide or path.stem


def needed_mpp(mpp: Mpp | None, what: str, path: Path) -> Mpp:
    """Return the resolution of a slide, or raise ScaleError saying what needs it."""
    if mpp is None:
        message = f"{what} need the resolution of the slide"
        raise ScaleError(message, where=str(path), mend="give it with --mpp")
    return mpp


@dataclass(frozen=True, slots=True)
class WriteOptions:
    """What a writer may be told.

    Parameters
    ----------
    mpp : Mpp, optional
        Resolution of slides that state none; needed by formats in millimetres.
    boxes : BoxLayout, optional
        Layout of COCO boxes; without it the layout of the file they came from, else that of COCO.
    policy : Policy
        How the labels of several raters become the one class that a format states.
    bounds : BoxPx, optional
        Write coordinates relative to the upper left corner of these vendor bounds (GeoJSON).
    slide_file : Path, optional
        The slide that DICOM annotations refer to.
    """

    mpp: Mpp | None = None
    boxes: BoxLayout | None = None
    policy: Policy = Policy.SETTLED
    bounds: BoxPx | None = None
    slide_file: Path | None = None


@dataclass(frozen=True)
class Content:
    """The content of a file, as far as it takes to know its format."""

    path: Path

    @cached_property
    def head(self) -> bytes:
        """The first 64 KiB."""
        try:
            with open_regular(self.path) as stream:
                return stream.read(_HEAD_BYTES)
        except OSError as error:
            raise FormatError(f"cannot be read ({error.strerror})", where=self.path) from None

    @property
    def is_text(self) -> bool:
        """Whether it may be text."""
        return not is_pickle(self.head) and json_text.is_text(self.head)

    @cached_property
    def json(self) -> Any:
        """The JSON value, None where the file does not begin like one."""
        begins = self.text_head.lstrip()[:1]
        return json_text.read_json(self.path) if self.is_text and begins in ("{", "[") else None

    @cached_property
    def xml_root(self) -> str:
        """The name of the root of an XML file without its namespace, empty where it is something else."""
        match = _XML_ROOT.match(self.text_head)
        if match and match[1] == "!DOCTYPE":
            raise FormatError(xml_text.HAS_DOCTYPE, where=self.path, mend=xml_text.AS_PLAIN_XML)
        return match[1].rpartition(":")[2] if match else ""

    @cached_property
    def text_head(self) -> str:
        """The beginning as text, whatever it is: to be matched, not to be read."""
        encoding = "utf-16" if self.head.startswith(json_text.UTF16_MARKS) else "utf-8-sig"
        return self.head.decode(encoding, "replace")

    @property
    def keys(self) -> frozenset[str]:
        """The keys of the JSON object."""
        return frozenset(self.json) if isinstance(self.json, dict) else frozenset()

    @cached_property
    def rows(self) -> list[list[str]]:
        """The first rows of a CSV file, none where it is something else."""
        if not self.is_text or self.json is not None or self.xml_root:
            return []
        whole = len(self.head) < _HEAD_BYTES
        return [
            list(map(str.strip, row)) for row in csv_text.first_rows(self.head, self.path, is_whole=whole)
        ]

    @cached_property
    def header(self) -> frozenset[str]:
        """The names in the first row of a CSV file, lower case; none where it is all numbers."""
        first = [cell.casefold().lstrip("\ufeff") for cell in self.rows[0]] if self.rows else []
        return frozenset() if self.numbers is not None else frozenset(first)

    @cached_property
    def numbers(self) -> list[list[float]] | None:
        """The first rows of a CSV file that holds nothing but numbers, else None."""
        try:
            rows = [[float(cell) for cell in row if cell] for row in self.rows]
        except ValueError:
            return None
        return rows or None


@dataclass(frozen=True)
class Format:
    """An annotation format.

    Parameters
    ----------
    name : str
        As in ``--format``.
    title : str
        One line for people.
    suffix : str
        Of files that are written.
    recognises : callable
        Whether a file's content is of this format.
    read : callable
        File and options → study. Raises FormatError, ScaleError.
    write : callable, optional
        Study, file and options → the file. Raises FormatError, ScaleError, OutputError.
    holds : frozenset of Aspect
        What the format has room for; the rest is named when a study is written.
    one_slide : bool
        Whether a file holds one slide; a study of several is written as a folder of files.
    holds_nothing : bool
        Whether a file may hold no annotation at all.
    keeps_numbers : bool
        Whether the numbers of cells stand in it as they came, so that cells are known by them again.
    """

    name: str
    title: str
    suffix: str
    recognises: Callable[[Content], bool]
    read: Callable[[Path, ReadOptions], Study]
    write: Callable[[Study, Path, WriteOptions], None] | None = None
    holds: frozenset[Aspect] = field(default_factory=frozenset)
    one_slide: bool = False
    holds_nothing: bool = True
    keeps_numbers: bool = False

    @property
    def holds_ids(self) -> bool:
        """Whether the ids of cells stand in it by which a study knows them again."""
        return Aspect.GUIDS in self.holds


def left_out(study: Study, holds: frozenset[Aspect], policy: Policy = Policy.SETTLED) -> tuple[str, ...]:
    """Return a line for each aspect that the study has and the format does not hold, with its count."""
    labels, _ = stated_classes(study, policy, models=True)
    names = [study.labels.labels[label].name if label >= 0 else "" for label in labels.tolist()]
    counts = {
        Aspect.LOOK_ALIKES: names.count(LOOK_ALIKE.name),
        Aspect.OTHERS: sum(name not in (MITOTIC_FIGURE.name, LOOK_ALIKE.name) for name in names),
        Aspect.RATERS: sum(rater.kind is not RaterKind.CONSENSUS for rater in study.raters),
        Aspect.ROUNDS: sum(round_ != UNSTATED_ROUND for round_ in study.rounds),
        Aspect.TIMES: int(np.isfinite(study.events.time_s).sum()),
        Aspect.SCORES: int(np.isfinite(study.events.score).sum()),
        Aspect.SECONDS: int(np.isfinite(study.events.seconds).sum()),
        Aspect.SHAPES: int((study.cells.shape != Shape.SPOT).sum()),
        Aspect.PLANES: int((study.cells.z != 0).sum()),
        Aspect.DELETED: int(study.cells.deleted.sum()),
        Aspect.GUIDS: sum(one is not None for one in study.cells.guid),
        Aspect.REGIONS: len(study.regions),
        Aspect.VERSIONS: len(study.versions),
        Aspect.SLIDES: sum(
            slide.mpp is not None
            or slide.sha256 is not None
            or slide.case is not None
            or slide.domain != Domain()
            for slide in study.slides
        ),
        Aspect.QUARANTINE: len(study.quarantine),
        Aspect.SEARCHES: len(study.searches),
    }
    return tuple(
        f"not held by the format: {aspect} ({count})"
        for aspect, count in counts.items()
        if count and aspect not in holds
    )
