"""``mitoscope curate missed|self-train``: the loops that train and detect, each one resumable job."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.tables import print_json, print_table

if TYPE_CHECKING:
    from mitoscope.loops.material import Material
    from mitoscope.loops.recipe_learner import RecipeLearner
    from mitoscope.loops.self_train import SelfTrained
    from mitoscope.store import Store
    from mitoscope.train import Recipe

StudyArgument = Annotated[Path, typer.Argument(metavar="STUDY", help="The store: one file a study.")]
NameArgument = Annotated[str, typer.Argument(metavar="NAME", help="Of the review that is opened.")]
VersionOption = Annotated[
    str, typer.Option("--version", metavar="VERSION", help="Frozen version to learn from, e.g. MEL.")
]
SlidesOption = Annotated[Path, typer.Option("--slides", metavar="DIR", help="Folder of its slides.")]
DetectorOption = Annotated[Path, typer.Option("--detector", metavar="RECIPE", help="Recipe of the detector.")]
OutOption = Annotated[Path, typer.Option("--out", metavar="DIR", help="State, detectors, detections.")]
FoldsOption = Annotated[int, typer.Option("--folds", min=2, help="Folds of cases.")]
SetOption = Annotated[
    list[str] | None, typer.Option("--set", metavar="KEY=VALUE", help="Change the detector's recipe.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]


def missed(
    study: StudyArgument,
    name: NameArgument,
    version: VersionOption,
    slides: SlidesOption,
    detector: DetectorOption,
    out: OutOption,
    classifier: Annotated[
        Path | None,
        typer.Option("--classifier", metavar="RECIPE", help="Of a classifier that scores the candidates."),
    ] = None,
    folds: FoldsOption = 3,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="T", help="Scores above it count.")
    ] = 0.0,
    bins: Annotated[int, typer.Option("--bins", min=1, help="Rounds by score, high scores first.")] = 10,
    seed: Annotated[int, typer.Option("--seed", help="Of the folds.")] = 0,
    changes: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find what the experts missed: detectors that have not seen a case propose candidates there (ODAEL)."""
    learner = make_learner(detector, classifier, changes)
    from mitoscope.loops.missed import MissedConfig, find_missed
    from mitoscope.store import Store

    values = {
        "folds": folds,
        "seed": seed,
        "refine": classifier is not None,
        "threshold": threshold,
        "bins": bins,
    }
    config = MissedConfig.parse(values, where="missed figures")
    with Store.open(study) as store:
        material = make_material(store, version, slides, learner)
        done = find_missed(material, name, out, config=config, say=_say)
    if as_json:
        found = {"candidates": len(done.cells), "repeated": done.is_repeated}
        bins_json = {str(number): count for number, count in done.bins.items()}
        print_json({"study": str(study), "review": name, **found, "bins": bins_json})
        return
    rows = [[f"{number} of {bins}", count] for number, count in done.bins.items()]
    print_table(f"Review {name!r}: candidates by score, high first", ("bin", "candidates"), rows)
    typer.echo(f"{len(done.cells)} candidates wait for two experts; 'mitoscope curate review' goes on")


