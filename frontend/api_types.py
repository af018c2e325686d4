"""Writes ``src/api/types.ts``: the forms of all requests and answers, as the server describes them.

Run as ``python frontend/api_types.py`` whenever a form of :mod:`mitoscope.web` has changed; a test compares
the file with what this would write. The forms stand in Python alone: the page has no types of its own for
them.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mitoscope.web.app import describe_api

TARGET = Path(__file__).resolve().parent / "src" / "api" / "types.ts"
_HEAD = "// Written by frontend/api_types.py from the description of the API: change the forms there.\n"
_LEFT_OUT = ("HTTPValidationError", "ValidationError")
"""Of the framework; the server answers with a Problem instead."""
_PLAIN = {"integer": "number", "number": "number", "string": "string", "boolean": "boolean", "null": "null"}

Schema = dict[str, Any]


def written() -> str:
    """Return the content of the file."""
    schemas = describe_api()["components"]["schemas"]
    parts = [_declared(name, one) for name, one in sorted(schemas.items()) if name not in _LEFT_OUT]
    return "\n".join([_HEAD, *parts])


def _declared(name: str, schema: Schema) -> str:
    comment = _comment(schema.get("description", ""))
    if "properties" not in schema:
        return f"{comment}export type {name} = {_type(schema)};\n"
    required = schema.get("required", [])
    fields = [
        f"  readonly {field}{'' if field in required else '?'}: {_type(one)};\n"
        for field, one in schema["properties"].items()
    ]
    return f"{comment}export interface {name} {{\n{''.join(fields)}}}\n"


def _comment(text: str) -> str:
    lines = [line.strip() for line in text.strip().splitlines()]
    if not lines:
        return ""
    if len(lines) == 1:
        return f"/** {lines[0]} */\n"
    return "/**\n" + "".join(f" * {line}".rstrip() + "\n" for line in lines) + " */\n"


def _type(schema: Schema) -> str:
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    if "anyOf" in schema:
        return " | ".join(dict.fromkeys(_type(one) for one in schema["anyOf"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    if "prefixItems" in schema:
        return f"readonly [{', '.join(_type(one) for one in schema['prefixItems'])}]"
    kind = schema.get("type")
    if kind == "array":
        return _array(schema)
    if kind == "object":
        values = schema.get("additionalProperties")
        return f"Readonly<Record<string, {_type(values) if isinstance(values, dict) else 'unknown'}>>"
    return "unknown" if kind is None else _PLAIN[kind]


def _array(schema: Schema) -> str:
    item = _type(schema["items"])
    length = schema.get("maxItems")
    if length is not None and length == schema.get("minItems"):
        return f"readonly [{', '.join([item] * length)}]"
    return f"readonly ({item})[]" if " " in item else f"readonly {item}[]"


def main() -> int:
    """Write the file, and say so."""
    TARGET.write_text(written(), encoding="utf-8")
    print(f"types of the API written: {TARGET}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
