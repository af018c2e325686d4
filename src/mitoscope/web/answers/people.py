"""People: who is known to the study and who may come in."""

from __future__ import annotations

from typing_extensions import TypedDict

from mitoscope.store import RaterKind
from mitoscope.store.access import Role
from mitoscope.web.answers.done import Done
from mitoscope.web.answers.exact import exact


@exact
class Person(TypedDict):
    """A rater: labels given, and the last event in seconds since 1970; without a role nobody comes in."""

    id: int
    name: str
    kind: RaterKind
    role: Role | None
    is_open: bool
    has_link: bool
    labels: int
    last_s: float | None


@exact
class People(TypedDict):
    """All raters of the study."""

    raters: list[Person]


@exact
class LetIn(Done):
    """The id of a rater who may come in from now on."""

    id: int


@exact
class LetInByLink(LetIn):
    """A rater who may come in from now on, and the link, which is shown once."""

    link: str


@exact
class NewLink(Done):
    """A new link; the old one no longer opens."""

    link: str
