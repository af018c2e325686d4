"""Many slides: in which order, several at once, and what became of each; one that fails stops no other."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from mitoscope.errors import ConfigError, MitoscopeError, RunError, StoppedError
from mitoscope.infer.slide_list import ListedSlide
from mitoscope.remote import size_of

Order = Literal["listed", "smallest", "largest"]
"""In which order slides are worked on: as they are listed, or by the size of their files."""
ORDERS: tuple[Order, ...] = get_args(Order)
AT_ONCE = 2
"""Slides at once: the next one is opened, and the report of the one before is written, beside a search."""
THREADS_MAX = 1000
"""Most slides at once where a cluster works on them: each has a thread, which asks how far it is."""
_ASKED_AT_ONCE = 16
"""Slides elsewhere whose sizes are asked for at the same time."""
Progress = Callable[[float, float], None]
"""Called with mm² of tissue done and in all, of one slide."""


@dataclass(frozen=True, slots=True)
class SlideDone:
    """What became of a slide: plain values, which pass between processes and machines.

    Parameters
    ----------
    slide : ListedSlide
        The slide, as it was listed.
    manifest : Path or None
        That of its result; None where there is none. The numbers stand there.
    error : MitoscopeError or None
        Why there is no result, or no count.
    gaps : bool
        Whether a part of it could not be read.
    kept : bool
        Whether the result was there already, made of the same slide in the same way.
    tissue_mm2 : float
        Tissue that was searched.
    search_s : float
        Seconds of both stages, which grow with the tissue.
    other_s : float
        Seconds of opening and of the report.
    """

    slide: ListedSlide
    manifest: Path | None = None
    error: MitoscopeError | None = None
    gaps: bool = False
    kept: bool = False
    tissue_mm2: float = 0.0
    search_s: float = 0.0
    other_s: float = 0.0

    @property
    def exit_status(self) -> int:
        """Return the status of a command that had this slide alone."""
        if self.error is not None:
            return self.error.exit_status
        return 1 if self.gaps else 0


Work = Callable[[ListedSlide, Progress], SlideDone]
"""What is done for one slide. Its errors are those of the slide."""


@dataclass(frozen=True, slots=True)
class CohortState:
    """How far a cohort is.

    Parameters
    ----------
    slides, slides_done : int
        In all, and those that are through.
    mm2, mm2_done : float
        Tissue in all, of slides that are not yet open estimated from the size of their files, and searched.
    left_s : float or None
        Seconds that are left; None as long as no slide is through.
    """

    slides: int
    slides_done: int
    mm2: float
    mm2_done: float
    left_s: float | None


class Tally:
    """Counts slides and tissue while slides are worked on in several threads.

    Parameters
    ----------
    sizes : sequence of int
        Bytes of each slide's file, or what stands for them.

    Notes
    -----
    A slide takes a time that grows with its tissue, and one that does not (opening, report). Both are taken
    from the slides that are through; what several slides at once save, from the clock on the wall.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        self._sizes = sizes
        self._lock = threading.Lock()
        self._area: dict[int, tuple[float, float]] = {}
        self._done: dict[int, SlideDone] = {}
        self._started = time.perf_counter()

    def search(self, place: int, done_mm2: float, mm2: float) -> None:
        """Note how far the slide at a place is."""
        with self._lock:
            self._area[place] = done_mm2, mm2

    def finish(self, place: int, done: SlideDone) -> None:
        """Note that a slide is through."""
        with self._lock:
            self._done[place] = done
            self._area[place] = done.tissue_mm2, done.tissue_mm2

    def state(self) -> CohortState:
        """Return how far the cohort is."""
        with self._lock:
            done_mm2 = sum(done for done, _ in self._area.values())
            known_mm2 = sum(total for _, total in self._area.values())
            seen = sum(self._sizes[place] for place in self._area) or 1
            unseen = sum(self._sizes) - sum(self._sizes[place] for place in self._area)
            mm2 = known_mm2 + known_mm2 * unseen / seen
            left_s = self._left_s(mm2 - done_mm2, time.perf_counter() - self._started)
            return CohortState(len(self._sizes), len(self._done), mm2, done_mm2, left_s)

    def _left_s(self, mm2_left: float, elapsed_s: float) -> float | None:
        own = [done for done in self._done.values() if not done.kept]
        if not own:
            return None
        spent_s = sum(done.search_s + done.other_s for done in own)
        per_slide = sum(done.other_s for done in own) / len(own)
        per_mm2 = sum(done.search_s for done in own) / (sum(done.tissue_mm2 for done in own) or 1.0)
        ahead_s = (len(self._sizes) - len(self._done)) * per_slide + mm2_left * per_mm2
        return ahead_s * elapsed_s / spent_s if spent_s else 0.0


