"""Files on web servers, which list no folders."""

from __future__ import annotations

import configparser
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeVar

from mitoscope.errors import RemoteError, UnreachableError
from mitoscope.remote.download import download
from mitoscope.remote.location import Location
from mitoscope.remote.part_file import PartFile
from mitoscope.remote.source import MEND_SPACE, Member, Reported
from mitoscope.remote.web import Answer, CutError, Patience, ask

_Got = TypeVar("_Got")
_PATIENCE: Final = Patience(tries=3)
"""With a server that is asked about a file."""
_INI_BYTES_MAX: Final = 4 << 20
_BLOCK_BYTES: Final = 1 << 16


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

        return ask_patiently(location, look, {"Range": "bytes=0-0"})

    def _miraxes(self, ini: str) -> list[str]:
        """Return the files of a MIRAX slide's folder."""
        location = self.location.beside(ini)

        text = read_web(location, _INI_BYTES_MAX).decode("utf-8-sig", "replace")
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

    def fetch(self, member: Member, target: Path, report: Reported, patience: Patience) -> None:
        """Fetch a file, see `Source.fetch`."""
        fetch_web(member.location, target, report=report, patience=patience)


def ask_patiently(location: Location, use: Callable[[Answer], _Got], headers: dict[str, str]) -> _Got:
    """Ask for a file and use the answer.

    Raises
    ------
    RemoteError
        If the server does not give it.
    UnreachableError
        If it does not answer.
    """
    failures = 0
    while True:
        try:
            with ask(location.url, headers, timeout_s=_PATIENCE.timeout_s) as answer:
                if answer.status in (200, 206):
                    return use(answer)
                raise _refused(location, f"{answer.status} {answer.reason}".rstrip())
        except CutError as cut:
            failures += 1
            if failures >= _PATIENCE.tries:
                raise UnreachableError(
                    f"cannot be fetched ({cut.why})",
                    where=location.shown,
                    mend="check the connection, then repeat the same command to continue",
                ) from None
            _PATIENCE.wait(failures, cut.after_s)


def read_web(location: Location, most: int, headers: dict[str, str] | None = None) -> bytes:
    """Return the first bytes of a file, at most so many; errors as `ask_patiently`."""

    def read(answer: Answer) -> bytes:
        content = b""
        while len(content) < most and (block := answer.read_block(_BLOCK_BYTES)):
            content += block
        return content[:most]

    return ask_patiently(location, read, {**(headers or {}), "Range": f"bytes=0-{most - 1}"})


def fetch_web(
    location: Location,
    target: Path,
    *,
    report: Reported,
    patience: Patience,
    headers: dict[str, str] | None = None,
) -> None:
    """Fetch a file, see `Source.fetch`."""
    with PartFile(target, location.identity, mend=MEND_SPACE) as part:
        refusal = download(
            location.url,
            part,
            name=location.name,
            patience=patience,
            count=lambda size, _: report(size),
            tell=lambda _: None,
            headers=headers,
        )
        if refusal is not None:
            raise _refused(location, refusal.removeprefix("the server answers "))
        part.finish()


def _refused(location: Location, answer: str) -> RemoteError:
    mend = "check the address"
    if answer[:3] in ("401", "403"):
        mend = "check the credentials in ~/.netrc; the signature of an address may have expired"
    return RemoteError(f"the server answers {answer}", where=location.shown, mend=mend)
