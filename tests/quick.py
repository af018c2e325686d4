"""What a change passes before it is committed: linters, types, import contracts and its nearest tests.

Run by ``make quick``. The change is all that differs from where its branch left `main` (``make quick
SINCE=COMMIT`` compares with another one). Tests that have not begun after a minute are left to ``make test``.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[1]
SECONDS_MAX = 60.0
"""After so long no further test begins."""
SLOW = ("browser", "e2e", "faults", "machine")
"""Folders of tests that drive whole programs."""
PAPERWORK = {".md", ".cff", ".json", ".toml", ".yml", ".yaml"}


def main(since: str = "main") -> int:
    """Run all steps, the cheapest first, and stop at the first that fails."""
    began = time.monotonic()
    changed = changed_since(since)
    python = [str(path) for path in changed if path.suffix == ".py"]
    typed = [name for name in python if name.startswith(("src/", "tests/"))]
    steps = [["ruff", "check"], ["ruff", "format", "--check"], ["lint-imports"]]
    if typed:
        steps.insert(2, ["mypy", *typed])
    for step in steps:
        print("·", *step[:2], flush=True)
        if subprocess.run([str(Path(sys.executable).with_name(step[0])), *step[1:]], cwd=PROJECT).returncode:
            return 1
    if any(path.suffix in {".ts", ".tsx"} for path in changed):
        print("· frontend/build.py --lint", flush=True)
        if subprocess.run([sys.executable, "frontend/build.py", "--lint"], cwd=PROJECT).returncode:
            return 1
    tests = [str(path) for path in nearest_tests(changed, PROJECT)]
    print("· pytest", *tests, flush=True)
    status = run_tests(tests, until=began + SECONDS_MAX) if tests else 0
    print(f"{time.monotonic() - began:.0f} s")
    return status


def changed_since(commit: str) -> list[Path]:
    """Return the files that differ from where the branch left a commit, those not yet added too."""
    try:
        base = _git("merge-base", "HEAD", commit)[0]
    except subprocess.CalledProcessError:
        base = "HEAD"  # a clone without that branch: what is not committed
    names = {
        *_git("diff", "--name-only", "--diff-filter=d", base),
        *_git("ls-files", "--others", "--exclude-standard"),
    }
    return [Path(name) for name in sorted(names)]


def _git(*words: str) -> list[str]:
    done = subprocess.run(["git", *words], cwd=PROJECT, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def nearest_tests(changed: Iterable[Path], project: Path) -> list[Path]:
    """Return the test files nearest to changed files, relative to the project.

    A test is near to itself; to a module, if it lies in the folder of tests of the module's package and bears
    its name or imports it; to the project's papers, if it reads them.
    """
    return sorted({test for path in changed for test in _nearest(path, project)})


def _nearest(path: Path, project: Path) -> Iterator[Path]:
    top, *inner = path.parts
    if top == "tests" and path.name.startswith("test_") and path.suffix == ".py":
        if inner[0] not in SLOW:
            yield path
    elif top == "src" and path.suffix == ".py":
        module = path.relative_to("src").with_suffix("").parts
        package = module[1] if len(module) > 2 else ""
        imported = re.compile(rf"\b{re.escape('.'.join(module))}\b")
        there = (project / "tests" / package).glob("**/test_*.py" if package else "test_*.py")
        for test in there:
            if test.stem == f"test_{path.stem}" or imported.search(test.read_text(encoding="utf-8")):
                yield test.relative_to(project)
    elif path.suffix in PAPERWORK:
        yield from (Path("tests", name) for name in ("test_docs.py", "test_project.py"))


class _Deadline:
    """Lets no test begin after a moment."""

    def __init__(self, until: float) -> None:
        self.until = until
        self.has_passed = False

    @pytest.hookimpl
    def pytest_runtest_logfinish(self) -> None:
        self.has_passed = time.monotonic() > self.until

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_protocol(self, item: pytest.Item) -> Iterator[None]:
        if self.has_passed and not item.session.testsfailed:
            item.session.shouldstop = "a minute is over; make test runs the rest"
        return (yield)


def run_tests(tests: list[str], *, until: float) -> int:
    """Run tests until one fails or time is over; return 0 where all that ran have passed."""
    os.chdir(PROJECT)
    deadline = _Deadline(until)
    status = pytest.main(["-x", "-q", *tests], plugins=[deadline])
    return 0 if deadline.has_passed and status == pytest.ExitCode.INTERRUPTED else int(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
