"""The site builds without a warning, needs nothing from the network, and describes every public name."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

import mitoscope


@pytest.fixture(scope="module")
def site(project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the built site."""
    target = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "mkdocs", "build", "--quiet", "--strict", "--site-dir", str(target)]
    environment = os.environ | {"NO_MKDOCS_2_WARNING": "1"}
    done = subprocess.run(command, cwd=project, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return target


def test_nothing_is_fetched_from_elsewhere(site: Path) -> None:
    for page in site.rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        fetched = re.findall(r'<(?:script|link|img)[^>]+(?:src|href)="(https?://[^"]+)"', text)
        assert fetched == [], page.relative_to(site)


SEARCH = """
import sys
from playwright.sync_api import sync_playwright

with sync_playwright() as playwright:
    browser = playwright.chromium.launch(executable_path=sys.argv[1], args=["--no-sandbox"])
    page = browser.new_page()
    page.goto(sys.argv[2])
    page.get_by_role("textbox", name="Search").fill("hot spot")
    found = page.locator(".md-search-result__link").first
    found.wait_for(timeout=120_000)
    print(found.evaluate("link => link.href"))
    browser.close()
"""
"""In a process of its own: other tests of this process may have a browser open."""


def test_the_search_finds_pages_without_a_server(site: Path) -> None:
    program = shutil.which("chromium")
    assert program is not None
    page = (site / "reference" / "python.html").as_uri()
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, program, page], capture_output=True, text=True, check=True
    )
    assert done.stdout.startswith("file:")


def test_every_public_name_stands_in_the_python_reference(project: Path) -> None:
    text = (project / "docs" / "reference" / "python.md").read_text(encoding="utf-8")
    named = set(re.findall(r"^::: mitoscope\.(\w+)$", text, flags=re.MULTILINE))
    assert named == {name for name in mitoscope.__all__ if not name.startswith("__")}


def test_every_page_says_for_whom_it_is(project: Path) -> None:
    pages = [page for page in (project / "docs").rglob("*.md") if page.name != "index.md"]
    without = [page.name for page in pages if not re.match(r"# .+\n\nFor ", page.read_text(encoding="utf-8"))]
    assert without == []


def test_the_reference_of_keys_is_up_to_date(project: Path) -> None:
    writer = _module(project / "docs" / "write_reference.py")
    for path, text in writer.pages():
        assert path.read_text(encoding="utf-8") == text, "run: make docs"


def _module(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
