"""From a recipe to bundles: one run, several, or the two of a dual detector."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Final

from PIL import Image, ImageDraw

from mitoscope.bundle import Bundle, load_bundle
from mitoscope.cluster import Request, open_executor
from mitoscope.data.field import Field
from mitoscope.data.sampling import DETECTOR, CandidatesConfig, HardPool
from mitoscope.data.sources import read_fields
from mitoscope.data.target import FIGURE, Batch
from mitoscope.errors import ConfigError, IncompleteRunError, OutputError
from mitoscope.fsio import atomic_write, make_directory
from mitoscope.models.family import Family
from mitoscope.train.checkpoint import CHECKPOINT_NAME, load
from mitoscope.train.detect import propose
from mitoscope.train.dual import write_dual
from mitoscope.train.job import Job, new_state, setup
from mitoscope.train.journal import say
from mitoscope.train.packing import Packed, pack, write
from mitoscope.train.recipe import RECIPE_NAME, DualRecipe, Recipe, read_recipe
from mitoscope.train.repeats import Member, Summary, members_of
from mitoscope.train.run import main
from mitoscope.train.state import put_weights

BUNDLE_NAME: Final = "bundle"


def train(
    recipe: str | Path | Recipe | DualRecipe,
    data: str | Path,
    out: str | Path,
    *,
    resume: bool = False,
    changes: Sequence[str] = (),
    cluster: str | None = None,
) -> Bundle:
    """Train what a recipe says and write its bundle.

    Parameters
    ----------
    recipe : str, Path, Recipe or DualRecipe
        TOML file, or the recipe itself.
    data : str or Path
        Folder of the data.
    out : str or Path
        Folder of the run: recipe, metrics, checkpoint and, at the end, the folder ``bundle``. Several runs
        (seeds, folds) have a folder each, and a summary of their scores; the bundle of the first is returned.
    resume : bool
        Go on from the checkpoint in `out`; on the CPU the result is the same as without the interruption.
    changes : sequence of str
        ``key=value``, for a recipe from a file.
    cluster : str, optional
        Where several runs are trained side by side: ``local`` or the address of a Ray cluster.

    Raises
    ------
    ConfigError
        If the recipe has an unknown key or a value out of range, or a cluster is asked for where there is one
        run, or one on several GPUs.
    ClusterError
        As `mitoscope.cluster.open_executor`.
    TrainingDataError
        If data are missing or damaged, or a case is on both sides of the split.
    LedgerMismatchError
        If the checkpoint belongs to another recipe or other data.
    NonFiniteError
        If the loss is NaN or infinite, naming the step.
    StoppedError
        If the run is stopped; it can be resumed.
    """
    data, out = Path(data), Path(out)
    settings = read_recipe(Path(recipe), changes) if isinstance(recipe, str | Path) else recipe
    if isinstance(settings, DualRecipe):
        _refuse_cluster(cluster, runs=1)
        return _train_dual(settings, data, out, resume=resume)
    _check_target(out, resume=resume)
    members = members_of(seed=settings.run.seed, repeats=settings.run.repeats, folds=settings.run.folds)
    _refuse_cluster(cluster, runs=len(members), devices=settings.run.devices)
    work = MemberWork(settings, data, out, fields_for(settings, data))
    with open_executor(cluster, _request(settings, out, cluster)) as executor:
        found = dict(executor.run(work, members))
    scores = {member.name: found[member] for member in members}
    if len(members) > 1:
        summary = Summary.of(scores)
        summary.write(out)
        for line in summary.lines():
            say(line)
    return load_bundle(out / members[0].name / BUNDLE_NAME)


@dataclass(frozen=True, eq=False)
class MemberWork:
    """The training of one of several runs, in this process or any other.

    Parameters
    ----------
    recipe : Recipe
    data, out : Path
    fields : sequence of Field
        As they are read here; where the work arrives they are read again.
    """

    recipe: Recipe
    data: Path
    out: Path
    fields: Sequence[Field]

    def __reduce__(self) -> tuple[object, ...]:
        return member_work_there, (self.recipe.model_dump_json(), self.data.absolute(), self.out.absolute())

    def __call__(self, member: Member) -> dict[str, float]:
        """Train a run, or go on with it, and return its scores; its bundle lies in its folder.

        What lies there is of this run: `train` has refused everything else before.
        """
        folder = self.out / member.name
        return _train_one(self.recipe, self.fields, self.data, folder, member=member, resume=True)[1]


@lru_cache(maxsize=1)
def member_work_there(recipe: str, data: Path, out: Path) -> MemberWork:
    """Read the data of a recipe again in another process; errors as `fields_for`."""
    settings = Recipe.parse(json.loads(recipe), where="recipe")
    return MemberWork(settings, data, out, fields_for(settings, data))


def _request(recipe: Recipe, out: Path, cluster: str | None) -> Request:
    packages = (*Request().packages, "torch")
    folders = (make_directory(out),) if cluster else ()
    return Request(recipe.run.threads, int(recipe.run.device == "cuda"), packages, folders)


def _refuse_cluster(cluster: str | None, *, runs: int, devices: int = 1) -> None:
    """Refuse a cluster where there is nothing to divide, or where Fabric divides already.

    Raises
    ------
    ConfigError
        If so.
    """
    if cluster is None or (runs > 1 and devices == 1):
        return
    what = "there is one run to train" if runs == 1 else f"each run takes {devices} GPUs of one machine"
    mend = "leave it out, or set run.folds or run.repeats, with run.devices=1"
    raise ConfigError(what, where="--cluster", mend=mend)


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
        # What a detector proposes is not known before it is trained.
        fields = (
            read_fields(part.data.source, data, mpp=part.model.mpp)
            if _waits_for_detector(part)
            else fields_for(part, data)
        )
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


def fields_for(recipe: Recipe, data: Path, *, detector: Path | None = None) -> list[Field]:
    """Read the fields of a recipe, with the proposals of a first stage where its scheme draws from them.

    Parameters
    ----------
    recipe : Recipe
    data : Path
        Folder of the data set.
    detector : Path, optional
        The bundle of the detector of a dual recipe, for a scheme whose first stage it is.

    Raises
    ------
    TrainingDataError, TruthError
        As `read_fields`.
    BundleError, ConfigError
        If the first stage cannot be loaded, or proposes nothing at this resolution.
    """
    fields = read_fields(recipe.data.source, data, mpp=recipe.model.mpp)
    sampling = recipe.data.sampling
    if not isinstance(sampling, CandidatesConfig):
        return fields
    bundle = load_bundle(detector if detector and _waits_for_detector(recipe) else sampling.first_stage)
    return propose(fields, bundle, floor=sampling.floor, mpp=recipe.model.mpp)


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
    parts: list[tuple[Packed, Job]] = []
    for name, part in recipe.parts.items():
        say(f"{name}: {part.architecture}, {part.steps} steps")
        fields = fields_for(part, data, detector=out / DETECTOR / BUNDLE_NAME)
        member = Member("", part.run.seed, None)
        job, family = _fit(part, fields, data, out / name, member=member, resume=resume)
        if job.leads:
            parts.append((pack(family, job), job))
            if not (out / name / BUNDLE_NAME).exists():  # else a run that was stopped wrote it
                write(*parts[-1], out / name / BUNDLE_NAME)
        job.fabric.barrier()
    if job.leads:
        recipe.to_toml(out / RECIPE_NAME)
        first, second = parts
        _, told = write_dual(recipe, first, second, out / BUNDLE_NAME)
        say(", ".join(f"{name.replace('_', ' ')} {value:.3f}" for name, value in told.items()))
    job.fabric.barrier()
    return load_bundle(out / BUNDLE_NAME)


def _waits_for_detector(recipe: Recipe) -> bool:
    """Return whether the candidates are those of the first part of a dual recipe."""
    sampling = recipe.data.sampling
    return isinstance(sampling, CandidatesConfig) and sampling.first_stage == DETECTOR


def _check_target(out: Path, *, resume: bool) -> None:
    """Refuse a folder in which a run has ended, or has begun and is not to be resumed."""
    if (out / BUNDLE_NAME).exists():
        raise OutputError("exists already", where=out / BUNDLE_NAME, mend="choose another --out")
    if not resume and any(out.rglob(CHECKPOINT_NAME)):
        raise OutputError("a run is here already", where=out, mend="add --resume or choose another --out")


_COLOURS: Final = ("#ffd43b", "#1c7ed6", "#37b24d", "#e64980")
_GAP_PX: Final = 6
_SHEET_PX: Final = 1600


def contact_sheet(batch: Batch, labels: tuple[str, ...], *, score: str | None = None) -> Image.Image:
    """Draw the windows of a batch with boxes (by class), cells of the dense target, and a legend below.

    Parameters
    ----------
    batch : Batch
    labels : tuple of str
        Names by class, for the legend of the boxes.
    score : str, optional
        What the score of a window states, for the legend; without it no score is drawn.
    """
    n, height, width = batch.rgb.shape[:3]
    columns = max(min(math.ceil(math.sqrt(n)), _SHEET_PX // (width + _GAP_PX)), 1)
    rows = math.ceil(n / columns)
    sheet = Image.new("RGB", (columns * (width + _GAP_PX), rows * (height + _GAP_PX) + 24), "white")
    for index in range(n):
        place = ((index % columns) * (width + _GAP_PX), (index // columns) * (height + _GAP_PX))
        sheet.paste(_window(batch, index, with_score=score is not None), place)
    draw, x = ImageDraw.Draw(sheet), 4
    for name, colour in zip(labels, _COLOURS, strict=False):
        draw.rectangle((x, sheet.height - 18, x + 12, sheet.height - 6), outline=colour, width=2)
        draw.text((x + 18, sheet.height - 18), name, fill="black")
        x += 36 + int(draw.textlength(name))
    if score is not None:
        draw.text((x, sheet.height - 18), f"number: {score}", fill="black")
    return sheet


def _window(batch: Batch, index: int, *, with_score: bool) -> Image.Image:
    picture = Image.fromarray(batch.rgb[index].numpy())
    draw = ImageDraw.Draw(picture)
    if batch.cells is not None:
        side = picture.width // batch.cells.shape[2]
        for row, column in (batch.cells[index] == FIGURE).nonzero().tolist():
            draw.rectangle(
                (column * side, row * side, (column + 1) * side - 1, (row + 1) * side - 1),
                outline=_COLOURS[0],
            )
    else:
        for box, which in zip(batch.boxes[index].tolist(), batch.classes[index].tolist(), strict=True):
            draw.rectangle(box, outline=_COLOURS[which % len(_COLOURS)], width=2)
    if with_score:
        draw.text((4, 2), f"{float(batch.score[index]):.2f}", fill="black")
    return picture


def export_run(run: Path, out: Path, *, data: Path) -> Bundle:
    """Write the best weights of a training run as a bundle.

    Parameters
    ----------
    run : Path
        Folder of the run, with its recipe and its checkpoint; of a dual detector, the one that holds both.
    out : Path
        Folder of the bundle; must not exist.
    data : Path
        Folder of the data that the run was trained on.

    Raises
    ------
    ConfigError
        If there is no recipe in the folder.
    LedgerMismatchError
        If the checkpoint belongs to another recipe or other data.
    IncompleteRunError
        If the run has not yet been validated.
    """
    recipe = read_recipe(run / RECIPE_NAME)
    if isinstance(recipe, DualRecipe):
        detector = run / DETECTOR / BUNDLE_NAME
        parts = recipe.parts.items()
        first, second = (_packed(part, run / name, data, detector=detector) for name, part in parts)
        return write_dual(recipe, first, second, out)[0]
    packed, job = _packed(recipe, run, data)
    return write(packed, job, out)


def _packed(recipe: Recipe, run: Path, data: Path, *, detector: Path | None = None) -> tuple[Packed, Job]:
    fields = fields_for(recipe, data, detector=detector)
    job = setup(recipe, fields, data, out=run, member=Member("", recipe.run.seed, None))
    state = new_state(job)
    load(state, run / CHECKPOINT_NAME, run=job.fingerprint, architecture=recipe.architecture)
    if not state.best:
        raise IncompleteRunError(
            "not validated yet: there are no best weights", where=run, mend="train longer"
        )
    put_weights(state.judged, state.best)
    return pack(state.judged, job), job
