"""Answers of an expert who read a review elsewhere, e.g. from crops: into the rounds as if given there."""

from __future__ import annotations

from collections.abc import Mapping

from mitoscope.curation.review.rounds import rounds_of
from mitoscope.errors import StoreError
from mitoscope.store.actions import Action, record
from mitoscope.store.kinds import RaterKind
from mitoscope.store.records import Rater
from mitoscope.store.store import Store
from mitoscope.store.vocabulary import id_of, intern_raters


def answer(store: Store, name: str, rater: str, label_of: Mapping[int, str], *, third: bool = False) -> int:
    """Record an expert's labels in the rounds of a review, in one transaction; return how many are new.

    A label that the expert has given already is not given again.

    Parameters
    ----------
    store : Store
        Open for writing.
    name : str
        Of the review.
    rater : str
        Name of the expert.
    label_of : mapping of int to str
        Cell id → name of a label of the study.
    third : bool
        In the round of the third expert.

    Raises
    ------
    StoreError
        If there is no such review, cell of it, or label; or no third round yet.
    """
    with store.writing() as connection:
        rounds = rounds_of(connection, name)
        if third and rounds.third is None:
            raise StoreError("no third expert was asked", where=f"review {name!r}", mend="use --third-expert")
        wanted = (rounds.third or 0,) if third else rounds.read
        round_of = {
            cell: round_
            for round_ in wanted
            for (cell,) in connection.execute("SELECT cell_id FROM round_cell WHERE round_id = ?", (round_,))
        }
        odd = sorted(set(label_of) - set(round_of))
        if odd:
            raise StoreError(
                "not in the review", where=f"cell {odd[0]}", mend=f"it is not listed in {name!r}"
            )
        (rater_id,) = intern_raters(connection, [Rater(rater, RaterKind.EXPERT)]).tolist()
        new = 0
        for cell, label in label_of.items():
            label_id = id_of(connection, "label", label)
            key = (cell, rater_id, round_of[cell])
            sql = "SELECT label_id FROM label_now WHERE (cell_id, rater_id, round_id) = (?, ?, ?)"
            if connection.execute(sql, key).fetchone() != (label_id,):
                record(connection, Action("label", *key, label_id=label_id))
                new += 1
        return new
