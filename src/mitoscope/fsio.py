"""Files: atomic writes, hashes, safe names and joins, locks; on every system.

A file is written under a temporary name in the target's directory, flushed to disk and renamed; a directory
is built beside its target and renamed once. A reader sees the old state or the new one, never a half.
What mitoscope did not write is never replaced (`mitoscope.written`).
"""

from __future__ import annotations

import errno
import filecmp
import hashlib
import os
import re
import shutil
import stat
import sys
import tempfile
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mitoscope.errors import InputError, OutputError
from mitoscope.written import cannot_be_written, note, record_folder, refuse_foreign, sha256_file

_REPLACE_TRIES = 10
_REPLACE_WAIT_S = 0.1
_PART_CHARACTERS = 8
"""Of a file's name that a temporary one keeps: it must not be the longer one."""

NAME_BYTES = 255
"""Longest name that the common file systems take."""
PATH_CHARACTERS = 259 if sys.platform == "win32" else None
"""Longest path, where the system has such a limit for all programs."""
_ROOM_BYTES = 15
"""For suffixes: ``.ledger-journal``, which SQLite writes, is the longest."""
_NOT_IN_NAMES = re.compile(r'[<>:"/\\|?*\x00-\x1f\x7f-\x9f\ud800-\udc7f\udd00-\udfff]')
"""What Windows takes in no name, controls, and surrogates that stand for no byte."""
_DEVICE = re.compile(r"(con|prn|aux|nul|conin\$|conout\$|(com|lpt)[0-9¹²³]) *(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, with any suffix."""


def safe_name(name: str, *, room_bytes: int = _ROOM_BYTES) -> str:
    """Return a name from data as one that every file system takes; what is safe already stays as it is.

    Parameters
    ----------
    name : str
        Of a slide, a case or a label; separators of folders are characters like others.
    room_bytes : int
        Left for suffixes. A longer name is cut, and told from others by a part of its hash.
    """
    safe = _NOT_IN_NAMES.sub("_", name).rstrip(". ") or "_"
    if _DEVICE.match(safe):
        safe = f"_{safe}"
    most = NAME_BYTES - room_bytes
    if _bytes_of(safe) <= most:
        return safe
    digest = hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:12]
    while _bytes_of(safe) > most - len(digest) - 1:
        safe = safe[:-1]
    return f"{safe}-{digest}"


def safe_names(names: Sequence[str]) -> list[str]:
    """Return a safe name for each name, in their order, no two of which are one file on any system.

    Of names that meet, one that is safe by itself stays as it is, and the others get a number.
    """
    safe = [safe_name(name) for name in names]
    taken: set[str] = set()
    for place in sorted(range(len(names)), key=lambda place: safe[place] != names[place]):
        base, number = safe[place], 0
        while file_key(safe[place]) in taken:
            number += 1
            safe[place] = f"{base}-{number}"
        taken.add(file_key(safe[place]))
    return safe


def file_key(name: str) -> str:
    """Return what names have in common that are one file on some system, by case or accents."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def refuse_long(path: Path, *, where: Path, mend: str) -> None:
    """Refuse a path that the file system would not take, before the work that it is for.

    Parameters
    ----------
    path : Path
        What is to be written.
    where : Path
        For the sake of what.
    mend : str
        What to do.

    Raises
    ------
    OutputError
        If its name or, on Windows, the whole path is too long.
    """
    length = _bytes_of(path.name)
    if length > NAME_BYTES:
        raise OutputError(
            f"its results would have names of {length} bytes, file systems take {NAME_BYTES}",
            where=where,
            mend=mend,
        )
    if PATH_CHARACTERS is not None and len(whole := str(path.absolute())) > PATH_CHARACTERS:
        raise OutputError(
            f"its results would have paths of {len(whole)} characters, Windows takes {PATH_CHARACTERS}",
            where=where,
            mend=f"{mend}, or choose a shorter --out",
        )


def _bytes_of(name: str) -> int:
    return len(name.encode("utf-8", "surrogatepass"))


def sync_directory(path: Path) -> None:
    """Flush a directory's entries to disk; Windows has no such call and does so by itself."""
    if sys.platform != "win32":
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def make_directory(path: Path) -> Path:
    """Create a directory of results with its parents and return it; what is written there is recorded.

    Raises
    ------
    OutputError
        If it cannot be created, or something else has the name.
    """
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise cannot_be_written(path, error) from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise OutputError(
            "cannot be written (Permission denied)", where=path, mend="choose another place with --out"
        )
    record_folder(path)
    return path


@contextmanager
def atomic_write(path: Path, *, replace: bool = False) -> Iterator[BinaryIO]:
    """Open a file for writing that appears under its name only when the block ends well.

    Parameters
    ----------
    path : Path
        The file.
    replace : bool
        The caller has read an earlier file as its own: it is replaced without a question.

    Raises
    ------
    OutputError
        If the file cannot be written, or mitoscope did not write what has its name; nothing is left behind
        and an earlier file stays as it was.
    """
    try:
        descriptor, name = tempfile.mkstemp(dir=path.parent, prefix=_part_prefix(path), suffix=".part")
    except OSError as error:
        raise cannot_be_written(path, error) from None
    part = Path(name)
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
        part.chmod(0o666 & ~_umask())
        if not replace and not _same_content(part, path):
            refuse_foreign(path)
        note(path, sha256_file(part))  # before the name is given: a kill in between leaves nothing unknown
        _replace(part, path)
        sync_directory(path.parent)
    except OSError as error:
        part.unlink(missing_ok=True)
        raise cannot_be_written(path, error) from None
    except BaseException:
        part.unlink(missing_ok=True)
        raise


