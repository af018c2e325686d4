"""What the papers print: one file a paper, each table and each place of its text with the figures in it."""

from __future__ import annotations

import math
import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Final

from mitoscope.errors import ConfigError

PAPERS: Final = ("ccmct", "cmc", "crowd", "midogpp", "semi")
"""Files beside this one."""


@dataclass(frozen=True, slots=True)
class PublishedTable:
    """Figures that a paper prints.

    Parameters
    ----------
    name : str
        ``cmc-table2``.
    source : str
        Paper and place: ``CMC, Table 2``.
    rows : dict of str to dict
        By row and column; what is not printed is absent.
    deviations : dict of str to dict
        Printed standard deviations, likewise.
    tests : tuple of str
        Rows of test slides.
    """

    name: str
    source: str
    rows: dict[str, dict[str, float]]
    deviations: dict[str, dict[str, float]]
    tests: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns, in their order."""
        return tuple(dict.fromkeys(column for row in self.rows.values() for column in row))

    @property
    def count(self) -> int:
        """Numbers that are held, standard deviations among them."""
        return sum(len(row) for held in (self.rows, self.deviations) for row in held.values())

    def deviation(self, row: str, column: str) -> float | None:
        """Return the printed standard deviation of a figure, if there is one."""
        return self.deviations.get(row, {}).get(column)

    def as_dict(self) -> dict[str, dict[str, float | list[float]]]:
        """Return each figure by row and column, with its standard deviation as a pair."""
        return {
            row: {
                column: value if (sd := self.deviation(row, column)) is None else [value, sd]
                for column, value in values.items()
            }
            for row, values in self.rows.items()
        }

    def cells(self) -> list[dict[str, Any]]:
        """Return each figure with its place."""
        return [
            {
                "row": row,
                "column": column,
                "value": value,
                "sd": self.deviation(row, column),
                "source": self.source,
            }
            for row, values in self.rows.items()
            for column, value in values.items()
        ]


@cache
def published_tables(paper: str) -> dict[str, PublishedTable]:
    """Return all that is held of a paper, by the name of its table."""
    text = (files("mitoscope.experiments.published") / f"{paper}.toml").read_text(encoding="utf-8")
    return {f"{paper}-{key}": _table(f"{paper}-{key}", held) for key, held in tomllib.loads(text).items()}


def published(name: str) -> PublishedTable:
    """Return a table by its name.

    Raises
    ------
    ConfigError
        If there is none of that name.
    """
    paper = name.partition("-")[0]
    tables = published_tables(paper) if paper in PAPERS else {}
    if name not in tables:
        known = [held for paper in PAPERS for held in published_tables(paper)]
        raise ConfigError(f"no published table {name!r}", mend=f"there are {', '.join(known)}")
    return tables[name]


def _table(name: str, held: dict[str, Any]) -> PublishedTable:
    rows: dict[str, dict[str, float]] = {}
    deviations: dict[str, dict[str, float]] = {}
    for row, values in held["rows"].items():
        rows[row], deviations[row] = {}, {}
        for column, printed in zip(held["columns"], values, strict=True):
            value, sd = printed if isinstance(printed, list) else (printed, None)
            if not math.isnan(value):
                rows[row][column] = value
            if sd is not None:
                deviations[row][column] = sd
    return PublishedTable(name, held["source"], rows, deviations, tuple(held.get("tests", ())))
