"""What the base install holds, and how fast it starts."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES_MAX = 48
MEGABYTES_MAX = 400


def base_closure() -> set[str]:
    """Return the names of all packages that ``pip install mitoscope`` brings, itself not counted."""
    seen: set[str] = set()
    waiting: list[tuple[str, frozenset[str]]] = [("mitoscope", frozenset())]
    while waiting:
        name, extras = waiting.pop()
        for text in metadata.requires(name) or ():
            requirement = Requirement(text)
            marker = requirement.marker
            if marker and not any(marker.evaluate({"extra": extra}) for extra in extras | {""}):
                continue
            wanted = canonicalize_name(requirement.name)
            if wanted not in seen:
                seen.add(wanted)
                waiting.append((wanted, frozenset(requirement.extras)))
    return seen


def test_the_base_install_is_small() -> None:
    names = base_closure()
    assert "torch" not in names
    assert len(names) <= PACKAGES_MAX, sorted(names)
    paths = [Path(str(path.locate())) for name in names for path in metadata.files(name) or ()]
    size = sum(path.stat().st_size for path in paths if path.exists())
    assert size < MEGABYTES_MAX * 1e6


def test_importing_the_package_is_fast_and_brings_no_torch() -> None:
    code = (
        "import time, sys, json; t = time.perf_counter(); import mitoscope; t = time.perf_counter() - t;"
        "names = [getattr(mitoscope, n) is not None for n in mitoscope.__all__];"
        "print(json.dumps([t, 'torch' in sys.modules, len(names)]))"
    )
    runs = [json.loads(subprocess.check_output([sys.executable, "-c", code])) for _ in range(3)]
    assert min(seconds for seconds, _, _ in runs) < 0.3
    assert not any(torch for _, torch, _ in runs)
    assert 15 <= runs[0][2] <= 30


def test_help_is_instant() -> None:
    seconds = []
    for _ in range(5):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-m", "mitoscope", "--help"], check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    assert min(seconds) < 0.5
