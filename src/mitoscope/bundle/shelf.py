"""The bundles inside the package."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Final

from mitoscope.errors import BundleNotFoundError

DEFAULT: Final = "cascade"
"""The bundle that is used when none is named."""

MANIFEST_NAME: Final = "manifest.json"


def shelf() -> Path:
    """Return the folder of the bundles inside the package."""
    return Path(str(files("mitoscope.bundle"))) / "shipped"


def shipped() -> tuple[str, ...]:
    """Return the names of the bundles inside the package, the default first."""
    names = sorted(path.parent.name for path in shelf().glob(f"*/{MANIFEST_NAME}"))
    return tuple(sorted(names, key=lambda name: name != DEFAULT))


def find_bundle(name_or_path: str | Path) -> Path:
    """Return the folder of a shipped bundle or of a bundle at a path.

    Raises
    ------
    BundleNotFoundError
        Naming the bundles that there are.
    """
    known = shipped()
    if isinstance(name_or_path, str) and name_or_path in known:
        return shelf() / name_or_path
    path = Path(name_or_path)
    if path.is_dir():
        return path
    listed = ", ".join(known) if known else "none are shipped"
    raise BundleNotFoundError(
        f"no model bundle {str(name_or_path)!r}",
        mend=f"known: {listed}; or give the path of a bundle's folder",
    )
