"""The parts of a slide on a cluster: tasks of Ray, which its owner hands out and whose results it records.

A slide has one owner, the process that holds its ledger. What comes of a part depends on the part alone and
is recorded once, so that the result is that of one machine, byte for byte, whichever process computes which
part and whatever dies: Ray begins the tasks of a dead process again, and an owner that is begun again asks
its ledger what is left.
"""

from __future__ import annotations

import json
import math
import time
from collections import OrderedDict
from collections.abc import Callable, Generator, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

from mitoscope.bundle import Bundle
from mitoscope.cluster import Request, carry_out, check_ray, node_name, result_of, slots_of, versions_of
from mitoscope.errors import ClusterError, SlideError
from mitoscope.infer.cascade import Networks, open_networks
from mitoscope.infer.config import DetectConfig
from mitoscope.infer.crew import PartWork, Threads
from mitoscope.infer.workers import Item, Result

ALONE: Final = 8
"""Parts that an owner computes by itself: sending them away takes longer than the seconds that they take."""
TASK_S: Final = 0.25
"""Seconds that a task takes: some parts where they are quick, one where it takes longer. Ray itself takes a
millisecond or two for each task."""
PARTS_MAX: Final = 64
"""Most parts of a task."""
ASK_S: Final = 10.0
"""Seconds between two looks at how large the cluster is."""
RETRIES: Final = 5
"""Processes that a part may lose; what kills every process that computes it must end."""
_SLIDES_KEPT: Final = 4
"""Works that a process keeps open, so that it takes parts of any of these slides at once."""


Keep = Callable[[], AbstractContextManager[object]]
"""Keeps a slide on this machine; it can be sent to other processes."""


@dataclass(frozen=True, slots=True)
class Sent:
    """What every process of a run needs, as it lies in the object store: sent once to each machine.

    Parameters
    ----------
    bundle : ObjectRef of Bundle
        With its files.
    """

    bundle: Any


