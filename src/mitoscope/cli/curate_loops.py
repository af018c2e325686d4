"""``mitoscope curate missed|hard-examples|split-ambiguous|self-train``: networks help to label."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mitoscope.cli.curate_inputs import read_scores
from mitoscope.cli.options import (
    BinsOption,
    ClusterOption,
    CountedAboveOption,
    DeviceOption,
    FoldSeedOption,
    FoldsOption,
    JsonOption,
    PolicyOption,
    ReviewArgument,
    SetOption,
    StudyArgument,
    as_score,
    parse_choice,
    parse_policy,
)
from mitoscope.cli.terminal import print_json, print_table, say

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

    from mitoscope.cluster import Executor
    from mitoscope.loops.material import Material
    from mitoscope.loops.recipe_learner import RecipeLearner
    from mitoscope.loops.self_train import SelfTrained
    from mitoscope.store import Store
    from mitoscope.train import Recipe

VersionOption = Annotated[
    str, typer.Option("--version", metavar="VERSION", help="Frozen version to learn from, e.g. MEL.")
]
SlidesOption = Annotated[Path, typer.Option("--slides", metavar="DIR", help="Folder of its slides.")]
DetectorOption = Annotated[Path, typer.Option("--detector", metavar="RECIPE", help="Recipe of the detector.")]
OutOption = Annotated[
    Path, typer.Option("--out", metavar="DIR", help="Folder of state, detectors and detections.")
]


def missed(
    study: StudyArgument,
    name: ReviewArgument,
    version: VersionOption,
    slides: SlidesOption,
    detector: DetectorOption,
    out: OutOption,
    classifier: Annotated[
        Path | None,
        typer.Option(
            "--classifier", metavar="RECIPE", help="Recipe of a classifier that scores the candidates."
        ),
    ] = None,
    folds: FoldsOption = 3,
    floor: Annotated[
        float,
        typer.Option(
            "--floor", metavar="T", callback=as_score, help="The detector's scores above it are candidates."
        ),
    ] = 0.3,
    threshold: CountedAboveOption = 0.0,
    bins: BinsOption = 10,
    seed: FoldSeedOption = 0,
    changes: SetOption = None,
    device: DeviceOption = None,
    cluster: ClusterOption = None,
    as_json: JsonOption = False,
) -> None:
    """Find missed figures: detectors propose candidates on cases they were not trained on (ODAEL)."""
    learner = make_learner(detector, classifier, changes, device=device, cluster=cluster)
    from mitoscope.loops.missed import MissedConfig, find_missed
    from mitoscope.store import Store

    values = {
        "folds": folds,
        "seed": seed,
        "refine": classifier is not None,
        "floor": floor,
        "threshold": threshold,
        "bins": bins,
    }
    config = MissedConfig.parse(values, where="missed figures")
    with Store.open(study) as store, open_workers(cluster, out, device) as executor:
        material = make_material(store, version, as_seen(slides, cluster), learner)
        done = find_missed(material, name, as_seen(out, cluster), config=config, say=_say, executor=executor)
    if as_json:
        found = {"candidates": len(done.cells), "repeated": done.is_repeated}
        bins_json = {str(number): count for number, count in done.bins.items()}
        print_json({"study": str(study), "review": name, **found, "bins": bins_json})
        return
    rows = [[f"{number} of {bins}", count] for number, count in done.bins.items()]
    print_table(f"Review {name!r}: candidates by score, high first", ("bin", "candidates"), rows)
    typer.echo(f"{len(done.cells)} candidates wait for two experts; next: 'mitoscope curate review'")


def self_train(
    study: StudyArgument,
    version: VersionOption,
    slides: SlidesOption,
    unlabelled: Annotated[Path, typer.Option("--unlabelled", metavar="DIR", help="Slides without labels.")],
    detector: DetectorOption,
    out: OutOption,
    mined: Annotated[
        int,
        typer.Option(
            "--mined-windows", min=1, max=1000, help="Mined windows among the foreground windows of a batch."
        ),
    ] = 6,
    floor: Annotated[
        float,
        typer.Option(
            "--floor",
            metavar="T",
            callback=as_score,
            help="Skip further views if the first view scores below it.",
        ),
    ] = 0.5,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold",
            metavar="T",
            callback=as_score,
            help="Mine figures that score above it in all views.",
        ),
    ] = 0.5,
    changes: SetOption = None,
    device: DeviceOption = None,
    cluster: ClusterOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train on confident detections in unlabelled slides and measure the gain (Akram et al.)."""
    learner = make_learner(detector, None, changes, mined=mined, device=device, cluster=cluster)
    from mitoscope.image_names import IMAGE_SUFFIXES
    from mitoscope.loops.mining import MiningConfig
    from mitoscope.loops.self_train import self_train as run_loop
    from mitoscope.store import Store

    config = MiningConfig.parse({"floor": floor, "threshold": threshold}, where="self-training")
    files = {
        file.name: file
        for file in _files(as_seen(unlabelled, cluster))
        if file.suffix.casefold() in IMAGE_SUFFIXES
    }
    with Store.open(study) as store, open_workers(cluster, out, device) as executor:
        material = make_material(store, version, as_seen(slides, cluster), learner)
        done = run_loop(material, files, as_seen(out, cluster), config=config, say=_say, executor=executor)
    _show_self_trained(done, as_json)


def open_workers(cluster: str | None, out: Path, device: str | None) -> AbstractContextManager[Executor]:
    """Return what does the steps of a loop; a step takes a core, and a GPU where networks use one."""
    from mitoscope.cluster import Request, open_executor
    from mitoscope.fsio import make_directory

    packages = (*Request().packages, "torch")
    folders = (make_directory(out),) if cluster else ()
    return open_executor(cluster, Request(1, int(device == "cuda"), packages, folders))


