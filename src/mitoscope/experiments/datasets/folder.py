"""A data folder as it is: its files by path and by the name under which an image is known."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from mitoscope.errors import InputError
from mitoscope.image_names import IMAGE_SUFFIXES, stem

PART_SUFFIX = ".part"
"""Of a download that is not finished."""


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

    @property
    def folder(self) -> PurePosixPath:
        """The folder in which it lies."""
        return self.path.parent


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
