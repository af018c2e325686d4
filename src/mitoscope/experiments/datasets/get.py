"""Downloading a data set: what is there is kept, what is cut goes on, what is wrong is said."""

from __future__ import annotations

import shutil
import stat
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from mitoscope.errors import FormatError, InputError, OutputError
from mitoscope.experiments.datasets.fetch import Order, Rejected, fetch
from mitoscope.experiments.datasets.match import match_dataset, read_folder
from mitoscope.experiments.datasets.receipt import Receipt, Received, holds, read_receipt, write_receipt
from mitoscope.experiments.datasets.record import Archive, Dataset
from mitoscope.fsio import atomic_write, exclusive_lock, make_directory, safe_join
from mitoscope.remote import PART_SUFFIX, Patience, Told

Reporting = Callable[[float, float], None]


@dataclass(slots=True)
class Delivered:
    """What became of the files of a data set.

    Parameters
    ----------
    received, present : list of str
        Paths of files that came, and that were there already.
    rejected : list of Rejected
        Files that did not come, or not as they should be.
    unpacked : int
        Files that were unpacked.
    """

    received: list[str] = field(default_factory=list)
    present: list[str] = field(default_factory=list)
    rejected: list[Rejected] = field(default_factory=list)
    unpacked: int = 0


@dataclass(frozen=True, slots=True)
class Gauge:
    """How far a download is: in bytes where all sizes are published, else in files and parts of one.

    Parameters
    ----------
    orders : sequence of Order
        All files.
    report : callable
        Called with the amount done and the amount in all, in `unit`.
    """

    orders: Sequence[Order]
    report: Reporting

    @property
    def unit(self) -> str:
        """Of the amounts."""
        return "GB" if all(order.size_bytes for order in self.orders) else "files"

    def at(self, place: int, size: int, total: int | None) -> None:
        """Report a number of files as done and some bytes of the next."""
        sizes = [order.size_bytes or 0 for order in self.orders]
        if self.unit == "GB":
            self.report((sum(sizes[:place]) + size) / 1e9, sum(sizes) / 1e9)
        else:
            self.report(place + (min(1.0, size / total) if total else 0.0), float(len(sizes)))


def get_dataset(
    dataset: Dataset,
    root: Path,
    orders: Sequence[Order],
    *,
    accepted: bool,
    patience: Patience,
    report: Reporting,
    tell: Told,
) -> Delivered:
    """Fetch files of a data set into a folder.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    root : Path
        The folder; it is made where there is none.
    orders : sequence of Order
        What to fetch, see `orders`.
    accepted : bool
        Whether the user accepts the licence. Without it nothing is asked of any server.
    patience : Patience
        With servers that cannot.
    report : callable
        Progress, in the unit of `Gauge`.
    tell : callable
        Told, in a line each, of what the user should know.

    Raises
    ------
    InputError
        If the licence is not accepted.
    IncompleteRunError
        If a server cannot be reached; what has come is kept and the same call goes on.
    OutputError
        If there is no room, a file cannot be written, or another process downloads into the folder.
    """
    check_accepted(dataset, accepted)
    gauge, got = Gauge(orders, report), Delivered()
    with _held(root):
        receipt = read_receipt(root, dataset.name) or Receipt(
            dataset=dataset.name, licence=dataset.licence.name
        )
        _check_room(root, orders)
        for place, order in enumerate(orders):
            gauge.at(place, 0, None)
            target = safe_join(root, order.path)
            outcome: Received | Rejected | None = None
            if target.exists():
                if why := _not_the_same(target, order, receipt.files.get(order.path)):
                    outcome = Rejected(order.path, f"{why}; move it away and repeat the command")
            elif not _was_unpacked(dataset, root, order):
                count = partial(gauge.at, place)
                outcome = fetch(order, target, patience=patience, count=count, tell=tell)
            if isinstance(outcome, Received):
                receipt = receipt.model_copy(update={"files": {**receipt.files, order.path: outcome}})
                write_receipt(root, receipt)
                got.received.append(order.path)
            elif isinstance(outcome, Rejected):
                tell(f"{outcome.path}: {outcome.why}")
                got.rejected.append(outcome)
            else:
                got.present.append(order.path)
        gauge.at(len(orders), 0, None)
        got.unpacked = sum(unpack(root / archive.name) for archive in _packed(dataset, root, orders))
    return got


