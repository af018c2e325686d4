"""Several runs of one recipe, with other seeds or other folds, and the mean of their scores."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mitoscope.fsio import atomic_write
from mitoscope.statistics import Average

SUMMARY_NAME: Final = "summary.json"


@dataclass(frozen=True, slots=True)
class Member:
    """One of several runs.

    Parameters
    ----------
    name : str
        Folder inside that of the whole.
    changes : dict
        What is other in its recipe: ``seed`` and, for a fold, ``fold``.
    """

    name: str
    seed: int
    fold: int | None


def members_of(*, seed: int, repeats: int, folds: int) -> tuple[Member, ...]:
    """Return the runs of a recipe: every fold with every seed; one run has no folder of its own."""
    seeds = [seed + place for place in range(repeats)]
    if not folds and repeats == 1:
        return (Member("", seed, None),)
    if not folds:
        return tuple(Member(f"seed-{seed}", seed, None) for seed in seeds)
    return tuple(
        Member(f"fold-{fold + 1}" + (f"-seed-{seed}" if repeats > 1 else ""), seed, fold)
        for fold in range(folds)
        for seed in seeds
    )


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores over several runs.

    Parameters
    ----------
    averages : dict of str to Average
        Mean and standard deviation of each score.
    runs : dict
        The scores of each run, by its name.
    """

    averages: dict[str, Average]
    runs: dict[str, dict[str, float]]

    @classmethod
    def of(cls, runs: Mapping[str, Mapping[str, float]]) -> Summary:
        """Average the scores that every run has."""
        rows = {name: dict(scores) for name, scores in runs.items()}
        names: Sequence[str] = [
            n for n in next(iter(rows.values()), {}) if all(n in r for r in rows.values())
        ]
        return cls({n: Average.of(row[n] for row in rows.values()) for n in names}, rows)

    def lines(self) -> list[str]:
        """Return one line a score: mean ± standard deviation of the sample."""
        return [f"{name} {average} ({average.n} runs)" for name, average in self.averages.items()]

    def write(self, folder: Path) -> None:
        """Write everything as JSON."""
        averages = {
            name: {"mean": average.mean, "sd": average.sd, "n": average.n}
            for name, average in self.averages.items()
        }
        with atomic_write(folder / SUMMARY_NAME) as stream:
            stream.write(json.dumps({"averages": averages, "runs": self.runs}, indent=2).encode() + b"\n")
