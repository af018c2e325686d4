"""Tiles for many eyes, through the API: gold, the majority of experts, yes and no, files, who is how good."""

from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from mitoscope.cli import app
from mitoscope.curation.work_table import work_table
from mitoscope.store import Policy

from .making import Clinic, Person

SIDE = 200.0


def answer_all(person: Person, task: int, said: Any) -> None:
    """Answer the tiles of a round, in the person's own order, until there is none left."""
    while tile := person.get(f"/api/rounds/{task}/tiles/next")["tile"]:
        person.post(f"/api/rounds/{task}/tiles/{tile['id']}/answer", seconds=1, **said(tile))


@dataclass
class Clock:
    """The clock by which answers come in: each so many seconds after the one before."""

    step_s: float = 3.0
    now_s: float = 1e9

    def time(self) -> float:
        self.now_s += self.step_s
        return self.now_s


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("mitoscope.store.tasks.time", made)
    return made


def places(clinic: Clinic, n: int) -> list[dict[str, float]]:
    return [{"slide": clinic.slide, "x": 600 + SIDE * one, "y": 700} for one in range(n)]


def test_experts_make_boxes_by_their_majority_at_mean_coordinates(clinic: Clinic) -> None:
    experts = [clinic.person(f"expert {one}") for one in range(5)]
    task = clinic.round("experts", "crowd boxes", *experts, settings={"box_rule": "majority"})
    clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 3), side=SIDE)
    for number, expert in enumerate(experts):

        def said(tile: dict[str, Any], number: int = number) -> dict[str, Any]:
            drawn = {600: 3, 800: 2, 1000: 0}[int(tile["x"])] > number
            return {"boxes": [[tile["x"] + 50 + 3 * number, tile["y"] + 60, 40, 40]] if drawn else []}

        answer_all(expert, task, said)
    tiles = clinic.lead.get(f"/api/rounds/{task}/tiles")["tiles"]
    # Three of five make a box, at the mean of theirs; two do not, though two of a crowd would.
    assert [tile["boxes"] for tile in tiles] == [[[653.0, 760.0, 40.0, 40.0, 0.6]], [], []]
    assert [tile["holds_figure"] for tile in tiles] == [True, False, False]
    path = f"/api/rounds/{task}/conclude"
    assert clinic.lead.post(path)["cells"] == 1
    agreed = clinic.store.agreed(Policy.SETTLED)
    assert (agreed.label_id.tolist(), agreed.agreement.tolist()) == ([1], [0.6])
    # A fourth sees it after all: the same cell, with another agreement.
    first = tiles[0]
    experts[3].post(f"/api/rounds/{task}/tiles/{first['id']}/answer", boxes=[[655, 760, 40, 40]])
    done = clinic.lead.post(path)
    assert (done["cells"], done["changed"], done["withdrawn"]) == (0, 1, 0)
    assert clinic.store.agreed(Policy.SETTLED).agreement.tolist() == [0.8]
    for expert in experts[:3]:
        expert.post(f"/api/rounds/{task}/tiles/{first['id']}/answer", boxes=[])
    assert clinic.lead.post(path)["withdrawn"] == 1
    assert clinic.store.agreed(Policy.SETTLED).label_id.tolist() == [0]


def test_yes_and_no_come_to_a_file_and_a_yes_is_no_examined_area(clinic: Clinic, tmp_path: Path) -> None:
    people = [clinic.person(f"crowd {one}", kind="crowd") for one in range(3)]
    task = clinic.round("yes or no", "crowd tiles", *people, settings={"minimum_reviewers": 3})
    clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 3), side=SIDE)
    yes = {600: 0, 800: 1, 1000: 3}
    for number, person in enumerate(people):
        answer_all(person, task, lambda tile, number=number: {"answer": yes[int(tile["x"])] > number})
    text = clinic.lead.get(f"/api/rounds/{task}/tiles/file").decode()
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["positive"], row["reviewers"], row["holds_figure"]) for row in rows] == [
        ("0", "3", "0"),
        ("1", "3", "0"),
        ("3", "3", "1"),
    ]
    assert [float(row["score"]) for row in rows] == pytest.approx([0, 1 / 3, 1])
    out = tmp_path / "tiles.json"
    command = ["store", "export", str(clinic.store.path), "--format", "tiles", "--out", str(out)]
    done = CliRunner().invoke(app, command)
    assert done.exit_code == 0, done.output
    written = json.loads(out.read_text())["tiles"]
    assert [tile["score"] for tile in written] == pytest.approx([0, 1 / 3, 1])
    assert [one["answer"] for one in written[1]["answers"]].count(True) == 1
    # Where somebody saw a figure, nobody knows where: the tile is no negative for training.
    examined = clinic.store.ground_truth().slides[0].stated_examined
    assert examined is not None
    assert examined.contains([[700, 800], [900, 800], [1100, 800]]).tolist() == [True, False, False]


