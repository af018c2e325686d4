"""What each ingredient of training gives: the recipe of the second look with one of them left out at a time.

    python benchmarks/ablation.py --out FOLDER [--steps 1000] [--only NAME] [--write]

Short runs of `recipes/semi-fcn.toml` with the same seed, judged on MiDeSeC, on which nothing is trained: F1
at the best threshold there and average precision, and what they lose against the whole recipe. Matching
`tupac`, intervals of 95 % by drawing fields, the same for both, with the thresholds kept. What was trained is
not trained again.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from leave_one_out import RECIPE, curve_of
from machine import stamp
from results_page import write_page

from mitoscope.data.open_data import NEGATIVE_FIELDS, read_midesec
from mitoscope.evaluate import Difference, Steps, compare
from mitoscope.experiments.trained.networks import TrainingTask, learn
from mitoscope.experiments.trained.slides import OPEN_DATA, open_fields
from mitoscope.statistics import Score
from mitoscope.train.recipe import Recipe, read_recipe
from mitoscope.train.scoring import Curve

RESULT = Path(__file__).parent / "results" / "ablation.md"


@dataclass(frozen=True, slots=True)
class Variant:
    """A recipe without an ingredient: changes of its settings, laboratories that nothing is taken from."""

    told: str
    changes: tuple[str, ...] = ()
    without: tuple[str, ...] = ()


WHOLE = "whole"
VARIANTS = {
    WHOLE: Variant("the whole recipe"),
    "fields": Variant(
        "without the fields that have no figure, so without transplanted figures",
        without=(NEGATIVE_FIELDS.name,),
    ),
    "mining": Variant("without hard-negative mining", ("mining.at=[]",)),
    "transfer": Variant("without contrast transfer", ("augment.contrast_transfer=0.0",)),
    "stain": Variant("without stain jitter", ("augment.stain_strength=0.0",)),
    "picture": Variant(
        "without blur, noise and JPEG", ("augment.focus=0.0", "augment.noise=0.0", "augment.jpeg=0.0")
    ),
    "scale": Variant("without scale and stretch", ("augment.affine=0.0",)),
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--out", type=Path, required=True, help="of the networks")
    parser.add_argument("--steps", type=int, default=1000)
    parser.add_argument("--only", choices=VARIANTS, action="append")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    options = parser.parse_args()
    curves = {
        name: _judged(VARIANTS[name], options.steps, options.data, options.out)
        for name in options.only or VARIANTS
    }
    lines = _table(curves) if WHOLE in curves else []
    print("\n".join(lines))
    if options.write:
        write_page(RESULT, __doc__, [f"{options.steps:,} steps each. {stamp()}", "", *lines])


def _judged(variant: Variant, steps: int, data: Path, out: Path) -> Curve:
    shared = (f"phases.0.steps={steps}", f"validation.every={steps}", "run.precision=bf16-mixed")
    recipe = read_recipe(RECIPE, (*shared, *variant.changes))
    assert isinstance(recipe, Recipe)
    fields = open_fields(data, only=(), without=variant.without, tested=())
    print(variant.told, flush=True)
    bundle = learn(TrainingTask(recipe, fields, data, OPEN_DATA), out)
    return curve_of(bundle, recipe, read_midesec(data))


def _table(curves: dict[str, Curve]) -> list[str]:
    lines = [
        "| Trained | F1 | F1 lost | Average precision | Average precision lost |",
        "|---|---|---|---|---|",
    ]
    whole = _at_best(curves[WHOLE])
    for name, curve in curves.items():
        than = compare(whole, _at_best(curve))
        lost = ("–", "–") if name == WHOLE else (_told(than.f1), _told(than.average_precision))
        f1, area = curve.best().f1, curve.average_precision()
        lines.append(f"| {VARIANTS[name].told} | {f1:.3f} | {lost[0]} | {area:.3f} | {lost[1]} |")
    return lines


def _at_best(curve: Curve) -> dict[str, tuple[Score, Steps]]:
    threshold = curve.best().threshold
    return {str(place): (steps.at(threshold), steps) for place, steps in enumerate(curve.cases)}


def _told(lost: Difference) -> str:
    assert lost.value is not None
    assert lost.interval is not None
    return f"{lost.value:+.3f} [{lost.interval.low:+.3f}, {lost.interval.high:+.3f}]"


if __name__ == "__main__":
    main()
