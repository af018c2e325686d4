"""What a frozen version is made of, in words: the query, the slides, the counts, the hash that proves it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Literal

from pydantic import Field

from mitoscope.config import Config
from mitoscope.errors import FormatError
from mitoscope.store.chain import ChainHead
from mitoscope.truth import CROWD_THRESHOLD, Policy, Side

Counts = dict[str, int]
"""Cells by label."""
FORMAT: Literal["mitoscope data set 2"] = "mitoscope data set 2"
"""Of what is frozen now; the hash of a "mitoscope data set 1" is of cells, classes and split alone."""


class Query(Config):
    """Which cells of a study stand in a version, and under which rule they have their class.

    Parameters
    ----------
    policy : Policy
        How the labels of a cell become one; cells without an agreed class are left out.
    threshold : float
        Smallest score of the crowd policy, in [0, 1].
    slides, tumour_types, labels : tuple of str
        Only these; empty for all.
    label_names : dict of str to str
        Class of the study → class under which its cells stand in the version, or ``ignore``; `labels` chooses
        among what comes of it.
    without : tuple of str
        Rounds or reviews whose listed cells are left out, e.g. reviews of candidates, so that the set before
        them can still be frozen after them.
    """

    policy: Policy = Policy.SETTLED
    threshold: float = Field(default=CROWD_THRESHOLD, ge=0, le=1)
    slides: tuple[str, ...] = ()
    tumour_types: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    label_names: dict[str, str] = Field(default_factory=dict)


class FrozenSlide(Config):
    """A slide of a version; None where nothing is known.

    ``mpp`` is in µm per level-0 pixel, ``size_px0`` width and height, ``cells`` counts by label, and
    ``examined`` says how it is known what was looked at.
    """

    name: str
    case: str | None = None
    sha256: str | None = None
    split: Side | None = None
    licence: str | None = None
    cells: Counts = Field(default_factory=dict)
    mpp: tuple[float, float] | None = None
    size_px0: tuple[int, int] | None = None
    examined: str | None = None


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
        Of the ground truth, see `mitoscope.truth.GroundTruth.sha256`.
    shapes_sha256 : str or None
        Of the shapes, focal planes and vertices, which ground truth has no room for.
    frozen : str
        Date and time, UTC.
    note, software : str
        How it was made, and by which mitoscope.
    chain : ChainHead or None
        The chain of the study before it was frozen: `store verify --head` says of a later study whether it
        still holds all of that.
    """

    format: Literal["mitoscope data set 1", "mitoscope data set 2"] = FORMAT
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
    shapes_sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    frozen: str
    note: str = ""
    software: str = ""
    chain: ChainHead | None = None

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


def parse_version(text: str) -> tuple[str, int | None]:
    """Read ``VARIANT``, its newest version, or ``VARIANT@NUMBER``."""
    match = re.fullmatch(r"(.+)[@ ](\d+)", text.strip())
    return (match[1], int(match[2])) if match else (text.strip(), None)
