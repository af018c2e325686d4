"""Ids and tokens by which cells are known outside say nothing about order, time or number (promise 10)."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from scipy import stats

from mitoscope.errors import NotFoundError, StoreDamagedError
from mitoscope.store import Geometry, Rater, SlideRecord, Store
from mitoscope.store.connection import create_file
from mitoscope.store.public_ids import PUBLIC_ID_MAX, SeenTokens, cell_of, draw_public_ids, live_cells_of
from mitoscope.store.schema import MIGRATIONS

from .session import Session

TOKENS = SeenTokens(b"a key")
BEFORE = 3
"""Migrations of a study that was made before cells had public ids."""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    made = Store.create(tmp_path / "study.mito")
    made.add_slide(SlideRecord("a.svs"))
    return made


def test_ids_are_in_no_order_and_no_two_are_alike(store: Store) -> None:
    n = 20_000
    with store.reading() as connection:
        drawn = draw_public_ids(connection, n)
    assert len(set(drawn)) == n
    assert 0 <= min(drawn) < max(drawn) <= PUBLIC_ID_MAX
    assert abs(stats.spearmanr(np.arange(n), drawn).statistic) < 0.03
    # Nor do the lowest bits rise, as they would in the order of a hash table.
    assert abs(stats.spearmanr(np.arange(n), np.array(drawn) & 0xFFFF).statistic) < 0.03


def test_an_id_that_a_cell_has_is_drawn_again(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    store.add_rater(Rater("me"))
    cell = Session(store, 1, 1).create(1, Geometry.spot(1, 1)).cell_id
    with store.reading() as connection:
        (taken,) = connection.execute("SELECT public_id FROM cell WHERE id = ?", (cell,)).fetchone()
    answers = iter([np.array([taken, 7, 7], "<u8") << 16, np.array([8, 9], "<u8") << 16])
    monkeypatch.setattr("mitoscope.store.public_ids.secrets.token_bytes", lambda _: next(answers).tobytes())
    with store.reading() as connection:
        assert draw_public_ids(connection, 3) == [7, 8, 9]
    store.close()


def test_cells_are_found_by_their_ids(store: Store) -> None:
    store.add_rater(Rater("me"))
    session = Session(store, 1, 1)
    first, second = (session.create(1, Geometry.spot(at, at)).cell_id for at in (1, 2))
    with store.reading() as connection:
        known = dict(connection.execute("SELECT id, public_id FROM cell"))
        assert cell_of(connection, known[second]) == second
        assert live_cells_of(connection, [known[second], known[first], 5]) == [second, first]
        with pytest.raises(NotFoundError, match="there is no such cell"):
            cell_of(connection, first)
    session.delete(second)
    with store.reading() as connection:
        assert live_cells_of(connection, [known[second], known[first]]) == [first]
    store.close()


def test_a_token_tells_neither_the_event_nor_means_anything_at_another_cell() -> None:
    events = np.arange(20_000)
    tokens = [int(token, 16) for token in TOKENS.of(np.ones_like(events), events)]
    assert len(set(tokens)) == len(events)
    assert abs(stats.spearmanr(events, tokens).statistic) < 0.03
    assert len(set(TOKENS.of([1, 2, 3], [7, 7, 7]))) == 3
    assert TOKENS.of(1, 7) == TOKENS.of([1], [7])
    assert SeenTokens(b"another key").of(1, 7) != TOKENS.of(1, 7)


def test_a_study_from_before_gets_an_id_for_every_cell(tmp_path: Path) -> None:
    path = tmp_path / "old.mito"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("mitoscope.store.connection.MIGRATIONS", MIGRATIONS[:BEFORE])
        with closing(create_file(path)) as connection:
            connection.execute("INSERT INTO study VALUES (1, 'old', 'u', 7, 0.0)")
            connection.execute("INSERT INTO slide (id, name) VALUES (1, 'a.svs')")
            for cell in (1, 2, 3):
                _write_cell(connection, cell)
    with Store.open(path) as store, store.reading() as connection:
        ids = [id_ for (id_,) in connection.execute("SELECT public_id FROM cell")]
        assert len(set(ids)) == 3
        assert None not in ids
        (version,) = connection.execute("SELECT max(version) FROM migration").fetchone()
        assert version == len(MIGRATIONS)
    with Store.open(path) as store, store.reading() as connection:
        assert [id_ for (id_,) in connection.execute("SELECT public_id FROM cell")] == ids


def _write_cell(connection: sqlite3.Connection, cell: int) -> None:
    bounds = (float(cell),) * 4
    connection.execute(
        "INSERT INTO cell (id, slide_id, shape, x_min_px0, y_min_px0, x_max_px0, y_max_px0, shuffle) "
        "VALUES (?, 1, 1, ?, ?, ?, ?, ?)",
        (cell, *bounds, cell),
    )


def test_a_cell_without_an_id_is_damage(store: Store) -> None:
    store.add_rater(Rater("me"))
    cell = Session(store, 1, 1).create(1, Geometry.spot(1, 1)).cell_id
    with store.writing() as connection:
        connection.execute("UPDATE cell SET public_id = NULL WHERE id = ?", (cell,))
    with pytest.raises(StoreDamagedError, match="a cell has a public id"):
        store.verify()
    store.close()
