"""What every command takes: how much it says, where it logs, short names, variables and configuration files.

An option has the value of the command line; else of the variable ``MITOSCOPE_<COMMAND>_<OPTION>``; else of
``mitoscope.toml`` in the working folder; else of that in the user's configuration folder; else its default.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Annotated, Any, Final

import typer
from typer.main import get_command

from mitoscope import progress
from mitoscope.errors import ConfigError, OutputError
from mitoscope.written import config_folder

FILE_NAME: Final = "mitoscope.toml"
FILE_VARIABLE: Final = "MITOSCOPE_CONFIG"
"""Names the one file of settings, in place of those of the working folder and of the user; empty: none."""
SHORT: Final = {
    "--out": "-o",
    "--model": "-m",
    "--threads": "-j",
    "--format": "-f",
    "--formats": "-f",
    "--protocol": "-p",
}
"""One letter for the options that are typed most, the same in all commands."""
_LOG_FORM: Final = "%(asctime)s %(levelname)s %(name)s: %(message)s"
_LOG_HEAD: Final = b"# log of mitoscope\n"
_LOG: Final = logging.getLogger("mitoscope")
_OUTCOMES: Final = logging.getLogger("mitoscope.command")
"""What is printed besides: it goes into the log file alone."""


@dataclass
class _Speaking:
    """How this process speaks."""

    verbose: int = 0
    handlers: list[logging.Handler] = field(default_factory=list)

    def begin(self) -> None:
        """Forget the settings of an earlier command in this process."""
        for handler in self.handlers:
            _LOG.removeHandler(handler)
            handler.close()
        self.handlers.clear()
        self.verbose = 0
        progress.show(True)
        _LOG.setLevel(logging.NOTSET)

    def add(self, handler: logging.Handler, level: int) -> None:
        """Log from a level on."""
        handler.setLevel(level)
        self.handlers.append(handler)
        _LOG.addHandler(handler)
        _LOG.setLevel(min(each.level for each in self.handlers))


_SPEAKING = _Speaking()


def _quiet(wanted: bool) -> None:
    if wanted:
        progress.show(False)


def _verbose(times: int) -> None:
    if times and not _SPEAKING.verbose:
        _SPEAKING.verbose = times
        handler = logging.StreamHandler(sys.stderr)
        handler.setFormatter(logging.Formatter("%(message)s"))
        handler.addFilter(lambda record: record.name != _OUTCOMES.name)
        _SPEAKING.add(handler, logging.INFO if times == 1 else logging.DEBUG)


def _log_file(path: Path | None) -> None:
    if path is None:
        return
    try:
        with path.open("ab+") as stream:
            stream.seek(0)
            head = stream.read(len(_LOG_HEAD))
            if head and head != _LOG_HEAD:
                raise OutputError(
                    "is not a log file of mitoscope", where=path, mend="name another --log-file"
                )
            if not head:
                stream.write(_LOG_HEAD)
        handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    except OSError as error:
        raise OutputError(
            f"cannot be written ({error.strerror})", where=path, mend="name another --log-file"
        ) from None
    handler.setFormatter(logging.Formatter(_LOG_FORM))
    _SPEAKING.add(handler, logging.DEBUG)


QuietOption = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=_quiet, expose_value=False, help="No progress: only results and errors."
    ),
]
VerboseOption = Annotated[
    int,
    typer.Option(
        "--verbose",
        "-v",
        count=True,
        show_default=False,
        callback=_verbose,
        expose_value=False,
        help="Log decisions to standard error; -vv: everything.",
    ),
]
LogFileOption = Annotated[
    Path | None,
    typer.Option(
        "--log-file",
        metavar="FILE",
        callback=_log_file,
        expose_value=False,
        help="Append a log to this file; all three also work after the command.",
    ),
]


def begin() -> None:
    """Begin a command: no settings of an earlier one in this process hold."""
    _SPEAKING.begin()


def record(line: str, *, is_error: bool = False) -> None:
    """Log a line that is printed besides."""
    if _SPEAKING.handlers:
        _OUTCOMES.log(logging.ERROR if is_error else logging.INFO, "%s", line)


@cache
def _options() -> tuple[Any, ...]:
    """Return the options that every command takes besides its own."""
    alone = typer.Typer(rich_markup_mode=None, add_completion=False)

    @alone.command()
    def _common(
        quiet: QuietOption = False, verbose: VerboseOption = 0, log_file: LogFileOption = None
    ) -> None:
        pass

    options = [each for each in get_command(alone).params if "--help" not in each.opts]
    for each in options:
        each.hidden = True  # type: ignore[attr-defined]  # the help of mitoscope itself shows them
    return tuple(options)


def equip(command: Any, words: tuple[str, ...], beside: tuple[tuple[str, ...], ...]) -> None:
    """Give a command, and those below it, what every command takes.

    Parameters
    ----------
    command : typer command
    words : tuple of str
        By which it is called: ``("store", "import")``.
    beside : tuple of tuple of str
        For each of the words those that could stand in its place.
    """
    below = getattr(command, "commands", None)
    if below is not None:
        for name, each in below.items():
            equip(each, (*words, name), (*beside, tuple(below)))
        return
    own: dict[str, Any] = {}
    used: set[str] = set()
    for each in command.params:
        long = next((name for name in each.opts if name.startswith("--")), None)
        if long is None or long == "--help":
            continue
        own[long.removeprefix("--")] = each
        each.envvar, each.show_envvar = variable(words, long), False
        short = SHORT.get(long)
        if short is not None and short not in used and not each.is_flag:  # --format goes before --formats
            used.add(short)
            each.opts.append(short)
    command.params = [*command.params, *_options()]
    make_context = command.make_context

    def with_stated(name: str | None, args: list[str], parent: Any = None, **extra: Any) -> Any:
        # Asked for help, a command gives it whatever the files hold.
        stated = {} if {"-h", "--help"} & set(args) else _stated(words, own, beside)
        return make_context(name, args, parent, **extra, default_map=stated or None)

    command.make_context = with_stated


def _check_commands(known: Iterable[str], words: tuple[str, ...]) -> None:
    """Refuse configuration files that name a command which there is not."""
    for path, settings in files():
        table: Any = settings
        for word in words:
            table = table.get(word, {}) if isinstance(table, dict) else {}
        for name, value in table.items() if isinstance(table, dict) else ():
            if name not in known or not isinstance(value, dict):
                raise ConfigError(
                    f"no command {' '.join((*words, name))!r}",
                    where=path,
                    mend=f"put settings below [COMMAND], one of: {', '.join(known)}",
                )


def variable(words: tuple[str, ...], option: str) -> str:
    """Return the variable that states an option: ``MITOSCOPE_DETECT_QUALITY``."""
    return "_".join(("mitoscope", *words, option.removeprefix("--"))).replace("-", "_").upper()


def _stated(
    words: tuple[str, ...], own: Mapping[str, Any], beside: tuple[tuple[str, ...], ...]
) -> dict[str, Any]:
    """Return what the configuration files state for a command, by the names of its parameters.

    Raises
    ------
    ConfigError
        If they state what it does not take.
    """
    for depth, known in enumerate(beside):
        _check_commands(known, words[:depth])
    values: dict[str, Any] = {}
    for path, settings in reversed(files()):
        table: Any = settings
        for word in words:
            table = table.get(word, {}) if isinstance(table, dict) else {}
        if not isinstance(table, dict):
            raise ConfigError(
                f"[{'.'.join(words)}] is not a table", where=path, mend="write OPTION = VALUE below it"
            )
        unknown = [name for name in table if name not in own]
        if unknown:
            raise ConfigError(
                f"unknown setting {unknown[0]!r} in [{'.'.join(words)}]",
                where=path,
                mend=f"allowed: {', '.join(own)}",
            )
        values |= {own[name].name: _as_option(value) for name, value in table.items()}
    return values


def _as_option(value: Any) -> Any:
    """Return a value of TOML as an option takes it; a region may be ``[1000, 2000, 4096, 4096]`` there."""
    if isinstance(value, list):
        return tuple(value) if all(isinstance(each, str) for each in value) else ",".join(map(str, value))
    return value


def files() -> tuple[tuple[Path, dict[str, Any]], ...]:
    """Return the configuration files that hold, the strongest first, with what they state.

    Raises
    ------
    ConfigError
        If one cannot be read, or names a command that there is not.
    """
    paths = tuple(_paths())
    if not paths:  # the help of a command needs no library
        return ()
    from mitoscope.config import read_toml

    return tuple((path, read_toml(path)) for path in paths)


def _paths() -> Iterator[Path]:
    named = os.environ.get(FILE_VARIABLE)
    if named is not None:
        if named:
            yield Path(named)
        return
    user = config_folder()
    for path in (Path(FILE_NAME), *([] if user is None else [user / FILE_NAME])):
        if path.is_file():
            yield path
