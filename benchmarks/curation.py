"""Whether the loops of curation help: label errors and detector F1 before and after, on known truth.

    PYTHONPATH=. python benchmarks/curation.py [--repeats 3] [--cases 6] [--side 1024] [--steps 80]
        [--out FOLDER]

Synthetic slides, three simulated experts at the published rates: the first overlooks 6 % of the figures,
two differ on 20 % of the cells and take 1 % of the places without a cell for a figure; half of their errors
are on cells that are hard for all. One after the other: MEL (screening, blinded second read, third expert),
ODAEL (missed figures), HEAEL (hard examples), CODAEL (the most suspicious cells of the board; *control*: as
many at random). After each a detector is trained and judged on slides that nobody labelled.

A new folder for --out, or the same to go on: what is trained is not trained again.
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from machine import stamp
from scipy import stats

from mitoscope.curation.board import Grid
from mitoscope.curation.review import ask_second, ask_third, conclude, open_review, relabelled
from mitoscope.evaluate import evaluate
from mitoscope.geometry import Mpp, SizePx
from mitoscope.loops.board import BoardResult, board_cells, keep_board, labels_before, make_board
from mitoscope.loops.embedding import EmbeddingConfig, learn_embeddings
from mitoscope.loops.hard_examples import HardExamplesConfig, find_hard_examples
from mitoscope.loops.material import Material, SlideFile
from mitoscope.loops.missed import MissedConfig, find_missed
from mitoscope.loops.recipe_learner import RecipeLearner
from mitoscope.slide.synthetic import SyntheticSlideConfig, write_slide
from mitoscope.store import Frozen, Policy, Query, Rater, Round, RoundKind, SlideRecord, Store
from mitoscope.train import Recipe
from mitoscope.truth import ExaminedArea, GroundTruth, SlideTruth, TrueCells
from tests.curation.simulated import KnownCells, SimulatedExpert, SimulatedStudy
from tests.store.session import Session

TEST_CASES = 3
MAJORITY = Query(policy=Policy.MAJORITY)


@dataclass(frozen=True)
class Labels:
    """Errors of a version: missed figures, cells of a wrong class; F1 of a detector trained on it."""

    cells: int
    missed: int
    wrong: int
    f1: float


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--cases", type=int, default=6)
    parser.add_argument("--side", type=int, default=1024, help="of a slide in px")
    parser.add_argument("--folds", type=int, default=3)
    parser.add_argument("--steps", type=int, default=80, help="of a detector; a classifier has half as many")
    parser.add_argument("--epochs", type=int, default=3, help="of classes and of contrast, for the board")
    parser.add_argument("--difficulty", type=float, default=0.5, help="share of errors on hard cells")
    parser.add_argument("--out", type=Path, help="keeps everything there")
    options = parser.parse_args()
    print(f"{stamp()}; {options}", flush=True)
    folder = options.out or Path(tempfile.mkdtemp(prefix="curation-"))
    runs = [run_once(folder / f"repeat-{seed}", options, seed) for seed in range(options.repeats)]
    print_table(runs)
    if options.out is None:
        shutil.rmtree(folder)


def run_once(folder: Path, options: argparse.Namespace, seed: int) -> dict[str, Labels]:
    """Run all loops once and return what each version is worth."""
    folder.mkdir(parents=True, exist_ok=True)
    truth = paint(folder, options.cases, options.side, first=1000 * seed)
    test = paint(folder, TEST_CASES, options.side, first=1000 * seed + 500)
    (folder / "study.mito").unlink(missing_ok=True)
    learner = RecipeLearner(detector_recipe(options.steps, seed), classifier_recipe(options.steps // 2, seed))
    experts = [SimulatedExpert(f"expert {n}", difficulty=options.difficulty, seed=seed) for n in (1, 2, 3)]
    with Store.create(folder / "study.mito") as store:
        study = SimulatedStudy(store, truth)
        bench = Bench(folder, study, experts, learner, test, options)
        label_by_hand(study, experts)
        mel = bench.version("MEL")
        find_missed(
            bench.material(mel),
            "odael",
            bench.job("odael"),
            config=MissedConfig(folds=options.folds, threshold=0.3),
        )
        bench.review("odael")
        odael = bench.version("ODAEL")
        doubts = HardExamplesConfig(folds=options.folds, threshold=0.7)
        done = find_hard_examples(bench.material(odael), "heael", bench.job("heael"), config=doubts)
        if done.asked:
            bench.review("heael")
        bench.version("HEAEL")
        bench.board("CODAEL")
        bench.at_random("control")
    return bench.found


class Bench:
    """One repeat at work."""

    def __init__(
        self,
        folder: Path,
        study: SimulatedStudy,
        experts: list[SimulatedExpert],
        learner: RecipeLearner,
        test: dict[SlideRecord, KnownCells],
        options: argparse.Namespace,
    ) -> None:
        self.folder, self.study, self.experts, self.learner = folder, study, experts, learner
        self.test, self.options = test, options
        self.found: dict[str, Labels] = {}
        self.asked = 0

    @property
    def files(self) -> dict[str, Path]:
        return {slide.name: self.folder / slide.name for slide in self.study.store.slides().values()}

    def job(self, name: str) -> Path:
        return self.folder / name

    def material(self, frozen: Frozen) -> Material:
        return Material(self.study.store, frozen, self.files, self.learner)

    def version(self, name: str, query: Query = MAJORITY) -> Frozen:
        """Freeze a version and judge it."""
        frozen = self.study.store.freeze(name, query)
        label_of = frozen.label_of
        missed = len(self.study.missed_figures(label_of))
        wrong = self.study.wrong(label_of) - missed
        material = self.material(frozen)
        labelled = material.training_slides(material.slides)
        detector = self.learner.learn_detector(labelled, self.job(f"detector {name}"))
        self.found[name] = Labels(len(label_of), missed, wrong, self.f1(detector))
        print(f"  {name}: {self.found[name]}", flush=True)
        return frozen

    def f1(self, detector: Path) -> float:
        """Return the F1 on the slides that nobody labelled, at the detector's own threshold."""
        found = {
            s.name: self.learner.detect(detector, SlideFile(self.folder / s.name), detector.parent / "test")
            for s in self.test
        }
        whole = ExaminedArea.whole("a painted field")
        true = GroundTruth(
            tuple(
                SlideTruth(slide.name, TrueCells.of(cells.points_px0, cells.label), stated_examined=whole)
                for slide, cells in self.test.items()
            )
        )
        judged = evaluate(found, true, threshold=self.learner.threshold(detector), repeats=1)
        return judged.score.f1 or 0.0

    def review(self, name: str) -> None:
        """Let two experts read, and a third where they differ."""
        rounds = [one.name for one in self.study.store.rounds().values()]
        first = [one for one in rounds if one == name or one.startswith(f"{name}, bin ")]
        for expert in self.experts[:2]:
            for one in first:
                self.study.read(expert, one)
        self.third(name)

    def third(self, name: str) -> None:
        if ask_third(self.study.store, name):
            self.study.read(self.experts[2], f"{name}, third expert")
        conclude(self.study.store, name, partial=True)

    def board(self, name: str) -> None:
        """Relabel the most suspicious cells of the board; as many as experts of this rate get wrong."""
        store = self.study.store
        ids = list(store.freeze("before the board", MAJORITY).label_of)
        cells = board_cells(store, ids, Policy.MAJORITY)
        config = EmbeddingConfig(
            class_epochs=self.options.epochs, contrastive_epochs=self.options.epochs, threads=2
        )
        points = learn_embeddings(cells, self.files, self.job("board"), config=config, crop_px=64)
        grid = Grid.for_crops(len(ids), cell_px=64)
        result = make_board(cells, points, self.job("board"), grid=grid, slides=self.files)
        self.asked = max(5, round(0.15 * len(ids)))
        print(f"  board: {share_wrong(self.study, result, self.asked)}", flush=True)
        shutil.copy(store.path, self.folder / "control.mito")
        keep_board(store, "codael", result, suspicious=self.asked)
        self.relabel("codael", result.most_suspicious(self.asked))
        self.version(name)

    def relabel(self, name: str, cells: Iterable[int]) -> None:
        """Look at cells on the board, label those otherwise that seem wrong; the others read these."""
        store, expert = self.study.store, self.experts[0]
        (round_id,) = [id_ for id_, one in store.rounds().items() if one.name == name]
        session = Session(store, store.add_rater(Rater(expert.name)), round_id)
        label_ids = {label.name: id_ for id_, label in store.labels().items()}
        before = labels_before(store, name)
        for cell in cells:
            said = label_ids[expert.says(str(cell), self.study.truth_of(cell), round_=name)]
            if said != before.get(cell):
                session.label(cell, said)
        if not relabelled(store, name, before):
            return
        ask_second(store, name, before)
        self.study.read(self.experts[1], f"{name}, second read")
        self.third(name)

    def at_random(self, name: str) -> None:
        """Let the experts read as many cells again, drawn at random, in place of the board's."""
        with Store.open(self.folder / "control.mito") as store:
            bench = Bench(
                self.folder,
                SimulatedStudy(store, self.study.truth),
                self.experts,
                self.learner,
                self.test,
                self.options,
            )
            ids = list(store.freeze("before the board", MAJORITY).label_of)
            open_review(store, "random", np.random.default_rng(0).permutation(ids)[: self.asked].tolist())
            bench.review("random")
            bench.version(name)
        self.found |= bench.found


