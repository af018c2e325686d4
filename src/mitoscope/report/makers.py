"""What makes results: this process, or a cluster, on which each slide is a task that hands out its parts."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from mitoscope.bundle import load_bundle
from mitoscope.cluster import RayExecutor, Request, Tell, check_ray, joined, node_name
from mitoscope.errors import ClusterError
from mitoscope.fsio import make_directory
from mitoscope.infer import AT_ONCE, ListedSlide, SlideDone, SlidesHere, check_asked
from mitoscope.infer.cluster import ALONE, Cluster, Sent, bundle_of, for_workers, part_request
from mitoscope.remote import Staging
from mitoscope.report.making import Progress, ResultSettings, make_result, open_detector_of
from mitoscope.report.outputs import load_ahead


class Makers(NamedTuple):
    """What makes the result of a slide, and for how many slides at once."""

    work: Callable[[ListedSlide, Progress], SlideDone]
    at_once: int | Callable[[], int]


@contextmanager
def makers(
    settings: ResultSettings,
    *,
    cluster: str | None = None,
    threads: int | None = None,
    here: SlidesHere | None = None,
) -> Generator[Makers, None, None]:
    """Keep ready what makes results while the block runs.

    Parameters
    ----------
    settings : ResultSettings
    cluster : str, optional
        ``local`` or the address of a Ray cluster; without it results are made in this process.
    threads : int, optional
        Cores that ``local`` uses; of this process the settings say it.
    here : SlidesHere, optional
        Brings slides that lie elsewhere to this machine; of a cluster each node does so by itself.

    Raises
    ------
    BundleError, ConfigError
        If the bundle is not there, damaged, or cannot do what is asked for.
    ClusterError
        As `mitoscope.cluster.open_executor`.
    """
    if cluster is not None:
        with _on_cluster(cluster, settings, threads=threads, here=here or SlidesHere()) as made_there:
            yield made_there
        return
    open_detector_of(settings)
    load_ahead(settings.formats)
    yield Makers(lambda slide, progress: make_result(slide, settings, progress=progress, here=here), AT_ONCE)


@dataclass(frozen=True, slots=True)
class ResultTask:
    """What makes the result of a slide on a node.

    Parameters
    ----------
    settings : ResultSettings
    sent : Sent
    alone : int
        Parts that it keeps.
    staging : Staging, optional
        The folder of each node for slides that lie elsewhere; by default that of its user.
    """

    settings: ResultSettings
    sent: Sent
    alone: int
    staging: Staging | None = None

    def __call__(self, slide: ListedSlide, tell: Tell) -> SlideDone:
        """Make the result of a slide, as `make_result` does.

        Raises
        ------
        ClusterError
            If this node does not see the slide; the machine that sent it does.
        """
        if slide.address is None and not slide.path.exists():
            raise ClusterError(
                f"node {node_name()} does not see it",
                where=slide.path,
                mend="put slides on storage that all nodes share under the same path",
            )
        config = self.settings.config
        here = SlidesHere(staging=self.staging)
        crew = Cluster(
            self.sent,
            for_workers(config),
            part_request(config),
            alone=self.alone,
            keeper=lambda: here.keeper(slide),
        )
        detector = bundle_of(self.sent.bundle), crew
        return make_result(
            slide,
            self.settings,
            progress=lambda done, total: tell((done, total)),
            detector=detector,
            here=here,
        )


@contextmanager
def _on_cluster(
    cluster: str, settings: ResultSettings, *, threads: int | None, here: SlidesHere
) -> Generator[Makers, None, None]:
    bundle = load_bundle(settings.bundle)
    check_asked(bundle, settings.config)
    out = make_directory(settings.out_dir).absolute()
    parts = part_request(settings.config)
    with joined(cluster, replace(parts, folders=(out,)), threads=threads):
        owners = RayExecutor(Request())
        sent = Sent(check_ray().put(bundle.carried()))  # once to every machine
        alone = 0 if parts.gpus else ALONE  # an owner needs no GPU
        send = owners.telling(ResultTask(replace(settings, out_dir=out), sent, alone, here.staging))

        def work(slide: ListedSlide, progress: Progress) -> SlideDone:
            if slide.address is None and not slide.path.exists():
                return make_result(slide, settings)  # says what is wrong
            # A progress of nothing lets whoever stops the command say so.
            done = send(_absolute(slide), lambda value: progress(*(value or (0.0, 0.0))))
            return replace(done, slide=slide)

        # As many again wait for room: an autoscaler goes by them.
        yield Makers(work, lambda: 2 * owners.slots)


def _absolute(slide: ListedSlide) -> ListedSlide:
    """Return a slide with paths that mean the same on every machine."""
    tumour = None if slide.tumour is None else Path(slide.tumour).absolute()
    path = slide.path.absolute() if slide.address is None else slide.path
    return replace(slide, path=path, tumour=tumour)
