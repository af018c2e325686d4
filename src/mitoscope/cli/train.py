"""``mitoscope train``: train a detector from a recipe."""

from __future__ import annotations

import json
from importlib import util
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mitoscope.cli.options import (
    ClusterOption,
    DataOption,
    ExaminedOption,
    JsonOption,
    LabelOption,
    PolicyOption,
    SetOption,
    parse_policy,
)
from mitoscope.cli.terminal import bundle_as_json, say
from mitoscope.errors import ConfigError
from mitoscope.extras import how_to_install

if TYPE_CHECKING:
    from mitoscope.truth import Policy


def need_training() -> None:
    """Say how to install the extra ``train`` where it is missing.

    Raises
    ------
    ConfigError
        If torch is missing.
    """
    if util.find_spec("torch") is None or util.find_spec("lightning_fabric") is None:
        raise ConfigError("training needs torch, which is not installed", mend=how_to_install("train"))


def train(
    recipe: Annotated[Path, typer.Argument(metavar="RECIPE", help="TOML file, e.g. recipes/semi-fcn.toml.")],
    data: DataOption,
    study: Annotated[
        str | None,
        typer.Option(
            "--study",
            metavar="STUDY[@VERSION]",
            help="Train on this version of a study, e.g. study.mito@MEL; its slides lie below --data.",
        ),
    ] = None,
    policy: PolicyOption = None,
    label: LabelOption = None,
    examined: ExaminedOption = None,
    out: Annotated[Path | None, typer.Option("--out", metavar="DIR", help="Folder of the run.")] = None,
    resume: Annotated[bool, typer.Option("--resume", help="Continue from the last checkpoint.")] = False,
    start_from: Annotated[
        str | None,
        typer.Option("--from", metavar="BUNDLE|RUN", help="Begin with the weights of a bundle or a run."),
    ] = None,
    steps: Annotated[
        int | None,
        typer.Option(
            "--steps", metavar="N", min=1, help="Train N steps, divided as the recipe divides its own."
        ),
    ] = None,
    changes: SetOption = None,
    device: Annotated[str | None, typer.Option("--device", help="cpu or cuda.")] = None,
    cluster: ClusterOption = None,
    samples: Annotated[
        Path | None,
        typer.Option("--show-samples", metavar="PNG", help="Draw what the network will see, and stop."),
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Train a detector or a classifier from a recipe; ends with a model bundle."""
    need_training()
    from mitoscope.train import show_samples
    from mitoscope.train import train as run_training
    from mitoscope.train.device import leads
    from mitoscope.train.settings import for_own_data, of_steps, read_settings

    values = read_settings(recipe)
    adapted = for_own_data(values) if study is not None else []
    if adapted:
        typer.echo(f"for your data: {', '.join(adapted)}", err=True)
    if steps is not None:
        adapted += of_steps(values, steps)
    settings = [*adapted, *_source(study, parse_policy(policy), label or [], examined), *(changes or ())]
    if start_from is not None:
        settings.append(f"start_from={start_from}")
    if device is not None:
        settings.append(f"run.device={device}")
    if samples is not None:
        show_samples(recipe, data, samples, changes=settings)
        say({"samples": str(samples)}, f"{samples} written", as_json)
        return
    target = Path("runs") / recipe.stem if out is None else out
    bundle = run_training(recipe, data, target, resume=resume, changes=settings, cluster=cluster)
    if leads():
        say(bundle_as_json(bundle), f"{bundle.manifest.source} written to {bundle.folder}", as_json)


def _source(study: str | None, policy: Policy | None, label: list[str], examined: str | None) -> list[str]:
    """Return the changes of a recipe that the options of its ground truth stand for."""
    stated: dict[str, object] = {}
    if policy is not None:
        stated["policy"] = str(policy)
    if label:
        stated["label_names"] = label
    if examined is not None:
        stated["examined"] = examined
    if study is None:
        return [f"data.source.{key}={json.dumps(value)}" for key, value in stated.items()]
    # A study is named from where the command runs, not from the folder of its slides.
    source = {"kind": "study", "study": str(Path(study).absolute()), **stated}
    return ["data.source={" + ", ".join(f"{key}={json.dumps(value)}" for key, value in source.items()) + "}"]