def _same_content(part: Path, path: Path) -> bool:
    return path.is_file() and not path.is_symlink() and filecmp.cmp(part, path, shallow=False)


def _replace(part: Path, path: Path) -> None:
    """Give a file its name. On Windows a scanner for viruses may have either open for a moment."""
    for _ in range(_REPLACE_TRIES if sys.platform == "win32" else 0):
        try:
            part.replace(path)
        except PermissionError:
            time.sleep(_REPLACE_WAIT_S)
        else:
            return
    part.replace(path)


def publish(part: Path, path: Path) -> None:
    """Give a complete file a name that nothing has, never over a file that came meanwhile; its old name goes.

    Parameters
    ----------
    part : Path
        The file, in the directory of its new name.
    path : Path
        The new name.

    Raises
    ------
    FileExistsError
        If something has the name.
    OSError
        If the file cannot be renamed.
    """
    if sys.platform == "win32":
        part.rename(path)  # there a rename refuses a name that is taken
    else:
        try:
            os.link(part, path)
        except FileExistsError:
            raise
        except OSError:
            _publish_unlinked(part, path)
        else:
            part.unlink()


def _publish_unlinked(part: Path, path: Path) -> None:
    """Do so on a file system without links (exFAT, some shares): the name is taken first, then given."""
    path.touch(exist_ok=False)
    try:
        part.replace(path)
    except OSError:
        path.unlink(missing_ok=True)
        raise


@contextmanager
def atomic_directory(path: Path) -> Iterator[Path]:
    """Build a directory beside its target and rename it when the block ends well.

    Raises
    ------
    OutputError
        If the target exists or cannot be written; nothing is left behind.
    """
    if path.exists():
        raise OutputError("exists already", where=path, mend="choose another name or remove it first")
    make_directory(path.parent)
    try:
        part = Path(tempfile.mkdtemp(dir=path.parent, prefix=_part_prefix(path), suffix=".part"))
    except OSError as error:
        raise cannot_be_written(path, error) from None
    try:
        yield part
        part.chmod(0o777 & ~_umask())
        part.rename(path)
        sync_directory(path.parent)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        raise cannot_be_written(path, error) from None
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _part_prefix(path: Path) -> str:
    return f".{path.name[:_PART_CHARACTERS]}."


def _umask() -> int:
    # os.umask can only be read by setting it; /proc has it without a race between threads.
    try:
        for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
            if line.startswith("Umask:"):
                return int(line.split()[1], 8)
    except OSError:
        pass
    return 0o022


def open_regular(path: Path) -> BinaryIO:
    """Open a file for reading; what is no file of its own is refused before it is waited for.

    Raises
    ------
    OSError
        If it cannot be opened, or is a pipe, a socket or a device: reading one may never end.
    """
    mode = path.stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise OSError(errno.EINVAL, "a pipe or device, not a file", str(path))
    return path.open("rb")


def safe_join(root: Path, name: str) -> Path:
    """Join a name from outside to a directory.

    Raises
    ------
    InputError
        If the result would lie outside of the directory.
    """
    base = root.resolve()
    if "\x00" in name or Path(name).is_absolute():
        raise InputError("a name that leaves its directory", where=repr(name))
    target = (base / name).resolve()
    if not target.is_relative_to(base) or target == base:
        raise InputError("a name that leaves its directory", where=repr(name))
    return target


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    """Hold an advisory lock on a file while the block runs.

    Raises
    ------
    OutputError
        If another process holds it.
    """
    try:
        release = take_lock(path)
    except OSError as error:
        raise cannot_be_written(path, error) from None
    if release is None:
        raise OutputError(
            "another mitoscope process is writing here",
            where=path.parent,
            mend="wait for it or choose another --out",
        )
    try:
        yield
    finally:
        release()


@contextmanager
def waiting_lock(path: Path, *, interval_s: float = 1.0) -> Iterator[None]:
    """Hold an advisory lock on a file while the block runs; wait as long as another process holds it.

    Raises
    ------
    OutputError
        If the file cannot be written.
    """
    try:
        while (release := take_lock(path)) is None:
            time.sleep(interval_s)
    except OSError as error:
        raise cannot_be_written(path, error) from None
    try:
        yield
    finally:
        release()


def take_lock(path: Path) -> Callable[[], None] | None:
    """Take an advisory lock on a file, which the system gives back when this process ends, however it ends.

    Returns
    -------
    callable or None
        Gives the lock back; None where another holds it.

    Raises
    ------
    OSError
        If the file cannot be made, or its file system knows no locks.
    """
    from filelock import Timeout, UnixFileLock, WindowsFileLock

    lock = (WindowsFileLock if sys.platform == "win32" else UnixFileLock)(
        path,
        timeout=0,
        thread_local=False,  # whoever has the function that gives it back may be another thread
    )
    try:
        lock.acquire()
    except Timeout:
        return None
    except NotImplementedError as error:  # of a file system without locks
        raise OSError(str(error)) from None
    return lock.release
