"""Write docs/reference/*.md: the keys of recipes and of bundle manifests, from the checked types themselves.

A test holds that the pages are up to date.
"""

from __future__ import annotations

import inspect
import json
import types
from collections.abc import Iterator
from enum import Enum
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from griffe import Docstring, DocstringSectionKind
from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from typing_extensions import TypeAliasType

from mitoscope.bundle.manifest import Manifest
from mitoscope.train.recipe import DualRecipe, Recipe

PAGES = Path(__file__).with_name("reference")
_ABOUT = {
    "recipes.md": (
        "Keys of a recipe",
        """For researchers who write a recipe for `mitoscope train` ([training](../training.md)).
A recipe is a TOML file; each heading below is a table of it. An unknown key is an error.
`base = "OTHER.toml"` takes from another recipe what is not stated, and `--set KEY=VALUE` changes a key
for one run.""",
        (Recipe, DualRecipe),
    ),
    "bundle-manifest.md": (
        "Keys of a bundle's manifest",
        """For authors of tools around models. A model is a folder, and its `manifest.json` says all
that is known of it ([architecture](../architecture.md)). `mitoscope bundle show MODEL --json`
prints it, `mitoscope bundle verify MODEL` checks it.""",
        (Manifest,),
    ),
}


def pages() -> Iterator[tuple[Path, str]]:
    """Yield every page with its text."""
    for name, (title, about, roots) in _ABOUT.items():
        parts = [f"# {title}", about, "Written by `make docs` from the program."]
        seen: set[type[BaseModel]] = set()
        for root in roots:
            parts.extend(_tables(root, "", seen))
        yield PAGES / name, "\n\n".join(parts) + "\n"


def _tables(model: type[BaseModel], place: str, seen: set[type[BaseModel]]) -> Iterator[str]:
    """Describe a model, then the models of its fields, each once."""
    seen.add(model)
    inner: list[tuple[str, type[BaseModel]]] = []
    words = _parameters(model)
    rows = []
    for name, field in model.model_fields.items():
        members = list(dict.fromkeys(_models(field.annotation)))
        inner.extend((f"{place}.{name}" if place else name, member) for member in members)
        if members:
            wanted = " or ".join(f"[{one.__name__}](#{one.__name__.lower()})" for one in members)
            default = "required" if field.is_required() else "see there"
        else:
            wanted = f"`{_type(field.annotation)}`"
            default = "required" if field.is_required() else f"`{_default(field)}`"
        rows.append(f"| `{name}` | {wanted} | {default} | {words.get(name, '')} |")
    summary = _cell((inspect.getdoc(model) or "").split("\n\n")[0])
    where = f"`[{place}]`. " if place else ""
    yield f"## {model.__name__}\n\n{where}{summary}"
    if rows:
        yield "\n".join(["| Key | Value | Default | What |", "|---|---|---|---|", *rows])
    for where, member in inner:
        if member not in seen:
            yield from _tables(member, where, seen)


def _parameters(model: type[BaseModel]) -> dict[str, str]:
    """Return what the docstrings of a model and its bases say of their fields."""
    words: dict[str, str] = {}
    for base in reversed(model.__mro__):
        text = Docstring(inspect.cleandoc(base.__doc__ or ""))
        for section in text.parse("numpy", warnings=False):
            if section.kind is DocstringSectionKind.parameters:
                words |= {one.name: _cell(one.description) for one in section.value}
    return words


def _cell(text: str) -> str:
    """Return text as it can stand in a cell of a table."""
    return " ".join(text.split()).replace("``", "`").replace("|", "\\|")


def _models(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, TypeAliasType):
        yield from _models(annotation.__value__)
    elif isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    else:
        for part in get_args(annotation):
            yield from _models(part)


def _type(annotation: Any) -> str:
    """Return a type as a reader of TOML or JSON calls it."""
    origin, parts = get_origin(annotation), get_args(annotation)
    if isinstance(annotation, TypeAliasType):
        return _type(annotation.__value__)
    if origin is Annotated:
        return _type(parts[0])
    if origin is Literal:
        return ", ".join(json.dumps(one) for one in parts)
    if origin in (Union, types.UnionType):
        return " or ".join(dict.fromkeys(_type(one) for one in parts if one is not type(None)))
    if origin in (tuple, list, frozenset):
        return f"list of {_type(parts[0])}" if parts else "list"
    if origin in (dict, types.MappingProxyType):
        return f"table of {_type(parts[1])}"
    if isinstance(annotation, type) and issubclass(annotation, Enum):
        return ", ".join(json.dumps(one.value) for one in annotation)
    names = {str: "text", int: "whole number", float: "number", bool: "true or false", Path: "path"}
    return names.get(annotation, getattr(annotation, "__name__", str(annotation)))


def _default(field: Any) -> str:
    value = field.default if field.default is not PydanticUndefined else field.default_factory()
    if value is None:
        return "none"
    return json.dumps(value, default=lambda one: sorted(one) if isinstance(one, frozenset) else str(one))


if __name__ == "__main__":
    PAGES.mkdir(exist_ok=True)
    for path, text in pages():
        path.write_text(text, encoding="utf-8")
