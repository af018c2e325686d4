"""Compute runs on the cores of this machine by Ray, and print what happened as JSON."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from mitoscope.cluster import LOCAL, RayExecutor, Request, Tell, open_executor
from mitoscope.errors import ConfigError, MitoscopeError, StoppedError

FOLDER = Path(sys.argv[1])


def square(number: int) -> int:
    """Square a number; the process that first gets the 3 dies."""
    if number == 3 and not (FOLDER / "died").exists():
        (FOLDER / "died").touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 13:
        raise ConfigError("no thirteen", where="square", mend="take another number")
    return number * number


def count(number: int, tell: Tell) -> int:
    """Say how far it is until somebody has heard it."""
    heard, end = FOLDER / f"heard-{number}", time.monotonic() + 60
    while not heard.exists() and time.monotonic() < end:
        tell((1, number))
        time.sleep(0.05)
    return number


def attempt(work: Callable[[], Any]) -> str:
    """Return the error that some work ends in."""
    try:
        work()
    except MitoscopeError as error:
        return f"{type(error).__name__} {error}"
    return "none"


def main() -> None:
    """Compute, and print."""
    found: dict[str, Any] = {}
    with open_executor(LOCAL, Request(folders=(FOLDER,)), threads=2) as executor:
        assert isinstance(executor, RayExecutor)
        found["slots"] = executor.slots
        found["session"] = import_module("ray._private.worker")._global_node.get_session_dir_path()
        found["squares"] = sorted(executor.run(square, range(8)))
        found["raised"] = attempt(lambda: list(executor.run(square, [1, 13])))
        send = executor.telling(count)

        def hear(value: Any) -> None:
            if value is not None:
                found["told"] = value
                (FOLDER / "heard-5").touch()

        found["counted"] = send(5, hear)

        def stop(value: Any) -> None:
            raise StoppedError("stopped")

        found["stopped"] = attempt(lambda: send(6, stop))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
