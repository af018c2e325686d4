"""Configuration: frozen, strict, read from and written to TOML, with a fingerprint."""

from __future__ import annotations

import hashlib
import json
import tomllib
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal, Self, TypeVar, get_args, get_origin

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write, open_regular

_Word = TypeVar("_Word", bound=StrEnum)
_CHOICES = ("literal_error", "enum")
_SAID = "said"
_GIVEN_MAX = 60
_WANTED = {
    "int_": "be a whole number",
    "float_": "be a number",
    "finite_number": "be a finite number",
    "bool_": "be true or false",
    "string_type": "be text",
    "list_": "be a list",
    "tuple_type": "be a list",
    "dict_": "be a table",
    "model_": "be a table",
}
"""Beginning of a kind of fault → what is wanted; the others are said in the words of the check."""


class Config(BaseModel):
    """Base of every configuration.

    Fields cannot be changed after construction, an unknown key is an error, numbers must be finite.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, validate_default=True)

    @classmethod
    def parse(cls, values: dict[str, Any], *, where: str | Path) -> Self:
        """Validate values that came from outside.

        Raises
        ------
        ConfigError
            Naming the first offending key.
        """
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            what, mend = explain(error, cls)
            raise ConfigError(what, where=where, mend=mend) from None

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a TOML file.

        Raises
        ------
        ConfigError
            If the file is missing, is not TOML, or a key or value does not fit.
        """
        return cls.parse(read_toml(path), where=path)

    def to_toml(self, path: Path) -> None:
        """Write a TOML file atomically; values that are None are left out."""
        with atomic_write(path) as stream:
            stream.write(tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)).encode())

    def fingerprint(self) -> str:
        """Return the SHA-256 of the canonical JSON of all fields, as 64 hexadecimal digits."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def parse_word(words: type[_Word], value: str, *, where: str) -> _Word:
    """Return the member that a word names.

    Raises
    ------
    ConfigError
        Naming the words there are.
    """
    try:
        return words(str(value).strip().casefold())
    except ValueError:
        known = ", ".join(str(word) for word in words)
        raise ConfigError(f"no {where} {value!r}", where=where, mend=f"choose one of: {known}") from None


def read_toml(path: Path) -> dict[str, Any]:
    """Read a TOML file.

    Raises
    ------
    ConfigError
        If it is missing, cannot be read or is not TOML.
    """
    try:
        with open_regular(path) as stream:
            return tomllib.load(stream)
    except FileNotFoundError:
        raise ConfigError("no such file", where=path) from None
    except OSError as error:
        raise ConfigError(f"cannot be read ({error.strerror})", where=path) from None
    except RecursionError:
        raise ConfigError("not TOML: nested too deep", where=path) from None
    except ValueError as error:  # not TOML, not UTF-8, a number of thousands of digits
        raise ConfigError(f"not TOML: {error}", where=path) from None


def explain(error: ValidationError, config: type[BaseModel]) -> tuple[str, str | None]:
    """Return what is wrong with values that do not fit, naming the first key, and what to do about it."""
    # A misspelt key comes first: that the right one is missing follows from it.
    first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
    if first["type"] == "json_invalid":
        return f"not JSON ({first['ctx']['error']})", None
    if not first["loc"] and first["type"] == "value_error":  # of several values together
        return str(first["ctx"]["error"]), None
    key = ".".join(str(part) for part in first["loc"]) or "(whole)"
    if first["type"] == "extra_forbidden":
        known = ", ".join(_settings_beside(config, first["loc"]))
        return f"unknown setting {key!r}", f"allowed: {known}" if known else None
    return say_fault_of(f"key {key!r}", first), None


def fault_said(what: str) -> PydanticCustomError:
    """Return the error of a check, in words that follow the name of the value: "is empty"."""
    return PydanticCustomError(_SAID, "{what}", {"what": what})


def say_fault_of(name: str, fault: ErrorDetails) -> str:
    """Return what is wrong with a value of a name, as a line."""
    return f"{name}{': ' if fault['type'] in _CHOICES else ' '}{say_fault(fault)}"


def say_fault(fault: ErrorDetails) -> str:
    """Return what is wrong with one value, in words that follow its name."""
    kind, given = fault["type"], repr(fault["input"])
    given = given if len(given) <= _GIVEN_MAX else f"{given[:_GIVEN_MAX]}…"
    if kind == _SAID:
        return fault["msg"]
    if kind == "missing":
        return "is missing"
    if kind in _CHOICES:
        return f"choose {fault['ctx']['expected'].replace(chr(39), '')}, not {given}"
    if kind in ("value_error", "assertion_error"):
        return f"does not hold: {fault['ctx']['error']}"
    if kind == "string_pattern_mismatch":
        return f"must be of the form {fault['ctx']['pattern']}, not {given}"
    wanted = next((words for start, words in _WANTED.items() if kind.startswith(start)), None)
    if wanted is None:
        # "Input should be greater than 0", "List should have at least 1 item after validation, not 0"
        wanted = fault["msg"].partition(" should ")[2].split(",")[0].replace(" after validation", "")
    return f"must {wanted}, not {given}" if wanted else f"does not fit: {given}"


def _settings_beside(config: type[BaseModel], place: tuple[int | str, ...]) -> list[str]:
    """Return the settings that are known where an unknown one stands, in their order."""
    tables = [config]
    for part in place[:-1]:
        inner = [table for owner in tables for table in _tables_of(owner, part)]
        # The number of an entry and the tag of a union name no field: the tables stay, or become fewer.
        tables = inner or [table for table in tables if part in _tags(table)] or tables
    return list(dict.fromkeys(name for table in tables for name in table.model_fields))


def _tables_of(owner: type[BaseModel], name: int | str) -> Iterator[type[BaseModel]]:
    field = owner.model_fields.get(str(name))
    waiting: list[Any] = [] if field is None else [field.annotation]
    while waiting:
        kind = waiting.pop(0)
        if isinstance(kind, type) and issubclass(kind, BaseModel):
            yield kind
        elif get_origin(kind) is not Literal:
            waiting.extend(get_args(kind))


def _tags(table: type[BaseModel]) -> set[object]:
    kinds = [field.annotation for field in table.model_fields.values()]
    return {table.__name__} | {tag for kind in kinds if get_origin(kind) is Literal for tag in get_args(kind)}
