"""Tiles that a crowd, or experts, answered, as pictures to train on, with the agreement on their figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from mitoscope.curation.tiles import describe_tiles
from mitoscope.errors import FormatError
from mitoscope.exchange import WriteOptions, write_study
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.geometry import BoxPx, SizePx
from mitoscope.image_names import stem
from mitoscope.labels import MITOTIC_FIGURE
from mitoscope.loops.crops import find_slides
from mitoscope.slide import Slide, open_slide
from mitoscope.store import (
    Policy,
    Rater,
    RaterKind,
    Shape,
    SlideRecord,
    Store,
    StudyBuilder,
)
from mitoscope.written import claim

LABELS = "tiles.json"
"""The labels of the pictures, as COCO."""


def write_training_tiles(
    store: Store,
    slides: Path,
    out: Path,
    *,
    name: str | None = None,
    progress: Callable[[float, float], None] | None = None,
) -> int:
    """Write the tiles that enough have answered as PNG, with `LABELS` beside them; return how many.

    A merged box is a figure with the agreement on it. A yes says of the whole tile that there is a figure, so
    its box is the tile, and its agreement the share of yes: the score Σ r·a (Ji et al.) of a sub-tile of that
    side, 250 px in the paper, is then that share. A tile that nobody called positive has no figure. Case and
    resolution are those of the slide.

    Parameters
    ----------
    store : Store
        Open for reading.
    slides : Path
        Folder of the slides.
    out : Path
        Folder of the pictures.
    name : str, optional
        Of a round; by default all rounds of tiles.
    progress : callable, optional
        Called with the number of tiles written and their total.

    Raises
    ------
    FormatError
        If no tile was answered by enough, or a slide has no file.
    NotFoundError
        If there is no such round.
    SlideError, OutputError
        If a slide cannot be read or the folder not be written.
    """
    tiles = [tile for tile in describe_tiles(store, name) if tile["holds_figure"] is not None]
    if not tiles:
        raise FormatError("no tile was answered by enough", where=store.path, mend="wait for further answers")
    records = {record.name: record for record in store.slides().values()}
    files = find_slides(slides, dict.fromkeys(tile["slide"] for tile in tiles))
    make_directory(out)
    build = StudyBuilder()
    rater, label = build.rater(Rater("crowd", RaterKind.CONSENSUS)), build.label(MITOTIC_FIGURE)
    done = 0
    for slide_name, file in files.items():
        record = records[slide_name]
        mpp = None if record.mpp is None else record.mpp.mean
        with open_slide(file, mpp=mpp) as slide:
            for tile in tiles:
                if tile["slide"] != slide_name:
                    continue
                picture = _write_picture(slide, tile, out)
                side = round(tile["side_px0"])
                at = build.slide(
                    SlideRecord(
                        picture,
                        case=record.case or slide_name,  # as `SlideTruth` has it
                        domain=record.domain,
                        mpp=slide.info.mpp,
                        size=SizePx(side, side),
                    )
                )
                for corners, agreement in _figures(tile):
                    cell = build.cell(at, corners, shape=Shape.BOX)
                    build.event(cell, rater, label, score=agreement)
                done += 1
                if progress is not None:
                    progress(done, len(tiles))
    write_study(build.build(), out / LABELS, "coco", WriteOptions(policy=Policy.RECORDED))
    return done


def _write_picture(slide: Slide, tile: dict[str, Any], out: Path) -> str:
    x, y, side = (round(tile[key]) for key in ("x_px0", "y_px0", "side_px0"))
    picture = f"{stem(tile['slide'])}_{x}_{y}_{side}.png"
    with atomic_write(claim(out / picture)) as stream:
        Image.fromarray(slide.read(BoxPx(x, y, side, side)).rgb).save(stream, format="PNG")
    return picture


def _figures(tile: dict[str, Any]) -> list[tuple[tuple[float, float, float, float], float]]:
    """Return the corners on the picture and the agreement of what is a figure on a tile."""
    side = float(tile["side_px0"])
    if tile["asked"] == "crowd tiles":
        return [((0.0, 0.0, side, side), tile["score"])] if tile["score"] > 0 else []
    found = []
    for x, y, width, height, agreement in tile["boxes"]:
        corners = np.array([x, y, x + width, y + height]) - (tile["x_px0"], tile["y_px0"]) * 2
        left, top, right, bottom = np.clip(corners, 0, side).tolist()
        found.append(((left, top, right, bottom), agreement))
    return found
