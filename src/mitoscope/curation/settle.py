"""Writing the outcome of a rule into a store, as labels of a consensus rater: beside what the raters said."""

from __future__ import annotations

from dataclasses import dataclass

from mitoscope.store.actions import Action, record
from mitoscope.store.agreed import CROWD_THRESHOLD, Policy, agreed
from mitoscope.store.kinds import RoundKind
from mitoscope.store.lists import disputed
from mitoscope.store.records import Rater, Round
from mitoscope.store.store import Store
from mitoscope.store.terms import CONSENSUS_RATER


@dataclass(frozen=True, slots=True)
class Settled:
    """What a rule settled: labels written now, cells that had that outcome already, cells without one.

    ``disputed`` lists the cells on which two experts differ and no third has spoken.
    """

    written: int
    unchanged: int
    open: int
    disputed: tuple[int, ...]


def settle(
    store: Store,
    policy: Policy,
    *,
    rater: Rater = CONSENSUS_RATER,
    threshold: float = CROWD_THRESHOLD,
) -> Settled:
    """Record the agreed class of all cells under a policy, in one transaction.

    Repeating it writes nothing new. What a consensus rater said of a cell that the rule leaves open stays.

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
    """
    rater_id = store.add_rater(rater)
    round_id = store.open_round(Round(f"consensus: {policy}", RoundKind.CONSENSUS))
    written = unchanged = 0
    with store.writing() as connection:
        view = agreed(connection, policy, threshold=threshold)
        known = agreed(connection, Policy.RECORDED)
        for cell_id, label_id, before in zip(
            view.cell_id.tolist(), view.label_id.tolist(), known.label_id.tolist(), strict=True
        ):
            if label_id == 0:
                continue
            if label_id == before:
                unchanged += 1
                continue
            record(connection, Action("label", cell_id, rater_id, round_id, label_id=label_id))
            written += 1
        return Settled(
            written=written,
            unchanged=unchanged,
            open=int((view.label_id == 0).sum()),
            disputed=tuple(disputed(connection)),
        )
