"""The slides that a study may show: those of its store whose file was found and can be read.

A request names a slide by its number in the store. No name or path of a request ever reaches the file system
(promise 23).
"""

from __future__ import annotations

import itertools
import os
import threading
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mitoscope.errors import NotFoundError, SlideError
from mitoscope.infer import slides_among
from mitoscope.slide import Slide, SlideInfo, acquire
from mitoscope.store import SlideRecord, Store, last_statement, read_slides
from mitoscope.tissue import NucleiScale
from mitoscope.web.looking import NO_SCALES, Looked, Scales, look_at
from mitoscope.web.refusal import Refusal

SlideState = Literal["ok", "missing", "rejected", "unscaled"]
"""Shown; without its file; with a file that cannot be shown; or nothing but the resolution is missing."""
FOLDERS_MAX_FILES = 20_000
"""Files looked at in the folders; a link to the root of a disk should not take minutes."""
_AT_ONCE = 100
"""Up to so many slides that were not looked at yet are opened for a list; of more, files that are there count
as slides until they are opened."""


@dataclass(frozen=True, slots=True)
class ShownSlide:
    """A slide as the study knows it, what its file says (None where that is of no use), and its state.

    Reason and mend tell why it is not shown, and what to do about it; the hints are the resolutions in µm/px
    that its objective and the size of its nuclei suggest, where it states none.
    """

    id: int
    record: SlideRecord
    info: SlideInfo | None = None
    state: SlideState = "missing"
    reason: str | None = None
    mend: str | None = None
    hint_mpp: float | None = None
    nuclei: NucleiScale | None = None


