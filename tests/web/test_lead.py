"""What a lead sees and does: progress that is true, candidates above the threshold, news, the audit trail."""

from __future__ import annotations

import base64
import csv
import io
import json
from typing import Any

from .making import Clinic, Person
from .test_modes import _screened


def _of(person: Person, round_id: int) -> tuple[int, int | None, bool]:
    (row,) = [one for one in person.get("/api/my-progress")["rows"] if one["round"] == round_id]
    return row["done"], row["of"], row["is_complete"]


def test_a_consensus_that_is_done_is_done_for_each_who_speaks_with_it(clinic: Clinic) -> None:
    first, _, cells = _screened(clinic)
    second = clinic.person("second expert")
    read = clinic.round("second read", "second read", second)
    for cell in cells:
        second.act(read, kind="label", cell=cell, label=1)
    consensus = clinic.round("consensus", "consensus", first, second, cells="disputed")
    disputed = first.get(f"/api/rounds/{consensus}/queue")["cells"]
    assert disputed
    for cell in disputed:
        first.act(consensus, kind="label", cell=cell["cell"], label=1, seconds=2)
    n = len(disputed)
    for person in (first, second):
        assert _of(person, consensus) == (n, n, True)
        (mine,) = [one for one in person.get("/api/me")["rounds"] if one["id"] == consensus]
        assert (mine["labelled"], mine["cells"]) == (n, n)
    rows = [one for one in clinic.lead.get("/api/progress")["rows"] if one["round"] == consensus]
    assert {(one["rater_name"], one["done"], one["of"], one["left_s"]) for one in rows} == {
        ("first expert", n, n, 0.0),
        ("second expert", n, n, 0.0),
    }


def test_a_screening_is_never_nought_of_nought(clinic: Clinic) -> None:
    rater = clinic.person("screener")
    round_id = clinic.round("screening", "screening", rater)
    assert _of(rater, round_id) == (0, None, False)
    path = f"/api/rounds/{round_id}/slides/{clinic.slide}/screening"
    fields = len(rater.get(path)["fields"])
    rater.put(path, field=0, is_covered=True, seconds=6)
    assert _of(rater, round_id) == (1, fields, False)
    by_slide = clinic.lead.get(f"/api/rounds/{round_id}/progress")
    assert by_slide["unit"] == "fields"
    assert [(one["done"], one["of"]) for one in by_slide["rows"]] == [(1, fields)]
    for number in range(fields):
        rater.put(path, field=number, is_covered=True)
    assert _of(rater, round_id) == (fields, fields, True)


CSV = "x,y,score,label\n" + "".join(
    f"{100 + 60 * at},900,{score},{label}\n"
    for at, (score, label) in enumerate(
        [(0.9, "mitotic figure"), (0.5, "mitotic figure")]
        + [(0.01 * n, "mitotic figure candidate") for n in range(1, 9)]
    )
)


def test_candidates_below_the_threshold_of_their_search_are_not_shown(clinic: Clinic) -> None:
    def opened(name: str, **more: Any) -> tuple[int, int, float | None]:
        body = {"name": name, "model": "m", "bins": 2, "slide": clinic.slide, **more}
        done = clinic.lead.post("/api/reviews", **body)
        return done["cells"], done["below"], done["threshold"]

    assert opened("by the table", csv=CSV) == (2, 8, 0.08)
    (review,) = clinic.lead.get("/api/rounds")["reviews"]
    assert review["note"] == "2 candidates above 0.08; 8 below are not shown"
    assert len(review["first"]) == 2
    assert opened("lower", csv=CSV, threshold=0.035) == (5, 3, 0.035), (
        "the two that are known are not asked again"
    )
    found = [{"slide": clinic.slide, "x": [50, 150], "y": [50, 50], "score": [0.3, 0.6], "threshold": 0.4}]
    assert opened("as stated", detections=found) == (1, 1, 0.4)
    assert opened("all", detections=[{**found[0], "x": [900, 1000]}], threshold=0) == (2, 0, 0)
    plain = [{"slide": clinic.slide, "x": [1500], "y": [1200], "score": [0.01]}]
    assert opened("nothing stated", detections=plain) == (1, 0, 0)


