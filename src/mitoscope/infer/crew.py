"""Who computes the parts of a slide: the threads of this process, or others beside them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from mitoscope.infer.workers import Item, Result, Workers, in_order

if TYPE_CHECKING:
    from mitoscope.bundle import Bundle
    from mitoscope.infer.cascade import Networks
    from mitoscope.infer.config import DetectConfig

Part = TypeVar("Part", contravariant=True)
Found = TypeVar("Found", covariant=True)


class PartWork(Protocol[Part, Found]):
    """What is done for every part of a slide. It can be sent to another process; networks are had there."""

    def begin(self, networks: Networks) -> Callable[[Part], Found]:
        """Return what computes a part; called once in a process."""


class Crew(Protocol):
    """Computes parts of slides. What comes of a part depends on the part alone, whoever computes it."""

    @property
    def lock_wait_s(self) -> float:
        """Seconds that a ledger is waited for which another process holds."""

    def run(
        self, work: PartWork[Item, Result], items: Sequence[Item]
    ) -> Generator[Sequence[tuple[Item, Result]], None, None]:
        """Yield parts with what comes of them, as many at a time as are ready, in any order.

        Whoever takes them records those together. The first failure ends all.
        """


@dataclass(frozen=True, slots=True)
class Threads:
    """Threads of this process.

    Parameters
    ----------
    networks : Networks
        That they share.
    count : int
        Parts that are worked on at once.
    lock_wait_s : float
        See `Crew`.
    """

    networks: Networks
    count: int
    lock_wait_s: float = 1.0

    @classmethod
    def of(cls, bundle: Bundle, config: DetectConfig) -> Self:
        """Open the networks of a bundle for as many threads as a configuration says.

        Raises
        ------
        BundleError, ConfigError
            As `open_networks`.
        """
        from mitoscope.infer.cascade import open_networks  # which works with crews

        return cls(open_networks(bundle, config), Workers.of(config.threads).count)

    def run(
        self, work: PartWork[Item, Result], items: Sequence[Item]
    ) -> Generator[Sequence[tuple[Item, Result]], None, None]:
        """Yield the parts one by one, in order; see `Crew.run`."""
        for outcome in in_order(work.begin(self.networks), items, workers=self.count):
            yield (outcome,)
