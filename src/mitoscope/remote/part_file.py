"""The beginning of a file that is still coming: kept, known by its version, continued later."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mitoscope.errors import OutputError
from mitoscope.fsio import sync_directory

PART_SUFFIX = ".part"
"""Of a download that is not finished."""
ASIDE_SUFFIX = ".rejected"
"""Of a download that was not what it should be."""
_MEND = "free space or choose another folder with --data; what has come is kept"


class PartFile:
    """The bytes that have come of a file, kept under its name with ``.part`` until all have.

    Beside them lies, before the first byte is written, of which address and version they are. Bytes are only
    ever added, so that whatever ends the process, what is there is a beginning of that version.

    Parameters
    ----------
    target : Path
        Name of the whole file.
    origin : str
        Where it comes from, without credentials; what came from another address is not continued.
    mend : str
        What to do where it cannot be written.
    """

    def __init__(self, target: Path, origin: str, *, mend: str = _MEND) -> None:
        self._target, self._origin, self._mend = target, origin, mend
        self.path = target.with_name(f"{target.name}{PART_SUFFIX}")
        self._about = target.with_name(f".{target.name}{PART_SUFFIX}.json")
        self._stream: BinaryIO | None = None
        self.validator: str | None = None
        self.total: int | None = None
        self.size = 0

    def __enter__(self) -> Self:
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
            if about["url"] == self._origin and about["validator"]:
                self.validator, self.total = str(about["validator"]), about["total"]
                self.size = self.path.stat().st_size
        except (OSError, ValueError, KeyError, TypeError):
            self.validator, self.total, self.size = None, None, 0
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._close()

    @property
    def can_go_on(self) -> bool:
        """Whether some bytes are there and it is known of which version."""
        return self.size > 0 and self.validator is not None

    def begin(self, validator: str | None, total: int | None) -> None:
        """Begin anew with a version of the file."""
        self._close()
        about = {"url": self._origin, "validator": validator, "total": total}
        with self._writing():
            self.path.unlink(missing_ok=True)
            self._about.write_text(json.dumps(about), encoding="utf-8")
        self.validator, self.total, self.size = validator, total, 0

    def add(self, block: bytes) -> None:
        """Add bytes at the end.

        Raises
        ------
        OutputError
            If they cannot be written; what was written before is kept.
        """
        with self._writing():
            if self._stream is None:
                self._stream = self.path.open("ab", buffering=0)
            written = 0
            while written < len(block):
                done = self._stream.write(block[written:]) or 0
                written += done
                self.size += done

    def finish(self) -> None:
        """Give the whole file its name."""
        with self._writing():
            if self._stream is None:
                self._stream = self.path.open("ab", buffering=0)
            os.fsync(self._stream.fileno())
            self._close()
            self.path.replace(self._target)
            self._about.unlink(missing_ok=True)
            sync_directory(self._target.parent)

    def set_aside(self) -> Path:
        """Keep what came under another name, so that the next try begins anew; return that name."""
        aside = self._target.with_name(f"{self._target.name}{ASIDE_SUFFIX}")
        with self._writing():
            self._close()
            self.path.replace(aside)
            self._about.unlink(missing_ok=True)
        self.size = 0
        return aside

    def discard(self) -> None:
        """Remove what came."""
        with self._writing():
            self._close()
            self.path.unlink(missing_ok=True)
            self._about.unlink(missing_ok=True)
        self.validator, self.total, self.size = None, None, 0

    @contextmanager
    def _writing(self) -> Iterator[None]:
        """Turn what the file system refuses into one error."""
        try:
            yield
        except OSError as error:
            raise OutputError(
                f"cannot be written ({error.strerror})",
                where=self.path,
                mend=self._mend,
            ) from None

    def _close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            self._stream = None
