"""From a recipe to bundles: one run, several, or the two of a dual detector."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.field import Field
from mitoscope.data.sampling import HardPool
from mitoscope.data.sheet import contact_sheet
from mitoscope.data.sources import read_fields
from mitoscope.errors import OutputError
from mitoscope.fsio import atomic_write
from mitoscope.models.family import Family
from mitoscope.train.checkpoint import CHECKPOINT_NAME
from mitoscope.train.dual import write_dual
from mitoscope.train.job import Job, setup
from mitoscope.train.journal import say
from mitoscope.train.packing import pack, write
from mitoscope.train.recipe import RECIPE_NAME, DualRecipe, Recipe, read_recipe
from mitoscope.train.repeats import Member, Summary, members_of
from mitoscope.train.run import main

BUNDLE_NAME: Final = "bundle"


def train(
    recipe: Path | Recipe | DualRecipe,
    data: Path,
    out: Path,
    *,
    resume: bool = False,
    changes: Sequence[str] = (),
) -> Bundle:
    """Train what a recipe says and write its bundle.

    Parameters
    ----------
    recipe : Path, Recipe or DualRecipe
        TOML file, or the recipe itself.
    data : Path
        Folder of the data.
    out : Path
        Folder of the run: recipe, metrics, checkpoint and, at the end, the folder ``bundle``. Several runs
        (seeds, folds) have a folder each, and a summary of their scores; the bundle of the first is returned.
    resume : bool
        Go on from the checkpoint in `out`; on the CPU the result is the same as without the interruption.
    changes : sequence of str
        ``key=value``, for a recipe from a file.

    Raises
    ------
    ConfigError
        If the recipe has an unknown key or a value out of range.
    TrainingDataError
        If data are missing or damaged, or a case is on both sides of the split.
    LedgerMismatchError
        If the checkpoint belongs to another recipe or other data.
    NonFiniteError
        If the loss is NaN or infinite, naming the step.
    StoppedError
        If the run is stopped; it can be resumed.
    """
    settings = read_recipe(recipe, changes) if isinstance(recipe, Path) else recipe
    if isinstance(settings, DualRecipe):
        return _train_dual(settings, data, out, resume=resume)
    _check_target(out, resume=resume)
    fields = read_fields(settings.data.source, data, mpp=settings.model.mpp)
    members = members_of(seed=settings.run.seed, repeats=settings.run.repeats, folds=settings.run.folds)
    bundles, scores = [], {}
    for member in members:
        folder = out / member.name
        bundle, scores[member.name] = _train_one(settings, fields, data, folder, member=member, resume=resume)
        bundles.append(bundle)
    if len(members) > 1:
        summary = Summary.of(scores)
        summary.write(out)
        for line in summary.lines():
            say(line)
    return bundles[0]


def show_samples(recipe: Path, data: Path, picture: Path, *, changes: Sequence[str] = ()) -> None:
    """Write a contact sheet of the first batch of a recipe: what its network will see.

    Raises
    ------
    ConfigError, TrainingDataError
        As `train`.
    OutputError
        If the picture cannot be written.
    """
    settings = read_recipe(recipe, changes)
    parts = list(settings.parts.values()) if isinstance(settings, DualRecipe) else [settings]
    for place, part in enumerate(parts):
        fields = read_fields(part.data.source, data, mpp=part.model.mpp)
        job = setup(part, fields, data, out=picture.parent, member=Member("", part.run.seed, None))
        sheet = contact_sheet(
            job.batches.draw(0, HardPool.empty()), part.model.labels, score=_score_of_a_window(part)
        )
        target = picture if place == 0 else picture.with_stem(f"{picture.stem}-verifier")
        with atomic_write(target) as stream:
            sheet.save(stream, "PNG")


def _score_of_a_window(recipe: Recipe) -> str | None:
    """Return what the score of a whole window states; None where a network learns places."""
    meanings = {
        "classifier": "class of the window, 0 for the first in the legend",
        "regressor": "agreement of the raters, from 0 to 1",
    }
    return meanings.get(recipe.model.architecture)


def _train_one(
    recipe: Recipe, fields: Sequence[Field], data: Path, out: Path, *, member: Member, resume: bool
) -> tuple[Bundle, dict[str, float]]:
    target = out / BUNDLE_NAME
    if resume and target.exists():  # one of several runs that has ended
        bundle = load_bundle(target)
        return bundle, {m.name: m.value for m in bundle.manifest.metrics[:3]}
    job, family = _fit(recipe, fields, data, out, member=member, resume=resume)
    scores: dict[str, float] = {}
    if job.leads:
        packed = pack(family, job)
        write(packed, job, target)
        scores = packed.scores
    job.fabric.barrier()
    return load_bundle(target), scores


def _fit(
    recipe: Recipe, fields: Sequence[Field], data: Path, out: Path, *, member: Member, resume: bool
) -> tuple[Job, Family]:
    job = setup(recipe, fields, data, out=out, member=member)
    state = main(job, resume=resume and (out / CHECKPOINT_NAME).exists())
    return job, state.judged


def _train_dual(recipe: DualRecipe, data: Path, out: Path, *, resume: bool) -> Bundle:
    _check_target(out, resume=resume)
    trained: list[tuple[Job, Family]] = []
    for name, part in recipe.parts.items():
        say(f"{name}: {part.architecture}, {part.steps} steps")
        fields = read_fields(part.data.source, data, mpp=part.model.mpp)
        member = Member("", part.run.seed, None)
        trained.append(_fit(part, fields, data, out / name, member=member, resume=resume))
    job = trained[0][0]
    if job.leads:
        recipe.to_toml(out / RECIPE_NAME)
        first, second = ((pack(family, own), own) for own, family in trained)
        _, told = write_dual(recipe, first, second, out / BUNDLE_NAME)
        say(", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in told.items()))
    job.fabric.barrier()
    return load_bundle(out / BUNDLE_NAME)


def _check_target(out: Path, *, resume: bool) -> None:
    """Refuse a folder in which a run has ended, or has begun and is not to be resumed."""
    if (out / BUNDLE_NAME).exists():
        raise OutputError("exists already", where=out / BUNDLE_NAME, mend="choose another --out")
    if not resume and any(out.rglob(CHECKPOINT_NAME)):
        raise OutputError("a run is here already", where=out, mend="add --resume or choose another --out")
