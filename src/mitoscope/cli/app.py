"""The application: its verbs, and the border at which every error becomes one line and an exit status."""

from __future__ import annotations

import os
import sys
import warnings
from typing import Annotated

import typer
from typer.exceptions import TyperException
from typer.main import get_command

from mitoscope import __version__
from mitoscope.cli import (
    bundle,
    count,
    curate,
    data,
    demo,
    detect,
    doctor,
    evaluate,
    experiment,
    serve,
    store,
    train,
)
from mitoscope.errors import MitoscopeError
from mitoscope.figure import use_cache_folder

_INTERRUPTED = 130

app = typer.Typer(
    name="mitoscope",
    help="Find, count and curate mitotic figures in H&E whole-slide images.",
    epilog="For research use only.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mitoscope {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
) -> None:
    pass


app.command("demo")(demo.demo)
app.command("detect")(detect.detect)
app.command("count")(count.count)
app.command("evaluate")(evaluate.evaluate)
app.add_typer(store.app, name="store")
app.add_typer(curate.app, name="curate")
app.add_typer(data.app, name="data")
app.command("train")(train.train)
app.add_typer(bundle.app, name="bundle")
app.add_typer(experiment.app, name="experiment")
app.command("serve")(serve.serve)
app.command("synth")(demo.synth)
app.command("doctor")(doctor.doctor)


def run() -> None:
    """Run the command line and leave with its exit status."""
    warnings.simplefilter("default" if _debugging() else "ignore")
    use_cache_folder()
    sys.exit(_status())


def _status() -> int:
    try:
        outcome = app(standalone_mode=False)
    except MitoscopeError as error:
        return _fail(str(error), error.exit_status, error)
    except TyperException as error:
        return _fail(f"{error.format_message()} (see {_command()} --help)", error.exit_code, error)
    except typer.Abort:
        outcome = _INTERRUPTED
    except BrokenPipeError:
        # The reader of our output went away (mitoscope ... | head): nothing is wrong with the run.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except Exception as error:  # the process border
        return _fail(f"unexpected {type(error).__name__}: {error}; MITOSCOPE_DEBUG=1 shows where", 1, error)
    if outcome == _INTERRUPTED:
        return _fail("stopped; the same command goes on where it stopped", 1, None)
    return outcome if isinstance(outcome, int) else 0


def _command() -> str:
    """Return the command that was called, as it is written: ``mitoscope store import``."""
    words, node = ["mitoscope"], get_command(app)
    for word in sys.argv[1:]:
        if word not in getattr(node, "commands", {}):
            break
        words.append(word)
        node = node.commands[word]  # type: ignore[attr-defined]
    return " ".join(words)


def _fail(line: str, status: int, error: BaseException | None) -> int:
    if error is not None and _debugging():
        raise error
    typer.echo(f"error: {' '.join(line.split())}", err=True)
    return status


def _debugging() -> bool:
    return os.environ.get("MITOSCOPE_DEBUG", "") not in ("", "0")
