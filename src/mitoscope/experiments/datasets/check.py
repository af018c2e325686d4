"""What is missing from a data folder, what is too much, and what is wrong with the rest."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mitoscope.errors import FormatError, SlideError, UnknownLabelError
from mitoscope.experiments.datasets.match import (
    DataFolder,
    FoundFile,
    Match,
    differences,
    home_of,
    match_dataset,
    read_folder,
    stem_of,
)
from mitoscope.experiments.datasets.receipt import NAME as RECEIPT
from mitoscope.experiments.datasets.receipt import holds, read_receipt
from mitoscope.experiments.datasets.record import Dataset, FileKind, datasets
from mitoscope.remote import PART_SUFFIX

Reporting = Callable[[float, float], None]
ASSUMED_MPP = 0.25
"""µm/px taken for images that state none: whether a file opens does not depend on it."""
PATIENCE_S = 60.0
"""Seconds in which a file opens; more than for one slide, since several are opened at a time."""
_THREADS = min(4, os.cpu_count() or 1)


@dataclass(frozen=True, slots=True)
class Fault:
    """A file that cannot be used, and why."""

    path: PurePosixPath
    why: str


@dataclass(frozen=True, slots=True)
class DatasetSurvey:
    """A data folder compared with what is published.

    Parameters
    ----------
    dataset : Dataset
        The data set.
    root : Path
        The folder that was named.
    home : PurePosixPath
        Where in it the data set lies.
    matches : tuple of Match
        Group by group, what is there and what is missing.
    layout : tuple of str
        How the layout differs; files are found all the same.
    extra : tuple of PurePosixPath
        Files that are no part of the data set.
    unfinished : tuple of PurePosixPath
        Downloads that were not finished.
    unreadable, wrong : tuple of Fault
        Files that do not open; files of another size or content than published or received.
    looks_like : str or None
        Another data set that the folder rather holds.
    """

    dataset: Dataset
    root: Path
    home: PurePosixPath
    matches: tuple[Match, ...]
    layout: tuple[str, ...]
    extra: tuple[PurePosixPath, ...]
    unfinished: tuple[PurePosixPath, ...]
    unreadable: tuple[Fault, ...]
    wrong: tuple[Fault, ...]
    looks_like: str | None

    @property
    def duplicates(self) -> dict[str, tuple[FoundFile, ...]]:
        """Names by which several files go."""
        return {name: files for match in self.matches for name, files in match.duplicates.items()}

    @property
    def is_sound(self) -> bool:
        """Whether all that is needed is there, once, and can be read."""
        complete = all(match.is_complete or match.optional for match in self.matches)
        return complete and not (self.duplicates or self.unfinished or self.unreadable or self.wrong)


def check_dataset(
    dataset: Dataset,
    root: Path,
    *,
    opening: bool = True,
    checksums: bool = False,
    report: Reporting,
) -> DatasetSurvey:
    """Compare a folder with a data set.

    Parameters
    ----------
    dataset : Dataset
        What should be there.
    root : Path
        The folder, or one that holds it.
    opening : bool
        Open every image and look at every file of annotations.
    checksums : bool
        Read every byte of the files whose checksum is known.
    report : callable
        Called with the number of files opened and that of all.

    Raises
    ------
    InputError
        If the folder cannot be listed.
    ConfigError
        If its receipt is damaged.
    """
    folder = read_folder(root)
    matches = match_dataset(dataset, folder)
    home = home_of(dataset, matches)
    return DatasetSurvey(
        dataset=dataset,
        root=root,
        home=home,
        matches=matches,
        layout=differences(dataset, folder, matches, home),
        extra=_extra(dataset, folder, matches, home),
        unfinished=_unfinished(dataset, folder, matches),
        unreadable=_unreadable(root, matches, report) if opening else _lost(matches),
        wrong=tuple(_wrong(dataset, root, matches, checksums)),
        looks_like=None if any(match.found for match in matches) else _likely(folder),
    )


def _found(matches: tuple[Match, ...]) -> Iterator[tuple[Match, FoundFile]]:
    for match in matches:
        for file in match.found.values():
            yield match, file
        if match.table is not None:
            yield match, match.table


def _extra(
    dataset: Dataset, folder: DataFolder, matches: tuple[Match, ...], home: PurePosixPath
) -> tuple[PurePosixPath, ...]:
    if not any(True for _ in _found(matches)):
        return ()
    known = {file.path for _, file in _found(matches)}
    known |= {file.path for match in matches for files in match.duplicates.values() for file in files}
    known |= {PurePosixPath(path) for match in matches for path in match.found}
    beside = {
        (file.path.parent, stem_of(file.path.name))
        for match, file in _found(matches)
        if match.key in dataset.files and match.kind is FileKind.IMAGE
    }
    archives = {archive.name for archive in dataset.archives}
    return tuple(
        file.path
        for file in folder.files
        if file.path.is_relative_to(home)
        and file.path not in known
        and file.path.suffix != PART_SUFFIX
        and file.path.name not in {RECEIPT, *archives}
        and not (file.is_image and (file.path.parent, stem_of(file.path.name)) in beside)
    )


def _unfinished(
    dataset: Dataset, folder: DataFolder, matches: tuple[Match, ...]
) -> tuple[PurePosixPath, ...]:
    wanted = {name for match in matches for name in match.expected} | {
        archive.name for archive in dataset.archives
    }
    return tuple(
        file.path
        for file in folder.files
        if file.path.suffix == PART_SUFFIX and file.path.name.removesuffix(PART_SUFFIX) in wanted
    )


def _lost(matches: tuple[Match, ...]) -> tuple[Fault, ...]:
    """Return the links that lead nowhere and the files of no bytes."""
    empty = [file for match, file in _found(matches) if match.kind is FileKind.IMAGE and file.size_bytes == 0]
    gone = [file for _, file in _found(matches) if file.size_bytes < 0]
    return (
        *(Fault(file.path, "is a link that leads nowhere") for file in gone),
        *(Fault(file.path, "is empty (0 bytes)") for file in empty),
    )


def _unreadable(root: Path, matches: tuple[Match, ...], report: Reporting) -> tuple[Fault, ...]:
    """Open all files, several at a time, and say how far that is."""
    files, found = list(_found(matches)), []
    with ThreadPoolExecutor(_THREADS) as pool:
        try:
            reasons = pool.map(lambda pair: _reason(root, *pair), files)
            for done, ((_, file), why) in enumerate(zip(files, reasons, strict=True), start=1):
                found += [Fault(file.path, why)] if why else []
                report(done, len(files))
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
    return tuple(found)


def _reason(root: Path, match: Match, file: FoundFile) -> str | None:
    if file is match.table:
        return table_fault(root / file.path)
    if match.kind is FileKind.IMAGE:
        return image_fault(root / file.path)
    return annotations_fault(root / file.path, match.format)


def _wrong(dataset: Dataset, root: Path, matches: tuple[Match, ...], checksums: bool) -> Iterator[Fault]:
    receipt = read_receipt(root, dataset.name)
    received = {} if receipt is None else receipt.files
    for match, file in _found(matches):
        known = received.get(file.path.as_posix())
        published = dataset.files[match.key].checksums if match.key in dataset.files else {}
        expected = [published[file.path.name]] if file.path.name in published else []
        if known is not None and known.size_bytes != file.size_bytes:
            yield Fault(file.path, f"has {file.size_bytes:,} bytes, {known.size_bytes:,} were downloaded")
        elif checksums:
            expected += [] if known is None else [f"sha256:{known.sha256}"]
            if not all(holds(root / file.path, checksum) for checksum in expected):
                yield Fault(file.path, "has another content than was published or downloaded")


def _likely(folder: DataFolder) -> str | None:
    """Return the data set of which most is there."""
    shares = {}
    for dataset in datasets():
        matches = [match for match in match_dataset(dataset, folder) if match.kind is FileKind.IMAGE]
        wanted = sum(match.count or len(match.expected) for match in matches)
        shares[dataset.name] = sum(len(match.found) for match in matches) / max(1, wanted)
    best = max(shares, key=lambda name: shares[name])
    return best if shares[best] > 0 else None


def image_fault(path: Path) -> str | None:
    """Return why an image cannot be opened, or None. Plain images are decoded as a whole."""
    from mitoscope.slide import open_slide
    from mitoscope.slide.probe import probe_slide

    if path.suffix.casefold() == ".bmp":
        return "is BMP, which mitoscope does not read: save it as PNG beside it"
    try:
        probe_slide(path, time_limit_s=PATIENCE_S)
        with open_slide(path, mpp=ASSUMED_MPP, probe=False):
            return None
    except SlideError as error:
        return error.what


def annotations_fault(path: Path, format_name: str | None) -> str | None:
    """Return why a file of annotations is not of its format, or None. One of no bytes holds no figures."""
    from mitoscope.exchange import Content, find_format

    try:
        content = Content(path)
        if format_name is None or not content.head.strip():
            return None
        return None if find_format(format_name).recognises(content) else f"is not of the format {format_name}"
    except FormatError as error:
        return error.what


def table_fault(path: Path) -> str | None:
    """Return why a table of the labels of all images cannot be read, or None."""
    from mitoscope.exchange import read_ground_truth
    from mitoscope.labels import LabelMapping

    try:
        read_ground_truth(path, mapping=LabelMapping())
    except UnknownLabelError:
        return None  # a class of its own is no fault
    except FormatError as error:
        return error.what
    return None
