"""``mitoscope train``: train a detector from a recipe."""

from __future__ import annotations

from importlib import util
from pathlib import Path
from typing import Annotated

import typer

from mitoscope.errors import ConfigError


def need_training() -> None:
    """Stop with the mend where the extra ``train`` is not installed.

    Raises
    ------
    ConfigError
        If torch is missing.
    """
    if util.find_spec("torch") is None or util.find_spec("lightning_fabric") is None:
        raise ConfigError(
            "training needs torch, which is not installed", mend="pip install 'mitoscope[train]'"
        )


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file, e.g. recipes/semi-fcn.toml.")],
    data: Annotated[Path, typer.Option("--data", metavar="DIR", help="Folder of the training data.")] = Path(
        "../shared/data"
    ),
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder of the run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the last checkpoint.")] = False,
) -> None:
    """Train a detector from a recipe; ends with a model bundle."""
    need_training()
    from mitoscope.train import train as run_training

    target = Path("runs") / recipe.stem if out is None else out
    bundle = run_training(recipe, data, target, resume=resume)
    typer.echo(f"{bundle.manifest.source} written to {bundle.folder}")
