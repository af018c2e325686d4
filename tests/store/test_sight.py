"""All cells of a slide at once against the same cells one by one."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest

from mitoscope.geometry import Mpp, SizePx
from mitoscope.labels import DEFAULT_LABELS
from mitoscope.store import Geometry, Rater, RaterKind, Round, SlideRecord, Store
from mitoscope.store.seen_cell import cell_seen
from mitoscope.store.sight import Sight
from mitoscope.store.slide_cells import cells_seen
from tests.store.session import Session


def _study(path: Path) -> Store:
    """Return a store of 30 cells on which two experts, a consensus and two models spoke at random."""
    store, rng = Store.create(path, labels=DEFAULT_LABELS), np.random.default_rng(0)
    store.add_slide(SlideRecord("a.svs", SizePx(1000, 1000), Mpp.square(0.25)))
    kinds = (RaterKind.EXPERT, RaterKind.EXPERT, RaterKind.CONSENSUS, RaterKind.MODEL, RaterKind.MODEL)
    raters = [store.add_rater(Rater(f"rater {n}", kind)) for n, kind in enumerate(kinds)]
    rounds = [store.open_round(Round("one")), store.open_round(Round("two"))]
    first = Session(store, raters[0], rounds[0])
    for n in range(30):
        first.create(1, Geometry.spot(*rng.uniform(0, 999, 2)), key=f"cell {n}")
    for n in range(150):
        who = int(rng.integers(5))
        session = Session(store, raters[who], rounds[int(rng.integers(2))])
        score = float(rng.random()) if who > 2 else None
        session.label(int(rng.integers(1, 31)), int(rng.integers(1, 3)), key=f"label {n}", score=score)
    return store


@pytest.mark.parametrize("few", [0, 5000])
@pytest.mark.parametrize("is_blinded", [False, True])
def test_a_slide_shows_what_its_cells_show_one_by_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int, is_blinded: bool
) -> None:
    monkeypatch.setattr(import_module("mitoscope.store.slide_cells"), "_FEW", few)
    sight = Sight(1, 2, 1, is_blinded=is_blinded, shows_labels=True, own_only=False)
    with _study(tmp_path / "study.mito") as store, store.reading() as connection:
        kinds = dict(connection.execute("SELECT id, kind FROM rater"))
        seen = cells_seen(connection, sight, 1)
        assert len(seen.cell_id) == 30
        for place, cell in enumerate(seen.cell_id.tolist()):
            one = cell_seen(connection, replace(sight, shows_labels=False), cell)
            assert (seen.seen[place], tuple(seen.bounds_px0[place])) == (one.seen, one.bounds_px0)
            assert (None if np.isnan(seen.score[place]) else seen.score[place]) == one.score
            said = connection.execute(
                "SELECT last_seq, label_id, rater_id FROM label_now WHERE cell_id = ?", (cell,)
            ).fetchall()
            expert = [row for row in said if kinds[row[2]] == "expert"]
            consensus = [row for row in said if kinds[row[2]] == "consensus"]
            shown = (one.label_id, 1) if one.label_id else (0, 0)
            if not one.label_id and not is_blinded and (consensus or expert):
                shown = max(consensus or expert)[1:]
            assert (seen.label_id[place], seen.rater_id[place]) == shown
            assert seen.is_mine[place] == (one.label_id > 0)
