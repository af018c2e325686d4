"""What a lead chooses slides by: tags, whether they have candidates or labels, and their split."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from mitoscope.store.tags import read_tags


@dataclass(frozen=True, slots=True)
class SlideFacts:
    """A slide of a study.

    Parameters
    ----------
    slide_id : int
        Its id.
    tags : tuple of str
        Its tags.
    has_candidates : bool
        Whether a model found something there.
    is_labelled : bool
        Whether a person labelled something there.
    split : str or None
        Where the newest version that splits has it: train, validation or test.
    """

    slide_id: int
    tags: tuple[str, ...]
    has_candidates: bool
    is_labelled: bool
    split: str | None


# Of the tallies of a slide only that of the whole is read, for each who labelled in a round.
_SPOKEN_SQL = """
WITH who AS (SELECT DISTINCT t.round_id, t.rater_id, r.kind = 'model' AS is_model
             FROM rater_tally AS t JOIN rater AS r ON r.id = t.rater_id WHERE t.bucket = -1)
SELECT DISTINCT t.slide_id, who.is_model FROM who CROSS JOIN slide AS s
JOIN rater_tally AS t
  ON (t.round_id, t.rater_id, t.slide_id, t.bucket) = (who.round_id, who.rater_id, s.id, -1)
WHERE t.cells > 0
"""
_SPLITS_SQL = """
SELECT slide_id, split FROM version_split
WHERE version_id = (SELECT max(version_id) FROM version_split)
"""


def read_slide_facts(connection: sqlite3.Connection) -> list[SlideFacts]:
    """Return what is known of the slides of a study, in order of their ids."""
    tags = read_tags(connection)
    spoken = {(slide, bool(is_model)) for slide, is_model in connection.execute(_SPOKEN_SQL)}
    split = dict(connection.execute(_SPLITS_SQL))
    return [
        SlideFacts(
            id_, tuple(tags.get(id_, ())), (id_, True) in spoken, (id_, False) in spoken, split.get(id_)
        )
        for (id_,) in connection.execute("SELECT id FROM slide ORDER BY id").fetchall()
    ]
