"""Links and visits: what is asked for twice, a link used twice or renewed, and one server a study."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from mitoscope.errors import StoreBusyError
from mitoscope.store import Store

from .making import Clinic, Person, enter, key

_HOLD = """
import sys
from mitoscope.store import Store
store = Store.open(sys.argv[1])
store.claim()
print("claimed", flush=True)
sys.stdin.read()
"""


def test_a_request_for_a_link_that_is_sent_again_gives_the_same_link(clinic: Clinic) -> None:
    for path, body in (("/api/raters", {"name": "Anna"}), ("/api/raters/2/link", {})):
        asked = {"key": key(), **body}
        first = clinic.lead.ask("POST", path, asked)
        again = clinic.lead.ask("POST", path, asked)
        assert (again["link"], again["is_repeated"]) == (first["link"], True)
        enter(clinic.app, first["link"])
        kept = "\n".join(clinic.store._connection.iterdump())
        assert asked["key"] not in kept, "the link follows from it"
        assert first["link"].partition("=")[2] not in kept


def test_a_link_opens_browsers_until_it_is_renewed_which_ends_their_visits(clinic: Clinic) -> None:
    added = clinic.lead.post("/api/raters", name="Anna")
    one, other = (Person(enter(clinic.app, added["link"])) for _ in range(2))
    for person in (one, other):
        assert person.get("/api/me")["rater"]["name"] == "Anna"
    renewed = clinic.lead.post(f"/api/raters/{added['id']}/link")["link"]
    for person in (one, other):
        assert person.get("/api/me", status=401)["code"] == "unknown_token"
    assert one.client.get(added["link"]).status_code == 401
    assert Person(enter(clinic.app, renewed)).get("/api/me")["rater"]["name"] == "Anna"
    clinic.lead.post(f"/api/raters/{clinic.lead.id}/link")
    clinic.lead.get("/api/me")  # who renews the own link stays in


def test_what_was_done_is_answered_again_also_where_it_would_be_refused_now(clinic: Clinic) -> None:
    anna = clinic.person("Anna")
    round_ = clinic.round("free", "unstated", anna)
    path, region = (
        f"/api/slides/{clinic.slide}/regions",
        {"kind": "tumour", "vertices": [[0, 0], [9, 0], [0, 9]]},
    )
    drawn, made = {"key": key(), **region}, {"key": key(), "kind": "create", "slide": 1, "x": 9, "y": 9}
    first = anna.ask("POST", path, drawn)
    cell = anna.ask("POST", f"/api/rounds/{round_}/actions", made)
    clinic.lead.put(f"/api/rounds/{round_}", is_open=False)
    assert anna.ask("POST", f"/api/rounds/{round_}/actions", made) == cell | {"is_repeated": True}
    clinic.lead.put(f"/api/rounds/{round_}", raters=[])
    assert anna.ask("POST", path, drawn) == first | {"is_repeated": True}
    anna.ask("POST", path, {**drawn, "kind": "exclusion"}, status=404)


def test_a_study_has_one_server_and_a_killed_one_blocks_nobody(tmp_path: Path) -> None:
    path = tmp_path / "study.mito"
    with Store.create(path) as mine:
        mine.claim()
        with Store.open(path) as second, pytest.raises(StoreBusyError, match="being served already"):
            second.claim()
    with Store.open(path) as again:
        again.claim()
    command = [sys.executable, "-c", _HOLD, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "claimed\n"
        with Store.open(path) as third, pytest.raises(StoreBusyError):
            third.claim()
        os.kill(other.pid, signal.SIGKILL)
        other.wait()
    with Store.open(path) as after:
        after.claim()
