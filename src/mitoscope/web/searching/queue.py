"""The queue of slides that are to be searched, one search a slide; it survives a restart of the server.

The queue stands in the study. A search runs in a process of its own (`child`), one at a time, with a ledger
beside the study: one that was paused, or was at work when the server ended, goes on where it stopped. Once it
is done, its candidates are written into the study (`curation.searches`), with the threshold of the model.
"""

from __future__ import annotations

import logging
import multiprocessing
import shutil
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.bundle import OperatingPoint, load_bundle, shipped
from mitoscope.curation.searches import keep_search
from mitoscope.errors import ConfigError, MitoscopeError, NotFoundError
from mitoscope.exchange import read_result
from mitoscope.store import Store, read_setting, write_setting
from mitoscope.web.refusal import Refusal
from mitoscope.web.searching import child
from mitoscope.web.slides import SlideCatalogue

SEARCH_FOLDER: Final = "searches"
"""Suffix of the folder beside the study that holds ledgers and results, one sub-folder a slide."""
SETTING: Final = "searches"
PROPOSALS_SHOWN: Final = 2_000
"""Candidates of the first stage that are shown while a slide is searched, the surest ones."""
_LOG = logging.getLogger("mitoscope.web")
_POLL_S: Final = 0.2


class SearchState(StrEnum):
    """Where a search stands."""

    WAITING = "waiting"
    RUNNING = "running"
    PAUSED = "paused"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Search:
    """A search of one slide.

    Parameters
    ----------
    slide_id : int
        The slide.
    model : str
        Name of the bundle, as it was asked for.
    point : str or None
        Operating point of the bundle; None is its default one.
    state : SearchState
        Where it stands.
    reason : str
        Why it failed; else empty.
    candidates, figures : int or None
        Candidates that it gave, and how many lie above the threshold; None until it is done.
    done_mm2, of_mm2 : float
        Tissue searched, and in all, as far as it is known.
    eta_s : float or None
        Seconds until the slide is done; None while that is not known.
    """

    slide_id: int
    model: str
    point: str | None = None
    state: SearchState = SearchState.WAITING
    reason: str = ""
    candidates: int | None = None
    figures: int | None = None
    done_mm2: float = 0.0
    of_mm2: float = 0.0
    eta_s: float | None = None


@dataclass(frozen=True, slots=True)
class SearchModel:
    """A model that slides can be searched with: its name, what it is, and its operating points."""

    name: str
    title: str
    points: tuple[OperatingPoint, ...]
    default_point: str


@dataclass(slots=True)
class _Pace:
    """How fast a slide is searched, from the first message on: what was done before costs no time now."""

    begun_s: float
    begun_mm2: float

    def eta_s(self, done_mm2: float, of_mm2: float) -> float | None:
        done, took = done_mm2 - self.begun_mm2, time.monotonic() - self.begun_s
        return (of_mm2 - done_mm2) * took / done if done > 0 and took > 0 else None


