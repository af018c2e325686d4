"""The application of a study."""

from __future__ import annotations

import logging
from types import ModuleType
from typing import Any

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException
from starlette.middleware.gzip import GZipMiddleware
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mitoscope import __version__
from mitoscope.config import say_fault_of
from mitoscope.errors import MitoscopeError
from mitoscope.store import Store
from mitoscope.web.gate import Gate
from mitoscope.web.intake import Intake
from mitoscope.web.reach import Reach
from mitoscope.web.refusal import Problem, Refusal, invalid, refusal_for
from mitoscope.web.routes import (
    activity,
    boards,
    case,
    cells,
    classes,
    comments,
    comparison,
    crowd,
    crowd_tasks,
    crowd_tiles,
    data,
    entry,
    interests,
    people,
    progress,
    regions,
    results,
    reviews,
    rounds,
    screening,
    searches,
    slide_files,
    slides,
    study,
    work,
    worklist,
)
from mitoscope.web.slides import SlideCatalogue
from mitoscope.web.state import AppState, Repeated, VisitorHere, answer_again

_LOG = logging.getLogger("mitoscope.web")
_ROUTES = (
    entry,
    slide_files,
    slides,
    cells,
    comments,
    screening,
    regions,
    interests,
    case,
    results,
    crowd,
    crowd_tasks,
    crowd_tiles,
    boards,
    people,
    worklist,
    progress,
    activity,
)
_LEADS = (classes, comparison, data, rounds, reviews, searches, study, work)
"""What the lead of a study asks for."""
_COMPRESSED_FROM_BYTES = 1024
_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": Problem, "description": what}
    for status, what in (
        (400, "The body could not be read"),
        (401, "This browser is not known here"),
        (403, "This is not yours to do, or the request comes from elsewhere"),
        (404, "There is no such thing"),
        (409, "Something has changed since it was seen, or the key was used"),
        (410, "The file of the slide is not there"),
        (413, "More at once than is taken"),
        (415, "Only JSON is taken"),
        (422, "This cannot be meant"),
        (503, "Try again a little later"),
        (507, "The study cannot be written: the disk is full, or read-only, or the file was moved"),
    )
}
_SCRIPTS = (
    "The study that this server shows, for its page and for scripts. A script sends the token of a "
    "rater's link (the part after `?token=`) as `Authorization: Bearer TOKEN` and may do what that rater "
    "may do on the page; no cookie and no Origin are needed. Bodies are JSON. Whatever changes the study "
    "takes a `key` that the script makes up (16 random letters): a request that is sent again with the "
    "same key is done once. Errors are JSON as well: `code` for programs, `error` and `mend` for people."
)
_HERE_ONLY = Reach()
_WORDS = {404: ("no_such", "there is nothing here"), 405: ("not_allowed", "this cannot be done here")}


def create_app(
    store: Store,
    catalogue: SlideCatalogue,
    *,
    intake: Intake | None = None,
    reach: Reach = _HERE_ONLY,
    visitor_without_link: int | None = None,
    opens_once: bool = False,
) -> FastAPI:
    """Return the application of a study.

    Parameters
    ----------
    store : Store
        Open for writing; the application does not close it.
    catalogue : SlideCatalogue
        Its slides.
    intake : Intake, optional
        Files that become its slides.
    reach : Reach
        Where the server is reached, by default on this machine only.
    visitor_without_link : int, optional
        The rater who everybody is, where no link is asked for.
    opens_once : bool
        Whether a link opens one browser and is spent then.
    """
    app = _routed()
    app.state.mitoscope = AppState(
        store,
        catalogue,
        intake or Intake(store, catalogue),
        visitor_without_link,
        reach=reach,
        opens_once=opens_once,
    )
    app.add_exception_handler(Refusal, _refused)
    app.add_exception_handler(Repeated, _repeated)
    app.add_exception_handler(MitoscopeError, _failed)
    app.add_exception_handler(RequestValidationError, _not_meant)
    app.add_exception_handler(HTTPException, _not_here)
    app.add_api_route("/api/openapi.json", _description, methods=["GET"], include_in_schema=False)
    assets = entry.STATIC / "assets"
    if assets.is_dir():
        app.mount("/assets", _Assets(directory=assets), name="assets")
    app.add_middleware(_Border)
    app.add_middleware(_Compressed, minimum_size=_COMPRESSED_FROM_BYTES, compresslevel=1)
    app.add_middleware(Gate, hosts=reach.hosts, address=reach.address)
    return app