def test_what_a_slide_is_chosen_by(clinic: Clinic) -> None:
    (before,) = clinic.lead.get("/api/study/slides")["slides"]
    assert before == {
        "id": clinic.slide,
        "tags": [],
        "has_candidates": False,
        "is_labelled": False,
        "split": None,
    }
    clinic.lead.post("/api/reviews", name="r", model="m", csv=CSV, slide=clinic.slide)
    clinic.lead.put(f"/api/slides/{clinic.slide}/tags", tags=["pilot"])
    (found,) = clinic.lead.get("/api/study/slides")["slides"]
    assert (found["tags"], found["has_candidates"], found["is_labelled"]) == (["pilot"], True, False)
    _screened(clinic)
    assert clinic.lead.get("/api/study/slides")["slides"][0]["is_labelled"]
    clinic.person("rater").get("/api/study/slides", status=403)


def _news(person: Person) -> list[tuple[str, str]]:
    return [(one["kind"], one["subject"]) for one in person.get("/api/news")["events"]]


def test_raters_hear_of_their_rounds_and_the_lead_of_what_is_read(clinic: Clinic) -> None:
    first, _, cells = _screened(clinic)
    rater, other = clinic.person("rater"), clinic.person("other")
    assert _news(rater) == []
    round_id = clinic.round("spring", "second read", rater)
    assert _news(rater) == [("opened the round", "spring")]
    assert _news(other) == []
    newest = rater.get("/api/news")["events"][0]["id"]
    rater.put("/api/news", upto=newest)
    assert _news(rater) == []
    clinic.lead.put(f"/api/rounds/{round_id}", raters=[rater.id, other.id])
    assert (_news(rater), _news(other)) == ([], [("assigned", "spring")])
    clinic.lead.put(f"/api/rounds/{round_id}", raters=[rater.id])
    assert _news(other)[0] == ("took out of the round", "spring")
    assert ("was read by all", "spring") not in _news(clinic.lead)
    for cell in cells:
        rater.act(round_id, kind="label", cell=cell, label=1)
    for _ in range(2):
        assert _news(clinic.lead).count(("was read by all", "spring")) == 1
    assert ("was read by all", "spring") not in _news(rater)
    clinic.lead.put(f"/api/rounds/{round_id}", is_open=False)
    clinic.lead.put(f"/api/rounds/{round_id}", is_open=True)
    assert _news(rater) == [("reopened the round", "spring"), ("closed the round", "spring")]
    assert first.get("/api/news")["events"][0]["by"] == "lead"


def test_the_trail_tells_who_did_what(clinic: Clinic) -> None:
    rater = clinic.person('=HYPERLINK("x")')
    round_id = clinic.round("spring", "screening", rater)
    clinic.lead.put(f"/api/rounds/{round_id}", is_open=False)
    clinic.lead.put(f"/api/raters/{rater.id}", role="lead")
    clinic.lead.post(f"/api/raters/{rater.id}/link")
    clinic.lead.put(f"/api/raters/{rater.id}", is_open=False)
    clinic.lead.put("/api/study", policy="majority")
    clinic.lead.post("/api/classes", names=["granulocyte"])
    corners = [[0, 0], [100, 0], [100, 100]]
    path = f"/api/slides/{clinic.slide}/regions"
    drawn = clinic.lead.post(path, kind="tumour", name="a", vertices=corners)
    region = drawn["region"]
    clinic.lead.delete(f"/api/regions/{region['id']}", expected=region["seen"])
    clinic.lead.get("/api/export?format=csv")
    events = clinic.lead.get("/api/activity")["events"]
    said = [(one["by"], one["kind"], one["subject"]) for one in reversed(events)]
    name = '=HYPERLINK("x")'
    assert said == [
        ("lead", "added", name),
        ("lead", "opened the round", "spring"),
        ("lead", "closed the round", "spring"),
        ("lead", "changed the role of", name),
        ("lead", "renewed the link of", name),
        ("lead", "closed the access of", name),
        ("lead", "set the rule of the study", "majority"),
        ("lead", "changed the classes", "added granulocyte"),
        ("lead", "drew the region", "one.tiff"),
        ("lead", "removed the region", "one.tiff"),
        ("lead", "exported", "csv"),
    ]
    table = list(csv.DictReader(io.StringIO(clinic.lead.get("/api/activity.csv").decode())))
    assert [row["what"] for row in reversed(table)] == [kind for _, kind, _ in said]
    assert not any(cell.startswith("=") for row in table for cell in row.values())
    assert not any("token" in json.dumps(one) for one in events)
    guest = clinic.person("guest")
    for path in ("/api/activity", "/api/activity.csv"):
        guest.get(path, status=403)


