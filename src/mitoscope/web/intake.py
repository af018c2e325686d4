"""Taking files into a study: one that cannot be read stops no other, and ten thousand hold nobody up."""

from __future__ import annotations

import logging
import os
import threading
from collections import deque
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from mitoscope.errors import MitoscopeError
from mitoscope.store import SlideRecord, Store, add_slide, state_resolution
from mitoscope.web.looking import Looked
from mitoscope.web.slides import SlideCatalogue

_LOG = logging.getLogger(__name__)
AT_ONCE = 100
"""So many files are looked at before anybody is let in; the rest while they work."""
_BATCH = 16
_WORKERS = min(4, os.cpu_count() or 1)
"""Each file is opened in a child process first."""


class Intake:
    """The files that a study is yet to learn of.

    Parameters
    ----------
    store : Store
        The study, open for writing.
    slides : SlideCatalogue
        Its slides; they learn what was found.
    files : mapping of str to Path, optional
        File name → file: new ones, and those of slides of which the study lacks size or resolution.
    """

    def __init__(self, store: Store, slides: SlideCatalogue, files: Mapping[str, Path] | None = None) -> None:
        self._store, self._slides = store, slides
        self._waiting = deque((files or {}).items())
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._is_ended = False
        self.of = len(self._waiting)
        self.done = 0
        self.refused: dict[str, MitoscopeError] = {}

    @property
    def is_done(self) -> bool:
        """Whether all files were looked at."""
        return self.done >= self.of

    def take(self, n: int = AT_ONCE) -> None:
        """Take in the next files, at most n."""
        with ThreadPoolExecutor(_WORKERS) as pool:
            while n > 0 and (batch := self._next(min(_BATCH, n))):
                n -= len(batch)
                self._keep(list(pool.map(self._slides.look, batch)))

    def add(self, files: Mapping[str, Path]) -> None:
        """Take in further files, while others work."""
        self._slides.add_files(files)
        with self._lock:
            self._waiting.extend(files.items())
            self.of += len(files)
            for name in files:
                self.refused.pop(name, None)
        self.begin()

    def begin(self) -> None:
        """Take in what waits, while others work."""
        with self._lock:
            if self._waiting and self._thread is None and not self._is_ended:
                self._thread = threading.Thread(target=self._take_all, daemon=True)
                self._thread.start()

    def end(self) -> None:
        """Leave off after the files that are being looked at."""
        with self._lock:
            self._is_ended, thread = True, self._thread
            self._waiting.clear()
        if thread is not None:
            thread.join()

    def _take_all(self) -> None:
        try:
            self.take(self.of)
        except MitoscopeError as error:  # the study cannot be written: what waits is taken in the next time
            _LOG.warning("warning: slides are not taken in: %s", error)
        with self._lock:
            self._thread = None
        self.begin()

    def _next(self, n: int) -> list[tuple[str, Path]]:
        with self._lock:
            return [self._waiting.popleft() for _ in range(min(n, len(self._waiting)))]

    def _keep(self, batch: list[Looked]) -> None:
        ids: dict[str, int] = {}
        known = self._slides.records_by_name()
        with self._store.writing() as connection:
            for one in batch:
                record, before = one.record(), known.get(one.name)
                if record is None or (before is not None and before.size not in (None, record.size)):
                    continue  # another slide of this name is no news of the one that is known
                mpp = record.mpp if before is None or before.mpp is None else before.mpp
                ids[one.name] = add_slide(connection, SlideRecord(one.name, record.size, mpp))
                if record.mpp not in (None, mpp) and self._slides.is_stated(one.name):
                    assert record.mpp is not None
                    state_resolution(connection, ids[one.name], record.mpp)
        for one in batch:
            if one.name in ids:
                self._slides.learn(ids[one.name], one)
            elif one.error is not None and one.name not in known:
                self.refused[one.name] = one.error
        self.done += len(batch)
