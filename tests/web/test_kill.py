"""Promise 8: the server is killed with SIGKILL at random times; what it acknowledged is there."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

from mitoscope.geometry import Mpp, SizePx
from mitoscope.store import Rater, Round, SlideRecord, Store
from mitoscope.store.access import Role, grant
from mitoscope.store.terms import Terms, assign, write_terms

from .real_server import RealServer
from .soak import times

KILLS = times(40, full=200)


def _study(path: Path) -> None:
    with Store.create(path) as store:
        store.add_slide(SlideRecord("a.svs", SizePx(1000, 1000), Mpp.square(0.25)))
        rater = store.add_rater(Rater("one"))
        round_id = store.open_round(Round("free"))
        with store.writing() as connection:
            grant(connection, rater, Role.LEAD)
            write_terms(connection, round_id, Terms())
            assign(connection, round_id, [rater])


def test_killed_at_random_every_acknowledged_action_is_there_and_none_is_half_there(tmp_path: Path) -> None:
    path = tmp_path / "study.mito"
    _study(path)
    script = Path(__file__).with_name("killed_app.py")
    done = subprocess.run(
        [sys.executable, str(script), str(path), str(KILLS)],
        capture_output=True,
        text=True,
        timeout=10 + 5 * KILLS,
        check=False,
    )
    assert done.stderr == ""
    lines = done.stdout.splitlines()
    assert len(lines) == KILLS
    acknowledged = {
        key: int(cell) for line in lines for key, cell in (word.split(":") for word in line.split())
    }
    assert len(acknowledged) > KILLS, "the servers were killed before they did anything"
    with Store.open(path) as store:
        store.verify()
        with store.reading() as connection:
            labels = dict(
                connection.execute(
                    "SELECT e.key, c.public_id FROM event AS e JOIN cell AS c ON c.id = e.cell_id "
                    "WHERE e.kind = 'label' AND e.key IS NOT NULL"
                )
            )
            made = {
                key
                for (key,) in connection.execute("SELECT key FROM event WHERE kind = 'create' ORDER BY seq")
            }
            sound = connection.execute("PRAGMA integrity_check").fetchone()
            orphans = connection.execute("PRAGMA foreign_key_check").fetchall()
        assert (sound, orphans) == (("ok",), [])
        assert {f"{key}/label": cell for key, cell in acknowledged.items()}.items() <= labels.items()
        # A cell and its label are one: neither is there alone. Of each client one action may be unheard of.
        assert {f"{key}/label" for key in made} == set(labels)
        assert len(made) - len(acknowledged) <= 2 * KILLS


def test_ctrl_c_ends_the_server_in_order_and_it_starts_again_on_the_same_study(
    tmp_path: Path, slides: Path
) -> None:
    study = tmp_path / "new.mito"
    for expected in (0, 1):
        with RealServer(study, slides) as server:
            caller = server.client()
            me = caller.get("/api/me")
            assert me["slides"][0]["state"] == "ok"
            round_id, slide = me["rounds"][0]["id"], me["slides"][0]["id"]
            path = f"/api/rounds/{round_id}/slides/{slide}/cells"
            assert len(caller.get(path)["cell"]) == expected
            made = caller.send(
                "POST", f"/api/rounds/{round_id}/actions", kind="create", slide=slide, x=800, y=700, label=1
            )
            assert made.status_code == 200
            caller.close()
            assert server.end(signal.SIGINT) == 0
            assert server.said[-1].startswith("stopped")
    with Store.open(study) as store:
        store.verify()
    # The lock stays as an empty file: to remove it would race with a server that is about to take it.
    assert sorted(one.name for one in tmp_path.iterdir()) == [".new.mito.serving", "new.mito"]
