"""A bundle from the best weights of a run so far, also of one that has not ended."""

from __future__ import annotations

from pathlib import Path

from mitoscope.bundle import Bundle
from mitoscope.data.sources import read_fields
from mitoscope.errors import IncompleteRunError
from mitoscope.train.checkpoint import CHECKPOINT_NAME, load
from mitoscope.train.job import RECIPE_NAME, new_state, setup
from mitoscope.train.packing import pack, write
from mitoscope.train.recipe import Recipe
from mitoscope.train.repeats import Member
from mitoscope.train.state import put_weights


def export_run(run: Path, out: Path, *, data: Path) -> Bundle:
    """Write the best weights of a training run as a bundle.

    Parameters
    ----------
    run : Path
        Folder of the run, with its recipe and its checkpoint.
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
    recipe = Recipe.from_toml(run / RECIPE_NAME)
    fields = read_fields(recipe.data.source, data, mpp=recipe.model.mpp)
    job = setup(recipe, fields, data, out=run, member=Member("", recipe.run.seed, None))
    state = new_state(job)
    load(state, run / CHECKPOINT_NAME, run=job.fingerprint, architecture=recipe.architecture)
    if not state.best:
        raise IncompleteRunError(
            "not validated yet: there are no best weights", where=run, mend="train longer"
        )
    put_weights(state.judged, state.best)
    return write(pack(state.judged, job), job, out)
