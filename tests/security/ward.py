"""A study with all in it that a rater may or may not see, and people who stand in every relation to it.

Each request is made in one transaction that is rolled back, so that all are made of the same study.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from mitoscope.labels import Label, LabelSet
from mitoscope.store import Store
from mitoscope.store.vocabulary import write_setting
from mitoscope.web import create_app, open_study
from tests.web.making import BASE, Json, Person, enter, write_slide

FIRST, LEAD = "Grimalkin", "Quillfeather"
REMARK, SIGNED, SCORE, SIGNED_AT = "canary-remark", "canary-signature", 0.87319, 0.42425
CLASSES = LabelSet(
    (Label("mitotic figure", "#12ab34"), Label("look-alike", "#fe98dc"), Label("zeta", "#0a0b0c"))
)
AREA_MM2 = 0.01
"""Of the window of a case: the slides are small."""
FROZEN_S = 1.7e9
"""The time of all that is done: two studies are to differ in what is told apart alone."""


class Trials:
    """The store of a server whose requests leave nothing behind, see :meth:`trial`."""

    def __init__(self, store: Store) -> None:
        self._store, self._connection = store, store._connection
        self._inside = 0
        store.snapshot = lambda: nullcontext(store)  # type: ignore[method-assign,assignment,return-value]
        store.reading = self._nested(store.reading, writes=False)  # type: ignore[method-assign]
        store.writing = self._nested(store.writing, writes=True)  # type: ignore[method-assign]

    def _nested(self, whole: Any, *, writes: bool) -> Any:
        @contextmanager
        def part() -> Iterator[Any]:
            # A copy of the study, of which a version is frozen, is made before anything is written.
            if not self._inside or not (writes or self._connection.in_transaction):
                with whole() as connection:
                    yield connection
                return
            with self._store._turn:
                if not self._connection.in_transaction:
                    self._connection.execute("BEGIN IMMEDIATE")
                self._inside += 1
                name = f"part_{self._inside}"
                self._connection.execute(f"SAVEPOINT {name}")
                try:
                    yield self._connection
                except BaseException:
                    self._connection.execute(f"ROLLBACK TO {name}")
                    raise
                finally:
                    self._connection.execute(f"RELEASE {name}")
                    self._inside -= 1

        return part

    @contextmanager
    def trial(self) -> Iterator[None]:
        """Take back what the requests of the block write."""
        self._inside = 1
        try:
            yield
        finally:
            self._inside = 0
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK")

    def state(self) -> str:
        """Return a fingerprint of all that the study holds now."""
        found = hashlib.sha256()
        for line in self._connection.iterdump():
            found.update(line.encode())
        return found.hexdigest()


@dataclass
class Ward:
    """A study that is served, its people by what they are to it, and the numbers of what is in it."""

    store: Store
    app: Any
    trials: Trials
    people: dict[str, Person] = field(default_factory=dict)
    there: dict[str, Any] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)

    def ask(self, who: str, method: str, path: str, body: Json | None = None, *, stays: bool = False) -> Any:
        """Return the answer to somebody, who may keep the cookie whatever the server says."""
        headers, client = {} if method == "GET" else {"origin": BASE}, self.people[who].client
        known = dict(client.cookies)
        if "/pieces/" in path:
            headers["content-type"] = "application/octet-stream"
            answer = client.request(method, path, content=b"piece", headers=headers)
        else:
            answer = client.request(method, path, json=body, headers=headers)
        if stays and dict(client.cookies) != known:
            client.cookies.update(known)
        return answer

    def ask_by_token(self, who: str, method: str, path: str, body: Json | None = None) -> Any:
        """Return the answer to a script of somebody: a token, and neither cookie nor origin."""
        headers = {"authorization": f"Bearer {self.tokens[who]}"}
        client = TestClient(self.app, base_url=BASE, follow_redirects=False)
        if "/pieces/" in path:
            headers["content-type"] = "application/octet-stream"
            return client.request(method, path, content=b"piece", headers=headers)
        return client.request(method, path, json=body, headers=headers)

    def forget(self) -> None:
        """Forget who was seen, as time would."""
        self.app.state.mitoscope.forget_visits()

    def round(self, name: str, kind: str, *who: str, **terms: Any) -> int:
        """Open a round in which people work."""
        raters = [self.people[one].id for one in who]
        body = {"name": name, "kind": kind, "raters": raters, "settings": {"area_mm2": AREA_MM2}, **terms}
        self.there[name] = int(self.people["lead"].post("/api/rounds", **body)["id"])
        return int(self.there[name])


def open_ward(folder: Path, *, other: bool = False) -> Ward:
    """Serve a new study of two slides.

    Parameters
    ----------
    folder : Path
        Where it lies.
    other : bool
        Whether the first rater is another one who said otherwise, and more often: nobody who may not know
        what the first rater said may tell the two studies apart.
    """
    slides = folder / "slides"
    slides.mkdir()
    for seed, name in enumerate(("one.tiff", "two.tiff")):
        write_slide(slides / name, width=1024, height=768, seed=seed)
    opened = open_study(folder / "study.mito", folders=[slides], lead=LEAD, labels=CLASSES)
    with opened.store.writing() as connection:
        write_setting(connection, "secret", "5a" * 32)
        connection.execute("UPDATE study SET seed = 4711, uuid = 'same'")
    app = create_app(opened.store, opened.slides)
    ward = Ward(opened.store, app, Trials(opened.store))
    ward.people["lead"] = Person(enter(app, f"/?token={opened.token}"), opened.lead_id)
    ward.tokens |= {"lead": opened.token, "nobody": "x" * 32}
    ward.people["nobody"] = Person(TestClient(app, base_url=BASE, follow_redirects=False))
    first = "Pettibone" if other else FIRST
    for who, name, kind, role in (
        ("first", first, "expert", "rater"),
        ("member", "member", "expert", "rater"),
        ("blind", "blind", "expert", "rater"),
        ("stranger", "stranger", "expert", "rater"),
        ("worker", "worker", "crowd", "rater"),
        ("closed", "closed", "expert", "rater"),
        ("blindlead", "blindlead", "expert", "lead"),
    ):
        added = ward.people["lead"].post("/api/raters", name=name, kind=kind, role=role)
        ward.people[who] = Person(enter(app, added["link"]), added["id"])
        ward.tokens[who] = added["link"].rpartition("token=")[2]
    _rounds(ward)
    _said(ward, other=other)
    lead = ward.people["lead"]
    lead.put(f"/api/rounds/{ward.there['done']}", is_open=False)
    lead.put(f"/api/raters/{ward.people['closed'].id}", is_open=False)
    with opened.store.writing() as connection:
        connection.execute("UPDATE cell SET public_id = id * 10000019 % 65521")
        rounds = [ward.there[name] for name in ("free", "done", "second", "screening")]
        who_reads = [(one, ward.people[who].id) for one in rounds for who in ("member", "blind", "blindlead")]
        who_reads.append((ward.there["crowd"], ward.people["worker"].id))
        connection.executemany("INSERT INTO reading_order VALUES (?, ?, 12345678901)", who_reads)
        created = "SELECT cell_id FROM event WHERE kind = 'create' AND round_id = ?"
        sql = f"SELECT min(public_id) FROM cell WHERE id IN ({created})"
        (ward.there["cell"],) = connection.execute(sql, (ward.there["free"],)).fetchone()
    return ward


def _rounds(ward: Ward) -> None:
    one, two = sorted(ward.store.slides())
    ward.there |= {"slide": one, "other slide": two}
    ward.round("free", "unstated", "first", "member", "blind", slides=[one])
    ward.round("done", "unstated", "first", "member", "blind", slides=[one])
    ward.round("foreign", "unstated", "first", slides=[one])
    ward.round("elsewhere", "unstated", "stranger", slides=[two])
    ward.round("screening", "screening", "first", "member", slides=[one])
    ward.round("case", "case review", "first", "member", "blind", slides=[one])
    ward.round("crowd", "crowd boxes", "first", "worker", slides=[one])


def _said(ward: Ward, *, other: bool) -> None:
    """Let the first rater say all that others may not know; the second read is opened last."""
    first, lead, there = ward.people["first"], ward.people["lead"], ward.there
    said, twin = (2, 1) if other else (1, 2)
    slide = there["slide"]
    found = {"slide": slide, "x": [500.0, 560.0], "y": [400.0, 400.0], "score": [SCORE, 0.6]}
    lead.post("/api/reviews", name="review", model="m", detections=[found], bins=1, raters=[first.id])
    boxes = [[420 + 20 * one, 380, 9, 9] for one in range(4)]
    cells = [
        first.act(there["free"], kind="create", slide=slide, box=box, label=label)["cell"]
        for box, label in zip(boxes, (said, twin, said, said), strict=True)
    ]
    first.act(there["case"], kind="create", slide=slide, x=600, y=420, label=said)
    first.post(f"/api/rounds/{there['free']}/comments", cell=cells[0], text=f"{REMARK} {said}")
    _outlines(ward)
    gold = {"slide": slide, "x": 0, "y": 0, "boxes": [[10, 10, 50, 50]]}
    tiles = [{"slide": slide, "x": 100 * one, "y": 300} for one in range(1, 4)]
    crowd = f"/api/rounds/{there['crowd']}/tiles"
    lead.post(crowd, tiles=tiles, gold=[gold], side=100)
    there["tile"] = first.get(f"{crowd}/next")["tile"]["id"]
    there["class"] = lead.post("/api/classes", names=["megakaryocyte"])["classes"][-1]["id"]
    board = lead.post("/api/boards", name="board", cells=cells, x=[0, 1, 2, 3], y=[0, 0, 0, 0])
    people = [ward.people[who].id for who in ("member", "blind", "blindlead")]
    lead.put(f"/api/rounds/{board['round']}", raters=people)
    there |= {"cell": cells[0], "board": board["board"]}
    # From here on the two studies differ in what was done, not in what is there.
    for _ in range(1 + other):
        there["result"] = _sign(ward, said)
        first.post(f"{crowd}/{there['tile']}/answer", boxes=[[10, 10, 40 + 9 * other, 40]])
    for _ in range(3 * other):
        for label in (twin, said):
            first.act(there["free"], kind="label", cell=cells[0], label=label)
    ward.round("second", "second read", "blind", "blindlead", slides=[slide])


def _outlines(ward: Ward) -> None:
    """Draw regions and regions of interest, and take some away."""
    first, path = ward.people["first"], f"/api/slides/{ward.there['slide']}"
    whole = [[0, 0], [1024, 0], [1024, 768], [0, 768]]
    ward.people["lead"].post(f"{path}/regions", kind="tumour", vertices=whole)
    kept, gone = (
        first.post(f"{path}/regions", kind="exclusion", vertices=[[0, 0], [side, 0], [0, side]])["region"]
        for side in (9, 8)
    )
    first.delete(f"/api/regions/{gone['id']}", expected=gone["seen"])
    placed = [first.post(f"{path}/interests", x=0, y=0, area_mm2=0.001)["interest"]["id"] for _ in range(2)]
    first.delete(f"/api/interests/{placed[1]}")
    ward.there |= {"region": kept["id"], "region seen": kept["seen"], "gone region": gone["id"]}
    ward.there |= {"interest": placed[0], "gone interest": placed[1]}


def _sign(ward: Ward, said: int) -> int:
    """Sign the case as the first rater and return the number of the result."""
    first, path = ward.people["first"], f"/api/rounds/{ward.there['case']}/slides/{ward.there['slide']}/case"
    counted = first.ask("POST", f"{path}/count", {"threshold": SIGNED_AT})
    placed = {name: counted[name] for name in ("x", "y", "count")}
    first.post(f"{path}/work", looked=first.get(path.replace("/case", "/cells"))["cell"])
    signed = first.post(f"{path}/sign", threshold=SIGNED_AT, comment=f"{SIGNED} {said}", **placed)
    return int(signed["result"]["id"])
