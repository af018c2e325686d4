"""What computes the runs of a command, whether they are computed here or on a cluster."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class Request:
    """What one run takes, and what every node that takes part has to have.

    Parameters
    ----------
    cpus, gpus : float
        Of one run.
    packages : tuple of str
        Those whose versions a result depends on.
    folders : tuple of Path
        That every node has to see and write to.
    """

    cpus: float = 1
    gpus: float = 0
    packages: tuple[str, ...] = ("mitoscope", "numpy", "onnxruntime")
    folders: tuple[Path, ...] = ()


class Executor(Protocol):
    """Computes runs that do not depend on each other."""

    def run(
        self, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with what comes of it, as they are done; the first failure ends all.

        On a cluster work and items travel, and a run of which the node or the process dies is begun again: it
        has to write whole files or none, as all of mitoscope does.

        Raises
        ------
        MitoscopeError
            What a run raised.
        ClusterError
            If the cluster cannot do it, or a run has lost one process after another.
        """


class Here:
    """Computes one run after the other in this process."""

    def run(
        self, work: Callable[[Item], Result], items: Sequence[Item]
    ) -> Generator[tuple[Item, Result], None, None]:
        """Yield each item with what comes of it, in order; see `Executor.run`."""
        for item in items:
            yield item, work(item)


@contextmanager
def open_executor(cluster: str | None, request: Request, *, threads: int | None = None) -> Iterator[Executor]:
    """Return what computes runs while the block lasts.

    Parameters
    ----------
    cluster : str or None
        None computes here; ``local`` on the cores of this machine; else the ``host:port`` of a Ray cluster.
    request : Request
    threads : int, optional
        Cores that ``local`` uses; by default all.

    Raises
    ------
    ClusterError
        If Ray is not installed, the address does not answer, the cluster has nothing to compute the request
        with, or its nodes differ in versions or do not see the folders.
    """
    if cluster is None:
        yield Here()
        return
    # They need this module.
    from mitoscope.cluster.joining import joined
    from mitoscope.cluster.ray_executor import RayExecutor

    with joined(cluster, request, threads=threads):
        yield RayExecutor(request)
