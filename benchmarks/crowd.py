"""A crowd study from end to end on known truth: does agreement help, and which ratio of negatives is best?

    PYTHONPATH=. python benchmarks/crowd.py [--tiles 100] [--steps 500] [--repeats 3] [--out FOLDER] [--write]

Painted tiles of 1,000 px; six simulated raters (`tests/curation/crowd_at_work.py`) who see 60 to 90 % of the
figures and take 10 to 35 % of the look-alikes for figures, hard cells alike for all of them; their boxes go
through the store: a round of tiles, merged boxes, a frozen version with every box. Small networks learn from
it as in the crowd paper (Ji et al.): sub-tiles at half the resolution, an event first, then one of the
sub-tiles that it lies in, the score Σ r·a. The learning rate has one cycle, as there are far fewer steps.
They are judged on the sub-tiles of tiles whose truth is known and nobody labelled. Arms: BC (any agreement is
a figure) and Reg (the agreement) by the ratio of negatives; Reg with every agreement set to 1; and Reg with
the boxes of one rater alone.

A new folder for --out, or the same to go on: what is trained is not trained again.
"""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from machine import stamp
from PIL import Image
from results_page import write_page
from scipy import stats

from mitoscope.data.sources import AnnotatedSlides
from mitoscope.experiments.trained.judging import Bench
from mitoscope.experiments.trained.networks import TrainingTask, learn
from mitoscope.experiments.trained.slides import SlideSet
from mitoscope.experiments.trained.tiles import judge_tile_rates
from mitoscope.fsio import make_directory
from mitoscope.geometry import Mpp
from mitoscope.slide.synthetic import SyntheticSlideConfig, field_config, render_field
from mitoscope.store import Query, Store
from mitoscope.train import Recipe
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells
from tests.curation.crowd_at_work import CROWD, label_by_crowd

RESULT: Final = Path(__file__).parent / "results" / "crowd.md"
TILE_PX: Final = 1000
MPP: Final = 0.5
"""Of the networks: half the resolution of the tiles."""
SIDE_PX: Final = 64
"""Of the sub-tiles, in px of the networks: 128 px of the tile, as figures of 30 to 60 px fill a good part."""
TEST_SHARE: Final = 0.5
SEED: Final = 11
AUGMENT: Final = {
    "rotation": "none",
    "affine": 0.0,
    "scale_min": 1.0,
    "scale_max": 1.0,
    "stretch": 0.0,
    **dict.fromkeys(("contrast_transfer", "stain_strength", "focus", "noise", "jpeg", "slide_edge"), 0.0),
}
"""Flips alone: painted tiles have one stain."""
THRESHOLDS: Final = tuple(np.round(np.arange(0.05, 1.0, 0.05), 2).tolist())


@dataclass(frozen=True)
class Arm:
    """A network: what it learns from, and how."""

    name: str
    labels: str
    negatives: float
    as_classes: bool = False


ARMS: Final = (
    Arm("BC 1:1", "crowd", 1, as_classes=True),
    Arm("BC 4:1", "crowd", 4, as_classes=True),
    Arm("Reg 0:1", "crowd", 0),
    Arm("Reg 1:1", "crowd", 1),
    Arm("Reg 2:1", "crowd", 2),
    Arm("Reg 4:1", "crowd", 4),
    Arm("Reg 10:1", "crowd", 10),
    Arm("Reg 4:1, every agreement 1", "certain", 4),
    Arm("Reg 4:1, one rater", "one", 4),
)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tiles", type=int, default=100, help="that the crowd labels")
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--out", type=Path, help="folder of what is made; by default a temporary one")
    parser.add_argument("--write", action="store_true", help=f"write {RESULT.name}")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        lines = run(make_directory(asked.out or Path(folder)), asked)
    print("\n".join(lines))
    if asked.write:
        write_page(RESULT, __doc__, lines)


