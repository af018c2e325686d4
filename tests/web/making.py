"""A slide, a study and its people, made for the tests of the web application."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from starlette.testclient import TestClient

from mitoscope.store import Store
from mitoscope.web import SlideCatalogue, create_app
from mitoscope.web.serving import open_study

WIDTH, HEIGHT = 2048, 1536
BASE = "http://127.0.0.1"
Json = dict[str, Any]


def write_slide(path: Path, *, width: int = WIDTH, height: int = HEIGHT, seed: int = 0) -> Path:
    """Write a small slide with an ellipse of tissue and a pyramid of two levels, at 0.25 µm/px."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[0:height, 0:width]
    inside = ((x - width / 2) / (width * 0.42)) ** 2 + ((y - height / 2) / (height * 0.42)) ** 2 < 1
    rgb = np.full((height, width, 3), 244, np.uint8)
    grain = np.repeat(np.repeat(rng.integers(-30, 10, (height // 8, width // 8, 1)), 8, 0), 8, 1)
    assert grain.shape[:2] == (height, width), "sides are multiples of 8"
    rgb[inside] = np.clip(np.array([215, 160, 200]) + grain, 0, 255)[inside]
    with tifffile.TiffWriter(path) as file:
        for factor in (1, 4):
            per_cm = 40_000 / factor
            file.write(
                np.ascontiguousarray(rgb[::factor, ::factor]),
                tile=(256, 256),
                photometric="rgb",
                compression="zlib",
                compressionargs={"level": 1},
                resolution=(per_cm, per_cm),
                resolutionunit="CENTIMETER",
                subfiletype=int(factor > 1),
                metadata=None,
            )
    return path


def key() -> str:
    """Return a new key."""
    return secrets.token_hex(12)


@dataclass
class Person:
    """Somebody with a browser."""

    client: TestClient
    id: int = 0
    answers: list[bytes] = field(default_factory=list)

    def ask(self, method: str, path: str, body: Json | None = None, *, status: int = 200) -> Any:
        """Ask the server and check the status; every answer is kept."""
        headers = {} if method == "GET" else {"origin": BASE}
        answer = self.client.request(method, path, json=body, headers=headers)
        self.answers.append(answer.content)
        assert answer.status_code == status, (method, path, answer.status_code, answer.text[:500])
        kind = answer.headers.get("content-type", "")
        return answer.json() if kind.startswith("application/json") else answer.content

    def get(self, path: str, *, status: int = 200) -> Any:
        """Read."""
        return self.ask("GET", path, status=status)

    def post(self, path: str, *, status: int = 200, **body: Any) -> Any:
        """Write, with a key of its own unless one is given."""
        return self.ask("POST", path, {"key": key(), **body}, status=status)

    def put(self, path: str, *, status: int = 200, **body: Any) -> Any:
        """Change."""
        return self.ask("PUT", path, {"key": key(), **body}, status=status)

    def delete(self, path: str, *, status: int = 200, **body: Any) -> Any:
        """Take away."""
        return self.ask("DELETE", path, {"key": key(), **body}, status=status)

    def act(self, round_id: int, *, status: int = 200, **body: Any) -> Any:
        """Do something to a cell."""
        return self.post(f"/api/rounds/{round_id}/actions", status=status, **body)


@dataclass
class Clinic:
    """A study that is served, with its lead."""

    store: Store
    catalogue: SlideCatalogue
    app: Any
    lead: Person
    token: str

    @property
    def slide(self) -> int:
        """Id of the slide."""
        return min(self.store.slides())

    def person(self, name: str, *, kind: str = "expert", role: str = "rater") -> Person:
        """Return a new rater who came by the own link."""
        added = self.lead.post("/api/raters", name=name, kind=kind, role=role)
        return Person(enter(self.app, added["link"]), added["id"])

    def round(self, name: str, kind: str, *people: Person, **terms: Any) -> int:
        """Return a new round in which people work."""
        body = {"name": name, "kind": kind, "raters": [one.id for one in people], **terms}
        return int(self.lead.post("/api/rounds", **body)["id"])


def enter(app: Any, link: str) -> TestClient:
    """Return a browser that came by a link."""
    client = TestClient(app, base_url=BASE, follow_redirects=False)
    answer = client.get(link)
    assert answer.status_code == 303, answer.text
    return client


def open_clinic(folder: Path, slides: Path) -> Clinic:
    """Serve a new study of a folder of slides."""
    opened = open_study(folder / "study.mito", folders=[slides])
    app = create_app(opened.store, opened.slides)
    lead = Person(enter(app, f"/?token={opened.token}"), opened.lead_id)
    return Clinic(opened.store, opened.slides, app, lead, opened.token)
