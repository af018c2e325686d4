"""A bundle from the best weights of a run so far, also of one that has not ended."""

from __future__ import annotations

from pathlib import Path

from mitoscope.bundle import Bundle
from mitoscope.errors import IncompleteRunError
from mitoscope.models.fcn_resnet import FcnResnet12
from mitoscope.train.job import read_pictures, setup
from mitoscope.train.packing import pack
from mitoscope.train.recipe import Recipe
from mitoscope.train.run import RECIPE_NAME, new_state
from mitoscope.train.state import CHECKPOINT_NAME, load, put_weights


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
    job = setup(recipe, read_pictures(data), data, out=run)
    state = new_state(job)
    load(state, run / CHECKPOINT_NAME, run=job.fingerprint)
    if not state.best:
        raise IncompleteRunError(
            "not validated yet: there are no best weights", where=run, mend="train longer"
        )
    put_weights(state.average, state.best)
    assert isinstance(state.average, FcnResnet12)
    return pack(
        state.average, recipe=recipe, field=job.field, validation=job.split.validation, data=data, folder=out
    )
