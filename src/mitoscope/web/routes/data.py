"""Annotation files in and out, and frozen versions of the data set."""

from __future__ import annotations

import base64
import binascii
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

from fastapi import APIRouter, Query
from pydantic import Field

from mitoscope import store
from mitoscope.curation.changes import difference
from mitoscope.errors import ConflictError, InputError, UnknownLabelError
from mitoscope.exchange import FORMATS, Incoming, ReadOptions, read_incoming
from mitoscope.fsio import safe_name
from mitoscope.geometry import Mpp
from mitoscope.labels import FIELD_LABELS
from mitoscope.store import Policy
from mitoscope.web.forms import NAME_MAX, Action, Answer, Body, Done, Name, Text, described
from mitoscope.web.refusal import invalid
from mitoscope.web.state import AppState, ComparerHere, LeadHere, StateHere, done_once
from mitoscope.wording import say_number

router = APIRouter()
CONTENT_MAX = 15 << 20
"""Characters of a file in base64, some 11 MB; larger ones come in by `mitoscope store import`."""
SHOWN = 100
"""Places of the quarantine that are shown."""
MAPPED_MAX = 1000

_IN_THE_FORM = "choose its format, or the slide and the rater that it does not name, above"
_FileName = Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
_Version = Annotated[str, Query(min_length=1, max_length=NAME_MAX)]


class FileFormat(Answer):
    """A format: its name, a line on it, suffix, whether it is written, and whether a file holds one slide."""

    name: str
    title: str
    suffix: str
    is_written: bool
    one_slide: bool


class FileFormats(Answer):
    """All formats that are read."""

    formats: list[FileFormat]


class NewName(Answer):
    """A class name of a file that is not known, and how many cells bear it."""

    name: str
    cells: int


class ReadName(Answer):
    """A class name of a file, and the class of the study that it is read as; ``ignore`` leaves cells out."""

    name: str
    read_as: str


class FileSlide(Answer):
    """A slide of a file, and whether the study has it."""

    name: str
    is_known: bool


class SetAside(Answer):
    """An entry that cannot be taken: its place in the file, the slide, and why."""

    where: str
    slide: str
    why: str


class Preview(Answer):
    """What a file would bring. Where names are unknown, they must be mapped first and the rest is empty.

    Ignored are cells left out by the mapping, set aside those that cannot be taken, of which the first are
    listed.
    """

    format: str | None
    slides: list[FileSlide]
    names: list[ReadName]
    unknown: list[NewName]
    classes: list[str]
    cells: int
    regions: int
    ignored: int
    set_aside: int
    entries: list[SetAside]
    notes: list[str]


class Imported(Done):
    """What an import brought. Known are cells that the study had, joined those taken for one of the study."""

    slides: int
    cells: int
    known: int
    joined: int
    labels: int
    regions: int
    quarantined: int


class Version(Answer):
    """A frozen version: cells by class, its policy and hash, when it was frozen, and how it was made."""

    name: str
    variant: str
    number: int
    frozen: str
    policy: Policy
    cells: dict[str, int]
    slides: int
    sha256: str
    note: str


class Versions(Answer):
    """The versions frozen here, the first one first."""

    versions: list[Version]


class VersionFrozen(Done):
    """A version that was frozen; where nothing has changed since the last one, that one."""

    version: Version


class VersionDifference(Answer):
    """From one version to another: cells gained, lost and re-classed by class, moved, and on which slides."""

    before: str
    after: str
    gained: dict[str, int]
    lost: dict[str, int]
    reclassed: dict[str, int]
    moved: int
    slides: list[str]


@router.get("/api/formats")
def formats(lead: LeadHere) -> FileFormats:  # noqa: ARG001 it must be one
    """Return the formats that annotation files may have."""
    return {
        "formats": [described(FileFormat, one, is_written=one.write is not None) for one in FORMATS.values()]
    }


class FileBody(Body):
    """An annotation file: its content in base64, and what it does not say itself.

    Labels say which class a name of the file stands for, ``ignore`` to leave its cells out.
    """

    name: _FileName
    content: Annotated[str, Field(max_length=CONTENT_MAX)]
    format: Annotated[str, Field(max_length=40)] | None = None
    slide: Name | None = None
    rater: Name | None = None
    mpp: Annotated[float, Field(gt=0, le=100)] | None = None
    labels: Annotated[dict[_FileName, _FileName], Field(max_length=MAPPED_MAX)] = Field(default_factory=dict)


class FileImport(FileBody, Action):
    """A file that is to be read into the study; cells within so many µm of one of the study are that cell."""

    join_within_um: Annotated[float, Field(gt=0, le=1000)] | None = None


