"""Results made on a cluster: each slide is a task of Ray, which hands out the parts of a large one in turn."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mitoscope.bundle import Bundle
from mitoscope.cluster import RayExecutor, Request, Tell, check_ray, joined, node_name
from mitoscope.errors import ClusterError
from mitoscope.fsio import make_directory
from mitoscope.infer import ListedSlide, SlideDone
from mitoscope.infer.cluster import ALONE, Cluster, Sent, bundle_of, for_workers, part_request
from mitoscope.report.making import Progress, ResultSettings, make_result


class OnCluster(NamedTuple):
    """A cluster at work: what makes the result of a slide, and how many it makes at once."""

    work: Callable[[ListedSlide, Progress], SlideDone]
    at_once: int


@dataclass(frozen=True, slots=True)
class ResultTask:
    """What makes the result of a slide on a node.

    Parameters
    ----------
    settings : ResultSettings
    sent : Sent
    ahead : int
        Tasks of parts that a slide hands out at once.
    alone : int
        Parts that it keeps.
    """

    settings: ResultSettings
    sent: Sent
    ahead: int
    alone: int

    def __call__(self, slide: ListedSlide, tell: Tell) -> SlideDone:
        """Make the result of a slide, as `make_result` does.

        Raises
        ------
        ClusterError
            If this node does not see the slide; the machine that sent it does.
        """
        if not slide.path.exists():
            raise ClusterError(
                f"node {node_name()} does not see it",
                where=slide.path,
                mend="put slides on storage that all nodes share under the same path",
            )
        config = self.settings.config
        crew = Cluster(self.sent, for_workers(config), part_request(config), self.ahead, self.alone)
        detector = bundle_of(self.sent.bundle), crew
        return make_result(
            slide, self.settings, progress=lambda done, total: tell((done, total)), detector=detector
        )


@contextmanager
def on_cluster(
    cluster: str, settings: ResultSettings, bundle: Bundle, *, threads: int | None = None
) -> Generator[OnCluster, None, None]:
    """Keep a cluster ready to make results while the block runs.

    Parameters
    ----------
    cluster : str
        ``local`` or the address of a Ray cluster.
    settings : ResultSettings
    bundle : Bundle
        Sent once to every machine.
    threads : int, optional
        Cores that ``local`` uses.

    Raises
    ------
    ClusterError
        As `mitoscope.cluster.open_executor`.
    """
    out = make_directory(settings.out_dir).absolute()
    parts = part_request(settings.config)
    with joined(cluster, replace(parts, folders=(out,)), threads=threads):
        owners = RayExecutor(Request())
        sent = Sent(check_ray().put(bundle.carried()))
        # A node without a GPU owns slides, too; it keeps no parts of them.
        task = ResultTask(
            replace(settings, out_dir=out), sent, 2 * RayExecutor(parts).slots, 0 if parts.gpus else ALONE
        )
        send = owners.telling(task)

        def work(slide: ListedSlide, progress: Progress) -> SlideDone:
            if not slide.path.exists():
                return make_result(slide, settings)  # says what is wrong
            done = send(_absolute(slide), lambda value: progress(*(value or (0.0, 0.0))))
            return replace(done, slide=slide)

        yield OnCluster(work, owners.slots)


def _absolute(slide: ListedSlide) -> ListedSlide:
    """Return a slide with paths that mean the same on every machine."""
    tumour = None if slide.tumour is None else Path(slide.tumour).absolute()
    return replace(slide, path=slide.path.absolute(), tumour=tumour)
