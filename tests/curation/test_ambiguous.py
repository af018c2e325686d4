"""What becomes of cells on which the experts did not agree."""

from __future__ import annotations

import pytest

from mitoscope.curation.settling import settle_ambiguous
from mitoscope.errors import FormatError
from mitoscope.store import Policy, Round, RoundKind
from tests.curation.simulated import SimulatedExpert, SimulatedStudy


def test_only_disputed_cells_get_a_class_and_only_once(study: SimulatedStudy) -> None:
    store = study.store
    study.screen(SimulatedExpert("expert 1", miss={}, confusion=0), Round("screening", RoundKind.SCREENING))
    store.open_round(Round("second read", RoundKind.SECOND_READ))
    study.read(SimulatedExpert("expert 2", miss={}, confusion=1), "second read", stop_after=10)
    disputed = store.disputed()
    assert len(disputed) == 10
    unanimous = store.agreed(Policy.UNANIMOUS)
    assert unanimous.cell_id[unanimous.label_id == 0].tolist() == disputed
    scores = {cell: 0.9 if n < 3 else 0.2 for n, cell in enumerate(disputed[:-1])} | {1: 0.9, 60: 0.9}
    done = settle_ambiguous(store, scores, policy=Policy.UNANIMOUS)
    assert (done.look_alikes, done.others, done.without_score) == (3, 6, 1)
    names = {id_: label.name for id_, label in store.labels().items()}
    view = store.agreed(Policy.CONSENSUS)
    label_of = dict(zip(view.cell_id.tolist(), view.label_id.tolist(), strict=True))
    assert [names[label_of[cell]] for cell in disputed[:4]] == ["look-alike"] * 3 + ["tumour cell"]
    again = settle_ambiguous(store, scores, policy=Policy.UNANIMOUS)
    assert (again.look_alikes, again.others, again.without_score) == (0, 0, 1)
    frozen = store.freeze("HEAEL")
    assert [frozen.label_of.get(cell) for cell in disputed] == [
        *["look-alike"] * 3, *["tumour cell"] * 6, None,
    ]  # fmt: skip
    store.verify()
    with pytest.raises(FormatError, match="outside"):
        settle_ambiguous(store, {disputed[-1]: 1.5}, policy=Policy.UNANIMOUS)