def find_slide_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the files in folders, and below, that may be slides: by name, the first of a name first.

    They are those that `detect` takes, without links that lead out of a folder.
    """
    found: dict[str, Path] = {}
    left = FOLDERS_MAX_FILES
    for folder in folders:
        root = folder.resolve()
        files = list(itertools.islice(_files_below(root), left))
        left -= len(files)
        for path in slides_among(files, Path.exists):
            if path.resolve().is_relative_to(root):
                found.setdefault(path.name, path.resolve())
    return found


def _files_below(root: Path) -> Iterator[Path]:
    """Return the files in a folder and below that are not hidden, in order."""
    for parent, below, files in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(parent, name) for name in sorted(files) if not name.startswith("."))


class SlideCatalogue:
    """The slides of a study by their ids.

    Parameters
    ----------
    store : Store
        The study.
    files : mapping of str to Path
        Slide name → file, as `find_slide_files` returns them.
    scales : Scales
        Resolutions that the user gives.
    """

    def __init__(self, store: Store, files: Mapping[str, Path], *, scales: Scales = NO_SCALES) -> None:
        self._store = store
        self._files = dict(files)
        self._scales = scales
        self._lock = threading.Lock()
        self._shown: dict[int, ShownSlide] = {}
        self._records: tuple[int, dict[int, SlideRecord]] = (-1, {})

    def all(self) -> list[ShownSlide]:
        """Return all slides of the study; unless they are many, those not looked at yet are opened."""
        records = self.records()
        few = len(records.keys() - self._shown.keys()) <= _AT_ONCE
        return [
            self._look(id_, record) if few or id_ in self._shown else self._glance(id_, record)
            for id_, record in records.items()
        ]

    def records(self) -> dict[int, SlideRecord]:
        """Return what the study knows of its slides by id; it is read again once anything was stated anew."""
        with self._store.reading() as connection:
            state = last_statement(connection)
            if self._records[0] != state:
                self._records = state, read_slides(connection)
        return self._records[1]

    def records_by_name(self) -> dict[str, SlideRecord]:
        """Return what the study knows of its slides by name."""
        return {record.name: record for record in self.records().values()}

    def get(self, slide_id: int) -> ShownSlide:
        """Return a slide of the study, whatever its state.

        Raises
        ------
        NotFoundError
            If the study has no such slide.
        """
        known = self._shown.get(slide_id)
        if known is not None and known.state == "ok":
            return known
        record = self.records().get(slide_id)
        if record is None:
            raise NotFoundError("there is no such slide", mend="read the slides again")
        return self._look(slide_id, record)

    @property
    def mpp_override(self) -> bool:
        """Whether resolutions that are given replace what slides state."""
        return self._scales.override

    def look(self, file: tuple[str, Path]) -> Looked:
        """Look at a file by the name of its slide."""
        name, path = file
        known = self.records_by_name().get(name)
        mpp = self._scales.of(name, None if known is None else known.mpp)
        return look_at(path, mpp=mpp, mpp_override=self._scales.override)

    def is_stated(self, name: str) -> bool:
        """Whether the user gives the resolution of this very slide."""
        return name in self._scales.by_name

    def add_files(self, files: Mapping[str, Path]) -> None:
        """Let further files be those of slides; the first of a name holds."""
        self._files = {**files, **self._files}

    def learn(self, slide_id: int, looked: Looked) -> None:
        """Keep what was found in the file of a slide."""
        record = self.records()[slide_id]
        with self._lock:
            self._shown[slide_id] = _shown(slide_id, record, looked)

    def forget(self, slide_id: int) -> None:
        """Look at a slide anew when it is asked for: something about it has changed."""
        with self._lock:
            self._shown.pop(slide_id, None)

    def info(self, slide_id: int) -> SlideInfo:
        """Return what the file of a slide says.

        Raises
        ------
        Refusal
            If the slide is not there or cannot be read.
        """
        shown = self.get(slide_id)
        if shown.info is None:
            status, code = (410, "slide_missing") if shown.state == "missing" else (422, "slide_rejected")
            raise Refusal(status, code, f"{shown.record.name}: {shown.reason}", mend=shown.mend)
        return shown.info

    def open(self, slide_id: int) -> Slide:
        """Return a slide for reading; it is shared and stays open.

        Raises
        ------
        Refusal
            If the slide is not there or cannot be read (any more).
        """
        path = self.path(slide_id)
        try:
            mpp, mpp_override = self.scale_given(slide_id)
            return acquire(path, mpp, mpp_override=mpp_override)
        except SlideError as error:
            self.forget(slide_id)
            what = error.what if path.exists() else "the file of this slide is not there any more"
            mend = "put the file back, or start again with --slides"
            raise Refusal(410, "slide_missing", f"{path.name}: {what}", mend=mend) from None

    def path(self, slide_id: int) -> Path:
        """Return the file of a slide.

        Raises
        ------
        Refusal
            If the slide is not there or cannot be read.
        """
        path = self.info(slide_id).path
        assert path is not None  # slides of a catalogue are files
        return path

    def scale_given(self, slide_id: int) -> tuple[float | None, bool]:
        """Return the µm/px given for a slide, and whether they replace what it states."""
        record = self.get(slide_id).record
        return self._scales.of(record.name, record.mpp), self._scales.override

    def _look(self, slide_id: int, record: SlideRecord) -> ShownSlide:
        known = self._shown.get(slide_id)
        if known is None or known.state == "missing":
            known = self._opened(slide_id, record)  # others do not wait for it
            with self._lock:
                self._shown[slide_id] = known
        return known

    def _glance(self, slide_id: int, record: SlideRecord) -> ShownSlide:
        """Return a slide as its file has not been opened yet."""
        path = self._files.get(record.name)
        if path is None or not path.is_file():
            return _missing(slide_id, record)
        return ShownSlide(slide_id, record, state="ok")

    def _opened(self, slide_id: int, record: SlideRecord) -> ShownSlide:
        path = self._files.get(record.name)
        if path is None or not path.is_file():
            return _missing(slide_id, record)
        mpp = self._scales.of(record.name, record.mpp)
        return _shown(slide_id, record, look_at(path, mpp=mpp, mpp_override=self._scales.override))


def _missing(slide_id: int, record: SlideRecord) -> ShownSlide:
    mend = "put the file into the folder of the slides, or name its folder with --slides"
    return ShownSlide(slide_id, record, reason="the file of this slide was not found", mend=mend)


def _shown(slide_id: int, record: SlideRecord, looked: Looked) -> ShownSlide:
    if record.size is not None and looked.size not in (None, record.size):
        stated, found = record.size, looked.size
        assert found is not None
        reason = f"the file has {found.width} × {found.height} px, the study {stated.width} × {stated.height}"
        mend = "this is another slide of the same name: name the right folder with --slides"
        return ShownSlide(slide_id, record, state="rejected", reason=reason, mend=mend)
    if looked.error is None:
        return ShownSlide(slide_id, record, looked.info, "ok")
    if looked.lacks_scale:
        mend = f"state its µm per pixel here, or with --mpp {record.name}=0.25"
        return ShownSlide(
            slide_id,
            record,
            state="unscaled",
            reason=looked.error.what,
            mend=mend,
            hint_mpp=looked.hint_mpp,
            nuclei=looked.nuclei,
        )
    mend = looked.error.mend or "get a fresh copy"
    return ShownSlide(slide_id, record, state="rejected", reason=looked.error.what, mend=mend)
