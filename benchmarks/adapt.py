"""What the last layers of a second stage gain from local labels, on cases that are left out.

    python benchmarks/adapt.py [--model M] [--data ../shared/data] [--set NAME]... [--write]

Sets: BreCaHAD (three cases) and MiDeSeC (each of its fields is a case, as they state no patients; for
evaluation only, nothing learnt from it is shipped). `mitoscope bundle adapt` as a user would run it:
leave-one-case-out, or five folds by case. Three rows a set: the bundle with its own threshold; with the
threshold of the other cases; with last layers and threshold of the other cases. Matching `tupac`,
intervals of 95 % by drawing cases. Where BreCaHAD taught the bundle already, it is no laboratory of
strangers.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from machine import stamp
from PIL import Image
from results_page import write_page

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.field import visible_figures
from mitoscope.data.open_data import read_brecahad, read_midesec
from mitoscope.data.picture import Picture
from mitoscope.evaluate import PROTOCOLS, Difference
from mitoscope.geometry import Mpp
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.loops.adapt import Adaptation, HeldOut, adapt
from mitoscope.statistics import Score
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells

RESULT = Path(__file__).parent / "results" / "adapt.md"
MPP: Final = 0.25
SETS: Final = {"BreCaHAD": read_brecahad, "MiDeSeC": read_midesec}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--model", help="name or folder of a bundle; by default the shipped one")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--set", action="append", choices=[*SETS], help="only this one; may be repeated")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    bundle = load_bundle(options.model) if options.model else load_bundle()
    lines = [stamp(), "", bundle.manifest.source, ""]
    for name in options.set or SETS:
        started = time.perf_counter()
        done = learn(bundle, SETS[name](options.data))
        lines += [*table(name, done, minutes=(time.perf_counter() - started) / 60), ""]
        print("\n".join(lines[-9:]), flush=True)
    if options.write:
        write_page(RESULT, __doc__, lines)


def learn(bundle: Bundle, pictures: Sequence[Picture]) -> Adaptation:
    """Adapt a bundle to pictures, written as files."""
    with tempfile.TemporaryDirectory() as name:
        paths = {f"{place:04d}.png": picture for place, picture in enumerate(pictures)}
        for file, picture in paths.items():
            Image.fromarray(picture.rgb).save(Path(name) / file)
        truth = GroundTruth(tuple(truth_of(file, picture) for file, picture in paths.items()))
        slides = {file: Path(name) / file for file in paths}
        return adapt(bundle, truth, slides, protocol=PROTOCOLS["tupac"], say=print)


def truth_of(file: str, picture: Picture) -> SlideTruth:
    figures, others = visible_figures(picture), picture.look_alikes
    return SlideTruth(
        file,
        TrueCells.of(
            [*figures, *others], [MITOTIC_FIGURE.name] * len(figures) + [LOOK_ALIKE.name] * len(others)
        ),
        case=picture.case,
        mpp=Mpp.square(MPP),
        stated_examined=ExaminedArea.whole("a field"),
    )


def table(name: str, done: Adaptation, *, minutes: float) -> list[str]:
    gain = done.difference
    figures = sum(int(one.cells.is_figure.sum()) for one in done.truth)
    held = ", ".join(f"{strength:g}" for strength in done.strengths)
    return [
        f"{name}: {gain.cases} cases, {figures} figures; {minutes:.1f} minutes; held back by {held}; "
        + ("better" if done.is_better else "not better: not written"),
        "",
        "| | F1 | Average precision | found | false | missed |",
        "|---|---|---|---|---|---|",
        row("as shipped", done.as_shipped, done.shipped),
        row("threshold of the other cases", done.shipped.score, done.shipped),
        row("last layers and threshold of the other cases", done.adapted.score, done.adapted),
        f"| difference of the last two | {_signed(gain.f1)} | {_signed(gain.average_precision)} | | | |",
    ]


def row(name: str, score: Score, side: HeldOut) -> str:
    area = side.evaluation.average_precision_interval
    ends = "" if area is None else f" [{area.low:.3f}, {area.high:.3f}]"
    f1 = side.f1_interval if score is side.score or score == side.score else None
    f1_ends = "" if f1 is None else f" [{f1.low:.3f}, {f1.high:.3f}]"
    return (
        f"| {name} | {score.f1 or 0:.3f}{f1_ends} | {side.average_precision:.3f}{ends} "
        f"| {score.tp} | {score.fp} | {score.fn} |"
    )


def _signed(difference: Difference) -> str:
    ends = difference.interval
    return f"{difference.value or 0:+.3f}" + ("" if ends is None else f" [{ends.low:+.3f}, {ends.high:+.3f}]")


if __name__ == "__main__":
    main()
