"""The documents are true."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path

from typer.main import get_command

from mitoscope.cli import app


def test_the_command_reference_is_up_to_date(project: Path) -> None:
    spec = importlib.util.spec_from_file_location("write_commands", project / "docs" / "write_commands.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.describe(), "run: make docs"


def test_the_schemas_are_up_to_date(project: Path) -> None:
    spec = importlib.util.spec_from_file_location("write_schemas", project / "docs" / "write_schemas.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert module.TARGET.read_text(encoding="utf-8") == module.describe(), "run: make docs"


def test_every_verb_of_the_contract_is_there() -> None:
    verbs = getattr(get_command(app), "commands", {})
    assert {"demo", "detect", "count", "evaluate", "synth", "train", "bundle", "doctor"} | {
        "store",
        "curate",
        "data",
        "experiment",
        "serve",
    } <= set(verbs)


def test_links_in_the_documents_lead_somewhere(project: Path) -> None:
    for document in [*sorted(project.glob("*.md")), *sorted((project / "docs").glob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)\)", document.read_text(encoding="utf-8")):
            if "://" not in target:
                assert (document.parent / target).exists(), f"{document.name}: {target}"


def test_every_test_that_the_promises_name_is_there(project: Path) -> None:
    text = (project / "docs" / "promises.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", text))
    assert named
    assert [name for name in sorted(named) if not (project / name).exists()] == []
