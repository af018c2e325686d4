"""A finished cell as a file of its own: its result, and all that the result depends on."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from mitoscope import __version__
from mitoscope.errors import FormatError, LedgerMismatchError
from mitoscope.experiments.experiment import Result
from mitoscope.fsio import atomic_write
from mitoscope.resume import refuse_changed

FORMAT: Final = 1
"""Of the file; raised when an older one must not be gone on with."""
CELLS: Final = "cells"
"""Folder of the finished cells."""


@dataclass(frozen=True, slots=True)
class ComputationRecord:
    """A finished cell.

    Parameters
    ----------
    format : int
    experiment, size, key : str
    mitoscope : str
        Version that computed it.
    recipe, data : str
        SHA-256 of settings and of the data.
    seeds : tuple of int
    seconds : float
        That it took.
    finished : str
        When, ISO 8601 in UTC.
    machine : dict of str to str
        On what.
    result : mapping
        What it came to.
    """

    format: int
    experiment: str
    size: str
    key: str
    mitoscope: str
    recipe: str
    data: str
    seeds: tuple[int, ...]
    seconds: float
    finished: str
    machine: dict[str, str]
    result: Result

    def check_same(self, other: ComputationRecord, where: Path) -> None:
        """Refuse to go on beside a cell that another program, recipe or data gave.

        Raises
        ------
        LedgerMismatchError
            Naming the first difference and the mend.
        """
        mend = "choose another --out, or move this folder away to begin anew"
        refuse_changed(other._origin(), self._origin(), where=where, mend=mend, done="finished")

    def _origin(self) -> dict[str, object]:
        return {
            "version of mitoscope": self.mitoscope,
            "recipe": self.recipe,
            "data set": self.data,
            "set of seeds": self.seeds,
        }


def write_record(path: Path, record: ComputationRecord) -> None:
    """Write a cell; it is there as a whole or not at all.

    Raises
    ------
    OutputError
        If it cannot be written.
    """
    with atomic_write(path) as stream:
        stream.write(
            json.dumps(asdict(record), indent=1, ensure_ascii=False, allow_nan=False).encode() + b"\n"
        )


def read_record(path: Path) -> ComputationRecord:
    """Read a finished cell.

    Raises
    ------
    LedgerMismatchError
        If an older or newer mitoscope wrote it in another format.
    FormatError
        If it is damaged.
    """
    try:
        values: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        written = values["format"]
        if written == FORMAT:
            values["seeds"] = tuple(values["seeds"])
            return ComputationRecord(**values)
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise FormatError(
            f"not a finished cell ({type(error).__name__})",
            where=path,
            mend="move it away; it is computed anew",
        ) from None
    raise LedgerMismatchError(
        f"a cell in format {written}, this mitoscope writes {FORMAT}; it is kept",
        where=path,
        mend="choose another --out, or move this folder away to begin anew",
    )


def machine(device: str) -> dict[str, str]:
    """Return on what is computed."""
    return {
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "cores": str(os.cpu_count()),
        "device": device,
    }


def blank(
    experiment: str, size: str, key: str, *, recipe: str, data: str, seeds: tuple[int, ...]
) -> ComputationRecord:
    """Return the record of a cell that is not yet computed."""
    return ComputationRecord(FORMAT, experiment, size, key, __version__, recipe, data, seeds, 0.0, "", {}, {})
