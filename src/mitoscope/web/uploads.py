"""Slides that come through the browser: in pieces, each with its hash, going on where the last one ended.

A file is written under a name of its own until it is whole, and then gets its name, which nothing had. The
name is made safe, must be that of a slide in one file, and leads nowhere but into the folder of the slides.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mitoscope.fsio import publish, safe_name, sync_directory
from mitoscope.image_names import IMAGE_SUFFIXES, last_part
from mitoscope.web.refusal import Refusal, invalid, no_such

PART_BYTES = 8 << 20
SIZE_MAX_BYTES = 1 << 38
"""256 GiB; the largest slides have some 10."""
_SPARE_BYTES = 256 << 20
"""Left free beside a slide: the study must stay writable."""
_OF_SEVERAL = frozenset({".mrxs", ".vms", ".vmu", ".vsi", ".dcm"})
SENT_SUFFIXES = tuple(sorted(IMAGE_SUFFIXES - _OF_SEVERAL))
"""Of the files that can be sent: slides in one file."""
"""Formats in which a slide is several files."""


@dataclass
class Upload:
    """A slide on its way: its name, its size in bytes, where it is written, and what of it is there."""

    id: str
    name: str
    size: int
    part: Path
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def received(self) -> int:
        """Bytes that are on disk."""
        return self.part.stat().st_size if self.part.is_file() else 0


class Uploads:
    """The slides on their way to a study."""

    def __init__(self) -> None:
        self._known: dict[str, Upload] = {}

    def begin(self, folder: Path, name: str, size: int, *, changed_ms: int) -> Upload:
        """Begin an upload, or go on with that of the same file: by its name, size and time of change.

        Raises
        ------
        Refusal
            If it is no slide in one file, there is one of its name, or the disk has no room.
        """
        safe = safe_name(last_part(name))
        suffix = Path(safe).suffix.casefold()
        if suffix in _OF_SEVERAL:
            mend = "put it with all its files into the folder of the slides, and choose it there"
            raise invalid(f"a slide of the format {suffix} is several files", field="name", mend=mend)
        if suffix not in SENT_SUFFIXES or safe.startswith("."):
            mend = f"slides are {', '.join(SENT_SUFFIXES)}"
            raise invalid("this is no name of a slide", field="name", mend=mend)
        if (folder / safe).exists():
            mend = "choose it among the files of the folder, or rename yours"
            raise Refusal(409, "conflict", f"the folder of the slides has a file {safe!r} already", mend=mend)
        id_ = hashlib.sha256(f"{safe}\0{size}\0{changed_ms}".encode()).hexdigest()[:16]
        upload = self._known.setdefault(id_, Upload(id_, safe, size, folder / f".{id_}.upload"))
        if shutil.disk_usage(folder).free < size - upload.received + _SPARE_BYTES:
            what = "the disk of the slides has no room for this slide"
            raise Refusal(507, "disk_full", what, mend="free space there and begin again")
        return upload

    def get(self, id_: str) -> Upload:
        """Return an upload that was begun.

        Raises
        ------
        Refusal
            If there is none; begin it again and it goes on.
        """
        found = self._known.get(id_)
        if found is None:
            raise no_such("upload")
        return found

    def append(self, upload: Upload, offset: int, content: bytes, *, sha256: str | None) -> int:
        """Write the next piece and return how many bytes are there; one that is there already is left alone.

        Raises
        ------
        Refusal
            If a piece is missing before it, it is too much or damaged, or cannot be written.
        """
        if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
            raise Refusal(422, "damaged", "this piece was damaged on its way", mend="send it again")
        with upload.lock:
            received = upload.received
            if offset + len(content) <= received:
                return received
            if offset != received or offset + len(content) > upload.size:
                what = f"the next piece begins at byte {received}"
                raise Refusal(409, "conflict", what, mend="go on from there", received=received)
            with _written():
                _append(upload.part, content)
            return received + len(content)

    def finish(self, upload: Upload) -> Path:
        """Give a whole file its name and return its path; a second time too.

        Raises
        ------
        Refusal
            If a piece is missing, or something has the name.
        """
        path = upload.part.with_name(upload.name)
        with upload.lock:
            if not upload.part.exists() and path.is_file() and path.stat().st_size == upload.size:
                return path
            if upload.received != upload.size:
                what = f"{upload.received} of {upload.size} bytes are there"
                raise Refusal(409, "conflict", what, mend="go on from there", received=upload.received)
            try:
                with _written():
                    publish(upload.part, path)
                    sync_directory(path.parent)
            except FileExistsError:
                what = f"the folder of the slides has a file {upload.name!r} already"
                raise Refusal(409, "conflict", what, mend="rename yours") from None
        return path

    def drop(self, upload: Upload) -> None:
        """Forget an upload and take away what is there of it."""
        with upload.lock:
            upload.part.unlink(missing_ok=True)
        self._known.pop(upload.id, None)


def _append(path: Path, content: bytes) -> None:
    before = path.stat().st_size if path.exists() else 0
    with path.open("ab") as stream:
        try:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        except OSError:
            os.truncate(path, before)  # half a piece would shift all that follow
            raise


@contextmanager
def _written() -> Iterator[None]:
    """Say in words what a disk refuses."""
    try:
        yield
    except FileExistsError:
        raise
    except OSError as error:
        what = f"the folder of the slides cannot be written ({error.strerror})"
        mend = "see to its permissions; the upload goes on where it is"
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            what, mend = "the disk of the slides is full", "free space there; the upload goes on where it is"
        raise Refusal(507, "disk_full", what, mend=mend) from None
