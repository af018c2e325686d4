"""A server for the tests that kill it, load it or count what it leaves; started as a child process."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import httpx

from .making import key


class RealServer:
    """``mitoscope serve`` in a process of its own.

    Parameters
    ----------
    study : Path
        The store; made from the slides if it is not there.
    slides : Path
        Folder of the slides.
    before : sequence of str
        A command that runs the server's.
    """

    def __init__(self, study: Path, slides: Path, *, before: Sequence[str] = ()) -> None:
        code = "from mitoscope.cli import run; run()"
        command = [*before, sys.executable, "-c", code, "serve", str(study), "--slides", str(slides)]
        self.process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
        )
        assert self.process.stdout is not None
        self.said: list[str] = []
        for line in self.process.stdout:
            self.said.append(line)
            if line.startswith("open "):
                break
        else:
            raise AssertionError("".join(self.said))
        self.base, _, self.token = self.said[-1].split()[1].partition("/?token=")

    def client(self, token: str | None = None) -> Caller:
        """Return a client that came by a link."""
        return Caller(self.base, self.token if token is None else token)

    def end(self, signal: int) -> int:
        """Send a signal and return the exit status."""
        self.process.send_signal(signal)
        status = self.process.wait(20)
        assert self.process.stdout is not None
        self.said += self.process.stdout.readlines()
        self.process.stdout.close()
        return status

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(20)
        if self.process.stdout is not None and not self.process.stdout.closed:
            self.process.stdout.close()


class Caller:
    """A client of a real server."""

    def __init__(self, base: str, token: str) -> None:
        self.http = httpx.Client(base_url=base, headers={"origin": base}, timeout=20, trust_env=False)
        assert self.http.get(f"/?token={token}").status_code == 303

    def send(self, method: str, path: str, **body: Any) -> httpx.Response:
        """Write, with a key unless one is given."""
        return self.http.request(method, path, json={"key": key(), **body})

    def get(self, path: str) -> Any:
        """Read JSON."""
        answer = self.http.get(path)
        assert answer.status_code == 200, answer.text
        return answer.json()

    def close(self) -> None:
        """Close the connections."""
        self.http.close()
