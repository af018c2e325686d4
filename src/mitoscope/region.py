"""Where tumour is, what is excluded, what was looked at: outlines and their area.

This is the one owner of outlines: what a class name says of an outline (`kind_of_name`), how an outline that
was drawn by hand becomes a shape (`outline`), and what remains of tumour without its exclusions (`Region`).
Shapes are shapely's. A region is half-open as windows are: of two regions that share an edge, a point on it
is in one.
"""

from __future__ import annotations

import itertools
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray
from shapely.geometry import MultiPolygon, Polygon
from shapely.geometry.base import BaseGeometry

from mitoscope.errors import CrossedOutlineError, RegionError
from mitoscope.geometry import BoxPx0, Mpp, SizePx

WITHOUT_EXCLUSIONS = "area without exclusions"
"""Name of what is counted on a slide on which exclusions alone are drawn."""
AREA_TOLERANCE = 0.01
"""An outline drawn by hand has tiny loops where the line meets itself; it is taken as long as its area does
not depend on them by more than this part."""
_SHOWN_MAX = 8
_FARTHEST_PX0 = 1e12

Points = NDArray[np.float64]


class RegionKind(StrEnum):
    """What an outline on a slide delimits."""

    TUMOUR = "tumour"
    EXCLUSION = "exclusion"
    """Not to be counted: necrosis, artefacts, other tissue, what is named as no tumour."""
    INTEREST = "region of interest"
    """What was looked at: fields, ten high-power fields, a rectangle of 2 mm²."""


class FieldKind(StrEnum):
    """How a region of interest was chosen: the three kinds of MIDOG 2025."""

    HOT_SPOT = "hot spot"
    RANDOM = "random"
    CHALLENGING = "challenging"


