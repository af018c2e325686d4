"""Crops of cells, gathered from their slides into one file: in bounded memory, slide by slide, resumable."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from mitoscope.cluster import Executor, Here
from mitoscope.config import Config
from mitoscope.errors import FormatError
from mitoscope.exchange import dump_rows
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.image_names import last_part, stem
from mitoscope.search import crop_at, window
from mitoscope.slide import Plane, open_slide
from mitoscope.store import SlideRecord, Store, centres_of, listed_cells, read_review
from mitoscope.written import claim

CROP_PX = 128
"""Side of a crop (CMC, CCMCT: 128 px at 40x)."""
MPP = 0.25
"""At which crops are cut; slides within 10 % of it are cut as they are."""

CROPS = "crops.npy"
ANSWERS = "answers.csv"
"""Table beside the pictures of a review."""

Progress = Callable[[float, float], None]
Crops = NDArray[np.uint8]
"""Shape (n, side, side, 3), RGB; a mapped file where they are many."""
_PART = 256
"""Crops that are cut together: 13 MB of the usual size, which on a cluster come back at once."""


@dataclass(frozen=True, slots=True)
class CropPlace:
    """Where a cell is.

    Parameters
    ----------
    slide : str
        Name.
    x_px0, y_px0 : float
        Centre of the cell in level-0 pixels.
    slide_mpp : float, optional
        Resolution of the slide as the study states it, µm/px; without it the file's counts.
    """

    slide: str
    x_px0: float
    y_px0: float
    slide_mpp: float | None = None

    @classmethod
    def on(cls, slide: SlideRecord, x_px0: float, y_px0: float) -> Self:
        """Return a place on a slide of a study."""
        return cls(slide.name, x_px0, y_px0, None if slide.mpp is None else slide.mpp.mean)


def gather_crops(
    places: Sequence[CropPlace],
    slides: Mapping[str, Path],
    folder: Path,
    *,
    side_px: int = CROP_PX,
    mpp: float = MPP,
    mpp_override: bool = False,
    progress: Progress | None = None,
    executor: Executor | None = None,
) -> Crops:
    """Cut the crop of each place and return them in a mapped file, in the order of the places.

    After each slide the state is written, so that a repeated call goes on there. What lies outside of a slide
    is white.

    Parameters
    ----------
    places : sequence of CropPlace
    slides : mapping of str to Path
        Slide name → file.
    folder : Path
        Gets ``crops.npy`` and ``crops.json``.
    side_px, mpp : int, float
        Side of a crop in px, and their resolution in µm/px.
    mpp_override : bool
        Let the resolution that places state replace that of the files.
    progress : callable, optional
        Called with the number of finished crops and their total.
    executor : Executor, optional
        What cuts them; by default this process, slide by slide.

    Raises
    ------
    FormatError
        If a slide has no file.
    SlideError, OutputError
        If a slide cannot be read or the folder not be written.
    """
    missing = sorted({place.slide for place in places} - set(slides))
    if missing:
        raise FormatError(
            f"no file of the slide {missing[0]!r}", where="crops", mend="give its folder: --slides"
        )
    make_directory(folder)
    state = _State(folder, _fingerprint(places, side_px, mpp), (len(places), side_px, side_px, 3))
    left: dict[str, list[int]] = {}
    for row, place in enumerate(places):
        if place.slide not in state.done:
            left.setdefault(place.slide, []).append(row)
    parts = [
        _Part(slides[name], tuple(rows), tuple(places[row] for row in rows))
        for name, all_rows in left.items()
        for rows in _parts(all_rows, places)
    ]
    done = len(places) - sum(map(len, left.values()))
    if done and progress is not None:
        progress(done, len(places))
    with closing((executor or Here()).run(_Cut(side_px, mpp, mpp_override), parts)) as results:
        for part, crops in results:
            name, rows = part.places[0].slide, list(part.rows)
            state.crops[rows] = crops
            left[name] = sorted({*left[name]} - {*rows})
            if not left[name]:
                state.finish(name)
            done += len(rows)
            if progress is not None:
                progress(done, len(places))
    return state.crops


def open_crops(folder: Path) -> Crops:
    """Return the crops that `gather_crops` left in a folder, in any process that sees it."""
    return np.lib.format.open_memmap(folder / CROPS, "r")


def _parts(rows: Sequence[int], places: Sequence[CropPlace]) -> Iterator[list[int]]:
    """Divide the places of a slide, neighbours together: they share what the reader has decoded."""
    ordered = sorted(rows, key=lambda row: (places[row].y_px0, places[row].x_px0))
    for start in range(0, len(ordered), _PART):
        yield ordered[start : start + _PART]


@dataclass(frozen=True, slots=True)
class _Part:
    """Places of one slide, and which rows of the file they have."""

    path: Path
    rows: tuple[int, ...]
    places: tuple[CropPlace, ...]


@dataclass(frozen=True, slots=True)
class _Cut:
    """Cuts crops, in any process."""

    side_px: int
    mpp: float
    mpp_override: bool

    def __call__(self, part: _Part) -> Crops:
        """Return the crops of some places, in their order."""
        with open_slide(part.path, mpp=part.places[0].slide_mpp, mpp_override=self.mpp_override) as slide:
            plane = Plane(slide, self.mpp)
            centres = plane.from_px0(np.array([(place.x_px0, place.y_px0) for place in part.places]))
            boxes = [crop_at(x, y, self.side_px) for x, y in centres.tolist()]
            return np.stack([window(plane, box, mirror_px=0) for box in boxes])


def _fingerprint(places: Sequence[CropPlace], side_px: int, mpp: float) -> str:
    where = [(place.slide, place.x_px0, place.y_px0, place.slide_mpp) for place in places]
    text = json.dumps([side_px, mpp, where])
    return hashlib.sha256(text.encode()).hexdigest()


class _Finished(Config):
    """Which slides are in the file, and for which places it was begun."""

    places: str = ""
    slides: tuple[str, ...] = ()


class _State:
    """The mapped file and which slides are in it."""

    def __init__(self, folder: Path, fingerprint: str, shape: tuple[int, ...]) -> None:
        self._path, self._fingerprint = folder / "crops.json", fingerprint
        file = folder / CROPS
        known = self._read()
        fits = known.places == fingerprint and file.exists()
        self.done: set[str] = set(known.slides) if fits else set()
        if not fits:
            claim(self._path).unlink(missing_ok=True)
        mode = "r+" if fits else "w+"
        self.crops = np.lib.format.open_memmap(claim(file), mode, np.uint8, None if fits else shape)

    def _read(self) -> _Finished:
        try:
            return _Finished.model_validate_json(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, ValueError):
            return _Finished()

    def finish(self, slide: str) -> None:
        """Note on disk that a slide's crops are complete."""
        self.crops.flush()
        self.done.add(slide)
        finished = _Finished(places=self._fingerprint, slides=tuple(sorted(self.done)))
        with atomic_write(claim(self._path)) as stream:
            stream.write(finished.model_dump_json().encode())


