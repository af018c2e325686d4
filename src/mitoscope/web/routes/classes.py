"""Classes of cells: which ones the study tells apart; the lead adds some and names its own."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import Field

from mitoscope.labels import FIELD_LABELS, LabelSet, class_set
from mitoscope.store import ActivityKind, intern_labels, read_labels, rename_label, write_activity
from mitoscope.web.forms import Action, Answer, Done, Name, RowId, described
from mitoscope.web.refusal import no_such
from mitoscope.web.state import LeadHere, StateHere, done_once

router = APIRouter()
ADDED_MAX = 30


class StudyClass(Answer):
    """A class of the study; its colour is ``#rrggbb``. Those of the field keep their names."""

    id: int
    name: str
    colour: str
    is_own: bool


class Classes(Answer):
    """The classes of the study in order, and those of the field that it lacks."""

    classes: list[StudyClass]
    suggested: list[str]


class ClassesSet(Classes, Done):
    """The classes after a change."""


class NewClasses(Action):
    """Classes to be told apart from now on, by their names: of the field or of the study's own."""

    names: Annotated[tuple[Name, ...], Field(min_length=1, max_length=ADDED_MAX)]


class RenamedClass(Action):
    """Another name of a class."""

    name: Name


def _classes(connection: Any) -> Classes:
    labels = read_labels(connection)
    present = LabelSet(tuple(labels.values()))
    return {
        "classes": [
            described(StudyClass, label, id=id_, is_own=FIELD_LABELS.find(label.name) is None)
            for id_, label in labels.items()
        ],
        "suggested": [name for name in FIELD_LABELS.names if present.find(name) is None],
    }


@router.get("/api/classes")
def classes(state: StateHere, lead: LeadHere) -> Classes:  # noqa: ARG001 it must be one
    """Return the classes of the study."""
    with state.store.reading() as connection:
        return _classes(connection)


@router.post("/api/classes")
def add(body: NewClasses, state: StateHere, lead: LeadHere) -> ClassesSet:
    """Add classes; one that the study has, under whatever name, is not added again."""
    wanted = class_set(",".join(name.replace(",", " ") for name in body.names))

    def act(connection: Any) -> ClassesSet:
        intern_labels(connection, wanted)
        added = ", ".join(body.names)
        write_activity(connection, lead.rater_id, ActivityKind.CLASSES_CHANGED, f"added {added}")
        return {**_classes(connection), "is_repeated": False}

    return done_once(state, lead, body.key, f"classes {', '.join(body.names)}", act)


@router.put("/api/classes/{label_id}")
def rename(label_id: RowId, body: RenamedClass, state: StateHere, lead: LeadHere) -> ClassesSet:
    """Give a class of the study's own another name; what was labelled stays, the old name is understood."""
    with state.store.reading() as connection:
        label = read_labels(connection).get(label_id)
    if label is None:
        raise no_such("class")

    def act(connection: Any) -> ClassesSet:
        if label.name != body.name:
            rename_label(connection, label.name, body.name)
            renamed = f"{label.name} is now {body.name}"
            write_activity(connection, lead.rater_id, ActivityKind.CLASSES_CHANGED, renamed)
        return {**_classes(connection), "is_repeated": False}

    return done_once(state, lead, body.key, f"name of class {label_id}: {body.name}", act)
