"""The cells of a review as pictures that tell nothing: named by the cell's number only (MIDOG++)."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from mitoscope.exchange.csv_text import dump_rows
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.loops.crops import CROP_PX, MPP, CropPlace, Progress, gather_crops
from mitoscope.loops.slide_files import find_slides
from mitoscope.store import Store
from mitoscope.store.places import centres_of
from mitoscope.store.reviews import listed_cells, read_review

ANSWERS = "answers.csv"


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
    files = find_slides(slides, {one.slide for one in places})
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