def as_seen(path: Path, cluster: str | None) -> Path:
    """Return a path as it was given, or one that means the same on every machine."""
    return path if cluster is None else path.absolute()


def make_learner(
    detector: Path | None,
    classifier: Path | None,
    changes: list[str] | None = None,
    *,
    mined: int = 0,
    device: str | None = None,
    cluster: str | None = None,
) -> RecipeLearner:
    """Return a learner by recipes.

    Raises
    ------
    ConfigError
        If training is not installed, a recipe does not fit, or there is no such device.
    """
    from mitoscope.cli.train import need_training

    need_training()
    from mitoscope.loops.recipe_learner import RecipeLearner

    first = None if detector is None else _recipe(detector, "detector", changes or ())
    second = None if classifier is None else _recipe(classifier, "verifier", ())
    where: Any = parse_choice("--device", device, ("cpu", "cuda"))
    return RecipeLearner(first, second, mined=mined, threads=None if cluster is None else 1, device=where)


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


def hard_examples(
    study: StudyArgument,
    name: ReviewArgument,
    scores: Annotated[
        Path | None,
        typer.Option(
            "--scores", metavar="CSV", help="cell,score for mitotic figure; default: train a classifier."
        ),
    ] = None,
    version: Annotated[
        str | None,
        typer.Option("--version", metavar="VERSION", help="Frozen version to learn from, e.g. MEL."),
    ] = None,
    slides: Annotated[
        Path | None, typer.Option("--slides", metavar="DIR", help="Folder of its slides.")
    ] = None,
    classifier: Annotated[
        Path | None, typer.Option("--classifier", metavar="RECIPE", help="Recipe of the classifier.")
    ] = None,
    out: Annotated[
        Path | None, typer.Option("--out", metavar="DIR", help="Folder of state and classifiers.")
    ] = None,
    folds: FoldsOption = 3,
    seed: FoldSeedOption = 0,
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold",
            metavar="T",
            callback=as_score,
            help="Non-mitotic cells above it are reviewed again.",
        ),
    ] = 0.9,
    policy: PolicyOption = None,
    device: DeviceOption = None,
    cluster: ClusterOption = None,
    as_json: JsonOption = False,
) -> None:
    """Re-review cells labelled non-mitotic that a classifier scores as mitotic (HEAEL).

    The classifier of each fold of cases is trained on the other folds. You can give scores instead.
    """
    from mitoscope.store import Store

    with Store.open(study) as store:
        if scores is not None:
            outcome = _by_scores(store, name, read_scores(scores), policy=policy, threshold=threshold)
        else:
            settings = {"folds": folds, "seed": seed, "threshold": threshold}
            outcome = _by_learning(
                store, name, (version, slides, classifier, out), settings, device, cluster=cluster
            )
    line = f"{outcome['asked']} of {outcome['scored']} cells are above {threshold:g} and not figures"
    line += f"; {outcome['new']} new in the review {name!r}" if outcome["asked"] else "; no review opened"
    say({"study": str(study), "review": name, **outcome}, line, as_json)


def _by_scores(
    store: Store, name: str, score_of: dict[int, float], *, policy: str | None, threshold: float
) -> dict[str, int]:
    from mitoscope.curation.hard_examples import against_labels
    from mitoscope.curation.review import open_review

    chosen = parse_policy(policy or "settled")
    scored, asked = against_labels(store, score_of, policy=chosen, threshold=threshold)
    return {"scored": scored, "asked": len(asked), "new": open_review(store, name, asked) if asked else 0}


def _by_learning(
    store: Store,
    name: str,
    given: tuple[str | None, Path | None, Path | None, Path | None],
    settings: dict[str, Any],
    device: str | None,
    *,
    cluster: str | None,
) -> dict[str, int]:
    from mitoscope.errors import ConfigError

    version, slides, classifier, out = given
    if version is None or slides is None or classifier is None or out is None:
        mend = "give --scores, or --version, --slides, --classifier and --out"
        raise ConfigError("neither scores nor the inputs to train a classifier", mend=mend)
    learner = make_learner(None, classifier, device=device, cluster=cluster)
    from mitoscope.loops.hard_examples import HardExamplesConfig, find_hard_examples

    config = HardExamplesConfig.parse(settings, where="hard examples")
    material = make_material(store, version, as_seen(slides, cluster), learner)
    with open_workers(cluster, out, device) as executor:
        done = find_hard_examples(
            material, name, as_seen(out, cluster), config=config, say=_say, executor=executor
        )
    return {"scored": len(done.score_of), "asked": len(done.asked), "new": done.new}


def split_ambiguous(
    study: StudyArgument,
    scores: Annotated[
        Path, typer.Option("--scores", metavar="CSV", help="cell,score of the dual stage for mitotic figure.")
    ],
    threshold: Annotated[
        float,
        typer.Option(
            "--threshold", metavar="T", callback=as_score, help="Above it a look-alike, else another cell."
        ),
    ] = 0.5,
    policy: PolicyOption = None,
    as_json: JsonOption = False,
) -> None:
    """Assign a class by score to cells without agreement (HEAEL); agreed cells stay."""
    from dataclasses import asdict

    from mitoscope.curation.settling import settle_ambiguous
    from mitoscope.store import Store

    with Store.open(study) as store:
        done = settle_ambiguous(
            store, read_scores(scores), policy=parse_policy(policy or "settled"), threshold=threshold
        )
    line = f"{done.look_alikes} look-alikes, {done.others} other cells; {done.without_score} have no score"
    say({"study": str(study), **asdict(done)}, line, as_json)
