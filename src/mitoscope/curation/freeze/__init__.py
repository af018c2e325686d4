"""Versions of a data set that never change: frozen from a query, proved by a hash, compared cell by cell."""

from __future__ import annotations

from mitoscope.curation.freeze.as_study import frozen_study
from mitoscope.curation.freeze.content import FrozenCell, content_hash
from mitoscope.curation.freeze.difference import Change, Difference, difference
from mitoscope.curation.freeze.freezing import Frozen, freeze, read_frozen
from mitoscope.curation.freeze.manifest import FrozenSlide, Manifest
from mitoscope.curation.freeze.query import Query

__all__ = [
    "Change",
    "Difference",
    "Frozen",
    "FrozenCell",
    "FrozenSlide",
    "Manifest",
    "Query",
    "content_hash",
    "difference",
    "freeze",
    "frozen_study",
    "read_frozen",
]
