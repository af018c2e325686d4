"""What the project says of itself: who may use it, how to cite it, how to change it."""

from __future__ import annotations

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]

import mitoscope
from tests.quick import nearest_tests


def read_yaml(path: Path) -> Any:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_the_notice_names_every_package_of_the_page_with_its_licence(project: Path) -> None:
    lock = json.loads((project / "frontend" / "package-lock.json").read_text(encoding="utf-8"))
    shipped = {
        name.removeprefix("node_modules/"): one["license"]
        for name, one in lock["packages"].items()
        if name and not one.get("dev")
    }
    assert "preact" in shipped
    notice = (project / "NOTICE").read_text(encoding="utf-8")
    assert dict(re.findall(r"^(\S+), ([\w.-]+), Copyright", notice, re.MULTILINE)) == shipped
    assert all(f"\n{licence}:\n" in notice for licence in shipped.values())


def test_all_papers_name_one_version_and_one_licence(project: Path) -> None:
    stated = tomllib.loads((project / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = read_yaml(project / "CITATION.cff")
    meta = json.loads((project / "codemeta.json").read_text(encoding="utf-8"))
    assert citation["version"] == meta["version"] == stated["version"] == mitoscope.__version__
    assert citation["license"] == stated["license"] == meta["license"].rpartition("/")[2]
    assert citation["keywords"] == meta["keywords"] == stated["keywords"]
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    authors = [one["name"] for one in stated["authors"]]
    assert [one["name"] for one in citation["authors"]] == [one["name"] for one in meta["author"]] == authors


def test_every_file_and_target_that_contributing_names_is_there(project: Path) -> None:
    text = (project / "CONTRIBUTING.md").read_text(encoding="utf-8")
    roots = r"src|tests|docs|frontend|recipes|benchmarks|\.github"
    named = set(re.findall(rf"`((?:{roots})/[\w./-]*)`", text))
    assert len(named) > 20
    made = {name for name in named if "NAME" in name} | {"frontend/src/api/types.ts"}
    assert [name for name in sorted(named - made) if not (project / name).exists()] == []
    targets = set(re.findall(r"^([a-z]+):", (project / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    assert set(re.findall(r"(?<![\w-])make ([a-z]+)(?=`| +#)", text)) <= targets


@pytest.mark.parametrize(
    ("name", "where", "words"),
    [
        ("_TINY", "src/mitoscope/experiments/trained/smoke.py", "_TINY: Final = {"),
        ("FORMATS", "src/mitoscope/exchange/registry.py", "FORMATS: dict[str, Format]"),
        ("PROTOCOLS", "src/mitoscope/evaluate/protocols.py", "PROTOCOLS: dict[str, Protocol]"),
        ("_by_score", "src/mitoscope/evaluate/protocols.py", "def _by_score("),
        ("ModelConfig", "src/mitoscope/models/config.py", "ModelConfig = Annotated["),
        ("REFERENCES", "tests/evaluate/references.py", "REFERENCES = {"),
        ("SMALL", "tests/train/test_recipes_run.py", "SMALL = {"),
        ("_SCHEMES", "src/mitoscope/train/recipe.py", "_SCHEMES"),
        ("ProtocolOption", "src/mitoscope/cli/options.py", "ProtocolOption = Annotated["),
        ("_ROUTES", "src/mitoscope/web/app.py", "_ROUTES ="),
        ("OPERATIONS", "tests/security/expected.py", "OPERATIONS: dict["),
        ("Place", "frontend/src/app.tsx", "function Place()"),
    ],
)
def test_what_contributing_sends_people_to_stands_there(
    project: Path, name: str, where: str, words: str
) -> None:
    text = (project / "CONTRIBUTING.md").read_text(encoding="utf-8")
    assert f"`{name}`" in text
    assert f"`{where}`" in text
    assert words in (project / where).read_text(encoding="utf-8")


def test_forms_and_workflows_are_well_formed(project: Path) -> None:
    for path in (project / ".github" / "workflows").glob("*.yml"):
        for job in read_yaml(path)["jobs"].values():
            assert job["runs-on"]
            assert all(("uses" in step) != ("run" in step) for step in job["steps"]), path.name
    for name in ("bug", "idea"):
        form = read_yaml(project / ".github" / "ISSUE_TEMPLATE" / f"{name}.yml")
        assert {"name", "description", "body"} <= form.keys()
    for hook in read_yaml(project / ".pre-commit-config.yaml")["repos"][0]["hooks"]:
        assert {"id", "name", "entry", "language"} <= hook.keys()
    assert json.loads((project / ".devcontainer" / "devcontainer.json").read_text(encoding="utf-8"))["image"]


def test_the_tests_nearest_to_a_change(project: Path) -> None:
    near = {
        changed: [str(test) for test in nearest_tests([Path(changed)], project)]
        for changed in (
            "src/mitoscope/cli/count.py",
            "src/mitoscope/region.py",
            "src/mitoscope/exchange/registry.py",
            "tests/count/test_window.py",
            "tests/browser/test_case.py",
            "README.md",
        )
    }
    assert near["src/mitoscope/cli/count.py"] == ["tests/cli/test_count.py"]
    assert near["src/mitoscope/region.py"] == ["tests/test_region.py"]
    assert {"tests/exchange/test_registry.py", "tests/exchange/test_outlines_xml.py"} <= set(
        near["src/mitoscope/exchange/registry.py"]
    )
    assert near["tests/count/test_window.py"] == ["tests/count/test_window.py"]
    assert near["tests/browser/test_case.py"] == []
    assert near["README.md"] == ["tests/test_docs.py", "tests/test_project.py"]
