"""What all tests share: the folder of real data, and which tests need it."""

from __future__ import annotations

import importlib.util
import os
import signal
from pathlib import Path

import pytest
from hypothesis import settings

# A machine at work is no reason for a property not to hold.
settings.register_profile("mitoscope", deadline=None)
# The same examples in every run: no commit is refused for what another one did.
settings.register_profile("ci", deadline=None, derandomize=True)
settings.load_profile("ci" if os.environ.get("CI") else "mitoscope")

PROJECT = Path(__file__).resolve().parents[1]
LONG = ("experiments", "train", "e2e", "browser", "loops", "curation", "infer", "test_notebooks.py")
"""Files and folders of long tests: begun first, none of them is left to one process at the end."""
DATA = Path(os.environ.get("MITOSCOPE_DATA", PROJECT.parent / "shared" / "data")).resolve()


def pytest_configure() -> None:
    """Let Ctrl-C be Ctrl-C, here and in child processes: a job in the background is begun with it ignored."""
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ["MITOSCOPE_BUNDLES"] = str(PROJECT / "no-shelf")  # not that of whoever runs them


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what takes long; leave out what this machine cannot run, and say why."""
    items.sort(key=lambda item: item.path.relative_to(PROJECT / "tests").parts[0] not in LONG)
    no_data = pytest.mark.skip(reason=f"no real data at {DATA}; set MITOSCOPE_DATA")
    no_papers = pytest.mark.skip(reason=f"no text of the papers beside {DATA}")
    no_torch = pytest.mark.skip(reason="torch is not installed; uv sync --extra train")
    for item in items:
        if "realdata" in item.keywords and not DATA.is_dir():
            item.add_marker(no_data)
        if "papers" in item.keywords and not (DATA.parent / "papers").is_dir():
            item.add_marker(no_papers)
        if "train" in item.keywords and importlib.util.find_spec("torch") is None:
            item.add_marker(no_torch)


@pytest.fixture(scope="session")
def project() -> Path:
    """Return the root of the project."""
    return PROJECT


@pytest.fixture(scope="session")
def data() -> Path:
    """Return the folder of real pixels and annotations."""
    return DATA
