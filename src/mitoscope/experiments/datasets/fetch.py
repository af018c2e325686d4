"""One file from the web: continued where it was cut, believed only when it is whole."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

from mitoscope.errors import IncompleteRunError, OutputError
from mitoscope.experiments.datasets.receipt import Received, compute, holds
from mitoscope.experiments.datasets.web import Answer, CutError, Patience, ask
from mitoscope.fsio import make_directory, sync_directory
from mitoscope.written import sha256_file

PART_SUFFIX = ".part"
"""Of a download that is not finished."""
ASIDE_SUFFIX = ".rejected"
"""Of a download that was not what it should be."""
_BLOCK_BYTES = 1 << 18
Told = Callable[[str], None]
Counted = Callable[[int, int | None], None]
"""Called with the bytes that are there and, where known, those of the whole file."""


class PartFile:
    """The bytes that have come of a file, kept under its name with ``.part`` until all have.

    Beside them lies, before the first byte is written, of which address and version they are. Bytes are only
    ever added, so that whatever ends the process, what is there is a beginning of that version.

    Parameters
    ----------
    target : Path
        Name of the whole file.
    url : str
        Where it comes from; what came from another address is not continued.
    """

    def __init__(self, target: Path, url: str) -> None:
        self._target, self._url = target, url
        self.path = target.with_name(f"{target.name}{PART_SUFFIX}")
        self._about = target.with_name(f".{target.name}{PART_SUFFIX}.json")
        self._stream: BinaryIO | None = None
        self.validator: str | None = None
        self.total: int | None = None
        self.size = 0

    def __enter__(self) -> Self:
        try:
            about = json.loads(self._about.read_text(encoding="utf-8"))
            if about["url"] == self._url and about["validator"]:
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
        about = {"url": self._url, "validator": validator, "total": total}
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
                mend="free space or choose another folder with --data; what has come is kept",
            ) from None

    def _close(self) -> None:
        if self._stream is not None:
            with suppress(OSError):
                self._stream.close()
            self._stream = None


@dataclass(frozen=True, slots=True)
class Order:
    """A file to be fetched.

    Parameters
    ----------
    path : str
        Below the data folder.
    url : str
        Where it is.
    size_bytes, checksum : int, str, optional
        As published.
    """

    path: str
    url: str
    size_bytes: int | None = None
    checksum: str | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """A file that did not come, though the server answered; others may."""

    path: str
    why: str


def fetch(
    order: Order, target: Path, *, patience: Patience, count: Counted, tell: Told
) -> Received | Rejected:
    """Fetch a file; go on with what an earlier try left.

    Parameters
    ----------
    order : Order
        What and from where.
    target : Path
        Name of the whole file; it appears at the end, at once.
    patience : Patience
        With a server that cannot.
    count : callable
        Told of every block.
    tell : callable
        Told, in a line, of what the user should know.

    Raises
    ------
    IncompleteRunError
        If the server cannot be reached; what has come is kept.
    OutputError
        If the file cannot be written; what has come is kept.
    """
    make_directory(target.parent)
    failures, most = 0, 0
    with PartFile(target, order.url) as part:
        while True:
            try:
                refusal = _receive(order, part, patience.timeout_s, count=count, tell=tell)
            except CutError as cut:
                failures = 1 if part.size > most else failures + 1
                most = max(most, part.size)
                if failures >= patience.tries:
                    raise _unreachable(order, cut.why, part.size) from None
                if failures > 1:
                    tell(f"{order.path}: {cut.why}; try {failures + 1} of {patience.tries}")
                patience.wait(failures, cut.after_s)
                continue
            return _believe(order, part) if refusal is None else Rejected(order.path, refusal)


def _unreachable(order: Order, why: str, size: int) -> IncompleteRunError:
    kept = f"; {size:,} bytes of {order.path} are kept" if size else ""
    return IncompleteRunError(
        f"cannot be fetched ({why}){kept}",
        where=order.url,
        mend="check the connection; the same command goes on where it stopped",
    )


def _receive(order: Order, part: PartFile, timeout_s: float, *, count: Counted, tell: Told) -> str | None:
    """Receive what is still missing; return why the server does not give it, or None."""
    if part.can_go_on and part.size == part.total:
        return None
    before = part.size if part.can_go_on else 0
    headers = {"Range": f"bytes={before}-", "If-Range": part.validator or ""} if before else {}
    with ask(order.url, headers, timeout_s=timeout_s) as answer:
        if before and answer.status == 416:
            part.discard()
            raise CutError("has fewer bytes than have come")
        refusal = _refusal(answer)
        if refusal is not None:
            return refusal
        if answer.status == 206:
            _check_range(answer, part)
        else:
            if before:
                tell(_begun_anew(order, part, answer))
            part.begin(answer.validator, answer.length)
        _pour(answer, part, count)
        published = order.size_bytes is not None or order.checksum is not None
        if not (answer.ends_surely or published):
            return f"nothing says whether it is whole; kept aside as {part.set_aside().name}"
    return None


def _refusal(answer: Answer) -> str | None:
    if answer.status not in (200, 206):
        return f"the server answers {answer.status} {answer.reason}".rstrip()
    if answer.headers.get_content_type() == "text/html":
        return "the server answers with a web page instead of the file"
    return None


def _check_range(answer: Answer, part: PartFile) -> None:
    """Begin anew when the part that came is not the one that was asked for."""
    stated = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", answer.headers.get("Content-Range", ""))
    if stated is None or int(stated[1]) != part.size or int(stated[2]) != (part.total or int(stated[2])):
        part.discard()
        raise CutError("answers with another part of the file than was asked for")
    part.total = int(stated[2])


def _begun_anew(order: Order, part: PartFile, answer: Answer) -> str:
    same = answer.validator == part.validator
    why = "the server does not continue downloads" if same else "the file has changed on the server"
    return f"{order.path}: {why}; begun anew"


def _pour(answer: Answer, part: PartFile, count: Counted) -> None:
    count(part.size, part.total)
    while block := answer.read_block(_BLOCK_BYTES):
        part.add(block)
        count(part.size, part.total)
    if part.total is not None and part.size < part.total:
        raise CutError(f"the connection was cut after {part.size:,} of {part.total:,} bytes")


def _believe(order: Order, part: PartFile) -> Received | Rejected:
    """Give a whole file its name, if it is what is published."""
    if part.size == 0:
        part.discard()
        return Rejected(order.path, "the server answers with an empty file")
    if order.size_bytes not in (None, part.size):
        why = f"{part.size:,} bytes came, {order.size_bytes:,} are published"
        return Rejected(order.path, f"{why}; kept aside as {part.set_aside().name}")
    if order.checksum is not None and not holds(part.path, order.checksum):
        kind = order.checksum.partition(":")[0]
        why = f"its {kind.upper()} is {compute(part.path, kind)[len(kind) + 1 :]}, another one is published"
        return Rejected(order.path, f"{why}; kept aside as {part.set_aside().name}")
    received = Received(
        url=order.url, size_bytes=part.size, sha256=sha256_file(part.path), checked=order.checksum
    )
    part.finish()
    return received
