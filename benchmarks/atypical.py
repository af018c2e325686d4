"""How well atypical mitotic figures are told from others.

    python benchmarks/atypical.py BUNDLE [--data ../shared/data] [--sheets FOLDER] [--out FOLDER] [--write]

A bundle of `recipes/atypical-lite0.toml`, as it is and in int8, on the slides that the recipe holds out:
every figure once as it is, and by the mean of its four mirror images, as a detector looks at it. Atypical
is what has a probability above 0.5, which nothing chose. Intervals are 95 %, by drawing slides. `--out`
writes the bundle in int8 with what was measured here, for `mitoscope bundle join DETECTOR --subtype`; its
ranges are those of training crops. The labels are those of AMi-Br and AtNorM, of figures that were known to
be figures: among a detector's there are false ones, too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from contact_sheet import Place, write_sheets
from machine import stamp
from numpy.typing import NDArray
from results_page import write_page

from mitoscope.bundle import BALANCED_ACCURACY, KIND_RECALLS, Bundle, Metric, load_bundle
from mitoscope.bundle.network import open_network, score_windows
from mitoscope.bundle.write import revise
from mitoscope.data.field import Field
from mitoscope.data.open_data import CROP_CENTRE_PX, read_figure_kinds
from mitoscope.data.split import Split, split_by_case
from mitoscope.labels import ATYPICAL_FIGURE
from mitoscope.search import crop_at
from mitoscope.statistics import draw_rows, percentiles, roc_auc
from mitoscope.train.packing import SCORES_PROTOCOL
from mitoscope.train.quantise import PLACES, to_int8
from mitoscope.train.recipe import Recipe, read_recipe
from mitoscope.train.scoring import POSITIVE

RESULT: Final = Path(__file__).parent / "results" / "atypical.md"
RECIPE: Final = Path(__file__).parents[1] / "recipes" / "atypical-lite0.toml"
REPEATS: Final = 2000
_BATCH: Final = 64
_SHOWN: Final = 40
Floats = NDArray[np.float64]
Crops = NDArray[np.uint8]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("bundle", help="folder of the bundle that was trained")
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--sheets", type=Path, help="write contact sheets of the held-out figures here")
    parser.add_argument("--out", type=Path, help="write the bundle in int8 here")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    bundle = load_bundle(options.bundle)
    recipe = read_recipe(RECIPE)
    assert isinstance(recipe, Recipe)
    split = split_by_case(read_figure_kinds(options.data), recipe.data.split)
    small = to_int8(bundle.onnx, list(crops_of(calibrating(split), bundle)))
    crops, held = crops_of(split.validation, bundle), Held.of(split.validation)
    graphs = {"float32": bundle.onnx, "int8": small}
    rows = [judge(name, onnx, crops, held) for name, onnx in graphs.items()]
    rows += [mirrored(name, onnx, crops, held) for name, onnx in graphs.items()]
    lines = [stamp(), "", f"{bundle.manifest.source}: {held.describe()}", "", *table(rows)]
    print("\n".join(lines), flush=True)
    if options.sheets:
        show(split.validation, rows[-1], options.sheets)
    if options.out:
        changes = {"precision": "int8", "metrics": tuple(rows[-1].metrics())}
        made = revise(bundle, options.out, changes, graphs={bundle.manifest.detector: small})
        print(f"written to {made.folder}")
    if options.write:
        write_page(RESULT, __doc__, lines)


def calibrating(split: Split) -> Sequence[Field]:
    """Return training crops, of both kinds alike often."""
    generator = np.random.default_rng(0)
    kinds = [[one for one in split.training if is_atypical(one) is wanted] for wanted in (True, False)]
    chosen = [generator.choice(len(kind), min(PLACES // 2, len(kind)), replace=False) for kind in kinds]
    return [kind[place] for kind, places in zip(kinds, chosen, strict=True) for place in places.tolist()]


def is_atypical(field: Field) -> bool:
    """Return whether the figure of a crop is atypical."""
    return bool((field.labels.label == ATYPICAL_FIGURE.name).any())


def crops_of(fields: Sequence[Field], bundle: Bundle) -> Crops:
    """Return the middle of every crop, (n, side, side, 3)."""
    side = bundle.manifest.window_px
    return np.stack([field.window(crop_at(CROP_CENTRE_PX, CROP_CENTRE_PX, side)) for field in fields])


@dataclass(frozen=True, eq=False)
class Held:
    """The figures that are judged."""

    atypical: NDArray[np.bool_]
    case: list[str]

    @classmethod
    def of(cls, fields: Sequence[Field]) -> Held:
        """Gather them."""
        return cls(np.array([is_atypical(field) for field in fields]), [field.case for field in fields])

    def describe(self) -> str:
        """Say how many there are."""
        cases = len(set(self.case))
        return f"{len(self.case)} figures of {cases} slides, {int(self.atypical.sum())} atypical"


@dataclass(frozen=True, eq=False)
class Judged:
    """What a graph says of them."""

    name: str
    score: Floats
    held: Held
    megabytes: float
    milliseconds: float

    def measures(self, rows: NDArray[np.intp] | None = None) -> tuple[float, float, float, float]:
        """Return AUC, balanced accuracy, and the shares of atypical and of other figures told right."""
        chosen = slice(None) if rows is None else rows
        score, atypical = self.score[chosen], self.held.atypical[chosen]
        called = score > POSITIVE
        found, spared = called[atypical].mean(), (~called[~atypical]).mean()
        area = roc_auc(score, atypical)
        return (np.nan if area is None else area, (found + spared) / 2, found, spared)

    def with_intervals(self) -> list[tuple[float, float, float]]:
        """Return every measure with the ends of its interval."""
        drawn = np.array([self.measures(rows) for rows in draw_rows(self.held.case, repeats=REPEATS)])
        ends = [percentiles(column) for column in drawn.T]
        return [
            (value, end.low, end.high)
            for value, end in zip(self.measures(), ends, strict=True)
            if end is not None
        ]

    def metrics(self) -> list[Metric]:
        """Return what a bundle states."""
        names = ("auc", BALANCED_ACCURACY, *KIND_RECALLS)
        return [
            Metric(
                name=name,
                dataset=f"held-out slides of MIDOG 2021 ({self.held.describe()})",
                protocol=SCORES_PROTOCOL,
                value=round(value, 4),
                ci_low=round(min(low, value), 4),
                ci_high=round(max(high, value), 4),
                images=len(set(self.held.case)),
                threshold=None if name == "auc" else POSITIVE,
            )
            for name, (value, low, high) in zip(names, self.with_intervals(), strict=True)
        ]


def score_of(onnx: bytes, crops: Crops) -> tuple[Floats, float]:
    """Return the probability of the first class, and milliseconds a crop on one core."""
    session = open_network(onnx, where="the classifier")
    start = time.perf_counter()
    batches = [np.ascontiguousarray(crops[at : at + _BATCH]) for at in range(0, len(crops), _BATCH)]
    score = np.concatenate([score_windows(session, batch)[:, 0] for batch in batches])
    return score.astype(np.float64), (time.perf_counter() - start) * 1000 / len(crops)


def judge(name: str, onnx: bytes, crops: Crops, held: Held) -> Judged:
    """Look at every figure once."""
    score, milliseconds = score_of(onnx, crops)
    return Judged(name, score, held, len(onnx) / 1e6, milliseconds)


def mirrored(name: str, onnx: bytes, crops: Crops, held: Held) -> Judged:
    """Look at every figure and its three mirror images, as a detector does; the mean counts."""
    views = [score_of(onnx, crops[:, ::down, ::across]) for down in (1, -1) for across in (1, -1)]
    score = np.mean([view[0] for view in views], axis=0)
    return Judged(f"{name}, four mirror images", score, held, len(onnx) / 1e6, sum(view[1] for view in views))


def table(rows: Sequence[Judged]) -> list[str]:
    """Return the results as Markdown."""
    lines = [
        "| Graph | AUC | Balanced accuracy | Atypical told right | Others told right | MB | ms a figure |",
        "|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        cells = [f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in row.with_intervals()]
        sizes = (f"{row.megabytes:.1f}", f"{row.milliseconds:.1f}")
        lines.append("| " + " | ".join([row.name, *cells, *sizes]) + " |")
    return lines


def show(fields: Sequence[Field], judged: Judged, folder: Path) -> None:
    """Write sheets of what scores highest and lowest, and of what is told wrong."""
    order, atypical = np.argsort(-judged.score), judged.held.atypical
    wrong = (judged.score > POSITIVE) != atypical
    parts: dict[str, Sequence[int]] = {
        "most-atypical": order[:_SHOWN].tolist(),
        "least-atypical": order[::-1][:_SHOWN].tolist(),
        "missed": [row for row in order[::-1].tolist() if wrong[row] and atypical[row]][:_SHOWN],
        "false": [row for row in order.tolist() if wrong[row] and not atypical[row]][:_SHOWN],
    }
    for name, rows in parts.items():
        places = [
            Place(
                fields[row].window(crop_at(CROP_CENTRE_PX, CROP_CENTRE_PX, 128)),
                64,
                64,
                0.25,
                f"{judged.score[row]:.2f} {'ATYPICAL' if atypical[row] else 'other'}\n{fields[row].case}",
            )
            for row in rows
        ]
        for path in write_sheets(places, folder, name):
            print(path)


if __name__ == "__main__":
    main()
