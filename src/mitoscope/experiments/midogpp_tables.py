"""MIDOG++ Tables 2 and 3, recomputed from ``MIDOG++.json`` and ``datasets_xvalidation.csv`` cell by cell.

The paper's Table 3 was counted in the authors' database. The JSON file keeps the labels of a cell as a bare
list, and from domain 2 on a label of their candidate model, always "non-mitotic", stands in some lists. A
list of two "mitotic" and one "non-mitotic" is then either a dispute that the third expert settled, or two
experts who agreed and the model. The file does not say which, so in these domains some cells of the table
have a range, not a value; :attr:`Table3Row.implied` is the one number of such lists that explains the
published row.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray

from mitoscope.errors import FormatError
from mitoscope.experiments.published import published
from mitoscope.labels import LOOK_ALIKE, MITOTIC_FIGURE
from mitoscope.store import RaterKind, Study, agreed_of
from mitoscope.truth import Domain, Policy

TOTAL = "total"

TABLE_2: Final = published("midogpp-table2")
"""Cases; mitotic figures and non-mitotic cells, sum and median of a case."""
TABLE_3: Final = published("midogpp-table3")
"""In %: two experts mitotic, non-mitotic, disagreed; third expert and final, each both."""
_HALF_A_DIGIT = 0.005 + 1e-9
_BREAST_SCANNERS = {"XR": "1a", "S360": "1b", "CS2": "1c"}
_TUMOURS = {"lung": "2", "lympho": "3", "mast cell": "4", "neuroendocrine": "5", "melanoma": "7"}


@dataclass(frozen=True, slots=True)
class TableCell:
    """One published figure beside what the file gives.

    Parameters
    ----------
    row, column : str
        Where it stands.
    published : float
        The paper's figure.
    low, high : float
        The range that the file allows; equal where it gives a value.
    reason : str
        Why the file gives another value or a range; empty where it gives the published figure.
    """

    row: str
    column: str
    published: float
    low: float
    high: float
    reason: str

    @property
    def found(self) -> float | None:
        """The file's value, or None where it gives a range."""
        return self.low if self.low == self.high else None


@dataclass(frozen=True)
class Table3Row:
    """The lists of labels of a domain, counted.

    Parameters
    ----------
    row : str
        Name of the domain in the paper.
    both_mitotic, both_non_mitotic : int
        Lists of one label only.
    settled_mitotic, settled_non_mitotic : int
        Lists of three labels with two of this kind.
    has_model : bool
        Whether labels of the model stand in the lists (all domains but 1).
    """

    row: str
    both_mitotic: int
    both_non_mitotic: int
    settled_mitotic: int
    settled_non_mitotic: int
    has_model: bool

    @property
    def cells(self) -> int:
        """All lists."""
        return self.both_mitotic + self.both_non_mitotic + self.settled_mitotic + self.settled_non_mitotic

    def percent(self, model_lists: int = 0) -> NDArray[np.float64]:
        """Return the row of the table if so many settled lists are two experts who agreed and the model."""
        third = self.settled_mitotic - model_lists
        disputed = third + self.settled_non_mitotic
        counts = [self.both_mitotic + model_lists, self.both_non_mitotic, disputed]
        final = [self.both_mitotic + self.settled_mitotic, self.both_non_mitotic + self.settled_non_mitotic]
        shares = [third / disputed, self.settled_non_mitotic / disputed] if disputed else [np.nan, np.nan]
        return 100 * np.array([*np.divide(counts, self.cells), *shares, *np.divide(final, self.cells)])

    @cached_property
    def implied(self) -> int | None:
        """The one number of the model's lists that gives all seven published figures, or None."""
        most = self.settled_mitotic if self.has_model else 0
        published = np.array(list(TABLE_3.rows[self.row].values()))
        fits = [n for n in range(most + 1) if (abs(self.percent(n) - published) <= _HALF_A_DIGIT).all()]
        return fits[0] if len(fits) == 1 else None

    def table_cells(self) -> list[TableCell]:
        """Return the row's figures beside the published ones."""
        ends = np.stack([self.percent(0), self.percent(self.settled_mitotic if self.has_model else 0)])
        figures = zip(TABLE_3.rows[self.row].items(), *np.sort(ends, axis=0).tolist(), strict=True)
        return [
            TableCell(self.row, column, printed, low, high, self._reason(printed, low, high))
            for (column, printed), low, high in figures
        ]

    def _reason(self, printed: float, low: float, high: float) -> str:
        if low == high:
            return "" if abs(low - printed) <= _HALF_A_DIGIT else "the file's labels give another figure"
        lists = self.settled_mitotic
        where = f"the file does not say in which of {lists} lists the non-mitotic label is the model's"
        implied = "no number of them gives" if self.implied is None else f"{self.implied} of them give"
        return f"{where}; {implied} the published row"


