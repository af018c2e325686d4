"""The page of a comparison: one file in the look of the report, light and dark, without scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final

from mitoscope.evaluate import Contest, EntryScores, PairScores, Scoreboard
from mitoscope.figure import encode_figure
from mitoscope.report.comparison.plots import draw_counts, draw_curves, draw_differences, draw_strata
from mitoscope.report.comparison.sheets import ComparisonSheets, make_sheets
from mitoscope.report.comparison.wording import (
    TITLES,
    is_sure,
    measure_rows,
    say_difference,
    say_value,
    sizes,
    source_of,
    threshold_of,
)
from mitoscope.report.page import render
from mitoscope.report.pictures import PagePicture, data_uri
from mitoscope.wording import say_area

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_CSS_PX_PER_INCH: Final = 96
_NOTES_SHOWN: Final = 6
_PAIRS_DRAWN: Final = 10
"""Pairs that are drawn at most: more are in the tables."""
_OF_STRATA: Final = (
    "f1",
    "precision",
    "recall",
    "average_precision",
    "false_per_mm2",
    "f1_at_common_prevalence",
)
"""Measures of the tables of strata."""
_CURVES: Final = (
    "All detections, whatever the threshold; marks show what each gives at its own threshold. On the dashed "
    "line of the calibration a score is the share of candidates that are true; small marks stand for few."
)


@dataclass(frozen=True, slots=True)
class Cell:
    """A number of the table, with its interval."""

    number: str
    interval: str
    best: bool


@dataclass(frozen=True, slots=True)
class Row:
    """A measure of all."""

    title: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True)
class EntryLine:
    """Who it is, at which threshold."""

    rank: int
    name: str
    about: str


@dataclass(frozen=True, slots=True)
class DifferenceRow:
    """A paired difference in words."""

    title: str
    text: str
    sure: bool


@dataclass(frozen=True, slots=True)
class PairTable:
    """The paired differences of two."""

    first: str
    second: str
    rows: tuple[DifferenceRow, ...]


@dataclass(frozen=True, slots=True)
class StrataTable:
    """The strata of one detector, a row each: cells of a number and its interval."""

    name: str
    columns: tuple[str, ...]
    rows: tuple[tuple[tuple[str, str], ...], ...]


@dataclass(frozen=True, slots=True)
class ComparisonPage:
    """All that the page shows."""

    title: str
    version: str
    lead: str
    notes: tuple[str, ...]
    more_notes: tuple[str, ...]
    entries: tuple[EntryLine, ...]
    rows: tuple[Row, ...]
    rows_about: str
    pairs: tuple[PairTable, ...]
    pairs_about: str
    differences: PagePicture | None
    curves: PagePicture | None
    curves_caption: str
    strata: PagePicture | None
    strata_caption: str
    strata_tables: tuple[StrataTable, ...]
    counts: PagePicture | None
    counts_caption: str
    sheets: ComparisonSheets
    sheets_about: str
    reading: tuple[str, ...]

    @property
    def name(self) -> str:
        """What the print footer says."""
        return self.title


def render_comparison(
    contest: Contest, board: Scoreboard, slides: Mapping[str, Path], *, server: str = ""
) -> str:
    """Return the page as one HTML file.

    Parameters
    ----------
    contest : Contest
    board : Scoreboard
        The same in its public form.
    slides : mapping of str to Path
        Slide files by the stem of the image's name, for pictures.
    server : str
        Address of a served study, to whose slides crops lead.

    Raises
    ------
    SlideFormatError, SlideReadError, ScaleError
        If a slide can no longer be read.
    """
    return render(
        compose_comparison(contest, board, slides, server=server), "compare.html.j2", "compare.css.j2"
    )


def compose_comparison(
    contest: Contest, board: Scoreboard, slides: Mapping[str, Path], *, server: str = ""
) -> ComparisonPage:
    """Compose the page; see `render_comparison`."""
    names = [entry.name for entry in board.entries]
    has_strata = any(entry.strata for entry in board.entries)
    some_pairs = board.model_copy(update={"pairs": board.pairs[:_PAIRS_DRAWN]})
    return ComparisonPage(
        title=" · ".join(names),
        version=board.mitoscope,
        lead=f"{sizes(board)}; protocol {board.protocol.name} ({board.protocol.radius}); ground truth "
        f"{board.ground_truth.source or 'without a name'}.",
        notes=tuple(board.notes[:_NOTES_SHOWN]),
        more_notes=tuple(board.notes[_NOTES_SHOWN:]),
        entries=tuple(EntryLine(entry.rank, entry.name, _about(entry)) for entry in board.entries),
        rows=_rows(board),
        rows_about=_rows_about(board),
        pairs=tuple(_pair(pair) for pair in board.pairs),
        pairs_about=_pairs_about(board),
        differences=_draw(draw_differences(some_pairs)) if board.cases > 1 else None,
        curves=_draw(draw_curves(contest, board)),
        curves_caption=_CURVES,
        strata=_draw(draw_strata(board)) if has_strata else None,
        strata_caption="The threshold is the same in all strata.",
        strata_tables=tuple(_strata(entry) for entry in board.entries if entry.strata),
        counts=_draw(draw_counts(contest, board)),
        counts_caption=_counts_caption(board),
        sheets=make_sheets(contest, names, slides, server=server),
        sheets_about=_sheets_about(server=server, pictures=bool(slides)),
        reading=_reading(board),
    )


def _draw(figure: Figure | None) -> PagePicture | None:
    if figure is None:
        return None
    width, height = figure.get_size_inches() * _CSS_PX_PER_INCH
    return PagePicture(data_uri(encode_figure(figure, "svg"), "svg+xml"), round(width), round(height))


def _about(entry: EntryScores) -> str:
    licence = f", {entry.licence}" if entry.licence else ""
    return f"{source_of(entry)}{licence}; {threshold_of(entry)}"


def _rows(board: Scoreboard) -> tuple[Row, ...]:
    return tuple(
        Row(
            row.title,
            tuple(Cell(*_parted(value), best=best) for value, best in zip(row.values, row.best, strict=True)),
        )
        for row in measure_rows(board)
    )


def _parted(value: str) -> tuple[str, str]:
    """Return a number and its interval."""
    number, sign, rest = value.partition(" [")
    return number, f"[{rest}" if sign else ""


def _rows_about(board: Scoreboard) -> str:
    ends = "In brackets: 95 % by drawing cases." if board.cases > 1 else "A single case: no intervals."
    absent = sorted({row.absent for row in measure_rows(board)} - {""})
    why = f" –: {'; '.join(absent)}." if absent else ""
    costs = {entry.cost.measured for entry in board.entries if entry.cost is not None}
    speed = f" Seconds and memory: {' or '.join(sorted(costs))}." if costs else ""
    sure = "Bold: none is better; whether that is more than chance, the paired differences tell."
    return f"{ends} {sure}{speed}{why}"


def _pairs_about(board: Scoreboard) -> str:
    if board.cases < 2:
        return "A single case: the differences have no interval."
    drawn = f" The first {_PAIRS_DRAWN} pairs are drawn." if len(board.pairs) > _PAIRS_DRAWN else ""
    return (
        f"The same {board.cases} cases are drawn for both, {board.bootstrap['repeats']:,} times. Bold: the "
        f"interval leaves out 0. With many pairs some intervals leave it out by chance.{drawn}"
    )


def _pair(pair: PairScores) -> PairTable:
    return PairTable(
        pair.first,
        pair.second,
        tuple(
            DifferenceRow(TITLES[name], say_difference(name, found), is_sure(found))
            for name, found in pair.differences.items()
            if found.difference is not None
        ),
    )


def _strata(entry: EntryScores) -> StrataTable:
    rows = [
        (
            (part.by, ""),
            (name, ""),
            (f"{scores.images:,}", ""),
            (f"{scores.figures:,}", ""),
            *(_parted(say_value(measure, scores.measures[measure])) for measure in _OF_STRATA),
        )
        for part in entry.strata
        for name, scores in part.strata.items()
    ]
    columns = ("", "stratum", "images", "figures", *(TITLES[measure] for measure in _OF_STRATA))
    return StrataTable(entry.name, columns, tuple(rows))


def _counts_caption(board: Scoreboard) -> str:
    first = board.entries[0].counts
    note = "" if first.hot_spots else " All images are smaller than the window: their hot spot is the image."
    return (
        f"Figures in the hot spot of {say_area(first.area_mm2)}, each detector at its own threshold, against "
        "those in the hot spot of the ground truth. Lines: bias, and the limits of agreement (Bland and "
        f"Altman).{note}"
    )


def _sheets_about(*, server: str, pictures: bool) -> str:
    parts = [
        "Each detector at its own threshold, highest scores first; below stand score, rank, image, and x "
        "and y in pixels. A false detection is its own where no other found anything within the radius."
    ]
    if server:
        parts.append("A crop leads to its place in the application.")
    if not pictures:
        parts.append("No slides were given: there are no pictures.")
    return " ".join(parts)


def _reading(board: Scoreboard) -> tuple[str, ...]:
    chosen = "chosen on the calibration set" if _is_chosen(board) else "its own, as its results state it"
    lines = [
        f"Only images that all searched are judged; {len(board.not_searched) or 'none'} were left out."
        if board.missing != "miss"
        else "An image that a detector did not search counts as one on which it found nothing.",
        f"The threshold of each is {chosen}. Where its source, stated above, is these very images, it "
        "flatters the detector.",
        "F1 is at the threshold, average precision and the curves are not: they rank what was found.",
        "False positives per mm² and recall at a rate do not depend on how many figures there are; precision "
        "and F1 do.",
        "Calibration error and Brier score are given where results state that scores are probabilities.",
        "ICC is that of absolute agreement, single counts (ICC 2,1): a constant difference lowers it.",
        "A rank without a difference whose interval leaves out 0 is no more than an order.",
    ]
    return tuple(lines)


def _is_chosen(board: Scoreboard) -> bool:
    return any("validation set" in entry.threshold.source for entry in board.entries)