def share_wrong(study: SimulatedStudy, result: BoardResult, n: int) -> str:
    """Return how many of the most suspicious cells are truly wrong, and of all."""
    label_of = dict(zip(result.cells.cell_id, result.cells.label, strict=True))
    wrong = {cell for cell, label in label_of.items() if study.truth_of(cell) != label}
    top = result.most_suspicious(n)
    hit = len(wrong & set(top))
    return f"{hit} of the {len(top)} most suspicious are wrong, {len(wrong)} of all {len(label_of)}"


def label_by_hand(study: SimulatedStudy, experts: list[SimulatedExpert]) -> None:
    """Screening, blinded second read, third expert (CMC)."""
    store = study.store
    study.screen(experts[0], Round("screening", RoundKind.SCREENING))
    store.open_round(Round("second read", RoundKind.SECOND_READ))
    study.read(experts[1], "second read")
    store.open_round(Round("third expert", RoundKind.THIRD_EXPERT), is_blinded=True, cells=store.disputed())
    study.read(experts[2], "third expert")


def paint(folder: Path, slides: int, side: int, *, first: int) -> dict[SlideRecord, KnownCells]:
    """Write slides full of tissue, dense in figures and look-alikes, and return their true cells."""
    densities: dict[str, Any] = {"mitoses_per_mm2": 250.0, "hot_spot_mitoses_per_mm2": 250.0}
    values: dict[str, Any] = densities | {
        "look_alikes_per_mm2": 300.0,
        "tissue_fraction": 1.0,
        "tumour_fraction": 1.0,
    }
    values |= {"fat": False, "necrosis": False, "ink": False, "dust": False, "out_of_focus": False}
    painted = {}
    for seed in range(first, first + slides):
        config = SyntheticSlideConfig.of(width=side, height=side, seed=seed, tile_px=256, **values)
        figures = write_slide(folder / f"slide {seed}.tiff", config).figures
        points = np.array([(one.x_px0, one.y_px0) for one in figures]).reshape(-1, 2)
        record = SlideRecord(f"slide {seed}.tiff", SizePx(side, side), Mpp.square(0.25), case=f"case {seed}")
        painted[record] = KnownCells(points, tuple(one.label for one in figures))
    return painted


