"""Every way of working, through the API, from the empty study to its result."""

from __future__ import annotations

import base64
import re
import sys
import time
from io import BytesIO
from typing import Any

import numpy as np
import pytest
import tifffile

from mitoscope.store import Policy
from mitoscope.store.public_ids import cell_of
from tests.store.replay import events_of

from .making import HEIGHT, WIDTH, Clinic, Json, Person, key

FIGURE, LOOK_ALIKE = 1, 2


def _screened(clinic: Clinic, n: int = 6) -> tuple[Person, int, list[int]]:
    """Return a first expert who has screened the slide and labelled cells, and these in order."""
    first = clinic.person("first expert")
    round_id = clinic.round("screening", "screening", first)
    cells = [
        first.act(
            round_id, kind="create", slide=clinic.slide, x=800 + 40 * one, y=700, label=1 + one % 2, seconds=2
        )["cell"]
        for one in range(n)
    ]
    return first, round_id, cells


def test_screening_goes_through_all_tissue_pauses_and_goes_on_at_the_same_field(clinic: Clinic) -> None:
    first = clinic.person("first expert")
    round_id = clinic.round("screening", "screening", first, settings={"field_um": [120, 90]})
    path = f"/api/rounds/{round_id}/slides/{clinic.slide}/screening"
    plan = first.get(path)
    fields = np.array(plan["fields"])
    assert len(fields) > 10
    assert plan["field"] is None
    assert not any(plan["covered"])
    # Row by row; neighbours overlap; every pixel of tissue lies in a field.
    assert (np.diff(fields[:, 1]) >= 0).all()
    tissue = first.get(f"/api/slides/{clinic.slide}/tissue")
    packed = np.frombuffer(base64.b64decode(tissue["rows"]), np.uint8).reshape(tissue["height"], -1)
    mask = np.unpackbits(packed, axis=1)[:, : tissue["width"]].astype(bool)
    row, column = np.nonzero(mask)
    scale = tissue["px0_per_pixel"][0]
    x, y = (column + 0.5) * scale, (row + 0.5) * scale
    inside = [
        (x >= left) & (x < left + width) & (y >= top) & (y < top + height)
        for left, top, width, height in fields
    ]
    assert np.any(inside, axis=0).all()

    for number in range(len(fields)):
        done = first.put(path, field=number, is_covered=True, seconds=1.5, position={"zoom": number})
        if number == 3:
            again = first.get(path)
            assert (again["field"], again["position"]) == (3, {"zoom": 3})
            assert again["covered"][:5] == [True, True, True, True, False]
            assert 0 < again["covered_fraction"] < 1
            undone = first.put(path, field=3, is_covered=False)
            assert undone["covered"][:5] == [True, True, True, False, False]
            assert first.put(path, field=3)["covered"] == undone["covered"], "a look alone covers nothing"
            first.put(path, field=3, is_covered=True)
    assert done["is_complete"]
    assert done["covered_fraction"] == 1
    second = first.post(f"{path}/passes")
    assert (second["pass"], any(second["covered"]), second["fields"]) == (2, False, plan["fields"])
    assert first.put(path, field=10**6, status=422)["code"] == "invalid"


def test_a_screener_sees_only_cells_of_the_own(clinic: Clinic) -> None:
    first, round_id, cells = _screened(clinic)
    other = clinic.person("other")
    clinic.lead.put(f"/api/rounds/{round_id}", raters=[first.id, other.id])
    path = f"/api/rounds/{round_id}/slides/{clinic.slide}/cells"
    assert sorted(first.get(path)["cell"]) == sorted(cells)
    assert other.get(path)["cell"] == []
    other.get(f"/api/rounds/{round_id}/cells/{cells[0]}", status=404)


