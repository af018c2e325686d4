"""Where a slide elsewhere comes from: which files it is made of, in which version, and how they come."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol

from mitoscope.remote.location import Location
from mitoscope.remote.web import Patience

Reported = Callable[[int], None]
"""Called with the bytes of a file that are there; may raise to end the work."""
MEND_SPACE: Final = "free space or choose another folder with --staging; what has come is kept"


@dataclass(frozen=True, slots=True)
class Member:
    """One file of a slide.

    Parameters
    ----------
    name : str
        Its path beside the file that was named, with ``/``.
    location : Location
        Where it is.
    size_bytes : int or None
        None where the server does not say.
    version : str or None
        What changes when the file does: ETag, generation or time of change; None where nothing does.
    """

    name: str
    location: Location
    size_bytes: int | None
    version: str | None


class Source(Protocol):
    """A slide elsewhere."""

    def members(self) -> tuple[Member, ...]:
        """Return its files as they are now, in order of their names.

        Raises
        ------
        RemoteError
            If there is none, it may not be read, or its files cannot be listed.
        UnreachableError
            If the server does not answer.
        """

    def fetch(self, member: Member, target: Path, report: Reported, patience: Patience) -> None:
        """Fetch a file; what an earlier try left of the same version is continued.

        Raises
        ------
        RemoteError, UnreachableError
            As `members`; what has come is kept.
        OutputError
            If it cannot be written.
        """


def version_of_values(values: Mapping[str, Any]) -> str | None:
    """Return what a store says of the version of an object."""
    for name in ("ETag", "etag", "generation", "md5Hash", "LastModified", "mtime", "updated"):
        if value := values.get(name):
            return f"{name} {value}".replace('"', "")
    return None
