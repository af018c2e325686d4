"""What `strangers.py` judges on: whole fields with their truth, at several scales and in several stains."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import numpy as np
import shapely
from numpy.typing import NDArray
from PIL import Image

from mitoscope.bundle import Bundle
from mitoscope.data.field import Labels
from mitoscope.data.open_data import (
    BRECAHAD,
    BRECAHAD_SCALES,
    CATALOGUE,
    NEGATIVE_FIELDS,
    UNSORTED_FIELDS,
    read_brecahad,
    read_midesec,
    read_negative_fields,
    read_unsorted_fields,
    rows_of,
)
from mitoscope.data.picture import Picture
from mitoscope.data.split import SplitConfig, split_by_case
from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import AMBIGUOUS, FIELD_LABELS, LOOK_ALIKE
from mitoscope.region import Region
from mitoscope.truth import ExaminedArea, SlideTruth, TrueCells

MPP: Final = 0.25
SCALES: Final = (0.20, 0.25, 0.35, 0.50)
"""µm/px; the fields have about 0.25."""
STAINS: Final = {
    "as it is": (1.0, 1.0),
    "pale": (0.6, 0.6),
    "dark": (1.5, 1.5),
    "pink": (0.7, 1.4),
    "blue": (1.4, 0.7),
}
"""Amounts of haematoxylin and eosin against those of the field."""
_UNMIXED: Final = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])
"""Optical densities of haematoxylin, eosin and DAB (Ruifrok and Johnston 2001)."""
_DARKEST: Final = 0.05
_UNCLEAR_PX: Final = 30.0
"""Within the 7.5 µm of the protocol around what nobody could name, nothing is judged."""
_OUTLINES: Final = ("Tubule", "Non_tubule")
"""Labels of BreCaHAD that are no cells."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A field as a detector is shown it.

    Parameters
    ----------
    name : str
        Unique.
    rgb : ndarray of uint8, shape (h, w, 3)
    mpp : float
        µm/px.
    truth : SlideTruth
    source : str
        Where it comes from.
    """

    name: str
    rgb: NDArray[np.uint8]
    mpp: float
    truth: SlideTruth
    source: str

    @property
    def area_mm2(self) -> float:
        """Of the whole field."""
        height, width = self.rgb.shape[:2]
        return float(height * width * self.mpp**2 / 1e6)


def midesec(data: Path) -> list[Shown]:
    """Return MiDeSeC with the sizes of its figures; nothing trains on it."""
    cells = _cells_of(data / "midesec" / "labels.csv")
    return [_shown(picture, cells.get(picture.name, Labels.none())) for picture in read_midesec(data)]


def brecahad(data: Path, cases: Iterable[str]) -> list[Shown]:
    """Return the fields of some cases of BreCaHAD with every labelled nucleus."""
    cells = _cells_of(data / BRECAHAD.name / BRECAHAD.table)
    wanted = {f"BreCaHAD/{case}" for case in cases}
    return [
        _shown(picture, cells[picture.name], scale=BRECAHAD_SCALES.get(picture.case.partition("/")[2], 1.0))
        for picture in read_brecahad(data)
        if picture.case in wanted
    ]


def fields(data: Path) -> list[Shown]:
    """Return the fields that were chosen without figures, and those that were not looked through."""
    return [_shown(one, one.labels) for one in (*read_negative_fields(data), *read_unsorted_fields(data))]


def never_trained_on(data: Path, bundle: Bundle, *, every_nth: int) -> frozenset[str]:
    """Return the names of fields from which no network of a bundle has learnt.

    Of the sources that its manifest names as training data, those are the cases that the recipes hold out,
    one in so many; of other sources all, but for cases that a training source shares.
    """
    titles = {one.name for one in bundle.manifest.training}
    trained = {source.name for source in CATALOGUE if source.title in titles}
    pictures = [*read_negative_fields(data), *read_unsorted_fields(data)]
    learnt = [picture for picture in pictures if picture.source in trained]
    config = SplitConfig(held_out=("BreCaHAD/Case_10",), every_nth=every_nth)
    # BreCaHAD, so that both sides have figures; cases of fields are held out for themselves.
    split = split_by_case([*learnt, *read_brecahad(data)], config)
    seen = {field.case for field in split.training}
    return frozenset(_name(picture) for picture in pictures if picture.case not in seen)


def at_scale(shown: Shown, mpp: float) -> Shown:
    """Return a field resampled; itself where it has this resolution."""
    if mpp == shown.mpp:
        return shown
    factor = shown.mpp / mpp
    height, width = (round(side * factor) for side in shown.rgb.shape[:2])
    rgb = np.asarray(Image.fromarray(shown.rgb).resize((width, height), Image.Resampling.LANCZOS))
    return _copy(shown, f"{shown.name}_at_{100 * mpp:.0f}", rgb, mpp, factor)


def restained(shown: Shown, stain: str) -> Shown:
    """Return a field in another stain; itself where nothing is changed."""
    if STAINS[stain] == (1.0, 1.0):
        return shown
    density = -np.log(np.maximum(shown.rgb / 255.0, _DARKEST)).reshape(-1, 3)
    amounts = density @ np.linalg.inv(_UNMIXED) * (*STAINS[stain], 1.0)
    light = np.exp(-(amounts @ _UNMIXED)).clip(0, 1).reshape(shown.rgb.shape)
    return _copy(shown, f"{shown.name}_{stain}", np.round(255 * light).astype(np.uint8), shown.mpp, 1.0)


def _copy(shown: Shown, name: str, rgb: NDArray[np.uint8], mpp: float, factor: float) -> Shown:
    cells = shown.truth.cells
    moved = TrueCells.of(cells.points_px0 * factor, cells.label, size_px0=cells.size_px0 * factor)
    truth = replace(
        shown.truth, name=name, cells=moved, mpp=Mpp.square(mpp), size=SizePx(rgb.shape[1], rgb.shape[0])
    )
    return Shown(name, rgb, mpp, truth, shown.source)


def _name(picture: Picture) -> str:
    return picture.name.partition(".")[0]


def _cells_of(table: Path) -> dict[str, Labels]:
    """Return all labelled cells of each image, with their sizes."""
    found: dict[str, list[dict[str, str]]] = {}
    for row in rows_of(table, columns=("image", "label", "x", "y", "w", "h")):
        if row["label"] not in _OUTLINES:
            found.setdefault(row["image"], []).append(row)
    return {
        image: Labels.of(
            [(float(row["x"]), float(row["y"])) for row in rows],
            [FIELD_LABELS.canonical(row["label"]) for row in rows],
            size=[(float(row["w"]), float(row["h"])) for row in rows],
        )
        for image, rows in found.items()
    }


def _shown(picture: Picture, labels: Labels, *, scale: float = 1.0) -> Shown:
    points = labels.points * scale
    inside = ((points >= 0) & (points < (picture.width, picture.height))).all(axis=1)
    unclear = labels.label == AMBIGUOUS.name
    named = (labels.label == LOOK_ALIKE.name) & (labels.kind != "")
    kept = inside & ~unclear
    cells = TrueCells.of(
        points[kept], np.where(named, labels.kind, labels.label)[kept], size_px0=labels.size[kept] * scale
    )
    truth = SlideTruth(
        _name(picture),
        cells,
        case=picture.case,
        mpp=Mpp.square(MPP),
        size=SizePx(picture.width, picture.height),
        stated_examined=_examined(picture, points[unclear]),
    )
    return Shown(_name(picture), picture.rgb, MPP, truth, picture.source)


def _examined(picture: Picture, unclear: NDArray[np.float64]) -> ExaminedArea:
    if not len(unclear):
        return ExaminedArea.whole("a field")
    discs = shapely.union_all([shapely.Point(*point).buffer(_UNCLEAR_PX) for point in unclear.tolist()])
    whole = shapely.box(0, 0, picture.width, picture.height)
    return ExaminedArea(Region(whole.difference(discs)), "a field without what nobody could name")


def halves(shown: Sequence[Shown]) -> tuple[list[str], list[str]]:
    """Return the names of the fields of every second case, and those of the others."""
    first = set(sorted({one.truth.case for one in shown})[::2])
    parts: tuple[list[str], list[str]] = [], []
    for one in shown:
        parts[one.truth.case not in first].append(one.name)
    return parts


FIELD_SOURCES: Final = {
    NEGATIVE_FIELDS.name: "fields chosen without figures",
    UNSORTED_FIELDS.name: "fields not looked through",
}
