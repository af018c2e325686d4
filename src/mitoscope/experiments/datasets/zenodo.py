"""Sizes and checksums that Zenodo publishes of a record's files (its REST API, ``/api/records/ID``)."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from mitoscope.errors import FormatError, IncompleteRunError
from mitoscope.experiments.datasets.receipt import CHECKSUM
from mitoscope.experiments.datasets.web import CutError, Patience, ask

_MOST_BYTES = 1 << 24


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
                mend="with --no-checksums the files are fetched without it",
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
            "is no description of a record",
            where=url,
            mend="with --no-checksums the files are fetched without it",
        ) from None


def _published(entry: dict[str, Any]) -> PublishedFile:
    size, checksum = entry.get("size"), str(entry.get("checksum", ""))
    return PublishedFile(
        size_bytes=size if isinstance(size, int) else None,
        checksum=checksum if re.fullmatch(CHECKSUM, checksum) else None,
    )
