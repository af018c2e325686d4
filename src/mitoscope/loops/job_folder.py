"""The state of a loop in a folder: what it began with, and which steps are done."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import Field

from mitoscope.cluster import Executor, Here
from mitoscope.config import Config
from mitoscope.errors import FormatError
from mitoscope.fsio import atomic_write, exclusive_lock, make_directory, safe_names
from mitoscope.resume import refuse_changed
from mitoscope.written import claim

_STATE, _LOCK = "job.json", ".lock"


class _State(Config):
    """What stands in the file."""

    loop: str
    inputs: dict[str, str]
    steps: dict[str, Any] = Field(default_factory=dict)


class JobFolder:
    """A loop at work in a folder; a stopped one goes on with the first step that is not done.

    Parameters
    ----------
    path : Path
        Of the folder.
    state : _State
        As it is on disk.
    """

    def __init__(self, path: Path, state: _State) -> None:
        self.path, self._state = path, state

    @classmethod
    @contextmanager
    def open(cls, path: Path, loop: str, inputs: dict[str, str]) -> Iterator[JobFolder]:
        """Hold the folder while the block runs.

        Parameters
        ----------
        path : Path
            Created if it does not exist.
        loop : str
            Which loop it is.
        inputs : dict of str to str
            What the result depends on: hashes, settings.

        Raises
        ------
        LedgerMismatchError
            If another loop was begun there, or the same with another input, which is named.
        OutputError
            If another process works there, or it cannot be written.
        FormatError
            If its state cannot be read.
        """
        make_directory(path)
        with exclusive_lock(path / _LOCK):
            folder = cls(path, _read(path / _STATE) or _State(loop=loop, inputs=inputs))
            folder._refuse_other(loop, inputs)
            folder._write()
            yield folder

    def _refuse_other(self, loop: str, inputs: dict[str, str]) -> None:
        mend = "choose another --out, or remove the folder"
        refuse_changed({"loop": self._state.loop}, {"loop": loop}, where=self.path, mend=mend)
        refuse_changed(self._state.inputs, inputs, where=self.path, mend=mend)

    def step(self, name: str, work: Callable[[], Any]) -> Any:
        """Return what a step came to: from the file where it is done, else by doing it now.

        Parameters
        ----------
        name : str
            Of the step, one in the loop.
        work : callable
            Returns JSON values.
        """
        return self.steps({name: work})[name]

    def steps(
        self,
        works: Mapping[str, Callable[[], Any]],
        *,
        executor: Executor | None = None,
        say: Callable[[str], None] | None = None,
    ) -> dict[str, Any]:
        """Return what steps came to that do not depend on each other; those that are not done are done now.

        Parameters
        ----------
        works : mapping of str to callable
            Name of a step, one in the loop → what returns JSON values. On a cluster they travel: functions of
            a module with arguments that can be sent.
        executor : Executor, optional
            What does them; by default this process, one after the other.
        say : callable, optional
            Told the name of each step before it is done here, or after it was done elsewhere.
        """
        missing = [name for name in works if name not in self._state.steps]
        here = executor is None or isinstance(executor, Here)
        tell = say or (lambda _: None)
        do = _Do(works, tell if here else None)
        with closing((executor or Here()).run(do, missing)) as results:
            for name, result in results:
                if not here:
                    tell(name)
                known = json.loads(json.dumps(result, allow_nan=False))
                self._state = self._state.model_copy(update={"steps": {**self._state.steps, name: known}})
                self._write()
        return {name: self._state.steps[name] for name in works}

    @property
    def done(self) -> tuple[str, ...]:
        """Names of the steps done, in order."""
        return tuple(self._state.steps)

    def _write(self) -> None:
        with atomic_write(claim(self.path / _STATE)) as stream:
            stream.write(self._state.model_dump_json(indent=1).encode())


@dataclass(frozen=True, slots=True)
class _Do:
    """Does steps by their names."""

    works: Mapping[str, Callable[[], Any]]
    say: Callable[[str], None] | None

    def __call__(self, name: str) -> Any:
        if self.say is not None:
            self.say(name)
        return self.works[name]()


def tables_of_slides(folder: Path, slides: Iterable[str]) -> dict[str, Path]:
    """Return the table of each slide of a job, by names that every file system takes."""
    names = sorted(slides)
    return {name: folder / f"{safe}.csv" for name, safe in zip(names, safe_names(names), strict=True)}


def _read(path: Path) -> _State | None:
    try:
        return _State.parse(json.loads(path.read_text(encoding="utf-8")), where=path)
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        mend = "remove the folder and begin anew"
        raise FormatError(f"cannot be read ({error})", where=path, mend=mend) from None
