"""The cells of a review as pictures that tell nothing: named by the cell's number only (MIDOG++)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from PIL import Image

from mitoscope.errors import FormatError
from mitoscope.exchange import dump_rows
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.image_names import stem
from mitoscope.loops.crops import CROP_PX, MPP, CropPlace, Progress, gather_crops
from mitoscope.store import Store, centres_of, listed_cells, read_review

ANSWERS = "answers.csv"


def find_slides(folder: Path, names: Iterable[str]) -> dict[str, Path]:
    """Return the file of each slide: of its name, or else the one of its stem.

    Raises
    ------
    FormatError
        If a slide has no file, or several that could be it.
    """
    if not folder.is_dir():
        raise FormatError("no such folder", where=folder, mend="give the folder of the slides with --slides")
    files = sorted(one for one in folder.rglob("*") if one.is_file() and not one.name.startswith("."))
    return {name: _find(name, files, folder) for name in names}


def _find(name: str, files: list[Path], folder: Path) -> Path:
    exact = [file for file in files if file.name == name]
    # A slide's stem is also that of what detect wrote beside it: only images are meant.
    alike = [file for file in files if stem(file.name) == stem(name) != file.name]
    found = exact or alike
    if not found:
        raise FormatError(
            f"no file of the slide {name!r}", where=folder, mend="add it, or give another --slides"
        )
    if len(found) > 1:
        both = f"{found[0].relative_to(folder)} and {found[1].relative_to(folder)}"
        raise FormatError(f"{both} may both be the slide {name!r}", where=folder, mend="remove one of them")
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
