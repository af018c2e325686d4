"""The files of a folder against those of a data set: which are there, and how their layout differs."""

from __future__ import annotations

import os
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mitoscope.errors import InputError
from mitoscope.experiments.datasets.record import CountedGroup, Dataset, FileGroup, FileKind
from mitoscope.image_names import IMAGE_SUFFIXES, stem

PACKED = frozenset({".zip", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar"})
"""Suffixes of archives."""


@dataclass(frozen=True, slots=True)
class FoundFile:
    """A file of the folder.

    Parameters
    ----------
    path : PurePosixPath
        Below the folder.
    size_bytes : int
        -1 where the file cannot be asked for it: a link that leads nowhere.
    """

    path: PurePosixPath
    size_bytes: int

    @property
    def is_image(self) -> bool:
        """Whether its suffix is one of an image."""
        return self.path.suffix.casefold() in IMAGE_SUFFIXES


@dataclass(frozen=True)
class DataFolder:
    """All files of a data folder.

    Parameters
    ----------
    root : Path
        The folder.
    files : tuple of FoundFile
        By path; hidden ones are left out.
    """

    root: Path
    files: tuple[FoundFile, ...]
    _images: dict[str, list[FoundFile]] = field(default_factory=lambda: defaultdict(list), repr=False)
    _names: dict[str, list[FoundFile]] = field(default_factory=lambda: defaultdict(list), repr=False)

    def __post_init__(self) -> None:
        for file in self.files:
            self._names[file.path.name].append(file)
            if file.is_image:
                self._images[stem(file.path.name)].append(file)

    def images(self, name: str) -> list[FoundFile]:
        """Return the images that go by a name, of whatever format and in whatever folder."""
        return list(self._images.get(stem(name), ()))

    def named(self, name: str) -> list[FoundFile]:
        """Return the files of exactly that name, in whatever folder."""
        return list(self._names.get(name, ()))


def read_folder(root: Path) -> DataFolder:
    """List a data folder.

    Raises
    ------
    InputError
        If there is no such folder, or it cannot be listed.
    """
    if not root.is_dir():
        raise InputError("no such folder", where=root, mend="give the folder of the data set with --data")
    return DataFolder(root, tuple(sorted(_walk(root), key=lambda file: file.path)))


def _walk(root: Path) -> Iterator[FoundFile]:
    seen: set[tuple[int, int]] = set()
    for folder, inner, names in os.walk(root, followlinks=True, onerror=_refuse):
        status = Path(folder).stat()
        identity = (status.st_dev, status.st_ino)
        if identity in seen:  # a link that leads back
            inner.clear()
            continue
        seen.add(identity)
        inner[:] = [name for name in inner if not name.startswith(".")]
        below = PurePosixPath(Path(folder).relative_to(root).as_posix())
        for name in names:
            if not name.startswith("."):
                yield FoundFile(below / name, _size(Path(folder) / name))


def _refuse(error: OSError) -> None:
    raise InputError(
        f"cannot be listed ({error.strerror})", where=error.filename, mend="check its permissions"
    ) from None


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return -1


def path_pattern(glob: str) -> re.Pattern[str]:
    """Return a pattern of paths that end so: ``*`` stays within a name, ``**/`` is any number of folders.

    Its group ``home`` is the folder in which the pattern begins, with a slash at its end.
    """
    parts = re.split(r"(\*\*/|\*)", glob)
    known = {"**/": "(?:.*/)?", "*": "[^/]*"}
    return re.compile("(?P<home>(?:.*?/)?)" + "".join(known.get(part, re.escape(part)) for part in parts))


@dataclass(frozen=True, slots=True)
class Match:
    """The files of one group.

    Parameters
    ----------
    key : str
        Short name of the group.
    what : str
        What they are.
    kind : FileKind
        Images or annotations.
    expected : tuple of str
        Names, or units of a group whose names are not published.
    count : int or None
        How many files there are in the data set, where that is known.
    found : dict
        Published name, or path where that is not known → file.
    missing : tuple of str
        Names, or units of which there is no file; none where a table stands in their place.
    duplicates : dict
        Name → all files that go by it, where there are several.
    numbered : bool
        Whether images were found by their numbers and not their names.
    table : FoundFile or None
        One table that stands in place of the files.
    """

    key: str
    what: str
    kind: FileKind
    expected: tuple[str, ...]
    count: int | None
    found: dict[str, FoundFile]
    missing: tuple[str, ...]
    duplicates: dict[str, tuple[FoundFile, ...]]
    optional: bool
    format: str | None
    numbered: bool = False
    table: FoundFile | None = None

    @property
    def lacking(self) -> int:
        """How many files fewer than published there are, where names are not known."""
        return max(0, (self.count or 0) - len(self.found))

    @property
    def is_complete(self) -> bool:
        """Whether nothing is missing."""
        return self.table is not None or not (self.missing or self.lacking)


def match_dataset(dataset: Dataset, folder: DataFolder) -> tuple[Match, ...]:
    """Find the files of a data set in a folder, group by group."""
    listed = [_match_files(dataset, key, folder) for key in dataset.files]
    return (*listed, *(_match_counted(key, group, folder) for key, group in dataset.counted.items()))


def file_names(dataset: Dataset, key: str) -> tuple[str, ...]:
    """Return the published names of a group's files."""
    group = dataset.files[key]
    if group.named_as is None:
        return group.own_names()
    return tuple(f"{stem_of(name)}{group.suffix}" for name in file_names(dataset, group.named_as))


def stem_of(name: str) -> str:
    """Return a published name without its suffix."""
    return name.removesuffix(PurePosixPath(name).suffix)


def _match_files(dataset: Dataset, key: str, folder: DataFolder) -> Match:
    group, names = dataset.files[key], file_names(dataset, key)
    candidates = {name: _candidates(group, name, folder) for name in names}
    numbered = group.numbered_from is not None and not any(candidates.values())
    if numbered:
        first = group.numbered_from or 0
        candidates = {
            name: _candidates(group, f"{first + place}{PurePosixPath(name).suffix}", folder)
            for place, name in enumerate(names)
        }
    numbered = numbered and any(candidates.values())
    found = {name: files[0] for name, files in candidates.items() if files}
    table = _table(dataset, group, folder) if group.or_table and not found else None
    return Match(
        key=key,
        what=group.what,
        kind=group.kind,
        expected=names,
        count=len(names),
        found=found,
        missing=tuple(name for name in names if name not in found) if table is None else (),
        duplicates={name: tuple(files) for name, files in candidates.items() if len(files) > 1},
        optional=group.optional,
        format=group.format,
        numbered=numbered,
        table=table,
    )


def _table(dataset: Dataset, group: FileGroup, folder: DataFolder) -> FoundFile | None:
    """Return the table that lies nearest above the images that it is of."""
    if group.named_as is None:
        return None
    images = _match_files(dataset, group.named_as, folder).found.values()
    above = [
        file
        for file in folder.named(group.or_table or "")
        if any(image.path.is_relative_to(file.path.parent) for image in images)
    ]
    return max(above, key=lambda file: len(file.path.parts), default=None)


def _candidates(group: FileGroup, name: str, folder: DataFolder) -> list[FoundFile]:
    """Return the files that may be the one of a name, the likeliest first."""
    if group.kind is FileKind.ANNOTATIONS:
        files = [file for known in (name, *group.also_named) for file in folder.named(known)]
        return sorted(files, key=lambda file: _distance(file, name, group))
    files = [image for image in folder.images(name) if image.path.suffix not in group.beside]
    files.sort(key=lambda file: _distance(file, name, group))
    copies = {file.path.parent for file in files if file.path.suffix == group.converted}
    # A copy made for reading replaces the file it was made from.
    return [file for file in files if file.path.parent not in copies or file.path.suffix == group.converted]


def _distance(file: FoundFile, name: str, group: FileGroup) -> tuple[bool, bool, int, str]:
    elsewhere = not file.path.parent.as_posix().endswith(group.folder)
    return elsewhere, file.path.name != name, len(file.path.parts), file.path.as_posix()


def _match_counted(key: str, group: CountedGroup, folder: DataFolder) -> Match:
    units = group.all_units()
    found: dict[str, FoundFile] = {}
    missing = []
    for unit in units or ("",):
        files = _of_unit(group, unit, folder.files)
        found |= files
        if not files and units:
            missing.append(unit)
    return Match(
        key=key,
        what=group.what,
        kind=group.kind,
        expected=units,
        count=group.count,
        found=found,
        missing=tuple(missing),
        duplicates=_same_names(found),
        optional=group.optional,
        format=group.format,
    )


def _of_unit(group: CountedGroup, unit: str, files: Iterable[FoundFile]) -> dict[str, FoundFile]:
    pattern = path_pattern(group.glob.replace("{unit}", unit))
    published = PurePosixPath(group.glob).suffix
    found: dict[str, FoundFile] = {}
    for file in files:
        path = file.path
        if path.suffix == group.converted:
            path = path.with_suffix(published)
        if pattern.fullmatch(path.as_posix()):
            name = path.as_posix()
            found[name] = file if file.path.suffix == group.converted else found.get(name, file)
    return found


def _same_names(found: dict[str, FoundFile]) -> dict[str, tuple[FoundFile, ...]]:
    """Return what lies twice, in two copies of the data set: the same unit and name in two places."""
    places: dict[str, list[FoundFile]] = {}
    for path, file in found.items():
        places.setdefault("/".join(PurePosixPath(path).parts[-2:]), []).append(file)
    return {name: tuple(files) for name, files in places.items() if len(files) > 1}


def home_of(dataset: Dataset, matches: tuple[Match, ...]) -> PurePosixPath:
    """Return the folder in which the data set lies, below the one that was named."""
    homes = {home for match in matches for home in _homes(dataset, match)}
    return PurePosixPath(os.path.commonpath(homes) or ".") if homes else PurePosixPath()


def _homes(dataset: Dataset, match: Match) -> set[str]:
    counted = dataset.counted.get(match.key)
    if counted is not None:
        glob = path_pattern(counted.glob.replace("{unit}", "*"))
        begins = (glob.fullmatch(path) for path in match.found)
        return {begin["home"].rstrip("/") for begin in begins if begin is not None}
    inner = dataset.files[match.key].folder
    found = [*match.found.values(), *([match.table] if match.table else ())]
    return {_without(file.path.parent.as_posix(), inner) for file in found}


def _without(folder: str, inner: str) -> str:
    if folder == inner or folder == ".":
        return ""
    return folder.removesuffix(f"/{inner}") if inner else folder


def differences(
    dataset: Dataset, folder: DataFolder, matches: tuple[Match, ...], home: PurePosixPath
) -> tuple[str, ...]:
    """Return a sentence for each way in which the layout is another."""
    notes = [] if home == PurePosixPath() else [f"the data set lies in {home}"]
    for match in matches:
        if match.key in dataset.files:
            notes += _of_group(dataset.files[match.key], match, home)
    if not all(match.is_complete for match in matches):
        notes += [f"{file.path} is packed: unpack it where it lies" for file in _packed(folder, home)]
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
    suffixes = Counter(file.path.suffix for file in match.found.values() if group.kind is FileKind.IMAGE)
    for suffix, count in sorted(suffixes.items()):
        if suffix not in known:
            notes.append(
                f"{count} of the {match.what} are {suffix}, published as {published}:"
                " other pixels where the conversion lost some"
            )
    places = Counter(file.path.parent for file in match.found.values())
    for place, count in sorted(places.items()):
        if place != home / group.folder:
            wanted = group.folder or "the folder of the data set itself"
            notes.append(f"{count} of the {match.what} lie in {place}, not in {wanted}")
    return notes


def _packed(folder: DataFolder, home: PurePosixPath) -> list[FoundFile]:
    return [file for file in folder.files if file.path.suffix in PACKED and file.path.is_relative_to(home)]
