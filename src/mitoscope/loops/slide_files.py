"""The files of a study's slides in a folder."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mitoscope.errors import FormatError
from mitoscope.exchange.names import stem


def find_slides(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return the file of each slide: of its name, or else the one of its stem.

    Raises
    ------
    FormatError
        If a slide has no file, or several that could be it.
    """
    if not folder.is_dir():
        raise FormatError("no such folder", where=folder, mend="give the folder of the slides with --slides")
    files = sorted(one for one in folder.rglob("*") if one.is_file() and not one.name.startswith("."))
    return {name: _find(name, files, folder) for name in names}


def _find(name: str, files: list[Path], folder: Path) -> Path:
    exact = [one for one in files if one.name == name]
    # A slide's stem is also that of what detect wrote beside it: only images are meant.
    alike = [one for one in files if stem(one.name) == stem(name) != one.name]
    found = exact or alike
    if not found:
        raise FormatError(
            f"no file of the slide {name!r}", where=folder, mend="add it, or give another --slides"
        )
    if len(found) > 1:
        both = f"{found[0].relative_to(folder)} and {found[1].relative_to(folder)}"
        raise FormatError(f"{both} may both be the slide {name!r}", where=folder, mend="remove one of them")
    return found[0]