@pytest.mark.usefixtures("clock")
def test_raters_are_measured_by_task_on_gold_and_against_the_majority(clinic: Clinic, tmp_path: Path) -> None:
    people = [clinic.person(name, kind="crowd") for name in ("Ada", "Ben", "Eve", "Blind")]
    settings = {"minimum_reviewers": 3, "gold_needed": 2, "pass_mark": 1.0}
    task = clinic.round("crowd", "crowd tiles", *people, settings=settings)
    gold = [one | {"answer": at == 0} for at, one in enumerate(places(clinic, 3)[:3])]
    tiles = [one | {"y": 900} for one in places(clinic, 5)]
    clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=tiles, gold=gold, side=SIDE)

    def said(tile: dict[str, Any], name: str) -> dict[str, Any]:
        if tile["y"] == 700:
            return {"answer": (tile["x"] == 600) != (name == "Blind")}
        return {"answer": tile["x"] < 1000 or (name == "Eve" and tile["x"] == 1000)}

    for name, person in zip(("Ada", "Ben", "Eve", "Blind"), people, strict=True):
        answer_all(person, task, lambda tile, name=name: said(tile, name))
    found = clinic.lead.get("/api/work")
    raters = {row["rater"]: row for row in found["raters"]}
    assert {name: row["state"] for name, row in raters.items()} == {
        "Ada": "qualified",
        "Ben": "qualified",
        "Eve": "qualified",
        "Blind": "failed",
    }
    assert (raters["Ada"]["gold"], raters["Ada"]["gold_accuracy"], raters["Blind"]["gold_accuracy"]) == (
        3,
        1,
        0,
    )
    assert (raters["Eve"]["compared"], raters["Eve"]["accuracy"], raters["Ada"]["accuracy"]) == (5, 0.8, 1)
    # Eight answers three seconds apart; the time of the first is not known.
    assert (raters["Ada"]["timed"], raters["Ada"]["seconds_mean"]) == (7, 3.0)
    assert [(row["kappa_raters"], row["pieces"]) for row in found["tasks"]] == [(3, 8)]
    assert 0.7 < found["tasks"][0]["kappa"]["value"] < 1
    out = tmp_path / "raters.csv"
    done = CliRunner().invoke(app, ["store", "agreement", str(clinic.store.path), "--out", str(out)])
    assert done.exit_code == 0, done.output
    assert out.read_bytes() == clinic.lead.get("/api/work/file")
    assert len(out.read_text().splitlines()) == 5


@pytest.mark.parametrize(("step_s", "timed"), [(0.01, 0), (301.0, 0), (20.0, 3)])
def test_pauses_and_batches_are_no_time_of_work(
    clinic: Clinic, clock: Clock, step_s: float, timed: int
) -> None:
    clock.step_s = step_s
    person = clinic.person("crowd", kind="crowd")
    task = clinic.round("slow", "crowd tiles", person, settings={"minimum_reviewers": 1})
    clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 4), side=SIDE)
    answer_all(person, task, lambda _: {"answer": True})
    (row,) = work_table(clinic.store).raters
    assert (row.timed, row.seconds_median) == (timed, pytest.approx(step_s) if timed else None)


def test_the_mark_holds_for_the_gold_tiles_that_come_later(clinic: Clinic) -> None:
    person = clinic.person("careless", kind="crowd")
    settings = {"minimum_reviewers": 1, "gold_needed": 1, "pass_mark": 0.8}
    task = clinic.round("crowd", "crowd tiles", person, settings=settings)
    gold = [one | {"answer": False} for one in places(clinic, 4)]
    clinic.lead.post(f"/api/rounds/{task}/tiles", gold=gold, side=SIDE)
    states = []
    for right in (True, False):
        asked = person.get(f"/api/rounds/{task}/tiles/next")
        path = f"/api/rounds/{task}/tiles/{asked['tile']['id']}/answer"
        states.append(person.post(path, answer=not right)["qualification"]["state"])
    assert states == ["qualified", "failed"]
    assert person.get(f"/api/rounds/{task}/tiles/next")["tile"] is None
