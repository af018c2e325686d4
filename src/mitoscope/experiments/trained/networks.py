"""Networks that experiments share: what was trained on the same fields by the same recipe is trained once."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from mitoscope import __version__
from mitoscope.bundle import Bundle, load_bundle
from mitoscope.data.field import Field
from mitoscope.data.sources import AnnotatedSlides, OpenData, Provenance
from mitoscope.data.split import SplitConfig
from mitoscope.fsio import make_directory

if TYPE_CHECKING:
    from mitoscope.models.family import Family
    from mitoscope.train.job import Job
    from mitoscope.train.recipe import DualRecipe, Recipe

NETWORKS: Final = "networks"
"""Folder of all trained networks, beside those of the experiments."""
BUNDLE: Final = "bundle"


@dataclass(frozen=True)
class Lesson:
    """What a network is trained on.

    Parameters
    ----------
    recipe : Recipe or DualRecipe
    fields : sequence of Field
    data : Path
        Folder that `source` lies in.
    source : AnnotatedSlides or OpenData
        What the bundle names as its training data.
    held_out : tuple of str, optional
        Cases that judge while training; by default as the recipe says.
    further : tuple of Provenance
        What the bundle names besides `source`.
    """

    recipe: Recipe | DualRecipe
    fields: Sequence[Field]
    data: Path
    source: AnnotatedSlides | OpenData
    held_out: tuple[str, ...] = ()
    further: tuple[Provenance, ...] = ()

    def key(self) -> str:
        """Return a hash of all that the weights depend on, this version of mitoscope included."""
        values = self.recipe.model_dump(mode="json")
        for part in (values, *(values.get(name, {}) for name in ("detector", "verifier"))):
            part.pop("bundle", None)
            for machine in ("device", "devices", "threads", "ahead", "tensorboard", "checkpoint_every"):
                part.get("run", {}).pop(machine, None)
        digest = hashlib.sha256(f"{__version__} {sorted(_flat(values))!r}".encode())
        digest.update("\n".join((*self.held_out, *(field.digest() for field in self.fields))).encode())
        return digest.hexdigest()


def learn(lesson: Lesson, networks: Path) -> Bundle:
    """Return the network of a lesson, trained unless it has been; a run that was stopped is gone on with.

    Raises
    ------
    TrainingDataError, NonFiniteError, IncompleteRunError
        If it cannot be trained.
    StoppedError
        If it is stopped.
    """
    folder = make_directory(networks / lesson.key()[:24])
    if not (folder / BUNDLE).exists():
        _train(lesson, folder)
    return load_bundle(folder / BUNDLE)


def _train(lesson: Lesson, folder: Path) -> None:
    from mitoscope.train.dual import write_dual
    from mitoscope.train.packing import pack, write
    from mitoscope.train.recipe import DualRecipe

    if not isinstance(lesson.recipe, DualRecipe):
        job, family = _fit(lesson, lesson.recipe, folder / "run")
        write(pack(family, job), job, folder / BUNDLE)
        return
    trained = [_fit(lesson, part, folder / name) for name, part in lesson.recipe.parts.items()]
    first, second = ((pack(family, job), job) for job, family in trained)
    write_dual(lesson.recipe, first, second, folder / BUNDLE)


def _fit(lesson: Lesson, recipe: Recipe, folder: Path) -> tuple[Job, Family]:
    from mitoscope.train.checkpoint import CHECKPOINT_NAME
    from mitoscope.train.job import setup
    from mitoscope.train.repeats import Member
    from mitoscope.train.run import main

    data: dict[str, Any] = {"source": lesson.source}
    if lesson.held_out:
        data["split"] = SplitConfig(held_out=lesson.held_out)
    recipe = recipe.model_copy(update={"data": recipe.data.model_copy(update=data)})
    member = Member("", recipe.run.seed, None)
    job = setup(recipe, lesson.fields, lesson.data, out=folder, member=member, further=lesson.further)
    state = main(job, resume=(folder / CHECKPOINT_NAME).exists())
    return job, state.judged


def _flat(values: Any, prefix: str = "") -> list[tuple[str, str]]:
    if isinstance(values, dict):
        return [pair for key, value in values.items() for pair in _flat(value, f"{prefix}.{key}")]
    return [(prefix, repr(values))]
