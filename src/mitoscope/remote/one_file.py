"""A file or a slide at an address, whatever the protocol: one door to web servers and object stores."""

from __future__ import annotations

from glob import has_magic
from pathlib import Path
from typing import Final

from mitoscope.errors import RemoteError
from mitoscope.remote.location import Location
from mitoscope.remote.objects import ObjectStore
from mitoscope.remote.source import Reported, Source
from mitoscope.remote.web import Patience
from mitoscope.remote.web_source import WebSource, fetch_web, read_web

_COMPANIONS: Final = (".vms", ".vmu", ".vmsini")


def source_of(location: Location) -> Source:
    """Return where a slide comes from.

    Raises
    ------
    ConfigError
        If the package that its protocol needs is not installed.
    RemoteError
        If its format is one of several files that are not known from outside.
    """
    if location.suffix in _COMPANIONS:
        raise RemoteError(
            "a slide of several files that only its reader knows is not staged",
            where=location.shown,
            mend="copy it with its files to this machine",
        )
    return WebSource(location) if location.is_web else ObjectStore(location)


def size_of(location: Location) -> int:
    """Return the bytes of a slide; 0 where its server does not say. Errors as `Source.members`."""
    return sum(member.size_bytes or 0 for member in source_of(location).members())


def list_files(location: Location) -> list[Location]:
    """Return the files that a folder or a pattern means, by name.

    Raises
    ------
    RemoteError
        If it is on a web server, which lists none; or there is no such bucket, or it may not be listed.
    ConfigError
        If the package that its protocol needs is not installed.
    UnreachableError
        If the server does not answer.
    """
    if location.is_web:
        raise RemoteError(
            "a web server does not list folders", where=location.shown, mend="name each slide, or give a list"
        )
    store = ObjectStore(location)
    return store.matching() if has_magic(location.path) else store.listed()


def read_beginning(location: Location, most: int, *, headers: dict[str, str] | None = None) -> bytes:
    """Return the first bytes of a file, at most so many.

    Parameters
    ----------
    headers : dict of str, optional
        Further ones for a web server.

    Raises
    ------
    RemoteError
        If there is no such file, or it may not be read.
    UnreachableError
        If the server does not answer.
    """
    if location.is_web:
        return read_web(location, most, headers)
    return ObjectStore(location).beginning(most)


def fetch_file(
    location: Location,
    target: Path,
    *,
    report: Reported,
    patience: Patience,
    most: int,
    headers: dict[str, str] | None = None,
) -> None:
    """Fetch a file, see `Source.fetch`; never more bytes than are expected of it.

    Raises
    ------
    RemoteError
        As `Source.fetch`, and if it has more bytes than `most`.
    """

    def tell(size: int) -> None:
        if size > most:
            raise RemoteError(f"has more than {most:,} bytes", where=location.shown, mend="check the address")
        report(size)

    if location.is_web:
        fetch_web(location, target, report=tell, patience=patience, headers=headers)
        return
    store = ObjectStore(location)
    store.fetch(store.member(), target, tell, patience)
