"""Writing classes by a rule into a study, as labels of a consensus rater: beside what the raters said."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from mitoscope.curation.hard_examples import SPLIT_AT, split_ambiguous
from mitoscope.errors import ConfigError
from mitoscope.labels import LOOK_ALIKE, TUMOUR_CELL, LabelSet
from mitoscope.store import (
    CONSENSUS_RATER,
    CROWD_THRESHOLD,
    Policy,
    Rater,
    RaterKind,
    Round,
    RoundKind,
    Standing,
    Store,
    agreed,
    intern_labels,
    intern_rounds,
    record_labels,
    record_outcome,
    write_setting,
)

SPLIT_RATER = Rater("split by score", RaterKind.CONSENSUS)
SPLIT_ROUND = Round("ambiguous cells, split by score", RoundKind.CONSENSUS)


@dataclass(frozen=True, slots=True)
class Settled:
    """What a rule settled: labels written now, cells that had that outcome already, cells without one.

    ``disputed`` lists the cells on which two experts differ and no third has spoken.
    """

    written: int
    unchanged: int
    open: int
    disputed: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class AmbiguousSplit:
    """Ambiguous cells that became look-alikes and other cells, and those without a score, which stay."""

    look_alikes: int
    others: int
    without_score: int


def settle(
    store: Store,
    policy: Policy,
    *,
    rater: Rater = CONSENSUS_RATER,
    threshold: float = CROWD_THRESHOLD,
) -> Settled:
    """Record the agreed class of all cells under a policy, in one transaction, and that it is the study's.

    What is long is done on a copy: those who label wait only while what is new is written.

    The study's policy, which the application counts by, is this one from then on. The command and the lead's
    button do this alike. Repeating it writes nothing new. What a consensus rater
    said of a cell that the rule leaves open stays.

    Parameters
    ----------
    store : Store
        Open for writing.
    policy : Policy
        The rule; ``recorded`` is what it writes and cannot be the rule.
    rater : Rater
        In whose name, of kind consensus.
    threshold : float
        Smallest score of the crowd policy.

    Raises
    ------
    ConfigError
        If the policy is ``recorded``.
    """
    if policy is Policy.RECORDED:
        mend = "name a rule, e.g. --policy majority"
        raise ConfigError("'recorded' is what a rule writes, not a rule", where="policy", mend=mend)
    with store.snapshot() as copy, copy.reading() as connection:
        standing = Standing.read(connection, policy, threshold=threshold)
    with store.writing() as connection:
        (round_id,) = intern_rounds(connection, [Round(f"consensus: {policy}", RoundKind.CONSENSUS)]).tolist()
        standing = standing.brought_up_to_date(connection, policy, threshold=threshold)
        known = standing.label_id > 0
        news = known & (standing.label_id != standing.recorded_id)
        label_of = dict(zip(standing.cell_id[news].tolist(), standing.label_id[news].tolist(), strict=True))
        written = record_labels(connection, label_of, round_id, rater=rater)
        write_setting(connection, "policy", str(policy))
        return Settled(
            written=written,
            unchanged=int(known.sum()) - written,
            open=int((~known).sum()),
            disputed=tuple(standing.cell_id[standing.is_disputed & ~news].tolist()),
        )


def settle_ambiguous(
    store: Store,
    score_of: Mapping[int, float],
    *,
    policy: Policy = Policy.SETTLED,
    threshold: float = SPLIT_AT,
) -> AmbiguousSplit:
    """Record a class for the cells that have none (HEAEL), in one transaction; what experts agreed on stays.

    The labels are those of a consensus rater: ``settled``, ``consensus`` and ``recorded`` see them.

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
        view, recorded = agreed(connection, policy), agreed(connection, Policy.RECORDED)
        open_cells = view.cell_id[(view.label_id == 0) & (recorded.label_id == 0)].tolist()
        scored = [cell for cell in open_cells if cell in score_of]
        split = split_ambiguous([score_of[cell] for cell in scored], threshold=threshold)
        ids = intern_labels(connection, LabelSet((LOOK_ALIKE, TUMOUR_CELL))).tolist()
        id_of = dict(zip((LOOK_ALIKE.name, TUMOUR_CELL.name), ids, strict=True))
        (round_,) = intern_rounds(connection, [SPLIT_ROUND]).tolist()
        label_of = {cell: id_of[label] for cell, label in zip(scored, split, strict=True)}
        record_outcome(connection, label_of, round_, rater=SPLIT_RATER, scores=score_of)
    look_alikes = sum(label == LOOK_ALIKE.name for label in split)
    return AmbiguousSplit(look_alikes, len(split) - look_alikes, len(open_cells) - len(scored))
