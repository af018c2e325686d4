"""The classes of a study are seen and changed by its lead, and are what raters label with."""

from __future__ import annotations

import numpy as np

from mitoscope.curation.candidates import propose
from mitoscope.detections import Detections, Searched

from .making import Clinic


def _names(answer: dict[str, list[dict[str, object]]]) -> list[object]:
    return [one["name"] for one in answer["classes"]]


def test_the_lead_adds_classes_of_the_field_and_own_ones(clinic: Clinic) -> None:
    before = clinic.lead.get("/api/classes")
    assert _names(before) == ["mitotic figure", "look-alike"]
    assert "ambiguous" in before["suggested"]
    after = clinic.lead.post("/api/classes", names=["Ambiguous", "atypical mitotic figure", "megakaryocyte"])
    assert _names(after)[2:] == ["ambiguous", "atypical mitotic figure", "megakaryocyte"]
    assert "ambiguous" not in after["suggested"]
    assert [one["is_own"] for one in after["classes"]] == [False] * 4 + [True]
    again = clinic.lead.post("/api/classes", names=["Mitose", "megakaryocyte"])
    assert _names(again) == _names(after), "a class of another name in the field is not added twice"
    assert [one["name"] for one in clinic.lead.get("/api/me")["labels"]] == _names(after)


def test_labels_of_a_new_class_are_given_and_kept_when_it_is_renamed(clinic: Clinic) -> None:
    rater = clinic.person("rater")
    free = clinic.round("free", "unstated", rater)
    own = clinic.lead.post("/api/classes", names=["megakaryocyte"])["classes"][-1]
    made = rater.act(free, kind="create", slide=clinic.slide, x=800, y=700, label=own["id"])
    renamed = clinic.lead.put(f"/api/classes/{own['id']}", name="giant cell")
    assert renamed["classes"][-1] == {**own, "name": "giant cell"}
    assert rater.get(f"/api/rounds/{free}/cells/{made['cell']}")["label"] == own["id"]
    assert _names(clinic.lead.post("/api/classes", names=["megakaryocyte"])) == _names(renamed)


def test_what_cannot_be_a_class_is_refused_in_one_line(clinic: Clinic) -> None:
    figure = clinic.lead.get("/api/classes")["classes"][0]["id"]
    own = clinic.lead.post("/api/classes", names=["own"])["classes"][-1]["id"]
    for path, name in ((figure, "other"), (own, "look-alike")):
        refused = clinic.lead.put(f"/api/classes/{path}", name=name, status=422)
        assert "\n" not in refused["error"]
    clinic.lead.put("/api/classes/99", name="x", status=404)
    clinic.lead.post("/api/classes", names=[""], status=422)
    clinic.lead.post("/api/classes", names=[], status=422)


def test_raters_do_not_change_the_classes(clinic: Clinic) -> None:
    rater = clinic.person("rater")
    rater.get("/api/classes", status=403)
    assert rater.post("/api/classes", names=["own"], status=403)["code"] == "not_yours"
    rater.put("/api/classes/1", name="own", status=403)


def test_an_atypical_figure_counts_as_a_mitotic_figure(clinic: Clinic) -> None:
    doctor = clinic.person("doctor")
    atypical = clinic.lead.post("/api/classes", names=["atypical"])["classes"]
    label = next(one["id"] for one in atypical if one["name"] == "atypical mitotic figure")
    case = clinic.round("case", "case review", doctor, settings={"area_mm2": 0.01})
    doctor.act(case, kind="create", slide=clinic.slide, x=800, y=700, label=label)
    shown = doctor.get(f"/api/rounds/{case}/slides/{clinic.slide}/case")
    assert (shown["hot_spot"]["count"], shown["hot_spot"]["atypical"]) == (1, 1)
    assert label in shown["figure_labels"]


def test_the_case_says_how_many_of_its_figures_are_atypical(clinic: Clinic) -> None:
    doctor = clinic.person("doctor")
    name = clinic.store.slides()[clinic.slide].name
    kinds = np.array(["atypical mitotic figure", "mitotic figure", "atypical mitotic figure"])
    found = Detections.of([[700, 700], [760, 720], [820, 740]], [0.9, 0.8, 0.3]).relabelled(kinds)
    propose(clinic.store, "c", {name: found.with_searched(Searched(threshold=0.5))}, model="m", bins=1)
    case = clinic.round("case", "case review", doctor, settings={"area_mm2": 0.01, "threshold": 0.2})
    path = f"/api/rounds/{case}/slides/{clinic.slide}/case"
    shown = doctor.get(path)["hot_spot"]
    assert (shown["count"], shown["atypical"]) == (3, 1), "what was a candidate has no kind"
    cells = doctor.get(f"/api/rounds/{case}/slides/{clinic.slide}/cells")
    by_x = dict(zip(cells["x"], zip(cells["cell"], cells["seen"], strict=True), strict=True))
    labels = {one["name"]: one["id"] for one in clinic.lead.get("/api/classes")["classes"]}
    for x, label in ((700.0, "mitotic figure"), (760.0, "atypical mitotic figure")):
        cell, seen = by_x[x]
        doctor.act(case, kind="label", cell=cell, label=labels[label], expected=seen)
    assert doctor.get(path)["hot_spot"]["atypical"] == 1
    doctor.act(case, kind="create", slide=clinic.slide, x=790, y=690, label=labels["atypical mitotic figure"])
    shown = doctor.get(path)["hot_spot"]
    assert (shown["count"], shown["atypical"]) == (4, 2)
    blind = clinic.round("blind", "screening", doctor)
    assert not any(doctor.get(f"/api/rounds/{blind}/slides/{clinic.slide}/cells")["label"])


def test_without_atypical_figures_a_case_says_nothing_of_them(clinic: Clinic) -> None:
    doctor = clinic.person("doctor")
    case = clinic.round("case", "case review", doctor, settings={"area_mm2": 0.01})
    doctor.act(case, kind="create", slide=clinic.slide, x=800, y=700, label=1)
    assert doctor.get(f"/api/rounds/{case}/slides/{clinic.slide}/case")["hot_spot"]["atypical"] is None
