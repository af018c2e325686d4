"""Which files of a data set are fetched from where, with the sizes and checksums that Zenodo publishes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import PurePosixPath
from typing import Any, Final
from urllib.parse import quote, urlsplit

from mitoscope.errors import FormatError, IncompleteRunError, InputError
from mitoscope.experiments.datasets.fetch import Order
from mitoscope.experiments.datasets.match import file_names
from mitoscope.experiments.datasets.receipt import CHECKSUM
from mitoscope.experiments.datasets.record import Access, Dataset
from mitoscope.remote import CutError, Patience, ask

_MOST_BYTES: Final = 1 << 24
_WITHOUT: Final = "with --no-checksums the files are fetched without it"


def moved(url: str, url_base: str | None) -> str:
    """Return an address on a mirror.

    >>> moved("https://zenodo.org/records/1/files/a.tiff?download=1", "http://mirror.local/zenodo/")
    'http://mirror.local/zenodo/records/1/files/a.tiff?download=1'
    """
    if url_base is None:
        return url
    parts = urlsplit(url)
    query = f"?{parts.query}" if parts.query else ""
    return f"{url_base.rstrip('/')}{parts.path}{query}"


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """Size and checksum of a file."""

    size_bytes: int | None
    checksum: str | None


_NOTHING: Final = PublishedFile(None, None)


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


def published(record: int, *, url_base: str | None, patience: Patience) -> dict[str, PublishedFile]:
    """Return what is published of each file of a record, by name.

    Parameters
    ----------
    record : int
        Its number on Zenodo.
    url_base : str, optional
        A mirror, see `moved`.
    patience : Patience
        With a server that cannot.

    Raises
    ------
    IncompleteRunError
        If the server cannot be reached or does not describe it.
    FormatError
        If the description cannot be read.
    """
    url = moved(f"https://zenodo.org/api/records/{record}", url_base)
    failures = 0
    while True:
        try:
            return _parse(_text(url, patience.timeout_s), url)
        except CutError as cut:
            failures += 1
            if failures >= patience.tries:
                raise IncompleteRunError(
                    f"cannot be fetched ({cut.why})", where=url, mend="check the connection, then repeat"
                ) from None
            patience.wait(failures, cut.after_s)


def _text(url: str, timeout_s: float) -> bytes:
    with ask(url, {"Accept": "application/json"}, timeout_s=timeout_s) as answer:
        if answer.status != 200:
            raise IncompleteRunError(
                f"the list of files is not there (the server answers {answer.status} {answer.reason})",
                where=url,
                mend=_WITHOUT,
            )
        text = b""
        while block := answer.read_block(1 << 16):
            text += block
            if len(text) > _MOST_BYTES:
                raise FormatError(f"a list of files of more than {_MOST_BYTES >> 20} MiB", where=url)
        if answer.length not in (None, len(text)):
            raise CutError("the connection was cut")
        return text


def _parse(text: bytes, url: str) -> dict[str, PublishedFile]:
    try:
        return {str(entry["key"]): _published(entry) for entry in json.loads(text)["files"]}
    except (ValueError, KeyError, TypeError):
        raise FormatError(
            "does not describe a record",
            where=url,
            mend=_WITHOUT,
        ) from None


def _published(entry: dict[str, Any]) -> PublishedFile:
    size, checksum = entry.get("size"), str(entry.get("checksum", ""))
    return PublishedFile(
        size_bytes=size if isinstance(size, int) else None,
        checksum=checksum if re.fullmatch(CHECKSUM, checksum) else None,
    )
