"""``mitoscope experiment``: the tables and figures of the papers, run and shown beside the published ones."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from mitoscope.cli.options import THREADS_MAX, ClusterOption, JsonOption
from mitoscope.cli.terminal import print_json, print_table, say
from mitoscope.progress import progress
from mitoscope.wording import say_number

app = typer.Typer(help="Run the tables and figures of the papers.", rich_markup_mode=None)

_Recipes = Annotated[
    Path | None,
    typer.Option("--recipes", metavar="DIR", help="Folder of the recipes; default: the shipped ones."),
]


@app.command("list")
def show_all(recipes: _Recipes = None, as_json: JsonOption = False) -> None:
    """List all experiments with their sizes, their data and the cost of the full size."""
    from mitoscope.experiments.shelf import experiments, recipes_folder
    from mitoscope.experiments.trained.cost import BASIS, CPU_BASIS

    folder = recipes_folder(recipes)
    found = experiments(folder)
    if as_json:
        print_json(
            {"experiments": [_as_dict(experiment) | _cost(experiment, folder) for experiment in found]}
        )
        return
    rows = []
    for experiment in found:
        cost = _cost(experiment, folder)
        spent = [f"{cost[key]:,.{digits}f}" if cost else "" for key, digits in _COSTS.items()]
        sizes = ", ".join(experiment.sizes)
        rows.append((experiment.name, experiment.paper, experiment.shows, sizes, experiment.needs, *spent))
    titles = ("experiment", "paper", "shows", "sizes", "needs for the full size")
    print_table("", (*titles, "networks", "GPU hours", "CPU hours", "disk, GB", "GPU memory, GB"), rows)
    typer.echo(f"GPU hours: {BASIS}.\nCPU hours: {CPU_BASIS}.")


@app.command()
def show(
    name: Annotated[str, typer.Argument(metavar="NAME", help="Experiment; experiment list shows all.")],
    recipes: _Recipes = None,
    as_json: JsonOption = False,
) -> None:
    """Show an experiment and every value that the paper prints."""
    from mitoscope.experiments.shelf import find_experiments, recipes_folder
    from mitoscope.experiments.trained.cost import BASIS, CPU_BASIS

    folder = recipes_folder(recipes)
    (experiment,) = find_experiments([name], folder)[:1]
    if as_json:
        print_json(_as_dict(experiment) | _cost(experiment, folder) | _published(experiment))
        return
    typer.echo(f"{experiment.name}: {experiment.paper} {experiment.shows}")
    typer.echo(f"sizes: {', '.join(experiment.sizes)}; needs for the full size {experiment.needs}")
    if cost := _cost(experiment, folder):
        typer.echo(
            f"full size: {cost['networks']:,} networks, {cost['steps']:,} steps, "
            f"about {cost['hours']:,.1f} GPU hours ({BASIS}), "
            f"or {cost['cpu_hours']:,.0f} CPU hours ({CPU_BASIS}), "
            f"{cost['disk_gb']:.1f} GB of disk, {cost['memory_gb']:.1f} GB of GPU memory"
        )
    for table in experiment.printed:
        rows = [[row, *(_figure(table, row, one) for one in table.columns)] for row in table.rows]
        print_table(f"Published: {table.source}", ("", *table.columns), rows)
    if not experiment.printed:
        typer.echo("The paper prints no values for it.")


@app.command()
def run(
    names: Annotated[
        list[str], typer.Argument(metavar="NAME...", help="Experiments, or all; experiment list shows them.")
    ],
    out: Annotated[Path, typer.Option("--out", metavar="DIR", help="Folder of all results.")],
    data: Annotated[
        Path | None,
        typer.Option("--data", metavar="DIR", help="Folder of the data set; --smoke does without."),
    ] = None,
    smoke: Annotated[
        bool, typer.Option("--smoke", help="Synthetic slides, tiny networks, a few steps; needs no data.")
    ] = False,
    small: Annotated[
        bool, typer.Option("--small", help="Openly licensed pictures and short runs, for a laptop.")
    ] = False,
    resume: Annotated[bool, typer.Option("--resume", help="Continue; finished cells are kept.")] = False,
    device: Annotated[str, typer.Option("--device", help="cpu or cuda.")] = "cpu",
    threads: Annotated[
        int, typer.Option("--threads", min=1, max=THREADS_MAX, help="Threads of networks on the CPU.")
    ] = 1,
    recipes: _Recipes = None,
    cluster: ClusterOption = None,
    as_json: JsonOption = False,
) -> None:
    """Run experiments; each ends with its table beside the published one, as Markdown, CSV and JSON."""
    from mitoscope.cli.train import need_training
    from mitoscope.cluster import Request, open_executor
    from mitoscope.errors import ConfigError
    from mitoscope.experiments.experiment import Size, Workplace
    from mitoscope.experiments.run import run_experiment
    from mitoscope.experiments.shelf import find_experiments, recipes_folder
    from mitoscope.experiments.site import duration
    from mitoscope.fsio import make_directory

    if smoke and small:
        raise ConfigError("a run can have only one size", where="--smoke, --small", mend="choose one of them")
    if data is None and not smoke:
        raise ConfigError("the folder of the data is missing", where="--data", mend="name it, or try --smoke")
    if device not in ("cpu", "cuda"):
        raise ConfigError(f"no device {device!r}", where="--device", mend="cpu or cuda")
    folder = recipes_folder(recipes)
    wanted = find_experiments(names, folder)
    if any(experiment.trains for experiment in wanted):
        need_training()
    size = Size.SMOKE if smoke else Size.SMALL if small else Size.FULL
    workplace = Workplace(
        Path() if data is None else data,
        out,
        folder,
        size,
        device="cuda" if device == "cuda" else "cpu",
        threads=threads,
        tell=lambda line: typer.echo(line, err=True),
    )
    packages = (*Request().packages, "torch") if any(one.trains for one in wanted) else Request().packages
    request = Request(threads, int(device == "cuda"), packages, folders=(make_directory(out),))
    done: list[dict[str, Any]] = []
    with open_executor(cluster, request) as executor:
        for experiment in wanted:
            with progress(experiment.name, unit="cells") as report:
                outcome = run_experiment(
                    experiment, workplace, resume=resume, report=report, executor=executor
                )
            done.append(
                {
                    "experiment": experiment.name,
                    "folder": str(outcome.folder),
                    "cells": len(outcome.records),
                    "seconds": outcome.seconds,
                }
            )
            if not as_json:
                typer.echo(outcome.table.to_markdown())
                cells = say_number(len(outcome.records), "cell")
                typer.echo(f"{outcome.folder}: {cells}, {duration(outcome.seconds)}")
    if as_json:
        print_json({"experiments": done})


@app.command()
def report(
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the results.")],
    html: Annotated[Path, typer.Option("--html", metavar="DIR", help="Folder of the site.")],
    as_json: JsonOption = False,
) -> None:
    """Write a static site of all finished experiments with their provenance."""
    from mitoscope.experiments.site import find_finished, write_site

    finished = find_finished(out)
    first = write_site(finished, html)
    line = f"{first}: {len(finished)} experiments"
    say({"page": str(first), "experiments": len(finished)}, line, as_json)


_COSTS = {"networks": 0, "hours": 1, "cpu_hours": 0, "disk_gb": 1, "memory_gb": 1}


def _cost(experiment: Any, recipes: Path) -> dict[str, Any]:
    """Return what the networks of an experiment cost; nothing where none are trained, or torch is missing."""
    from dataclasses import asdict
    from importlib.util import find_spec

    if not experiment.trains or find_spec("torch") is None:
        return {}
    return asdict(experiment.cost(recipes))


def _published(experiment: Any) -> dict[str, Any]:
    held = experiment.printed
    return {
        "published_in": [table.source for table in held],
        "published": {row: values for table in held for row, values in table.as_dict().items()},
        "cells": [cell for table in held for cell in table.cells()],
    }


def _figure(table: Any, row: str, column: str) -> str:
    value, sd = table.rows[row].get(column), table.deviation(row, column)
    return "" if value is None else f"{value:g}" if sd is None else f"{value:g} ± {sd:g}"


def _as_dict(experiment: Any) -> dict[str, Any]:
    return {
        "name": experiment.name,
        "paper": experiment.paper,
        "shows": experiment.shows,
        "sizes": [size.value for size in experiment.sizes],
        "needs": experiment.needs,
        "trains": experiment.trains,
    }
