"""Training domain × test domain: one score, mean ± sd over folds (MIDOG++ Figures 3 to 6)."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.evaluate.average_precision import average_precision
from mitoscope.evaluate.averages import Average
from mitoscope.evaluate.evaluation import Evaluation
from mitoscope.evaluate.steps import Steps

ALL_DOMAINS = "all"
"""Row of a detector trained on every domain."""


def all_but(domain: str) -> str:
    """Return the row of a detector trained on every domain but one (leave-one-domain-out)."""
    return f"all but {domain}"


@dataclass(frozen=True, slots=True)
class DomainScore:
    """The score of one fold.

    Parameters
    ----------
    train : str
        Domain of training, :data:`ALL_DOMAINS`, or :func:`all_but` a domain.
    test : str
        Domain of the test images.
    value : float or None
        F1, average precision, ...; None where it is 0/0.
    fold : int
        Which repetition.
    """

    train: str
    test: str
    value: float | None
    fold: int = 0


@dataclass(frozen=True)
class DomainMatrix:
    """A table of one score by training and test domain.

    Attributes
    ----------
    train, test : tuple of str
        Rows and columns, in order.
    cells : mapping
        (train, test) → mean ± sd over folds; a pair that was not tried is not in it.
    name : str
        Of the score.
    """

    train: tuple[str, ...]
    test: tuple[str, ...]
    cells: Mapping[tuple[str, str], Average] = field(hash=False)
    name: str = "F1"

    @property
    def mean(self) -> NDArray[np.float64]:
        """Means, shape (rows, columns); NaN where there is none."""
        return self._table(lambda cell: cell.mean)

    @property
    def sd(self) -> NDArray[np.float64]:
        """Standard deviations over folds (n - 1), shape (rows, columns); NaN where there is none."""
        return self._table(lambda cell: cell.sd)

    def _table(self, of: Callable[[Average], float | None]) -> NDArray[np.float64]:
        values = [
            [np.nan if (cell := self.cells.get((row, column))) is None else of(cell) for column in self.test]
            for row in self.train
        ]
        return np.array(values, dtype=np.float64).reshape(len(self.train), len(self.test))

    def rows(self) -> list[list[str]]:
        """Return the table as text, heading first: ``mean ± sd``, an empty cell where nothing was tried."""
        heading = [f"{self.name}: trained on \\ tested on", *self.test]
        return [
            heading,
            *([row, *(str(self.cells.get((row, column), "")) for column in self.test)] for row in self.train),
        ]

    def to_csv(self) -> str:
        """Return the table as CSV with one row a pair: train, test, mean, sd, n."""
        stream = io.StringIO()
        writer = csv.writer(stream, lineterminator="\n")
        writer.writerow(["train", "test", "mean", "sd", "n"])
        for (train, test), cell in self.cells.items():
            writer.writerow([train, test, _text(cell.mean), _text(cell.sd), cell.n])
        return stream.getvalue()


def _text(value: float | None) -> str:
    return "" if value is None else repr(value)


def domain_scores(
    train: str,
    judged: Evaluation,
    domain_of: Mapping[str, str],
    *,
    fold: int = 0,
    score: Literal["f1", "average_precision"] = "f1",
) -> list[DomainScore]:
    """Return the score of a detector on each domain, pooled over its images, as a row of a matrix.

    Parameters
    ----------
    train : str
        On what the detector was trained.
    judged : Evaluation
        Of the test images.
    domain_of : mapping of str to str
        Image → domain.
    fold : int
        Which repetition.
    score : {"f1", "average_precision"}
        At the evaluation's threshold, or over all.

    Raises
    ------
    FormatError
        If an image has no domain.
    """
    if score == "f1":
        values = {domain: pooled.f1 for domain, pooled in judged.by(domain_of).items()}
    else:
        values = {
            domain: average_precision(
                Steps.total(steps for image, steps in judged.steps.items() if domain_of[image] == domain)
            )
            for domain in judged.by(domain_of)
        }
    return [DomainScore(train, domain, value, fold) for domain, value in values.items()]


def domain_matrix(scores: Iterable[DomainScore], *, name: str = "F1") -> DomainMatrix:
    """Gather the scores of folds into a matrix; rows and columns in the order in which they appear.

    Raises
    ------
    FormatError
        If there is none, or a fold of a pair stands twice.
    """
    folds: dict[tuple[str, str], dict[int, float | None]] = {}
    for one in scores:
        cell = folds.setdefault((one.train, one.test), {})
        if one.fold in cell:
            raise FormatError(f"fold {one.fold} stands twice", where=f"{one.train} → {one.test}")
        cell[one.fold] = one.value
    if not folds:
        raise FormatError("no score", where="domain matrix")
    return DomainMatrix(
        train=tuple(dict.fromkeys(train for train, _ in folds)),
        test=tuple(dict.fromkeys(test for _, test in folds)),
        cells={pair: Average.of(values.values()) for pair, values in folds.items()},
        name=name,
    )


def leave_one_out(matrix: DomainMatrix) -> dict[str, Average]:
    """Return the score on each domain of the detector trained on all others, where it was tried."""
    return {
        test: matrix.cells[all_but(test), test]
        for test in matrix.test
        if (all_but(test), test) in matrix.cells
    }
