"""The application: its verbs, and the border at which every error becomes one line and an exit status."""

from __future__ import annotations

import errno
import os
import shlex
import sys
import time
import warnings
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup
from typer.exceptions import TyperException
from typer.main import get_command, get_group

from mitoscope import __version__
from mitoscope.cli.common import (
    LogFileOption,
    QuietOption,
    VerboseOption,
    begin,
    equip,
    record,
)
from mitoscope.cli.console import Console
from mitoscope.cli.terminal import as_json, print_json
from mitoscope.errors import MitoscopeError
from mitoscope.figure import use_cache_folder
from mitoscope.written import keep_seals

_INTERRUPTED = 130
_NAME_SHOWN = 60
_BAD_NAMES = (errno.ENAMETOOLONG, errno.ELOOP)
"""What the user named cannot be a file: bad input, not a failed run."""
_VERBS = {
    "demo": "demo.demo",
    "open": "open.open_",
    "detect": "detect.detect",
    "cohort": "cohort.cohort",
    "results": "results.app",
    "count": "count.count",
    "evaluate": "evaluate.evaluate",
    "compare": "compare.compare",
    "train": "train.train",
    "serve": "serve.serve",
    "synth": "demo.synth",
    "doctor": "doctor.doctor",
    "store": "store.app",
    "curate": "curate.app",
    "data": "data.app",
    "bundle": "bundle.app",
    "experiment": "experiment.app",
}
"""Verbs in the order of the help, and where each stands in this package."""


class _Commands(Mapping[str, Any]):
    """The command of each verb, built when it is asked for: building all takes longer than `count` runs."""

    def __getitem__(self, verb: str) -> Any:
        return _built(verb)

    def __iter__(self) -> Iterator[str]:
        return iter(_VERBS)

    def __len__(self) -> int:
        return len(_VERBS)


@cache
def _built(verb: str) -> Any:
    # The help asks for each verb several times.
    module, name = _VERBS[verb].split(".")
    entry = getattr(import_module(f"mitoscope.cli.{module}"), name)
    alone = typer.Typer(rich_markup_mode=None)
    if isinstance(entry, typer.Typer):
        alone.add_typer(entry, name=verb, cls=_Group)
    else:
        alone.command(verb)(entry)
    command = get_group(alone).commands[verb]
    equip(command, (verb,), (tuple(_VERBS),))
    return command


class _Group(TyperGroup):
    """A command with commands below it; called bare it shows its help, as it does for ``--help``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        return super().parse_args(ctx, args or ["--help"])


class _Root(_Group):
    def __init__(self, **settings: Any) -> None:
        super().__init__(**{**settings, "commands": _Commands()})

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        begin()
        return super().parse_args(ctx, args)


app = typer.Typer(
    name="mitoscope",
    cls=_Root,
    help="Find, count and curate mitotic figures in H&E whole-slide images.",
    epilog="For research use only.",
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"mitoscope {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    quiet: QuietOption = False,
    verbose: VerboseOption = 0,
    log_file: LogFileOption = None,
    version: Annotated[
        bool,
        typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and stop."),
    ] = False,
) -> None:
    pass


def run() -> None:
    """Run the command line and leave with its exit status."""
    warnings.simplefilter("default" if _debugging() else "ignore")
    use_cache_folder()
    keep_seals()
    console = Console()
    started = time.monotonic()
    status = _status()
    record(
        f"mitoscope {__version__}, {_as_shown(sys.argv[1:])}: status {status}, "
        f"{time.monotonic() - started:.1f} s"
    )
    failure = console.close()
    if failure is not None and not status:
        status = _fail(f"standard output: {failure.strerror}; all else of the command is done", 1, failure)
    sys.exit(status)


def _as_shown(words: list[str]) -> str:
    """Return a command as it is logged: addresses without credentials."""
    if any("://" in word for word in words):
        from mitoscope.remote import without_credentials

        words = [without_credentials(word) for word in words]
    return shlex.join(words)


def _status() -> int:
    try:
        outcome = app(standalone_mode=False, prog_name="mitoscope")
    except MitoscopeError as error:
        return _fail(str(error), error.exit_status, error)
    except TyperException as error:
        line = f"{error.format_message()} (see {_command()} --help)"
        return _fail(line, error.exit_code, error, kind="UsageError")
    except typer.Abort:
        outcome = _INTERRUPTED
    except OSError as error:
        return _fail(_system_fault(error), 2 if error.errno in _BAD_NAMES else 1, error)
    except Exception as error:  # the process border
        return _fail(f"unexpected {type(error).__name__}: {error}; MITOSCOPE_DEBUG=1 shows where", 1, error)
    if outcome == _INTERRUPTED:
        return _fail("stopped; repeat the same command to continue", 1, None, kind="StoppedError")
    return outcome if isinstance(outcome, int) else 0


def _system_fault(error: OSError) -> str:
    """Return what the system could not do, in one line, and with what file."""
    name = str(error.filename or "")
    shown = f"{name[:_NAME_SHOWN]}…" if len(name) > _NAME_SHOWN else name
    return f"{shown + ': ' if shown else ''}{error.strerror or error}"


def _command() -> str:
    """Return the command that was called, as it is written: ``mitoscope store import``."""
    words, node = ["mitoscope"], get_command(app)
    for word in sys.argv[1:]:
        if word not in getattr(node, "commands", {}):
            break
        words.append(word)
        node = node.commands[word]  # type: ignore[attr-defined]
    return " ".join(words)


def _fail(line: str, status: int, error: BaseException | None, *, kind: str = "") -> int:
    if error is not None and _debugging():
        raise error
    line = " ".join(line.split())
    if "--json" in sys.argv[1:]:
        print_json({"error": as_json(error, line, status, kind=kind)})
    typer.echo(f"error: {line}", err=True)
    record(line, is_error=True)
    return status


def _debugging() -> bool:
    return os.environ.get("MITOSCOPE_DEBUG", "") not in ("", "0")