def test_the_trail_tells_what_came_into_the_study_and_left_it(clinic: Clinic) -> None:
    lead, expert = clinic.lead, clinic.person("expert")
    rows = "image,x,y,label,rater\none.tiff,300,300,mitotic figure,Anna\n"
    content = base64.b64encode(rows.encode()).decode("ascii")
    lead.post("/api/imports", name="../labels.csv", content=content)
    for _ in range(2):  # the second time nothing has changed
        lead.post("/api/versions", variant="MEL")
    task = clinic.round("tiles", "crowd boxes", expert)
    path = f"/api/rounds/{task}"
    lead.post(f"{path}/tiles", tiles=[{"slide": clinic.slide, "x": 200, "y": 200}], side=400)
    (tile,) = lead.get(f"{path}/tiles")["tiles"]
    lead.post(f"{path}/tiles/{tile['id']}/gold", boxes=[[250, 250, 50, 50]])
    lead.post(f"{path}/conclude")
    lead.post(f"{path}/confirmation", name="confirm", raters=[expert.id], tiles=1, status=422)
    lead.get(f"{path}/tiles/file")
    lead.get("/api/work/file")
    lead.put("/api/searches", slides=[clinic.slide], change="cancel")
    lead.put("/api/searches", slides=[999], change="cancel")  # there is no such slide
    events = lead.get("/api/activity")["events"]
    said = [(one["kind"], one["subject"], one["detail"]) for one in reversed(events)]
    assert said[1:] == [
        ("imported", ".._labels.csv", "1 cell, 1 label, 0 regions"),
        ("froze the version", "MEL@1", ""),
        ("opened the round", "tiles", ""),
        ("added tiles to", "tiles", "1 tile"),
        ("stated the known answer of a tile of", "tiles", ""),
        ("took the results of", "tiles", "0 new cells"),
        ("exported", "tiles of tiles as csv", ""),
        ("exported", "table of raters", ""),
        ("changed the search of", "one.tiff", "cancel"),
    ]


def test_who_reads_a_board_hears_of_it(clinic: Clinic) -> None:
    first, reader = clinic.person("first"), clinic.person("reader")
    free = clinic.round("free", "unstated", first)
    cell = first.act(free, kind="create", slide=clinic.slide, x=800, y=700, label=1)["cell"]
    clinic.lead.post("/api/boards", name="board", cells=[cell], x=[0], y=[0], raters=[reader.id])
    assert _news(reader) == [("opened the round", "board")]


