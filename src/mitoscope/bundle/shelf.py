"""The user's shelf: bundles that were fetched or unpacked, found by their names.

Each lies in ``NAME/VERSION`` below ``MITOSCOPE_BUNDLES``, or below ``bundles`` in the user's data folder.
A name that is shipped means the shipped bundle; ``NAME@VERSION`` is always one of the shelf.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mitoscope.errors import ConfigError
from mitoscope.written import data_folder

FOLDER_VARIABLE: Final = "MITOSCOPE_BUNDLES"
_MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Shelved:
    """A bundle on the shelf, by where it lies; `load_bundle` says whether it is whole."""

    name: str
    version: str
    folder: Path


def shelf_folder() -> Path:
    """Return the folder of the shelf, which need not be there.

    Raises
    ------
    ConfigError
        If there is no home folder and none is named.
    """
    if named := os.environ.get(FOLDER_VARIABLE):
        return Path(named)
    if (own := data_folder()) is None:
        raise ConfigError("there is no home folder for bundles", mend=f"name a folder with {FOLDER_VARIABLE}")
    return own / "bundles"


def place_on_shelf(name: str, version: str) -> Path:
    """Return where a bundle is to lie."""
    return shelf_folder() / name / version


def shelved_bundles() -> tuple[Shelved, ...]:
    """Return what is on the shelf: by name, the newest version of each first."""
    try:
        folder = shelf_folder()
    except ConfigError:
        return ()
    found = [
        Shelved(path.parent.parent.name, path.parent.name, path.parent)
        for path in folder.glob(f"*/*/{_MANIFEST}")
        if _NAME.fullmatch(path.parent.parent.name)
    ]
    found.sort(key=lambda one: _order(one.version), reverse=True)
    return tuple(sorted(found, key=lambda one: one.name))


def find_shelved(name: str) -> Shelved | None:
    """Return the newest bundle of a name, or the one of ``NAME@VERSION``; None where there is none."""
    name, _, version = name.partition("@")
    if not _NAME.fullmatch(name):
        return None
    return next(
        (bundle for bundle in shelved_bundles() if bundle.name == name and version in ("", bundle.version)),
        None,
    )


def _order(version: str) -> tuple[tuple[int, ...], bool, str]:
    """Return what versions are compared by: 1.10.0 is newer than 1.9.0, and than 1.10.0-rc1."""
    numbers = re.match(r"\d+\.\d+\.\d+", version)
    if numbers is None:
        return (), False, version
    rest = version[numbers.end() :]
    return tuple(map(int, numbers[0].split("."))), not rest.startswith("-"), rest
