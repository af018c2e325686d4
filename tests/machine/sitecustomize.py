"""Begun with every Python whose PYTHONPATH names this folder: a machine unlike this one, and a witness.

What Windows does not have is taken away from mitoscope: modules that cannot be imported, functions that are
not there, but for those named in MACHINE_KEEPS. What is opened for writing and what is connected to is noted
in the file MACHINE_LOG.
"""

from __future__ import annotations

import builtins
import importlib
import json
import os
import sys
from typing import Any

MODULES = frozenset({"fcntl", "grp", "pwd", "resource", "termios", "tty", "syslog"})
FUNCTIONS = (
    "fork",
    "forkpty",
    "mkfifo",
    "posix_fadvise",
    "pread",
    "preadv",
    "process_cpu_count",
    "pwrite",
    "register_at_fork",
    "sched_getaffinity",
    "sched_setaffinity",
    "statvfs",
)
_import, _import_module = builtins.__import__, importlib.import_module


def _missing(name: str, importer: str) -> bool:
    """Whether a module is not there; libraries look at the name of the system and take what it has."""
    return name in MODULES and importer.partition(".")[0] in ("mitoscope", "__main__")


def _import_here(name: str, *rest: Any, **named: Any) -> Any:
    scope = rest[0] if rest else named.get("globals")
    if _missing(name, (scope or {}).get("__name__", "")):
        raise ModuleNotFoundError(f"No module named {name!r}")
    return _import(name, *rest, **named)


def _import_module_here(name: str, package: str | None = None) -> Any:
    if _missing(name, sys._getframe(1).f_globals.get("__name__", "")):
        raise ModuleNotFoundError(f"No module named {name!r}")
    return _import_module(name, package)


builtins.__import__ = _import_here
importlib.import_module = _import_module_here
for _name in set(FUNCTIONS) - set(os.environ.get("MACHINE_KEEPS", "").split()):
    if hasattr(os, _name):
        delattr(os, _name)

_LOG = os.open(os.environ["MACHINE_LOG"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def _witness(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open":
        path, _, flags = arguments
        if isinstance(path, str | bytes) and flags & (os.O_WRONLY | os.O_RDWR):
            _tell("write", os.path.abspath(os.fsdecode(path)))  # noqa: PTH100 (pathlib is not imported yet)
    elif event in ("socket.connect", "socket.bind", "socket.sendto", "socket.getaddrinfo"):
        _tell(event, str(arguments[1] if event != "socket.getaddrinfo" else arguments[0]))


def _tell(*words: str) -> None:
    os.write(_LOG, (json.dumps(words) + "\n").encode())


sys.addaudithook(_witness)
