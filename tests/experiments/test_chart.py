"""Figures of experiments: every kind is drawn, named and the same each time."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from mitoscope.experiments.chart import Bars, BoxPlots, Chart, CountMaps, Curves, Matrix, SlideMap, draw
from mitoscope.experiments.table import Column, Entry, ResultTable, TableRow

DOMAINS = ("canine lung cancer", "human breast cancer", "canine lymphoma")


def boxes() -> BoxPlots:
    random = np.random.default_rng(1)
    groups = {name: tuple(random.gamma(2.0, 10.0, 40).tolist()) for name in DOMAINS}
    return BoxPlots(
        "MIDOG++ Figure 2",
        "figures in 2 mm²",
        groups,
        {DOMAINS[0]: 14.0},
        {DOMAINS[1]: (7.0, 14.0)},
        "Figure 2",
    )


def bars() -> Bars:
    entries = {
        "MEL": Entry(0.7, 0.02, 0.71),
        "HEAEL": Entry(0.75, None, 0.76, 0.01),
        "ODAEL": Entry(published=0.79),
        "CODAEL": Entry(),
    }
    rows = tuple(TableRow(name, (entry,)) for name, entry in entries.items())
    return Bars(ResultTable("CMC Table 4 F1 of the variants", "row", (Column("F1"),), rows, "Table 4"))


def matrix() -> Matrix:
    rows = (
        TableRow(DOMAINS[0], (Entry(0.71, published=0.7), Entry(0.52), Entry(published=0.6))),
        TableRow(DOMAINS[1], (Entry(0.44), Entry(0.8, published=0.79), Entry(0.61))),
    )
    return Matrix(ResultTable("MIDOG++ Figure 4", "row", tuple(map(Column, DOMAINS)), rows, "Figure 4"))


def curves() -> Curves:
    lines = {
        name: tuple((x, 0.5 + 0.1 * n + 0.04 * x**0.5) for x in (1.0, 4.0, 16.0))
        for n, name in enumerate(DOMAINS)
    }
    return Curves("CCMCT Figure 5", "slides", "F1", lines, logarithmic=True, shares="y")


def maps() -> CountMaps:
    turn = np.linspace(0, 2 * np.pi, 40)
    tumour = tuple(zip((6 + 4 * np.cos(turn)).tolist(), (5 + 3 * np.sin(turn)).tolist(), strict=True))
    figures = tuple(map(tuple, np.random.default_rng(2).normal((6, 5), 1.0, (60, 2)).tolist()))
    hole = ((5.0, 3.5), (6.0, 3.5), (6.0, 4.2))
    one = SlideMap("case 1", (tumour,), (hole,), figures, (5.0, 4.0, 1.8, 1.3))
    return CountMaps(
        "CMC Figure 4",
        "figures in 2.37 mm²",
        {"case 1": (0.0, 2.0, 5.0, 9.0, 30.0), "case 2": ()},
        {"case 1": 31.0, "case 2": 2.0},
        {"score 2": 10, "score 3": 20},
        (one, one),
        "2.37 mm²",
    )


EMPTY = ResultTable("t", "row", (Column("F1"),), (TableRow("a", (Entry(),)),))
KINDS: dict[str, tuple[Callable[[], Chart], set[str]]] = {
    "boxes": (boxes, {"figures in 2 mm²", "published median (Figure 2)", "cut-off of a grade"}),
    "bars": (bars, {"F1", "here", "published (Table 4)", "ODAEL", "0.790"}),
    "matrix": (matrix, {"tested on", "trained on", "0.71", "(0.70)", "–"}),
    "curves": (curves, {"slides", "F1", "1", "4", "16", *DOMAINS}),
    "maps": (
        maps,
        {"case 1", "tumour", "left out", "mitotic figure", "hot spot, 2.37 mm²", "score 3: 20", "2 mm"},
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_drawn_with_its_names_and_the_same_each_time(kind: str, tmp_path: Path) -> None:
    make, names = KINDS[kind]
    for stem in ("first", "second"):
        draw(make(), tmp_path / stem)
    for suffix in (".svg", ".png"):
        assert (tmp_path / f"first{suffix}").read_bytes() == (tmp_path / f"second{suffix}").read_bytes()
    said = {text.strip() for text in ET.parse(tmp_path / "first.svg").getroot().itertext()}
    assert names <= said


@pytest.mark.parametrize(
    "chart",
    [
        Bars(EMPTY),
        Matrix(EMPTY),
        Curves("t", "x", "y", {}),
        BoxPlots("t", "y", {"a": ()}),
    ],
)
def test_what_has_no_value_yet_is_drawn(chart: Chart, tmp_path: Path) -> None:
    draw(chart, tmp_path / "figure")
    assert (tmp_path / "figure.png").stat().st_size > 500