def run(out: Path, asked: argparse.Namespace) -> list[str]:
    began = stamp()
    truth, files = paint(make_directory(out / "tiles"), asked.tiles, round(asked.tiles * TEST_SHARE))
    tests = frozenset(list(files)[asked.tiles :])
    crowd, one = (label(out, truth, tests, raters) for raters in (6, 1))
    certain = crowd.with_slides(
        replace(slide, cells=replace(slide.cells, agreement=np.ones(len(slide.cells)))) for slide in crowd
    )
    labels = {"crowd": crowd, "certain": certain, "one": one}
    source = AnnotatedSlides(kind="annotated-slides", labels="crowd-6.mito", title="simulated crowd")
    sets = {
        name: SlideSet.of(name, known, files, tests=tests, slide_mpp=MPP / 2, data=out, source=source)
        for name, known in (*labels.items(), ("expert", truth))
    }
    rows: dict[str, list[dict[str, float]]] = {}
    for repeat in range(asked.repeats):
        for arm in ARMS:
            recipe = recipe_of(arm, asked.steps, seed=SEED + repeat)
            fields = [sets[arm.labels].field(s, mpp=MPP) for s in sets[arm.labels].slides(testing=False)]
            bundle = learn(TrainingTask(recipe, fields, out, source), out / "networks")
            bench = Bench("midog", "cpu", 1, out / "detections")
            scores = judge_tile_rates(bundle, [sets["expert"]], bench, thresholds=THRESHOLDS)
            rows.setdefault(arm.name, []).append(measures(scores))
            print(arm.name, repeat, rows[arm.name][-1], flush=True)
    return page(rows, crowd_of(crowd, truth), f"{asked.steps} steps; {began}")


def paint(folder: Path, crowd: int, test: int) -> tuple[GroundTruth, dict[str, Path]]:
    """Paint tiles, each a slide and a case of its own."""
    values = dict(field_config(TILE_PX)) | {
        "mitoses_per_mm2": 40.0,
        "hot_spot_mitoses_per_mm2": 60.0,
        "look_alikes_per_mm2": 120.0,
    }
    config = SyntheticSlideConfig.of(**values)
    slides, files = [], {}
    for number in range(crowd + test):
        name = f"{number:03}.png"
        rgb, painted = render_field(config, seed=number)
        files[name] = folder / name
        if not files[name].exists():
            Image.fromarray(rgb).save(files[name])
        cells = TrueCells.of(
            [(figure.x_px0, figure.y_px0) for figure in painted.figures],
            [figure.label for figure in painted.figures],
        )
        whole = ExaminedArea.whole("painted")
        slides.append(
            SlideTruth(name, case=name, mpp=Mpp.square(MPP / 2), cells=cells, stated_examined=whole)
        )
    return GroundTruth(tuple(slides)), files


def label(out: Path, truth: GroundTruth, tests: frozenset[str], raters: int) -> GroundTruth:
    """Have some raters label all tiles that do not test; a lone one's boxes count by themselves."""
    path = out / f"crowd-{raters}.mito"
    path.unlink(missing_ok=True)
    tiles = {slide.name: slide.cells for slide in truth if slide.name not in tests}
    with Store.create(path) as store:
        label_by_crowd(store, tiles, side_px0=TILE_PX, raters=CROWD[2 : 2 + raters] if raters == 1 else CROWD)
        version = store.freeze("CROWD", Query(threshold=0.0)).manifest.variant
        return store.ground_truth(version)


