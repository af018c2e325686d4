"""Write docs/papers/*.md: what each paper states, where it is here, and what of its tables ran.

From the citations of the recipes, the declarations of the experiments, the published figures, and steps.toml
for the rest; a test holds that the pages are up to date and that each place that is cited is in the paper.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from mitoscope.experiments.experiment import Experiment
from mitoscope.experiments.published import published_tables
from mitoscope.experiments.shelf import experiments

ROOT = Path(__file__).parents[1]
PAGES = Path(__file__).with_name("papers")
NAMES = {"ccmct": "CCMCT", "cmc": "CMC", "crowd": "Crowd", "midogpp": "MIDOG++", "semi": "Semi"}
"""Pages and the names by which papers are cited."""
_CITED = re.compile(
    rf"(?P<before>.*?)(?P<paper>{'|'.join(map(re.escape, NAMES.values()))}), "
    r"(?P<place>[^:;]+)(?:: (?P<words>.*))?"
)
_SETTING = re.compile(r"(?P<key>[\w.]+) = (?P<value>.+?) +# (?P<comment>.+)")
_TABLE = re.compile(r"\[+(?P<name>[\w.]+)\]+(?: +# (?P<comment>.+))?")
RAN = {
    "midogpp-table1": "in full: all figures",
    "midogpp-table2": "in full: all figures but two look-alikes that the published file lacks",
    "midogpp-table3": "in full: all figures of domain 1; ranges elsewhere, which hold the printed figure",
    "midogpp-fig2": "in full: all medians",
    "midogpp-counts": "in full",
}
"""Experiments that ran at full size on the published annotations; the tests run all others at smoke size."""


@dataclass(frozen=True, slots=True)
class Cited:
    """A setting of a recipe and where the paper states it."""

    recipe: str
    key: str
    value: str
    paper: str
    place: str
    words: str
    before: str


def cited(folder: Path = ROOT / "recipes" / "papers") -> Iterator[Cited]:
    """Yield each citation of the recipes, in their order."""
    for path in sorted(folder.glob("*.toml")):
        table = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if head := _TABLE.fullmatch(line.strip()):
                table, key, value, comment = head["name"], "", "", head["comment"] or ""
            elif setting := _SETTING.fullmatch(line.strip()):
                key, value, comment = setting["key"], setting["value"], setting["comment"]
            else:
                continue
            if found := _CITED.fullmatch(comment):
                dotted = ".".join(part for part in (table, key) if part)
                before = found["before"].rstrip("; ")
                yield Cited(
                    path.stem,
                    dotted,
                    value,
                    found["paper"],
                    found["place"].strip(),
                    found["words"] or "",
                    before,
                )


def stated(folder: Path = ROOT / "recipes" / "papers") -> Iterator[tuple[str, str, str, str]]:
    """Yield recipe, key, value and comment of each setting whose comment cites no paper."""
    for path in sorted(folder.glob("*.toml")):
        table = ""
        for line in path.read_text(encoding="utf-8").splitlines():
            if head := _TABLE.fullmatch(line.strip()):
                table = head["name"]
            elif (setting := _SETTING.fullmatch(line.strip())) and not _CITED.fullmatch(setting["comment"]):
                yield path.stem, f"{table}.{setting['key']}", setting["value"], setting["comment"]


def steps(page: str) -> dict[str, object]:
    """Return title, reference and steps of a paper."""
    return tomllib.loads((PAGES / "steps.toml").read_text(encoding="utf-8"))[page]  # type: ignore[no-any-return]


def places(page: str) -> set[str]:
    """Return all places of a paper that recipes, steps and published figures cite."""
    name = NAMES[page]
    own = {one.place for one in cited() if one.paper == name}
    own |= {str(step[1]) for step in steps(page)["steps"]}  # type: ignore[attr-defined]
    return own | {
        table.source.partition(", ")[2].partition(":")[0] for table in published_tables(page).values()
    }


def write(page: str) -> str:
    """Return the page of a paper as Markdown."""
    about, name = steps(page), NAMES[page]
    readers = "For researchers who repeat this paper, or ask what differs here. Written by `make docs`."
    lines = [f"# {about['title']}", "", readers, "", f"{about['reference']}.", ""]
    lines += ["## Steps", "", "| Step | Place | Here | |", "|---|---|---|---|"]
    lines += [_row(list(step)) for step in about["steps"]]  # type: ignore[attr-defined]
    lines += [
        "",
        "## Constants",
        "",
        "Files of `recipes/papers/`; those of `recipes/` differ where measured better.",
        "",
    ]
    lines += ["| Recipe | Key | Value | Place | |", "|---|---|---|---|---|"]
    for one in cited():
        if one.paper == name:
            verdict = f"other here: {one.before}" if one.before else "same"
            said = f"{verdict}; {one.words}" if one.words else verdict
            lines.append(
                _row([one.recipe, f"`{one.key}`", f"`{one.value}`" if one.value else "", one.place, said])
            )
    prefix = {one.recipe for one in cited() if one.paper == name}
    others = [one for one in stated() if one[0] in prefix and one[0].startswith(_OWN[page])]
    if others:
        lines += ["", "Not in the paper:", "", "| Recipe | Key | Value | From |", "|---|---|---|---|"]
        lines += [_row([recipe, f"`{key}`", f"`{value}`", comment]) for recipe, key, value, comment in others]
    lines += [
        "",
        "## Tables and figures",
        "",
        "| Experiment | Shows | Published numbers | Ran here |",
        "|---|---|---:|---|",
    ]
    own = [one for one in experiments(ROOT / "recipes") if one.paper == name]
    lines += [
        _row([f"`{one.name}`", one.shows, str(_numbers(one)), RAN.get(one.name, "smoke size, in the tests")])
        for one in own
    ]
    beside = {table.name for one in own for table in one.printed}
    rest = [table for key, table in published_tables(page).items() if key not in beside]
    if rest:
        lines += ["", "## Other numbers of the text", "", "| Place | What | Number |", "|---|---|---:|"]
        for table in rest:
            place = table.source.partition(", ")[2]
            for cell in table.cells():
                what = cell["row"] if cell["column"] == "value" else f"{cell['row']}: {cell['column']}"
                lines.append(_row([place, what, f"{cell['value']:,.10g}"]))
    return "\n".join(lines) + "\n"


_OWN = {
    "ccmct": ("ccmct",),
    "cmc": ("cmc", "odael"),
    "crowd": ("crowd",),
    "midogpp": ("midogpp",),
    "semi": ("semi",),
}


def _numbers(experiment: Experiment) -> int:
    return sum(table.count for table in experiment.printed)


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cell.replace('|', '/') for cell in cells)} |"


if __name__ == "__main__":
    for page in NAMES:
        (PAGES / f"{page}.md").write_text(write(page), encoding="utf-8")