def test_second_read_consensus_third_expert_and_the_outcome_by_policy(clinic: Clinic) -> None:
    first, _, cells = _screened(clinic)
    second, third = clinic.person("second expert"), clinic.person("third expert")
    reading = clinic.round("second read", "second read", second)
    queue = second.get(f"/api/rounds/{reading}/queue?n=4")
    assert (len(queue["cells"]), queue["labelled"], queue["of"]) == (4, 0, 6)
    skipped = queue["cells"][0]["cell"]
    rest = second.get(f"/api/rounds/{reading}/queue?n=50&skip={skipped}")["cells"]
    assert skipped not in {one["cell"] for one in rest}
    # The second calls all figures: every other cell is disputed.
    while queue["cells"]:
        one = queue["cells"][0]
        second.act(reading, kind="label", cell=one["cell"], label=FIGURE, seconds=1e6, expected=one["seen"])
        queue = second.get(f"/api/rounds/{reading}/queue?n=1")
    assert queue["labelled"] == queue["of"] == 6
    newest = second.get(f"/api/rounds/{reading}/done?n=1")["cells"][0]
    assert newest["label"] == FIGURE

    deciding = clinic.round("third", "third expert", third, cells="disputed")
    disputed = third.get(f"/api/rounds/{deciding}/queue?n=50")["cells"]
    assert {one["cell"] for one in disputed} == set(cells[1::2])
    assert all(one["others"] == [] for one in disputed)
    for one in disputed:
        third.act(deciding, kind="label", cell=one["cell"], label=LOOK_ALIKE)
    settled = clinic.lead.post("/api/settle", policy="majority")
    assert settled["written"] == 6
    assert clinic.lead.get("/api/study")["agreed"] == {"mitotic figure": 3, "look-alike": 3}
    assert clinic.store.agreed(Policy.MAJORITY).label_id.tolist().count(LOOK_ALIKE) == 3
    overruled = clinic.lead.get("/api/overrules")["rows"]
    by_third = [one for one in overruled if one["by"] == "third expert"]
    assert by_third[0] == {
        "overruled": "second expert",
        "by": "third expert",
        "cells": 3,
        "decided": 3,
        "share": 1.0,
    } or {one["overruled"]: one["cells"] for one in by_third} == {"first expert": 0, "second expert": 3}
    agreement = clinic.lead.get("/api/agreement")["domains"][-1]
    assert (agreement["two_reads"], agreement["disagreed"]) == (6, 3)
    assert agreement["disagreement"]["value"] == 0.5
    progress = clinic.lead.get("/api/progress")["rows"]
    speed = next(one for one in progress if one["rater"] == second.id)
    assert (speed["done"], speed["of"]) == (6, 6)
    assert speed["seconds"] is None or speed["seconds"] < 300, "a browser may say what it likes"
    assert first.get("/api/progress", status=403)["code"] == "not_yours"


def test_what_two_second_readers_made_of_a_cell_still_goes_before_a_third_expert(clinic: Clinic) -> None:
    _, _, cells = _screened(clinic)
    readers = [clinic.person("second expert"), clinic.person("another reader")]
    third = clinic.person("third expert")
    reading = clinic.round("second read", "second read", *readers)
    nothing = clinic.lead.post("/api/rounds", name="soon", kind="third expert", cells="disputed", status=409)
    assert "agree on every cell" in nothing["error"]
    for reader in readers:
        for one in reader.get(f"/api/rounds/{reading}/queue?n=50")["cells"]:
            reader.act(reading, kind="label", cell=one["cell"], label=FIGURE)
    agreement = clinic.lead.get("/api/agreement")["domains"][-1]
    assert (agreement["disagreed"], clinic.lead.get("/api/study")["disputed"]) == (3, 3)
    deciding = clinic.round("third", "third expert", third, cells="disputed")
    asked = third.get(f"/api/rounds/{deciding}/queue?n=50")["cells"]
    assert {one["cell"] for one in asked} == set(cells[1::2])
    for one in asked:
        third.act(deciding, kind="label", cell=one["cell"], label=LOOK_ALIKE)
    # The third expert decides, not the other second reader.
    assert clinic.lead.get("/api/study")["disputed"] == 0
    assert clinic.store.agreed(Policy.MAJORITY).label_id.tolist().count(LOOK_ALIKE) == 3
    truth = clinic.store.ground_truth(policy=Policy.MAJORITY).slides[0].cells.label.tolist()
    assert truth.count("look-alike") == 3
    agreement = clinic.lead.get("/api/agreement")["domains"][-1]
    assert (agreement["two_reads"], agreement["disagreed"]) == (6, 3)
    again = clinic.lead.post("/api/rounds", name="again", kind="third expert", cells="disputed", status=409)
    assert "each of the 3 cells on which the first two experts differ has been decided" in again["error"]