def recipe_of(arm: Arm, steps: int, *, seed: int) -> Recipe:
    """Return the recipe of the paper made small."""
    labels = {"labels": ("mitotic figure", "other")} if arm.as_classes else {}
    values: dict[str, Any] = {
        "bundle": {"name": "crowd-study"},
        "model": {
            "architecture": "classifier" if arm.as_classes else "regressor",
            "backbone": "test_resnet",
            "patch_px": SIDE_PX,
            "mpp": MPP,
            **labels,
        },
        "data": {
            "source": {"kind": "annotated-slides", "labels": "crowd-6.mito"},
            "split": {"every_nth": 6},
            "sampling": {
                "kind": "crowd",
                "window_px": SIDE_PX,
                "step_px": SIDE_PX // 2,
                "batch": 16,
                "negatives": arm.negatives,
                "as_classes": arm.as_classes,
                "capped": False,
            },
        },
        "augment": AUGMENT,
        "phases": [{"steps": steps, "learning_rate": 3e-3, "schedule": "one-cycle", "warm_up": 0.2}],
        "optimiser": {"kind": "adam", "weight_decay": 0.0},
        "validation": {"metric": "loss", "every": max(steps // 4, 1), "batches": 8},
        "run": {"seed": seed, "tensorboard": False, "threads": 1},
    }
    return Recipe.parse(values, where="benchmark")


def measures(scores: dict[str, float | None]) -> dict[str, float]:
    """Return the area under the curve, and TPR and FPR where their difference is greatest."""
    pairs = [
        (float(scores[f"all/tpr@{at:g}"] or 0), float(scores[f"all/fpr@{at:g}"] or 0)) for at in THRESHOLDS
    ]
    tpr, fpr = max(pairs, key=lambda pair: pair[0] - pair[1])
    return {"auc": float(scores["all/auc"] or 0), "tpr": tpr, "fpr": fpr, "gain": tpr - fpr}


def crowd_of(crowd: GroundTruth, truth: GroundTruth) -> str:
    """Return what the crowd's events are by the truth, and the agreement on them."""
    agreement: dict[str, list[float]] = {"figures": [], "others": []}
    known = truth.by_name
    for slide in crowd:
        figures = known[slide.name].cells.figures_px0
        for point, own in zip(slide.cells.points_px0, slide.cells.agreement, strict=True):
            near = len(figures) > 0 and np.hypot(*(figures - point).T).min() < 30
            agreement["figures" if near else "others"].append(float(own))
    figures = sum(len(known[slide.name].cells.figures_px0) for slide in crowd)
    right, wrong = agreement["figures"], agreement["others"]
    events = len(right) + len(wrong)
    return (
        f"{figures} figures on {len(crowd)} tiles; the crowd's {events} events are {len(right)} of "
        f"them (mean agreement {np.mean(right):.2f}) and {len(wrong)} others ({np.mean(wrong):.2f})"
    )


def page(rows: dict[str, list[dict[str, float]]], crowd: str, how: str) -> list[str]:
    """Return the lines of the page."""
    best = max(rows, key=lambda name: np.mean([one["auc"] for one in rows[name]]))
    lines = [
        f"{crowd}. {how}.",
        "",
        "| Network | AUC of sub-tiles | TPR % | FPR % | TPR − FPR |",
        "|---|---|---|---|---|",
    ]
    for name, own in rows.items():
        columns = {key: np.array([one[key] for one in own]) for key in own[0]}
        lines.append(
            f"| {name} | {_mean(columns['auc'], 3)} | {_mean(100 * columns['tpr'], 1)} "
            f"| {_mean(100 * columns['fpr'], 1)} | {_mean(columns['gain'], 3)} |"
        )
    pairs = (
        ("agreement against any box (Reg and BC, 1:1)", "Reg 1:1", "BC 1:1"),
        ("agreement against any box (Reg and BC, 4:1)", "Reg 4:1", "BC 4:1"),
        ("agreement against every box alike (Reg 4:1)", "Reg 4:1", "Reg 4:1, every agreement 1"),
        ("six raters against one (Reg 4:1)", "Reg 4:1", "Reg 4:1, one rater"),
        ("negatives against none (Reg 4:1 and 0:1)", "Reg 4:1", "Reg 0:1"),
        ("4:1 against 1:1 (Reg)", "Reg 4:1", "Reg 1:1"),
        ("4:1 against 10:1 (Reg)", "Reg 4:1", "Reg 10:1"),
    )
    lines += ["", "| Question | Difference of AUC, 95 % by repeat |", "|---|---|"]
    for question, one, other in pairs:
        apart = np.array([a["auc"] - b["auc"] for a, b in zip(rows[one], rows[other], strict=True)])
        lines.append(f"| {question} | {_difference(apart)} |")
    return [*lines, "", f"Of the greatest mean AUC: {best}."]


def _mean(values: Any, digits: int) -> str:
    spread = f" ± {np.std(values, ddof=1):.{digits}f}" if len(values) > 1 else ""
    return f"{np.mean(values):.{digits}f}{spread}"


def _difference(values: Any) -> str:
    if len(values) < 2:
        return f"{np.mean(values):+.3f}"
    half = stats.t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):+.3f} [{np.mean(values) - half:+.3f}, {np.mean(values) + half:+.3f}]"


if __name__ == "__main__":
    main()
