"""The windows of ``mitoscope count`` as pictures: a TIFF each, and a table of all."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mitoscope.errors import OutputError
from mitoscope.fsio import atomic_write, make_directory

if TYPE_CHECKING:
    from mitoscope.count import MitoticCount

TABLE = "regions.csv"
_COLUMNS = ("image", "slide", "x_px0", "y_px0", "width_px0", "height_px0", "area_mm2", "count")


def write_regions(
    counts: Sequence[tuple[str, MitoticCount]], slides: Path, out: Path, *, mpp: float | None = None
) -> Path:
    """Write the window of each slide as a lossless TIFF with its resolution, and return the table of all.

    Parameters
    ----------
    counts : sequence of str and MitoticCount
        Slide and its count; of a slide with several windows one each.
    slides : Path
        Folder of the slides.
    out : Path
        Folder of the pictures.
    mpp : float, optional
        Of slides that state none.

    Raises
    ------
    FormatError, SlideError
        If a slide is missing or cannot be read.
    OutputError
        If a picture is there already, or cannot be written.
    """
    from mitoscope.exchange import result_stem
    from mitoscope.loops.crops import find_slides
    from mitoscope.slide import open_slide
    from mitoscope.web.routes.interests import write_roi

    files = find_slides(slides, dict.fromkeys(name for name, _ in counts))
    seen: dict[str, int] = {}
    rows: list[tuple[object, ...]] = []
    make_directory(out)
    for name, counted in counts:
        seen[name] = number = seen.get(name, 0) + 1
        target = out / f"{result_stem(name)}{'' if number == 1 else f'-{number}'}.tiff"
        if target.exists():
            raise OutputError("exists already", where=target, mend="choose another folder with --regions")
        with open_slide(files[name], mpp=mpp) as slide:
            shutil.move(write_roi(slide, counted.box_px0), target)
        box = counted.box_px0
        rows.append(
            (
                target.name,
                name,
                box.x,
                box.y,
                box.width,
                box.height,
                round(counted.area_mm2, 6),
                counted.count,
            )
        )
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([_COLUMNS, *rows])
    with atomic_write(out / TABLE, replace=True) as stream:
        stream.write(text.getvalue().encode())
    return out / TABLE
