"""The manifest of a version: what it was frozen from, what it holds, and the hash that proves it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

from pydantic import Field

from mitoscope.config import Config
from mitoscope.curation.freeze.query import Query
from mitoscope.errors import FormatError
from mitoscope.fsio import atomic_write

Counts = dict[str, int]
"""Cells by label."""


class FrozenSlide(Config):
    """A slide of a version: the file's hash where it is known, its side of the split, its cells by label."""

    name: str
    case: str | None = None
    sha256: str | None = None
    split: Literal["train", "validation", "test"] | None = None
    licence: str | None = None
    cells: Counts = Field(default_factory=dict)


class Manifest(Config):
    """What a frozen version is.

    Parameters
    ----------
    study, uuid : str
        The store's name and identity.
    variant, number : str, int
        Name and version of the data set.
    query : Query
        Which cells, under which policy.
    seq : int
        The last event of the store that counts: places and classes are those after it.
    labels : tuple of str
        Names of the classes.
    cells : dict of str to int
        Cells by label.
    slides : tuple of FrozenSlide
        Also those without a cell.
    licences : tuple of str
        All that the slides are under, in order of their names.
    sha256 : str
        Of the content; see :func:`mitoscope.curation.freeze.content.content_hash`.
    frozen : str
        Date and time, UTC.
    note, software : str
        How it was made, and by which mitoscope.
    """

    format: Literal["mitoscope data set 1"] = "mitoscope data set 1"
    study: str
    uuid: str
    variant: str
    number: int = Field(ge=1)
    query: Query
    seq: int = Field(ge=0)
    labels: tuple[str, ...]
    cells: Counts
    slides: tuple[FrozenSlide, ...]
    licences: tuple[str, ...] = ()
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    frozen: str
    note: str = ""
    software: str = ""

    @property
    def name(self) -> str:
        """Variant and number, as training and evaluation name it."""
        return f"{self.variant} {self.number}"

    def to_json(self) -> str:
        """Return the canonical text."""
        return json.dumps(self.model_dump(mode="json"), indent=1, ensure_ascii=False, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str, *, where: str | Path) -> Manifest:
        """Read a manifest.

        Raises
        ------
        FormatError
            If the text is not JSON.
        ConfigError
            If a key or value does not fit.
        """
        try:
            values = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise FormatError(f"not JSON ({error})", where=where) from None
        if not isinstance(values, dict):
            raise FormatError("not the manifest of a data set", where=where)
        return cls.parse(values, where=where)

    def write(self, path: Path) -> None:
        """Write the manifest atomically.

        Raises
        ------
        OutputError
            If the file cannot be written.
        """
        with atomic_write(path) as stream:
            stream.write(self.to_json().encode())
