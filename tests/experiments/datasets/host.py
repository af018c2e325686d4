"""A web server on this machine that serves files as well, or as badly, as it is told."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit


@dataclass
class Served:
    """A file of the server, or another answer in its place."""

    body: bytes
    etag: str | None = '"one"'
    content_type: str = "application/octet-stream"
    status: int = 200
    has_length: bool = True
    location: str | None = None
    """Where the file is instead."""


@dataclass
class Host:
    """The server: what it holds, how it misbehaves next, and what it was asked."""

    url: str
    files: dict[str, Served] = field(default_factory=dict)
    ranges: bool = True
    """Whether it continues downloads."""
    cuts: list[int] = field(default_factory=list)
    """For the next answers: bytes after which the connection breaks."""
    busy: int = 0
    """So many of the next answers are 503."""
    wrong_range: int = 0
    """So many of the next parts are others than were asked for."""
    pause_s: Callable[[], None] | None = None
    """Called between two blocks."""
    asked: list[tuple[str, str | None]] = field(default_factory=list)
    """Path and Range of each request."""


class _Handler(BaseHTTPRequestHandler):
    host: Host

    def do_GET(self) -> None:
        host, wanted = self.host, self.headers.get("Range")
        path = urlsplit(self.path).path
        host.asked.append((path, wanted))
        served = host.files.get(path)
        if host.busy:
            host.busy -= 1
            return self._say(503, {"Retry-After": "0"})
        if served is None:
            return self._say(404, {})
        if served.location is not None:
            return self._say(302, {"Location": served.location})
        start = self._start(served, wanted)
        if start is None:
            return self._say(416, {"Content-Range": f"bytes */{len(served.body)}"})
        return self._give(served, start)

    def _start(self, served: Served, wanted: str | None) -> int | None:
        """Return the first byte that is asked for, or None where there is no such byte."""
        known = self.headers.get("If-Range") in (None, served.etag)
        asked = re.fullmatch(r"bytes=(\d+)-", wanted or "")
        if asked is None or not self.host.ranges or not known:
            return 0
        return int(asked[1]) if int(asked[1]) < len(served.body) else None

    def _give(self, served: Served, start: int) -> None:
        headers = {"Content-Type": served.content_type}
        if served.etag:
            headers["ETag"] = served.etag
        if start and self.host.wrong_range:
            self.host.wrong_range -= 1
            start -= 1
        body = served.body[start:]
        if start:
            headers["Content-Range"] = f"bytes {start}-{len(served.body) - 1}/{len(served.body)}"
        cut = self.host.cuts.pop(0) if self.host.cuts else len(body)
        self._say(206 if start else served.status, headers, len(body) if served.has_length else None)
        for place in range(0, min(cut, len(body)), 4096):
            self.wfile.write(body[place : min(cut, place + 4096)])
            if self.host.pause_s is not None:
                self.wfile.flush()
                self.host.pause_s()
        if cut < len(body):
            self.wfile.flush()
            self.connection.close()

    def _say(self, status: int, headers: dict[str, str], length: int | None = 0) -> None:
        self.send_response(status)
        stated = {} if length is None else {"Content-Length": str(length)}
        for name, value in {**headers, **stated}.items():
            self.send_header(name, value)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Say nothing of clients that went away and connections that were cut."""


@contextmanager
def serving() -> Iterator[Host]:
    handler = type("Handler", (_Handler,), {})
    with _Server(("127.0.0.1", 0), handler) as server:
        handler.host = Host(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield handler.host  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()