def _routed() -> FastAPI:
    app = FastAPI(
        title="mitoscope",
        version=__version__,
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
        redirect_slashes=False,
    )
    for module in (*_ROUTES, *_LEADS):
        app.include_router(
            module.router, tags=[_tag(module)], responses=_REFUSALS, dependencies=[Depends(answer_again)]
        )
    return app


def _tag(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2].replace("_", " ")


def describe_api() -> dict[str, Any]:
    """Return the description of the API (OpenAPI): every request, and the forms of all answers."""
    app = _routed()
    tags = [
        {"name": _tag(module), "description": (module.__doc__ or "").split("\n")[0]}
        for module in (*_ROUTES, *_LEADS)
    ]
    described = get_openapi(
        title=app.title, version=app.version, description=_SCRIPTS, tags=tags, routes=app.routes
    )
    described["components"]["securitySchemes"] = {
        "token": {"type": "http", "scheme": "bearer", "description": "The part of a link after ?token="}
    }
    described["security"] = [{"token": []}]
    return described


class _Compressed(GZipMiddleware):
    """Compresses what is not compressed already: pictures cost time and become no smaller."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].endswith((".jpg", ".tiff", ".woff2")):
            await self.app(scope, receive, send)
        else:
            await super().__call__(scope, receive, send)


class _Assets(StaticFiles):
    """The built bundles; their names hold a hash of their content."""

    def file_response(self, *args: Any, **kwargs: Any) -> Any:
        answer = super().file_response(*args, **kwargs)
        answer.headers["cache-control"] = "public, max-age=31536000, immutable"
        return answer


def _description(visitor: VisitorHere) -> JSONResponse:  # noqa: ARG001 it must be one
    return JSONResponse(describe_api())


def _answer(refusal: Refusal) -> JSONResponse:
    return JSONResponse(refusal.body, status_code=refusal.status)


async def _refused(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 the framework's form
    assert isinstance(error, Refusal)  # registered for it
    return _answer(error)


async def _repeated(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 the framework's form
    assert isinstance(error, Repeated)  # registered for it
    return JSONResponse(error.answer)


async def _failed(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 the framework's form
    assert isinstance(error, MitoscopeError)  # registered for it
    return _answer(refusal_for(error))


async def _not_meant(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 the framework's form
    assert isinstance(error, RequestValidationError)  # registered for it
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return _answer(invalid("the request is not JSON"))
    place = [str(part) for part in first["loc"] if part not in ("body", "query", "path")]
    field = ".".join(place) or None
    return _answer(invalid(say_fault_of(field or "request", first), field=field))


async def _not_here(request: Request, error: Exception) -> JSONResponse:  # noqa: ARG001 the framework's form
    assert isinstance(error, HTTPException)  # registered for it
    if isinstance(error.__cause__, Refusal):
        return _answer(error.__cause__)  # raised while the framework read the body
    code, what = _WORDS.get(error.status_code, ("invalid", str(error.detail)))
    return _answer(Refusal(error.status_code, code, what))


class _Border:
    """The process border of a request: a fault of ours becomes one line, and a trace in the log."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, whatever happens."""
        has_begun = False

        async def watched(message: Message) -> None:
            nonlocal has_begun
            has_begun = True
            await send(message)

        try:
            await self._app(scope, receive, watched)
        except Exception as error:
            if has_begun or scope["type"] != "http":
                raise
            _LOG.error("%s %s", scope["method"], scope["path"], exc_info=error)
            what = f"the server failed ({type(error).__name__})"
            mend = "repeat it, nothing is done twice; the server's log says more"
            refusal = Refusal(500, "unexpected", what, mend=mend)
            await _answer(refusal)(scope, receive, send)