@dataclass(slots=True)
class _Proposals:
    """What the first stage proposed so far on the slide at work."""

    parts: list[child.Proposed] = field(default_factory=list)

    def best(self, n: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        if not self.parts:
            return np.empty((0, 2)), np.empty(0)
        points = np.concatenate([part.points_px0 for part in self.parts])
        score = np.concatenate([part.score for part in self.parts])
        order = np.argsort(-score, kind="stable")[:n]
        return points[order], score[order]


class SearchQueue:
    """Searches that wait, run and are done; a thread of the server sees to them.

    Parameters
    ----------
    store : Store
        Open for writing; the queue stands in it.
    slides : SlideCatalogue
        Its slides.
    models : sequence of str
        Names or folders of bundles, beside the shipped ones.

    Notes
    -----
    All methods may be called from any thread.
    """

    def __init__(self, store: Store, slides: SlideCatalogue, models: Sequence[str] = ()) -> None:
        self._store, self._slides = store, slides
        self._names = (*shipped(), *models)
        self._turn = threading.Condition()
        self._proposals = _Proposals()
        self._process: tuple[BaseProcess, child.Channel] | None = None
        self._is_closed = False
        self._thread: threading.Thread | None = None
        with store.reading() as connection:
            rows = read_setting(connection, SETTING, [])
        self._searches = {row["slide_id"]: _read(row) for row in rows}
        self._wake()

    @property
    def folder(self) -> Path:
        """Folder of ledgers and results beside the study."""
        path = self._store.path
        return path.parent / f"{path.stem}.{SEARCH_FOLDER}"

    @cached_property
    def models(self) -> tuple[SearchModel, ...]:
        """The models that slides can be searched with, the default one first."""
        found = []
        for name in self._names:
            manifest = load_bundle(name).manifest
            found.append(SearchModel(name, manifest.source, manifest.points, manifest.point().name))
        return tuple(found)

    def all(self) -> list[Search]:
        """Return all searches, in the order in which they were asked for."""
        with self._turn:
            return list(self._searches.values())

    def proposals(self, slide_id: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return what the first stage proposes so far on the slide at work.

        Returns
        -------
        points_px0 : ndarray of float64, shape (n, 2)
            In level-0 pixels; the surest `PROPOSALS_SHOWN`.
        score : ndarray of float64, shape (n,)
            Of the first stage, which ranks only.
        """
        with self._turn:
            search = self._searches.get(slide_id)
            is_at_work = search is not None and search.state is SearchState.RUNNING
            parts = _Proposals(list(self._proposals.parts) if is_at_work else [])
        return parts.best(PROPOSALS_SHOWN)

    def add(self, slides: Iterable[int], *, model: str, point: str | None = None) -> None:
        """Put slides into the queue, behind those that wait; one that waits or runs already stays.

        Raises
        ------
        ConfigError
            If there is no such model, or no such point of it.
        Refusal
            If a slide is not there or cannot be read.
        """
        chosen = next((bundle for bundle in self.models if bundle.name == model), None)
        if chosen is None:
            names = ", ".join(bundle.name for bundle in self.models)
            raise ConfigError(f"no model of the name {model!r}", mend=f"there are {names}")
        if point is not None and point not in (point_.name for point_ in chosen.points):
            names = ", ".join(point_.name for point_ in chosen.points)
            raise ConfigError(f"{model} has no operating point {point!r}", mend=f"it has {names}")
        ids = list(slides)
        for slide_id in ids:
            self._slides.info(slide_id)
        with self._turn:
            for slide_id in ids:
                known = self._searches.get(slide_id)
                if known is None or known.state not in (SearchState.WAITING, SearchState.RUNNING):
                    self._searches.pop(slide_id, None)  # to the end of the queue
                    self._searches[slide_id] = Search(slide_id, model, point)
            self._keep()
        self._wake()

    def pause(self, slides: Collection[int]) -> None:
        """Let slides wait until they are resumed; the one at work keeps what it has done."""
        self._move(slides, (SearchState.WAITING, SearchState.RUNNING), SearchState.PAUSED)

    def resume(self, slides: Collection[int]) -> None:
        """Go on with slides that were paused, or failed."""
        self._move(slides, (SearchState.PAUSED, SearchState.FAILED), SearchState.WAITING)
        self._wake()

    def cancel(self, slides: Collection[int]) -> None:
        """Take slides out of the queue and forget what was searched; results that are done stay."""
        with self._turn:
            for slide_id in slides:
                search = self._searches.get(slide_id)
                if search is not None and search.state is not SearchState.DONE:
                    self._stop_if_running(search)
                    del self._searches[slide_id]
                    shutil.rmtree(self._folder_of(slide_id), ignore_errors=True)
            self._keep()

    def close(self) -> None:
        """End the search at work; it goes on when the study is served again."""
        with self._turn:
            self._is_closed = True
            self._kill()
            self._turn.notify_all()
        if self._thread is not None:
            self._thread.join()

    def result_of(self, slide_id: int) -> Path:
        """Return the folder of the results of a slide.

        Raises
        ------
        NotFoundError
            If its search is not done.
        """
        with self._turn:
            search = self._searches.get(slide_id)
        if search is None or search.state is not SearchState.DONE:
            raise NotFoundError("this slide has no finished search", mend="search it first")
        return self._folder_of(slide_id)

    # All below holds `_turn`, or runs in the queue's thread.

    def _folder_of(self, slide_id: int) -> Path:
        return self.folder / str(slide_id)

    def _keep(self) -> None:
        """Write the queue into the study; what changes every second stays out of it."""
        rows = [_written(search) for search in self._searches.values()]
        with self._store.writing() as connection:
            write_setting(connection, SETTING, rows)

    def _move(self, slides: Collection[int], of: tuple[SearchState, ...], to: SearchState) -> None:
        with self._turn:
            for slide_id in slides:
                search = self._searches.get(slide_id)
                if search is not None and search.state in of:
                    self._stop_if_running(search)
                    self._searches[slide_id] = replace(search, state=to, reason="", eta_s=None)
            self._keep()

    def _stop_if_running(self, search: Search) -> None:
        if search.state is SearchState.RUNNING:
            self._kill()

    def _kill(self) -> None:
        if self._process is not None:
            process, connection = self._process
            process.kill()  # its ledger is whole at every moment
            process.join()
            connection.close()
            self._process = None

    def _wake(self) -> None:
        with self._turn:
            waits = any(search.state is SearchState.WAITING for search in self._searches.values())
            if waits and self._thread is None and not self._is_closed:
                self._thread = threading.Thread(target=self._work, name="mitoscope-searches", daemon=True)
                self._thread.start()
            self._turn.notify_all()

    def _work(self) -> None:
        while (search := self._next()) is not None:
            try:
                self._run(search)
            except Exception as error:  # the queue goes on, whatever became of one slide
                _LOG.error("search of slide %s", search.slide_id, exc_info=error)
                self._end(search, SearchState.FAILED, reason=f"failed ({type(error).__name__})")

    def _next(self) -> Search | None:
        """Wait for a slide that waits, and note that it is at work."""
        with self._turn:
            while not self._is_closed:
                waiting = (
                    search for search in self._searches.values() if search.state is SearchState.WAITING
                )
                search = next(waiting, None)
                if search is not None:
                    self._proposals = _Proposals()
                    search = self._searches[search.slide_id] = replace(search, state=SearchState.RUNNING)
                    self._keep()
                    return search
                self._turn.wait()
        return None

    def _run(self, search: Search) -> None:
        try:
            task = self._task(search)
            connection = self._asked(task)
        except (Refusal, MitoscopeError) as error:
            self._end(search, SearchState.FAILED, reason=str(error))
            return
        pace: _Pace | None = None
        while connection is not None and self._is_at_work(search):
            try:
                if not connection.poll(_POLL_S):
                    continue
                message = connection.recv()
            except (EOFError, OSError):
                if self._is_at_work(search):
                    self._drop(connection)
                    reason = "the process of the search ended (out of memory?); resume it to continue"
                    self._end(search, SearchState.FAILED, reason=reason)
                return
            if isinstance(message, child.Progressed):
                pace = pace or _Pace(time.monotonic(), message.done_mm2)
                self._note(search, message, pace)
            elif isinstance(message, child.Proposed):
                with self._turn:
                    self._proposals.parts.append(message)
            elif isinstance(message, child.Failed):
                self._end(search, SearchState.FAILED, reason=message.reason)
                return
            else:
                self._import(search, message)
                return

    def _task(self, search: Search) -> child.Task:
        info = self._slides.info(search.slide_id)
        scale = self._slides.scale_given(search.slide_id)
        assert info.path is not None  # slides of a catalogue are files
        return child.Task(info.path, self._folder_of(search.slide_id), search.model, search.point, *scale)

    def _asked(self, task: child.Task) -> child.Channel | None:
        """Give the task to the process, which is begun where there is none."""
        with self._turn:
            if self._is_closed:
                return None
            if self._process is None or not self._process[0].is_alive():
                self._kill()
                context = multiprocessing.get_context("spawn")
                ours, theirs = context.Pipe()
                process = context.Process(target=child.run, args=(theirs,), daemon=True)
                process.start()
                theirs.close()
                self._process = process, ours
            self._process[1].send(task)
            return self._process[1]

    def _drop(self, connection: child.Channel) -> None:
        with self._turn:
            if self._process is not None and self._process[1] is connection:
                self._kill()

    def _is_at_work(self, search: Search) -> bool:
        with self._turn:
            now = self._searches.get(search.slide_id)
            return not self._is_closed and now is not None and now.state is SearchState.RUNNING

    def _note(self, search: Search, message: child.Progressed, pace: _Pace) -> None:
        with self._turn:
            now = self._searches.get(search.slide_id)
            if now is not None and now.state is SearchState.RUNNING:
                self._searches[search.slide_id] = replace(
                    now,
                    done_mm2=message.done_mm2,
                    of_mm2=message.of_mm2,
                    eta_s=pace.eta_s(message.done_mm2, message.of_mm2),
                )

    def _import(self, search: Search, message: child.Finished) -> None:
        found = read_result(message.manifest, with_tissue=False).candidates
        name = self._store.slides()[search.slide_id].name
        keep_search(self._store, name, found, model=message.model)
        threshold = found.searched.threshold or 0.0
        figures = int((found.score > threshold).sum())
        self._end(search, SearchState.DONE, candidates=len(found), figures=figures)

    def _end(self, search: Search, state: SearchState, **stated: Any) -> None:
        with self._turn:
            now = self._searches.get(search.slide_id)
            if now is not None and now.state is SearchState.RUNNING and not self._is_closed:
                done = now.of_mm2 if state is SearchState.DONE else now.done_mm2
                ended = replace(now, state=state, eta_s=None, done_mm2=done, **stated)
                self._searches[search.slide_id] = ended
                self._keep()


def _written(search: Search) -> dict[str, Any]:
    return {**asdict(search), "state": str(search.state), "eta_s": None}


def _read(row: dict[str, Any]) -> Search:
    search = Search(**{**row, "state": SearchState(row["state"])})
    # It was at work when the server ended.
    return replace(search, state=SearchState.WAITING) if search.state is SearchState.RUNNING else search