def test_one_rule_tells_how_many_cells_are_disputed(clinic: Clinic) -> None:
    first, _, cells = _screened(clinic)
    readers = [clinic.person("second expert"), clinic.person("another reader")]
    for reader, label in zip(readers, (1, 2), strict=True):
        round_id = clinic.round(f"read by {reader.id}", "second read", reader)
        for cell in cells[:5]:
            reader.act(round_id, kind="label", cell=cell, label=label)
    found = clinic.lead.get("/api/comparison")
    # The first expert gave 1, 2, 1, 2, 1, 2; the second 1 to five of these.
    assert (found["read_twice"], found["differ"], found["open"]) == (5, 2, 2)
    agreement = clinic.lead.get("/api/agreement")["domains"][-1]
    assert (agreement["two_reads"], agreement["disagreed"]) == (5, 2)
    assert clinic.lead.get("/api/study")["disputed"] == 2
    third = clinic.person("third expert")
    decides = clinic.round("third", "third expert", third, cells="disputed")
    for cell in third.get(f"/api/rounds/{decides}/queue")["cells"]:
        third.act(decides, kind="label", cell=cell["cell"], label=1)
    found = clinic.lead.get("/api/comparison")
    assert (found["read_twice"], found["differ"], found["open"]) == (5, 2, 0)
    pairs = {(one["one_name"], one["other_name"]): one for one in found["pairs"]}
    pair = pairs["first expert", "second expert"]
    assert (pair["labels"], pair["counts"], pair["agreed"]) == ([1, 2], [[3, 0], [2, 0]], 3)
    assert pairs["first expert", "another reader"]["counts"] == [[0, 3], [0, 2]]
    assert pairs["first expert", "another reader"]["kappa"] == 0.0
    where = f"one={pair['one']}&other={pair['other']}&first=2&second=1"
    shown = clinic.lead.get(f"/api/comparison/cells?{where}")
    assert {one["cell"] for one in shown["cells"]} == {cells[1], cells[3]}
    assert {(one["x"], one["y"]) for one in shown["cells"]} == {(840, 700), (920, 700)}
    assert not shown["has_more"]
    # Nobody who reads blinded sees them, the lead neither.
    clinic.round("blinded lead", "second read", clinic.lead)
    for path in ("/api/comparison", f"/api/comparison/cells?{where}"):
        assert clinic.lead.get(path, status=403)["code"] == "blinded"
        first.get(path, status=403)


def test_all_groups_of_a_review_are_one_piece_of_news(clinic: Clinic) -> None:
    rater = clinic.person("rater")
    body: dict[str, Any] = {"name": "odael", "model": "m", "csv": CSV, "slide": clinic.slide, "bins": 2}
    rounds = clinic.lead.post("/api/reviews", raters=[rater.id], **body)["rounds"]
    assert len(rounds) == 2
    assert _news(rater) == [("opened the review", "odael")]
    heard = []
    for round_id in rounds:
        heard.append(_news(clinic.lead))
        for cell in rater.get(f"/api/rounds/{round_id}/queue")["cells"]:
            rater.act(round_id, kind="label", cell=cell["cell"], label=1)
    assert heard == [[], []]
    assert _news(clinic.lead) == _news(clinic.lead) == [("was read by all", "odael")]


def test_the_threshold_by_which_a_table_is_reviewed_is_that_of_the_case(clinic: Clinic) -> None:
    """A bare CSV states none: the one that the lead sets is what candidates of this search count by."""
    bare = "x,y,score\n900,700,0.9\n960,720,0.3\n"
    body: dict[str, Any] = {
        "name": "bare",
        "model": "m",
        "csv": bare,
        "slide": clinic.slide,
        "threshold": 0.4,
    }
    assert clinic.lead.post("/api/reviews", **body)["cells"] == 1
    case = clinic.round("case", "case review", clinic.lead, settings={"area_mm2": 0.01})
    state = clinic.lead.get(f"/api/rounds/{case}/slides/{clinic.slide}/case")
    assert (state["threshold"], state["threshold_of"]) == (0.4, "search")


def test_a_review_that_names_no_reader_makes_nobody_blind(clinic: Clinic) -> None:
    opened = clinic.lead.post("/api/reviews", name="c", model="m", csv=CSV, slide=clinic.slide)
    assert not {one["id"] for one in clinic.lead.get("/api/me")["rounds"]} & set(opened["rounds"])
    clinic.lead.get("/api/agreement")
    reader = clinic.person("reader")
    clinic.lead.put(f"/api/rounds/{opened['rounds'][0]}", raters=[reader.id])
    assert opened["rounds"][0] in {one["id"] for one in reader.get("/api/me")["rounds"]}


def test_a_lead_who_reads_blinded_is_told_neither_how_far_nor_what_others_did(clinic: Clinic) -> None:
    other = clinic.person("other")
    first = clinic.round("first", "screening", other)
    read = clinic.round("second", "second read", clinic.lead)
    for path in ("/api/progress", f"/api/rounds/{first}/progress", "/api/activity", "/api/activity.csv"):
        assert clinic.lead.get(path, status=403)["code"] == "blinded"
    clinic.lead.put(f"/api/rounds/{read}", is_open=False)
    clinic.lead.get("/api/progress")
    clinic.lead.get("/api/activity")