@contextmanager
def _incoming(state: AppState, body: FileBody) -> Iterator[Incoming]:
    try:
        content = base64.b64decode(body.content, validate=True)
    except (binascii.Error, ValueError):
        raise invalid("the content is not base64", field="content") from None
    options = ReadOptions(
        slide=body.slide, rater=body.rater, mpp=None if body.mpp is None else Mpp.square(body.mpp)
    )
    labels = [f"{name}={target}" for name, target in body.labels.items()]
    with tempfile.TemporaryDirectory(prefix="mitoscope-") as folder:
        path = Path(folder, safe_name(body.name))
        path.write_bytes(content)
        try:
            found = read_incoming(path, state.store, format_name=body.format, options=options, labels=labels)
        except UnknownLabelError:
            raise
        except InputError as error:
            # What a command would be told to add is a field of the form here.
            mend = error.mend if error.mend and "--" not in error.mend else _IN_THE_FORM
            raise invalid(f"{body.name}: {error.what}", field="content", mend=mend) from None
        yield found


def _classes(state: AppState) -> list[str]:
    known = [label.name for label in state.store.labels().values()]
    return known + [name for name in FIELD_LABELS.names if name not in known]


@router.post("/api/imports/preview")
def preview(body: FileBody, state: StateHere, lead: LeadHere) -> Preview:  # noqa: ARG001 it must be one
    """Say what a file would bring, and which of its class names must be mapped; this changes nothing."""
    nothing = Preview(
        format=None,
        slides=[],
        names=[],
        unknown=[],
        classes=_classes(state),
        cells=0,
        regions=0,
        ignored=0,
        set_aside=0,
        entries=[],
        notes=[],
    )
    try:
        with _incoming(state, body) as found:
            study = found.study
    except UnknownLabelError as error:
        unknown = [NewName(name=name, cells=count) for name, count in error.counts.items()]
        return {**nothing, "unknown": unknown}
    known = {slide.name for slide in state.store.slides().values()}
    return {
        **nothing,
        "format": found.source.format,
        "slides": [FileSlide(name=slide.name, is_known=slide.name in known) for slide in study.slides],
        "names": [ReadName(name=name, read_as=target) for name, target in found.label_names.items()],
        "cells": len(study.cells),
        "regions": len(study.regions),
        "ignored": found.ignored,
        "set_aside": len(study.quarantine),
        "entries": [
            SetAside(where=str(entry.where), slide=entry.slide or "", why=str(entry.why))
            for entry in study.quarantine[:SHOWN]
        ],
        "notes": list(study.notes),
    }


@router.post("/api/imports")
def import_(body: FileImport, state: StateHere, lead: LeadHere) -> Imported:
    """Read a file into the study, completely or not at all."""
    with (
        _incoming(state, body) as found,
        state.store.importing(found.study, found.source, join_within_um=body.join_within_um) as packed,
    ):

        def act(connection: Any) -> Imported:
            report = store.take_import(connection, packed)
            counts = {"cell": report.cells, "label": report.labels, "region": report.regions}
            detail = ", ".join(say_number(n, noun) for noun, n in counts.items())
            store.write_activity(
                connection, lead.rater_id, store.ActivityKind.IMPORTED, safe_name(body.name), detail=detail
            )
            return described(
                Imported, report, quarantined=sum(report.quarantined.values()), is_repeated=False
            )

        return done_once(state, lead, body.key, f"import {found.source.sha256}", act)


def _version(manifest: store.Manifest) -> Version:
    return described(Version, manifest, policy=manifest.query.policy, slides=len(manifest.slides))


@router.get("/api/versions")
def versions(state: StateHere, lead: ComparerHere) -> Versions:  # noqa: ARG001 it must be one
    """Return the frozen versions of the data set."""
    with state.store.reading() as connection:
        found = store.read_manifests(connection)
    return {"versions": [_version(manifest) for manifest in found]}


class NewVersion(Action):
    """A version to be frozen: its name, by which policy cells have a class, and how it was made."""

    variant: Name
    policy: Policy = Policy.SETTLED
    licence: Name | None = None
    note: Text = ""


@router.post("/api/versions")
def freeze(body: NewVersion, state: StateHere, lead: ComparerHere) -> VersionFrozen:
    """Freeze cells, classes and places as they are now, under a hash."""
    query = store.Query(policy=body.policy)
    draft = state.store.draft_version(body.variant, query, licences=body.licence, note=body.note)
    made = draft.frozen.manifest

    def act(connection: Any) -> VersionFrozen:
        if not store.write_version(connection, draft):
            raise ConflictError(
                "another version was frozen meanwhile", where=body.variant, mend="freeze again"
            )
        if draft.rows:  # where nothing has changed it is the last one
            name = f"{made.variant}@{made.number}"
            store.write_activity(connection, lead.rater_id, store.ActivityKind.FROZEN, name)
        return {"version": _version(made), "is_repeated": False}

    return done_once(state, lead, body.key, f"freeze {body.variant}", act)


@router.get("/api/versions/difference")
def differences(
    state: StateHere,
    lead: ComparerHere,  # noqa: ARG001 it must be one
    before: _Version,
    after: _Version,
) -> VersionDifference:
    """Return what one version has gained, lost and put under another class since another."""
    found = difference(state.store.version(before), state.store.version(after))
    return described(
        VersionDifference,
        found,
        gained=found.gained_by_label(),
        lost=found.lost_by_label(),
        reclassed=found.reclassed_by_labels(),
        moved=len(found.moved),
        slides=list(found.slides()),
    )
