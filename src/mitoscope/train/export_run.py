"""A bundle from the best weights of a run so far, also of one that has not ended."""

from __future__ import annotations

from pathlib import Path

from mitoscope.bundle import Bundle
from mitoscope.data.sources import read_fields
from mitoscope.errors import IncompleteRunError
from mitoscope.train.checkpoint import CHECKPOINT_NAME, load
from mitoscope.train.dual import write_dual
from mitoscope.train.job import Job, new_state, setup
from mitoscope.train.packing import Packed, pack, write
from mitoscope.train.recipe import RECIPE_NAME, DualRecipe, Recipe, read_recipe
from mitoscope.train.repeats import Member
from mitoscope.train.state import put_weights


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
        first, second = (_packed(part, run / name, data) for name, part in recipe.parts.items())
        return write_dual(recipe, first, second, out)[0]
    packed, job = _packed(recipe, run, data)
    return write(packed, job, out)


def _packed(recipe: Recipe, run: Path, data: Path) -> tuple[Packed, Job]:
    fields = read_fields(recipe.data.source, data, mpp=recipe.model.mpp)
    job = setup(recipe, fields, data, out=run, member=Member("", recipe.run.seed, None))
    state = new_state(job)
    load(state, run / CHECKPOINT_NAME, run=job.fingerprint, architecture=recipe.architecture)
    if not state.best:
        raise IncompleteRunError(
            "not validated yet: there are no best weights", where=run, mend="train longer"
        )
    put_weights(state.judged, state.best)
    return pack(state.judged, job), job