def detector_recipe(steps: int, seed: int) -> Recipe:
    sampling = {"kind": "semi", "window_px": 96, "foreground": 6, "bg_hard": 5, "bg_random": 5}
    return recipe({"architecture": "fcn-resnet12", "widths": [16, 32, 48]}, sampling, "f1", steps, seed)


def classifier_recipe(steps: int, seed: int) -> Recipe:
    model = {"architecture": "classifier", "backbone": "resnet10t", "patch_px": 64}
    return recipe(model, {"kind": "crops", "window_px": 64, "batch": 16}, "auc", steps, seed)


def recipe(model: dict[str, Any], sampling: dict[str, Any], metric: str, steps: int, seed: int) -> Recipe:
    """Return a small recipe; a third of the cases of a lesson validates."""
    values = {
        "model": model,
        "data": {"source": {"kind": "open-data"}, "split": {"every_nth": 3}, "sampling": sampling},
        "phases": [{"steps": steps, "learning_rate": 0.003, "warm_up": 0.1}],
        "validation": {"metric": metric, "every": max(1, steps // 4), "batches": 8},
        "run": {"checkpoint_every": steps, "tensorboard": False, "seed": seed, "threads": 2},
    }
    return Recipe.parse(values, where="recipe")


def print_table(runs: list[dict[str, Labels]]) -> None:
    """Print means over the repeats, and the change from the version before with its 95 % interval (t)."""
    before = {"ODAEL": "MEL", "HEAEL": "ODAEL", "CODAEL": "HEAEL", "control": "HEAEL"}
    print(f"{'version':9s}{'cells':>8s}{'missed':>9s}{'wrong':>8s}{'F1':>8s}   change: errors; F1")
    for name in runs[0]:
        rows = np.array([[run[name].cells, run[name].missed, run[name].wrong, run[name].f1] for run in runs])
        mean = rows.mean(axis=0)
        line = f"{name:9s}{mean[0]:8.1f}{mean[1]:9.1f}{mean[2]:8.1f}{mean[3]:8.3f}"
        if name in before:
            errors = [_errors(run[name]) - _errors(run[before[name]]) for run in runs]
            gain = [run[name].f1 - run[before[name]].f1 for run in runs]
            line += f"   {interval(errors, 1)}   {interval(gain, 3)}"
        print(line)


def _errors(one: Labels) -> int:
    return one.missed + one.wrong


def interval(values: list[float] | list[int], digits: int) -> str:
    mean = float(np.mean(values))
    if len(values) < 2:
        return f"{mean:+.{digits}f}"
    half = float(stats.t.ppf(0.975, len(values) - 1) * stats.sem(values))
    return f"{mean:+.{digits}f} [{mean - half:+.{digits}f}, {mean + half:+.{digits}f}]"


if __name__ == "__main__":
    main()
