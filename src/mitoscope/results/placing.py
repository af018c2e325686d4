"""Where the findings of a file lie on a slide, and whether they can lie there.

A program may have counted in pixels of another level, from the corner of the vendor's bounds, rows first, or
on another slide. Nothing of that is corrected unasked: what speaks for it is said, with the option that
corrects it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import binary_dilation

from mitoscope.errors import ConfigError, PlacementError
from mitoscope.exchange.foreign import ForeignFindings, Unit
from mitoscope.results.settings import ImportSettings
from mitoscope.slide import SlideInfo
from mitoscope.tissue import TissueMask

Points = NDArray[np.float64]
OUTSIDE_MOST: Final = 0.01
"""Part of the findings that may lie beyond the slide, as boxes at its border do; they are left out."""
FEW: Final = 8
"""So few points may lie anywhere by chance: only what is outside of the slide speaks against them."""
ON_TISSUE_LEAST: Final = 0.5
BETTER: Final = 0.25
"""How many more of the points another reading must put on tissue, as a part of all, to be named."""
OFF_MOST: Final = 0.1
"""A larger part of the findings off the tissue is said."""
CORNER: Final = 0.55
"""Points that reach no further along both axes than this part of the tissue may be at half the scale."""
CORNER_CHANCE: Final = 1e-3
"""How seldom points spread over the tissue would all lie in such a corner, for it to be said."""
_LOOKED_AT_MOST: Final = 20_000
_UM_PX_1X: Final = 10.0
"""µm/px at a magnification of one, as scanners have it: 0.25 µm/px at 40×."""
_NEAR: Final = 1.5
"""By so much scanners of one magnification differ."""
_SLACK_PX: Final = 2
"""Pixels of the mask, of about 8 µm, by which tissue reaches further: nuclei lie at its edge, too."""


@dataclass(frozen=True)
class Placed:
    """Findings on a slide.

    Parameters
    ----------
    points_px0 : ndarray of float64, shape (n, 2)
        Centres in level-0 px of the full slide.
    inside : ndarray of bool, shape (n,)
        Which of them lie on the slide.
    notes : tuple of str
        What was done and what is odd.
    """

    points_px0: Points
    inside: NDArray[np.bool_]
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """One way to read coordinates."""

    what: str
    option: str
    points: Points


def place(
    found: ForeignFindings, info: SlideInfo, tissue: TissueMask, settings: ImportSettings, *, where: Path
) -> Placed:
    """Return where findings lie, as the file and the settings say, once that is plausible.

    Parameters
    ----------
    found : ForeignFindings
        Of one image.
    info : SlideInfo
        The slide.
    tissue : TissueMask
        Of the slide.
    settings : ImportSettings
        What the user says of the coordinates.
    where : Path
        The file, for errors.

    Raises
    ------
    PlacementError
        If the places cannot be those of findings on this slide, naming the option that would correct them.
    ConfigError
        If shares are given without a frame where the file does not say of what.
    """
    points, notes = _to_px0(found, info, settings)
    size = np.array([info.size.width, info.size.height])
    inside = np.asarray(((points >= 0) & (points <= size)).all(axis=1))
    outside = len(points) - int(inside.sum())
    if not settings.as_is and len(points):
        judge = _Judge(info, tissue, settings, found)
        if (doubt := judge.doubt(points)) is not None:
            raise PlacementError(doubt[0], where=where, mend=f"{doubt[1]}; --as-is takes them as they are")
        notes += judge.remarks(points)
    if outside:
        notes.append(f"{outside:,} of {len(points):,} findings lie outside of the slide and are left out")
    return Placed(points, inside, tuple(notes))


def _to_px0(found: ForeignFindings, info: SlideInfo, settings: ImportSettings) -> tuple[Points, list[str]]:
    """Return coordinates in level-0 px as stated, and what of that the file itself states."""
    notes: list[str] = []
    points = np.column_stack([found.x, found.y])
    if settings.axes == "yx":
        points = points[:, ::-1]
    unit = settings.unit or found.unit
    frame = _frame(info, settings)
    if unit is Unit.SHARE:
        if settings.frame is None:
            notes.append("shares are taken for those of the whole slide; --frame X,Y,W,H states a part of it")
        points = points * np.array([frame[2], frame[3]])
    elif unit is Unit.PX:
        scale = _scale(found, info, settings, notes)
        points = points * np.asarray(scale)
    else:
        um = {Unit.UM: 1.0, Unit.MM: 1000.0}[unit]
        factor = 1.0 if settings.scale is None else settings.scale
        points = points * um * factor / np.array([info.mpp.x, info.mpp.y])
    points = _mirrored(points, settings.mirror or "", frame[2], frame[3])
    return points + np.array(frame[:2]), notes


def _mirrored(points: Points, axes: str, width: float, height: float) -> Points:
    turned = points.copy()
    if "x" in axes:
        turned[:, 0] = width - turned[:, 0]
    if "y" in axes:
        turned[:, 1] = height - turned[:, 1]
    return turned


def _frame(info: SlideInfo, settings: ImportSettings) -> tuple[float, float, float, float]:
    """Return the picture that coordinates count in: X, Y, width and height."""
    width, height = float(info.size.width), float(info.size.height)
    if settings.frame is not None:
        return settings.frame
    if settings.origin == "bounds":
        if info.bounds is None:
            raise ConfigError(
                "the slide states no bounds", where="--origin", mend="give --origin X,Y or leave it out"
            )
        return float(info.bounds.x), float(info.bounds.y), width, height
    return *settings.origin, width, height


def _scale(
    found: ForeignFindings, info: SlideInfo, settings: ImportSettings, notes: list[str]
) -> tuple[float, float]:
    """Return level-0 pixels per pixel of the file: as stated, or by the magnification in the file."""
    if settings.scale is not None:
        return settings.scale, settings.scale
    if settings.file_mpp is not None:
        return settings.file_mpp / info.mpp.x, settings.file_mpp / info.mpp.y
    stated, own = found.magnification, info.objective_power
    if stated and own and abs(own / stated - 1) > 0.01:
        notes.append(
            f"the file states {stated:g}×, the slide {own:g}×: coordinates are scaled by {own / stated:g}, "
            "--scale 1 takes them unscaled"
        )
        return own / stated, own / stated
    if stated and stated > 0 and not own:
        usual = _UM_PX_1X / stated
        factor = usual / info.mpp.x  # which no scanner has to keep to
        if not 1 / _NEAR < factor < _NEAR:
            notes.append(
                f"the file states {stated:g}×, the slide {info.mpp.x:g} µm/px and no magnification: "
                f"coordinates are unscaled; --scale {factor:.3g} takes them at the usual {usual:.3g} µm/px"
            )
    return 1.0, 1.0


class _Judge:
    """Says whether points can be findings on a slide."""

    def __init__(
        self, info: SlideInfo, tissue: TissueMask, settings: ImportSettings, found: ForeignFindings
    ) -> None:
        self.info, self.settings, self.found = info, settings, found
        self.tissue = tissue
        self.mask: NDArray[np.bool_] = np.asarray(binary_dilation(tissue.mask, iterations=_SLACK_PX))
        self.size = np.array([float(info.size.width), float(info.size.height)])

    def doubt(self, points: Points) -> tuple[str, str] | None:
        """Return why points cannot be findings on this slide and what may correct it; None where they can."""
        if (self.settings.unit or self.found.unit) is Unit.PX and self._are_shares():
            return "coordinates from 0 to 1 are shares of a picture, not pixels", "give --unit share"
        points = _sample(points)
        outside = 1 - self._inside(points).mean()
        on_tissue = self._on_tissue(points)
        has_tissue = bool(self.mask.any())
        is_many = len(points) >= FEW and has_tissue
        best = self._best(points) if has_tissue or outside > OUTSIDE_MOST else None
        share = f"{outside:.0%} of the findings lie outside of the slide ({self._size()})"
        if outside > max(OUTSIDE_MOST, 1.5 / len(points)) or outside == 1:
            return share, self._hint(best)
        if not is_many:
            return None
        if best is not None and best[0] >= on_tissue + BETTER:
            what = f"only {on_tissue:.0%} of the findings lie on tissue, of which {self._covered()} is"
            return what, self._hint(best)
        if on_tissue < ON_TISSUE_LEAST:
            what = f"only {on_tissue:.0%} of the findings lie on tissue, {self._covered()} of the slide"
            return what, "is this the result of another slide, or of another part (--origin, --frame)?"
        return None

    def _are_shares(self) -> bool:
        stated = np.concatenate([self.found.x, self.found.y])
        return bool(stated.min() >= 0 and stated.max() <= 1)

    def remarks(self, points: Points) -> list[str]:
        """Return what is odd about points that may yet be right."""
        sample = _sample(points)
        if len(sample) < FEW or not self.mask.any():
            return []
        off = 1 - self._on_tissue(sample)
        found = [f"{off:.0%} of the findings lie off the tissue and do not count"] if off > OFF_MOST else []
        return found if self.settings.frame or self.settings.roi else [*found, *self._corner(sample)]

    def _corner(self, sample: Points) -> list[str]:
        """Say that findings lie in one corner alone, where that is no chance."""
        rows, columns = np.nonzero(self.tissue.mask)
        reach = np.array([columns.max() + 1, rows.max() + 1]) * self.tissue.px0_per_pixel
        corner = sample.max(axis=0)
        if not (corner <= CORNER * reach).all():
            return []
        # Were the points spread over the tissue, so seldom would all of them lie there.
        sx, sy = self.tissue.px0_per_pixel
        share = float(((columns * sx <= corner[0]) & (rows * sy <= corner[1])).mean())
        if share ** len(sample) > CORNER_CHANCE:
            return []
        doubled = self._on_tissue(sample * 2)
        if doubled < self._on_tissue(sample) - 0.05:
            return []
        return [
            f"all findings lie in the upper left part of the slide, up to x {corner[0]:.0f}, y "
            f"{corner[1]:.0f}: if the file counts in pixels of half the resolution, give --scale 2"
        ]

    def _best(self, points: Points) -> tuple[float, _Reading] | None:
        judged = [(self._on_tissue(reading.points), reading) for reading in self._readings(points)]
        judged = [(share, one) for share, one in judged if share > 0]
        if not judged:
            return None
        top = max(share for share, _ in judged)
        # Of those about as good the first: they are in the order in which such things happen.
        return next((share, one) for share, one in judged if share >= top - 0.02)

    def _readings(self, points: Points) -> Iterator[_Reading]:
        """Yield other ways to read the coordinates, the most usual first."""
        corner = np.array(_frame(self.info, self.settings)[:2])
        own = points - corner
        stated = self.settings.scale or 1.0
        # Points drawn together lie on tissue wherever there is some: only what reaches beyond is too large.
        is_too_large = float(1 - self._inside(points).mean()) > OUTSIDE_MOST
        for factor in (2.0, 0.5, 4.0, 0.25) if is_too_large else (2.0, 4.0):
            what = f"at {factor:g} times the scale"
            yield _Reading(what, f"--scale {stated * factor:g}", own * factor + corner)
        # Pixels of the file, were it in another unit.
        um = 1 / np.array([self.info.mpp.x, self.info.mpp.y])
        if self.settings.unit is None and self.found.unit is Unit.PX:
            yield _Reading("read as µm", "--unit um", own * um + corner)
        if self.settings.unit is None and self.found.unit is Unit.UM and is_too_large == (um.mean() > 1):
            yield _Reading("read as pixels", "--unit px", own / um + corner)
        bounds = self.info.bounds
        if bounds is not None and self.settings.origin != "bounds" and self.settings.frame is None:
            shifted = own + np.array([bounds.x, bounds.y])
            yield _Reading("counted from the vendor's bounds", "--origin bounds", shifted)
        if self.settings.axes == "xy":
            yield _Reading("with x and y exchanged", "--axes yx", own[:, ::-1] + corner)
        width, height = _frame(self.info, self.settings)[2:]
        for axes in () if self.settings.mirror else ("x", "y", "xy"):
            turned = _mirrored(own, axes, width, height) + corner
            yield _Reading(f"mirrored along {' and '.join(axes)}", f"--mirror {axes}", turned)

    def _hint(self, best: tuple[float, _Reading] | None) -> str:
        if best is None or best[0] < ON_TISSUE_LEAST:
            return "is this the result of another slide, or of another part (--origin, --frame)?"
        share, one = best
        return f"{one.what} {share:.0%} would lie on tissue: {one.option}"

    def _inside(self, points: Points) -> NDArray[np.bool_]:
        return np.asarray(((points >= 0) & (points <= self.size)).all(axis=1))

    def _on_tissue(self, points: Points) -> float:
        """Return which part of the points lies on tissue or next to it."""
        inside = np.asarray(((points >= 0) & (points < self.size)).all(axis=1))
        place = np.floor(np.where(inside[:, None], points, 0) / self.tissue.px0_per_pixel).astype(np.intp)
        row = np.minimum(place[:, 1], self.mask.shape[0] - 1)
        column = np.minimum(place[:, 0], self.mask.shape[1] - 1)
        return float((inside & self.mask[row, column]).mean())

    def _covered(self) -> str:
        return f"{self.mask.mean():.0%}"

    def _size(self) -> str:
        return f"{self.info.size.width} × {self.info.size.height} px"


def _sample(points: Points) -> Points:
    """Return points evenly from all, so many that more would say no more."""
    return points[:: max(1, len(points) // _LOOKED_AT_MOST)]