def parse_order(text: str) -> Order:
    """Read an order by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    for known in ORDERS:
        if text.strip().casefold() == known:
            return known
    raise ConfigError(f"no order {text!r}", where="--order", mend=f"choose one of {', '.join(ORDERS)}")


def ordered(slides: Sequence[ListedSlide], order: Order) -> list[ListedSlide]:
    """Return slides in the order in which they are worked on; the stores of those elsewhere are asked."""
    if order == "listed":
        return list(slides)
    with ThreadPoolExecutor(_ASKED_AT_ONCE) as pool:
        sizes = list(pool.map(_size, slides))
    sign = 1 if order == "smallest" else -1
    return [slides[place] for place in sorted(range(len(slides)), key=lambda place: sign * sizes[place])]


def run_cohort(
    slides: Sequence[ListedSlide],
    work: Work,
    *,
    at_once: int | Callable[[], int] = AT_ONCE,
    retries: int = 0,
    progress: Callable[[CohortState], None] | None = None,
) -> Generator[SlideDone, None, None]:
    """Work on slides, each by itself.

    Parameters
    ----------
    slides : sequence of ListedSlide
        In the order in which they are begun.
    work : callable
        What is done for one of them.
    at_once : int or callable
        Slides that are worked on at the same time, in threads; of a cluster, which grows and shrinks, what it
        returns each time that a slide is through.
    retries : int
        How often slides that failed are tried again, after all others: a file server may have been away.
    progress : callable, optional
        Called from the threads of the slides, after each part and each slide.

    Yields
    ------
    SlideDone
        As slides are through; one that failed once it is not tried again.

    Raises
    ------
    StoppedError
        If the user stops it; the slides at work keep what is recorded of them.
    """
    run = _Run(slides, work, progress or _silent)
    waiting = list(range(len(slides)))
    try:
        for attempt in range(retries + 1):
            failed = []
            with closing(run.go(waiting, at_once)) as results:
                for place, done in results:
                    if done.manifest is None and attempt < retries:
                        failed.append(place)
                        continue
                    run.tally.finish(place, done)
                    run.progress(run.tally.state())
                    yield done
            waiting = failed
    except KeyboardInterrupt:
        state = run.tally.state()
        raise StoppedError(
            f"stopped after {state.slides_done} of {state.slides} slides",
            mend="repeat the same command to continue",
        ) from None


class _Run:
    """Slides with what is done for each."""

    def __init__(
        self, slides: Sequence[ListedSlide], work: Work, progress: Callable[[CohortState], None]
    ) -> None:
        self.slides, self.work, self.progress = slides, work, progress
        here = [_size(slide) if slide.address is None else 0 for slide in slides]
        known = [size for size in here if size]
        usual = sum(known) // len(known) if known else 1  # of what is not known before it is there
        self.tally = Tally([size or usual for size in here])
        self.stop = threading.Event()

    def go(
        self, waiting: Sequence[int], at_once: int | Callable[[], int]
    ) -> Generator[tuple[int, SlideDone], None, None]:
        """Yield what became of the slides at some places, as they are through."""
        if at_once == 1 or len(waiting) <= 1:
            yield from ((place, self.one(place)) for place in waiting)
            return
        room = at_once if callable(at_once) else lambda: at_once
        threads = min(len(waiting), THREADS_MAX if callable(at_once) else at_once)
        pool = ThreadPoolExecutor(threads, thread_name_prefix="mitoscope-slide")
        queue = iter(waiting)
        ahead: dict[Future[SlideDone], int] = {}
        try:
            while True:
                # No more slides are handed out than are worked on: a stop leaves none behind.
                while len(ahead) < min(room(), threads) and (place := next(queue, None)) is not None:
                    ahead[pool.submit(self.one, place)] = place
                if not ahead:
                    return
                for future in wait(ahead, return_when=FIRST_COMPLETED).done:
                    yield ahead.pop(future), future.result()
        except BaseException:
            self.stop.set()  # each slide at work ends with its next part
            raise
        finally:
            pool.shutdown(wait=True, cancel_futures=True)

    def one(self, place: int) -> SlideDone:
        """Return what became of one slide, whatever it was."""
        slide = self.slides[place]

        def note(done: float, total: float) -> None:
            if self.stop.is_set():
                raise StoppedError("stopped", where=slide.shown)
            if total:  # else nothing is known yet
                self.tally.search(place, done, total)
                self.progress(self.tally.state())

        try:
            return self.work(slide, note)
        except StoppedError:
            raise
        except MitoscopeError as error:
            return SlideDone(slide, error=error)
        except Exception as error:  # the border of a slide: thousands of others wait
            if len(self.slides) == 1:
                raise
            line = " ".join(f"{type(error).__name__}: {error}".split())[:300]
            return SlideDone(slide, error=RunError(f"failed unexpectedly ({line})", where=slide.shown))


def _size(slide: ListedSlide) -> int:
    """Return the bytes of a slide; 0 where nobody says, and its search will say why."""
    with suppress(OSError, MitoscopeError):
        return slide.path.stat().st_size if slide.address is None else size_of(slide.address)
    return 0


def _silent(state: CohortState) -> None:
    pass
