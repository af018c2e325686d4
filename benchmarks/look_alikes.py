"""Which kinds of look-alikes a detector takes for mitotic figures.

    python benchmarks/look_alikes.py [--model M] [--threshold T] [--data ../shared/data] [--write]

Fields of other laboratories on which the candidates of earlier detectors were sorted by eye
(`sorted_candidates.csv`), the look-alikes with their kind. A detection above the threshold belongs to the
nearest sorted place within 7.5 µm. Shares with intervals of 95 % by drawing cases. The places are those
that the earlier detectors found suspicious, and a detector may have learnt from them: that it mistakes few
of them says less than which of them it mistakes. Detections at no sorted place are counted apart.
"""

from __future__ import annotations

import argparse
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from PIL import Image
from results_page import write_page
from scipy.spatial import cKDTree

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.open_data import read_negative_fields, read_unsorted_fields
from mitoscope.data.picture import Picture
from mitoscope.infer import DetectConfig, detect_slides
from mitoscope.labels import LOOK_ALIKE, LOOK_ALIKE_KINDS
from mitoscope.statistics import draw_rows, percentiles

RESULT = Path(__file__).parent / "results" / "look_alikes.md"
MPP: Final = 0.25
REACH_PX: Final = 7.5 / MPP
REPEATS: Final = 1000
NOWHERE: Final = "at no sorted place"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="name or folder of a bundle; by default the shipped one")
    parser.add_argument("--threshold", type=float, help="by default that of the bundle")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    bundle = load_bundle(options.model) if options.model else load_bundle()
    threshold = bundle.manifest.default_threshold if options.threshold is None else options.threshold
    pictures = [*read_negative_fields(options.data), *read_unsorted_fields(options.data)]
    found = search(bundle, pictures, threshold)
    counts = [count(picture, points) for picture, points in zip(pictures, found, strict=True)]
    lines = [
        stamp(),
        "",
        f"{bundle.manifest.source}, threshold {threshold:.3f}",
        "",
        *table(counts, [picture.case for picture in pictures]),
    ]
    print("\n".join(lines), flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def search(bundle: Bundle, pictures: Sequence[Picture], threshold: float) -> list[NDArray[np.float64]]:
    """Return the places of the detections on every picture, (n, 2) px each."""
    config = DetectConfig(mpp=MPP)
    with tempfile.TemporaryDirectory() as name:
        paths = [Path(name) / f"{place:04d}.png" for place in range(len(pictures))]
        for path, picture in zip(paths, pictures, strict=True):
            Image.fromarray(picture.rgb).save(path)
        found = {}
        for outcome in detect_slides(paths, bundle, Path(name) / "found", config=config):
            if outcome.run is None:
                raise SystemExit(f"{outcome.path}: {outcome.error}")
            found[outcome.path.name] = outcome.run.detections
    return [found[path.name].above(threshold).points_px0 for path in paths]


def count(picture: Picture, found: NDArray[np.float64]) -> dict[str, tuple[int, int]]:
    """Return per kind how many sorted places there are and how many were detected."""
    cells = picture.labels
    names = np.where(cells.label == LOOK_ALIKE.name, cells.kind, cells.label)
    hit = np.zeros(len(cells), dtype=bool)
    nowhere = len(found)
    if len(cells) and len(found):
        distance, nearest = cKDTree(cells.points).query(found)
        near = np.asarray(distance) <= REACH_PX
        hit[np.asarray(nearest)[near]] = True
        nowhere = int((~near).sum())
    counts = {
        str(name): (int((names == name).sum()), int(hit[names == name].sum())) for name in np.unique(names)
    }
    return {**counts, NOWHERE: (0, nowhere)}


def table(counts: Sequence[dict[str, tuple[int, int]]], cases: Sequence[str]) -> list[str]:
    """Return a row per kind of look-alike, then figures, places that nobody could tell, and the rest."""
    others = sorted({name for own in counts for name in own} - {*LOOK_ALIKE_KINDS, NOWHERE})
    lines = ["| Kind | Sorted places | Detected | Share |", "|---|---|---|---|"]
    totals: dict[str, NDArray[np.int64]] = defaultdict(lambda: np.zeros((len(counts), 2), np.int64))
    for place, own in enumerate(counts):
        for name, pair in own.items():
            totals[name][place] = pair
    drawn = [*draw_rows(cases, repeats=REPEATS)]
    for name in (*LOOK_ALIKE_KINDS, *others, NOWHERE):
        shown, hit = totals[name].sum(axis=0).tolist()
        share = _share(totals[name], drawn) if shown else "–"
        lines.append(f"| {name} | {shown or '–'} | {hit} | {share} |")
    return lines


def _share(pairs: NDArray[np.int64], drawn: Sequence[NDArray[np.int64]]) -> str:
    sums = np.array([pairs[rows].sum(axis=0) for rows in drawn])
    sums = sums[sums[:, 0] > 0]
    shown, hit = pairs.sum(axis=0).tolist()
    ends = percentiles(sums[:, 1] / sums[:, 0])
    return f"{hit / shown:.2f}" + ("" if ends is None else f" [{ends.low:.2f}, {ends.high:.2f}]")


if __name__ == "__main__":
    main()
