"""Write docs/papers/*.md: what each paper did, how mitoscope does it, and which of its tables were run.

The sources are the citations in the recipes, the declarations of the experiments, the published numbers, and
steps.toml for everything else. A test checks that pages are up to date and each cited section exists.
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
    "midogpp-table1": "in full: all numbers agree",
    "midogpp-table2": "in full: all numbers agree but for two look-alikes that the published file lacks",
    "midogpp-table3": "in full: domain 1 agrees; elsewhere the printed number lies in the computed range",
    "midogpp-fig2": "in full: all medians agree",
    "midogpp-counts": "in full: all numbers agree",
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
    readers = "For researchers who want to repeat this paper, or to know what mitoscope does differently."
    lines = [f"# {about['title']}", "", readers, "", f"{about['reference']}.", ""]
    lines += [
        "## Steps",
        "",
        "What the authors did, the section of the paper that describes it, and what does it in mitoscope.",
        "",
        "| Step | Section | In mitoscope | Same as the paper? |",
        "|---|---|---|---|",
    ]
    lines += [_row(list(step)) for step in about["steps"]]  # type: ignore[attr-defined]
    lines += [
        "",
        "## Settings",
        "",
        "The recipes in `recipes/papers/` use the settings of the paper. The recipes in `recipes/` differ",
        "where another setting was measured to be better.",
        "",
    ]
    lines += ["| Recipe | Key | Value | Section | Same as the paper? |", "|---|---|---|---|---|"]
    for one in cited():
        if one.paper == name:
            verdict = f"differs: {one.before}" if one.before else "same"
            comment = f"{verdict}; {one.words}" if one.words else verdict
            lines.append(
                _row([one.recipe, f"`{one.key}`", f"`{one.value}`" if one.value else "", one.place, comment])
            )
    prefix = {one.recipe for one in cited() if one.paper == name}
    others = [one for one in stated() if one[0] in prefix and one[0].startswith(_OWN[page])]
    if others:
        lines += ["", "Settings that the paper does not state, and where their values come from:", ""]
        lines += ["| Recipe | Key | Value | Source |", "|---|---|---|---|"]
        lines += [_row([recipe, f"`{key}`", f"`{value}`", comment]) for recipe, key, value, comment in others]
    lines += [
        "",
        "## Tables and figures",
        "",
        "`mitoscope experiment run NAME` computes a table and writes it beside the published one. *Small*:",
        "so far run only with synthetic slides and tiny networks, as part of the tests.",
        "",
        "| Experiment | Content | Published numbers | Run |",
        "|---|---|---:|---|",
    ]
    own = [one for one in experiments(ROOT / "recipes") if one.paper == name]
    lines += [
        _row([f"`{one.name}`", one.shows, str(_numbers(one)), RAN.get(one.name, "small")]) for one in own
    ]
    beside = {table.name for one in own for table in one.printed}
    rest = [table for key, table in published_tables(page).items() if key not in beside]
    if rest:
        lines += ["", "## Other numbers in the text", "", "| Section | Quantity | Number |", "|---|---|---:|"]
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
