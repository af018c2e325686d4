"""Tiles for many eyes, through the API: gold, the majority of experts, yes and no, files, who is how good."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from sqlite3 import Connection
from typing import Any

import pytest
from typer.testing import CliRunner

from mitoscope.cli import app
from mitoscope.curation.select import choose_top, score_tiles, write_choice
from mitoscope.curation.work_table import work_table
from mitoscope.detections import Detections
from mitoscope.exchange import read_ground_truth
from mitoscope.geometry import SizePx
from mitoscope.store import CrowdWork, Policy, read_crowd_work, read_tiles
from tests.store.making import Clock

from .making import Clinic, Json, Person

SIDE = 200.0


def answer_all(person: Person, task: int, said: Any) -> None:
    """Answer the tiles of a round, in the person's own order, until there is none left."""
    while tile := person.get(f"/api/rounds/{task}/tiles/next")["tile"]:
        person.post(f"/api/rounds/{task}/tiles/{tile['id']}/answer", seconds=1, **said(tile))


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


def test_only_rounds_in_which_something_was_said_are_read_anew(
    clinic: Clinic, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [clinic.person(f"crowd {n}", kind="crowd") for n in range(2)]
    tasks = []
    for name in ("first", "second"):
        task = clinic.round(name, "crowd tiles", *people, settings={"minimum_reviewers": 2})
        clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 4), side=SIDE)
        for person in people:
            answer_all(person, task, lambda _: {"answer": True})
        tasks.append(task)
    read: list[int] = []

    def noted(connection: Connection, round_id: int) -> CrowdWork:
        read.append(round_id)
        return read_crowd_work(connection, round_id)

    monkeypatch.setattr("mitoscope.curation.work_table.read_crowd_work", noted)
    before = clinic.lead.get("/api/work")
    assert sorted(read) == sorted(tasks)
    tile = clinic.lead.get(f"/api/rounds/{tasks[0]}/tiles")["tiles"][0]
    clinic.lead.post(f"/api/rounds/{tasks[0]}/tiles/{tile['id']}/gold", answer=False)
    read.clear()
    after = clinic.lead.get("/api/work")
    assert read == [tasks[0]]
    assert [row["gold"] for row in before["raters"]] == [0, 0, 0, 0]
    assert [row["gold"] for row in after["raters"]] == [1, 1, 0, 0]
    fresh = work_table(clinic.store)
    assert [(row.rater, row.gold, row.seconds_mean) for row in fresh.raters] == [
        (row["rater"], row["gold"], row["seconds_mean"]) for row in after["raters"]
    ]


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


def _screened(clinic: Clinic, *places: tuple[float, float, int]) -> Person:
    """Return a first expert who has looked at the whole slide and labelled what is there."""
    first = clinic.person("first expert")
    round_ = clinic.round("screening", "screening", first)
    for x, y, label in places:
        first.act(round_, kind="create", slide=clinic.slide, x=x, y=y, label=label)
    clinic.store.state_examined()
    return first


def test_gold_tiles_are_drawn_from_what_is_settled(clinic: Clinic) -> None:
    # Tiles of 200 px: a figure, a look-alike, a figure that the border cuts, one whose class is disputed.
    _screened(clinic, (900, 700, 1), (1100, 700, 2), (1000, 900, 1), (700, 700, 1))
    second = clinic.person("second expert")
    reading = clinic.round("second read", "second read", second)
    for one in second.get(f"/api/rounds/{reading}/queue?n=9")["cells"]:
        label = 2 if one["x"] in (700, 1100) else 1
        second.act(reading, kind="label", cell=one["cell"], label=label)
    worker = clinic.person("crowd", kind="crowd")
    task = clinic.round("crowd", "crowd boxes", worker, slides=[clinic.slide])
    path = f"/api/rounds/{task}/tiles"
    many = clinic.lead.post(path, gold_from_labels={"positive": 2, "negative": 1}, side=SIDE, status=422)
    assert many["error"].startswith("1 settled tiles have figures")
    done = clinic.lead.post(path, gold_from_labels={"positive": 1, "negative": 5}, side=SIDE)
    assert (done["tiles"], done["gold"]) == (6, 6)
    with clinic.store.reading() as connection:
        gold = {(one.x_px0, one.y_px0): one.gold for one in read_tiles(connection, task)}
    assert gold.pop((800, 600)) == {"boxes": [[875, 675, 50, 50]]}
    assert all(one == {"boxes": []} for one in gold.values())
    assert not gold.keys() & {(600, 600), (800, 800), (1000, 800)}


