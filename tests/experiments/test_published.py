"""What is held of the papers against their own text, number by number."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

import pytest

from mitoscope.errors import ConfigError
from mitoscope.experiments.published import PAPERS, PublishedTable, published, published_tables
from mitoscope.experiments.shelf import experiments, recipes_folder

NUMBER = re.compile(r"\d[\d,]*\.?\d*")
PAIR = re.compile(r"(\d\.\d+)\s?±\s?(\d\.\d+)")


@pytest.fixture
def texts(data: Path) -> Path:
    return data.parent / "papers"


def lines_of(texts: Path, paper: str) -> list[str]:
    return (texts / f"{paper}.txt").read_text(encoding="utf-8").splitlines()


def numbers(texts: Sequence[str]) -> list[float]:
    return [float(one.replace(",", "")) for text in texts for one in NUMBER.findall(text)]


def held(table: PublishedTable) -> list[float]:
    """Return all numbers of a table, each followed by its standard deviation, row by row."""
    found = []
    for row, values in table.rows.items():
        for column, value in values.items():
            found.append(value)
            if (sd := table.deviation(row, column)) is not None:
                found.append(sd)
    return found


def block(lines: Sequence[str], title: str) -> list[list[str]]:
    """Return the cells of the rows below the title of a table."""
    start = next(place for place, line in enumerate(lines) if line.startswith(title)) + 2
    end = next(place for place in range(start, len(lines)) if not lines[place].strip())
    return [line.split("\t") for line in lines[start:end]]


# The rest of a model's name, the threshold and the number in a row here, of a row and a column there.
CROWD_COLUMNS = {
    5: ("{model} {column} at {threshold}", "0.95"),
    6: ("{model} {column} negatives at {threshold}", "0.95"),
    7: ("{model} {column} at {threshold}", "0.95"),
    8: ("{model} from {column} at {threshold}", "0.95"),
    9: ("{column} at {model}", ""),
}


@pytest.mark.papers
@pytest.mark.parametrize("number", CROWD_COLUMNS)
def test_each_pair_of_the_crowd_tables_5_to_9_stands_in_its_row_and_column(number: int, texts: Path) -> None:
    table = published(f"crowd-table{number}")
    name, usual = CROWD_COLUMNS[number]
    (_, *columns), *rows = block(lines_of(texts, "crowd"), f"Table {number}:")
    printed = {}
    for first, *cells in rows:
        model, _, rest = first.partition(" (")
        threshold = {"BC": "0.5"}.get(model, usual) if rest in ("", "All)") else rest.rstrip(")")
        for column, cell in zip(columns, cells, strict=False):
            if not cell:
                continue
            short = column.replace(" (All)", "").replace("(All)", "").replace("All NS", "all NS")
            short = re.sub(r"^Reg(?=\d)", "Reg ", short).replace("1:1", "0:1" if model == "Reg" else "1:1")
            own = re.sub(r"\(All\)", "", model) if number == 8 else model
            key = name.format(model=own, column=short, threshold=threshold)
            printed[key] = tuple(map(float, cell.split("/")))
    assert {row: tuple(values.values()) for row, values in table.rows.items()} == printed


@pytest.mark.papers
def test_the_crowd_tables_2_to_4_are_those_of_the_text(texts: Path) -> None:
    lines = lines_of(texts, "crowd")
    for number, skipped in ((2, 2), (3, 1)):
        rows = block(lines, f"Table {number}:")[1:]
        cells = [cell for row in rows for cell in row[skipped:]]
        assert held(published(f"crowd-table{number}")) == numbers(cells)
    models, thresholds, ratios, *rates = (row[1:] for row in block(lines, "Table 4:"))
    names = [f"{m} {r} at {t}" for m, r, t in zip(models, ratios, thresholds, strict=True)]
    table = published("crowd-table4")
    assert list(table.rows) == names
    assert held(table) == [float(one) for pair in zip(*rates, strict=True) for one in pair]
    text = " ".join(lines)
    for name in ("crowd-labels", "crowd-test-tiles"):
        assert all(f"{value:,.0f}" in text or f"{value:g}" in text for value in held(published(name)))


@pytest.mark.papers
def test_the_four_matrices_of_midogpp_are_those_of_the_text(texts: Path) -> None:
    matrix = [line for line in lines_of(texts, "midogpp") if len(PAIR.findall(line)) == 7]
    sizes = {4: 8, 6: 7, 5: 8, 7: 7}  # in the order of the text
    assert len(matrix) == sum(sizes.values())
    for number, rows in sizes.items():
        own, matrix = matrix[:rows], matrix[rows:]
        table = published(f"midogpp-table{number}")
        assert held(table) == [float(one) for line in own for pair in PAIR.findall(line) for one in pair]
        names = [re.split(r" \d", line)[0].removeprefix("w/o ") for line in own]
        for name, row in zip(names, table.rows, strict=True):
            short = row.removeprefix("all but ")
            assert short == "all" == name or short.split()[0] in name


@pytest.mark.papers
def test_the_midogpp_tables_1_to_3_are_those_of_the_text(texts: Path) -> None:
    lines = lines_of(texts, "midogpp")
    second = [
        line
        for line in lines
        if re.match(r"(\d[abc]?) .*\((human|canine)\) .* \d+ [\d,]+ [\d.]+ [\d,]+ [\d.]+$", line)
    ]
    table = published("midogpp-table2")
    assert [line.split()[0] for line in second] == [row for row in table.rows if row != "total"]
    own = [numbers(line.split()[-5:]) for line in second]
    assert [list(table.rows[line.split()[0]].values()) for line in second] == own
    assert "total 503 11,937 14,351" in lines
    assert list(table.rows["total"].values()) == [503, 11937, 14351]
    third = [line for line in lines if line.count("%") == 7]
    shares = published("midogpp-table3")
    assert held(shares) == [float(one) for line in third for one in re.findall(r"(\d+\.\d+)%", line)]
    first = [line for line in lines if re.match(r"\d[abc]? \d+ \w.* (UMC|VMU|FU|AMC) ", line)]
    cases = published("midogpp-table1")
    assert [(line.split()[0], float(line.split()[1])) for line in first] == [
        (row, values["cases"]) for row, values in cases.rows.items() if row != "total"
    ]
    scales = [re.search(r"0[ .](2[35])", line) for line in first]
    assert [f"0.{found[1]}" for found in scales if found] == [
        f"{values['µm/px']:.2f}" for row, values in cases.rows.items() if row != "total"
    ]


@pytest.mark.papers
def test_the_tables_of_cmc_are_those_of_the_text(texts: Path) -> None:
    lines = lines_of(texts, "cmc")
    table = published("cmc-table1")
    for row, values in table.rows.items():
        place = lines.index("total" if row == "total" else f"{row}.svs")
        assert numbers([lines[place + 1].split()[0]]) == [values["tumour, mm²"]]
        counts = [*numbers(lines[place + 2].split("/")), *numbers(lines[place + 3].split("/"))]
        assert counts == list(values.values())[1:]
        side = "test" if row in table.tests else "total" if row == "total" else "train"
        assert lines[place + 4] == side
    for number, start, columns in ((2, "Precision", 3), (3, "Single stage (RetinaNet)", 2)):
        place = lines.index(start)
        pairs = [pair for line in lines[place : place + 4 * columns] for pair in PAIR.findall(line)]
        # Rows there are columns here.
        printed = [pairs[variant + 3 * column] for variant in range(3) for column in range(columns)]
        assert held(published(f"cmc-table{number}")) == [float(one) for pair in printed for one in pair]
    first = lines.index("training conditions")
    end = next(place for place in range(first, len(lines)) if lines[place].startswith("Table 4."))
    figures = [line for line in lines[first:end] if re.match(r"0\.\d{3}", line)]
    assert held(published("cmc-table4")) == [
        float(one) for line in figures for one in re.findall(r"0\.\d{3}", line)
    ]
    text = " ".join(lines)
    for name in ("agreement", "agreement-figures", "mel", "odael", "codael"):
        for value in held(published(f"cmc-{name}")):
            assert any(
                form in text for form in (f"{value:g}", f"{value:,.0f}", f"{value:.0f}", f"{value:.3f}")
            )


@pytest.mark.papers
def test_the_tables_of_the_semi_supervised_paper_are_those_of_the_text(texts: Path) -> None:
    lines = lines_of(texts, "semi")
    first = {}
    for line in lines:
        cells = line.split("\t")
        if len(cells) == 6 and re.fullmatch(r"0\.\d{3}", cells[1]):
            for name, on_t, on_m in (cells[:3], cells[3:]):
                first[name.replace(" ", "")] = [float(on_t), float(on_m)]
    assert {row: list(values.values()) for row, values in published("semi-table1").rows.items()} == first
    rows = [line.split("\t") for line in lines if re.match(r"(Ours|Lunit|IBM)", line)]
    left, right = [row[:4] for row in rows], [row[4:] for row in rows if row[4] != "–"]
    printed = [[float(one) for one in row[1:] if one != "–"] for row in (*left, *right)]
    assert [list(values.values()) for values in published("semi-table2").rows.values()] == printed
    text = " ".join(lines)
    cases = re.findall(r"\((0\.\d{3}) \\pm (0\.\d{3})\)", text) or re.findall(
        r"\((0\.\d{3}) ± (0\.\d{3})\)", text
    )
    assert held(published("semi-cases")) == [float(one) for pair in cases for one in pair]
    for name in ("semi-data", "semi-sizes"):
        assert all(f"{value:,.0f}" in text for value in held(published(name)))


@pytest.mark.papers
def test_what_the_text_of_ccmct_prints_is_held(texts: Path) -> None:
    text = " ".join(lines_of(texts, "ccmct"))
    assert f"{published('ccmct-table3').rows['ODAEL']['accuracy %']:.3f}%" in text
    for name in ("ablation", "text"):
        assert all(f"{v:,.0f}" in text or f"{v:.0f}" in text for v in held(published(f"ccmct-{name}")))
    total = published("ccmct-table1").rows["total"]["mitotic figure, ODAEL"]
    assert f"{total:,.0f} mitotic figure annotations" in text


@pytest.mark.papers
@pytest.mark.parametrize(
    ("paper", "names"),
    [
        ("ccmct", ("earlier", "ablation-subsets", "variants")),
        ("cmc", ("data", "transfer-cases", "transfer", "summary")),
        ("crowd", ("tiles", "sub-tiles")),
        ("midogpp", ("data", "split", "external")),
        ("semi", ("mining", "ranks", "summary")),
    ],
)
def test_further_numbers_of_the_texts_are_in_them(paper: str, names: tuple[str, ...], texts: Path) -> None:
    text = " ".join(lines_of(texts, paper))
    for name in names:
        for value in held(published(f"{paper}-{name}")):
            forms = {
                f"{value:g}",
                f"{value:,.0f}",
                f"{value:.1f}",
                f"{value / 1000:g}k",
                "ten" if value == 10 else "",
            }
            assert any(re.search(rf"(?<![\d.]){re.escape(form)}(?!\d)", text) for form in forms - {""}), (
                name,
                value,
            )


def test_every_table_stands_beside_an_experiment_or_on_the_page_of_its_paper() -> None:
    beside = {table.name for one in experiments(recipes_folder()) for table in one.printed}
    tables = {
        name for paper in PAPERS for name in published_tables(paper) if re.search(r"-(table|figure)\d$", name)
    }
    assert tables <= beside
    assert len(tables) > 25


def test_a_table_that_is_not_held_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no published table 'cmc-table9'; there are ccmct-table1, "):
        published("cmc-table9")
