"""Cells on which the experts did not agree, split by a model's score (HEAEL): look-alike or other cell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mitoscope.curation.hard_examples import AMBIGUOUS, OTHER_CELL, SPLIT_AT, split_ambiguous
from mitoscope.labels import LOOK_ALIKE, LabelSet
from mitoscope.store.actions import Action, record
from mitoscope.store.agreed import Policy, agreed
from mitoscope.store.kinds import RaterKind, RoundKind
from mitoscope.store.records import Rater, Round
from mitoscope.store.store import Store
from mitoscope.store.vocabulary import intern_labels, intern_raters, intern_rounds

SPLIT_RATER = Rater("split by score", RaterKind.CONSENSUS)
SPLIT_ROUND = Round("ambiguous cells, split by score", RoundKind.CONSENSUS)


@dataclass(frozen=True, slots=True)
class AmbiguousSplit:
    """Ambiguous cells that became look-alikes and other cells, and those without a score, which stay."""

    look_alikes: int
    others: int
    without_score: int


def settle_ambiguous(
    store: Store,
    score_of: Mapping[int, float],
    *,
    policy: Policy = Policy.MAJORITY,
    threshold: float = SPLIT_AT,
) -> AmbiguousSplit:
    """Record a class for the cells that have none, in one transaction; what experts agreed on stays.

    The labels are those of a consensus rater: the policies ``consensus`` and ``recorded`` see them.

    Parameters
    ----------
    store : Store
        Open for writing.
    score_of : mapping of int to float
        Cell id → score of the dual stage for "mitotic figure", in [0, 1].
    policy : Policy
        By which a cell has a class.
    threshold : float
        Scores above it make a look-alike.

    Raises
    ------
    FormatError, NonFiniteError
        If a score is not in [0, 1].
    """
    with store.writing() as connection:
        view = agreed(connection, policy)
        recorded = agreed(connection, Policy.RECORDED)
        rows = zip(view.cell_id.tolist(), view.label_id.tolist(), recorded.label_id.tolist(), strict=True)
        open_cells = [cell for cell, label, known in rows if not label and not known]
        scored = [cell for cell in open_cells if cell in score_of]
        split = split_ambiguous(
            [AMBIGUOUS.name] * len(scored), [score_of[cell] for cell in scored], threshold=threshold
        )
        ids = intern_labels(connection, LabelSet((LOOK_ALIKE, OTHER_CELL))).tolist()
        id_of = dict(zip((LOOK_ALIKE.name, OTHER_CELL.name), ids, strict=True))
        (rater,) = intern_raters(connection, [SPLIT_RATER]).tolist()
        (round_,) = intern_rounds(connection, [SPLIT_ROUND]).tolist()
        for cell, label in zip(scored, split, strict=True):
            record(
                connection, Action("label", cell, rater, round_, label_id=id_of[label], score=score_of[cell])
            )
    look_alikes = sum(label == LOOK_ALIKE.name for label in split)
    return AmbiguousSplit(look_alikes, len(split) - look_alikes, len(open_cells) - len(scored))