def test_a_joint_consensus_speaks_with_one_voice_and_shows_both_labels(clinic: Clinic) -> None:
    first, _, cells = _screened(clinic, 2)
    second = clinic.person("second expert")
    reading = clinic.round("second read", "second read", second)
    for cell in cells:
        second.act(reading, kind="label", cell=cell, label=FIGURE)
    clinic.lead.put(f"/api/rounds/{reading}", is_open=False)
    meeting = clinic.round("meeting", "consensus", first, cells="disputed")
    (one,) = first.get(f"/api/rounds/{meeting}/queue")["cells"]
    assert [(other["rater_name"], other["label"]) for other in one["others"]] == [
        ("first expert", LOOK_ALIKE),
        ("second expert", FIGURE),
    ]
    first.act(meeting, kind="label", cell=one["cell"], label=FIGURE)
    with clinic.store.reading() as connection:
        cell_id = cell_of(connection, one["cell"])
    event = events_of(clinic.store, cell_id)[-1]
    assert clinic.store.raters()[event.rater_id or 0].name == "consensus"
    with clinic.store.reading() as connection:
        sql = "SELECT attributes FROM event WHERE seq = ?"
        assert "first expert" in connection.execute(sql, (event.seq,)).fetchone()[0]
    assert first.get(f"/api/rounds/{meeting}/queue")["cells"] == []


def test_candidates_come_in_groups_by_score_and_a_third_decides(clinic: Clinic) -> None:
    one, two, three = (clinic.person(name) for name in ("one", "two", "three"))
    found = {"slide": clinic.slide, "x": [600.0, 900.0, 1200.0], "y": [700.0] * 3, "score": [0.2, 0.95, 0.55]}
    review = clinic.lead.post(
        "/api/reviews", name="odael", model="m", detections=[found], raters=[one.id, two.id]
    )
    assert review["cells"] == 3
    bins = [entry for entry in one.get("/api/me")["rounds"] if entry["review"] == "odael"]
    assert [entry["bin"] for entry in bins] == [1, 5, 9]
    assert {entry["bins"] for entry in bins} == {10}
    lot = clinic.round("odael, bin 2 of 10", "screening", one)
    (named,) = [entry for entry in one.get("/api/me")["rounds"] if entry["id"] == lot]
    assert (named["review"], named["bin"]) == (None, None), "a name makes no review"
    (first,) = one.get(f"/api/rounds/{bins[0]['id']}/queue")["cells"]
    assert (first["x"], first["score"]) == (900.0, None)
    for entry in bins:
        (cell,) = one.get(f"/api/rounds/{entry['id']}/queue")["cells"]
        one.act(entry["id"], kind="label", cell=cell["cell"], label=FIGURE)
        two.act(entry["id"], kind="label", cell=cell["cell"], label=1 + (entry["bin"] == 9))
    done = clinic.lead.post("/api/reviews/odael/third", raters=[three.id])
    assert done["cells"] == 1
    (cell,) = three.get(f"/api/rounds/{done['round']}/queue")["cells"]
    three.act(done["round"], kind="label", cell=cell["cell"], label=LOOK_ALIKE)
    assert clinic.lead.post("/api/reviews/odael/conclude")["written"] == 3
    assert clinic.lead.get("/api/reviews/odael")["next_step"] == "done"
    # A candidate is not to be moved, and none can be added to a list.
    assert one.act(bins[0]["id"], kind="delete", cell=first["cell"], status=403)["code"] == "not_yours"
    one.act(bins[0]["id"], kind="create", slide=clinic.slide, x=1, y=1, status=403)


def test_candidates_may_come_as_a_table(clinic: Clinic) -> None:
    table = "x,y,score,label\n600,700,0.9,mitotic figure\n900,700,0.4,mitotic figure\n"
    body: Json = {"name": "table", "model": "m", "csv": table, "slide": clinic.slide, "bins": 1}
    assert clinic.lead.post("/api/reviews", **body)["cells"] == 2
    bad = body | {"name": "bad", "csv": "x,y\n1,2\n"}
    assert clinic.lead.post("/api/reviews", status=422, **bad)["code"] == "invalid"