def _in_order(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+|\d+", unicodedata.normalize("NFC", text.casefold()))


def _words(text: str) -> frozenset[str]:
    return frozenset(_in_order(text))


_TUMOUR_WORDS = _words(
    """
    tumor tumors tumour tumours tumoral tumoural tumorous tumorzone tumourzone tumorregion tumorarea
    tumorgewebe tumorareal tumorgebiet tumeur tumeurs tumore tumori tumoren tumör neoplasm neoplasia
    neoplastic carcinoma carcinomas karzinom karzinome carcinome cancer cancerous krebs kanker sarcoma
    sarkom sarcome melanoma melanom lymphoma lymphosarcoma lymphom adenocarcinoma adenokarzinom adenoma
    adenom blastoma glioma malignant maligne malignancy metastasis metastase mastzelltumor opukhol
    опухоль 肿瘤 腫瘍
    """
)
_NEGATIONS = _words("non no not nicht kein keine ohne sans sin senza without")
_DENIALS = _NEGATIONS | _words("excluding excl exkl")
_EXCLUDED_TISSUE = _words(
    """
    stroma stromal necrosis necrotic necrose nekrose nekrosen nekrotisch nécrose necrosi artefact artefacts
    artifact artifacts artefakt artefakte inflammation inflammatory entzündung ulceration ulcer
    haemorrhage hemorrhage blutung
    """
)
_SITES = _words("fat fett adipose blood blut skin haut muscle muskel benign benigne normal healthy gesund")
"""Alone they are not counted; beside a word for tumour they may say of which kind or where it is."""
_EXCLUSION_WORDS = (
    _NEGATIONS
    | _EXCLUDED_TISSUE
    | _SITES
    | _words(
        """
        ex ignore ignored exclude excluded excluding exclusion ausschluss ausgeschlossen absent absence
        outside ausserhalb außerhalb extra peri para nontumor nontumour nontumoral nontumoural nichttumor
        tumorfrei free peritumoral peritumoural peritumor peritumour extratumoral extratumoural intratumoral
        background hintergrund immune lymphocytes lymphozyten adjacent glass fold folds pen ink other others
        marker dirt blurred blur
        """
    )
)
_UNCLEAR_BESIDE_TUMOUR = _SITES | _words("negative margin margins border edge rim capsule front")
_JOINING = _words("and und et y e incl inkl including inklusive with mit")
"""``Tumour margin``, ``skin tumour`` and ``tumour and stroma`` may mean either: the user is asked."""
_INTEREST_WORDS = _words(
    """
    roi rois interest hpf hpfs mc hotspot hot screened examined reviewed counted annotated countingarea
    interesse untersucht random challenging difficult
    """
)
_QUALIFIERS = _words("positive negative 1 2 3")
"""Intensity classes that QuPath derives: ``Tumor: Positive`` is a tumour."""


def kind_of_name(name: str) -> RegionKind | None:
    """Return what an outline of a class delimits, None where the name does not say.

    Words decide, not letters: ``Non-tumor``, ``Peritumoral stroma`` and ``Tumour-free margin`` are
    exclusions. Tissue that a name denies says nothing: ``Tumour without necrosis`` is tumour. Of QuPath's
    derived classes the last part counts: ``Tumor: Necrosis`` is an exclusion.

    >>> [str(kind_of_name(name)) for name in ("Tumorzone", "Tumor: Necrosis", "Ignore*", "10 HPF")]
    ['tumour', 'exclusion', 'exclusion', 'region of interest']
    >>> [str(kind_of_name(name)) for name in ("Tumour, no necrosis", "Negative for tumour")]
    ['tumour', 'None']
    """
    parts = [_without_denied(_in_order(part)) for part in name.split(":")]
    told = [part for part in parts if part and not part <= _QUALIFIERS]
    for words in reversed(told):
        if words & _TUMOUR_WORDS and _may_mean_either(words):
            return None
        for kind, known in _WORDS.items():
            if words & known:
                return kind
    return None


def _may_mean_either(words: frozenset[str]) -> bool:
    """Whether the words of a name that speaks of tumour leave open whether its outline is tumour."""
    others = words & (_EXCLUSION_WORDS - _SITES)
    return bool(words & _UNCLEAR_BESIDE_TUMOUR and not others) or bool(
        others and others <= _EXCLUDED_TISSUE and words & _JOINING
    )


def _without_denied(words: list[str]) -> frozenset[str]:
    """Return the words without tissue that they deny: ``no necrosis``, ``necrosis-free``."""
    denied: set[int] = set()
    for place, (word, following) in enumerate(itertools.pairwise(words)):
        if (word in _DENIALS and following in _EXCLUDED_TISSUE) or (
            word in _EXCLUDED_TISSUE and following == "free"
        ):
            denied |= {place, place + 1}
    return frozenset(word for place, word in enumerate(words) if place not in denied)


_WORDS: Mapping[RegionKind, frozenset[str]] = {
    RegionKind.EXCLUSION: _EXCLUSION_WORDS,
    RegionKind.INTEREST: _INTEREST_WORDS,
    RegionKind.TUMOUR: _TUMOUR_WORDS,
}


def field_kind(name: str) -> FieldKind | None:
    """Return how a region of this name was chosen, None where the name does not say.

    >>> [str(field_kind(name)) for name in ("Hotspot ROI", "hot_spot", "Random 2", "difficult", "tumour")]
    ['hot spot', 'hot spot', 'random', 'challenging', 'None']
    """
    words = _words(name)
    told = [kind for kind, known in _FIELD_WORDS.items() if words & known]
    return told[0] if len(told) == 1 else None


_FIELD_WORDS: Mapping[FieldKind, frozenset[str]] = {
    FieldKind.HOT_SPOT: _words("hotspot hotspots hot"),
    FieldKind.RANDOM: _words("random"),
    FieldKind.CHALLENGING: _words("challenging difficult"),
}


@dataclass(frozen=True, eq=False)
class Outline:
    """One drawn outline with its class.

    Parameters
    ----------
    shape : Polygon or MultiPolygon
        In level-0 pixels; see `outline`.
    name : str
        Its class, else its own name, as the file has it; empty where it has none.
    """

    shape: BaseGeometry
    name: str = ""


def outline(exterior: ArrayLike, holes: Sequence[ArrayLike] = ()) -> BaseGeometry:
    """Return the shape of a ring of corners, with holes.

    Parameters
    ----------
    exterior : array_like, shape (n, 2)
        Corners in level-0 pixels; the first need not be repeated at the end.
    holes : sequence of array_like
        Rings that are cut out.

    Raises
    ------
    RegionError
        If a ring has fewer than 3 corners, no area, or a coordinate that is not finite.
    CrossedOutlineError
        If a ring crosses itself so that its area depends on the rule of filling by more than 1 %.
    """
    shape = _filled(exterior)
    for hole in holes:
        shape = shape.difference(_filled(hole))
    if shape.is_empty:
        raise RegionError("an outline without area", mend="draw it again")
    return shape


def _filled(corners: ArrayLike) -> BaseGeometry:
    ring = np.asarray(corners, dtype=np.float64).reshape(-1, 2)
    if not np.isfinite(ring).all():
        raise RegionError("a polygon with NaN or infinite coordinates")
    if len(ring) and np.abs(ring).max() > _FARTHEST_PX0:
        raise RegionError("a polygon beyond the end of any slide")
    if len(ring) > 1 and (ring[0] == ring[-1]).all():
        ring = ring[:-1]
    if len(ring) < 3:
        raise RegionError(f"a polygon of {len(ring)} corners has no area", mend="draw at least 3 corners")
    drawn = Polygon(ring)
    if drawn.is_valid:
        return drawn
    shape = _polygons(shapely.make_valid(drawn))
    turned = _turned_area(ring)
    if shape.is_empty:
        raise RegionError("an outline without area", mend="draw it again")
    if abs(shape.area - turned) > AREA_TOLERANCE * max(shape.area, turned):
        raise CrossedOutlineError("an outline crosses itself", mend="draw it again without crossing lines")
    return shape


def _turned_area(ring: Points) -> float:
    """Return the area that the shoelace formula gives: loops turned the other way count negative."""
    x, y = ring[:, 0] - ring[0, 0], ring[:, 1] - ring[0, 1]
    return abs(float((x * np.roll(y, -1) - y * np.roll(x, -1)).sum())) / 2


def _polygons(shape: BaseGeometry) -> BaseGeometry:
    """Return the parts of a shape that have an area."""
    parts = [part for part in shapely.get_parts(shape) if isinstance(part, Polygon | MultiPolygon)]
    return shapely.union_all(parts) if parts else Polygon()


@dataclass(frozen=True, eq=False)
class Region:
    """A part of a slide, such as the tumour without what is excluded.

    Parameters
    ----------
    shape : Polygon or MultiPolygon
        In level-0 pixels; may be empty.
    name : str
        What the region shows, for reports.
    """

    shape: BaseGeometry
    name: str = "tumour"

    def __post_init__(self) -> None:
        shapely.prepare(self.shape)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        return self.name == other.name and bool(shapely.equals(self.shape, other.shape))

    __hash__ = None  # type: ignore[assignment]

    @classmethod
    def of_box(cls, box: BoxPx0, name: str = "searched") -> Region:
        """Return a rectangle."""
        return cls(shapely.box(box.x, box.y, box.right, box.bottom), name)

    @classmethod
    def of_polygon(cls, corners: ArrayLike, name: str = "tumour") -> Region:
        """Return a polygon; errors as `outline`."""
        return cls(outline(corners), name)

    @property
    def is_empty(self) -> bool:
        """Whether nothing is inside."""
        return bool(self.shape.is_empty)

    @property
    def bounds_px0(self) -> BoxPx0:
        """Smallest box that holds the region.

        Raises
        ------
        RegionError
            If the region is empty.
        """
        if self.is_empty:
            raise RegionError(f"nothing is left of the region {self.name!r}")
        left, top, right, bottom = self.shape.bounds
        return BoxPx0(left, top, right - left, bottom - top)

    @property
    def rings(self) -> list[Points]:
        """All rings, exteriors and holes, not closed, each of shape (n, 2)."""
        return [ring for polygon in self.polygons for ring in polygon]

    @property
    def polygons(self) -> list[list[Points]]:
        """Each polygon as its rings, the exterior first, not closed."""
        return [
            [np.asarray(ring.coords, dtype=np.float64)[:-1] for ring in (part.exterior, *part.interiors)]
            for part in shapely.get_parts(self.shape)
        ]

    def contains(self, points_px0: ArrayLike) -> NDArray[np.bool_]:
        """Return of each point, shape (n, 2), whether it lies inside; left and upper edges are inside."""
        points = np.asarray(points_px0, dtype=np.float64).reshape(-1, 2)
        # The next number to the right and below: an edge then belongs to the region on its right or below it.
        inner = np.nextafter(points, np.inf)
        return np.asarray(shapely.contains_xy(self.shape, inner[:, 0], inner[:, 1]), dtype=np.bool_)

    def area_mm2(self, mpp: Mpp) -> float:
        """Return the area in mm²."""
        return float(self.shape.area) * mpp.pixel_area_mm2

    def union(self, other: Region) -> Region:
        """Return what is in either, under this name."""
        return Region(self.shape.union(other.shape), self.name)

    def intersection(self, other: Region) -> Region:
        """Return what is in both, under this name."""
        return Region(_polygons(self.shape.intersection(other.shape)), self.name)

    def difference(self, other: Region) -> Region:
        """Return what is in this region and not in the other, under this name."""
        return Region(_polygons(self.shape.difference(other.shape)), self.name)

    def within(self, size: SizePx) -> Region:
        """Return the part that lies on a slide."""
        return self.intersection(Region(shapely.box(0, 0, size.width, size.height)))

    def raster(self, px0_per_pixel: tuple[float, float], shape: tuple[int, int]) -> NDArray[np.bool_]:
        """Return a mask of the pixels whose centre is inside, shape (h, w).

        Parameters
        ----------
        px0_per_pixel : tuple of float
            Level-0 pixels per mask pixel, in x and y.
        shape : tuple of int
            Rows and columns.
        """
        # Scan lines over all edges: asking shapely for each of some 10⁷ centres takes a hundred times as
        # long.
        crossings = np.zeros((shape[0], shape[1] + 1), np.int32)
        scale_x, scale_y = px0_per_pixel
        for ring in self.rings:
            for (x_a, y_a), (x_b, y_b) in zip(ring.tolist(), np.roll(ring, -1, axis=0).tolist(), strict=True):
                if y_a == y_b:
                    continue
                if y_a > y_b:
                    x_a, y_a, x_b, y_b = x_b, y_b, x_a, y_a
                first, last = (int(np.clip(np.ceil(y / scale_y - 0.5), 0, shape[0])) for y in (y_a, y_b))
                rows = np.arange(first, last)
                x = x_a + ((rows + 0.5) * scale_y - y_a) * ((x_b - x_a) / (y_b - y_a))
                # Centres left of the edge change sides: those of columns [0, column).
                column = np.clip(np.ceil(x / scale_x - 0.5), 0, shape[1]).astype(np.intp)
                crossings[rows, 0] += 1
                crossings[rows, column] += 1
        return np.asarray(crossings[:, :-1].cumsum(axis=1) % 2 == 1)


@dataclass(frozen=True, eq=False)
class SlideRegions:
    """What the outlines of one slide say together.

    Parameters
    ----------
    tumour : Region or None
        Union of the tumour outlines without all exclusions; None where no tumour is outlined.
    exclusion : Region or None
        Union of the exclusions; None where there is none.
    interest : Region or None
        Union of the regions of interest; None where there is none.
    fields : mapping of FieldKind to Region
        Union of the regions of interest whose names say how they were chosen, by kind.
    """

    tumour: Region | None = None
    exclusion: Region | None = None
    interest: Region | None = None
    fields: Mapping[FieldKind, Region] = field(default_factory=dict)

    def counted_on(self, size: SizePx) -> Region | None:
        """Return where on a slide figures are counted; None where it is all of the slide.

        That is the tumour without exclusions, and without a tumour all but the exclusions.
        """
        if self.tumour is not None:
            return self.tumour.within(size)
        if self.exclusion is None:
            return None
        slide = BoxPx0(0, 0, size.width, size.height)
        return Region.of_box(slide, WITHOUT_EXCLUSIONS).difference(self.exclusion)


def join_outlines(drawn: Iterable[tuple[RegionKind, BaseGeometry]]) -> SlideRegions:
    """Return what the outlines of a slide say together: one union a kind, exclusions subtracted from tumour.

    The rule of CCMCT and CMC: tumour outlines are filled, then all exclusions are taken out of them.
    """
    shapes: dict[RegionKind, list[BaseGeometry]] = {}
    for kind, shape in drawn:
        shapes.setdefault(kind, []).append(shape)
    regions = {
        kind: Region(_polygons(shapely.union_all(parts)), str(kind))
        for kind, parts in shapes.items()
        if parts
    }
    tumour, exclusion = regions.get(RegionKind.TUMOUR), regions.get(RegionKind.EXCLUSION)
    if tumour is not None and exclusion is not None:
        tumour = tumour.difference(exclusion)
    return SlideRegions(tumour, exclusion, regions.get(RegionKind.INTEREST))


def join_fields(named: Iterable[tuple[str, BaseGeometry]]) -> dict[FieldKind, Region]:
    """Return the union of the regions of interest of each kind that names state, by kind."""
    shapes: dict[FieldKind, list[BaseGeometry]] = {}
    for name, shape in named:
        kind = field_kind(name)
        if kind is not None:
            shapes.setdefault(kind, []).append(shape)
    return {
        kind: Region(_polygons(shapely.union_all(shapes[kind])), str(kind))
        for kind in FieldKind
        if kind in shapes
    }


def regions_of_outlines(
    outlines: Iterable[Outline], *, tumour_classes: Sequence[str] = (), where: str = "outlines"
) -> SlideRegions:
    """Return what named outlines say together.

    Parameters
    ----------
    outlines : iterable of Outline
        Of one slide.
    tumour_classes : sequence of str
        Names whose outlines are tumour, whatever they seem to say; others are then tumour no more, exclusions
        and regions of interest stay what they are.
    where : str
        The file, for errors.

    Raises
    ------
    RegionError
        If a name does not say what it delimits, listing such names with their counts and the option, or no
        outline is tumour although some class should be.

    Notes
    -----
    Where no outline of the file has a name at all, all are tumour: the file was given as the outline of it.
    """
    drawn = list(outlines)
    wanted = {_plain(name) for name in tumour_classes}
    missing = wanted - {_plain(outline.name) for outline in drawn}
    if missing:
        known = ", ".join(sorted({repr(outline.name) for outline in drawn})) or "none"
        stated = next(name for name in tumour_classes if _plain(name) in missing)
        raise RegionError(f"no outline of the class {stated!r}", where=where, mend=f"classes are {known}")
    if drawn and not any(outline.name for outline in drawn):
        return join_outlines((RegionKind.TUMOUR, outline.shape) for outline in drawn)
    kinds: list[tuple[RegionKind, BaseGeometry]] = []
    unknown: dict[str, int] = {}
    for outline in drawn:
        kind = RegionKind.TUMOUR if _plain(outline.name) in wanted else kind_of_name(outline.name)
        if kind is None and not wanted:
            unknown[outline.name] = unknown.get(outline.name, 0) + 1
        elif kind is not None and not (
            wanted and kind is RegionKind.TUMOUR and _plain(outline.name) not in wanted
        ):
            kinds.append((kind, outline.shape))
    if unknown:
        listed = ", ".join(f"{name!r} ({count})" for name, count in list(unknown.items())[:_SHOWN_MAX])
        mend = f'name the classes that are tumour, e.g. --tumour-class "{next(iter(unknown))}"'
        raise RegionError(
            f"outlines of classes that say neither tumour nor exclusion: {listed}", where=where, mend=mend
        )
    return join_outlines(kinds)


def _plain(name: str) -> str:
    return " ".join(name.casefold().split())
