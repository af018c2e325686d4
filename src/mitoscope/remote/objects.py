"""An object store by fsspec: S3, Google Cloud Storage, and what else fsspec has a package for.

Credentials are found where the packages look for them (environment, ``~/.aws``, roles of the machine,
``gcloud``); mitoscope neither asks for nor keeps any. What the packages raise may quote requests, so of their
errors only the kind and the server's code are told.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

from mitoscope.errors import ConfigError, MitoscopeError, RemoteError, UnreachableError
from mitoscope.extras import how_to_install
from mitoscope.remote.location import Location
from mitoscope.remote.part_file import PartFile
from mitoscope.remote.source import MEND_SPACE, Member, Reported, version_of_values
from mitoscope.remote.web import Patience

PART_BYTES: Final = 16 << 20
PARTS_AT_ONCE: Final = 4
"""One connection to an object store gives a fraction of what the network does."""
_DENIED = frozenset(
    {"AccessDenied", "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "403", "401"}
)
_MISSING = frozenset({"NoSuchBucket", "NoSuchKey", "404"})
_NO_LOGIN = ("NoCredentials", "PartialCredentials", "DefaultCredentials", "RefreshError", "TokenRetrieval")
_MEND_LOGIN: Final = {
    "s3": "set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY; for public buckets "
    "FSSPEC_S3_ANON=true",
    "gs": "run gcloud auth application-default login, or set GOOGLE_APPLICATION_CREDENTIALS",
}


class ObjectStore:
    """The bucket of an address.

    Parameters
    ----------
    location : Location
        A file or folder in it.

    Raises
    ------
    ConfigError
        If the package that its protocol needs is not installed, or there is none.
    """

    def __init__(self, location: Location) -> None:
        self.location = location
        with _told(location):
            self._files = _file_system(location)

    def members(self) -> tuple[Member, ...]:
        """Return the files of the slide at this address, see `Source.members`."""
        with _told(self.location):
            own = self._files.info(_key(self.location))
            if own["type"] == "directory":
                raise RemoteError("is a folder", where=self.location.shown, mend="name the slides in it")
            match self.location.suffix:
                case ".mrxs":
                    folder = self.location.name.rpartition(".")[0]
                    beside = self._below(self.location.beside(folder), recursive=True)
                    if not beside:
                        raise RemoteError(
                            f"has no folder {folder!r} beside it",
                            where=self.location.shown,
                            mend="copy both there",
                        )
                    info_of = {self.location.name: own} | {
                        f"{folder}/{name}": info for name, info in beside.items()
                    }
                case ".dcm":
                    beside = self._below(self.location.folder, recursive=False)
                    info_of = {name: info for name, info in beside.items() if name.lower().endswith(".dcm")}
                case _:
                    info_of = {self.location.name: own}
        return tuple(
            Member(name, self.location.beside(name), int(info["size"]), version_of_values(info))
            for name, info in sorted(info_of.items())
        )

    def member(self) -> Member:
        """Return the file at this address."""
        with _told(self.location):
            info = self._files.info(_key(self.location))
        return Member(self.location.name, self.location, int(info["size"]), version_of_values(info))

    def beginning(self, most: int) -> bytes:
        """Return the first bytes of the file at this address, at most so many."""
        with _told(self.location):
            size = int(self._files.info(_key(self.location))["size"])
            return bytes(self._files.cat_file(_key(self.location), start=0, end=min(most, size)))

    def listed(self) -> list[Location]:
        """Return all files in this folder and below it, in order of their names."""
        with _told(self.location):
            found = self._below(self.location, recursive=True)
            if not found:
                self._files.info(self.location.server)  # a bucket that is not there looks empty, too
        return [self.location.below(name) for name in sorted(found)]

    def matching(self) -> list[Location]:
        """Return all files that this address, a pattern (``*``, ``?``, ``[…]``, ``**``), matches."""
        with _told(self.location):
            keys = self._files.glob(_key(self.location))
        server = Location(f"{self.location.scheme}://{self.location.server}")
        return [server.below(key.partition("/")[2]) for key in sorted(keys)]

    def _below(self, folder: Location, *, recursive: bool) -> dict[str, dict[str, Any]]:
        """Return what the store says of the files in a folder, by their path in it."""
        root = _key(folder).rstrip("/") + "/"
        found = self._files.find(root, maxdepth=None if recursive else 1, detail=True)
        return {
            key.removeprefix(root): info
            for key, info in found.items()
            if key.startswith(root) and key != root and info["type"] == "file" and not key.endswith("/")
        }

    def fetch(self, member: Member, target: Path, report: Reported, patience: Patience) -> None:
        """Fetch a file, see `Source.fetch`."""
        assert member.size_bytes is not None  # an object store knows
        with PartFile(target, member.location.identity, mend=MEND_SPACE) as part:
            if not (part.can_go_on and part.validator == member.version and part.size <= member.size_bytes):
                part.begin(member.version, member.size_bytes)
            failures, most = 0, part.size
            report(part.size)
            while part.size < member.size_bytes:
                try:
                    self._receive(member, part, report)
                except UnreachableError:
                    failures = 1 if part.size > most else failures + 1
                    most = part.size
                    if failures >= patience.tries:
                        raise
                    patience.wait(failures)
            part.finish()

    def _receive(self, member: Member, part: PartFile, report: Reported) -> None:
        """Receive what is still missing, some parts at once and written in their order."""
        size = member.size_bytes or 0
        starts = deque(range(part.size, size, PART_BYTES))
        waiting: deque[Future[bytes]] = deque()

        def read(start: int) -> bytes:
            end = min(start + PART_BYTES, size)
            with _told(member.location):
                block = bytes(self._files.cat_file(_key(member.location), start=start, end=end))
            if len(block) != end - start:
                raise UnreachableError(
                    f"gives {len(block):,} bytes where {end - start:,} were asked for",
                    where=member.location.shown,
                    mend="repeat the command",
                )
            return block

        with ThreadPoolExecutor(PARTS_AT_ONCE, thread_name_prefix="staging") as pool:
            try:
                while starts or waiting:
                    while starts and len(waiting) < PARTS_AT_ONCE:
                        waiting.append(pool.submit(read, starts.popleft()))
                    part.add(waiting.popleft().result())
                    report(part.size)
            finally:
                for future in waiting:
                    future.cancel()

    def read(self, name: str) -> bytes | None:
        """Return the content of a small file of this folder; None where there is none."""
        place = self.location.below(name)
        with _told(place):
            try:
                return bytes(self._files.cat_file(_key(place)))
            except FileNotFoundError:
                return None

    def sizes(self) -> dict[str, int]:
        """Return the files in this folder and below it, and their bytes."""
        with _told(self.location):
            found = self._below(self.location, recursive=True)
            if not found:
                self._files.info(self.location.server)  # a bucket that is not there looks empty, too
        return {name: int(info["size"]) for name, info in found.items()}

    def put(self, name: str, content: Path | bytes) -> None:
        """Write a file into this folder; it appears there as a whole."""
        place = self.location.below(name)
        with _told(place):
            if isinstance(content, bytes):
                self._files.pipe_file(_key(place), content)
            else:
                self._files.put_file(str(content), _key(place))

    def remove(self, name: str) -> None:
        """Remove a file of this folder."""
        place = self.location.below(name)
        with _told(place):
            self._files.rm_file(_key(place))


def _key(location: Location) -> str:
    """Return how fsspec calls it: the bucket and the key."""
    return f"{location.server}/{location.path}"


def _file_system(location: Location) -> Any:
    try:
        import fsspec
    except ImportError:
        raise _lacking(location) from None
    try:
        kind = fsspec.get_filesystem_class(location.scheme)
    except ImportError:
        raise _lacking(location) from None
    except ValueError:
        raise ConfigError(
            f"unknown protocol {location.scheme!r}",
            where=location.shown,
            mend="known: s3, gs, https, http, file",
        ) from None
    return kind(use_listings_cache=False)


def _lacking(location: Location) -> ConfigError:
    return ConfigError(
        f"the package for {location.scheme}:// is not installed",
        where=location.shown,
        mend=how_to_install("remote"),
    )


@contextmanager
def _told(location: Location) -> Iterator[None]:
    """Turn what a store's package raises into one line without any of its words.

    Which errors a protocol has is each package's own affair: botocore, aiohttp, google.auth and requests have
    no common base.
    """
    try:
        yield
    except MitoscopeError:
        raise
    except FileNotFoundError:
        raise _missing(location) from None
    except Exception as error:
        raise _as_told(error, location) from None


def _as_told(error: Exception, location: Location) -> MitoscopeError:
    code = _code(error)
    if code in _MISSING:
        return _missing(location)
    kinds = [kind.__name__ for kind in type(error).__mro__]
    if any(kind.startswith(_NO_LOGIN) for kind in kinds):
        return RemoteError("no credentials are found", where=location.shown, mend=_mend_login(location))
    if isinstance(error, PermissionError) or code in _DENIED:
        told = f" ({code})" if code else ""
        return RemoteError(f"access is denied{told}", where=location.shown, mend=_mend_login(location))
    return UnreachableError(
        f"does not answer as it should ({code or type(error).__name__})",
        where=location.shown,
        mend="check the connection, then repeat the same command to continue",
    )


def _missing(location: Location) -> RemoteError:
    return RemoteError("no such object or bucket", where=location.shown, mend="check the address")


def _mend_login(location: Location) -> str:
    return _MEND_LOGIN.get(location.scheme, "check the credentials of this store")


def _code(error: BaseException) -> str:
    """Return the code by which the server says what is wrong, where the package keeps it."""
    for one in (error, error.__cause__):
        response = getattr(one, "response", None)
        if isinstance(response, dict) and (code := response.get("Error", {}).get("Code")):
            return str(code)
        for name in ("status", "code"):
            if isinstance(code := getattr(one, name, None), int | str):
                return str(code)
    return ""
