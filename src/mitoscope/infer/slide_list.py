"""A list of slides for one run: which ones, and what is known of each of them."""

from __future__ import annotations

import glob
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from pathlib import Path
from types import MappingProxyType
from typing import Final

from mitoscope.errors import ConfigError, FormatError, ScaleError
from mitoscope.exchange import MANIFEST, Row, read_rows, read_table, result_stem
from mitoscope.fsio import file_key
from mitoscope.geometry import Mpp
from mitoscope.image_names import IMAGE_SUFFIXES
from mitoscope.infer.config import DetectConfig

COLUMNS: Final = ("slide", "case", "mpp", "roi", "tumour")
"""The columns that say how a slide is searched and counted; all others are kept as they are."""
_OTHER_NAMES: Final[Mapping[str, str]] = {
    "case_id": "case",
    "case id": "case",
    "tumor": "tumour",
    **{f"{word}{gap}outline": "tumour" for word in ("tumour", "tumor") for gap in (" ", "_")},
}
_ALIKE: Final = 0.8
"""From this similarity on (of `difflib`) a column that nobody knows is a known one, misspelt."""
_MEND_ROI = 'write X,Y,W,H in level-0 pixels in quotes, e.g. "1000,2000,4096,4096"'
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


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
    case : str
        The case that it belongs to; empty where nobody says.
    tumour : Path or None
        GeoJSON with the outlines of tumour and exclusions within which figures are counted.
    columns : mapping of str to str
        What the other columns of the list say of it, by their names.
    where : str
        Its row, for errors; empty where it is of no list.
    """

    path: Path
    mpp: float | None = None
    roi: tuple[float, float, float, float] | None = None
    case: str = ""
    tumour: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    where: str = field(default="", compare=False)

    def configured(self, config: DetectConfig) -> DetectConfig:
        """Return a configuration with what the list says of this slide."""
        stated = {name: value for name in ("mpp", "roi") if (value := getattr(self, name)) is not None}
        return config.model_copy(update=stated)


def read_slide_list(path: Path) -> tuple[ListedSlide, ...]:
    """Read a list of slides.

    Parameters
    ----------
    path : Path
        CSV with the column *slide*, a path that counts from the folder of the list, and the columns *case*,
        *mpp* (µm/px), *roi* (``X,Y,W,H`` in level-0 px) and *tumour* (GeoJSON, a path as that of the slide)
        where some slides need them; empty cells say nothing. Further columns are kept.

    Raises
    ------
    FormatError
        If it is no such table, names no slide, or a column seems to be one of these, misspelt; the row or the
        column is named.
    ScaleError
        If a resolution is implausible; the row is named.
    """
    table = read_table(path, needed=("slide",), names=_OTHER_NAMES)
    further = _further_columns(path, table.columns)
    if not table.rows:
        raise FormatError("lists no slide", where=path, mend="write one slide per row")
    return tuple(_listed(row, path.parent, further) for row in table.rows)


def _further_columns(path: Path, columns: Sequence[str]) -> dict[str, str]:
    """Return the columns that are kept: name in the table → name as it is written in the file."""
    _, written = read_rows(path)[0]
    further = {
        name: stated.strip()
        for name, stated in zip(columns, written, strict=True)
        if name and name not in COLUMNS
    }
    for name, stated in further.items():
        absent = [known for known in COLUMNS if known not in columns]
        # Of "mpp_um" the first word counts, too.
        meant = get_close_matches(name, absent, n=1, cutoff=_ALIKE) or [
            known for known in absent if name.replace("_", " ").split()[:1] == [known]
        ]
        if meant:
            raise FormatError(
                f"unknown column {stated!r}, which resembles {meant[0]!r}",
                where=path,
                mend=f"call it {meant[0]} if that is meant, or otherwise; columns that decide something are "
                + ", ".join(COLUMNS),
            )
    return further


def _listed(row: Row, folder: Path, further: Mapping[str, str]) -> ListedSlide:
    name = row.text("slide")
    if not name:
        raise row.missing("slide")
    mpp = None if row.is_blank(("mpp",)) else row.coordinate("mpp")
    try:
        if mpp is not None:
            Mpp.square(mpp)
    except ScaleError as error:
        raise ScaleError(error.what, where=f"{row.where}, column mpp", mend=error.mend) from None
    tumour = row.text("tumour")
    return ListedSlide(
        _below(folder, name),
        mpp,
        _roi(row.text("roi"), row.where),
        row.text("case"),
        _below(folder, tumour) if tumour else None,
        {stated: row.text(column) for column, stated in further.items()},
        row.where,
    )


def find_slides(named: Iterable[Path]) -> tuple[ListedSlide, ...]:
    """Return the slides that are meant by files, folders and patterns.

    Parameters
    ----------
    named : iterable of Path
        A file is taken as it is; of a folder all images in it and below, by name, hidden ones and those that
        are results beside their slides left out; a pattern (``*``, ``?``, ``[…]``, ``**``) means the images
        that match it.

    Raises
    ------
    ConfigError
        If there is no image in a folder, or none that matches a pattern.
    """
    found: list[ListedSlide] = []
    for path in named:
        if path.is_dir() and path.suffix.casefold() not in IMAGE_SUFFIXES:
            inner = [one for one in sorted(path.rglob("*")) if not _is_hidden(one.relative_to(path))]
            what = "holds no slide"
        elif not path.exists() and glob.has_magic(str(path)):
            inner = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
            what = "matches no slide"
        else:
            found.append(ListedSlide(path))
            continue
        slides = [one for one in inner if one.suffix.casefold() in IMAGE_SUFFIXES and one.is_file()]
        slides = [one for one in slides if not _is_picture_of_result(one)]
        if not slides:
            raise ConfigError(what, where=path, mend="name slides, or a folder or pattern that has some")
        found += map(ListedSlide, _without_companions(slides))
    return tuple(found)


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_picture_of_result(path: Path) -> bool:
    """Whether a picture is named like one of a result whose manifest lies beside it: its mask, its map."""
    return path.with_name(f"{Path(path.stem).stem}{MANIFEST}").exists() and path.stem != Path(path.stem).stem


def _without_companions(slides: Sequence[Path]) -> list[Path]:
    """Leave out what lies in the folder of a MIRAX slide, which is named beside it."""
    stems = {one.with_suffix("") for one in slides if one.suffix.casefold() in (".mrxs", ".vms", ".vmu")}
    return [one for one in slides if one.parent not in stems]


def refuse_same_names(slides: Sequence[ListedSlide]) -> None:
    """Refuse a list in which two rows would write the same results, naming both.

    Raises
    ------
    ConfigError
        If so.
    """
    seen: dict[str, ListedSlide] = {}
    for slide in slides:
        earlier = seen.setdefault(file_key(result_stem(slide.path)), slide)
        if earlier is not slide and earlier.where and slide.where:
            raise ConfigError(
                f"{earlier.path} ({earlier.where}) and {slide.path} ({slide.where}) would write the same "
                f"results ({result_stem(slide.path)})",
                mend="remove one of the rows, or run them with different --out",
            )


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