@dataclass(slots=True)
class Cluster:
    """A crew of the processes of a cluster; used where Ray is joined, in a task or by the program itself.

    Parameters
    ----------
    sent : Sent
    config : DetectConfig
    request : Request
        Of a task of parts.
    ahead : int
        Tasks that are handed out at once; by default two for each that the cluster can compute, so that none
        waits, also when it has grown.
    alone : int
        Parts that are computed here, if there are no more.
    lock_wait_s : float
        An owner whose machine was lost may live on for a moment, and hold the ledger.
    keeper : callable, optional
        Asked when parts are first handed out: returns what keeps the slide on the node of a part while that
        is computed; None where all nodes see the slide.
    """

    sent: Sent
    config: DetectConfig
    request: Request
    ahead: int | None = None
    alone: int = ALONE
    lock_wait_s: float = 60.0
    keeper: Callable[[], Keep | None] = lambda: None
    _seconds: float = field(default=TASK_S, init=False)
    _asked: float = field(default=-math.inf, init=False)
    _slots: int = field(default=1, init=False)

    def run(
        self, work: PartWork[Item, Result], items: Sequence[Item]
    ) -> Generator[Sequence[tuple[Item, Result]], None, None]:
        """Yield parts as tasks come back; a few parts are computed here. See `Crew.run`."""
        if len(items) <= self.alone:
            yield from Threads(networks_of(self.sent, self.config), 1).run(work, items)
            return
        yield from self._spread(work, items)

    def _spread(
        self, work: PartWork[Item, Result], items: Sequence[Item]
    ) -> Generator[Sequence[tuple[Item, Result]], None, None]:
        ray = check_ray()
        request = self.request
        task = ray.remote(num_cpus=request.cpus, num_gpus=request.gpus, max_retries=RETRIES)(carry_out)
        wanted = versions_of(request.packages)
        shared = _Shared(ray.put(work), self.sent, self.config, self.keeper())
        left, pending = list(reversed(items)), dict[Any, tuple[Item, ...]]()
        try:
            while left or pending:
                room = self._room()
                while left and len(pending) < room:
                    parts = tuple(left.pop() for _ in range(min(self._parts(len(left), room), len(left))))
                    pending[task.remote(shared, parts, wanted)] = parts
                ready, _ = ray.wait(list(pending), num_returns=1)
                # What else has come meanwhile is recorded with it.
                more, _ = ray.wait(list(pending), num_returns=len(pending), timeout=0)
                group: list[tuple[Item, Result]] = []
                for reference in dict.fromkeys([*ready, *more]):
                    parts = pending.pop(reference)
                    results, seconds = result_of(reference)
                    self._seconds = seconds / len(parts)
                    group += zip(parts, results, strict=True)
                yield group
        finally:
            for reference in pending:
                ray.cancel(reference)

    def _room(self) -> int:
        """Return how many tasks are handed out at once; the cluster is asked every few seconds."""
        if self.ahead is not None:
            return self.ahead
        if time.monotonic() > self._asked + ASK_S:
            self._asked, self._slots = time.monotonic(), slots_of(self.request)
        return 2 * self._slots

    def _parts(self, left: int, room: int) -> int:
        """Return how many parts a task has: fewer towards the end, so that all machines end at once."""
        quick = round(TASK_S / max(self._seconds, TASK_S / PARTS_MAX))
        return max(1, min(quick, PARTS_MAX, -(-left // (2 * room))))


@dataclass(frozen=True, slots=True)
class _Shared:
    """The work on the parts of a slide, as it travels with each task: addresses in the object store."""

    work: Any
    sent: Sent
    config: DetectConfig
    keep: Keep | None

    def __call__(self, parts: Sequence[Any]) -> tuple[list[Any], float]:
        """Compute parts; return what came of them and the seconds that it took."""
        with nullcontext() if self.keep is None else self.keep():
            compute = _BEGUN.get(self)
            start = time.perf_counter()
            results = [compute(part) for part in parts]
            return results, time.perf_counter() - start


class _Begun:
    """Works that this process has begun, by their address: slides that are open, networks that are loaded."""

    def __init__(self) -> None:
        self._kept: OrderedDict[str, Callable[[Any], Any]] = OrderedDict()

    def get(self, shared: _Shared) -> Callable[[Any], Any]:
        """Return what computes a part, begun now if it is not yet."""
        ray = check_ray()
        key = shared.work.hex()
        if key not in self._kept:
            try:
                work: PartWork[Any, Any] = ray.get(shared.work)
            except SlideError as error:
                raise ClusterError(
                    f"node {node_name()}: {error.what}",
                    where=error.where,
                    mend="put slides on storage that all nodes share under the same path",
                ) from None
            self._kept[key] = work.begin(networks_of(shared.sent, shared.config))
        self._kept.move_to_end(key)
        while len(self._kept) > _SLIDES_KEPT:
            self._kept.popitem(last=False)
        return self._kept[key]


_BEGUN: Final = _Begun()


def networks_of(sent: Sent, config: DetectConfig) -> Networks:
    """Return the networks of a run in this process; it opens them once."""
    # What a list says of a slide makes no other networks.
    asked = config.model_dump(mode="json", include={"stage", "quality", "subtype", "provider", "threads"})
    return _networks(sent.bundle, json.dumps(asked, sort_keys=True))


@lru_cache(maxsize=2)
def _networks(reference: Any, asked: str) -> Networks:
    return open_networks(bundle_of(reference), DetectConfig.parse(json.loads(asked), where="cluster"))


@lru_cache(maxsize=2)
def bundle_of(reference: Any) -> Bundle:
    """Return the bundle of a run in this process."""
    bundle: Bundle = check_ray().get(reference)
    return bundle


def part_request(config: DetectConfig, *, gpu_share: float = 0.25) -> Request:
    """Return what a task of parts takes: a core, and a share of a GPU where networks run on one.

    Several processes share a GPU, so that it computes for one while another one reads.
    """
    return Request(cpus=1, gpus=gpu_share if config.provider == "cuda" else 0)


def for_workers(config: DetectConfig) -> DetectConfig:
    """Return the configuration of a process of a cluster: one thread, as Ray counts it."""
    return config.model_copy(update={"threads": 1})
