"""Reading a recipe's file: what it takes from another recipe, and what the command line changes."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from mitoscope.bundle import shipped
from mitoscope.config import read_toml
from mitoscope.errors import ConfigError

BASE_KEY: Final = "base"
"""Key that names a recipe beside this one, from which everything is taken that is not stated here."""
_KINDS: Final = ("kind", "architecture")
_NESTING_MAX: Final = 8
_EVERY_NTH: Final = 5
_VALIDATED_EVERY: Final = 500
"""Steps, where a recipe does not say."""

Values = dict[str, Any]


def read_settings(path: Path) -> Values:
    """Read a recipe's TOML file with its bases.

    Raises
    ------
    ConfigError
        If a file is missing or not TOML, or bases go round in a circle.
    """
    return _with_bases(read_toml(path), path, nesting=0)


def _with_bases(values: Values, path: Path, *, nesting: int) -> Values:
    if nesting > _NESTING_MAX:
        raise ConfigError("its bases go round in a circle", where=path)
    own = {key: _expanded(value, path, nesting) for key, value in values.items() if key != BASE_KEY}
    if BASE_KEY not in values:
        return own
    base = path.parent / str(values[BASE_KEY])
    return overlaid(_with_bases(read_toml(base), base, nesting=nesting + 1), own)


def _expanded(value: Any, path: Path, nesting: int) -> Any:
    return _with_bases(value, path, nesting=nesting) if isinstance(value, dict) else value


def overlaid(below: Mapping[str, Any], above: Mapping[str, Any]) -> Values:
    """Return one table over another; a table of another kind replaces the one below as a whole."""
    if any(key in above and above[key] != below.get(key) for key in _KINDS):
        return dict(above)
    out = dict(below)
    for key, value in above.items():
        both = isinstance(value, Mapping) and isinstance(out.get(key), Mapping)
        out[key] = overlaid(out[key], value) if both else value
    return out


def with_change(values: Values, change: str) -> Values:
    """Return the values with one of them changed.

    Parameters
    ----------
    values : dict
    change : str
        ``key=value``, the key dotted (``phases.0.steps=10``), the value as in TOML.

    Raises
    ------
    ConfigError
        If the change is not of the form ``key=value``, or its key names no place.
    """
    key, equals, text = change.partition("=")
    if not equals or not key.strip():
        raise ConfigError(f"{change!r} is not of the form key=value", mend="e.g. --set run.seed=3")
    changed: Values = _put(values, key.strip().split("."), _value(text.strip()), where=key.strip())
    return changed


def for_own_data(values: Values) -> list[str]:
    """Return the changes that a recipe of published data needs on the data of a user.

    Cases that it holds out by name are not there, nor is the set on which it chooses its threshold: held-out
    cases choose it. And what comes of it is no shipped model, whose name it does not take.
    """
    changes = []
    for part, recipe in _parts(values).items():
        split = recipe.get("data", {}).get("split", {})
        if split.get("held_out"):
            changes.append(f"{part}data.split.held_out=[]")
            if not split.get("every_nth"):
                changes.append(f"{part}data.split.every_nth={_EVERY_NTH}")
        if recipe.get("calibration", {}).get("dataset") == "midesec":
            changes.append(f"{part}calibration.dataset=validation")
    name = values.get("bundle", {}).get("name", "")
    if name in shipped():
        changes.append(f"bundle.name={name}-own")
    return changes


def of_steps(values: Values, steps: int) -> list[str]:
    """Return the changes by which a run takes so many steps, divided among its phases as before."""
    changes = []
    for part, recipe in _parts(values).items():
        phases = recipe["phases"]
        total = sum(phase["steps"] for phase in phases)
        for place, phase in enumerate(phases):
            share = max(round(steps * phase["steps"] / total), 1)
            changes.append(f"{part}phases.{place}.steps={share}")
            if phase.get("cycles", 1) > share:
                changes.append(f"{part}phases.{place}.cycles=1")
        every = recipe.get("validation", {}).get("every", _VALIDATED_EVERY)
        if every > steps:
            changes.append(f"{part}validation.every={steps}")
    return changes


def _parts(values: Values) -> dict[str, Values]:
    """Return a recipe, or the two of a dual one, by what its keys begin with."""
    if "detector" not in values:
        return {"": values}
    return {f"{name}.": values[name] for name in ("detector", "verifier")}


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text  # a word needs no quotation marks on the command line


def _put(place: Any, keys: list[str], value: Any, *, where: str) -> Any:
    if not keys:
        return value
    first, rest = keys[0], keys[1:]
    if isinstance(place, list):
        if not first.isdecimal() or int(first) >= len(place):
            raise ConfigError(f"{where!r}: {first!r} is not one of its {len(place)} places", where="--set")
        return [_put(v, rest, value, where=where) if i == int(first) else v for i, v in enumerate(place)]
    if place is not None and not isinstance(place, dict):
        raise ConfigError(f"{where!r}: nothing lies below a plain value", where="--set")
    table = place or {}
    return table | {first: _put(table.get(first), rest, value, where=where)}
