"""Promise 10: no byte of the first label's class, rater or colour reaches the second rater, nor the order.

Two studies are made that differ in nothing but the first rater's classes and name. Whatever the second rater
asks, the answers must be the same in both, up to what is drawn anew each time.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mitoscope.labels import Label, LabelSet
from mitoscope.store import Geometry, Rater
from mitoscope.store.encoding import insert
from mitoscope.store.vocabulary import write_setting
from mitoscope.web import SlideCatalogue, create_app
from mitoscope.web.serving import open_study
from mitoscope.web.slides import find_slide_files
from tests.store.session import Session

from .making import Clinic, Person, enter

LABELS = LabelSet((Label("zeta", "#12ab34"), Label("omega", "#fe98dc")))
FIRST, OTHER_FIRST = "Prof. Grimalkin", "Dr. Pettibone"


def _study(folder: Path, slides: Path, *, name: str, classes: list[int], order: list[int]) -> Clinic:
    """Return a study in which a first rater labelled cells, in an order that may be sorted by class."""
    folder.mkdir()
    opened = open_study(folder / "study.mito", folders=[slides], labels=LABELS)
    store = opened.store
    with store.writing() as connection:
        # The random parts are the same in both studies: only what the first rater said differs.
        write_setting(connection, "secret", "5a" * 32)
        connection.execute("UPDATE study SET seed = 4711, uuid = 'same'")
    first = store.add_rater(Rater(name))
    session = Session(store, first, 2)
    made = [
        session.create(1, Geometry.spot(100 + 4 * place, 700 + place % 7)).cell_id
        for place in range(len(order))
    ]
    for place in order:
        session.label(made[place], 1 + classes[place], seconds=1.0)
    with store.writing() as connection:
        remark = {"cell_id": made[0], "rater_id": first, "round_id": 2, "time_s": 1.0}
        insert(connection, "comment", **remark, text=f"{name} says {classes[0]}")
    app = create_app(store, SlideCatalogue(store, find_slide_files([slides])))
    return Clinic(
        store, opened.slides, app, Person(enter(app, f"/?token={opened.token}"), opened.lead_id), ""
    )


def _second(clinic: Clinic) -> tuple[Person, int]:
    person = clinic.person("second")
    reading = clinic.round("second read", "second read", person)
    with clinic.store.writing() as connection:
        connection.execute("INSERT INTO reading_order VALUES (?, ?, 12345678901)", (reading, person.id))
    return person, reading


def _everything(person: Person, reading: int) -> list[bytes]:
    """Ask all that a second rater can ask, label some cells, and return the answers."""
    person.answers.clear()
    person.get("/api/me")
    paths = (
        f"/api/rounds/{reading}/slides/1/cells",
        f"/api/rounds/{reading}/slides/1/cells?since=0",
        f"/api/rounds/{reading}/slides/1/cells?box=110,600,40,300",
        f"/api/rounds/{reading}/queue?n=200",
        f"/api/rounds/{reading}/queue?n=3",
        f"/api/rounds/{reading}/done",
        f"/api/rounds/{reading}/slides/1/screening",
        f"/api/slides/1/hot-spot?round={reading}&area_mm2=0.01",
        f"/api/rounds/{reading}/slides/1/case",
        f"/api/rounds/{reading}/slides/1/comments",
        "/api/slides",
        "/api/slides/1/regions",
        "/api/slides/1/interests",
        "/api/results",
    )
    for path in paths:
        person.get(path)
    cells = person.get(f"/api/rounds/{reading}/queue?n=200")["cells"]
    for one in cells:
        person.get(f"/api/rounds/{reading}/cells/{one['cell']}")
    for place, one in enumerate(cells[:4]):
        body = {"key": f"second-{place:03}", "kind": "label", "cell": one["cell"], "label": 1 + place % 2}
        person.act(reading, **body, expected=one["seen"])
    person.act(reading, kind="label", cell=cells[5]["cell"], label=1, expected="0" * 12, status=409)
    for refused in ("study", "agreement", "overrules", "export", "progress", "raters", "rounds"):
        person.get(f"/api/{refused}", status=403)
    person.get("/api/rounds/2/slides/1/cells", status=403)
    person.get(paths[0])
    person.get(paths[3])
    return list(person.answers)


@pytest.mark.parametrize("seed", range(2))
def test_answers_to_the_second_rater_do_not_depend_on_the_first(
    quick_path: Path, slides: Path, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    classes = rng.integers(0, 2, 24).tolist()
    answers = []
    for name, said in ((FIRST, classes), (OTHER_FIRST, [1 - one for one in classes])):
        order = np.argsort(said, kind="stable").tolist()
        clinic = _study(quick_path / name, slides, name=name, classes=said, order=order)
        with clinic.store.writing() as connection:
            connection.execute("UPDATE cell SET public_id = id * 10000019 % 65521")
        answers.append(_everything(*_second(clinic)))
        clinic.store.close()
    one, other = answers
    assert len(one) == len(other) > 40
    for mine, theirs in zip(one, other, strict=True):
        assert mine == theirs
    for content in one:
        for word in (FIRST, OTHER_FIRST):
            assert word.encode() not in content


def test_the_first_label_shows_nowhere(quick_path: Path, slides: Path) -> None:
    classes = [one % 2 for one in range(24)]
    clinic = _study(quick_path / "a", slides, name=FIRST, classes=classes, order=list(range(24)))
    person, reading = _second(clinic)
    for content in _everything(person, reading)[1:]:
        # Names and colours of the labels are known from /api/me alone, where they are those of the study.
        for word in (FIRST, "zeta", "omega", "12ab34", "fe98dc", "Grimalkin"):
            assert word.encode() not in content
    cells = json.loads(person.answers[1])
    assert set(cells["label"]) == {0}
    assert set(cells["rater"]) == {0}
    assert set(cells["shape"]) == {1}
    assert cells["raters"] == {}
    clinic.store.close()


def test_neither_the_ids_nor_the_order_tell_the_class_of_a_file_sorted_by_class(
    quick_path: Path, slides: Path
) -> None:
    n = 400
    classes = [int(one >= n // 2) for one in range(n)]
    clinic = _study(quick_path / "a", slides, name=FIRST, classes=classes, order=list(range(n)))
    person, reading = _second(clinic)
    with clinic.store.reading() as connection:
        places = dict(connection.execute("SELECT id, x_min_px0 FROM cell"))
    assert sorted(places, key=places.__getitem__) == sorted(places), "the ids are in the order of the classes"
    shown = person.get(f"/api/rounds/{reading}/queue?n=200")["cells"]
    columns = person.get(f"/api/rounds/{reading}/slides/1/cells")
    label = {100 + 4 * place: one for place, one in enumerate(classes)}
    # By the sign test none of these numbers, nor the place in the answers, goes with the class.
    for numbers, x in (
        (range(len(shown)), [one["x"] for one in shown]),
        ([one["cell"] for one in shown], [one["x"] for one in shown]),
        ([int(one["seen"], 16) for one in shown], [one["x"] for one in shown]),
        (range(n), columns["x"]),
        (columns["cell"], columns["x"]),
        ([int(one, 16) for one in columns["seen"]], columns["x"]),
    ):
        said = np.array([label[round(one)] for one in x])
        values = np.array(list(numbers))
        assert stats.mannwhitneyu(values[said == 0], values[said == 1]).pvalue > 1e-4
    clinic.store.close()


def test_who_is_yet_to_read_a_cell_blinded_sees_it_bare_in_every_other_round(clinic: Clinic) -> None:
    first, second = clinic.person("first"), clinic.person("second")
    free = clinic.round("free", "unstated", first, second)
    made = first.act(free, kind="create", slide=clinic.slide, x=800, y=700, label=1)["cell"]
    before = second.get(f"/api/rounds/{free}/slides/{clinic.slide}/cells")
    assert before["label"] == [1]
    reading = clinic.round("second read", "second read", second)
    hidden = second.get(f"/api/rounds/{free}/slides/{clinic.slide}/cells")
    assert (hidden["label"], hidden["rater"]) == ([0], [0])
    assert second.get(f"/api/rounds/{free}/cells/{made}")["others"] == []
    second.act(reading, kind="label", cell=made, label=2)
    after = second.get(f"/api/rounds/{free}/slides/{clinic.slide}/cells")
    assert after["label"] != [0]


def test_a_lead_who_reads_blinded_gets_no_figures_that_tell(clinic: Clinic) -> None:
    first = clinic.person("first")
    free = clinic.round("free", "unstated", first)
    first.act(free, kind="create", slide=clinic.slide, x=800, y=700, label=1)
    reading = clinic.round("mine", "second read", clinic.lead)
    for path in ("study", "agreement", "overrules", "export"):
        assert clinic.lead.get(f"/api/{path}", status=403)["code"] == "blinded"
    for cells in ("disputed", "added"):  # which cells these are tells what others said
        body = {"name": cells, "kind": "consensus", "cells": cells}
        assert clinic.lead.post("/api/rounds", status=403, **body)["code"] == "blinded"
    task = clinic.round("tiles", "crowd boxes", first)
    wanted = {"positive": 9, "negative": 9}  # the refusal would say how many tiles have figures
    refused = clinic.lead.post(f"/api/rounds/{task}/tiles", gold_from_labels=wanted, status=403)
    assert refused["code"] == "blinded"
    clinic.lead.put(f"/api/rounds/{reading}", is_open=False)
    clinic.lead.get("/api/study")


def test_each_rater_has_an_order_of_reading_that_stays(clinic: Clinic) -> None:
    first = clinic.person("first")
    free = clinic.round("free", "unstated", first)
    for place in range(30):
        first.act(free, kind="create", slide=clinic.slide, x=700 + 10 * place, y=700, label=1)
    people = [clinic.person(f"reader {one}") for one in range(3)]
    reading = clinic.round("second read", "second read", *people)
    orders = []
    for person in people:
        order = [one["cell"] for one in person.get(f"/api/rounds/{reading}/queue?n=30")["cells"]]
        assert [one["cell"] for one in person.get(f"/api/rounds/{reading}/queue?n=30")["cells"]] == order
        orders.append(tuple(order))
    assert len(set(orders)) == 3
    assert len({frozenset(one) for one in orders}) == 1
    with clinic.store.reading() as connection:
        assert connection.execute("SELECT count(DISTINCT seed) FROM reading_order").fetchone() == (3,)


def test_the_naive_order_by_id_would_tell(quick_path: Path, slides: Path) -> None:
    """Control: shown in the order of their ids, cells of a sorted file tell their class."""
    classes = [int(one >= 100) for one in range(200)]
    clinic = _study(quick_path / "a", slides, name=FIRST, classes=classes, order=list(range(200)))
    with clinic.store.reading() as connection:
        ids = [one for (one,) in connection.execute("SELECT id FROM cell ORDER BY id")]
    said = np.array(classes)
    values = np.array(ids)
    assert stats.mannwhitneyu(values[said == 0], values[said == 1]).pvalue < 1e-4
    clinic.store.close()


def test_a_signed_result_and_a_board_are_closed_to_who_is_yet_to_read_their_cells(clinic: Clinic) -> None:
    """Both tell the class that somebody gave each cell."""
    first, second = clinic.person("first"), clinic.person("second")
    case = clinic.round("case", "case review", first, settings={"area_mm2": 0.01})
    cells = [
        first.act(case, kind="create", slide=clinic.slide, x=800 + 9 * one, y=700, label=1)["cell"]
        for one in range(3)
    ]
    path = f"/api/rounds/{case}/slides/{clinic.slide}/case"
    spot = first.get(path)["hot_spot"]
    signed = first.post(
        f"{path}/sign", threshold=0.5, x=spot["x"], y=spot["y"], count=spot["count"], is_not_searched=True
    )["result"]
    board = clinic.lead.post(
        "/api/boards", name="b", cells=cells, x=[0, 1, 2], y=[0, 0, 0], raters=[second.id]
    )
    results = (signed["manifest"], signed["report"])
    for hidden in results:
        assert second.get(hidden, status=404)["code"] == "no_such", "that round is another's"
    assert clinic.lead.get(signed["manifest"])["content"]["count"] == spot["count"]
    assert len(clinic.lead.get("/api/results")["results"]) == 1
    assert set(second.get(f"/api/boards/{board['board']}")["before"]) == {1}
    reading = clinic.round("second read", "second read", second, clinic.lead)
    for person in (second, clinic.lead):
        assert person.get("/api/results")["results"] == []
        for hidden in results:
            person.get(hidden, status=404)
        assert person.get(f"/api/boards/{board['board']}", status=403)["code"] == "blinded"
        assert person.get(f"/api/boards/{board['board']}/changed", status=403)["code"] == "blinded"
    assert len(first.get("/api/results")["results"]) == 1, "one's own is always there"
    for cell in cells:
        second.act(reading, kind="label", cell=cell, label=2)
    assert set(second.get(f"/api/boards/{board['board']}")["before"]) == {1}
    clinic.lead.put(f"/api/rounds/{reading}", is_open=False)
    assert len(clinic.lead.get("/api/results")["results"]) == 1


def test_who_counts_a_case_sees_nothing_of_the_others_anywhere_until_it_is_signed(clinic: Clinic) -> None:
    first, second, reader = (clinic.person(name) for name in ("first", "second", "reader"))
    found = {"slide": clinic.slide, "x": [800.0, 860.0], "y": [700.0, 700.0], "score": [0.9, 0.8]}
    clinic.lead.post("/api/reviews", name="found", model="m", detections=[found], bins=1, raters=[reader.id])
    case = clinic.round("case", "case review", first, second, settings={"area_mm2": 0.01, "threshold": 0.5})
    path = f"/api/rounds/{case}/slides/{clinic.slide}"
    candidate = first.get(f"{path}/cells")["cell"][0]
    first.act(case, kind="label", cell=candidate, label=2)
    added = first.act(case, kind="create", slide=clinic.slide, x=830, y=720, label=1)["cell"]

    def sign(person: Person) -> None:
        person.post(f"{path}/case/work", looked=person.get(f"{path}/cells")["cell"])
        spot = person.get(f"{path}/case")["hot_spot"]
        person.post(f"{path}/case/sign", threshold=0.5, **{name: spot[name] for name in ("x", "y", "count")})

    def seen(person: Person) -> tuple[set[int], bool, int]:
        cells = person.get(f"{path}/cells")
        return set(cells["label"]), added in cells["cell"], len(person.get(f"{path}/case")["results"])

    free = clinic.round("free", "unstated", first, second)
    apart = clinic.round("case of the second", "case review", second, settings={"area_mm2": 0.01})

    def elsewhere(person: Person, round_id: int = free) -> tuple[set[int], bool]:
        cells = person.get(f"/api/rounds/{round_id}/slides/{clinic.slide}/cells")
        return set(cells["label"]), added in cells["cell"]

    sign(first)
    assert seen(second) == ({0}, False, 0)
    assert elsewhere(second) == ({0}, False)
    assert elsewhere(second, apart) == ({0}, False)
    for round_id in (case, free, apart):
        assert second.get(f"/api/rounds/{round_id}/cells/{candidate}")["others"] == []
        second.get(f"/api/rounds/{round_id}/cells/{added}", status=404)
        waiting = second.get(f"/api/rounds/{round_id}/queue")
        assert added not in {one["cell"] for one in waiting["cells"]}
        assert (waiting["labelled"], waiting["of"]) == (0, 0)
    assert {(one["labelled"], one["cells"]) for one in second.get("/api/me")["rounds"]} == {(0, 0)}
    for label in (1, None):  # and works there as with any other cell
        bare = second.get(f"/api/rounds/{free}/cells/{candidate}")
        second.act(free, kind="label", cell=candidate, label=label, expected=bare["seen"])
    assert (seen(clinic.lead), elsewhere(clinic.lead)) == (({0, 1, 2}, True, 1), ({0, 1, 2}, True))
    sign(second)
    assert elsewhere(second) == ({0}, False), "there is a case of the slide yet to be signed"
    clinic.lead.put(f"/api/rounds/{apart}", is_open=False)
    assert (seen(second), elsewhere(second)) == (({0, 1, 2}, True, 2), ({0, 1, 2}, True))
