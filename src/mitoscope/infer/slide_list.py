"""A list of slides for one run: which ones, and what is known of each of them."""

from __future__ import annotations

import glob
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from pathlib import Path, PurePath, PurePosixPath
from types import MappingProxyType
from typing import Final, TypeVar

from mitoscope.errors import ConfigError, FormatError, ScaleError
from mitoscope.exchange import MANIFEST, Row, read_rows, read_table, result_stem
from mitoscope.fsio import file_key, safe_name
from mitoscope.geometry import Mpp
from mitoscope.image_names import IMAGE_SUFFIXES
from mitoscope.infer.config import DetectConfig
from mitoscope.remote import Location, is_address, list_files

Place = TypeVar("Place", bound=PurePath)
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
_MEND_NONE = "name slides, or a folder or pattern that has some"
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ListedSlide:
    """A slide of a list.

    Parameters
    ----------
    path : Path
        The slide; its name alone, where it lies elsewhere.
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
    address : Location or None
        Where it lies, if not on this machine.
    below : Path
        Folder of its result, below that of all results; see `place_results`.
    """

    path: Path
    mpp: float | None = None
    roi: tuple[float, float, float, float] | None = None
    case: str = ""
    tumour: Path | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    where: str = field(default="", compare=False)
    address: Location | None = None
    below: Path = Path()

    @classmethod
    def at(cls, address: Location) -> ListedSlide:
        """Return a slide that lies elsewhere."""
        return cls(Path(safe_name(address.name)), address=address)

    @classmethod
    def named(cls, place: Path | str) -> ListedSlide:
        """Return a slide at a path or an address; ``file://`` is a path."""
        if not is_address(str(place)):
            return cls(Path(place))
        location = Location.parse(str(place))
        return cls(location.local_path()) if location.scheme == "file" else cls.at(location)

    @property
    def shown(self) -> str:
        """Where it lies, as it may be shown and written."""
        return str(self.path) if self.address is None else self.address.shown

    def configured(self, config: DetectConfig) -> DetectConfig:
        """Return a configuration with what the list says of this slide."""
        stated = {name: value for name in ("mpp", "roi") if (value := getattr(self, name)) is not None}
        return config.model_copy(update=stated)