def test_a_board_is_drawn_re_classed_and_read_again_without_it(clinic: Clinic) -> None:
    first, _, cells = _screened(clinic)
    expert, second = clinic.person("at the board"), clinic.person("second")
    made = clinic.lead.post(
        "/api/boards",
        name="board",
        cells=cells,
        x=[0, 1, 2, 3, 4, 5],
        y=[0, 1, 0, 1, 0, 1],
        raters=[expert.id],
    )
    board = expert.get(f"/api/boards/{made['board']}")
    assert len({*zip(board["column"], board["row"], strict=True)}) == 6
    assert dict(zip(board["cell"], board["before"], strict=True)) == {
        cell: 1 + row % 2 for row, cell in enumerate(cells)
    }
    for _ in range(100):
        board = expert.get(f"/api/boards/{made['board']}")
        if board["state"] != "drawing":
            break
    assert board["state"] == "ready", board["reason"]
    picture = expert.get(f"/api/boards/{made['board']}/tiles/{board['max_level']}/0_0.jpg")
    assert picture[:2] == b"\xff\xd8"
    turned = board["cell"][0]
    other = 3 - board["label"][0]
    expert.act(made["round"], kind="label", cell=turned, label=other, expected=board["seen"][0])
    (changed,) = expert.get(f"/api/boards/{made['board']}/changed")["cells"]
    assert (changed["cell"], changed["now"]) == (turned, other)
    asked = clinic.lead.post(f"/api/boards/{made['board']}/second", raters=[second.id])
    (one,) = second.get(f"/api/rounds/{asked['round']}/queue")["cells"]
    assert (one["cell"], one["label"], one["others"]) == (turned, 0, [])
    assert first.get(f"/api/boards/{made['board']}", status=403)["code"] == "not_yours"


_LEARNER = """
import os, sys
import numpy as np
out = sys.argv[sys.argv.index("--out") + 1]
os.makedirs(out)
print("Board: 3.0 of 6.0 steps", file=sys.stderr)
cells = np.array(os.environ["CELLS"].split(), dtype=np.int64)
np.savez(out + "/coordinates.npz", cell=cells, points=np.random.default_rng(1).random((len(cells), 2)))
"""