def check_accepted(dataset: Dataset, accepted: bool) -> None:
    """Refuse to go on without the licence.

    Raises
    ------
    InputError
        If it is not accepted.
    """
    if not accepted:
        raise InputError(
            f"its licence ({dataset.licence.name}) has not been accepted",
            where=dataset.name,
            mend="read what it asks and forbids, then repeat with --accept-licence",
        )


@contextmanager
def _held(root: Path) -> Iterator[None]:
    """Make the folder and keep other processes from downloading into it; name the option of this command."""
    try:
        make_directory(root)
        with exclusive_lock(root / ".mitoscope-get.lock"):
            yield
    except OutputError as error:
        mend = error.mend and error.mend.replace("--out", "--data")
        raise OutputError(error.what, where=error.where, mend=mend) from None


def _was_unpacked(dataset: Dataset, root: Path, order: Order) -> bool:
    archive = next((archive for archive in dataset.archives if archive.name == order.path), None)
    return archive is not None and _is_unpacked(dataset, archive, root)


def _not_the_same(target: Path, order: Order, received: Received | None) -> str | None:
    """Return in what a file that is there differs from the one published or received, or None."""
    size = target.stat().st_size
    wanted = order.size_bytes if order.size_bytes is not None else received and received.size_bytes
    if wanted is not None and size != wanted:
        return f"a file of {size:,} bytes is in its place, {wanted:,} are expected"
    # What was received was believed then; what was brought by hand is looked at now.
    if received is None and order.checksum is not None and not holds(target, order.checksum):
        return "a file of another content is in its place"
    return None


def _check_room(root: Path, orders: Sequence[Order]) -> None:
    needed = sum(_still_missing(root, order) for order in orders)
    free = shutil.disk_usage(root).free
    if needed > free:
        raise OutputError(
            f"{needed / 1e9:.1f} GB are still to come, {free / 1e9:.1f} GB are free",
            where=root,
            mend="free space, choose another folder with --data, or fetch a part with --only",
        )


def _still_missing(root: Path, order: Order) -> int:
    target = safe_join(root, order.path)
    part = target.with_name(f"{target.name}{PART_SUFFIX}")
    there = next((path.stat().st_size for path in (target, part) if path.exists()), 0)
    return max(0, (order.size_bytes or 0) - there)


def _packed(dataset: Dataset, root: Path, orders: Sequence[Order]) -> list[Archive]:
    wanted = {order.path for order in orders}
    return [
        archive
        for archive in dataset.archives
        if archive.name in wanted
        and (root / archive.name).exists()
        and not _is_unpacked(dataset, archive, root)
    ]


def _is_unpacked(dataset: Dataset, archive: Archive, root: Path) -> bool:
    matches = match_dataset(dataset, read_folder(root))
    return all(match.is_complete for match in matches if match.key in archive.unpacks)


def unpack(archive: Path) -> int:
    """Unpack the files of an archive beside it and return how many were new.

    Parameters
    ----------
    archive : Path
        A ZIP file.

    Raises
    ------
    InputError
        If a name leads out of the folder.
    FormatError
        If it is no ZIP archive, or a file in it is damaged.
    OutputError
        If there is no room for its files, or they cannot be written.
    """
    try:
        with zipfile.ZipFile(archive) as packed:
            members = [member for member in packed.infolist() if not member.is_dir()]
            targets = [safe_join(archive.parent, member.filename) for member in members]
            _check_unpacked_fits(archive, members)
            return sum(
                _unpack_member(packed, member, target)
                for member, target in zip(members, targets, strict=True)
            )
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise FormatError(
            f"is damaged ({error})", where=archive, mend="remove it and repeat the command"
        ) from None


def _check_unpacked_fits(archive: Path, members: list[zipfile.ZipInfo]) -> None:
    needed, free = sum(member.file_size for member in members), shutil.disk_usage(archive.parent).free
    if needed > free:
        raise OutputError(
            f"{needed / 1e9:.1f} GB are needed to unpack it, {free / 1e9:.1f} GB are free",
            where=archive,
            mend="free space and repeat the command",
        )


def _unpack_member(packed: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path) -> bool:
    if stat.S_ISLNK(member.external_attr >> 16):
        raise FormatError(f"holds a link, {member.filename!r}", where=str(packed.filename))
    if target.exists() and target.stat().st_size == member.file_size:
        return False
    make_directory(target.parent)
    with packed.open(member) as source, atomic_write(target) as stream:
        shutil.copyfileobj(source, stream)
    return True
