"""The page's types are those that the server describes: there is no second copy to keep in step."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from types import ModuleType

from mitoscope.web.app import describe_api

FRONTEND = Path(__file__).parents[2] / "frontend"


def _writer() -> ModuleType:
    spec = importlib.util.spec_from_file_location("api_types", FRONTEND / "api_types.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_types_of_the_page_are_current() -> None:
    written = (FRONTEND / "src" / "api" / "types.ts").read_text(encoding="utf-8")
    assert written == _writer().written(), "run: python frontend/api_types.py"


def test_every_form_of_an_answer_has_a_type() -> None:
    schemas = set(describe_api()["components"]["schemas"]) - {"HTTPValidationError", "ValidationError"}
    written = (FRONTEND / "src" / "api" / "types.ts").read_text(encoding="utf-8")
    declared = set(re.findall(r"^export (?:interface|type) (\w+)", written, re.MULTILINE))
    assert declared == schemas


def test_no_page_repeats_what_the_server_sends() -> None:
    """Answers are taken as a named type of the description, never as one that is written where it is used."""
    twins = [
        f"{path.name}: {match}"
        for path in sorted((FRONTEND / "src").rglob("*.ts*"))
        for match in re.findall(r"\b(?:get|ask|write|send)<\s*\{[^>]*>", path.read_text(encoding="utf-8"))
    ]
    assert twins == []


def test_how_a_schema_is_written() -> None:
    kinds = _writer()._type
    assert kinds({"anyOf": [{"type": "integer"}, {"type": "null"}]}) == "number | null"
    assert kinds({"type": "array", "items": {"enum": ["a", "b"]}}) == 'readonly ("a" | "b")[]'
    pair = {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2}
    assert kinds({"type": "array", "items": pair}) == "readonly (readonly [number, number])[]"
    assert kinds({"$ref": "#/components/schemas/Round"}) == "Round"
    assert (
        kinds({"type": "object", "additionalProperties": {"type": "string"}})
        == "Readonly<Record<string, string>>"
    )
    assert kinds({"title": "Position"}) == "unknown"
