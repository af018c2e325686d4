"""A field that is read by region, straight from a slide or an image on disk."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from mitoscope.data.field import Labels
from mitoscope.errors import TrainingDataError
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.labels import LOOK_ALIKE
from mitoscope.region import Region
from mitoscope.search import window
from mitoscope.slide import Pixels, Plane, SlideInfo
from mitoscope.slide.pool import Pool
from mitoscope.tissue import TissueMask, find_tissue
from mitoscope.truth import Side

_OPEN_MAX: Final = 64
"""Windows jump from slide to slide."""
_POOL = Pool(_OPEN_MAX)


@dataclass(frozen=True, slots=True, eq=False)
class SlideField:
    """A slide at the resolution of training.

    Parameters
    ----------
    path : Path
    source, case, domain : str
        See `Field`.
    mpp : float
        Resolution of training, µm/px.
    stated_mpp : float, optional
        Of the slide, where it does not state it.
    fingerprint : str
        Of the slide's bytes.
    width, height : int
        Of the slide at that resolution.
    scale : tuple of float
        Level-0 px per px at that resolution, in x and y.
    labels : Labels
        In px at that resolution.
    side : str, optional
        On which side of a split the ground truth has it.
    examined_px0 : Region, optional
        What was looked at, in level-0 px; all of it where that is not given.
    """

    path: Path
    source: str
    case: str
    domain: str
    mpp: float
    stated_mpp: float | None
    fingerprint: str
    width: int
    height: int
    scale: tuple[float, float]
    labels: Labels = field(default_factory=Labels.none)
    side: Side | None = None
    examined_px0: Region | None = None

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def figures(self) -> NDArray[np.float64]:
        """Centres of the mitotic figures."""
        return np.asarray(self.labels.points[self.labels.is_figure])

    @property
    def look_alikes(self) -> NDArray[np.float64]:
        """Centres of the look-alikes."""
        return self.labels.places_of(LOOK_ALIKE.name)

    @property
    def mirror_px(self) -> int:
        """Nothing: what lies beyond a slide is mirrored to be looked at, not to learn from."""
        return 0

    @property
    def size(self) -> SizePx:
        """Columns and rows."""
        return SizePx(self.width, self.height)

    def read(self, box: BoxPx) -> Pixels:
        """Return the pixels of a box inside.

        Raises
        ------
        TrainingDataError
            If the slide cannot be read there.
        """
        pixels = Plane(_POOL.acquire(self.path, self.stated_mpp), self.mpp).read(box)
        if pixels.damaged:
            raise TrainingDataError("cannot be decoded there", where=f"{self.path} at {box.x}, {box.y}")
        return pixels

    def with_cells(self, more: Labels) -> SlideField:
        """Return the field with further labelled cells; see `Field`."""
        return replace(self, labels=Labels.joined(self.labels, more))

    def window(self, box: BoxPx, *, mirror_px: int | None = None) -> NDArray[np.uint8]:
        """Return what a network is shown of a box; see `Field`."""
        return window(self, box, mirror_px=mirror_px)

    def examined(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell where somebody looked; see `Field`."""
        if self.examined_px0 is None:
            return np.ones(len(points), dtype=np.bool_)
        return self.examined_px0.contains(points * self.scale)

    def may_be_background(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell where somebody looked and there is tissue; see `Field`."""
        tissue = _tissue(self.path, self.stated_mpp, self.fingerprint)
        return self.examined(points) & tissue.contains(points * self.scale)

    def pixels_sha256(self) -> str:
        """Return the fingerprint of the slide."""
        return self.fingerprint

    def digest(self) -> str:
        """Return a hash of the slide's fingerprint and of the labels."""
        content = hashlib.sha256(f"{self.fingerprint} {self.case} {self.mpp}\n".encode())
        for array in (self.labels.points, self.labels.agreement, self.labels.size):
            content.update(np.ascontiguousarray(array).tobytes())
        content.update("\n".join(self.labels.label.tolist()).encode())
        if self.examined_px0 is not None:
            content.update(self.examined_px0.shape.normalize().wkb)
        return content.hexdigest()


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class PartField(SlideField):
    """A box of a slide as a field of its own; windows reach beyond it, labels do not.

    Parameters
    ----------
    whole : SlideField
    box : BoxPx
        In px of the whole.
    """

    whole: SlideField
    box: BoxPx

    @classmethod
    def of(cls, whole: SlideField, box: BoxPx) -> Self:
        """Return the part with the cells inside of the box."""
        points = whole.labels.points - (box.x, box.y)
        inside = np.all((points >= 0) & (points < (box.width, box.height)), axis=1)
        own: dict[str, Any] = {column.name: getattr(whole, column.name) for column in fields(SlideField)}
        own |= {"width": box.width, "height": box.height, "labels": whole.labels.moved(points).take(inside)}
        return cls(**own, whole=whole, box=box)

    @classmethod
    def halves(cls, whole: SlideField) -> tuple[Self, Self]:
        """Return the upper and the lower half of a slide."""
        middle = whole.height // 2
        upper = BoxPx(0, 0, whole.width, middle)
        lower = BoxPx(0, middle, whole.width, whole.height - middle)
        return cls.of(whole, upper), cls.of(whole, lower)

    def window(self, box: BoxPx, *, mirror_px: int | None = None) -> NDArray[np.uint8]:
        """Return what a network is shown of a box: around the part lies the rest of the whole."""
        moved = BoxPx(box.x + self.box.x, box.y + self.box.y, box.width, box.height)
        return self.whole.window(moved, mirror_px=mirror_px)

    def examined(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell where somebody looked, as on the whole."""
        return self.whole.examined(points + np.array([self.box.x, self.box.y]))

    def may_be_background(self, points: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Tell where somebody looked and there is tissue, as on the whole."""
        return self.whole.may_be_background(points + np.array([self.box.x, self.box.y]))

    def digest(self) -> str:
        """Return a hash of the whole's content and of the box."""
        return hashlib.sha256(f"{self.whole.digest()} {self.box}".encode()).hexdigest()


def open_field(
    path: Path, *, source: str, case: str, domain: str, mpp: float, stated_mpp: float | None
) -> SlideField:
    """Open a slide and measure it at the resolution of training; its labels come later.

    Raises
    ------
    SlideFormatError, ScaleError
        If it cannot be opened or states no resolution.
    """
    slide = _POOL.acquire(path, stated_mpp)
    plane = Plane(slide, mpp)
    size = plane.size
    return SlideField(
        path=path,
        source=source,
        case=case,
        domain=domain,
        mpp=mpp,
        stated_mpp=stated_mpp,
        fingerprint=slide.info.fingerprint,
        width=size.width,
        height=size.height,
        scale=plane.scale,
    )


def info_of(slide: SlideField) -> SlideInfo:
    """Return the description of the slide."""
    return _POOL.acquire(slide.path, slide.stated_mpp).info


def with_labels(slide: SlideField, points_px0: NDArray[np.float64], labels: Labels) -> SlideField:
    """Return the field with labels whose places and sizes are given in level-0 px.

    Raises
    ------
    TrainingDataError
        If a cell is outside the slide.
    """
    points = points_px0 / np.asarray(slide.scale)
    outside = ((points < 0) | (points > (slide.width, slide.height))).any(axis=1)
    if outside.any():
        x, y = points_px0[np.argmax(outside)]
        raise TrainingDataError(
            f"{int(outside.sum())} of {len(points)} labels lie outside, the first at {x:.0f}, {y:.0f}",
            where=slide.path,
            mend="check that the annotations belong to this slide at full resolution",
        )
    return replace(slide, labels=labels.moved(points, scale=1 / np.asarray(slide.scale)))


@lru_cache(maxsize=1024)
def _tissue(path: Path, stated_mpp: float | None, fingerprint: str) -> TissueMask:
    """Find the tissue of a slide, once for all windows that are drawn on it."""
    del fingerprint  # another file of this name is another slide
    return find_tissue(_POOL.acquire(path, stated_mpp))
