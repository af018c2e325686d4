"""One study with work of every kind, so that each way of working can be opened and looked at."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .making import Clinic, Person, until
from .seeding import candidates, label_all


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A place of the page, and the keys that show it as it is used."""

    name: str
    person: Person
    where: str
    keys: tuple[str, ...] = ()
    click: str = ""
    """What is clicked first: a CSS selector."""
    corners: tuple[tuple[float, float], ...] = ()
    """What is clicked in the view of the slide after the keys, as shares of its width and height."""
    awaited: str = ".slide canvas.marks"
    """What is there once the place is ready: a CSS selector."""


_OUTLINE = ((0.3, 0.2), (0.52, 0.16), (0.66, 0.3), (0.62, 0.55), (0.42, 0.62), (0.28, 0.45))


def exhibits(clinic: Clinic, slides: Path) -> list[Exhibit]:
    """Return every way of working and every page of the lead, with work in it."""
    lead, anna, bert = clinic.lead, clinic.person("Anna"), clinic.person("Bert")
    slide, other = clinic.slide["id"], clinic.slides["breast-05.tiff"]["id"]
    first = label_all(clinic, anna, slides, n=40)
    cells = anna.cells(first, slide)["cell"]
    second = clinic.round("second read", "second read", bert, cells=cells, settings={"may_add": True})
    for number, cell in enumerate(cells[:8]):
        bert.act(second, kind="label", cell=cell, label=(clinic.figure, clinic.look_alike)[number % 2])
    groups = candidates(clinic, bert, slides, slide=other)
    screening = clinic.round("screening", "screening", bert, settings={"field_um": [160, 110]})
    doro = clinic.person("Doro")
    third = clinic.round("third expert", "third expert", doro, cells="disputed", shows_labels=False)
    together = clinic.round("consensus", "consensus", lead, cells="disputed", shows_labels=True)
    case = clinic.round("case", "case review", bert, settings={"area_mm2": 0.03, "threshold": 0.6})
    bare = clinic.slides["breast-02.tiff"]["id"]
    free = clinic.round("free labelling", "unstated", bert)
    return [
        Exhibit("home", bert, "/", awaited=".card"),
        Exhibit("add-slides", lead, "/", click=".add-slides summary", awaited=".slide-card img"),
        Exhibit("screening", bert, f"/round/{screening}/slide/{slide}"),
        Exhibit("second-read", bert, f"/round/{second}"),
        Exhibit("contact-sheet", bert, f"/round/{second}", ("v",), awaited=".panel"),
        Exhibit("consensus", lead, f"/round/{together}"),
        Exhibit("third-expert", doro, f"/round/{third}"),
        Exhibit("candidates", bert, f"/round/{groups[0]}"),
        Exhibit("board", lead, f"/round/{_board(clinic, cells)}"),
        Exhibit("crowd-boxes", bert, f"/round/{_tiles(clinic, bert, 'crowd boxes')}"),
        Exhibit("crowd-yes-no", bert, f"/round/{_tiles(clinic, bert, 'crowd tiles')}"),
        Exhibit("case", bert, f"/round/{case}/slide/{other}", ("n",), awaited=".film li button"),
        Exhibit("case-without-candidates", bert, f"/round/{case}/slide/{bare}"),
        Exhibit("free-labelling", bert, f"/round/{free}/slide/{slide}"),
        Exhibit("tools", bert, f"/round/{free}/slide/{slide}", ("Shift+A", "Shift+F", "Shift+B")),
        Exhibit("list-of-cells", anna, f"/round/{first}/slide/{slide}", ("Shift+C", "Shift+D", "Shift+T")),
        Exhibit("regions", lead, f"/regions/{slide}", ("t",), corners=_OUTLINE),
        Exhibit("people", lead, "/study/people", awaited="td"),
        Exhibit("rounds", lead, "/study/rounds", awaited=".work-card"),
        Exhibit("hard-examples", lead, "/study/rounds", click="text=Hard examples", awaited=".work-card"),
        Exhibit("progress", lead, "/study/progress", awaited="td"),
        Exhibit("agreement", lead, "/study/agreement", awaited=".page table, .page .empty"),
        Exhibit("search", lead, "/study/search", awaited="td"),
        Exhibit("data", lead, "/study/data", awaited=".page h2"),
        Exhibit("classes", lead, "/study/classes", awaited=".page form"),
        Exhibit("activity", lead, "/study/activity", awaited="td"),
        Exhibit("nothing-here", bert, "/round/999999", awaited=".empty"),
        Exhibit("find", lead, f"/regions/{slide}", ("Control+k", "b", "r")),
        Exhibit("keys", bert, f"/round/{free}/slide/{slide}", ("?",), awaited="canvas.marks"),
    ]


def _board(clinic: Clinic, cells: list[int]) -> int:
    spiral = [(math.sqrt(at), 2.4 * at) for at in range(len(cells))]  # the golden angle fills a disc evenly
    places: dict[str, Any] = {
        "x": [distance * math.cos(angle) for distance, angle in spiral],
        "y": [distance * math.sin(angle) for distance, angle in spiral],
    }
    made = clinic.lead.post("/api/boards", name="gallery of crops", cells=cells, **places)
    until(lambda: clinic.lead.get(f"/api/boards/{made['board']}")["state"] == "ready", seconds=60)
    return int(made["round"])


def _tiles(clinic: Clinic, worker: Person, kind: str) -> int:
    round_ = clinic.round(kind, kind, worker)
    slide = clinic.slide["id"]
    tiles = [{"slide": slide, "x": x, "y": 300} for x in (300, 500)]
    clinic.lead.post(f"/api/rounds/{round_}/tiles", tiles=tiles, side=400)
    return round_
