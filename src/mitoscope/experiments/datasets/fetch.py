"""One file of a data set from the web, believed only when it is as published."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from mitoscope.experiments.datasets.receipt import Received, compute, holds
from mitoscope.fsio import make_directory
from mitoscope.remote import Counted, PartFile, Patience, Told, as_shown, download
from mitoscope.written import sha256_file


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
    UnreachableError
        If the server cannot be reached; what has come is kept.
    OutputError
        If the file cannot be written; what has come is kept.
    """
    make_directory(target.parent)
    with PartFile(target, as_shown(order.url)) as part:
        refusal = download(
            order.url,
            part,
            name=order.path,
            patience=patience,
            count=count,
            tell=tell,
            is_published=order.size_bytes is not None or order.checksum is not None,
        )
        return _believe(order, part) if refusal is None else Rejected(order.path, refusal)


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
