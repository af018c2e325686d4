"""Image names: one image goes by many names (``P0_01.webp``, ``fields/P0_01.tiff``, ``P0_01.csv``)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.image_names import IMAGE_SUFFIXES, stem

__all__ = ["IMAGE_SUFFIXES", "match_stems", "stem"]


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