def test_the_lead_makes_a_gold_tile_by_answering_it(clinic: Clinic) -> None:
    worker = clinic.person("crowd", kind="crowd")
    task = clinic.round("crowd", "crowd tiles", worker)
    clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 2), side=SIDE)
    assert worker.get(f"/api/rounds/{task}/tiles/next?for_gold=1", status=403)["code"] == "not_yours"
    for known in (True, False):
        tile = clinic.lead.get(f"/api/rounds/{task}/tiles/next?for_gold=1")["tile"]
        path = f"/api/rounds/{task}/tiles/{tile['id']}/gold"
        assert worker.post(path, answer=known, status=403)["code"] == "not_yours"
        assert clinic.lead.post(path, answer=known)["is_gold"]
    assert clinic.lead.get(f"/api/rounds/{task}/tiles/next?for_gold=1")["tile"] is None
    assert worker.get(f"/api/rounds/{task}/tiles/next")["qualification"]["needed"] == 2
    assert not clinic.lead.post(path)["is_gold"]
    assert worker.get(f"/api/rounds/{task}/tiles/next")["qualification"]["needed"] == 1


def test_tiles_are_chosen_by_score_or_from_a_file_and_glass_is_dropped(
    clinic: Clinic, tmp_path: Path
) -> None:
    worker = clinic.person("crowd", kind="crowd")
    task = clinic.round("crowd", "crowd boxes", worker, slides=[clinic.slide])
    path = f"/api/rounds/{task}/tiles"
    nothing = clinic.lead.post(path, choose={"rule": "top", "n": 2}, side=SIDE, status=422)
    assert "no model has scored anything" in nothing["error"]
    # The best of all lies on glass, in the corner.
    found = {
        "slide": clinic.slide,
        "x": [50, 900, 1100, 1300],
        "y": [50, 700, 700, 700],
        "score": [0.9, 0.8, 0.5, 0.1],
    }
    reader = clinic.person("reader")
    clinic.lead.post("/api/reviews", name="found", model="m", bins=1, raters=[reader.id], detections=[found])
    done = clinic.lead.post(path, choose={"rule": "top", "n": 2}, side=SIDE)
    assert done["tiles"] == 2
    assert done["left_out"] > 0
    assert {(one["x"], one["y"]) for one in clinic.lead.get(path)["tiles"]} == {(800, 600), (1000, 600)}
    # What a command chose comes the same way; it does not know where glass is.
    name = clinic.store.slides()[clinic.slide].name
    tiles = score_tiles(
        {name: SizePx(2048, 1536)}, {name: Detections.of([(50, 50), (1300, 700)], [0.9, 0.4])}, tile_px=200
    )
    write_choice(tmp_path / "choice.csv", choose_top(tiles, 2))
    done = clinic.lead.post(path, choice=(tmp_path / "choice.csv").read_text())
    assert (done["tiles"], done["left_out"]) == (1, 1)
    assert clinic.lead.post(path, choice="x,y\n1,2", status=422)["field"] == "choice"


def test_experts_confirm_the_boxes_of_a_crowd_and_add_what_it_missed(clinic: Clinic) -> None:
    worker, expert = clinic.person("crowd", kind="crowd"), clinic.person("expert")
    task = clinic.round("crowd", "crowd boxes", worker, settings={"minimum_reviewers": 1})
    clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 4), side=SIDE)
    answer_all(worker, task, lambda tile: {"boxes": [[tile["x"] + 20, tile["y"] + 20, 40, 40]]})
    path = f"/api/rounds/{task}/confirmation"
    early = clinic.lead.post(path, name="confirm", raters=[expert.id], status=422)
    assert "merge the boxes" in early["mend"]
    clinic.lead.post(f"/api/rounds/{task}/conclude")
    asked = clinic.lead.post(path, name="confirm", tiles=3, raters=[expert.id])["round"]
    cells = expert.get(f"/api/rounds/{asked}/queue?n=9")["cells"]
    assert len(cells) == 3
    for number, one in enumerate(cells):
        expert.act(asked, kind="label", cell=one["cell"], label=1 if number else 2)
    expert.act(asked, kind="create", slide=clinic.slide, x=750, y=850, label=1)
    (found,) = clinic.lead.get(f"/api/rounds/{task}/tiles")["confirmations"]
    assert [found[one] for one in ("cells", "read", "confirmed", "added")] == [3, 3, 2, 1]


