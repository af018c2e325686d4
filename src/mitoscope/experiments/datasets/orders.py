"""Which files of a data set are fetched, and from where."""

from __future__ import annotations

from collections.abc import Mapping
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from urllib.parse import quote

from mitoscope.errors import InputError
from mitoscope.experiments.datasets.fetch import Order
from mitoscope.experiments.datasets.match import file_names
from mitoscope.experiments.datasets.mirror import moved
from mitoscope.experiments.datasets.record import Access, Dataset
from mitoscope.experiments.datasets.zenodo import Published

_NOTHING = Published(None, None)


def orders(
    dataset: Dataset,
    *,
    only: str | None = None,
    url_base: str | None = None,
    listing: Mapping[str, Published] | None = None,
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
        (one.name, moved(one.url, url_base), None) for one in dataset.archives
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


def _order(path: str, url: str, checksum: str | None, published: Published) -> Order:
    return Order(path, url, published.size_bytes, checksum or published.checksum)
