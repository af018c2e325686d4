"""What another program found, in columns, as its file has it: its own frame, unit, scores and class names."""

from __future__ import annotations

import math
from array import array
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError


class Unit(StrEnum):
    """In what coordinates are."""

    PX = "px"
    UM = "um"
    MM = "mm"
    SHARE = "share"
    """Of the picture's width and height: 0 to 1."""


@dataclass(frozen=True, eq=False)
class ForeignFindings:
    """Findings of another program, nothing of which has been believed yet.

    Parameters
    ----------
    program : str
        Which program writes such files.
    x, y : ndarray of float64, shape (n,)
        Centres in `unit`, in the frame of the file; finite.
    score : ndarray of float64, shape (n,)
        As stated; NaN where none is.
    label : ndarray of int64, shape (n,)
        Index into `names`.
    names : tuple of str
        Class names of the file; empty text for findings without one.
    image : ndarray of int64, shape (n,)
        Index into `images`.
    images : tuple of str
        Names of images; one empty text where the file names none.
    unit : Unit
        Of the coordinates.
    magnification : float or None
        At which the coordinates are pixels, where the file states it.
    size : tuple of float or None
        Width and height of the picture, where the file states them.
    sizes : mapping of str to tuple of float
        The same for each image, of files of several.
    notes : tuple of str
        How the file was read, where there was a choice.
    """

    program: str
    x: NDArray[np.float64]
    y: NDArray[np.float64]
    score: NDArray[np.float64]
    label: NDArray[np.int64]
    names: tuple[str, ...]
    image: NDArray[np.int64]
    images: tuple[str, ...]
    unit: Unit = Unit.PX
    magnification: float | None = None
    sizes: Mapping[str, tuple[float, float]] | None = None
    notes: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.x)

    @property
    def counts(self) -> dict[str, int]:
        """How many findings bear each class name."""
        found = np.bincount(self.label, minlength=len(self.names)).tolist()
        return dict(zip(self.names, found, strict=True))

    def of_image(self, name: str) -> ForeignFindings:
        """Return the findings of one image."""
        place = self.images.index(name)
        rows = self.image == place
        return ForeignFindings(
            self.program,
            self.x[rows],
            self.y[rows],
            self.score[rows],
            self.label[rows],
            self.names,
            np.zeros(int(rows.sum()), np.int64),
            (name,),
            self.unit,
            self.magnification,
            {name: self.sizes[name]} if self.sizes and name in self.sizes else None,
            self.notes,
        )


class FindingList:
    """Collects findings in little memory: 40 bytes each.

    Parameters
    ----------
    path : Path
        The file, for errors.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.unit = Unit.PX
        self.magnification: float | None = None
        self.sizes: dict[str, tuple[float, float]] = {}
        self.notes: list[str] = []
        self._x, self._y, self._score = array("d"), array("d"), array("d")
        self._label, self._image = array("q"), array("q")
        self._names: dict[str, int] = {}
        self._images: dict[str, int] = {}

    def __len__(self) -> int:
        return len(self._x)

    def add(
        self, x: object, y: object, *, score: object = None, label: object = "", image: str = "", where: str
    ) -> None:
        """Add a finding.

        Parameters
        ----------
        x, y : number
            Of its centre.
        score : number, optional
        label : str or int
            Class name or number; None for none.
        image : str
        where : str
            Its place in the file.

        Raises
        ------
        FormatError
            If a coordinate or a score is no finite number.
        """
        self._x.append(finite(x, self.path, where))
        self._y.append(finite(y, self.path, where))
        self._score.append(math.nan if score is None else finite(score, self.path, where))
        name = "" if label is None else str(label).strip()
        self._label.append(self._names.setdefault(name, len(self._names)))
        self._image.append(self._images.setdefault(image, len(self._images)))

    def know_image(self, name: str) -> None:
        """Learn of an image on which nothing may have been found."""
        self._images.setdefault(name, len(self._images))

    def finish(
        self,
        program: str,
        *,
        names: Mapping[str, str] | None = None,
        images: Mapping[str, str] | None = None,
    ) -> ForeignFindings:
        """Return what was collected.

        Parameters
        ----------
        program : str
            Which program writes such files.
        names, images : mapping of str to str, optional
            What the file calls class numbers, and ids of images.
        """
        label, label_names = _merged(self._names, names or {})
        image, image_names = _merged(self._images or {"": 0}, images or {})
        return ForeignFindings(
            program,
            np.array(self._x),
            np.array(self._y),
            np.array(self._score),
            label[np.array(self._label, np.int64)] if len(self) else np.empty(0, np.int64),
            label_names,
            image[np.array(self._image, np.int64)] if len(self) else np.empty(0, np.int64),
            image_names,
            self.unit,
            self.magnification,
            {(images or {}).get(name, name): size for name, size in self.sizes.items()} or None,
            tuple(self.notes),
        )


def _merged(places: Mapping[str, int], names: Mapping[str, str]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    """Return the new place of each old one, and the names; two numbers of one name are one."""
    known: dict[str, int] = {}
    moved = [known.setdefault(names.get(name, name), len(known)) for name in places]
    return np.array(moved, np.int64), tuple(known)


def finite(value: object, path: Path, where: str) -> float:
    """Return a finite number, or raise FormatError saying where it is missing."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        with suppress(OverflowError):
            if math.isfinite(number := float(value)):
                return number
    shown = "nothing" if value is None else repr(value)[:40]
    raise FormatError(
        f"a finite number expected, got {shown}",
        where=f"{path}: {where}",
        mend="correct the file, or write it again with the program that made it",
    )
