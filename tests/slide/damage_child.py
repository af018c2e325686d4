"""Opens and reads damaged slides under limits; run by test_damaged_slides.py, one JSON line a case."""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

import numpy as np

from mitoscope.errors import MitoscopeError
from mitoscope.geometry import BoxPx
from mitoscope.slide import JpegTileReader, OpenSlideReader, Slide, open_slide

MEMORY_BYTES = 4 << 30
TILE_PX = 64


def open_descriptors() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def examine(path: Path, whole: np.ndarray) -> list[dict[str, object]]:
    """Open a slide and compare it tile by tile with the undamaged pixels, read by each reader."""
    try:
        with open_slide(path) as slide:
            outcomes = [compare(slide, whole)]
        if isinstance(slide, JpegTileReader):
            with OpenSlideReader(path) as reference:
                outcomes.append(compare(reference, whole))
    except MitoscopeError as error:
        return [{"error": type(error).__name__, "line": str(error)}]
    return outcomes


def compare(slide: Slide, whole: np.ndarray) -> dict[str, object]:
    info, size = slide.info, slide.info.size
    pixels = slide.read(BoxPx(0, 0, size.width, size.height))
    outcome: dict[str, object] = {
        "error": None,
        "reader": info.reader,
        "size": [size.width, size.height],
        "mpp": info.mpp.x,
    }
    if whole.shape[:2] != (size.height, size.width):
        return outcome
    wrong = (pixels.rgb != whole).any(axis=2)
    tiles_wrong, tiles_invalid = (
        [[int(x), int(y)] for y, x in np.argwhere(by_tile(mask))]
        for mask in (wrong & pixels.valid, ~pixels.valid)
    )
    damaged = [[box.x, box.y, box.width, box.height] for box in pixels.damaged]
    return outcome | {"wrong": tiles_wrong, "invalid": tiles_invalid, "damaged": damaged}


def by_tile(mask: np.ndarray) -> np.ndarray:
    rows, columns = -(-mask.shape[0] // TILE_PX), -(-mask.shape[1] // TILE_PX)
    full = np.zeros((rows * TILE_PX, columns * TILE_PX), bool)
    full[: mask.shape[0], : mask.shape[1]] = mask
    return np.asarray(full.reshape(rows, TILE_PX, columns, TILE_PX).any(axis=(1, 3)))


def computed_s() -> float:
    """Return the seconds that this process and its children have computed; waiting for a turn is none."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    whole = np.load(folder / "whole.npy")
    for path in sorted((folder / "cases").iterdir()):
        before, start = open_descriptors(), computed_s()
        outcomes = examine(path, whole)
        spent = {"seconds": computed_s() - start, "leaked": open_descriptors() - before}
        sys.stdout.write(json.dumps({"case": path.stem, "outcomes": outcomes, **spent}) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
