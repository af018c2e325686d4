"""What the base install holds, and how fast it starts."""

from __future__ import annotations

import subprocess
import sys
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PACKAGES_MAX = 48
MEGABYTES_MAX = 450
"""82 of them are imagecodecs, the third witness where the tags of a TIFF contradict its streams."""
COMPUTING = {
    "PIL", "fastapi", "jinja2", "matplotlib", "numpy", "onnxruntime", "openslide", "pydantic", "rich",
    "scipy", "shapely", "simplejpeg", "tifffile", "uvicorn",
}  # fmt: skip
TRAINING = {"lightning_fabric", "sklearn", "timm", "torch", "torchvision"}


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


def brought_by(code: str) -> set[str]:
    """Return the packages outside of the standard library that a program has imported at its end.

    What a start costs is what it imports: unlike seconds, that does not depend on what else the machine does.
    """
    report = (
        "import atexit, sys\n"
        "def report():\n"
        "    names = {name.partition('.')[0] for name in sys.modules} - sys.stdlib_module_names\n"
        "    sys.stderr.write('\\nbrought ' + ' '.join(sorted(names)))\n"
        "atexit.register(report)\n"
    )
    done = subprocess.run([sys.executable, "-c", report + code], check=True, capture_output=True, text=True)
    return set(done.stderr.rpartition("\nbrought ")[2].split())


def test_importing_the_package_brings_nothing_until_a_name_is_used() -> None:
    before = brought_by("pass")
    assert brought_by("import mitoscope") - before == {"mitoscope"}


def test_the_public_names_need_no_training() -> None:
    code = "import mitoscope\nfor name in set(mitoscope.__all__) - {'train'}: getattr(mitoscope, name)"
    brought = brought_by(code)
    assert "numpy" in brought
    assert not brought & TRAINING


def test_help_imports_none_of_the_libraries_that_compute() -> None:
    brought = brought_by(
        "import sys; sys.argv = ['mitoscope', '--help']; from mitoscope.cli import run; run()"
    )
    assert "typer" in brought
    assert not brought & (COMPUTING | TRAINING)


@pytest.mark.parametrize("first", ["mitoscope", "mitoscope.count.slides", "mitoscope.evaluate.protocols"])
def test_a_verb_is_called_whatever_was_imported_before(first: str) -> None:
    code = f"import {first}, mitoscope; print(callable(mitoscope.count), callable(mitoscope.evaluate))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout.split() == ["True", "True"]
