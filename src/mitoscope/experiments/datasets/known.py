"""The data sets that mitoscope knows, and which of their files are fetched from where."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from functools import cache
from importlib.resources import files
from pathlib import Path, PurePosixPath
from urllib.parse import quote

from mitoscope.errors import ConfigError, InputError
from mitoscope.experiments.datasets.fetch import Order
from mitoscope.experiments.datasets.match import file_names
from mitoscope.experiments.datasets.record import Access, Dataset
from mitoscope.experiments.datasets.zenodo import PublishedFile, moved

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
_NOTHING = PublishedFile(None, None)


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


def orders(
    dataset: Dataset,
    *,
    only: str | None = None,
    url_base: str | None = None,
    listing: Mapping[str, PublishedFile] | None = None,
) -> tuple[Order, ...]:
    """Return the files to be fetched, in the order of the record.

    Parameters
    ----------
    dataset : Dataset
        One that is downloaded.
    only : str, optional
        Pattern of names, such as ``00*.tiff``.
    url_base : str, optional
        Address of a mirror, which takes the place of the server's name; paths stay.
    listing : mapping, optional
        Published sizes and checksums by name.

    Raises
    ------
    InputError
        If the data set has to be fetched by hand, saying where and how; if no name fits.
    """
    if dataset.access is not Access.DOWNLOAD:
        raise InputError(
            "needs a registration and cannot be downloaded from here"
            if dataset.access is Access.REGISTRATION
            else "publishes no addresses of its files and cannot be downloaded from here",
            where=dataset.name,
            mend=f"go to {dataset.page}: {dataset.how}; then mitoscope data check {dataset.name} --data DIR",
        )
    found = [
        _order(path, url, checksum, (listing or {}).get(PurePosixPath(path).name, _NOTHING))
        for path, url, checksum in _addresses(dataset, url_base)
        if only is None or fnmatchcase(PurePosixPath(path).name, only)
    ]
    if not found:
        raise InputError(f"no file fits {only!r}", where=dataset.name, mend="give --only another pattern")
    return tuple(found)


def _addresses(dataset: Dataset, url_base: str | None) -> list[tuple[str, str, str | None]]:
    """Return path, address and checksum of each file."""
    found: list[tuple[str, str, str | None]] = [
        (archive.name, moved(archive.url, url_base), None) for archive in dataset.archives
    ]
    for key, group in dataset.files.items():
        if group.url is None:
            continue
        for place, name in enumerate(file_names(dataset, key)):
            number = group.ids[place] if group.ids else ""
            url = group.url.replace("{name}", quote(name)).replace("{id}", str(number))
            path = (PurePosixPath(group.folder) / name).as_posix()
            found.append((path, moved(url, url_base), group.checksums.get(name)))
    return found


def _order(path: str, url: str, checksum: str | None, published: PublishedFile) -> Order:
    return Order(path, url, published.size_bytes, checksum or published.checksum)