def test_a_second_expert_adds_cells_where_the_round_says_so(clinic: Clinic) -> None:
    first = _screened(clinic, (900, 700, 1))
    second, third = clinic.person("second expert"), clinic.person("third expert")
    missed: Json = {"kind": "create", "slide": clinic.slide, "x": 1100, "y": 700, "label": 1}
    strict = clinic.round("strict", "second read", second)
    assert "no cell can be added" in second.act(strict, **missed, status=403)["error"]
    none = clinic.lead.post("/api/rounds", name="a", kind="second read", cells="added", status=409)
    assert "no added cell" in none["error"]
    reading = clinic.round("second read", "second read", second, settings={"may_add": True})
    known = second.get(f"/api/rounds/{reading}/queue?n=9")["cells"]
    second.act(reading, kind="label", cell=known[0]["cell"], label=1)
    added = second.act(reading, **missed)["cell"]
    queue = second.get(f"/api/rounds/{reading}/queue?n=9")
    assert (queue["cells"], queue["labelled"], queue["of"]) == ([], 2, 2)
    # It goes back to the first expert, blinded, and from there to the third.
    back = clinic.round("added", "second read", first, cells="added")
    (asked,) = first.get(f"/api/rounds/{back}/queue?n=9")["cells"]
    assert (asked["cell"], asked["label"], asked["others"]) == (added, 0, [])
    first.act(back, kind="label", cell=added, label=2)
    deciding = clinic.round("third", "third expert", third, cells="disputed")
    (asked,) = third.get(f"/api/rounds/{deciding}/queue?n=9")["cells"]
    assert asked["cell"] == added
    third.act(deciding, kind="label", cell=added, label=1)
    assert clinic.lead.get("/api/agreement")["domains"][-1]["two_reads"] == 2
    truth = clinic.store.ground_truth(policy=Policy.MAJORITY).slides[0].cells
    assert truth.label.tolist() == ["mitotic figure"] * 2


def test_answered_tiles_are_pictures_to_train_on(clinic: Clinic, slides: Path, tmp_path: Path) -> None:
    people = [clinic.person(f"crowd {one}", kind="crowd") for one in range(2)]
    settings = {"minimum_reviewers": 2}
    yes_no = clinic.round("yes or no", "crowd tiles", *people, settings=settings)
    boxes = clinic.round("boxes", "crowd boxes", *people, settings=settings)
    for task in (yes_no, boxes):
        clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=places(clinic, 2), side=SIDE)
    for number, person in enumerate(people):
        answer_all(person, yes_no, lambda tile, number=number: {"answer": tile["x"] == 600 and number == 0})
        answer_all(
            person,
            boxes,
            lambda tile: {"boxes": [[tile["x"] + 180, tile["y"] + 20, 40, 40]] if tile["x"] == 600 else []},
        )
    truths = {}
    for name in ("yes or no", "boxes"):
        out = tmp_path / name
        command = ["store", "export", str(clinic.store.path), "--format", "tiles", "--round", name]
        done = CliRunner().invoke(app, [*command, "--slides", str(slides), "--out", str(out)])
        assert done.exit_code == 0, done.output
        truth = read_ground_truth(out / "tiles.json")
        assert all((out / slide.name).is_file() and slide.examined.region is None for slide in truth.slides)
        truths[name] = sorted(truth.slides, key=lambda slide: -len(slide.cells.label))
    for name, agreement, size in (("yes or no", 0.5, [200, 200]), ("boxes", 1.0, [20, 40])):
        with_figure, without = truths[name]
        assert with_figure.cells.agreement.tolist() == [agreement]
        assert with_figure.cells.size_px0.tolist() == [size]
        assert len(without.cells.label) == 0
        assert with_figure.case == without.case
        assert with_figure.case in {one.case or one.name for one in clinic.store.slides().values()}
