"""Slides elsewhere, staged into a folder on this machine that is bounded in bytes.

Each slide has an entry, a folder named by a hash of its address. What is in use is never removed; of the
rest, the one that was used longest ago goes first when room is needed. Several processes may share the
folder: a slide is fetched by one of them, the others wait for it. All of this is held by locks on files,
which the system gives back however a process ends:

- the lock of an entry, while it is looked at, fetched or removed;
- one lock of each user of an entry, while the slide is open;
- the lock of the whole folder, while room is made.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import shutil
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import count
from pathlib import Path
from typing import Final, Self

from mitoscope.errors import ConfigError, OutputError, RemoteError, StoppedError
from mitoscope.fsio import atomic_write, safe_join, safe_name, take_lock
from mitoscope.remote.entry import (
    ABOUT,
    are_same,
    came,
    drop_file,
    is_same,
    make_folder,
    read_files,
    reserved_bytes,
    used_ns,
    write_about,
)
from mitoscope.remote.location import Location
from mitoscope.remote.one_file import source_of
from mitoscope.remote.source import Member
from mitoscope.remote.web import Patience
from mitoscope.written import cache_folder, cannot_be_written

FOLDER_VARIABLE: Final = "MITOSCOPE_STAGING"
LIMIT_VARIABLE: Final = "MITOSCOPE_STAGING_GB"
DEFAULT_GB: Final = 50.0
"""A handful of whole-slide images of the usual size."""
_KEY_DIGITS: Final = 24
_LOG = logging.getLogger(__name__)
_LOOK_AGAIN_S: Final = 0.1
_ROOM_LEFT_BYTES: Final = 512 << 20
"""Of the disk, for everybody else."""
Report = Callable[[int, int], None]
"""Called with the bytes of a slide that are there, and all of them."""
_serial = count()


class Held:
    """A staged slide that stays until it is given back.

    Parameters
    ----------
    path : Path
        The slide's file on this machine.
    members : tuple of Member
        Its files, as they are where they come from.
    release : callable
        Gives it back.
    """

    def __init__(self, path: Path, members: tuple[Member, ...], release: Callable[[], None]) -> None:
        self.path, self.members = path, members
        self._release: Callable[[], None] | None = release

    def close(self) -> None:
        """Give it back; another slide may take its room now. Once is enough."""
        release, self._release = self._release, None
        if release is not None:
            release()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


class Staging:
    """The folder of staged slides.

    Parameters
    ----------
    folder : Path
        Made where there is none, for this user alone.
    limit_bytes : int
        Of all slides in it together.
    patience : Patience, optional
        With servers that cannot.
    """

    def __init__(self, folder: Path, *, limit_bytes: int, patience: Patience | None = None) -> None:
        self.folder, self.limit_bytes = folder, limit_bytes
        self._patience = patience or Patience()
        self._slides, self._locks, self._known = folder / "slides", folder / "locks", folder / "known"

    @classmethod
    def of_user(cls, folder: Path | None = None, limit_gb: float | None = None) -> Staging:
        """Return the folder that is named, or that of the environment, or the one in the user's cache.

        Parameters
        ----------
        folder : Path, optional
            Before ``MITOSCOPE_STAGING``.
        limit_gb : float, optional
            In 10⁹ bytes; before ``MITOSCOPE_STAGING_GB``, and 50 without either.

        Raises
        ------
        ConfigError
            If the bound is no number above 0, or there is no home to put a cache into.
        """
        stated = os.environ.get(LIMIT_VARIABLE)
        try:
            limit = float(stated or DEFAULT_GB) if limit_gb is None else limit_gb
        except ValueError:
            limit = 0.0
        if not 0 < limit < float("inf"):
            raise ConfigError(
                f"{stated if limit_gb is None else limit_gb!r} is not a number of gigabytes above 0",
                where=LIMIT_VARIABLE if limit_gb is None else "--staging-gb",
                mend="give e.g. 100",
            )
        if folder is None and (named := os.environ.get(FOLDER_VARIABLE)):
            folder = Path(named)
        if folder is None and (cache := cache_folder()) is not None:
            folder = cache / "mitoscope" / "staged"
        if folder is None:
            raise ConfigError(
                "there is no home folder for staged slides",
                mend=f"name one with --staging or {FOLDER_VARIABLE}",
            )
        return cls(folder.absolute(), limit_bytes=int(limit * 1e9))

    def path_of(self, location: Location) -> Path:
        """Return where the file of a slide will lie; the address alone decides it."""
        return self._entry(_key(location)) / "files" / safe_name(location.name)

    def hold(
        self,
        location: Location,
        *,
        report: Report | None = None,
        stop: threading.Event | None = None,
        members: tuple[Member, ...] | None = None,
    ) -> Held:
        """Stage a slide, if it is not there as it is now, and keep it until it is given back.

        Waits while another process fetches the same slide, and while slides in use leave no room.

        Parameters
        ----------
        location : Location
            The slide: the ``.mrxs`` of MIRAX, any ``.dcm`` of a DICOM slide.
        report : callable, optional
            Called with the bytes that are there and all of them.
        stop : Event, optional
            Ends the work when it is set.
        members : tuple of Member, optional
            Its files as another machine has them; the server is then asked for nothing that is here.

        Raises
        ------
        RemoteError
            If there is no such slide, it may not be read, it changes while it is fetched, or it has more
            bytes than are allowed here.
        UnreachableError
            If the server does not answer; what has come is kept, the same call goes on.
        OutputError
            If it cannot be written.
        StoppedError
            If `stop` was set; what has come is kept.
        """
        key, stop = _key(location), stop or threading.Event()
        self._make()
        with self._locked(f"{key}.lock", location, stop):
            members = members or source_of(location).members()
            self._stage(key, location, members, report or _silent, stop)
            return Held(self.path_of(location), members, self._use(key))

    def remember(self, location: Location, held: Held, fingerprint: str) -> None:
        """Note the identity of a slide's content, to be known later also when it is no longer here.

        Raises
        ------
        OutputError
            If it cannot be written.
        """
        values = {"address": location.shown, "files": _versions(held.members), "fingerprint": fingerprint}
        make_folder(self._known)
        with atomic_write(self._known / f"{_key(location)}.json", replace=True) as stream:
            stream.write(json.dumps(values, indent=1).encode())

    def remembered(self, location: Location) -> str | None:
        """Return the identity of a slide's content as it is where it lies; None where it was never here so.

        Raises
        ------
        RemoteError, UnreachableError, ConfigError
            If the slide cannot be looked at.
        """
        try:
            values = json.loads((self._known / f"{_key(location)}.json").read_text(encoding="utf-8"))
            versions, fingerprint = values["files"], str(values["fingerprint"])
        except (OSError, ValueError, KeyError, TypeError):
            return None
        now = _versions(source_of(location).members())
        return fingerprint if versions == now and all(version for *_, version in now) else None

    def _make(self) -> None:
        try:
            self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)  # slides are of patients
            self._slides.mkdir(exist_ok=True)
            self._locks.mkdir(exist_ok=True)
        except OSError as error:
            raise cannot_be_written(self.folder, error) from None

    def _entry(self, key: str) -> Path:
        return self._slides / key

    @contextmanager
    def _locked(self, name: str, where: object, stop: threading.Event) -> Iterator[None]:
        """Hold a lock, for which it waits."""
        path = self._locks / name
        while True:
            try:
                release = take_lock(path)
            except OSError as error:
                raise cannot_be_written(path, error) from None
            if release is not None:
                break
            _wait(stop, where)
        try:
            yield
        finally:
            release()

    def _use(self, key: str) -> Callable[[], None]:
        """Note a user of an entry, whose lock is held, and return what ends the use."""
        path = self._locks / f"{key}.{os.getpid()}-{next(_serial)}.user"
        release = take_lock(path)
        assert release is not None  # no other has this name
        self._touch(key)

        def give_back() -> None:
            self._touch(key)
            release()
            path.unlink(missing_ok=True)

        return give_back

    def _touch(self, key: str) -> None:
        with suppress(OSError):
            os.utime(self._entry(key) / ABOUT)

    def _stage(
        self,
        key: str,
        location: Location,
        members: Sequence[Member],
        report: Report,
        stop: threading.Event,
    ) -> None:
        """Bring an entry, whose lock is held, to what the slide is."""
        entry = self._entry(key)
        files = {file.name: file for file in read_files(entry)}
        total = sum(member.size_bytes or 0 for member in members)
        targets = {member.name: self._target(location, member) for member in members}
        there = {m.name for m in members if is_same(files.get(m.name), m, targets[m.name])}
        if there == set(targets) and len(files) == len(members):
            report(total, total)
            return
        if any(m.name in files and m.name not in there for m in members):
            _LOG.warning("%s has changed since it was staged: it is fetched again", location)
        self._reserve(key, location, total, stop)
        kept = [files[name] for name in sorted(there)]
        for name in files.keys() - there:
            drop_file(safe_join(entry / "files", name))
        write_about(entry, location, total, kept)
        done, source = sum(file.size_bytes for file in kept), source_of(location)
        for member in members:
            if member.name in there:
                continue

            def tell(size: int, before: int = done) -> None:
                report(before + size, max(total, before + size))
                if before + size > self.limit_bytes:  # where the server did not say how large it is
                    raise self._too_large(location, before + size)
                if stop.is_set():
                    raise _stopped(location)

            target = targets[member.name]
            make_folder(target.parent)
            source.fetch(member, target, tell, self._patience)
            kept.append(came(member, target))
            done += kept[-1].size_bytes
            write_about(entry, location, max(total, done), kept)
        if not are_same(members, source.members()):
            raise RemoteError("changed while it was fetched", where=location.shown, mend="repeat the command")

    def _target(self, location: Location, member: Member) -> Path:
        """Return where a file of a slide lies: beside or below the one that is named."""
        path = self.path_of(location)
        if member.name == location.name:
            return path
        folder = path.parent
        first, slash, rest = member.name.partition("/")
        if slash and location.suffix == ".mrxs":
            return safe_join(folder, f"{path.stem}/{rest}")
        return safe_join(folder, f"{first}{slash}{rest}")

    def _reserve(self, key: str, location: Location, needed: int, stop: threading.Event) -> None:
        """Make room for an entry and note that it is taken."""
        if needed > self.limit_bytes:
            raise self._too_large(location, needed)
        while True:
            with self._locked("room.lock", location, stop):
                if self._make_room(key, needed):
                    make_folder(self._entry(key) / "files")
                    write_about(self._entry(key), location, needed, read_files(self._entry(key)))
                    return
                if not self._are_others_used(key):
                    raise OutputError(
                        f"{needed / 1e9:.1f} GB are needed for {location}, "
                        f"{shutil.disk_usage(self.folder).free / 1e9:.1f} GB are free",
                        where=self.folder,
                        mend=f"free space or choose another folder with --staging or {FOLDER_VARIABLE}",
                    )
            _wait(stop, location)

    def _too_large(self, location: Location, found: int) -> RemoteError:
        return RemoteError(
            f"has {found / 1e9:.3g} GB, {self.limit_bytes / 1e9:g} GB may be staged",
            where=location.shown,
            mend=f"allow more with --staging-gb or {LIMIT_VARIABLE}",
        )

    def _make_room(self, key: str, needed: int) -> bool:
        """Remove what was used longest ago until an entry fits; say whether it does."""
        others = [entry for entry in self._entries() if entry.name != key]
        others.sort(key=used_ns)
        taken = {entry: reserved_bytes(entry) for entry in others}
        own = sum(file.stat().st_size for file in (self._entry(key) / "files").rglob("*") if file.is_file())
        for entry in [None, *others]:
            if entry is not None and self._remove(entry):
                taken.pop(entry)
            free = shutil.disk_usage(self.folder).free - _ROOM_LEFT_BYTES
            if sum(taken.values()) + needed <= self.limit_bytes and needed - own <= max(free, 0):
                return True
        return False

    def _entries(self) -> list[Path]:
        return [path for path in self._slides.iterdir() if path.is_dir()]

    def _are_others_used(self, key: str) -> bool:
        return any(entry.name != key for entry in self._entries())

    def _remove(self, entry: Path) -> bool:
        """Remove an entry unless somebody looks at it, fetches or uses it; say whether it is gone."""
        release = take_lock(self._locks / f"{entry.name}.lock")
        if release is None:
            return False
        try:
            for user in self._locks.glob(f"{entry.name}.*.user"):
                is_over = take_lock(user)
                if is_over is None:
                    return False
                is_over()
                user.unlink(missing_ok=True)  # of a process that ended without giving it back
            shutil.rmtree(entry)
        except OSError:  # Windows keeps what is open
            return False
        finally:
            release()
        return True


def _key(location: Location) -> str:
    return hashlib.sha256(location.identity.encode("utf-8", "surrogatepass")).hexdigest()[:_KEY_DIGITS]


def _versions(members: Sequence[Member]) -> list[list[str | int | None]]:
    return [[member.name, member.size_bytes, member.version] for member in members]


def _silent(done: int, total: int) -> None:
    pass


def _stopped(where: object) -> StoppedError:
    return StoppedError(
        "stopped while it was staged", where=str(where), mend="repeat the same command to continue"
    )


def _wait(stop: threading.Event, where: object) -> None:
    if stop.wait(_LOOK_AGAIN_S):
        raise _stopped(where)
