"""Searching slides from the page: the queue, its process, restarts, and the same count as by command."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mitoscope.count.slides import count_slides
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.store import Store
from mitoscope.web.searching import SearchQueue, SearchState
from mitoscope.web.serving import open_study

from .making import Clinic, key, open_clinic

PATIENCE_S = 240


@pytest.fixture(scope="module")
def slides(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with two synthetic slides that have mitotic figures."""
    folder = tmp_path_factory.mktemp("searched")
    for seed in (3, 4):
        config = SyntheticSlideConfig.of(
            width=900, height=700, seed=seed, tissue_fraction=0.8, mitoses_per_mm2=200.0, ink=False
        )
        write_slide(folder / f"slide-{seed}.tiff", config)
    return folder


@pytest.fixture
def clinic(quick_path: Path, slides: Path) -> Iterator[Clinic]:
    opened = open_clinic(quick_path, slides)
    yield opened
    opened.app.state.mitoscope.searches.close()
    opened.store.close()


def _wait(done: Callable[[], bool]) -> None:
    """Wait until something holds; how long it takes is the machine's."""
    deadline = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < deadline, "nothing happened"
        time.sleep(0.05)


def _states(clinic: Clinic) -> dict[int, str]:
    return {one["slide"]: one["state"] for one in clinic.lead.get("/api/searches")["searches"]}


def test_a_search_from_the_page_gives_the_count_of_the_command(clinic: Clinic, quick_path: Path) -> None:
    first, second = sorted(clinic.store.slides())
    offered = clinic.lead.get("/api/searches")
    (cascade,) = [model for model in offered["models"] if model["name"] == "cascade"]
    assert cascade["default_point"] in [point["name"] for point in cascade["points"]]
    asked = clinic.lead.post("/api/searches", slides=[first, second], model="cascade")
    assert [one["slide"] for one in asked["searches"]] == [first, second]
    _wait(lambda: set(_states(clinic).values()) == {"done"})
    rows = {one["slide"]: one for one in clinic.lead.get("/api/searches")["searches"]}
    assert all(row["done_mm2"] == row["of_mm2"] > 0 for row in rows.values())
    round_id = clinic.round("case", "case review", clinic.lead)
    case = clinic.lead.get(f"/api/rounds/{round_id}/slides/{first}/case")
    result = quick_path / "study.searches" / str(first)
    ((_, counted),) = count_slides(result, area_mm2=case["window"]["area_mm2"])
    assert counted.figures == rows[first]["figures"] > 0
    assert case["threshold"] == counted.threshold
    assert (case["hot_spot"]["count"], case["hot_spot"]["figures"]) == (counted.count, counted.figures)
    page = clinic.lead.get(f"/api/slides/{first}/search/report.html")
    assert b"mitotic" in page
    table = clinic.lead.get(f"/api/slides/{first}/search/candidates.csv")
    assert table.count(b"\n") == rows[first]["candidates"] + 1
    opened = clinic.lead.post("/api/searches/review", name="read them", slides=[first, second], bins=1)
    assert opened["cells"] == rows[first]["figures"] + rows[second]["figures"]
    # A candidate that somebody calls a look-alike is a hard example where the search is sure of it.
    body: dict[str, Any] = {"raters": [clinic.lead.id], "threshold": 0}
    refused = clinic.lead.post("/api/searches/hard-examples", name="hard", status=409, **body)
    assert "no search gave a labelled cell a score" in refused["error"]
    cell = clinic.lead.get(f"/api/rounds/{opened['rounds'][0]}/queue")["cells"][0]["cell"]
    clinic.lead.act(opened["rounds"][0], kind="label", cell=cell, label=2)
    none = clinic.lead.post("/api/searches/hard-examples", name="none", **body | {"threshold": 1})
    assert (none["cells"], none["scored"], none["rounds"]) == (0, 1, [])
    hard = clinic.lead.post("/api/searches/hard-examples", name="hard", **body)
    assert (hard["cells"], hard["scored"], len(hard["rounds"])) == (1, 1, 1)
    clinic.store.verify()


def test_a_search_is_paused_resumed_and_cancelled(clinic: Clinic, quick_path: Path) -> None:
    first, second = sorted(clinic.store.slides())
    clinic.lead.post("/api/searches", slides=[first, second], model="cascade")
    clinic.lead.put("/api/searches", slides=[first, second], change="pause")
    assert set(_states(clinic).values()) == {"paused"}
    clinic.lead.put("/api/searches", slides=[second], change="cancel")
    assert _states(clinic) == {first: "paused"}
    clinic.lead.put("/api/searches", slides=[first], change="resume")
    _wait(lambda: _states(clinic) == {first: "done"})
    assert not (quick_path / "study.searches" / str(second)).exists()


def test_a_repeated_request_searches_nothing_anew(clinic: Clinic) -> None:
    first = min(clinic.store.slides())
    body: dict[str, Any] = {"key": key(), "slides": [first], "model": "cascade"}
    answer = clinic.lead.ask("POST", "/api/searches", body)
    clinic.lead.put("/api/searches", slides=[first], change="cancel")
    again = clinic.lead.ask("POST", "/api/searches", body)
    assert again == {**answer, "is_repeated": True}
    assert _states(clinic) == {}


def test_what_cannot_be_searched_is_refused_or_says_why(clinic: Clinic) -> None:
    first = min(clinic.store.slides())
    answer = clinic.lead.post("/api/searches", slides=[first], model="none", status=422)
    assert "no model of the name 'none'" in answer["error"]
    answer = clinic.lead.post("/api/searches", slides=[first], model="cascade", point="none", status=422)
    assert "no operating point 'none'" in answer["error"]
    clinic.lead.post("/api/searches", slides=[first + 99], model="cascade", status=404)
    clinic.lead.get(f"/api/slides/{first}/search/report.html", status=404)
    rater = clinic.person("rater")
    rater.get("/api/searches", status=403)
    rater.post("/api/searches", slides=[first], model="cascade", status=403)
    rater.get(f"/api/slides/{first}/proposals", status=403)


def test_the_queue_goes_on_after_the_process_and_the_server_were_killed(
    quick_path: Path, slides: Path
) -> None:
    opened = open_study(quick_path / "killed.mito", folders=[slides])
    first, second = sorted(opened.store.slides())
    queue = SearchQueue(opened.store, opened.slides)
    queue.add([first, second], model="cascade")
    _wait(lambda: queue.all()[0].of_mm2 > 0)
    process, _ = queue._process or (None, None)
    assert process is not None
    process.kill()
    _wait(lambda: queue.all()[0].state is SearchState.FAILED)
    assert "resume it" in queue.all()[0].reason
    _wait(lambda: queue.all()[1].state is SearchState.RUNNING)
    queue.close()
    opened.store.close()
    with Store.open(quick_path / "killed.mito") as study:
        again = SearchQueue(study, opened.slides)
        again.resume([first])
        _wait(lambda: all(one.state is SearchState.DONE for one in again.all()))
        again.close()