def find_slides(folders: Path | Sequence[Path], names: Iterable[str]) -> dict[str, Path]:
    """Return the file of each slide in a folder or several: of its name, or else the one of its stem.

    Raises
    ------
    FormatError
        If a slide has no file, or several that could be it.
    """
    roots = [folders] if isinstance(folders, Path) else list(folders)
    for root in roots:
        if not root.is_dir():
            mend = "give the folder of the slides with --slides"
            raise FormatError("no such folder", where=root, mend=mend)
    below = {file for root in roots for file in root.rglob("*") if file.is_file()}
    files = sorted(file for file in below if not file.name.startswith("."))
    return {name: _find(name, files, roots[0]) for name in names}


def _find(name: str, files: list[Path], root: Path) -> Path:
    exact = [file for file in files if file.name == last_part(name)]
    # A slide's stem is also that of what detect wrote beside it: only images are meant.
    alike = [file for file in files if stem(file.name) == stem(name) != file.name]
    found = exact or alike
    if not found:
        what = f"no file of the slide {name!r}"
        raise FormatError(what, where=root, mend="add it, or give another --slides")
    if len(found) > 1:
        first, second = (file.relative_to(root) if file.is_relative_to(root) else file for file in found[:2])
        what = f"{first} and {second} may both be the slide {name!r}"
        raise FormatError(what, where=root, mend="remove one of them")
    return found[0]


def write_blinded_crops(
    store: Store,
    name: str,
    slides: Path,
    folder: Path,
    *,
    third: bool = False,
    side_px: int = CROP_PX,
    mpp: float = MPP,
    progress: Progress | None = None,
) -> int:
    """Write a PNG a cell, and a table with an empty column for the answers, in random order.

    Parameters
    ----------
    store : Store
    name : str
        Of the review.
    slides : Path
        Folder of the slides.
    folder : Path
        Gets ``<cell>.png`` and ``answers.csv``.
    third : bool
        The cells of the third expert.
    side_px, mpp : int, float
        Of the crops.
    progress : callable, optional

    Returns
    -------
    int
        Number of cells.

    Raises
    ------
    StoreError
        If there is no such review.
    FormatError, SlideError, OutputError
        If a slide has no file or cannot be read, or the folder not be written.
    """
    with store.reading() as connection:
        review = read_review(connection, name)
        cells = listed_cells(connection, (review.third or 0,) if third else review.scope)
        centres = centres_of(connection, cells)
    known = {slide.name: slide for slide in store.slides().values()}
    places = [CropPlace.on(known[slide], x, y) for slide, x, y in centres.values()]
    files = find_slides(slides, {place.slide for place in places})
    make_directory(folder)
    crops = gather_crops(places, files, folder, side_px=side_px, mpp=mpp, progress=progress)
    for cell, crop in zip(centres, crops, strict=True):
        with atomic_write(folder / f"{cell}.png") as stream:
            Image.fromarray(crop).save(stream, "PNG")
    with atomic_write(folder / ANSWERS) as stream:
        stream.write(dump_rows([("cell", "label"), *((cell, "") for cell in centres)]))
    for left in ("crops.npy", "crops.json"):
        (folder / left).unlink()
    return len(centres)
