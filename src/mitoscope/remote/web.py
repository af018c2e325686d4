"""Asking a server for a file: what may be tried again, and what not."""

from __future__ import annotations

import base64
import http.client
import netrc
import os
import ssl
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from email.message import Message
from importlib.metadata import version
from typing import IO, Protocol
from urllib.parse import unquote, urlsplit

from mitoscope.errors import IncompleteRunError, InputError
from mitoscope.remote.location import as_shown

_LATER = frozenset({408, 425, 429, 500, 502, 503, 504})
"""Answers that may be another one later."""


@dataclass(frozen=True, slots=True)
class Patience:
    """Tries in a row without a new byte, and the pauses between them.

    Parameters
    ----------
    tries : int
        After so many tries without a new byte the download stops.
    first_s, longest_s : float
        The first pause in seconds, doubled with each further try up to the longest. A server that asks for a
        pause of its own is given it, up to the longest.
    timeout_s : float
        A connection on which nothing comes for so long is given up.
    """

    tries: int = 7
    first_s: float = 1.0
    longest_s: float = 60.0
    timeout_s: float = 60.0

    def wait(self, failures: int, asked_s: float | None = None) -> None:
        """Pause after so many failures in a row."""
        own = self.first_s * 2.0 ** (failures - 1)
        time.sleep(min(self.longest_s, max(own, asked_s or 0.0)))


class CutError(Exception):
    """A connection that broke, or a server that cannot now: to be tried again, never seen outside.

    Parameters
    ----------
    why : str
        What happened.
    after_s : float, optional
        Pause that the server asks for.
    """

    def __init__(self, why: str, after_s: float | None = None) -> None:
        self.why, self.after_s = why, after_s
        super().__init__(why)


class ResponseBody(Protocol):
    """A stream that gives what has come."""

    def read1(self, size: int, /) -> bytes:
        """Read at most so many bytes."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server answered.

    Parameters
    ----------
    status : int
        Of HTTP.
    reason : str
        Its words.
    headers : Message
        Without regard to case.
    body : stream of bytes
        Read it with `read_block`.
    """

    status: int
    reason: str
    headers: Message
    body: ResponseBody

    @property
    def validator(self) -> str | None:
        """What tells this version of the file from another one: a strong ETag, or the date of change."""
        etag = self.headers.get("ETag")
        if etag and not etag.startswith("W/"):
            return etag
        return self.headers.get("Last-Modified")

    @property
    def length(self) -> int | None:
        """Bytes of the body, where they are stated."""
        text = self.headers.get("Content-Length", "")
        return int(text) if text.isdecimal() else None

    @property
    def whole_length(self) -> int | None:
        """Bytes of the whole file, also where a part of it was asked for."""
        if self.status == 206:
            text = self.headers.get("Content-Range", "").rpartition("/")[2]
            return int(text) if text.isdecimal() else None
        return self.length

    @property
    def ends_surely(self) -> bool:
        """Whether a cut can be told from the end: by a stated length, or an end that is marked."""
        return self.length is not None or "chunked" in self.headers.get("Transfer-Encoding", "").casefold()

    def read_block(self, size: int) -> bytes:
        """Read some bytes, as soon as there are any; none at the end.

        Raises
        ------
        CutError
            If the connection breaks.
        """
        try:
            return self.body.read1(size)
        except (OSError, http.client.HTTPException) as error:
            raise CutError(_words(error)) from None


class _SameSecurity(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but none that leads from https to http."""

    def redirect_request(
        self, req: urllib.request.Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> urllib.request.Request | None:  # type: ignore[override, unused-ignore]
        if req.type == "https" and urlsplit(newurl).scheme != "https":
            raise IncompleteRunError("leads to an address that is not secured", where=as_shown(req.full_url))
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


@contextmanager
def ask(url: str, headers: dict[str, str], *, timeout_s: float) -> Iterator[Answer]:
    """Ask for an address; the answer is read while the block runs.

    Raises
    ------
    InputError
        If it is no address of the web.
    CutError
        If it may be tried again.
    IncompleteRunError
        If the server cannot be trusted.
    """
    shown = as_shown(url)
    if urlsplit(url).scheme not in {"http", "https"}:
        raise InputError("no address of the web", where=shown, mend="give one that begins with https://")
    own = {"User-Agent": f"mitoscope/{version('mitoscope')}", "Accept-Encoding": "identity"}
    given = {"Authorization": login} if (login := _login(url)) else {}
    bare, sent = _without_login(url), own | given | headers
    authorisation = sent.pop("Authorization", None)
    request = urllib.request.Request(bare, headers=sent)  # noqa: S310 (the scheme was checked)
    if authorisation is not None:
        request.add_unredirected_header("Authorization", authorisation)  # of this server alone
    opener = urllib.request.build_opener(_SameSecurity())
    try:
        response = opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        response = error
    except urllib.error.URLError as error:
        if isinstance(error.reason, ssl.SSLCertVerificationError):
            raise IncompleteRunError("its certificate is not trusted", where=shown) from None
        raise CutError(_words(error.reason)) from None
    except (OSError, http.client.HTTPException) as error:
        raise CutError(_words(error)) from None
    with response:
        if response.status in _LATER:
            raise CutError(f"answers {response.status} {response.reason}", _pause(response.headers))
        yield Answer(response.status or 0, str(response.reason), response.headers, response)


def _without_login(url: str) -> str:
    parts = urlsplit(url)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _login(url: str) -> str | None:
    """Return the credentials of an address: its own, else what the user's netrc holds for the server."""
    parts = urlsplit(url)
    user, password = parts.username, parts.password
    if user is None and (entry := _netrc_entry(parts.hostname or "")) is not None:
        user, _, password = entry
    if user is None:
        return None
    pair = f"{unquote(user)}:{unquote(password or '')}" if parts.username else f"{user}:{password or ''}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def _netrc_entry(host: str) -> tuple[str, str | None, str | None] | None:
    try:
        return netrc.netrc(os.environ.get("NETRC")).authenticators(host)
    except (OSError, netrc.NetrcParseError, RuntimeError):  # none, not readable, or no home
        return None


def _pause(headers: Message) -> float | None:
    text = headers.get("Retry-After", "")
    return float(text) if text.isdecimal() else None


def _words(error: object) -> str:
    text = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return text or type(error).__name__
