"""A list of slides for one run: which ones, with the resolution and the region of those that need them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path

from mitoscope.errors import FormatError, ScaleError
from mitoscope.exchange import read_table
from mitoscope.geometry import Mpp
from mitoscope.infer.config import DetectConfig

COLUMNS = ("slide", "mpp", "roi")
_MEND_ROI = 'write X,Y,W,H in level-0 pixels in quotes, e.g. "1000,2000,4096,4096"'


@dataclass(frozen=True, slots=True)
class ListedSlide:
    """A slide of a list.

    Parameters
    ----------
    path : Path
        The slide.
    mpp : float or None
        Resolution in µm/px if the slide states none; None for what the run says.
    roi : tuple of 4 float, or None
        X, Y, width, height in level-0 px; None for what the run says.
    """

    path: Path
    mpp: float | None = None
    roi: tuple[float, float, float, float] | None = None

    def configured(self, config: DetectConfig) -> DetectConfig:
        """Return a configuration with what the list says of this slide."""
        stated = {name: value for name in ("mpp", "roi") if (value := getattr(self, name)) is not None}
        return config.model_copy(update=stated)


def read_slide_list(path: Path) -> tuple[ListedSlide, ...]:
    """Read a list of slides.

    Parameters
    ----------
    path : Path
        CSV with the column *slide*, a path that counts from the folder of the list, and the columns *mpp*
        (µm/px) and *roi* (``X,Y,W,H`` in level-0 px) where some slides need them; empty cells say nothing.

    Raises
    ------
    FormatError
        If it is no such table or names no slide; the row is named.
    ScaleError
        If a resolution is implausible; the row is named.
    """
    table = read_table(path, needed=("slide",))
    unknown = sorted(set(table.columns) - set(COLUMNS))
    if unknown:
        raise FormatError(
            f"unknown column {', '.join(unknown)}", where=path, mend=f"the columns are {', '.join(COLUMNS)}"
        )
    if not table.rows:
        raise FormatError("lists no slide", where=path, mend="write one slide per row")
    listed = []
    for row in table.rows:
        name = row.text("slide")
        if not name:
            raise row.missing("slide")
        mpp = None if row.is_blank(("mpp",)) else row.coordinate("mpp")
        try:
            if mpp is not None:
                Mpp.square(mpp)
        except ScaleError as error:
            raise ScaleError(error.what, where=f"{row.where}, column mpp", mend=error.mend) from None
        listed.append(ListedSlide(_below(path.parent, name), mpp, _roi(row.text("roi"), row.where)))
    return tuple(listed)


def _below(folder: Path, name: str) -> Path:
    """Return a path that a list names; one as Windows writes it is understood on every system."""
    stated, portable = folder / name, folder / name.replace("\\", "/")
    return portable if not stated.exists() and portable.exists() else stated


def _roi(text: str, where: str) -> tuple[float, float, float, float] | None:
    if not text:
        return None
    try:
        x, y, width, height = (float(part) for part in text.replace(";", ",").split(","))
    except ValueError:
        raise FormatError(
            f"region {text!r} is not four numbers", where=f"{where}, column roi", mend=_MEND_ROI
        ) from None
    if not all(map(math.isfinite, (x, y, width, height))) or min(x, y) < 0 or min(width, height) <= 0:
        raise FormatError(
            f"region {text!r} is empty or begins outside of the slide",
            where=f"{where}, column roi",
            mend=_MEND_ROI,
        )
    return x, y, width, height
