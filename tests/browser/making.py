"""A served study with its people and their browsers, for the tests of the page."""

from __future__ import annotations

import resource
import secrets
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
from playwright.sync_api import Browser, BrowserContext, ConsoleMessage, Page, expect

Json = dict[str, Any]
ARTEFACTS = Path(__file__).parent / "artefacts"
"""Screenshots, to be looked at; not part of the project's files."""
SIZE = {"width": 1366, "height": 768}
expect.set_options(timeout=15_000)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Server:
    """``mitoscope serve`` in a process of its own, to be killed and started again at the same address."""

    def __init__(self, study: Path, slides: Path) -> None:
        self.study, self._slides = study, slides
        self._process: subprocess.Popen[str] | None = None
        self.port = _free_port()

    def start(self) -> str:
        """Start, wait for the address, and return the lead's link."""
        command = [sys.executable, "-m", "mitoscope", "serve", str(self.study)]
        command += ["--slides", str(self._slides), "--port", str(self.port)]
        self._process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        stream = self._process.stdout
        assert stream is not None
        said = []
        for line in stream:
            said.append(line)
            if line.startswith("open http"):
                threading.Thread(target=stream.read, daemon=True).start()
                return line.removeprefix("open ").strip()
        self.kill()
        raise AssertionError("".join(said))

    @contextmanager
    def full_disk(self) -> Iterator[None]:
        """Let no file of the server grow: what it writes meets a full disk."""
        assert self._process is not None
        soft, hard = resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (0, hard))
        try:
            yield
        finally:
            resource.prlimit(self._process.pid, resource.RLIMIT_FSIZE, (soft, hard))

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._process is not None

    def kill(self) -> None:
        """End it as a power cut would."""
        if self._process is not None:
            self._process.kill()
            self._process.wait()
            if self._process.stdout is not None:
                self._process.stdout.close()
            self._process = None

    @property
    def address(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"


class Person:
    """Somebody who came by an own link: asks the server directly, and has a browser where one is wanted."""

    def __init__(self, server: Server, link: str, *, id_: int = 0, name: str = "lead") -> None:
        self._server, self.id, self.name = server, id_, name
        self._client = httpx.Client(base_url=server.address, timeout=60)
        assert self._client.get(link).status_code == 303

    def leave(self) -> None:
        """Close the way to the server."""
        self._client.close()

    def ask(self, method: str, path: str, body: Json | None = None) -> Any:
        """Ask the server."""
        headers = {} if method == "GET" else {"origin": self._server.address}
        answer = self._client.request(method, path, json=body, headers=headers)
        assert answer.status_code == 200, (method, path, answer.status_code, answer.text[:500])
        return answer.json()

    def get(self, path: str) -> Any:
        """Read."""
        return self.ask("GET", path)

    def post(self, path: str, **body: Any) -> Any:
        """Write."""
        return self.ask("POST", path, {"key": secrets.token_hex(12), **body})

    def act(self, round_id: int, **body: Any) -> Any:
        """Do something to a cell."""
        return self.post(f"/api/rounds/{round_id}/actions", **body)

    def cells(self, round_id: int, slide: int) -> Json:
        """Return the cells of a slide as this person sees them."""
        found: Json = self.get(f"/api/rounds/{round_id}/slides/{slide}/cells")
        return found

    def cookies(self) -> list[Any]:
        """Return the visit, for a browser."""
        value = self._client.cookies["mitoscope"]
        return [{"name": "mitoscope", "value": value, "url": self._server.address, "httpOnly": True}]


AWAY = (
    "ERR_CONNECTION",
    "ERR_EMPTY_RESPONSE",
    "ERR_CONTENT_LENGTH",
    "ERR_FAILED",
    "ERR_INTERNET_DISCONNECTED",
    "failed to load: ",
)
"""What a browser's console says of a server that does not answer."""


@dataclass
class Clinic:
    """A study that is served, with its lead and the labels' ids by name."""

    server: Server
    lead: Person
    browser: Browser
    contexts: list[BrowserContext] = field(default_factory=list)
    people: list[Person] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)
    """What browsers said in their consoles: faults of the page, refusals of the Content-Security-Policy."""
    foreseen: list[str] = field(default_factory=list)
    """Parts of such complaints that a test brings about on purpose, e.g. by killing the server."""
    is_shared: bool = True
    """Whether several tests work in it, so that names of people and rounds need an ending that differs."""

    def __post_init__(self) -> None:
        me = self.lead.get("/api/me")
        self.labels = {one["name"]: one["id"] for one in me["labels"]}
        self.slides: dict[str, Json] = {one["name"]: one for one in me["slides"]}
        self.lead.id = me["rater"]["id"]

    @property
    def figure(self) -> int:
        """Id of the label mitotic figure."""
        return int(self.labels["mitotic figure"])

    @property
    def look_alike(self) -> int:
        """Id of the label look-alike."""
        return int(self.labels["look-alike"])

    @property
    def study(self) -> Path:
        """The file of the study."""
        return self.server.study

    @property
    def slide(self) -> Json:
        """The first slide."""
        return self.slides["breast-01.tiff"]

    def person(self, name: str, *, kind: str = "expert") -> Person:
        """Return a new rater who came by the own link."""
        name = self._unique(name)
        added = self.lead.post("/api/raters", name=name, kind=kind, role="rater")
        self.people.append(Person(self.server, added["link"], id_=added["id"], name=name))
        return self.people[-1]

    def round(self, name: str, kind: str, *people: Person, **terms: Any) -> int:
        """Return a new round in which people work."""
        body = {
            "name": self._unique(name),
            "kind": kind,
            "raters": [one.id for one in people],
            **terms,
        }
        return int(self.lead.post("/api/rounds", **body)["id"])

    def _unique(self, name: str) -> str:
        return f"{name} {secrets.token_hex(2)}" if self.is_shared else name

    def page(self, person: Person, where: str = "", *, theme: str = "light") -> Page:
        """Return a page of a new browser of this person."""
        context = self.context(theme=theme)
        context.add_cookies(person.cookies())
        page = context.new_page()
        page.goto(f"{self.server.address}/#{where}")
        return page

    def context(self, *, theme: str = "light", has_touch: bool = False) -> BrowserContext:
        """Return a new browser of nobody, whose complaints are kept."""
        scheme: Any = "dark" if theme == "dark" else "light"
        context = self.browser.new_context(viewport=SIZE, color_scheme=scheme, has_touch=has_touch)  # type: ignore[arg-type]
        context.on("console", self._hear)
        context.on("weberror", lambda fault: self.complaints.append(str(fault.error)))
        self.contexts.append(context)
        return context

    def _hear(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.complaints.append(f"{message.text} {message.location.get('url', '')}")

    def close_rounds(self) -> None:
        """End all work."""
        for one in self.lead.get("/api/rounds")["rounds"]:
            if one["is_open"]:
                self.lead.ask(
                    "PUT", f"/api/rounds/{one['id']}", {"key": secrets.token_hex(12), "is_open": False}
                )

    def foresee(self, *parts: str) -> None:
        """Take complaints with one of these parts as brought about by the test."""
        self.foreseen.extend(parts)

    def close(self) -> None:
        """Close all browsers.

        Raises
        ------
        AssertionError
            If one complained of something that was not foreseen.
        """
        for context in self.contexts:
            for page in context.pages:
                # A page that still asks while it closes would fail the route of this test in the next one.
                page.unroute_all(behavior="ignoreErrors")
            context.close()
        for person in self.people:
            person.leave()
        heard = [one for one in self.complaints if not any(part in one for part in self.foreseen)]
        for kept in (self.contexts, self.people, self.complaints, self.foreseen):
            kept.clear()
        assert heard == [], heard


@contextmanager
def serving(study: Path, slides: Path, browser: Browser) -> Iterator[Clinic]:
    """Serve a study, with its lead; browsers and server are ended at the end."""
    server = Server(study, slides)
    clinic = Clinic(server, Person(server, server.start()), browser)
    try:
        yield clinic
    finally:
        clinic.lead.leave()
        server.kill()


def shoot(page: Page, name: str) -> None:
    """Keep a screenshot."""
    ARTEFACTS.mkdir(exist_ok=True)
    page.screenshot(path=ARTEFACTS / f"{name}.png")


def click(page: Page, x: float, y: float) -> None:
    """Click into the view, at CSS pixels from its upper left corner."""
    box = page.locator(".stage").bounding_box()
    assert box is not None
    page.mouse.click(box["x"] + x, box["y"] + y)


def settle(page: Page, *, seconds: float = 0.3) -> None:
    """Wait until the slide is drawn and nothing moves."""
    page.wait_for_load_state("networkidle")
    page.wait_for_timeout(1000 * seconds)


def heard(page: Page, kept: list[Any]) -> list[Any]:
    """Wait until a page's requests that a test keeps back have come to it, and return them."""

    def look() -> list[Any]:
        page.wait_for_timeout(50)  # requests come while the page is waited for
        return kept

    found: list[Any] = until(look)
    return found


def all_sent(page: Page) -> None:
    """Wait until every action is acknowledged."""
    expect(page.locator(".unsent")).to_have_count(0)


def until(check: Any, *, seconds: float = 15.0) -> Any:
    """Return what a check returns once that is true.

    Raises
    ------
    AssertionError
        If it is not within the time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        found = check()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError("it did not come true")
