from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from mitoscope.web.veil import OPAQUE_MAX, Veil

IDS = st.integers(0, OPAQUE_MAX)
VEIL = Veil(b"a key")


@given(IDS)
def test_every_id_comes_back(id_: int) -> None:
    opaque = VEIL.cell(id_)
    assert 0 <= opaque <= OPAQUE_MAX
    assert VEIL.cell_id(opaque) == id_


@given(IDS, IDS)
def test_every_event_comes_back_for_its_cell(id_: int, seq: int) -> None:
    (seen,) = VEIL.seen([id_], [seq])
    assert len(seen) == 12
    assert VEIL.event(id_, seen) == seq


def test_no_two_cells_have_one_number_and_the_order_is_gone() -> None:
    ids = np.arange(20_000)
    opaque = VEIL.cells(ids)
    assert len(set(opaque)) == len(ids)
    assert abs(stats.spearmanr(ids, opaque).statistic) < 0.03
    seen = [int(one, 16) for one in VEIL.seen(ids, ids)]
    assert abs(stats.spearmanr(ids, seen).statistic) < 0.03


def test_another_study_has_other_numbers_and_an_event_means_nothing_at_another_cell() -> None:
    assert Veil(b"another key").cells(range(1, 50)) != VEIL.cells(range(1, 50))
    seen = VEIL.seen([1, 2, 3], [7, 7, 7])
    assert len(set(seen)) == 3
    assert VEIL.event(2, seen[0]) != 7
