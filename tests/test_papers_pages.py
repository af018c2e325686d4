"""The pages of the papers: up to date, and every place that they cite is in the paper."""

from __future__ import annotations

import importlib.util
import re
import sys
from pathlib import Path
from types import ModuleType

import pytest

PAGES = ("ccmct", "cmc", "crowd", "midogpp", "semi")


@pytest.fixture(scope="module")
def papers(project: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location("write_papers", project / "docs" / "write_papers.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module  # its dataclass looks itself up there
    spec.loader.exec_module(module)
    return module


@pytest.mark.parametrize("page", PAGES)
def test_the_page_of_a_paper_is_up_to_date(page: str, papers: ModuleType) -> None:
    assert (papers.PAGES / f"{page}.md").read_text(encoding="utf-8") == papers.write(page), "run: make docs"


def heading(place: str) -> str:
    """Return what a place of a paper looks like in its text: a caption, or the beginning of a line."""
    kind, _, number = place.partition(" ")
    if kind == "Table":
        return rf"Table {number}\b"
    if kind == "Figure":
        return rf"(Fig\.|Figure) ?{number}\b"
    if kind == "Section":
        return rf"(?m)^{re.escape(number)}\.? "
    return rf"(?mi)^(\d+(\.\d+)*\.? )?{re.escape(place)}"


@pytest.mark.papers
@pytest.mark.parametrize("page", PAGES)
def test_every_place_that_is_cited_is_in_the_paper(page: str, papers: ModuleType, data: Path) -> None:
    text = (data.parent / "papers" / f"{page}.txt").read_text(encoding="utf-8")
    plain = re.sub(r"[ \t\u2009\u2002]+", " ", text)
    cited = papers.places(page)
    assert len(cited) > 5
    assert [place for place in sorted(cited) if not re.search(heading(place), plain)] == []


@pytest.mark.papers
def test_a_place_that_is_not_there_is_seen(data: Path) -> None:
    text = (data.parent / "papers" / "semi.txt").read_text(encoding="utf-8")
    assert not re.search(heading("Table 3"), text)
    assert not re.search(heading("Appendix B"), text)
