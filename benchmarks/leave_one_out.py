"""How a detector does on a laboratory that it has learnt nothing from: leave one laboratory out.

    python benchmarks/leave_one_out.py --out FOLDER [--steps 3000] [--only LABORATORY] [--write]

The recipe is that of the second look, run as a detector of its own over whole pictures. For each laboratory
with labelled figures it is trained on the pictures of the others and tested on all of its pictures; the
threshold is the one of greatest F1 on MiDeSeC, which nothing is trained on. Matching `tupac`, intervals of
95 % by drawing cases. Crops are 128 px around a figure, so that precision there is that of figures among the
cells around them; BreCaHAD has whole fields with every nucleus labelled. A run that was stopped goes on.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from machine import stamp
from numpy.typing import NDArray

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.bundle.network import find_points, open_network
from mitoscope.data.field import Field
from mitoscope.data.reading import read_midesec
from mitoscope.data.sources import OpenData, read_fields
from mitoscope.experiments.trained.open_fields import laboratory_of
from mitoscope.models.build import build
from mitoscope.train.checkpoint import CHECKPOINT_NAME
from mitoscope.train.job import setup
from mitoscope.train.judging import Curve
from mitoscope.train.packing import pack, write
from mitoscope.train.recipe import Recipe, read_recipe
from mitoscope.train.repeats import Member
from mitoscope.train.run import main as run
from mitoscope.train.validation import judge_points

RECIPE = Path(__file__).parents[1] / "recipes" / "second-look.toml"
RESULT = Path(__file__).parent / "results" / "leave_one_out.md"
LABORATORIES = ("midog21", "midogpp", "brecahad")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True, help="of networks and scores")
    parser.add_argument("--steps", type=int, default=3000)
    parser.add_argument("--only", choices=LABORATORIES, action="append")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    wanted = options.only or LABORATORIES
    fields = read_fields(OpenData(kind="open-data"), options.data, mpp=0.25)
    for laboratory in wanted:
        told = options.out / f"{laboratory}.json"
        if not told.exists():
            recipe = _recipe(laboratory, options.steps)
            bundle = _trained(laboratory, recipe, fields, options.data, options.out / laboratory)
            scores = _judged(laboratory, bundle, recipe, fields, options.data)
            told.write_text(json.dumps(scores, indent=2) + "\n", encoding="utf-8")
        print(told.read_text(encoding="utf-8"), flush=True)
    if options.write:
        rows = [json.loads((options.out / f"{one}.json").read_text(encoding="utf-8")) for one in LABORATORIES]
        title, _, *text = (__doc__ or "").split("\n\n")
        head = "\n\n".join([f"# {title}", *text]).strip()
        RESULT.write_text("\n".join([head, "", stamp(), "", *_table(rows)]) + "\n", encoding="utf-8")


def _recipe(laboratory: str, steps: int) -> Recipe:
    changes = [
        f"phases.0.steps={steps}",
        "validation.every=750",
        "mining.at=[0.2, 0.45, 0.7]",
        "mining.crops=1000",
    ]
    if laboratory == "brecahad":
        changes.append("data.split.held_out=[]")
    recipe = read_recipe(RECIPE, changes)
    assert isinstance(recipe, Recipe)
    return recipe


def _trained(laboratory: str, recipe: Recipe, fields: Sequence[Field], data: Path, out: Path) -> Bundle:
    folder = out / "bundle"
    if not folder.exists():
        others = [field for field in fields if laboratory_of(field) != laboratory]
        job = setup(recipe, others, data, out=out, member=Member("", recipe.run.seed, None))
        state = run(job, resume=(out / CHECKPOINT_NAME).exists())
        write(pack(state.judged, job), job, folder)
    return load_bundle(folder)


def _judged(
    laboratory: str, bundle: Bundle, recipe: Recipe, fields: Sequence[Field], data: Path
) -> dict[str, object]:
    session = open_network(bundle.onnx, where=str(bundle.folder), threads=1)
    family = build(recipe.model, seed=0)

    def find(windows: NDArray[np.uint8]) -> NDArray[np.float32]:
        return find_points(session, windows)

    def curve(chosen: Sequence[Field]) -> Curve:
        return judge_points(find, family, chosen, recipe)

    elsewhere = curve(read_midesec(data)).best()
    own = [field for field in fields if laboratory_of(field) == laboratory]
    found = curve(own)
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
