"""The gate: only this page can write, and nobody else's page can read (promise 22).

A script states a token instead of coming from the page: no page of another site can do that, since a browser
asks the server first whether it may send `Authorization` there, and is never answered that it may.

Three checks, each of which alone lets something through. The Host must be ours: else a foreign name that
resolves to this machine could read everything (DNS rebinding). An unsafe method must come from our own
origin: else any page could send a form with the visitor's cookie (CSRF). And it must be JSON: a form cannot
send that without asking first.
"""

from __future__ import annotations

import ipaddress
import json
import re
from collections.abc import Iterable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from mitoscope.web.reach import LOOPBACK, authority
from mitoscope.web.refusal import Refusal

SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
PIECE = "application/octet-stream"
"""What a piece of an uploaded slide is; a form cannot send that without asking first, either."""
_PIECES = re.compile(r"/api/uploads/[0-9a-f]{16}/pieces/[0-9]{1,15}")
BODY_MAX_BYTES = 16 << 20
"""Largest body: a hundred thousand coordinates of a board, with room."""

HEADERS = {
    "content-security-policy": (
        "default-src 'self'; img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
}
"""On every answer (PROMISES, settings)."""


def is_loopback(host: str) -> bool:
    """Whether a host to bind to can be reached from this machine only."""
    name = host.strip("[]")
    if name == "localhost":
        return True
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return False


def bearer_token(authorization: str) -> str | None:
    """Return the token that a script states in ``Authorization: Bearer TOKEN``; None without one."""
    scheme, _, token = authorization.strip().partition(" ")
    return token.strip() if scheme.casefold() == "bearer" else None


def host_name(value: str) -> str:
    """Return the name in a Host header, without the port."""
    name, colon, port = value.strip().rpartition(":")
    return (name if colon and port.isdigit() else value.strip()).casefold()


class Gate:
    """ASGI middleware that lets through what comes from this server's own page.

    Parameters
    ----------
    app : ASGI application
        What is behind the gate.
    hosts : iterable of str
        Names under which the server may be addressed, besides the loopback ones.
    address : str, optional
        At which others reach the server: a page from there is ours too, whatever Host a proxy states.
    """

    def __init__(self, app: ASGIApp, hosts: Iterable[str] = (), address: str | None = None) -> None:
        self._app = app
        self._hosts = frozenset({*LOOPBACK, *(name.casefold() for name in hosts)})
        self._address = None if address is None else authority(address)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or let it through."""
        if scope["type"] == "websocket":
            await receive()
            await send({"type": "websocket.close", "code": 1008})
            return
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = _Headers(scope)
        refused = self._refusal(scope["method"], scope["path"], headers)
        if refused is not None:
            await _answer(refused, _adding(send))
            return
        await self._app(scope, _limited(receive), _adding(send))

    def _refusal(self, method: str, path: str, headers: _Headers) -> Refusal | None:
        hosts = headers.all("host")
        if len(hosts) != 1 or host_name(hosts[0]) not in self._hosts:
            mend = "open the link that 'mitoscope serve' printed, or name the host with --allow-host"
            return Refusal(403, "foreign_host", "the server is not known under this name", mend=mend)
        if headers.first("sec-fetch-site", "same-origin") not in ("same-origin", "none") and (
            method not in SAFE_METHODS or headers.first("sec-fetch-dest", "") not in ("document", "")
        ):
            return _foreign()
        if method in SAFE_METHODS:
            return None
        origins = headers.all("origin")
        is_script = not origins and bearer_token(headers.first("authorization", "")) is not None
        own = {hosts[0].strip().casefold(), *([] if self._address is None else [self._address])}
        if not is_script and (len(origins) != 1 or _authority(origins[0]) not in own):
            return _foreign()
        kind = headers.first("content-type", "").split(";")[0].strip().casefold()
        if kind != (PIECE if method == "PUT" and _PIECES.fullmatch(path) else "application/json"):
            return Refusal(415, "not_json", "only JSON is taken", mend="send Content-Type: application/json")
        length = headers.first("content-length", "0")
        if not length.isdigit() or int(length) > BODY_MAX_BYTES:
            return too_large()
        return None


def too_large() -> Refusal:
    """Return the answer to a body that is too large."""
    what = f"more than {BODY_MAX_BYTES >> 20} MiB at once"
    return Refusal(413, "too_large", what, mend="send it in parts")


def _foreign() -> Refusal:
    what = "this request does not come from the page of this server"
    return Refusal(403, "foreign_origin", what, mend="use the page that this server shows")


def _authority(origin: str) -> str:
    scheme, separator, rest = origin.strip().casefold().partition("://")
    return rest if separator and scheme in ("http", "https") else ""


class _Headers:
    """The headers of a request."""

    def __init__(self, scope: Scope) -> None:
        self._pairs: list[tuple[bytes, bytes]] = list(scope["headers"])

    def all(self, name: str) -> list[str]:
        return [value.decode("latin-1") for key, value in self._pairs if key == name.encode()]

    def first(self, name: str, default: str) -> str:
        return next(iter(self.all(name)), default)


def _limited(receive: Receive) -> Receive:
    """Return a receive that ends a body beyond the limit, also one that did not say its length."""
    taken = 0

    async def receive_limited() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > BODY_MAX_BYTES:
            raise too_large()
        return message

    return receive_limited


def _adding(send: Send) -> Send:
    async def send_with_headers(message: Message) -> None:
        if message["type"] == "http.response.start":
            present = {key.lower() for key, _ in message.setdefault("headers", [])}
            more = [(key.encode(), value.encode()) for key, value in HEADERS.items()]
            message["headers"] = [*message["headers"], *(pair for pair in more if pair[0] not in present)]
            if b"cache-control" not in present:
                message["headers"].append((b"cache-control", b"no-store"))
        await send(message)

    return send_with_headers


async def _answer(refusal: Refusal, send: Send) -> None:
    body = json.dumps(refusal.body).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
