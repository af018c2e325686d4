"""Freezing a version, and reading it back as it was."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata

from mitoscope.curation.freeze.content import FrozenCell, content_hash, frozen_cells
from mitoscope.curation.freeze.manifest import Counts, FrozenSlide, Manifest
from mitoscope.curation.freeze.query import Query, select, select_slides
from mitoscope.errors import StoreDamagedError, StoreError
from mitoscope.store import versions
from mitoscope.store.dump import read_slides
from mitoscope.store.history import last_seq
from mitoscope.store.store import Store
from mitoscope.store.vocabulary import read_labels


@dataclass(frozen=True)
class Frozen:
    """A version: its manifest and its cells, in order of their ids."""

    manifest: Manifest
    cells: tuple[FrozenCell, ...]


def freeze(
    store: Store,
    variant: str,
    query: Query,
    *,
    split: Mapping[str, str] | None = None,
    licences: Mapping[str, str] | str | None = None,
    note: str = "",
) -> Frozen:
    """Freeze the next version of a data set; neither it nor its manifest can ever be changed.

    Where nothing has changed since the variant's newest version, that one is returned: a loop that is
    repeated does not pile up versions.

    Parameters
    ----------
    store : Store
        Open for writing.
    variant : str
        MEL, HEAEL, ODAEL, CODAEL or another name.
    query : Query
        Which cells, under which policy.
    split : mapping of str to str, optional
        Slide name → train, validation or test.
    licences : mapping of str to str, or str, optional
        Licence by slide name, or of all slides.
    note : str
        How it was made.

    Raises
    ------
    StoreError
        If the query names what is not there or chooses no cell, the split names another slide than the query,
        or a case would stand on both sides.
    """
    with store.writing() as connection:
        labels = select(connection, query)
        if not labels:
            raise StoreError(
                "the query chooses no cell", where=variant, mend="check its policy, slides, labels"
            )
        draft = _Draft(connection, query, labels, dict(split or {}), licences)
        newest = _newest(connection, variant)
        if newest is not None and (newest.query, newest.sha256) == (query, draft.sha256):
            return _read(connection, variant, newest.number)
        number = versions.freeze(
            connection, variant, labels=labels.items(), split=draft.split_by_id(), note=note
        )
        manifest = draft.manifest(variant, number, note)
        versions.add_manifest(connection, variant, number, manifest.to_json())
        return Frozen(manifest, draft.cells)


def read_frozen(store: Store, variant: str, number: int | None = None) -> Frozen:
    """Return a version as it was frozen, by default the variant's newest.

    Raises
    ------
    StoreError
        If there is none, or it was imported from a file and has no manifest.
    StoreDamagedError
        If its content is not what its hash says.
    """
    with store.reading() as connection:
        return _read(connection, variant, number)


def _read(connection: sqlite3.Connection, variant: str, number: int | None) -> Frozen:
    text = versions.read_manifest(connection, variant, number)
    if text is None:
        raise StoreError("no manifest: it was imported with the study", where=variant, mend="freeze it anew")
    manifest = Manifest.from_json(text, where=f"manifest of {variant}")
    labels = versions.read_version(connection, variant, manifest.number)
    cells = frozen_cells(
        connection,
        labels,
        seq=manifest.seq,
        slide_names={id_: slide.name for id_, slide in read_slides(connection).items()},
        label_names={id_: label.name for id_, label in read_labels(connection).items()},
    )
    if content_hash(cells, {slide.name: slide.split for slide in manifest.slides}) != manifest.sha256:
        what = "its content is not what was frozen"
        raise StoreDamagedError(what, where=manifest.name, mend="restore the store from a backup")
    return Frozen(manifest, cells)


def _newest(connection: sqlite3.Connection, variant: str) -> Manifest | None:
    if versions.next_number(connection, variant) == 1:
        return None
    text = versions.read_manifest(connection, variant)
    return None if text is None else Manifest.from_json(text, where=f"manifest of {variant}")


class _Draft:
    """What a version will say."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        query: Query,
        labels: dict[int, int],
        split: dict[str, str],
        licences: Mapping[str, str] | str | None,
    ) -> None:
        self.query, self.split, self.seq = query, split, last_seq(connection)
        self.study, self.uuid = connection.execute("SELECT name, uuid FROM study").fetchone()
        self._chosen = select_slides(connection, query)
        self._records = {id_: one for id_, one in read_slides(connection).items() if id_ in self._chosen}
        self._names = {id_: one.name for id_, one in self._records.items()}
        self._label_names = {id_: one.name for id_, one in read_labels(connection).items()}
        self._licences = licences
        for what, named in (
            ("split", split),
            ("licences", {} if isinstance(licences, str) else licences or {}),
        ):
            odd = sorted(set(named) - set(self._names.values()))
            if odd:
                raise StoreError(f"the query chooses no slide {odd[0]!r}", where=what)
        self.cells = frozen_cells(
            connection, labels, seq=self.seq, slide_names=self._names, label_names=self._label_names
        )
        self.sha256 = content_hash(self.cells, {name: split.get(name) for name in self._names.values()})

    def split_by_id(self) -> dict[int, str]:
        return {id_: self.split[name] for id_, name in self._names.items() if name in self.split}

    def manifest(self, variant: str, number: int, note: str) -> Manifest:
        slides, total = self._slides(), _count(self.cells)
        return Manifest(
            study=self.study,
            uuid=self.uuid,
            variant=variant,
            number=number,
            query=self.query,
            seq=self.seq,
            labels=tuple(total),
            cells=total,
            slides=slides,
            licences=tuple(sorted({one.licence for one in slides if one.licence})),
            sha256=self.sha256,
            frozen=datetime.now(UTC).isoformat(timespec="seconds"),
            note=note,
            software=f"mitoscope {metadata.version('mitoscope')}",
        )

    def _slides(self) -> tuple[FrozenSlide, ...]:
        by_slide: dict[str, list[FrozenCell]] = {}
        for cell in self.cells:
            by_slide.setdefault(cell.slide, []).append(cell)
        values = [
            {
                "name": one.name,
                "case": one.case,
                "sha256": one.sha256,
                "split": self.split.get(one.name),
                "licence": self._licence(one.name),
                "cells": _count(by_slide.get(one.name, ())),
            }
            for one in self._records.values()
        ]
        return tuple(FrozenSlide.model_validate(one) for one in values)

    def _licence(self, slide: str) -> str | None:
        return self._licences if isinstance(self._licences, str) else (self._licences or {}).get(slide)


def _count(cells: tuple[FrozenCell, ...] | list[FrozenCell]) -> Counts:
    counts: Counts = {}
    for cell in cells:
        counts[cell.label] = counts.get(cell.label, 0) + 1
    return dict(sorted(counts.items()))
