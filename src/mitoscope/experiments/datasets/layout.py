"""How a folder differs in layout from what is published; none of it keeps the data from being read."""

from __future__ import annotations

import os.path
from collections import Counter
from pathlib import PurePosixPath

from mitoscope.experiments.datasets.folder import DataFolder, FoundFile, path_pattern
from mitoscope.experiments.datasets.match import Match, stem_of
from mitoscope.experiments.datasets.record import Dataset, FileGroup, Kind

PACKED = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})
"""Suffixes of archives."""


def home_of(dataset: Dataset, matches: tuple[Match, ...]) -> PurePosixPath:
    """Return the folder in which the data set lies, below the one that was named."""
    homes = {home for one in matches for home in _homes(dataset, one)}
    return PurePosixPath(os.path.commonpath(homes) or ".") if homes else PurePosixPath()


def _homes(dataset: Dataset, match: Match) -> set[str]:
    counted = dataset.counted.get(match.key)
    if counted is not None:
        glob = path_pattern(counted.glob.replace("{unit}", "*"))
        begins = (glob.fullmatch(path) for path in match.found)
        return {one["home"].rstrip("/") for one in begins if one is not None}
    inner = dataset.files[match.key].folder
    found = [*match.found.values(), *([match.table] if match.table else ())]
    return {_without(one.folder.as_posix(), inner) for one in found}


def _without(folder: str, inner: str) -> str:
    if folder == inner or folder == ".":
        return ""
    return folder.removesuffix(f"/{inner}") if inner else folder


def differences(
    dataset: Dataset, folder: DataFolder, matches: tuple[Match, ...], home: PurePosixPath
) -> tuple[str, ...]:
    """Return a sentence for each way in which the layout is another."""
    notes = [] if home == PurePosixPath() else [f"the data set lies in {home}"]
    for one in matches:
        if one.key in dataset.files:
            notes += _of_group(dataset.files[one.key], one, home)
    if not all(one.is_complete for one in matches):
        notes += [f"{one.path} is packed: unpack it where it lies" for one in _packed(folder, home)]
    return tuple(notes)


def _of_group(group: FileGroup, match: Match, home: PurePosixPath) -> list[str]:
    notes = []
    if match.numbered:
        first = match.expected[0]
        notes.append(f"{match.what} are numbered, {group.numbered_from} for {stem_of(first)} and so on")
    if match.table is not None:
        notes.append(f"{match.what} are in one table, {match.table.path}")
    published = PurePosixPath(match.expected[0]).suffix
    known = {published, *group.also, *([group.converted] if group.converted else ())}
    suffixes = Counter(one.path.suffix for one in match.found.values() if group.kind is Kind.IMAGE)
    for suffix, count in sorted(suffixes.items()):
        if suffix not in known:
            notes.append(
                f"{count} of the {match.what} are {suffix}, published as {published}:"
                " other pixels where the conversion lost some"
            )
    places = Counter(one.folder for one in match.found.values())
    for place, count in sorted(places.items()):
        if place != home / group.folder:
            wanted = group.folder or "the folder of the data set itself"
            notes.append(f"{count} of the {match.what} lie in {place}, not in {wanted}")
    return notes


def _packed(folder: DataFolder, home: PurePosixPath) -> list[FoundFile]:
    return [one for one in folder.files if one.path.suffix in PACKED and one.path.is_relative_to(home)]
