"""Runs as tasks of Ray: it places them, begins those of a dead node again, waits where there is no room."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar

from mitoscope.cluster.executor import Item, Request, Result
from mitoscope.cluster.library import check_ray, on_node
from mitoscope.cluster.versions import node_name, refuse_other_versions, versions_of
from mitoscope.errors import ClusterError, MitoscopeError

RETRIES: Final = 10
"""Processes that a run may lose: nodes go away, but what kills every process that computes it must end."""
INTERVAL_S: Final = 0.5
"""Between two looks at how far runs are."""
Tell = Callable[[Any], None]
"""Called in a run, wherever it is, with how far it is; plain values."""
Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class _Came(Generic[Answer]):
    """What came of a run: errors of mitoscope travel as values, so that Ray adds nothing to them."""

    result: Answer | None = None
    error: MitoscopeError | None = None


def carry_out(work: Callable[..., Result], item: Any, wanted: Mapping[str, str], *rest: Any) -> _Came[Result]:
    """Compute a run; this is what a node does."""
    try:
        refuse_other_versions(wanted, versions_of(tuple(wanted)), node=node_name())
        return _Came(work(item, *rest))
    except MitoscopeError as error:
        return _Came(error=error)


def result_of(reference: Any) -> Any:
    """Return what came of a run, or raise what it raised.

    Raises
    ------
    MitoscopeError
        What the run raised.
    ClusterError
        If its processes died again and again.
    """
    ray = check_ray()
    try:
        came: _Came[Any] = ray.get(reference)
    except ray.exceptions.RayTaskError as error:
        raise error.cause if isinstance(error.cause, Exception) else error from None
    except ray.exceptions.OutOfDiskError:
        raise ClusterError("a node has no free disk", mend="see mitoscope doctor --cluster") from None
    except ray.exceptions.RayError as error:
        line = " ".join(str(error).split())[:200]
        raise ClusterError(
            f"the cluster lost a run ({type(error).__name__}: {line})",
            mend="repeat the same command to continue; see that its nodes have enough memory",
        ) from None
    if came.error is not None:
        raise came.error
    return came.result


def slots_of(request: Request) -> int:
    """Return how many runs the cluster can compute at once, as it is now; one at least."""
    fit = 0
    for node in check_ray().nodes():
        if node["Alive"]:
            have = node["Resources"]
            rooms = [have.get("CPU", 0) // request.cpus] if request.cpus else []
            rooms += [have.get("GPU", 0) // request.gpus] if request.gpus else []
            fit += int(min(rooms, default=1))
    return max(fit, 1)


class RayExecutor:
    """Computes runs on the cluster that this process has joined; see `Executor`.

    Parameters
    ----------
    request : Request
    """

    def __init__(self, request: Request) -> None:
        self._ray = ray = check_ray()
        self._wanted = versions_of(request.packages)
        self._request = request
        self._task = ray.remote(num_cpus=request.cpus, num_gpus=request.gpus, max_retries=RETRIES)(carry_out)
        self._board: _Board | None = None

    @property
    def slots(self) -> int:
        """Runs that the cluster can compute at once, as it is now."""
        return slots_of(self._request)

    def run(
        self, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with what comes of it, as they are done; see `Executor.run`."""
        ray, shared, queue = self._ray, self._ray.put(work), iter(items)
        pending: dict[Any, Item] = {}
        try:
            while True:
                # Two for each slot: none waits for this process, and few are lost if it ends.
                for item in _first(queue, 2 * self.slots - len(pending)):
                    pending[self._task.remote(shared, item, self._wanted)] = item
                if not pending:
                    return
                for reference in ray.wait(list(pending), num_returns=1)[0]:
                    item = pending.pop(reference)
                    yield item, result_of(reference)
        finally:
            for reference in pending:
                ray.cancel(reference)

    def telling(self, work: Callable[[Item, Tell], Result]) -> Callable[[Item, Tell], Result]:
        """Return what does some work on the cluster, waits for it and says now and then how far it is.

        Parameters
        ----------
        work : callable
            Takes an item and what is to be called with how far it is.

        Returns
        -------
        callable
            The same, to be called from any thread. It tells None as long as the run has told nothing; an
            error of its `tell` ends the run.
        """
        if self._board is None:
            self._board = _Board()
        return partial(self._wait, self._ray.put(work), self._board)

    def _wait(self, shared: Any, board: _Board, item: Item, tell: Tell) -> Any:
        key, last = uuid.uuid4().hex, None
        reference = self._task.remote(shared, item, self._wanted, board.teller(key))
        try:
            while not self._ray.wait([reference], timeout=INTERVAL_S)[0]:
                last = board.latest(key) or last
                tell(last)
        except BaseException:
            self._ray.cancel(reference)
            raise
        finally:
            board.forget(key)
        return result_of(reference)


def _first(queue: Any, count: int) -> list[Any]:
    return [item for _, item in zip(range(count), queue, strict=False)]


class _Board:
    """How far runs are: an actor beside this process gathers it, a thread fetches it for all of them."""

    def __init__(self) -> None:
        ray = check_ray()
        here = on_node(ray.get_runtime_context().get_node_id(), soft=True)
        self._actor = ray.remote(num_cpus=0, scheduling_strategy=here)(_Latest).remote()
        self._news: dict[str, Any] = {}
        self._lock = threading.Lock()
        threading.Thread(target=self._fetch, daemon=True, name="mitoscope-progress").start()

    def teller(self, key: str) -> Tell:
        """Return what a run calls; it does not wait."""
        return _Teller(self._actor, key)

    def latest(self, key: str) -> Any:
        """Return the last that a run has told since this was asked; None for nothing."""
        with self._lock:
            return self._news.pop(key, None)

    def forget(self, key: str) -> None:
        """Let a run go."""
        with self._lock:
            self._news.pop(key, None)

    def _fetch(self) -> None:
        ray = check_ray()
        while ray.is_initialized():
            try:
                fresh = ray.get(self._actor.take.remote())
            except Exception:  # the end of the cluster, in whichever words
                return
            with self._lock:
                self._news.update(fresh)
            time.sleep(INTERVAL_S)


@dataclass(frozen=True, slots=True)
class _Teller:
    actor: Any
    key: str

    def __call__(self, value: Any) -> None:
        self.actor.tell.remote(self.key, value)


class _Latest:
    """The last that each run has told."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def tell(self, key: str, value: Any) -> None:
        self._values[key] = value

    def take(self) -> dict[str, Any]:
        values, self._values = self._values, {}
        return values
