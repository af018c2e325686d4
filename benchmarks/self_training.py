"""Self-training on real pixels: supervised on a part, against supervised and mined from the rest.

    python benchmarks/self_training.py [--data ../shared/data] [--labelled 150] [--steps 600] [--repeats 3]

Labelled: a part of the MIDOG crops around figures, set side by side on fields of 1,536 × 512 px, and fields
without figures. Unlabelled: crops of other slides and other fields, their labels withheld; they tell how many
of the mined figures are true. Validation: MiDeSeC, which nothing is trained on. Both detectors have as many
steps.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from machine import stamp
from scipy import stats
from scipy.spatial import cKDTree

from mitoscope.data.open_data import read_crops, read_midesec, read_negative_fields
from mitoscope.data.picture import Picture
from mitoscope.labels import DEFAULT_LABELS, MITOTIC_FIGURE
from mitoscope.loops.material import Material
from mitoscope.loops.mining import MiningConfig
from mitoscope.loops.recipe_learner import RecipeLearner
from mitoscope.loops.self_train import SelfTrained, mined_slides, self_train
from mitoscope.store import Policy, Query, Rater, RaterKind, SlideRecord, Source, Store, StudyBuilder
from mitoscope.train import Recipe

SIDE, FIELD_HEIGHT = 1536, 512
SAME_PX = 30.0


@dataclass
class Fields:
    """Pictures on disk and the figures on them, by file name."""

    folder: Path
    figures: dict[str, np.ndarray] = field(default_factory=dict)

    def add(self, name: str, rgb: np.ndarray, figures: np.ndarray) -> None:
        scale: dict[str, Any] = {"resolution": (40_000, 40_000), "resolutionunit": "CENTIMETER"}
        tifffile.imwrite(self.folder / name, rgb, photometric="rgb", **scale)
        self.figures[name] = np.asarray(figures, dtype=np.float64).reshape(-1, 2)

    @property
    def files(self) -> dict[str, Path]:
        return {name: self.folder / name for name in self.figures}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--labelled", type=int, default=150, help="crops with labels; the others without")
    parser.add_argument("--unlabelled", type=int, default=1200, help="crops at most")
    parser.add_argument("--steps", type=int, default=600)
    parser.add_argument("--widths", type=int, nargs=3, default=(16, 32, 32), help="of the detector")
    parser.add_argument("--reduction", type=int, default=2, help="pixels that it averages first")
    parser.add_argument("--mined-windows", type=int, default=8, help="of 16 foreground windows a batch")
    parser.add_argument(
        "--threshold", type=float, default=0.6, help="a figure is mined above it all eight ways"
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--out", type=Path, help="keeps everything there")
    options = parser.parse_args()
    print(f"{stamp()}; {options}", flush=True)
    folder = options.out or Path(tempfile.mkdtemp(prefix="self-training-"))
    gains = [run_once(folder / f"repeat-{seed}", options, seed) for seed in range(options.repeats)]
    for name, place in (("F1", 0), ("average precision", 1)):
        values = [gain[place] for gain in gains]
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else float("nan")
        print(f"gain in {name} over {len(values)} repeats: {np.mean(values):+.3f} ± {half:.3f} (95 %, t)")


def run_once(folder: Path, options: argparse.Namespace, seed: int) -> tuple[float, float]:
    """Run the loop with another part labelled; return the gains in F1 and average precision."""
    folder.mkdir(parents=True, exist_ok=True)
    labelled, unlabelled, validation = (Fields(folder) for _ in range(3))
    lay_out(labelled, unlabelled, options, seed)
    for picture in read_midesec(options.data):
        validation.add(f"midesec {Path(picture.name).stem}.tiff", picture.rgb, picture.figures)
    learner = RecipeLearner(make_recipe(options, seed), mined=options.mined_windows)
    config = MiningConfig(floor=options.threshold, threshold=options.threshold)
    (folder / "study.mito").unlink(missing_ok=True)
    with Store.create(folder / "study.mito") as store:
        store.import_study(make_study(labelled, validation), source=Source("open data"))
        split = dict.fromkeys(labelled.figures, "train") | dict.fromkeys(validation.figures, "validation")
        frozen = store.freeze("labelled part", Query(policy=Policy.RECORDED), split=split)
        material = Material(store, frozen, labelled.files | validation.files, learner)
        done = self_train(material, unlabelled.files, folder / "job", config=config, say=print)
    tell(done, unlabelled, folder / "job")
    return done.gain.f1.value or 0.0, done.gain.average_precision.value or 0.0


def lay_out(labelled: Fields, unlabelled: Fields, options: argparse.Namespace, seed: int) -> None:
    """Deal crops and negative fields to both sides, all crops of a slide to one, and write them as fields."""
    rng = np.random.default_rng(seed)
    crops = [one for one in read_crops(options.data) if one.case.split("/")[0] != "crop"]
    cases = rng.permutation(sorted({one.case for one in crops})).tolist()
    by_case = {case: [one for one in crops if one.case == case] for case in cases}
    first: list[Picture] = []
    while len(first) < options.labelled:
        first += by_case[cases.pop()]
    rest = [one for case in cases for one in by_case[case]][: options.unlabelled]
    negatives = read_negative_fields(options.data)
    order = rng.permutation(len(negatives)).tolist()
    half = len(order) // 3
    for side, figures, fields in (
        (labelled, first[: options.labelled], order[:half]),
        (unlabelled, rest, order[half:]),
    ):
        name = "labelled" if side is labelled else "unlabelled"
        mosaic(side, f"{name} figures", figures, 128)
        mosaic(side, f"{name} background", [negatives[one] for one in fields], 512)


def mosaic(side: Fields, name: str, pictures: Sequence[Picture], step: int) -> None:
    """Set pictures of one size side by side on fields of 1,536 × 512 px; a gap repeats the first."""
    across, rows = SIDE // step, FIELD_HEIGHT // step
    for start in range(0, len(pictures), across * rows):
        part = pictures[start : start + across * rows]
        rgb = np.zeros((FIELD_HEIGHT, SIDE, 3), dtype=np.uint8)
        points = []
        for place in range(across * rows):
            picture = part[place % len(part)]
            y, x = divmod(place, across)
            rgb[y * step : (y + 1) * step, x * step : (x + 1) * step] = picture.rgb[:step, :step]
            inside = picture.figures[((picture.figures >= 0) & (picture.figures < step)).all(axis=1)]
            points += [(px + x * step, py + y * step) for px, py in inside.tolist()]
        side.add(f"{name} {start}.tiff", rgb, np.array(points))


def make_study(*sides: Fields) -> Any:
    builder = StudyBuilder(DEFAULT_LABELS)
    rater, label = builder.rater(Rater("published", RaterKind.CONSENSUS)), builder.label(MITOTIC_FIGURE)
    for side in sides:
        for name, points in side.figures.items():
            slide = builder.slide(SlideRecord(name, case="/".join(name.rsplit(" ", 1))))
            for point in points.tolist():
                builder.event(builder.cell(slide, point), rater, label)
    return builder.build()


def make_recipe(options: argparse.Namespace, seed: int) -> Recipe:
    sampling = {"kind": "semi", "foreground": 16, "bg_hard": 8, "bg_random": 24, "field_share": 1.0}
    values = {
        "model": {
            "architecture": "fcn-resnet12",
            "widths": tuple(options.widths),
            "reduction": options.reduction,
        },
        "data": {"source": {"kind": "open-data"}, "split": {"every_nth": 4}, "sampling": sampling},
        "phases": [{"steps": options.steps, "learning_rate": 0.002, "schedule": "cosine", "warm_up": 0.05}],
        "optimiser": {"average": 0.99, "clip": 5.0},
        "mining": {"at": [0.4, 0.7]},
        "validation": {"every": max(1, options.steps // 4)},
        "run": {"seed": seed, "threads": options.threads, "device": options.device, "tensorboard": False},
    }
    return Recipe.parse(values, where="recipe")


def tell(done: SelfTrained, unlabelled: Fields, job: Path) -> None:
    """Print what was mined, how much of it is true, and both detectors."""
    mined = mined_slides(job, unlabelled.files).truth
    true = 0
    for slide in mined:
        points = slide.cells.figures_px0
        figures = unlabelled.figures[slide.name]
        true += int((np.asarray(cKDTree(figures).query(points)[0]) <= SAME_PX).sum()) if len(figures) else 0
    total = sum(map(len, unlabelled.figures.values()))
    print(f"mined {mined.n_figures} of {total} figures, {true} of them true; {done.count}, "
          f"consistency {done.count.consistency:.2f}")  # fmt: skip
    for name, judged in (("supervised", done.before), ("self-trained", done.after)):
        ends = judged.intervals.f1
        interval = "" if ends is None else f" [{ends.low:.3f}, {ends.high:.3f}]"
        ap = judged.average_precision or 0.0
        print(f"{name:13s}F1 {judged.score.f1 or 0:.3f}{interval}, average precision {ap:.3f}")
    print(f"difference: F1 {done.gain.f1.as_dict()}, AP {done.gain.average_precision.as_dict()}", flush=True)


if __name__ == "__main__":
    main()