def self_train(
    study: StudyArgument,
    version: VersionOption,
    slides: SlidesOption,
    unlabelled: Annotated[Path, typer.Option("--unlabelled", metavar="DIR", help="Slides without labels.")],
    detector: DetectorOption,
    out: OutOption,
    mined: Annotated[
        int, typer.Option("--mined-windows", min=1, help="Of the foreground windows of a batch, those mined.")
    ] = 6,
    floor: Annotated[
        float, typer.Option("--floor", metavar="T", help="Below it at the first look, no more looks.")
    ] = 0.5,
    threshold: Annotated[
        float, typer.Option("--threshold", metavar="T", help="A figure is mined above it, however it lies.")
    ] = 0.5,
    changes: SetOption = None,
    as_json: JsonOption = False,
) -> None:
    """Learn from unlabelled slides what a detector is sure of, and say whether it helped (Akram et al.)."""
    learner = make_learner(detector, None, changes, mined=mined)
    from mitoscope.image_names import IMAGE_SUFFIXES
    from mitoscope.loops.mining import MiningConfig
    from mitoscope.loops.self_train import self_train as run_loop
    from mitoscope.store import Store

    config = MiningConfig.parse({"floor": floor, "threshold": threshold}, where="self-training")
    files = {file.name: file for file in _files(unlabelled) if file.suffix.casefold() in IMAGE_SUFFIXES}
    with Store.open(study) as store:
        done = run_loop(make_material(store, version, slides, learner), files, out, config=config, say=_say)
    _show_self_trained(done, as_json)


def make_learner(
    detector: Path | None, classifier: Path | None, changes: list[str] | None = None, *, mined: int = 0
) -> RecipeLearner:
    """Return a learner by recipes.

    Raises
    ------
    ConfigError
        If training is not installed, or a recipe does not fit.
    """
    from mitoscope.cli.train import need_training

    need_training()
    from mitoscope.loops.recipe_learner import RecipeLearner

    first = None if detector is None else _recipe(detector, "detector", changes or ())
    second = None if classifier is None else _recipe(classifier, "verifier", ())
    return RecipeLearner(first, second, mined=mined)


def _recipe(path: Path, part: str, changes: Any) -> Recipe:
    """Read a recipe; of a dual one the part that is meant."""
    from mitoscope.train import DualRecipe
    from mitoscope.train.recipe import read_recipe

    found = read_recipe(path, changes)
    return getattr(found, part) if isinstance(found, DualRecipe) else found


def make_material(store: Store, version: str, slides: Path, learner: RecipeLearner) -> Material:
    """Return a frozen version with its files and a learner.

    Raises
    ------
    StoreError
        If there is no such version.
    FormatError
        If a slide has no file.
    """
    from mitoscope.loops.crops import find_slides
    from mitoscope.loops.material import Material

    frozen = store.version(version)
    files = find_slides(slides, [slide.name for slide in frozen.truth.slides])
    return Material(store, frozen, files, learner)


def _files(folder: Path) -> list[Path]:
    from mitoscope.errors import FormatError

    if not folder.is_dir():
        raise FormatError("no such folder", where=folder, mend="give the folder of the unlabelled slides")
    return sorted(one for one in folder.iterdir() if one.is_file())


def _say(line: str) -> None:
    typer.echo(line, err=True)


def _show_self_trained(done: SelfTrained, as_json: bool) -> None:
    from dataclasses import asdict

    before, after = done.before.score, done.after.score
    if as_json:
        sides = {"supervised": before.as_dict(), "self_trained": after.as_dict()}
        bundles = {"bundles": [str(done.supervised), str(done.final)]}
        mined = {**asdict(done.count), "consistency": done.count.consistency}
        print_json({**bundles, "mined": mined, **sides, "gain": done.gain.as_dict()})
        return
    rows = [
        [what, score.tp, score.fp, score.fn, score.precision, score.recall, score.f1]
        for what, score in (("supervised", before), ("with mined figures", after))
    ]
    columns = ("detector", "TP", "FP", "FN", "precision", "recall", "F1")
    print_table("On the validation slides", columns, rows)
    count, ends = done.count, done.gain.f1.interval
    share = f"{100 * count.consistency:.0f} %" if count.candidates else "none"
    typer.echo(f"{count.consistent} figures mined of {count.candidates} candidates ({share} consistent)")
    gain = "not defined" if done.gain.f1.value is None else f"{done.gain.f1.value:+.3f}"
    interval = "" if ends is None else f" (95 % interval {ends.low:+.3f} to {ends.high:+.3f})"
    typer.echo(f"gain in F1 {gain}{interval}; {done.final}")
