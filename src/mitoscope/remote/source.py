"""Where a slide elsewhere comes from: which files it is made of, in which version, and how they come."""

from __future__ import annotations

import configparser
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from mitoscope.errors import RemoteError, UnreachableError
from mitoscope.remote.download import download
from mitoscope.remote.location import Location
from mitoscope.remote.part_file import PartFile
from mitoscope.remote.web import Answer, CutError, Patience, ask

Reported = Callable[[int], None]
"""Called with the bytes of a file that are there; may raise to end the work."""
_Got = TypeVar("_Got")
_PATIENCE: Final = Patience(tries=3)
"""With a server that is asked about a file."""
_INI_BYTES_MAX: Final = 4 << 20
_COMPANIONS: Final = (".vms", ".vmu", ".vmsini")
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


def source_of(location: Location) -> Source:
    """Return where a slide comes from.

    Raises
    ------
    ConfigError
        If the package that its protocol needs is not installed.
    RemoteError
        If its format is one of several files that are not known from outside.
    """
    from mitoscope.remote.objects import ObjectStore

    if location.suffix in _COMPANIONS:
        raise RemoteError(
            "a slide of several files that only its reader knows is not staged",
            where=location.shown,
            mend="copy it with its files to this machine",
        )
    return WebSource(location) if location.is_web else ObjectStore(location)


def version_of_values(values: Mapping[str, Any]) -> str | None:
    """Return what a store says of the version of an object."""
    for name in ("ETag", "etag", "generation", "md5Hash", "LastModified", "mtime", "updated"):
        if value := values.get(name):
            return f"{name} {value}".replace('"', "")
    return None


@dataclass(frozen=True)
class WebSource:
    """A slide on a web server, which lists no folders.

    Parameters
    ----------
    location : Location
        The file that was named.
    """

    location: Location

    def members(self) -> tuple[Member, ...]:
        """Return the files of the slide; those of MIRAX are named in its ``Slidedat.ini``."""
        if self.location.suffix == ".dcm":
            raise RemoteError(
                "a DICOM slide is a folder of files, which a web server does not list",
                where=self.location.shown,
                mend="read it from s3:// or gs://, or copy its folder to this machine",
            )
        names = [self.location.name]
        if self.location.suffix == ".mrxs":
            folder = self.location.name.rpartition(".")[0]
            names += [f"{folder}/{name}" for name in self._miraxes(f"{folder}/Slidedat.ini")]
        return tuple(self._member(name) for name in sorted(names))

    def _member(self, name: str) -> Member:
        location = self.location if name == self.location.name else self.location.beside(name)

        def look(answer: Answer) -> Member:
            return Member(name, location, answer.whole_length, answer.validator)

        return self._asked(location, look, {"Range": "bytes=0-0"})

    def _miraxes(self, ini: str) -> list[str]:
        """Return the files of a MIRAX slide's folder."""
        location = self.location.beside(ini)

        def read(answer: Answer) -> bytes:
            content = b""
            while (block := answer.read_block(_INI_BYTES_MAX)) and len(content) <= _INI_BYTES_MAX:
                content += block
            return content

        text = self._asked(location, read, {}).decode("utf-8-sig", "replace")
        stated = configparser.ConfigParser(interpolation=None, strict=False)
        try:
            stated.read_string(text)
            files = stated["DATAFILE"]
            names = [files[f"FILE_{index}"] for index in range(int(files["FILE_COUNT"]))]
            return ["Slidedat.ini", stated["HIERARCHICAL"]["INDEXFILE"], *names]
        except (configparser.Error, KeyError, ValueError):
            raise RemoteError(
                "does not name the files of the slide",
                where=location.shown,
                mend="copy the slide there again",
            ) from None

    def _asked(self, location: Location, use: Callable[[Answer], _Got], headers: dict[str, str]) -> _Got:
        """Ask for a file and use the answer."""
        failures = 0
        while True:
            try:
                with ask(location.url, headers, timeout_s=_PATIENCE.timeout_s) as answer:
                    if answer.status in (200, 206):
                        return use(answer)
                    raise refused(location, f"{answer.status} {answer.reason}".rstrip())
            except CutError as cut:
                failures += 1
                if failures >= _PATIENCE.tries:
                    raise UnreachableError(
                        f"cannot be fetched ({cut.why})",
                        where=location.shown,
                        mend="check the connection; the same command goes on where it stopped",
                    ) from None
                _PATIENCE.wait(failures, cut.after_s)

    def fetch(self, member: Member, target: Path, report: Reported, patience: Patience) -> None:
        """Fetch a file, see `Source.fetch`."""
        with PartFile(target, member.location.identity, mend=MEND_SPACE) as part:
            refusal = download(
                member.location.url,
                part,
                name=member.name,
                patience=patience,
                count=lambda size, _: report(size),
                tell=lambda _: None,
            )
            if refusal is not None:
                raise RemoteError(refusal, where=member.location.shown, mend="check the address")
            part.finish()


def refused(location: Location, answer: str) -> RemoteError:
    """Return the error for an answer that gives no file."""
    mend = "check the address"
    if answer[:3] in ("401", "403"):
        mend = "check the credentials in ~/.netrc; the signature of an address may have expired"
    return RemoteError(f"the server answers {answer}", where=location.shown, mend=mend)
