"""Comments on cells: kept, taken back, and shown to others as labels are. Tags, and the list of slides."""

from __future__ import annotations

from .making import Clinic, Person, key


def _seen(person: Person, round_: int, slide: int) -> list[tuple[str, str]]:
    found = person.get(f"/api/rounds/{round_}/slides/{slide}/comments")["comments"]
    return [(one["rater_name"], one["text"]) for one in found]


def test_comments_are_shown_as_labels_are(clinic: Clinic) -> None:
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    free = clinic.round("free", "unstated", anna, bert)
    cell = anna.act(free, kind="create", slide=clinic.slide, x=900, y=700, label=1)["cell"]
    said = key()
    for repeated in (False, True):
        path, body = f"/api/rounds/{free}/comments", {"key": said, "cell": cell, "text": " pyknotic? "}
        assert anna.ask("POST", path, body) == {
            "cell": cell, "text": "pyknotic?", "is_repeated": repeated,
        }  # fmt: skip
    bert.post(path, cell=cell, text="late metaphase")
    both = [("Anna", "pyknotic?"), ("Bert", "late metaphase")]
    assert _seen(anna, free, clinic.slide) == _seen(bert, free, clinic.slide) == both

    # A second read is blinded, and keeps what others remark hidden in every other round until it is done.
    reading = clinic.round("second", "second read", bert)
    assert _seen(bert, reading, clinic.slide) == []
    assert _seen(bert, free, clinic.slide) == both[1:]
    bert.post(f"/api/rounds/{reading}/comments", cell=cell, text="no chromatin")
    assert _seen(bert, reading, clinic.slide) == [("Bert", "no chromatin")]
    bert.act(reading, kind="label", cell=cell, label=2)
    assert _seen(bert, free, clinic.slide) == [*both, ("Bert", "no chromatin")]

    anna.post(f"/api/rounds/{free}/comments", cell=cell, text="")
    assert _seen(anna, free, clinic.slide) == [both[1], ("Bert", "no chromatin")]
    anna.post(f"/api/rounds/{free}/comments", status=404, cell=cell + 1, text="of no cell")
    anna.post(f"/api/rounds/{reading}/comments", status=403, cell=cell, text="of another's round")
    clinic.store.verify()


def test_in_a_screening_nobody_remarks_on_cells_of_others(clinic: Clinic) -> None:
    anna, bert = clinic.person("Anna"), clinic.person("Bert")
    round_ = clinic.round("first", "screening", anna, bert)
    cell = anna.act(round_, kind="create", slide=clinic.slide, x=900, y=700, label=1)["cell"]
    anna.post(f"/api/rounds/{round_}/comments", cell=cell, text="prophase")
    bert.post(f"/api/rounds/{round_}/comments", status=404, cell=cell, text="not mine")
    assert (_seen(anna, round_, clinic.slide), _seen(bert, round_, clinic.slide)) == (
        [("Anna", "prophase")], [],
    )  # fmt: skip


def test_the_list_of_slides_tells_tags_and_own_progress(clinic: Clinic) -> None:
    anna = clinic.person("Anna")
    first = clinic.round("first", "screening", clinic.lead)
    for x in (800, 900):
        clinic.lead.act(first, kind="create", slide=clinic.slide, x=x, y=700, label=1)
    reading = clinic.round("second", "second read", anna)
    (cell, _) = [one["cell"] for one in anna.get(f"/api/rounds/{reading}/queue")["cells"]]
    anna.act(reading, kind="label", cell=cell, label=2)
    path = f"/api/slides/{clinic.slide}/tags"
    assert clinic.lead.put(path, tags=["pilot", "grade 2", "pilot"])["tags"] == ["grade 2", "pilot"]
    (other,) = clinic.lead.get("/api/slides")["slides"]
    assert (other["labelled"], other["cells"]) == (0, 0), "a screening tells nobody how many cells there are"
    (listed,) = anna.get("/api/slides")["slides"]
    assert listed == {
        "id": clinic.slide, "tags": ["grade 2", "pilot"], "labelled": 1, "cells": 2, "count": None,
    }  # fmt: skip
    anna.put(path, status=403, tags=[])
    clinic.lead.put("/api/slides/999/tags", status=404, tags=[])
    clinic.lead.put(path, tags=[])
    assert anna.get("/api/slides")["slides"][0]["tags"] == []
