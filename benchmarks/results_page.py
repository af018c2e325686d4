"""The page of results that a benchmark writes: what it measures, in its own words, and what it found."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path


def write_page(path: Path, about: str | None, lines: Sequence[str]) -> None:
    """Write a page.

    Parameters
    ----------
    path : Path
    about : str
        The docstring of a script: its title, its usage, which is left out, and what else it says.
    lines : sequence of str
        Markdown.
    """
    title, _, *text = (about or "").split("\n\n")
    head = "\n\n".join([f"# {title}", *text]).strip()
    path.write_text("\n".join([head, "", *lines, ""]), encoding="utf-8")