def test_a_board_is_learnt_in_a_process_of_its_own(clinic: Clinic, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mitoscope.web.routes.boards.lacking", lambda: ["embed", "train"])
    install = clinic.lead.get("/api/board-learning")["install"]
    assert {"embed", "train"} <= set(re.findall("[a-z]+", install))
    refused = clinic.lead.post("/api/board-learning", name="learnt", status=409)
    assert install in refused["mend"]
    monkeypatch.setattr("mitoscope.web.routes.boards.lacking", list)
    _screened(clinic)
    cells = clinic.store.live_cells()
    monkeypatch.setattr("mitoscope.web.board_job.PROGRAM", (sys.executable, "-c", _LEARNER))
    monkeypatch.setenv("CELLS", " ".join(map(str, [*cells, max(cells) + 1])))  # one is gone since
    started = clinic.lead.post("/api/board-learning", name="learnt", raters=[clinic.lead.id])
    assert (started["state"], started["name"]) == ("learning", "learnt")
    while clinic.lead.get("/api/board-learning")["state"] == "learning":
        time.sleep(0.01)
    assert clinic.lead.get("/api/board-learning")["state"] == "none"
    (made,) = [one for one in clinic.lead.get("/api/rounds")["rounds"] if one["name"] == "learnt"]
    board = clinic.lead.get(f"/api/boards/{made['board']}")
    assert len(board["cell"]) == len(cells)
    fails = "import sys; sys.exit('error: no file of the slide')"
    monkeypatch.setattr("mitoscope.web.board_job.PROGRAM", (sys.executable, "-c", fails))
    clinic.lead.post("/api/board-learning", name="again")
    while clinic.lead.get("/api/board-learning")["state"] == "learning":
        time.sleep(0.01)
    now = clinic.lead.get("/api/board-learning")
    assert (now["state"], now["said"]) == ("failed", "no file of the slide")


def _box(tile: dict[str, float], x: float) -> list[float]:
    return [tile["x"] + x, tile["y"] + 20, 50, 50]


def test_the_crowd_is_tested_on_gold_and_its_boxes_are_merged(clinic: Clinic) -> None:
    settings = {"minimum_reviewers": 2, "gold_needed": 2, "pass_mark": 1.0}
    good = [clinic.person(f"crowd {one}", kind="crowd") for one in range(3)]
    bad = clinic.person("crowd bad", kind="crowd")
    task = clinic.round("crowd", "crowd boxes", *good, bad, settings=settings)
    gold = [
        {"slide": clinic.slide, "x": 700, "y": 600, "boxes": [[710, 620, 50, 50]]},
        {"slide": clinic.slide, "x": 1000, "y": 600, "boxes": []},
    ]
    tiles = [{"slide": clinic.slide, "x": 700, "y": 900}, {"slide": clinic.slide, "x": 1000, "y": 900}]
    assert clinic.lead.post(f"/api/rounds/{task}/tiles", tiles=tiles, gold=gold, side=200)["tiles"] == 4
    for number, person in enumerate(good):
        while (asked := person.get(f"/api/rounds/{task}/tiles/next"))["tile"]:
            tile = asked["tile"]
            boxes = [_box(tile, 10 + number)] if tile["x"] == 700 else []
            path = f"/api/rounds/{task}/tiles/{tile['id']}/answer"
            answer = person.post(path, boxes=boxes, seconds=4)
            if asked["qualification"]["state"] == "testing":
                assert answer["feedback"]["is_right"]
        assert asked["qualification"]["state"] == "qualified"
    for _ in range(2):
        tile = bad.get(f"/api/rounds/{task}/tiles/next")["tile"]
        answer = bad.post(f"/api/rounds/{task}/tiles/{tile['id']}/answer", boxes=[_box(tile, 120)])
    assert answer["qualification"]["state"] == "failed"
    assert bad.get(f"/api/rounds/{task}/tiles/next")["tile"] is None
    result = clinic.lead.get(f"/api/rounds/{task}/tiles")
    plain = [one for one in result["tiles"] if not one["is_gold"]]
    assert [(one["reviewers"], len(one["boxes"])) for one in plain] == [(3, 1), (3, 0)]
    assert plain[0]["boxes"][0] == pytest.approx([711, 920, 50, 50, 1.0])
    assert clinic.lead.post(f"/api/rounds/{task}/conclude")["cells"] == 2
    assert clinic.lead.post(f"/api/rounds/{task}/conclude")["cells"] == 0


def test_the_crowd_says_yes_or_no_to_tiles_over_the_tissue(clinic: Clinic) -> None:
    person = clinic.person("crowd", kind="crowd")
    task = clinic.round("yes or no", "crowd tiles", person)
    proposed = {"slide": clinic.slide, "n": 3}
    assert clinic.lead.post(f"/api/rounds/{task}/tiles", propose=proposed, side=128)["tiles"] == 3
    while tile := person.get(f"/api/rounds/{task}/tiles/next")["tile"]:
        path = f"/api/rounds/{task}/tiles/{tile['id']}/answer"
        assert person.post(path, boxes=[], status=422)["field"] == "answer"
        person.post(path, answer=tile["id"] % 2 == 0, seconds=1)
    scores = {one["id"]: one["score"] for one in clinic.lead.get(f"/api/rounds/{task}/tiles")["tiles"]}
    assert scores == {one: float(one % 2 == 0) for one in scores}


def test_regions_have_areas_can_be_changed_restored_and_subtracted(clinic: Clinic) -> None:
    path = f"/api/slides/{clinic.slide}/regions"
    square = [[0, 0], [1000, 0], [1000, 1000], [0, 1000]]
    hole = [[200, 200], [600, 200], [600, 600], [200, 600]]
    drawn = clinic.lead.post(path, kind="tumour", vertices=square)["region"]
    assert drawn["area_mm2"] == pytest.approx(0.0625)
    cut = clinic.lead.post(path, kind="exclusion", vertices=hole)
    assert cut["area_mm2"] == pytest.approx(0.0525, rel=1e-4)
    region = f"/api/regions/{drawn['id']}"
    grown = clinic.lead.put(
        region, expected=drawn["seen"], vertices=[[0, 0], [1000, 0], [1000, 1200], [0, 1200]]
    )
    assert grown["area_mm2"] == pytest.approx(0.065, rel=1e-4)
    stale = clinic.lead.put(region, expected=drawn["seen"], name="late", status=409)
    assert stale["region"]["seen"] == grown["region"]["seen"]
    clinic.lead.delete(region, expected=grown["region"]["seen"])
    assert len(clinic.lead.get(path)["regions"]) == 1
    back = clinic.lead.post(f"{region}/restore")
    assert back["region"]["vertices"] == grown["region"]["vertices"]
    assert back["area_mm2"] == pytest.approx(0.065, rel=1e-4)


def test_a_region_of_interest_is_exported_with_its_resolution(clinic: Clinic) -> None:
    path = f"/api/slides/{clinic.slide}/interests"
    placed = clinic.lead.post(path, x=1500, y=-20, area_mm2=0.03)["interest"]
    assert placed["area_mm2"] == pytest.approx(0.03, rel=1e-3)
    assert placed["width"] / placed["height"] == pytest.approx(4 / 3, rel=0.01)
    assert (placed["y"], placed["x"] + placed["width"] <= WIDTH) == (0, True)
    content = clinic.lead.get(placed["tiff"])
    with tifffile.TiffFile(BytesIO(content)) as file:
        page = file.pages.first
        pixels = page.asarray()
        numerator, denominator = page.tags["XResolution"].value
        assert numerator / denominator == pytest.approx(40_000)
        assert page.tags["ResolutionUnit"].value == 3
    x, y = int(placed["x"]), int(placed["y"])
    assert pixels.shape == (placed["height"], placed["width"], 3)
    with tifffile.TiffFile(clinic.catalogue.path(clinic.slide)) as file:
        whole = file.pages.first.asarray()
    np.testing.assert_array_equal(pixels, whole[y : y + pixels.shape[0], x : x + pixels.shape[1]])
    clinic.lead.delete(f"/api/interests/{placed['id']}")
    clinic.lead.get(placed["tiff"], status=404)
    assert clinic.lead.post(f"/api/interests/{placed['id']}/restore")["interest"] == placed
    assert clinic.lead.get(placed["tiff"]) == content


def test_a_case_is_corrected_counted_and_signed(clinic: Clinic) -> None:
    doctor = clinic.person("pathologist")
    found = {
        "slide": clinic.slide,
        "x": [700.0, 760.0, 820.0, 1300.0],
        "y": [700.0, 720.0, 740.0, 800.0],
        "score": [0.9, 0.8, 0.3, 0.7],
    }
    clinic.lead.post("/api/reviews", name="c", model="m", detections=[found], bins=1)
    case = clinic.round("case", "case review", doctor, settings={"area_mm2": 0.01, "threshold": 0.5})
    path = f"/api/rounds/{case}/slides/{clinic.slide}/case"
    state = doctor.get(path)
    assert (state["hot_spot"]["count"], state["floor"]) == (2, 0.3)
    assert doctor.post(f"{path}/count", threshold=0.2, status=422)["code"] == "invalid"
    lower = doctor.ask("POST", f"{path}/count", {"threshold": 0.2})
    assert lower["count"] == 3
    cells = doctor.get(f"/api/rounds/{case}/slides/{clinic.slide}/cells")
    by_x = dict(zip(cells["x"], zip(cells["cell"], cells["seen"], strict=True), strict=True))
    assert sorted(cells["score"]) == [0.3, 0.7, 0.8, 0.9]
    doctor.act(case, kind="label", cell=by_x[820.0][0], label=FIGURE, expected=by_x[820.0][1])
    doctor.act(case, kind="label", cell=by_x[700.0][0], label=LOOK_ALIKE, expected=by_x[700.0][1])
    doctor.act(case, kind="create", slide=clinic.slide, x=780, y=690, label=FIGURE)
    spot = doctor.get(path)["hot_spot"]
    assert spot["count"] == 3
    wrong = doctor.post(f"{path}/sign", threshold=0.5, x=spot["x"], y=spot["y"], count=4, status=409)
    assert wrong["count"] == 3
    signing = {
        "threshold": 0.5,
        "x": spot["x"],
        "y": spot["y"],
        "count": 3,
        "comment": "<b>sure</b>",
        "key": key(),
    }
    unseen = doctor.post(f"{path}/sign", **signing, status=409)
    assert (unseen["code"], unseen["not_looked_at"]) == ("unstated", 1)
    signing["not_looked_at"] = 1
    signed = doctor.post(f"{path}/sign", **signing)["result"]
    again = doctor.post(f"{path}/sign", **signing)
    assert (again["result"], again["is_repeated"]) == (signed, True)
    assert (signed["accepted"], signed["rejected"], signed["rater_name"]) == (2, 1, "pathologist")
    assert signed["looked_at"] == {"candidates": 3, "looked": 2, "unsure": 0, "added": 1, "seen_mm2": 0.0}
    content = doctor.get(signed["manifest"])["content"]
    window = content["window"]
    counted = [
        one
        for one in content["cells"]
        if one["is_counted"]
        and window["x"] <= one["x"] < window["x"] + window["width"]
        and window["y"] <= one["y"] < window["y"] + window["height"]
    ]
    assert len(counted) == signed["count"]
    page = doctor.get(signed["report"]).decode()
    assert "pathologist" in page
    assert "<b>sure</b>" not in page
    assert "&lt;b&gt;sure&lt;/b&gt;" in page
    assert len(doctor.get("/api/results")["results"]) == 1
    assert state["window"]["width"] < WIDTH
    assert spot["y"] < HEIGHT


def test_the_study_leaves_as_files(clinic: Clinic) -> None:
    _screened(clinic)
    assert clinic.lead.get("/api/export?format=csv").count(b"\n") > 6
    assert clinic.lead.get("/api/export?format=sliderunner")[:6] == b"SQLite"
    assert clinic.lead.get("/api/export?format=no", status=422)["code"] == "invalid"


def test_undo_is_the_inverse_action_and_an_action_sent_twice_is_done_once(clinic: Clinic) -> None:
    round_id = clinic.lead.get("/api/me")["rounds"][0]["id"]
    body: Json = {"kind": "create", "slide": clinic.slide, "x": 800, "y": 700, "label": FIGURE, "key": key()}
    made = clinic.lead.act(round_id, **body)
    again = clinic.lead.act(round_id, **body)
    assert again == made | {"is_repeated": True}
    moved = clinic.lead.act(round_id, kind="move", cell=made["cell"], x=900, y=750, expected=made["seen"])
    clinic.lead.act(round_id, kind="move", cell=made["cell"], x=1, y=1, expected=made["seen"], status=409)
    gone = clinic.lead.act(round_id, kind="delete", cell=made["cell"], expected=moved["seen"])
    path = f"/api/rounds/{round_id}/slides/{clinic.slide}/cells"
    version = clinic.lead.get(path)["version"]
    assert clinic.lead.get(path)["cell"] == []
    clinic.lead.act(round_id, kind="restore", cell=made["cell"], expected=gone["seen"])
    changed = clinic.lead.get(f"{path}?since={version}")
    assert (changed["cell"], changed["x"], changed["label"]) == ([made["cell"]], [900.0], [FIGURE])
    other = body | {"x": 801, "label": LOOK_ALIKE}
    assert clinic.lead.act(round_id, status=409, **other)["code"] == "key_used"
    with clinic.store.reading() as connection:
        assert connection.execute("SELECT count(*) FROM cell").fetchone() == (1,)


def test_a_polygon_a_box_and_a_circle_come_back_as_they_were_drawn(clinic: Clinic) -> None:
    round_id = clinic.lead.get("/api/me")["rounds"][0]["id"]
    vertices = [[800, 700], [850, 700], [830, 760]]
    drawn: Any
    for shape, drawn in (
        ("vertices", vertices),
        ("box", [900, 700, 50, 40]),
        ("circle", [1000, 700, 50, 50]),
    ):
        made = clinic.lead.act(round_id, kind="create", slide=clinic.slide, label=FIGURE, **{shape: drawn})
        seen = clinic.lead.get(f"/api/rounds/{round_id}/cells/{made['cell']}")
        if shape == "vertices":
            assert seen["vertices"] == vertices
        else:
            x, y, width, height = drawn
            assert (seen["x"], seen["y"]) == (x + width / 2, y + height / 2)
            assert (seen["width"], seen["height"]) == (width, height)


def test_where_i_am_is_kept_for_each_round(clinic: Clinic) -> None:
    round_id = clinic.lead.get("/api/me")["rounds"][0]["id"]
    clinic.lead.put(f"/api/rounds/{round_id}/position", position={"x": 1.5, "mode": "viewer"})
    assert clinic.lead.get("/api/me")["rounds"][0]["position"] == {"x": 1.5, "mode": "viewer"}
    clinic.lead.put(f"/api/rounds/{round_id}/position", position="x" * 5000, status=422)


def test_a_signature_states_what_was_not_done_and_a_correction_names_what_it_replaces(clinic: Clinic) -> None:
    """A slide that was not searched may hold figures; a candidate that nobody saw is not agreed to."""
    doctor, other = clinic.person("pathologist"), clinic.person("other")
    case = clinic.round("case", "case review", doctor, other, settings={"area_mm2": 0.01})
    path = f"/api/rounds/{case}/slides/{clinic.slide}/case"
    bare = doctor.get(path)
    assert (bare["is_searched"], bare["search"], bare["threshold"]) == (False, None, None)
    placed: Json = {"x": 700.0, "y": 680.0}
    assert doctor.post(f"{path}/sign", **placed, count=0, status=409)["is_not_searched"] is True
    first = doctor.post(f"{path}/sign", **placed, count=0, is_not_searched=True)["result"]
    assert (first["is_searched"], first["replaced_by"]) == (False, None)
    assert b"This slide was not searched" in doctor.get(first["report"])

    found = {"slide": clinic.slide, "x": [700.0, 760.0], "y": [700.0, 720.0], "score": [0.9, 0.2]}
    found["threshold"] = 0.387
    clinic.lead.post("/api/reviews", name="c", model="m 1", detections=[found], bins=1)
    state = doctor.get(path)
    assert (state["threshold"], state["threshold_of"], state["search"]["model"]) == (0.387, "search", "m 1")
    assert doctor.post(f"{path}/sign", **placed, count=1, is_not_searched=True, not_looked_at=1, status=409)
    unseen = doctor.post(f"{path}/sign", **placed, count=1, status=409)
    assert (unseen["code"], unseen["not_looked_at"]) == ("unstated", 1)
    (shown,) = doctor.ask("POST", f"{path}/count", {"corner": [700.0, 680.0]})["cells"]
    window = {"name": "rim", **placed, "area_mm2": 0.02, "shape": "circle"}
    doctor.post(f"{path}/work", looked=[shown], unsure=[shown], seen=[0, 1, 22], windows=[window])
    doctor.post(f"{path}/work", seen=[5])
    kept = doctor.get(path)["work"]
    assert (kept["looked"], kept["unsure"], kept["seen"]) == ([shown], [shown], [0, 1, 5, 22])
    assert [one["name"] for one in kept["windows"]] == ["rim"]
    assert other.get(path)["work"]["looked"] == []
    doctor.post(f"/api/rounds/{case}/comments", cell=shown, text="blurred")
    second = doctor.post(f"{path}/sign", **placed, count=1, window_name="rim", replaces=first["id"])["result"]
    assert second["looked_at"] | {"seen_mm2": 0} == {
        "candidates": 1, "looked": 1, "unsure": 1, "added": 0, "seen_mm2": 0,
    }  # fmt: skip
    assert 0 < second["looked_at"]["seen_mm2"] < second["area_mm2"]
    by_id = {one["id"]: one for one in doctor.get("/api/results")["results"]}
    assert by_id[first["id"]]["replaced_by"] == second["id"]
    assert (by_id[second["id"]]["replaces"], by_id[second["id"]]["replaced_by"]) == (first["id"], None)
    (cell,) = doctor.get(second["manifest"])["content"]["cells"]
    assert (cell["is_unsure"], cell["comment"]) == (True, "blurred")
    report = doctor.get(second["report"]).decode()
    for said in ("1 of 1 candidates", "rim", "blurred", "the operating point of m 1", "replaces result"):
        assert said in report, said
    again = doctor.post(f"{path}/sign", **placed, count=1, replaces=first["id"], status=409)
    assert "has replaced it already" in again["error"]
    unseen = {"count": 1, "not_looked_at": 1, "replaces": second["id"]}
    assert other.post(f"{path}/sign", **placed, **unseen, status=409)["code"] == "conflict"
