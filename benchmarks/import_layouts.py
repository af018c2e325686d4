"""Imported networks beside their own programs.

    python benchmarks/import_layouts.py FIELD... [--only PART] [--write]

Networks of random weights (`import_programs.py`) are exported by their own program and imported by
`mitoscope.bundle.importing`. Each program is asked for its points on real fields, a window cut from the
middle, by its own code from picture to answer; the graph of the bundle sees the same bytes. Points are
matched one to one; *alone* are those of either side that have no partner within 4 px. Figures with a score
above 0.05 alone.

Ultralytics, TIAToolbox, Transformers and scikit-image are no part of mitoscope: what is installed is run, and
rows of the others are those of the day that they bear, kept in `import_layouts.json`.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from import_programs import FLOOR, PROGRAMS, SLOTS, Points, Reference
from machine import processor
from numpy.typing import NDArray
from PIL import Image
from results_page import write_page
from scipy.optimize import linear_sum_assignment
from scipy.spatial.distance import cdist

import mitoscope
from mitoscope.bundle.importing import Statement, import_bundle, plan_of, read_network, training_source
from mitoscope.bundle.importing.assemble import assemble
from mitoscope.bundle.network import find_points, open_network, score_windows

MPP = 0.5
REACH_PX = 4.0
PAGE = Path(__file__).parent / "results" / "import_layouts.md"
RECORD = PAGE.with_suffix(".json")
HEAD = (
    "Layout",
    "Program",
    "Network",
    "Points",
    "Largest difference, px",
    "in score",
    "Alone",
    "Day, fields",
)
NOTES = (
    "- Batch norms see the very windows that are compared before anything is exported. Where they did not, "
    "scores of untrained heads were alike to the last bit, or all 1: then rounding chose which of two equal "
    "boxes stays, and points were alone by the hundred (YOLO26, SSDlite).",
    "- Ultralytics' YOLO v10 and 26 have two heads; by default the one without suppression is not exported. "
    "With `nms=False` it is.",
    "- `half=True`: the program computes in float32 here, its export in float16. Measure before use.",
    "- Of `rtdetr-l` a few queries are alone, of KongNet one peak; why was not looked for.",
    "- YOLOv5 with objectness and MMDetection were held against their published rules alone "
    "(`tests/bundle/importing/test_boxes.py`).",
    "- Detectors of torchvision and classifiers of timm: also `tests/models/test_foreign.py`.",
)


@dataclass
class Difference:
    """How far a bundle is from a program, over all fields."""

    points: int = 0
    alone: int = 0
    place_px: float = 0.0
    score: float = 0.0

    def add(self, theirs: Points, ours: Points) -> None:
        """Match the points of a field."""
        self.points += len(theirs)
        apart = cdist(theirs[:, :2], ours[:, :2]) + 10 * np.abs(theirs[:, None, 2] - ours[None, :, 2])
        rows, columns = linear_sum_assignment(apart)
        near = np.hypot(*(theirs[rows, :2] - ours[columns, :2]).T) <= REACH_PX
        rows, columns = rows[near], columns[near]
        self.alone += len(theirs) + len(ours) - 2 * len(rows)
        if len(rows):
            place = np.hypot(*(theirs[rows, :2] - ours[columns, :2]).T).max()
            self.place_px = max(self.place_px, float(place))
            self.score = max(self.score, float(np.abs(theirs[rows, 2] - ours[columns, 2]).max()))


@dataclass(frozen=True)
class Row:
    """A line of the table, as it is kept."""

    layout: str
    program: str
    network: str
    day: str
    machine: str
    fields: int
    points: int
    place_px: float
    score: float
    alone: int

    @property
    def line(self) -> str:
        """The row as Markdown."""
        px = "–" if self.layout == "classifier" else f"{self.place_px:.2g}"
        cells = (
            f"`{self.layout}`", self.program, self.network, f"{self.points}", px, f"{self.score:.2g}",
            f"{self.alone}", f"{self.day}, {self.fields}",
        )  # fmt: skip
        return f"| {' | '.join(cells)} |"


def _stated(reference: Reference) -> Statement:
    return Statement.stating(
        layout=reference.layout,
        mpp=MPP,
        classes=reference.classes,
        licence="none",
        training=(training_source("none"),),
        citation="none",
        slots=SLOTS,
        floor=FLOOR,
        **reference.stated,
    )


def compare(reference: Reference, fields: list[NDArray[np.uint8]]) -> Difference:
    """Return how far the bundle of a network is from its program."""
    plan = plan_of(read_network(reference.onnx, where=reference.network), _stated(reference))
    session = open_network(assemble(plan), where=reference.network, threads=os.cpu_count() or 1)
    difference = Difference()
    for rgb in fields:
        shown = _middle(rgb, reference.side)
        theirs = reference.ask(shown)
        if plan.layout.kind == "scores":
            ours = score_windows(session, shown[None])[0]
            difference.points += 1
            difference.score = max(difference.score, float(np.abs(theirs - ours).max()))
            continue
        found = find_points(session, shown[None])[0].astype(np.float64)
        difference.add(theirs, found[found[:, 2] > FLOOR])
    return difference


def compare_searches(reference: Reference, fields: list[NDArray[np.uint8]], folder: Path) -> Difference:
    """Return how far `detect` with an imported bundle is from `detect` that asks the program instead.

    Both cut the same windows and keep of each what it owns; of one the graph of the bundle says what is in a
    window, of the other the program.
    """
    bundle = import_bundle(reference.onnx, _stated(reference), folder / "bundle").bundle
    difference = Difference()
    for number, rgb in enumerate(fields):
        picture = folder / f"{number}.png"
        Image.fromarray(_middle(rgb, reference.side)).save(picture)
        ours = _searched(picture, bundle, folder / f"ours-{number}")
        with _asking(reference):
            theirs = _searched(picture, bundle, folder / f"theirs-{number}")
        difference.add(theirs, ours)
    return difference


@contextmanager
def _asking(reference: Reference) -> Iterator[None]:
    """Let a search ask a program where it would run the graph of a bundle."""

    def ask(_session: object, windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        slots = np.zeros((len(windows), SLOTS, 3), np.float32)
        for slot, window in zip(slots, windows, strict=True):
            found = reference.ask(window)
            best = found[np.argsort(-found[:, 2], kind="stable")][:SLOTS]
            slot[: len(best)] = best
        return slots

    with patch("mitoscope.infer.engine.find_points", ask):
        yield


def _searched(picture: Path, bundle: mitoscope.Bundle, out: Path) -> Points:
    found = mitoscope.detect(picture, bundle, out, mpp=MPP, threads=1, progress=False).detections
    return np.column_stack([found.x_px0, found.y_px0, found.score])


def _middle(rgb: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    top, left = ((size - side) // 2 for size in rgb.shape[:2])
    return np.ascontiguousarray(rgb[top : top + side, left : left + side])


def _row(reference: Reference, own: Difference, fields: int, *, after: str = "") -> Row:
    return Row(
        layout=reference.layout,
        program=reference.program,
        network=reference.network + after,
        day=str(date.today()),
        machine=processor(),
        fields=fields,
        **asdict(own),
    )


def main() -> None:
    """Compare, and print or write the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("fields", nargs="*", type=Path, help="pictures of H&E, 512 px a side or more")
    parser.add_argument("--only", help="a part of the name of a function of import_programs.py")
    parser.add_argument("--write", action="store_true", help=f"write {PAGE.name} and {RECORD.name}")
    arguments = parser.parse_args()
    fields = [np.asarray(Image.open(path).convert("RGB"), dtype=np.uint8) for path in arguments.fields]
    kept: dict[str, list[Row]] = {}
    if RECORD.exists():
        for part, rows in json.loads(RECORD.read_text(encoding="utf-8")).items():
            kept[part] = [Row(**row) for row in rows]
    for program in PROGRAMS if fields else ():
        if arguments.only and arguments.only not in program.__name__:
            continue
        shown = torch.cat([torch.from_numpy(_middle(rgb, 512)).movedim(2, 0)[None] for rgb in fields])
        rows = []
        with tempfile.TemporaryDirectory() as folder:
            try:
                for reference in program(Path(folder), shown.float() / 255):
                    rows.append(_row(reference, compare(reference, fields), len(fields)))
                    print(rows[-1].line, flush=True)
                    if reference.is_searched:
                        own = compare_searches(reference, fields, Path(folder))
                        rows.append(
                            _row(reference, own, len(fields), after=", imported, searched by `detect`")
                        )
                        print(rows[-1].line, flush=True)
                    reference.onnx.unlink()
            except ModuleNotFoundError as error:
                print(f"{program.__name__}: {error.name} is not installed, its rows stay")
                continue
        kept[program.__name__] = rows
    ordered = {program.__name__: kept.get(program.__name__, []) for program in PROGRAMS}
    lines = [f"| {' | '.join(HEAD)} |", "|---" * len(HEAD) + "|"]
    lines += [row.line for rows in ordered.values() for row in rows]
    machines = sorted({row.machine for rows in ordered.values() for row in rows})
    if arguments.write:
        told = {part: [asdict(row) for row in rows] for part, rows in ordered.items()}
        RECORD.write_text(json.dumps(told, indent=1) + "\n", encoding="utf-8")
        write_page(PAGE, __doc__, [f"Run on: {', '.join(machines)}.", "", *lines, "", *NOTES])


if __name__ == "__main__":
    main()
