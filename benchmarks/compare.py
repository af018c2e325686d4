"""Bundles side by side, as `mitoscope compare` puts them.

    python benchmarks/compare.py [BUNDLE...] [--data DIR] [--out DIR] [--write]

MiDeSeC (35 fields of 1024 × 1024 px, human breast, 115 figures) is judged: nothing trains on it. The
operating points that the shipped bundles state were chosen there, which flatters them: so the bundles are
also compared at thresholds of greatest F1 on the fields of another laboratory that no recipe trains on
(BreCaHAD, Case_10). Patients of MiDeSeC are not stated: each field is a case, but for
P0_12 and P0_21, which may show the same tissue and are one. The window of the count is 0.02 mm², so that it
can lie in several places of a field. Seconds are left out where others ran on the machine.
"""

from __future__ import annotations

import argparse
import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from machine import load, stamp
from PIL import Image
from results_page import write_page
from stranger_sets import MPP, Shown, brecahad, midesec

import mitoscope
from mitoscope.evaluate import PROTOCOLS, FileJudge, Scoreboard
from mitoscope.geometry import Mpp
from mitoscope.infer import DetectConfig
from mitoscope.report.comparison import CalibrationSet
from mitoscope.report.comparison.wording import TITLES, measure_rows, say_difference, sizes, threshold_of

RESULT: Final = Path(__file__).parent / "results" / "compare.md"
AREA_MM2: Final = 0.02
SHARED: Final = ("P0_12", "P0_21")
"""Fields of MiDeSeC that may show the same tissue."""


def main() -> None:
    """Search, compare, print, and write where that is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundles", nargs="*", default=["cascade", "semi-fcn"], help="names or folders")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, default=Path("runs/compare"))
    parser.add_argument("--threads", type=int)
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    truth = prepare(midesec(options.data), options.out / "midesec")
    chosen_on = prepare(brecahad(options.data, ["Case_10"]), options.out / "brecahad")
    config = DetectConfig(threads=options.threads)
    lines = [stamp(), ""]
    for title, calibration in (
        ("At the operating points of the bundles", None),
        (
            "At thresholds chosen on BreCaHAD, Case_10",
            CalibrationSet(judge(chosen_on), [options.out / "brecahad"]),
        ),
    ):
        compared = mitoscope.compare(
            options.bundles,
            truth=judge(truth),
            slides=[options.out / "midesec"],
            out=options.out / "found",
            calibration=calibration,
            area_mm2=AREA_MM2,
            config=config,
        )
        compared.write(options.out / title.replace(",", "").replace(" ", "-").lower())
        lines += [f"## {title}", "", *tables(compared.scoreboard)]
    print("\n".join(lines))
    if options.write:
        write_page(RESULT, __doc__, lines)


def judge(truth: Path) -> FileJudge:
    """Return how fields are judged: as in the tables of strangers."""
    return FileJudge(truth, PROTOCOLS["tupac"], mpp=Mpp.square(MPP))


def prepare(shown: Sequence[Shown], folder: Path) -> Path:
    """Write fields as pictures, and their ground truth beside the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    table = folder.with_suffix(".csv")
    with table.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(("image", "x", "y", "label", "case"))
        for one in shown:
            picture = folder / f"{one.name}.png"
            if not picture.exists():
                Image.fromarray(one.rgb).save(picture)
            # A row of the image alone says that it is judged, whatever is on it.
            case = _case_of(one)
            writer.writerow((one.name, "", "", "", case))
            cells = one.truth.cells
            figures = cells.is_figure
            for (x, y), label in zip(cells.points_px0[figures], cells.label[figures], strict=True):
                writer.writerow((one.name, x, y, label, case))
    return table


def _case_of(one: Shown) -> str:
    """Return the case of a field; fields that may show the same tissue are one."""
    return SHARED[0] if one.name.endswith(SHARED) else one.truth.case


def tables(board: Scoreboard) -> list[str]:
    """Return the measures and the paired differences as Markdown."""
    names = [entry.name for entry in board.entries]
    lines = [f"{sizes(board)}, protocol {board.protocol.name}.", ""]
    lines += [f"- {entry.name}: {threshold_of(entry)}" for entry in board.entries]
    lines += ["", f"| | {' | '.join(names)} |", f"|---|{'---|' * len(names)}"]
    lines += [
        f"| {row.title} | {' | '.join(row.values)} |"
        for row in measure_rows(board)
        if not row.title.startswith("seconds") or load() <= (os.cpu_count() or 1)
    ]
    found_alone = [f"{entry.found_alone.true}, {entry.found_alone.false}" for entry in board.entries]
    lines += [f"| true, false found by no other | {' | '.join(found_alone)} |", ""]
    lines += [f"Missed by all: {board.missed_by_all} figures.", ""]
    for pair in board.pairs:
        lines += [f"| {pair.first} minus {pair.second} | 95 % by case |", "|---|---|"]
        lines += [
            f"| {TITLES[name]} | {say_difference(name, found)} |"
            for name, found in pair.differences.items()
            if found.difference is not None
        ]
        lines.append("")
    lines += [f"- {note}" for note in board.notes]
    return [*lines, ""] if board.notes else lines


if __name__ == "__main__":
    main()