def table_3_rows(study: Study) -> tuple[Table3Row, ...]:
    """Return the counted lists of each domain and of all.

    Parameters
    ----------
    study : Study
        ``MIDOG++.json`` as the COCO reader gives it, with the domains of ``datasets_xvalidation.csv``.

    Raises
    ------
    FormatError
        If the study has no slide of MIDOG++, or not the two labels.
    """
    domain = _domains(study)
    mitotic, other = _label_indexes(study)
    votes = _votes(study, mitotic), _votes(study, other)
    rows_of_slides = np.array(["6" if name in ("6a", "6b") else name for name in domain], dtype=np.str_)
    row_of_cell = rows_of_slides[study.cells.slide]
    rows = []
    for row in TABLE_3.rows:
        inside = (row_of_cell == row) if row != TOTAL else (row_of_cell != "")
        for_it, against = votes[0][inside], votes[1][inside]
        rows.append(
            Table3Row(
                row,
                int(((for_it > 0) & (against == 0)).sum()),
                int(((for_it == 0) & (against > 0)).sum()),
                int(((for_it > against) & (against > 0)).sum()),
                int(((against > for_it) & (for_it > 0)).sum()),
                has_model=not row.startswith("1"),
            )
        )
    return tuple(rows)


def table_3(study: Study) -> list[TableCell]:
    """Return Table 3 cell by cell, the published figure beside the file's."""
    return [cell for row in table_3_rows(study) for cell in row.table_cells()]


def table_2(study: Study) -> list[TableCell]:
    """Return Table 2 cell by cell, the published figure beside the file's."""
    domain = np.array(_domains(study), dtype=np.str_)
    label = agreed_of(study, Policy.RECORDED).label
    slides = len(study.slides)
    counts = [
        np.bincount(study.cells.slide[label == label_index], minlength=slides)
        for label_index in _label_indexes(study)
    ]
    found = []
    for row, printed in TABLE_2.rows.items():
        cases = (domain == row) if row != TOTAL else (domain != "")
        values = [int(cases.sum())]
        for of_label in counts:
            values += [of_label[cases].sum(), np.median(of_label[cases])]
        found += [
            _table_2_cell(row, column, printed[column], float(value))
            for column, value in zip(TABLE_2.columns, values, strict=True)
            if column in printed
        ]
    return found


def _table_2_cell(row: str, column: str, printed: float, found: float) -> TableCell:
    gap = printed - found
    reason = f"the published file holds {abs(gap):g} {'fewer' if gap > 0 else 'more'}" if gap else ""
    return TableCell(row, column, printed, found, found, reason)


def _domains(study: Study) -> list[str]:
    """Return the paper's name of each slide's domain; empty where it is in none (the fourth scanner)."""
    names = [row_of(slide.domain) for slide in study.slides]
    if not any(names):
        raise FormatError(
            "no slide with a domain of MIDOG++", mend="import it with --domains datasets_xvalidation.csv"
        )
    return names


def row_of(domain: Domain) -> str:
    """Return the paper's name of a domain (``1a`` to ``7``), empty where it is none of its domains."""
    tumour, scanner = (domain.tumour_type or "").casefold(), domain.scanner or ""
    if "breast" in tumour:
        return next((row for part, row in _BREAST_SCANNERS.items() if part in scanner), "")
    if not scanner:
        return ""
    if "soft tissue" in tumour:
        return "6a" if "AMC" in (domain.laboratory or "") else "6b"
    return next((row for part, row in _TUMOURS.items() if part in tumour), "")


def _label_indexes(study: Study) -> tuple[int, int]:
    names = study.labels.names
    if MITOTIC_FIGURE.name not in names or LOOK_ALIKE.name not in names:
        raise FormatError(
            f"labels {', '.join(names)}", mend=f"expected {MITOTIC_FIGURE.name} and {LOOK_ALIKE.name}"
        )
    return names.index(MITOTIC_FIGURE.name), names.index(LOOK_ALIKE.name)


def _votes(study: Study, label: int) -> NDArray[np.int64]:
    experts = [index for index, rater in enumerate(study.raters) if rater.kind is not RaterKind.CONSENSUS]
    counted = np.isin(study.events.rater, experts) & (study.events.label == label)
    return np.bincount(study.events.cell[counted], minlength=len(study.cells))
