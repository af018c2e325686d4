"""What is known of a public data set: one TOML file each, checked key by key.

A fact that nobody published is left out of the file and said to be so; none is guessed. Where a fact was
found is stated beside it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from enum import StrEnum
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated, Self

from pydantic import Field, model_validator

from mitoscope.config import Config
from mitoscope.errors import ConfigError
from mitoscope.experiments.datasets.receipt import CHECKSUM

Url = Annotated[str, Field(pattern=r"^https?://[^\s]+$")]
Count = Annotated[int, Field(ge=0)]
Span = tuple[Count, Count]
"""First and last number, both included."""


def expand(pattern: str, spans: Iterable[tuple[int, int]]) -> tuple[str, ...]:
    """Return a pattern filled with each number of some spans, both ends included.

    >>> expand("{:03d}.tiff", [(1, 2), (201, 201)])
    ('001.tiff', '002.tiff', '201.tiff')
    """
    return tuple(pattern.format(number) for first, last in spans for number in range(first, last + 1))


def in_runs(names: Iterable[str], order: Sequence[str]) -> list[str]:
    """Tell names that follow each other in an order as runs.

    Parameters
    ----------
    names : iterable of str
        Some of those of the order.
    order : sequence of str
        All names, in order.

    >>> in_runs(["a", "b", "c", "e"], ["a", "b", "c", "d", "e"])
    ['a … c (3)', 'e']
    """
    wanted = set(names)
    runs: list[list[str]] = []
    before = False
    for name in order:
        if name in wanted and before:
            runs[-1].append(name)
        elif name in wanted:
            runs.append([name])
        before = name in wanted
    return [part for run in runs for part in _told(run)]


def _told(run: list[str]) -> list[str]:
    return run if len(run) < 3 else [f"{run[0]} … {run[-1]} ({len(run)})"]


class FileKind(StrEnum):
    """What a file is for."""

    IMAGE = "image"
    """Opened by `mitoscope.slide` when the folder is checked."""
    ANNOTATIONS = "annotations"


class Access(StrEnum):
    """How the files are had."""

    DOWNLOAD = "download"
    """By their own addresses."""
    PAGE = "page"
    """By hand from a page; addresses of the files are not published."""
    REGISTRATION = "registration"
    """After a registration, by hand."""


class Contents(Config):
    """What a data set holds, as its authors count it; what they do not count is absent.

    ``brief`` says the tumours and species in two words, for a table.
    """

    brief: str
    tumours: tuple[str, ...]
    species: tuple[str, ...]
    cases: Count | None = None
    images: Count | None = None
    mitotic_figures: Count | None = None
    look_alikes: Count | None = None


class Licence(Config):
    """Under what terms a data set is had.

    Parameters
    ----------
    name : str
        Short name of the licence, or that none is stated.
    stated_in : str
        Where that was read.
    url : str, optional
        Its text.
    forbids : tuple of str
        Uses that it does not allow, each in words.
    asks : tuple of str
        What it asks of who uses the data.
    """

    name: str
    stated_in: str
    url: Url | None = None
    forbids: tuple[str, ...] = ()
    asks: tuple[str, ...] = ()


class _Group(Config):
    """Files of a data set.

    Parameters
    ----------
    what : str
        What they are, in the plural.
    kind : FileKind
        Images or annotations.
    pattern, numbers : str, tuple of pairs
        A pattern of names such as ``{:03d}.tiff`` and the spans of numbers that fill it.
    converted : str, optional
        Suffix of a copy to be made, where mitoscope does not read the published format.
    format : str, optional
        Name of the annotation format, see `mitoscope.exchange`.
    optional : bool
        Whether the data set is complete without them.
    """

    what: str
    kind: FileKind
    pattern: str | None = None
    numbers: tuple[Span, ...] = ()
    converted: str | None = None
    format: str | None = None
    optional: bool = False


class FileGroup(_Group):
    """Files whose names are known: by `pattern`, or as follows.

    Parameters
    ----------
    folder : str
        Where they lie below the folder of the data set.
    names : tuple of str
        Their names, or
    named_as, suffix : str
        the name of another group's files with another suffix.
    also_named : tuple of str
        Other names under which the authors give out the one file of the group.
    also : tuple of str
        Other suffixes in which the authors give out the same images.
    beside : tuple of str
        Suffixes of other files of the same names that are no part of the group, such as overlays.
    numbered_from : int, optional
        In copies that number the images, the number of the first.
    or_table : str, optional
        One table for all images that may stand in place of a file each.
    url : str, optional
        Address of a file, with ``{name}`` or ``{id}``.
    ids : tuple of int
        What ``{id}`` stands for, in the order of the names.
    checksums : dict of str to str
        As published, by name.
    """

    folder: str = ""
    names: tuple[str, ...] = ()
    named_as: str | None = None
    suffix: str | None = None
    also_named: tuple[str, ...] = ()
    also: tuple[str, ...] = ()
    beside: tuple[str, ...] = ()
    numbered_from: Count | None = None
    or_table: str | None = None
    url: Url | None = None
    ids: tuple[Count, ...] = ()
    checksums: dict[str, Annotated[str, Field(pattern=CHECKSUM)]] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _one_way_to_name(self) -> Self:
        ways = (bool(self.names), self.pattern is not None, self.named_as is not None)
        if sum(ways) != 1:
            raise ValueError("names, pattern with numbers, or named_as with suffix: exactly one of them")
        if (self.pattern is None) != (not self.numbers) or (self.named_as is None) != (self.suffix is None):
            raise ValueError("a pattern needs numbers, named_as needs a suffix")
        if self.named_as is None:
            self._check(self.own_names())
        return self

    def _check(self, names: tuple[str, ...]) -> None:
        if len(set(names)) != len(names):
            raise ValueError("a name is listed twice")
        if self.ids and (len(self.ids) != len(names) or len(set(self.ids)) != len(names)):
            raise ValueError(f"{len(names)} names need as many different ids, got {len(set(self.ids))}")
        if self.also_named and len(names) != 1:
            raise ValueError("also_named is for a group of one file")
        unknown = set(self.checksums) - set(names)
        if unknown:
            raise ValueError(f"a checksum of {min(unknown)}, which is no file of the group")

    def own_names(self) -> tuple[str, ...]:
        """Return the names that the group itself states."""
        return self.names or expand(self.pattern or "", self.numbers)


class CountedGroup(_Group):
    """Files whose names are not published; how many there are, and in which folders.

    Parameters
    ----------
    glob : str
        Pattern of their paths; ``{unit}`` is a case or slide, ``**/`` any folders, ``*`` any part of a name.
    units : tuple of str
        Names of the units, where `pattern` does not give them. Each unit has a file.
    count : int, optional
        How many files there are, where that is published.
    """

    glob: str
    units: tuple[str, ...] = ()
    count: Count | None = None

    def all_units(self) -> tuple[str, ...]:
        """Return the names of the units; none where the files are not grouped."""
        return self.units or (expand(self.pattern, self.numbers) if self.pattern else ())


class Archive(Config):
    """A packed file that is unpacked where it lies."""

    name: str
    url: Url
    unpacks: tuple[str, ...]
    """Names of the groups that it holds."""


class Dataset(Config):
    """A public data set.

    Parameters
    ----------
    name : str
        What commands call it.
    title, summary : str
        What it is.
    contents : Contents
        What it holds.
    licence : Licence
        Under what terms.
    access : Access
        How it is had.
    page : str
        Where.
    how : str
        What to do there, where it is not downloaded.
    citation, doi : str
        The publication.
    size_gb : float, optional
        As published.
    zenodo : int, optional
        Record on Zenodo, which publishes sizes and checksums.
    files, counted : dict
        Groups of files by their short names.
    archives : tuple of Archive
        Packed files.
    notes : tuple of str
        What a user has to know.
    """

    name: Annotated[str, Field(pattern=r"^[a-z0-9-]+$")]
    title: str
    summary: str
    contents: Contents
    licence: Licence
    access: Access
    page: Url
    how: str | None = None
    citation: str
    doi: str | None = None
    size_gb: Annotated[float, Field(gt=0)] | None = None
    zenodo: Count | None = None
    files: dict[str, FileGroup] = Field(default_factory=dict)
    counted: dict[str, CountedGroup] = Field(default_factory=dict)
    archives: tuple[Archive, ...] = ()
    notes: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if not (self.files or self.counted):
            raise ValueError("no group of files")
        strangers = {file.named_as for file in self.files.values() if file.named_as} - set(self.files)
        if strangers:
            raise ValueError(f"no group of the name {min(strangers)}")
        has_address = bool(self.archives) or any(file.url for file in self.files.values())
        if has_address != (self.access is Access.DOWNLOAD):
            raise ValueError("addresses of files are for data sets that are downloaded, and needed there")
        if self.access is not Access.DOWNLOAD and self.how is None:
            raise ValueError("a data set that is not downloaded states how to obtain it")
        return self


ALIASES = {
    "midog2021": "midog21",
    "midog2022": "midog22",
    "midog++": "midogpp",
    "tupac": "tupac16",
    "mitos2012": "mitos12",
    "mitos2014": "mitos14",
    "mitos-atypia-14": "mitos14",
    "amibr": "ami-br",
}
"""Other names that commands take."""


@cache
def datasets() -> tuple[Dataset, ...]:
    """Return all data sets, by name.

    Raises
    ------
    ConfigError
        If a record does not hold what it must.
    """
    folder = Path(str(files("mitoscope.experiments.datasets"))) / "records"
    return tuple(sorted(map(Dataset.from_toml, folder.glob("*.toml")), key=lambda dataset: dataset.name))


def find_dataset(name: str) -> Dataset:
    """Return a data set by its name.

    Raises
    ------
    ConfigError
        Naming those there are.
    """
    key = name.strip().casefold()
    key = ALIASES.get(key, key)
    found = next((dataset for dataset in datasets() if dataset.name == key), None)
    if found is None:
        known = ", ".join(dataset.name for dataset in datasets())
        raise ConfigError(f"no data set of the name {name!r}", mend=f"there are {known}")
    return found
