"""How the server says no: one line, what mends it, and a word for the page."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from mitoscope.errors import (
    BlindedError,
    ConfigError,
    ConflictError,
    ForbiddenError,
    FormatError,
    IncompleteRunError,
    InputError,
    KeyReusedError,
    MitoscopeError,
    NotFoundError,
    OutputError,
    RegionError,
    RoundClosedError,
    SlideError,
    StoreBusyError,
    StoreMovedError,
)


class Problem(BaseModel):
    """An answer that says no, as the page reads it; some have more to tell."""

    model_config = ConfigDict(extra="allow")

    error: str
    mend: str | None
    code: str


class Refusal(Exception):  # noqa: N818 it is an answer, not a fault
    """An answer that says no: status of HTTP, a word by which the page tells refusals apart, one line.

    Details are further values of the answer, e.g. the present state of a cell.
    """

    def __init__(self, status: int, code: str, what: str, *, mend: str | None = None, **details: Any) -> None:
        super().__init__(what)
        self.status, self.code, self.what, self.mend, self.details = status, code, what, mend, details

    @property
    def body(self) -> dict[str, Any]:
        """The answer as JSON values."""
        return {"error": self.what, "mend": self.mend, "code": self.code, **self.details}


def no_such(what: str) -> Refusal:
    """Return the answer about a thing that is not there."""
    return Refusal(404, "no_such", f"there is no such {what}", mend="go back and read the list again")


def invalid(what: str, *, field: str | None = None, mend: str | None = None) -> Refusal:
    """Return the answer to a request that cannot be meant."""
    return Refusal(422, "invalid", what, mend=mend, field=field)


_BY_KIND: tuple[tuple[type[MitoscopeError], int, str], ...] = (
    (NotFoundError, 404, "no_such"),
    (BlindedError, 403, "blinded"),
    (RoundClosedError, 403, "closed"),
    (ForbiddenError, 403, "not_yours"),
    (KeyReusedError, 409, "key_used"),
    (ConflictError, 409, "conflict"),
    (StoreBusyError, 503, "busy"),
    (StoreMovedError, 507, "moved"),
    (OutputError, 507, "disk_full"),
    (SlideError, 422, "slide_rejected"),
    (FormatError, 422, "invalid"),
    (ConfigError, 422, "invalid"),
    (RegionError, 422, "invalid"),
    (IncompleteRunError, 409, "conflict"),
    (InputError, 422, "invalid"),
)


def refusal_for(error: MitoscopeError) -> Refusal:
    """Return the answer for an error; places on the server's disk stay out of it."""
    for kind, status, code in _BY_KIND:
        if isinstance(error, kind):
            return Refusal(status, code, _line(error), mend=error.mend)
    return Refusal(500, "unexpected", _line(error), mend=error.mend)


def _line(error: MitoscopeError) -> str:
    where = error.where or ""
    place = where.rsplit("/", 1)[-1] if where.startswith("/") else where
    return " ".join((f"{place}: {error.what}" if place else error.what).split())
