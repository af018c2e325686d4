"""Who I am, and what there is for me."""

from __future__ import annotations

from typing_extensions import TypedDict

from mitoscope.store import Policy, RaterKind
from mitoscope.store.access import Role
from mitoscope.web.answers.exact import exact
from mitoscope.web.answers.rounds import Round
from mitoscope.web.answers.slides import Slide


@exact
class Myself(TypedDict):
    """The rater who asks."""

    id: int
    name: str
    kind: RaterKind
    role: Role


@exact
class StudyName(TypedDict):
    """The study, and the rule by which it tells the agreed class."""

    name: str
    uuid: str
    policy: Policy


@exact
class ClassLabel(TypedDict):
    """A class of cells; its colour is ``#rrggbb``."""

    id: int
    name: str
    colour: str


@exact
class Me(TypedDict):
    """Who I am, the study with its classes and slides, my rounds, and the number of the last event."""

    rater: Myself
    study: StudyName
    labels: list[ClassLabel]
    slides: list[Slide]
    rounds: list[Round]
    version: int
