"""Names of image files: what of a name says how the image is stored, and what is its own."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PurePosixPath

from mitoscope.errors import FormatError

IMAGE_SUFFIXES = frozenset(
    {".bif", ".bmp", ".czi", ".dcm", ".gif", ".jp2", ".jpeg", ".jpg", ".mrxs", ".ndpi", ".png", ".ppm"}
    | {".scn", ".svs", ".svslide", ".tif", ".tiff", ".vms", ".vmu", ".vsi", ".webp"}
)
"""Suffixes that say how an image is stored; anything else after a dot belongs to its name."""


def stem(name: str) -> str:
    """Return the name under which an image is matched: without folders and without an image's suffix.

    The case of letters matters; ``case.1`` stays ``case.1``, ``case.1.svs`` becomes it.
    """
    return without_suffix(last_part(name))


def last_part(name: str) -> str:
    """Return the name of a file in a path, as any system writes it: Windows' are known everywhere."""
    return PurePosixPath(name.strip().replace("\\", "/")).name


def without_suffix(name: str) -> str:
    """Return a name without an image's suffix."""
    suffix = PurePosixPath(name).suffix
    return name.removesuffix(suffix) if suffix.casefold() in IMAGE_SUFFIXES else name


def match_stems(names: Iterable[str], *, where: str | Path) -> dict[str, str]:
    """Return the stem of each name.

    Raises
    ------
    FormatError
        If two names have one stem: they could not be told apart.
    """
    stems: dict[str, str] = {}
    owners: dict[str, str] = {}
    for name in names:
        stems[name] = stem(name)
        other = owners.setdefault(stems[name], name)
        if other != name:
            raise FormatError(
                f"the images {other!r} and {name!r} have one name, {stems[name]!r}",
                where=where,
                mend="rename one of them",
            )
    return stems
