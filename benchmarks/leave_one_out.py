"""How a detector does on a laboratory that it has learnt nothing from: leave one laboratory out.

    python benchmarks/leave_one_out.py --out FOLDER [--steps 6000] [--only LABORATORY] [--write]

The recipe is that of the second look, run as a detector of its own over whole pictures. For each laboratory
with labelled figures it is trained on the pictures of the others and tested on all of its pictures; the
threshold is the one of greatest F1 on MiDeSeC, which nothing is trained on. Matching `tupac`, intervals of
95 % by drawing cases (BreCaHAD has three, so that its interval says little). Crops are 128 px around a
figure: false figures there are those among a few cells around it, which flatters. BreCaHAD has whole fields
with every nucleus labelled. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import stamp
from numpy.typing import NDArray
from results_page import write_page

from mitoscope.bundle import Bundle
from mitoscope.bundle.network import find_points, open_network
from mitoscope.data.field import Field
from mitoscope.data.open_data import read_midesec
from mitoscope.data.sampling import is_crop
from mitoscope.data.split import SplitConfig
from mitoscope.experiments.trained.networks import TrainingTask, learn
from mitoscope.experiments.trained.slides import OPEN_DATA, open_fields
from mitoscope.models.build import build
from mitoscope.train.recipe import Recipe, read_recipe
from mitoscope.train.scoring import Curve
from mitoscope.train.validation import judge_points

RECIPE = Path(__file__).parents[1] / "recipes" / "semi-fcn.toml"
RESULT = Path(__file__).parent / "results" / "leave_one_out.md"
LABORATORIES = ("midog21", "midogpp", "brecahad")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True, help="of networks and scores")
    parser.add_argument("--steps", type=int, default=6000)
    parser.add_argument("--only", choices=LABORATORIES, action="append")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    wanted = options.only or LABORATORIES
    for laboratory in wanted:
        told = options.out / f"{laboratory}.json"
        if not told.exists():
            recipe = _recipe(laboratory, options.steps)
            others = open_fields(options.data, only=(), without=(laboratory,), tested=())
            held_out = _held_out(others, recipe.data.split) if laboratory == "midog21" else ()
            bundle = learn(TrainingTask(recipe, others, options.data, OPEN_DATA, held_out), options.out)
            scores = _judged(laboratory, bundle, recipe, options.data)
            told.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
        print(told.read_text(encoding="utf-8"), flush=True)
    if options.write:
        rows = [json.loads((options.out / f"{one}.json").read_text(encoding="utf-8")) for one in LABORATORIES]
        write_page(RESULT, __doc__, [stamp(), "", *_table(rows)])


def _held_out(fields: Sequence[Field], split: SplitConfig) -> tuple[str, ...]:
    """Return the cases that judge where MIDOG 2021 is left out; slides of other crops are not known."""
    return (*split.held_out, *[field.case for field in fields if is_crop(field)][:: split.every_nth])


def _recipe(laboratory: str, steps: int) -> Recipe:
    changes = [f"phases.0.steps={steps}", "run.precision=bf16-mixed"]
    if laboratory == "brecahad":
        changes.append("data.split.held_out=[]")
    recipe = read_recipe(RECIPE, changes)
    assert isinstance(recipe, Recipe)
    return recipe


def curve_of(bundle: Bundle, recipe: Recipe, fields: Sequence[Field]) -> Curve:
    """Return how a network does on fields at all thresholds, searched as its recipe says."""
    session = open_network(bundle.onnx, where=str(bundle.folder), threads=1)

    def find(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_points(session, windows)

    return judge_points(find, build(recipe.model, seed=0), fields, recipe)


def _judged(laboratory: str, bundle: Bundle, recipe: Recipe, data: Path) -> dict[str, object]:
    elsewhere = curve_of(bundle, recipe, read_midesec(data)).best()
    own = open_fields(data, only=(laboratory,), without=(), tested=())
    found = curve_of(bundle, recipe, own)
    here, ends = found.at(elsewhere.threshold), found.intervals(elsewhere.threshold).f1
    assert ends is not None
    return {
        "laboratory": laboratory,
        "steps": recipe.steps,
        "pictures": len(own),
        "figures": here.score.tp + here.score.fn,
        "threshold": elsewhere.threshold,
        "f1": here.f1,
        "f1_low": ends.low,
        "f1_high": ends.high,
        "precision": here.score.precision,
        "recall": here.score.recall,
        "f1_at_its_best_threshold": found.best().f1,
        "f1_on_midesec": elsewhere.f1,
    }


def _table(rows: Sequence[dict[str, float]]) -> list[str]:
    lines = [
        "| Left out | Pictures | Figures | F1 | Precision | Recall | Best F1 there | F1 on MiDeSeC |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in rows:
        lines.append(
            f"| {row['laboratory']} | {row['pictures']:,} | {row['figures']:,} | {row['f1']:.3f} "
            f"[{row['f1_low']:.3f}, {row['f1_high']:.3f}] | {row['precision']:.3f} | {row['recall']:.3f} | "
            f"{row['f1_at_its_best_threshold']:.3f} | {row['f1_on_midesec']:.3f} |"
        )
    mean = sum(row["f1"] for row in rows) / len(rows)
    told = f"Mean F1 over the laboratories left out: **{mean:.3f}** ({rows[0]['steps']:,} steps each)."
    return [*lines, "", told]


if __name__ == "__main__":
    main()
