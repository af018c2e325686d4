"""What mitoscope wrote, and how it is known again: nothing else is ever replaced (promise 31).

A folder of results holds a record of what was written there, by name and SHA-256. A file that is not in it,
or was changed since, is refused by name. Of a single file that a command names, a hash of its place and
content is kept in the user's cache folder: from it neither can be read.
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
from contextlib import suppress
from pathlib import Path
from threading import Lock

from mitoscope.errors import OutputError

RECORD = ".mitoscope-files"
"""The record of a folder: a JSON list of name and SHA-256 a line; null of a file that changes in use."""
_HASH_BLOCK_BYTES = 1 << 20
_TAIL_BYTES = 256
"""By which a record is known to be the one that was read."""


class _Memory:
    """What this process knows."""

    folders: set[Path]
    """Folders of results; their records begin with the first file."""
    seals: set[str]
    """Of single files."""
    records: dict[Path, _Record]
    """Records of folders, as far as they were read."""
    lock: Lock
    keeps_seals = False
    """Whether they are kept for later: by the command line and by `DetectionResult.report`."""

    def __init__(self) -> None:
        self.folders, self.seals = set(), set()
        self.records, self.lock = {}, Lock()


_MEMORY = _Memory()


def sha256_file(path: Path) -> str:
    """Return the SHA-256 of a file's content as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_HASH_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def cannot_be_written(path: Path, error: OSError) -> OutputError:
    """Return the error for a file or folder that the system refuses to write."""
    return OutputError(
        f"cannot be written ({error.strerror})",
        where=path,
        mend="choose another place with --out, or free space and repeat the command",
    )


def cache_folder() -> Path | None:
    """Return the folder of this user for what can be made again; None where there is no home."""
    return _user_folder("Caches", ("LOCALAPPDATA", "AppData/Local"), ("XDG_CACHE_HOME", ".cache"))


def data_folder() -> Path | None:
    """Return the folder of this user for what cannot be made again; None where there is no home."""
    windows, others = ("LOCALAPPDATA", "AppData/Local"), ("XDG_DATA_HOME", ".local/share")
    folder = _user_folder("Application Support", windows, others)
    return None if folder is None else folder / "mitoscope"


def config_folder() -> Path | None:
    """Return the folder of this user for settings; None where there is no home."""
    windows, others = ("APPDATA", "AppData/Roaming"), ("XDG_CONFIG_HOME", ".config")
    folder = _user_folder("Application Support", windows, others)
    return None if folder is None else folder / "mitoscope"


def _user_folder(library: str, windows: tuple[str, str], others: tuple[str, str]) -> Path | None:
    """Return a folder below Library on macOS; elsewhere that of a variable, or its place below home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    match sys.platform:
        case "darwin":
            return home / "Library" / library
        case "win32":
            return Path(os.environ.get(windows[0]) or home / windows[1])
        case _:
            return Path(os.environ.get(others[0]) or home / others[1])


def keep_seals() -> None:
    """Keep for later commands which single files this process writes."""
    _MEMORY.keeps_seals = True


def record_folder(folder: Path) -> None:
    """Record what is written into a folder from now on."""
    _MEMORY.folders.add(folder.resolve())


def claim(path: Path) -> Path:
    """Note a file of results that changes in use, before it is opened for writing, and return its path.

    Raises
    ------
    OutputError
        If something has that name which mitoscope did not write, or the record cannot be written.
    """
    refuse_foreign(path)
    record_folder(path.parent)
    try:
        note(path, None)
    except OSError as error:
        raise cannot_be_written(path, error) from None
    return path


def refuse_foreign(path: Path) -> None:
    """Refuse to replace what mitoscope did not write, or what was changed since.

    Raises
    ------
    OutputError
        If something has that name and is not known as it is.
    """
    if not os.path.lexists(path):
        return
    known = _recorded(path)
    if None in known:
        return
    if path.is_file():
        try:
            digest = sha256_file(path)
        except OSError as error:
            raise cannot_be_written(path, error) from None
        if digest in known or _is_sealed(_seal(path, digest)):
            return
    what = "was changed since mitoscope wrote it" if known else "exists, and not as mitoscope wrote it"
    raise OutputError(what, where=path, mend="move or remove it, or choose another --out")


def note(path: Path, digest: str | None) -> None:
    """Note what is about to be written: a kill in between leaves nothing that is not known.

    Parameters
    ----------
    path : Path
        The file.
    digest : str or None
        SHA-256 of its content; None where that changes in use.

    Raises
    ------
    OSError
        If the record of the folder cannot be written.
    """
    record, known = path.parent / RECORD, _recorded(path)
    if None in known or digest in known:
        return
    if record.exists() or path.parent.resolve() in _MEMORY.folders:
        with record.open("a", encoding="ascii") as stream:
            # It begins a line of its own, also after one that a kill has cut off.
            stream.write(f"\n{json.dumps([path.name, digest])}\n")
    elif digest is not None:
        _keep(_seal(path, digest))


def _recorded(path: Path) -> set[str | None]:
    """Return what the record of its folder holds for a name."""
    with _MEMORY.lock:
        record = _MEMORY.records.setdefault(path.parent.absolute(), _Record())
        record.read_on(path.parent / RECORD)
        return set(record.known.get(path.name, ()))


class _Record:
    """What the record of a folder held when it was last read: of thousands of lines only new ones are."""

    def __init__(self) -> None:
        self._forget()

    def _forget(self) -> None:
        self.known: dict[str, set[str | None]] = {}
        self._end, self._tail, self._file = 0, b"", (0, 0)

    def read_on(self, path: Path) -> None:
        """Read the lines that were added since; a file that is no longer the same is read from its start."""
        try:
            with path.open("rb") as stream:
                status = os.fstat(stream.fileno())
                stream.seek(max(0, self._end - len(self._tail)))
                is_same = (status.st_dev, status.st_ino) == self._file
                if not (is_same and stream.read(len(self._tail)) == self._tail):
                    self._forget()
                    stream.seek(0)
                added = stream.read()
        except FileNotFoundError:
            self._forget()
            return
        # A last line that is not ended is read again once it is: another process may be at it.
        whole = added[: added.rfind(b"\n") + 1]
        self._file, self._end = (status.st_dev, status.st_ino), self._end + len(whole)
        self._tail = (self._tail + whole)[-_TAIL_BYTES:]
        for line in (*whole.splitlines(), added[len(whole) :]):
            with suppress(ValueError, TypeError):  # a line that was cut off
                name, digest = json.loads(line.decode("ascii", errors="replace"))
                self.known.setdefault(name, set()).add(digest)


def _seal(path: Path, digest: str) -> str:
    place = os.fsencode(path.parent.resolve() / path.name)
    return hashlib.sha256(place + b"\0" + digest.encode()).hexdigest()


def _seals() -> Path | None:
    """Return the file of the seals of earlier commands."""
    cache = cache_folder() if _MEMORY.keeps_seals else None
    return None if cache is None else cache / "mitoscope" / "written"


def _is_sealed(seal: str) -> bool:
    if seal not in _MEMORY.seals and (path := _seals()) is not None:
        with suppress(OSError):
            _MEMORY.seals.update(path.read_text("ascii", errors="replace").split())
    return seal in _MEMORY.seals


def _keep(seal: str) -> None:
    if _is_sealed(seal):
        return
    _MEMORY.seals.add(seal)
    path = _seals()
    if path is not None:
        with suppress(OSError):  # without it the file is refused another time
            path.parent.mkdir(parents=True, exist_ok=True)
            with path.open("a", encoding="ascii") as stream:
                stream.write(f"{seal}\n")
