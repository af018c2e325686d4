"""Configuration: frozen, strict, read from and written to TOML, with a fingerprint."""

from __future__ import annotations

import hashlib
import json
import tomllib
from pathlib import Path
from typing import Any, Self

import tomli_w
from pydantic import BaseModel, ConfigDict, ValidationError

from mitoscope.errors import ConfigError
from mitoscope.fsio import atomic_write


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
            # A misspelt key comes first: that the right one is missing follows from it.
            first = min(error.errors(), key=lambda fault: fault["type"] != "extra_forbidden")
            key = ".".join(str(part) for part in first["loc"]) or "(whole)"
            known = ", ".join(cls.model_fields)
            mend = (
                f"known keys: {known}"
                if first["type"] == "extra_forbidden" and len(first["loc"]) == 1
                else None
            )
            raise ConfigError(f"key {key!r}: {first['msg']}", where=where, mend=mend) from None

    @classmethod
    def from_toml(cls, path: Path) -> Self:
        """Read a TOML file.

        Raises
        ------
        ConfigError
            If the file is missing, is not TOML, or a key or value does not fit.
        """
        try:
            values = tomllib.loads(path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError("no such file", where=path) from None
        except OSError as error:
            raise ConfigError(f"cannot be read ({error.strerror})", where=path) from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"not TOML: {error}", where=path) from None
        return cls.parse(values, where=path)

    def to_toml(self, path: Path) -> None:
        """Write a TOML file atomically; values that are None are left out."""
        with atomic_write(path) as stream:
            stream.write(tomli_w.dumps(self.model_dump(mode="json", exclude_none=True)).encode())

    def fingerprint(self) -> str:
        """Return the SHA-256 of the canonical JSON of all fields, as 64 hexadecimal digits."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()