def read_slide_list(path: Path) -> tuple[ListedSlide, ...]:
    """Read a list of slides.

    Parameters
    ----------
    path : Path
        CSV with the column *slide*, an address or a path that counts from the folder of the list, and the
        columns *case*, *mpp* (µm/px), *roi* (``X,Y,W,H`` in level-0 px) and *tumour* (GeoJSON, a path as that
        of the slide) where some slides need them; empty cells say nothing. Further columns are kept.

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
            known
            for known in absent
            if name.replace("_", " ").split()[:1] == [known] or _is_one_slip_from(known, name)
        ]
        if meant:
            raise FormatError(
                f"unknown column {stated!r}, which resembles {meant[0]!r}",
                where=path,
                mend=f"call it {meant[0]} if that is meant, or otherwise; columns that decide something are "
                + ", ".join(COLUMNS),
            )
    return further


def _is_one_slip_from(known: str, name: str) -> bool:
    """Whether two letters are exchanged, or in *mpp* one is wrong: short words are never much alike."""
    is_one_wrong = len(name) == len(known) and sum(a != b for a, b in zip(known, name, strict=True)) == 1
    return sorted(name) == sorted(known) or (known == "mpp" and is_one_wrong)


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
    location = Location.parse(name) if is_address(name) else None
    if location is not None and location.scheme == "file":
        name, location = str(location.local_path()), None
    return ListedSlide(
        _below(folder, name) if location is None else ListedSlide.at(location).path,
        mpp,
        _roi(row.text("roi"), row.where),
        row.text("case"),
        _below(folder, tumour) if tumour else None,
        {stated: row.text(column) for column, stated in further.items()},
        row.where,
        location,
    )


def find_slides(named: Iterable[Path | str]) -> tuple[ListedSlide, ...]:
    """Return the slides that are meant by files, folders and patterns, on this machine or elsewhere.

    Parameters
    ----------
    named : iterable of Path or str
        A file is taken as it is; of a folder all images in it and below, by name, hidden ones and those that
        are results beside their slides left out; a pattern (``*``, ``?``, ``[…]``, ``**``) means the images
        that match it. An address (``s3://``, ``gs://``, ``https://``) is understood in the same way; of a
        folder of DICOM files elsewhere the first one stands for the slide.

    Raises
    ------
    ConfigError
        If there is no image in a folder, or none that matches a pattern.
    RemoteError, UnreachableError
        If a folder elsewhere cannot be listed.
    """
    listed: list[ListedSlide] = []
    for one in named:
        if is_address(str(one)):
            listed += _at_address(str(one))
            continue
        path = Path(one)
        if path.is_dir() and path.suffix.casefold() not in IMAGE_SUFFIXES:
            inner = [one for one in sorted(path.rglob("*")) if not _is_hidden(one.relative_to(path))]
            what = "holds no slide"
        elif not path.exists() and glob.has_magic(str(path)):
            inner = [Path(one) for one in sorted(glob.glob(str(path), recursive=True))]  # noqa: PTH207
            what = "matches no slide"
        else:
            listed.append(ListedSlide(path))
            continue
        slides = slides_among([one for one in inner if _is_file_or_was(one)], Path.exists)
        if not slides:
            raise ConfigError(what, where=path, mend=_MEND_NONE)
        listed += map(ListedSlide, slides)
    return tuple(listed)


def slides_among(files: Sequence[Place], is_there: Callable[[Place], bool]) -> list[Place]:
    """Return the files of a folder that are taken for slides, by their names: by every command and the page.

    Pictures of a result whose manifest lies beside them (its mask, its map) are none, nor is what lies in the
    folder of a MIRAX slide.

    Parameters
    ----------
    files : sequence of paths
        All of the folder and below.
    is_there : callable
        Whether there is a file of a path.
    """
    slides = [
        one
        for one in files
        if one.suffix.casefold() in IMAGE_SUFFIXES
        and not ("." in one.stem and is_there(_manifest_beside(one)))
    ]
    return _without_companions(slides)


def _at_address(text: str) -> list[ListedSlide]:
    """Return the slides that an address means."""
    location = Location.parse(text)
    if location.scheme == "file":
        return list(find_slides([location.local_path()]))
    if location.suffix in IMAGE_SUFFIXES and not glob.has_magic(location.path):
        return [ListedSlide.at(location)]
    if location.is_web and not location.is_folder:  # an address may say nothing of the kind of its file
        return [ListedSlide.at(location)]
    places = {PurePosixPath(one.path): one for one in list_files(location)}
    start = PurePosixPath(location.path if location.is_folder else location.path.rpartition("/")[0])
    shown = [
        path
        for path in places
        if not _is_hidden(path.relative_to(start) if path.is_relative_to(start) else path)
    ]
    slides = slides_among(shown, places.__contains__)
    slides = [one for one in slides if one == _stands_for(one, slides)]
    if not slides:
        raise ConfigError("no slide is there", where=location.shown, mend=_MEND_NONE)
    return [ListedSlide.at(places[one]) for one in slides]


def _stands_for(path: PurePosixPath, slides: Sequence[PurePosixPath]) -> PurePosixPath:
    """Return the file that is named for the slide of a file: of a folder of DICOM files the first."""
    if path.suffix.casefold() != ".dcm":
        return path
    return min(one for one in slides if one.parent == path.parent and one.suffix.casefold() == ".dcm")


def _is_hidden(path: PurePath) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _is_file_or_was(path: Path) -> bool:
    """Whether it is a file, or a link to one that is gone: a slide not fetched yet is missing."""
    return path.is_file() or (path.is_symlink() and not path.exists())


def _manifest_beside(picture: Place) -> Place:
    return picture.with_name(f"{PurePath(picture.stem).stem}{MANIFEST}")


def _without_companions(slides: Sequence[Place]) -> list[Place]:
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
    seen: dict[tuple[Path, str], ListedSlide] = {}
    for slide in slides:
        earlier = seen.setdefault((slide.below, file_key(result_stem(slide.path))), slide)
        is_named = (earlier.where and slide.where) or earlier.address or slide.address
        if earlier is not slide and is_named:
            raise ConfigError(
                f"{_row(earlier)} and {_row(slide)} would write the same results ({result_stem(slide.path)})",
                mend="remove one of the rows, or run them with different --out",
            )


def _row(slide: ListedSlide) -> str:
    return f"{slide.shown} ({slide.where})" if slide.where else slide.shown


def place_results(slides: Sequence[ListedSlide]) -> tuple[ListedSlide, ...]:
    """Return the slides with the folder of each one's result, which is the same for all as long as it can be.

    Where two slides have one name (a folder per patient, each with its ``HE.svs``), the results of all lie in
    folders like those of the slides, below the folder that the slides have in common; none lies beside these.
    """
    keys = [file_key(result_stem(slide.path)) for slide in slides]
    if len(set(keys)) == len(keys):
        return tuple(slides)
    folders = [_folder_of(slide) for slide in slides]
    try:
        common = Path(os.path.commonpath(folders))
    except ValueError:  # on two drives, or some elsewhere
        return tuple(slides)
    if common in folders:
        common = common.parent
    parts = [folder.relative_to(common).parts for folder in folders]
    return tuple(
        replace(slide, below=Path(*map(safe_name, each))) for slide, each in zip(slides, parts, strict=True)
    )


def _folder_of(slide: ListedSlide) -> Path:
    """Return the folder of a slide, as it is named: links to slides may lie anywhere."""
    if slide.address is None:
        return Path(os.path.abspath(slide.path)).parent  # noqa: PTH100
    return Path(slide.address.server, *PurePosixPath(slide.address.path).parent.parts)


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
            f"region {text!r} is empty or begins outside the slide",
            where=f"{where}, column roi",
            mend=_MEND_ROI,
        )
    return x, y, width, height
