"""The slides that a study may show: those of its store whose file was found and can be read.

A request names a slide by its number in the store. No name or path of a request ever reaches the file system
(promise 23).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from mitoscope.errors import MitoscopeError, NotFoundError, SlideError
from mitoscope.slide import Slide, SlideInfo, acquire, open_slide
from mitoscope.store import SlideRecord, Store
from mitoscope.web.refusal import Refusal

SlideState = Literal["ok", "missing", "rejected"]
SUFFIXES = frozenset(
    {".svs", ".tif", ".tiff", ".ndpi", ".scn", ".mrxs", ".bif", ".vms", ".vmu", ".svslide", ".dcm"}
    | {".png", ".jpg", ".jpeg", ".webp"}
)
"""Names that are taken for slides when a folder is looked through."""
FOLDERS_MAX_FILES = 20_000
"""Files looked at in the folders; a link to the root of a disk should not take minutes."""


@dataclass(frozen=True, slots=True)
class ShownSlide:
    """A slide as the study knows it, what its file says (None where that is of no use), and its state.

    Reason and mend tell why it is not shown, and what to do about it.
    """

    id: int
    record: SlideRecord
    info: SlideInfo | None = None
    state: SlideState = "missing"
    reason: str | None = None
    mend: str | None = None


def find_slide_files(folders: Iterable[Path]) -> dict[str, Path]:
    """Return the files in folders, and below, that may be slides: by name, the first of a name first.

    Links that lead out of a folder are left out.
    """
    found: dict[str, Path] = {}
    looked = 0
    for folder in folders:
        root = folder.resolve()
        for parent, below, files in os.walk(root):
            below.sort()
            for name in sorted(files):
                looked += 1
                path = Path(parent, name)
                if looked > FOLDERS_MAX_FILES:
                    return found
                if path.suffix.casefold() in SUFFIXES and path.resolve().is_relative_to(root):
                    found.setdefault(name, path.resolve())
    return found


class SlideCatalogue:
    """The slides of a study by their ids.

    Parameters
    ----------
    store : Store
        The study.
    files : mapping of str to Path
        Slide name → file, as `find_slide_files` returns them.
    mpp : float, optional
        Resolution of slides that state none.
    mpp_override : bool
        Let it replace also what slides state.
    """

    def __init__(
        self, store: Store, files: Mapping[str, Path], *, mpp: float | None = None, mpp_override: bool = False
    ) -> None:
        self._store = store
        self._files = dict(files)
        self._mpp, self.mpp_override = mpp, mpp_override
        self._lock = threading.Lock()
        self._shown: dict[int, ShownSlide] = {}

    def all(self) -> list[ShownSlide]:
        """Return all slides of the study, opening those that were not looked at yet."""
        return [self._look(id_, record) for id_, record in self._store.slides().items()]

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
        record = self._store.slides().get(slide_id)
        if record is None:
            raise NotFoundError("there is no such slide", mend="read the slides again")
        return self._look(slide_id, record)

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
            return acquire(path, self._mpp, mpp_override=self.mpp_override)
        except SlideError as error:
            self._forget(slide_id)
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

    def scale_given(self, slide_id: int) -> tuple[float | None, bool]:  # noqa: ARG002 the same for all
        """Return the µm/px given for a slide, and whether they replace what it states."""
        return self._mpp, self.mpp_override

    def _forget(self, slide_id: int) -> None:
        with self._lock:
            self._shown.pop(slide_id, None)

    def _look(self, slide_id: int, record: SlideRecord) -> ShownSlide:
        with self._lock:
            known = self._shown.get(slide_id)
            if known is None or known.state == "missing":
                known = self._shown[slide_id] = self._opened(slide_id, record)
            return known

    def _opened(self, slide_id: int, record: SlideRecord) -> ShownSlide:
        path = self._files.get(record.name)
        if path is None or not path.is_file():
            mend = "put the file into the folder of the slides, or name its folder with --slides"
            return ShownSlide(slide_id, record, reason="the file of this slide was not found", mend=mend)
        try:
            with open_slide(path, mpp=self._mpp, mpp_override=self.mpp_override) as slide:
                info = slide.info
        except MitoscopeError as error:
            return ShownSlide(
                slide_id, record, state="rejected", reason=error.what, mend=error.mend or "get a fresh copy"
            )
        if record.size is not None and record.size != info.size:
            stated, found = record.size, info.size
            reason = (
                f"the file has {found.width} × {found.height} px, the study {stated.width} × {stated.height}"
            )
            mend = "this is another slide of the same name: name the right folder with --slides"
            return ShownSlide(slide_id, record, state="rejected", reason=reason, mend=mend)
        return ShownSlide(slide_id, record, info, "ok")
